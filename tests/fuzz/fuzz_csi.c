/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_csi.c: bytes of CSI and registration requests: bounded memory, and what passes is as the
 * header says */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "csi/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINE_MAX_SIZE 256

static void check(int ok)
{
	if (!ok)
		abort();
}

static void check_text(const char *s)
{
	uint32_t rune;
	size_t n;

	for (; *s; s += n) {
		n = str_utf8_next(s, 4, &rune);
		check(n > 0);
	}
}

static void check_plain(const char *s)
{
	check_text(s);
	for (; *s; s++)
		check((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static void check_map(const struct csi_map *m)
{
	for (size_t i = 0; i < m->n; i++) {
		check_plain(m->pairs[i].key);
		check_text(m->pairs[i].value);
		check(i == 0 || strcmp(m->pairs[i - 1].key, m->pairs[i].key) < 0);
		check(csi_map_get(m, m->pairs[i].key) == m->pairs[i].value);
	}
}

static void check_publish(const struct csi_publish *r)
{
	char line[LINE_MAX_SIZE];

	check_plain(r->volume_id);
	check_plain(r->target_path);
	check(*r->volume_id && r->target_path[0] == '/');
	check(strlen(r->volume_id) <= CSI_VOLUME_ID_MAX);
	check(strlen(r->target_path) <= CSI_PATH_MAX);
	check(!strstr(r->target_path, "/../") && !str_ends_with(r->target_path, "/.."));
	check(!*r->staging_path || r->staging_path[0] == '/');
	check_plain(r->fs_type);
	for (size_t i = 0; i < r->n_mount_flags; i++)
		check_plain(r->mount_flags[i]);
	check(!streq(csi_mode_name(r->mode), "UNKNOWN"));
	check(!r->has_group || r->group != (gid_t)-1);
	check_map(&r->context);
	check_map(&r->publish_context);
	check_map(&r->secrets);
	check(strlen(csi_publish_format(r, line, sizeof(line))) < sizeof(line));
}

/* A refusal has a code and words. */
static void check_status(const struct rpc_status *s)
{
	check(s->code == RPC_INTERNAL || s->code == RPC_INVALID_ARGUMENT ||
		s->code == RPC_FAILED_PRECONDITION || s->code == RPC_NOT_FOUND ||
		s->code == RPC_RESOURCE_EXHAUSTED);
	check(*s->text != '\0');
}

static int decode(uint8_t kind, struct arena *a, const uint8_t *data, size_t size)
{
	struct rpc_status status = {.code = RPC_INTERNAL, .text = "?"};
	union {
		struct csi_publish publish;
		struct csi_unpublish unpublish;
		struct csi_stats_request stats;
	} r;
	const char *error;
	bool yes;
	int failed;

	switch (kind % 6) {
	case 0:
		failed = csi_publish_decode(&r.publish, a, data, size, &status);
		if (!failed)
			check_publish(&r.publish);
		break;
	case 1:
		failed = csi_unpublish_decode(&r.unpublish, a, data, size, &status);
		if (!failed)
			check_plain(r.unpublish.target_path);
		break;
	case 2:
		failed = csi_stats_decode(&r.stats, a, data, size, &status);
		if (!failed)
			check_plain(r.stats.volume_path);
		break;
	case 3:
		failed = csi_registration_status_decode(&yes, &error, a, data, size);
		if (!failed)
			(void)strlen(error);
		break;
	case 4:
		failed = csi_probe_decode(&yes, a, data, size);
		break;
	default:
		failed = csi_empty_decode(a, data, size, &status);
	}
	if (failed)
		check_status(&status);
	return failed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;

	if (size == 0)
		return 0;
	arena_init(&a);
	(void)decode(data[0], &a, data + 1, size - 1);
	check(a.used <= ARENA_MAX);
	arena_done(&a);
	return 0;
}
