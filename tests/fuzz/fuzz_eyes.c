/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_eyes.c: what the agent's eyes read: mount tables, mount points' paths, answers of servers */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/mounts.h"
#include "agent/mounts_path.h"
#include "agent/picture.h"
#include "agent/ping.h"
#include "kube/bnode.h"
#include "mount/rpcping.h"
#include "mount/table.h"

static bool publication(const char *target, struct mounts_publication *ret, void *userdata)
{
	(void)userdata;
	*ret = (struct mounts_publication){.volume = ""};
	return strlen(target) % 2;
}

static void look(const uint8_t *data, size_t size)
{
	static const struct mounts_ops ops = {publication, NULL, NULL};
	const struct mounts_setup s = {
		.kubelet_root = "/k", .exports = "/x", .ops = &ops, .orphan_after_ns = 1};
	struct bnode_status status = {.version = NULL};
	struct picture p = {.room = 0};
	struct mount_table *t = NULL;
	struct mounts *m = NULL;
	struct mounts_condition c;
	const struct mounts_entry *e;
	size_t cursor = 0;

	if (mount_table_parse(&t, (const char *)data, size, NULL) < 0)
		return;
	if (mounts_new(&m, &s) >= 0) {
		/* Twice: the second time everything is known. */
		(void)mounts_update(m, t);
		(void)mounts_update(m, t);
		while ((e = mounts_next(m, &cursor)) != NULL) {
			assert(mounts_find(m, e->target) == e);
			mounts_condition(m, e->target, &c);
		}
		if (picture_take(&p, m, NULL, &status) >= 0)
			json_decref(bnode_status_json(&status));
		picture_done(&p);
		mounts_free(m);
	}
	mount_table_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mounts_path path;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (mounts_path_parse(&path, "/k", "/x", text) && path.kind != MOUNTS_EXPORT)
		assert(path.pod_size > 0 && path.volume_size > 0 &&
			path.volume + path.volume_size <= text + size);
	free(text);
	if (rpcping_check(data, size, 7) > 0)
		assert(size >= 16 && size <= RPCPING_REPLY_MAX + (1U << 20));
	look(data, size);
	return 0;
}
