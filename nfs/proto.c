/* SPDX-License-Identifier: Apache-2.0 */
/* proto.c: bodies of requests and replies, and the checks of what a worker says */
#include "nfs/proto.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

/* A sticky writer: the first failure stays. */
struct pack {
	struct buf *b;
	int r;
};

static void put_u64(struct pack *p, uint64_t v)
{
	if (p->r >= 0)
		p->r = pack_u64(p->b, v);
}

static void put_str(struct pack *p, const char *s)
{
	if (p->r >= 0)
		p->r = pack_str(p->b, s);
}

/* A value with an upper bound; anything above makes the whole body bad. */
static uint64_t get_max(struct unpack *u, uint64_t max)
{
	uint64_t v = unpack_u64(u);

	if (v <= max)
		return v;
	u->bad = true;
	return 0;
}

static const char *get_text(struct unpack *u)
{
	const char *s = unpack_str(u);

	if (!s)
		u->bad = true;
	return s;
}

static bool get_bool(struct unpack *u)
{
	return get_max(u, 1) == 1;
}

/* ---- init ------------------------------------------------------------------------------------ */

int nfs_init_pack(struct buf *b, const struct volume_place *place)
{
	struct pack p = {.b = b};

	put_str(&p, place->server);
	put_str(&p, place->export_);
	put_u64(&p, place->nfs_port);
	put_u64(&p, place->mount_port);
	put_u64(&p, (uint64_t)place->version);
	put_u64(&p, place->act_as_set);
	put_u64(&p, place->act_uid);
	put_u64(&p, place->act_gid);
	return p.r;
}

int nfs_init_unpack(struct volume_place *ret, const void *body, size_t size)
{
	struct unpack u = {.p = body, .end = (const char *)body + size};
	struct volume_place p = {.server = get_text(&u)};

	p.export_ = get_text(&u);
	p.nfs_port = (uint16_t)get_max(&u, UINT16_MAX);
	p.mount_port = (uint16_t)get_max(&u, UINT16_MAX);
	p.version = (int)get_max(&u, 4);
	p.act_as_set = get_bool(&u);
	p.act_uid = (uid_t)get_max(&u, UINT32_MAX);
	p.act_gid = (gid_t)get_max(&u, UINT32_MAX);
	if (!unpack_done(&u))
		return -EPROTO;
	*ret = p;
	return 0;
}

/* ---- volumes ----------------------------------------------------------------------------------
 */

static void put_volume(struct pack *p, const struct volume_request *q)
{
	put_str(p, q->driver);
	put_str(p, q->pv);
	put_str(p, q->token);
	put_str(p, q->claim.namespace_);
	put_str(p, q->claim.name);
	put_str(p, q->claim.uid);
	put_str(p, q->class);
	put_str(p, q->directory);
	put_u64(p, (uint64_t)q->capacity);
	put_u64(p, q->access_modes);
	put_u64(p, q->uid);
	put_u64(p, q->gid);
	put_u64(p, q->mode);
	put_u64(p, q->flags);
	put_u64(p, q->reclaim);
	put_u64(p, q->trash_ttl_ns);
}

static void get_volume(struct unpack *u, struct volume_request *q)
{
	q->driver = get_text(u);
	q->pv = get_text(u);
	q->token = get_text(u);
	q->claim.namespace_ = get_text(u);
	q->claim.name = get_text(u);
	q->claim.uid = get_text(u);
	q->class = unpack_str(u);
	q->directory = get_text(u);
	q->capacity = (int64_t)get_max(u, INT64_MAX);
	q->access_modes = (unsigned)get_max(u, VOLUME_ACCESS_ALL);
	q->uid = (uid_t)get_max(u, UINT32_MAX);
	q->gid = (gid_t)get_max(u, UINT32_MAX);
	q->mode = (mode_t)get_max(u, 07777);
	q->flags = (unsigned)get_max(u, 255);
	q->reclaim = (enum volume_reclaim)get_max(u, RECLAIM_RECYCLE);
	q->trash_ttl_ns = unpack_u64(u);
	if (u->bad)
		return;
	if (path_component_check(q->pv, strlen(q->pv), NULL) < 0 ||
		strlen(q->pv) > VOLUME_NAME_MAX || path_relative_check(q->directory, NULL) < 0)
		u->bad = true;
}

static bool kind_has_volume(enum nfs_kind kind)
{
	return kind >= NFS_CREATE && kind <= NFS_RESTORE;
}

int nfs_request_pack(struct buf *b, enum nfs_kind kind, const struct nfs_request *q)
{
	struct pack p = {.b = b};

	put_str(&p, q->export_);
	put_str(&p, q->identity);
	put_u64(&p, q->budget_ns);
	put_str(&p, q->attempt);
	put_str(&p, q->earlier);
	put_str(&p, q->name);
	if (kind_has_volume(kind))
		put_volume(&p, &q->volume);
	if (kind == NFS_REGROUP)
		put_u64(&p, q->group);
	return p.r;
}

static bool name_is_token(const char *s)
{
	return strlen(s) < TOKEN_TEXT_MAX && strspn(s, "0123456789abcdef") == strlen(s);
}

/* Tokens with commas between. */
static bool names_are_tokens(const char *s)
{
	for (;;) {
		size_t n = strspn(s, "0123456789abcdef");

		if (n == 0 || n >= TOKEN_TEXT_MAX || (s[n] && s[n] != ','))
			return false;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

int nfs_request_unpack(struct nfs_request *ret, enum nfs_kind kind, const void *body, size_t size)
{
	struct unpack u = {.p = body, .end = (const char *)body + size};
	struct nfs_request q = {.export_ = get_text(&u)};

	q.identity = unpack_str(&u);
	q.budget_ns = unpack_u64(&u);
	q.attempt = get_text(&u);
	q.earlier = unpack_str(&u);
	q.name = unpack_str(&u);
	if (kind_has_volume(kind))
		get_volume(&u, &q.volume);
	if (kind == NFS_REGROUP)
		q.group = (gid_t)get_max(&u, UINT32_MAX - 1);
	if (!unpack_done(&u) || !name_is_token(q.attempt) ||
		(q.earlier && !names_are_tokens(q.earlier)))
		return -EPROTO;
	if (kind == NFS_PURGE &&
		(!q.name || path_component_check(q.name, strlen(q.name), NULL) < 0))
		return -EINVAL;
	if (kind == NFS_REGROUP && (!q.name || (*q.name && path_relative_check(q.name, NULL) < 0)))
		return -EINVAL;
	*ret = q;
	return 0;
}

/* ---- results ----------------------------------------------------------------------------------
 */

static void put_entry(struct pack *p, const struct volume_entry *e)
{
	put_u64(p, e->kind);
	put_str(p, e->name);
	put_u64(p, e->state);
	put_u64(p, e->published);
	put_u64(p, e->changed);
	put_str(p, e->trash);
	if (e->kind == ENTRY_RECORD)
		put_volume(p, &e->record);
}

int nfs_result_pack(struct buf *b, const struct volume_result *res)
{
	struct pack p = {.b = b};

	put_str(&p, res->err.text);
	put_u64(&p, res->flags);
	put_str(&p, str_or(res->text, ""));
	put_str(&p, str_or(res->identity, ""));
	put_str(&p, str_or(res->directory, ""));
	put_u64(&p, res->uid);
	put_u64(&p, res->gid);
	put_u64(&p, res->mode);
	put_u64(&p, res->removed);
	put_u64(&p, res->total_bytes);
	put_u64(&p, res->free_bytes);
	put_u64(&p, res->available_bytes);
	put_u64(&p, res->total_files);
	put_u64(&p, res->free_files);
	put_u64(&p, res->round_trip_ns);
	put_u64(&p, (uint64_t)res->version);
	put_str(&p, str_or(res->cursor, ""));
	put_u64(&p, res->n_entries);
	for (size_t i = 0; i < res->n_entries; i++)
		put_entry(&p, &res->entries[i]);
	return p.r;
}

/* Names of ENTRY_TRASH and others come from the server: any bytes but no slash. */
static bool name_is_plain(const char *s)
{
	return s && *s && strlen(s) <= PATH_COMPONENT_MAX && !strchr(s, '/');
}

static void get_entry(struct unpack *u, struct volume_entry *e)
{
	*e = (struct volume_entry){.kind = (int)get_max(u, ENTRY_BAD_RECORD)};
	e->name = get_text(u);
	e->state = (enum record_state)get_max(u, RECORD_RECYCLING);
	e->published = get_bool(u);
	e->changed = unpack_u64(u);
	e->trash = get_text(u);
	if (e->kind == ENTRY_RECORD)
		get_volume(u, &e->record);
	if (u->bad || !name_is_plain(e->name) ||
		(*e->trash && path_relative_check(e->trash, NULL) < 0))
		u->bad = true;
}

static void get_figures(struct unpack *u, struct volume_result *res)
{
	res->uid = (uid_t)get_max(u, UINT32_MAX);
	res->gid = (gid_t)get_max(u, UINT32_MAX);
	res->mode = (mode_t)get_max(u, 07777);
	res->removed = unpack_u64(u);
	res->total_bytes = unpack_u64(u);
	res->free_bytes = unpack_u64(u);
	res->available_bytes = unpack_u64(u);
	res->total_files = unpack_u64(u);
	res->free_files = unpack_u64(u);
	res->round_trip_ns = unpack_u64(u);
	res->version = (int)get_max(u, 4);
}

static bool result_is_sane(const struct volume_result *res)
{
	struct uuid id;

	return strlen(res->text) < ERR_TEXT_MAX && strlen(res->cursor) < NFS_CURSOR_MAX &&
	       (!*res->identity || uuid_parse(res->identity, &id) == 0) &&
	       (!*res->directory || path_relative_check(res->directory, NULL) == 0);
}

int nfs_result_unpack(struct volume_result *ret, struct volume_entry **ret_entries, int result,
	const void *body, size_t size)
{
	struct unpack u = {.p = body, .end = (const char *)body + size};
	_cleanup_free_ struct volume_entry *entries = NULL;
	struct volume_result res = {.err = ERR_NULL};
	char text[ERR_TEXT_MAX];

	str_escape(text, sizeof(text), str_or(get_text(&u), ""));
	if (result < 0)
		err_set(&res.err, result, "%s", text);
	res.flags = (unsigned)get_max(&u, 31);
	res.text = get_text(&u);
	res.identity = get_text(&u);
	res.directory = get_text(&u);
	get_figures(&u, &res);
	res.cursor = get_text(&u);
	res.n_entries = get_max(&u, NFS_ENTRIES_MAX);
	if (u.bad || !result_is_sane(&res))
		return -EPROTO;
	entries = res.n_entries > 0 ? calloc(res.n_entries, sizeof(*entries)) : NULL;
	if (res.n_entries > 0 && !entries)
		return -ENOMEM;
	for (size_t i = 0; i < res.n_entries && !u.bad; i++)
		get_entry(&u, &entries[i]);
	if (!unpack_done(&u))
		return -EPROTO;
	res.entries = entries;
	*ret = res;
	*ret_entries = TAKE_PTR(entries);
	return 0;
}
