/* SPDX-License-Identifier: Apache-2.0 */
/* bnode.c: BerthNode from JSON and its status to JSON (deploy/crds.yaml) */
#include "kube/bnode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "kube/pack.h"

/* 4,096 names and their newlines. */
#define VOLUMES_BYTES_MAX ((size_t)BNODE_VOLUMES_MAX * (PACK_NAME_MAX + 1))
/* The schema's. */
#define TEXT_MAX 4096

/* ---- names, sorted and each once ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts in place, drops what is repeated or ""; how many are left. */
static size_t sort_names(const char **names, size_t n)
{
	size_t kept = 0;

	if (n > 0)
		qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n; i++)
		if (*names[i] && (kept == 0 || !streq(names[kept - 1], names[i])))
			names[kept++] = names[i];
	return kept;
}

/* ---- cached ---- */

struct raw_bnode {
	const char *lease, *node_uid;
	const char *volumes;
};

static const struct decode_field bnode_fields[] = {
	PACK_TEXT("lease", struct raw_bnode, lease),
	PACK_TEXT("nodeUID", struct raw_bnode, node_uid),
};
static const struct decode_table bnode_table = DECODE_TABLE(bnode_fields, false);

static const struct pack_field bnode_texts[] = {
	{offsetof(struct raw_bnode, lease), offsetof(struct bnode, lease), false},
	{offsetof(struct raw_bnode, volumes), offsetof(struct bnode, volumes), false},
};
static const struct pack_layout bnode_layout = {
	sizeof(struct bnode), bnode_texts, ELEMENTSOF(bnode_texts)};

static bool is_name(const json_t *v)
{
	const char *s = json_string_value(v);

	return s && *s && json_string_length(v) <= PACK_NAME_MAX && !strchr(s, '\n');
}

static int join_names(const json_t *volumes, struct buf *ret)
{
	size_t n = json_array_size(volumes), got = 0, i;
	_cleanup_free_ const char **names = NULL;
	json_t *v;
	int r = 0;

	if (n == 0 || n > BNODE_VOLUMES_MAX)
		return 0;
	names = reallocarray(NULL, n, sizeof(*names));
	if (!names)
		return -ENOMEM;
	json_array_foreach ((json_t *)volumes, i, v)
		if (is_name(v))
			names[got++] = json_string_value(v);
	got = sort_names(names, got);
	for (i = 0; i < got && r >= 0; i++)
		r = buf_printf(ret, "%s\n", names[i]);
	return r;
}

/* A list that is longer than the schema's, or shorter than its own count, does not name all. */
static bool is_truncated(const json_t *item, const json_t *volumes)
{
	json_int_t count = json_integer_value(json_at(item, "status", "counts", "volumes", NULL));
	size_t n = json_array_size(volumes);

	return n > BNODE_VOLUMES_MAX || count > (json_int_t)n;
}

static int bnode_decode(struct strpool *pool, const json_t *item, struct object **ret)
{
	_cleanup_buf_ struct buf names = BUF_NULL(VOLUMES_BYTES_MAX);
	const json_t *volumes = json_at(item, "status", "volumes", NULL);
	struct raw_bnode raw = {.lease = NULL};
	struct bnode *b;
	struct meta m;
	int r = pack_meta(item, &m);

	if (r >= 0)
		r = join_names(volumes, &names);
	if (r < 0)
		return r;
	pack_decode(&bnode_table, json_object_get(item, "status"), &raw);
	raw.volumes = names.data;
	r = pack_new(pool, &bnode_layout, &m, &raw, ret);
	if (r < 0)
		return r;
	b = (struct bnode *)*ret;
	if (!*b->lease)
		b->lease = b->o.name;
	if (raw.node_uid && uuid_parse(raw.node_uid, &b->node_uid) < 0)
		b->node_uid = (struct uuid){{0}};
	b->truncated = is_truncated(item, volumes);
	return 0;
}

static void bnode_free(struct strpool *pool, struct object *o)
{
	pack_free(pool, &bnode_layout, o);
}

const struct kind kind_bnode = {
	.name = "BerthNode",
	.api = "berth.dev/v1alpha1",
	.list_path = BNODE_PATH,
	.decode = bnode_decode,
	.free = bnode_free,
};

bool bnode_names_volume(const char *volumes, const char *volume)
{
	const char *low = volumes, *high = volumes + strlen(volumes);
	size_t n = strlen(volume);

	while (low < high) {
		const char *at = low + (high - low) / 2;
		size_t len;
		int order;

		while (at > low && at[-1] != '\n')
			at--;
		len = strcspn(at, "\n");
		order = memcmp(at, volume, len < n ? len : n);
		if (order == 0 && len == n)
			return true;
		if (order < 0 || (order == 0 && len < n))
			low = at + len + 1;
		else
			high = at;
	}
	return false;
}

bool bnode_has_volume(const struct bnode *b, const char *volume)
{
	return bnode_names_volume(b->volumes, volume);
}

/* ---- written ---- */

static void put_text(json_t *o, const char *key, const char *text)
{
	char cut[TEXT_MAX + 1];

	if (str_empty(text))
		return;
	/* Paths may hold any byte, JSON only UTF-8. */
	json_object_set_new(o, key, json_string(str_escape(cut, sizeof(cut), text)));
}

static json_t *mounts_json(const struct bnode_status *s)
{
	json_t *a = json_array();

	for (size_t i = 0; i < s->n_mounts && i < BNODE_MOUNTS_MAX; i++) {
		const struct bnode_mount *m = &s->mounts[i];
		json_t *o = json_object();

		put_text(o, "volume", m->volume);
		put_text(o, "target", m->target);
		put_text(o, "source", m->source);
		put_text(o, "options", m->options);
		put_text(o, "state", m->state);
		if (m->peer_group)
			json_object_set_new(o, "peerGroup", json_integer(m->peer_group));
		if (m->read_only)
			json_object_set_new(o, "readOnly", json_true());
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *exports_json(const struct bnode_status *s)
{
	json_t *a = json_array();

	for (size_t i = 0; i < s->n_exports && i < BNODE_EXPORTS_MAX; i++) {
		const struct bnode_export *x = &s->exports[i];
		json_t *o = json_object();

		put_text(o, "server", x->server);
		put_text(o, "export", x->export_);
		put_text(o, "state", x->state);
		put_text(o, "roundTrip", x->round_trip);
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *conditions_json(const struct bnode_status *s)
{
	json_t *a = json_array();

	for (size_t i = 0; i < s->n_conditions && i < BNODE_CONDITIONS_MAX; i++) {
		const struct bnode_condition *c = &s->conditions[i];
		char since[CLOCK_TEXT_MAX];
		json_t *o = json_object();

		put_text(o, "type", c->type);
		put_text(o, "status", c->holds ? "True" : "False");
		put_text(o, "reason", c->reason);
		put_text(o, "message", c->message);
		put_text(o, "lastTransitionTime", clock_format(c->since, since));
		json_array_append_new(a, o);
	}
	return a;
}

/* All volumes that fit; *ret_n is how many there are. */
static json_t *volumes_json(const struct bnode_status *s, size_t *ret_n)
{
	_cleanup_free_ const char **names = NULL;
	json_t *a;

	*ret_n = 0;
	if (s->n_volumes == 0)
		return json_array();
	names = reallocarray(NULL, s->n_volumes, sizeof(*names));
	if (!names)
		return NULL;
	memcpy(names, s->volumes, s->n_volumes * sizeof(*names));
	*ret_n = sort_names(names, s->n_volumes);
	a = json_array();
	for (size_t i = 0; i < *ret_n && i < BNODE_VOLUMES_MAX; i++)
		json_array_append_new(a, json_string(names[i]));
	return a;
}

json_t *bnode_status_json(const struct bnode_status *s)
{
	_cleanup_json_ json_t *o = json_object();
	size_t n_volumes = 0;
	json_t *volumes = volumes_json(s, &n_volumes);
	json_t *counts = json_pack("{s:i, s:i, s:i, s:i, s:i}", "mounts", (int)s->counts_mounts,
		"hung", (int)s->counts_hung, "stale", (int)s->counts_stale, "orphaned",
		(int)s->counts_orphaned, "volumes", (int)n_volumes);
	json_t *kubelet = json_object();

	put_text(o, "version", s->version);
	put_text(o, "lease", s->lease);
	put_text(o, "nodeUID", s->node_uid);
	put_text(kubelet, "root", s->kubelet_root);
	put_text(kubelet, "propagation", s->propagation);
	if (json_object_set_new(o, "kubelet", kubelet) < 0 ||
		json_object_set_new(o, "counts", counts) < 0 ||
		json_object_set_new(o, "volumes", volumes) < 0 ||
		json_object_set_new(o, "mounts", mounts_json(s)) < 0 ||
		json_object_set_new(o, "exports", exports_json(s)) < 0 ||
		json_object_set_new(o, "conditions", conditions_json(s)) < 0)
		return NULL;
	if (s->pools)
		json_object_set(o, "pools", s->pools);
	return TAKE_PTR(o);
}
