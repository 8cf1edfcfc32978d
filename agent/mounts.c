/* SPDX-License-Identifier: Apache-2.0 */
/* mounts.c: from the host's mount table to the mounts that are ours, and the state of each */
#include "agent/mounts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/mounts_path.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/parse.h"
#include "base/str.h"
#include "mount/mounted.h"
#include "mount/table.h"

/* Exports come after all others in mounts_next(). */
#define CURSOR_EXPORTS (SIZE_MAX / 2 + 1)

struct entry {
	struct mounts_entry e; /* first */
	bool told;             /* changed() knows of it */
	bool export_there;     /* an export mount of its superblock stands */
	uint64_t alone_since;  /* clock_now(): nothing stands behind it; 0: something does */
	uint8_t round;         /* of the update that saw it last */
	char text[];
};

/* A superblock, by its device number, that is ours in the update at hand. */
struct super {
	unsigned major, minor;
	bool export_; /* an export mount stands; else only volumes that we know of */
};

struct mounts {
	struct mounts_setup s;
	char *kubelet_root, *exports_dir;
	struct map pods, exports; /* struct entry by target */
	struct map supers;
	uint8_t round;
};

const char *mounts_state_name(enum mounts_state s)
{
	static const char *const names[_MOUNTS_STATE_MAX] = {"Ok", "Hung", "Stale", "Orphaned"};

	return names[s];
}

static struct map_key key_of_entry(const void *value)
{
	return map_key_str(((const struct mounts_entry *)value)->target);
}

static struct map_key key_of_super(const void *value)
{
	return (struct map_key){value, 2 * sizeof(unsigned)};
}

/* ---- superblocks ------------------------------------------------------------------------- */

static struct super *super_find(const struct mounts *m, unsigned major, unsigned minor)
{
	const unsigned key[2] = {major, minor};

	return map_get(&m->supers, key, sizeof(key));
}

static int super_add(struct mounts *m, unsigned major, unsigned minor, bool export_)
{
	struct super *s = super_find(m, major, minor);
	int r;

	if (s) {
		s->export_ |= export_;
		return 0;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->major = major;
	s->minor = minor;
	s->export_ = export_;
	r = map_add(&m->supers, s);
	if (r < 0)
		free(s);
	return r;
}

static void supers_clear(struct mounts *m)
{
	struct super *s;

	MAP_FOREACH (&m->supers, s)
		free(s);
	map_done(&m->supers);
	m->supers = MAP_NULL(key_of_super);
}

/*
 * What export mounts have, and what the volumes had that we knew a moment ago: a device number
 * cannot have been given to another NFS mount while they stood.
 */
static int supers_learn(struct mounts *m, const struct mount_table *t)
{
	const struct entry *x;
	int r = 0;

	supers_clear(m);
	MAP_FOREACH (&m->pods, x)
		if (*x->e.server && r >= 0)
			r = super_add(m, x->e.major, x->e.minor, false);
	for (size_t i = 0; r >= 0 && i < mount_table_count(t); i++) {
		const struct mount_row *row = mount_table_row(t, i);

		if (mount_row_is_nfs(row) && mounts_path_is_export(m->exports_dir, row->target))
			r = super_add(m, row->major, row->minor, true);
	}
	return r;
}

/* ---- entries ----------------------------------------------------------------------------- */

static const char *put(char **at, const char *text, size_t n)
{
	char *start = *at;

	memcpy(start, text, n);
	start[n] = '\0';
	*at += n + 1;
	return start;
}

static void entry_nfs(struct entry *x, const struct mount_row *row, const char *address)
{
	char port[8];
	uint64_t n = 0;

	x->e.server = address;
	if (mounted_option(row->fs_options, "port", port, sizeof(port)) &&
		parse_u64(port, 0, UINT16_MAX, &n) < 0)
		n = 0;
	x->e.port = (uint16_t)n;
}

static struct entry *entry_make(const struct mount_row *row, const struct mounts_path *path)
{
	char address[64] = "";
	size_t target = strlen(row->target), source = strlen(row->source);
	size_t root = strlen(row->root), options = strlen(row->options);
	size_t more = strlen(row->fs_options);
	struct entry *x;
	char *at;

	if (!mount_row_is_nfs(row) ||
		!mounted_option(row->fs_options, "addr", address, sizeof(address)))
		*address = '\0';
	x = calloc(1, sizeof(*x) + target + source + root + options + more + path->volume_size +
			      path->pod_size + strlen(address) + 9);
	if (!x)
		return NULL;
	at = x->text;
	x->e = (struct mounts_entry){
		.kind = path->kind,
		.volume = put(&at, path->volume, path->volume_size),
		.pod_uid = put(&at, path->pod, path->pod_size),
		.target = put(&at, row->target, target),
		.source = put(&at, row->source, source),
		.root = put(&at, row->root, root),
		.id = row->id,
		.peer_group = row->peer,
		.major = row->major,
		.minor = row->minor,
		.read_only = row->read_only,
		.deleted = row->deleted,
		.why = "",
	};
	x->e.options = put(&at, row->options, options);
	if (more) {
		at[-1] = ',';
		put(&at, row->fs_options, more);
	}
	entry_nfs(x, row, put(&at, address, strlen(address)));
	return x;
}

static bool entry_is_same(const struct entry *a, const struct entry *b)
{
	return a->e.id == b->e.id && a->e.major == b->e.major && a->e.minor == b->e.minor &&
	       a->e.peer_group == b->e.peer_group && a->e.read_only == b->e.read_only &&
	       a->e.deleted == b->e.deleted && a->e.port == b->e.port &&
	       streq(a->e.root, b->e.root) && streq(a->e.source, b->e.source) &&
	       streq(a->e.options, b->e.options);
}

/* Whoever looks a change up in the table finds it there: only then is it told. */
static void entry_gone(struct mounts *m, struct map *in, struct entry *x)
{
	map_removes(in, x->e.target);
	if (m->s.health)
		health_forget(m->s.health, x->e.target);
	if (x->told && m->s.ops->gone)
		m->s.ops->gone(&x->e, m->s.userdata);
	free(x);
}

static bool is_published(const struct mounts *m, const char *target)
{
	struct mounts_publication p;

	return m->s.ops->publication && m->s.ops->publication(target, &p, m->s.userdata);
}

/* The volume that a subPath bind is of, in the same pod. */
static bool parent_of(const struct mounts *m, const struct mounts_entry *e, char *dst, size_t size)
{
	return str_format(dst, size, "%s/pods/%s/volumes/kubernetes.io~csi/%s/mount",
		       m->kubelet_root, e->pod_uid, e->volume) >= 0;
}

static bool is_ours(const struct mounts *m, const struct mount_row *row, const struct entry *x)
{
	char volume[4096];

	if (x->e.kind == MOUNTS_EXPORT)
		return mount_row_is_nfs(row);
	if (mount_row_is_nfs(row) && super_find(m, row->major, row->minor))
		return true;
	if (x->e.kind == MOUNTS_VOLUME)
		return is_published(m, row->target);
	return parent_of(m, &x->e, volume, sizeof(volume)) && is_published(m, volume);
}

/* A row at one of our places. The mount on top comes last and takes the place of those below. */
static int see(struct mounts *m, const struct mount_row *row, const struct mounts_path *path)
{
	struct map *in = path->kind == MOUNTS_EXPORT ? &m->exports : &m->pods;
	struct entry *x = entry_make(row, path), *old;
	const struct super *s;
	void *replaced;

	if (!x)
		return -ENOMEM;
	if (!is_ours(m, row, x)) {
		free(x);
		return 0;
	}
	s = super_find(m, row->major, row->minor);
	old = map_gets(in, row->target);
	if (old && entry_is_same(old, x)) {
		free(x);
		x = old;
	} else {
		if (map_replace(in, x, &replaced) < 0) {
			free(x);
			return -ENOMEM;
		}
		/* Mounted anew, or with other options: the same place to whoever was told of it. */
		x->told = old && old->told;
		x->alone_since = old ? old->alone_since : 0;
		x->e.state = old ? old->e.state : MOUNTS_OK;
		free(old);
	}
	x->round = m->round;
	x->export_there = s && s->export_;
	return 0;
}

static void sweep(struct mounts *m, struct map *in)
{
	struct entry *x;

	MAP_FOREACH (in, x)
		if (x->round != m->round)
			entry_gone(m, in, x);
}

static void watch_servers(struct mounts *m)
{
	const struct mounts_entry *e;
	size_t cursor = 0;

	if (!m->s.health)
		return;
	health_begin(m->s.health);
	while ((e = mounts_next(m, &cursor)) != NULL)
		if (*e->server)
			(void)health_want(m->s.health, e->server, e->port);
	health_end(m->s.health);
}

int mounts_update(struct mounts *m, const struct mount_table *t)
{
	int r = supers_learn(m, t);

	m->round++;
	for (size_t i = 0; r >= 0 && i < mount_table_count(t); i++) {
		const struct mount_row *row = mount_table_row(t, i);
		struct mounts_path path;

		if (mounts_path_parse(&path, m->kubelet_root, m->exports_dir, row->target))
			r = see(m, row, &path);
	}
	if (r < 0)
		return r;
	sweep(m, &m->pods);
	sweep(m, &m->exports);
	watch_servers(m);
	mounts_judge(m);
	return 0;
}

/* ---- states ------------------------------------------------------------------------------ */

/* What is missing behind it, NULL for nothing. */
static const char *what_is_missing(const struct mounts *m, const struct entry *x)
{
	char volume[4096];

	if (x->e.kind == MOUNTS_VOLUME && !is_published(m, x->e.target))
		return "mounted, but no pod's volume that this agent published";
	if (x->e.kind == MOUNTS_SUBPATH &&
		(!parent_of(m, &x->e, volume, sizeof(volume)) || !map_gets(&m->pods, volume)))
		return "a subPath whose volume is no longer mounted in the pod";
	if (x->e.kind != MOUNTS_EXPORT && *x->e.server && !x->export_there)
		return "its export mount is gone";
	return NULL;
}

static enum mounts_state judge_orphan(const struct mounts *m, struct entry *x)
{
	const char *why = what_is_missing(m, x);
	uint64_t now = clock_now();

	x->e.why = "";
	if (!why)
		x->alone_since = 0;
	else if (!x->alone_since)
		x->alone_since = now;
	if (!why || now - x->alone_since < m->s.orphan_after_ns)
		return MOUNTS_OK;
	x->e.why = why;
	return MOUNTS_ORPHANED;
}

static enum mounts_state judge(const struct mounts *m, struct entry *x)
{
	const struct health *h = m->s.health;

	if (h && *x->e.server && health_of(h, x->e.server, x->e.port) == HEALTH_DOWN) {
		x->e.why = "the NFS server does not answer";
		return MOUNTS_HUNG;
	}
	if (x->e.deleted || (h && health_is_stale(h, x->e.target))) {
		x->e.why = "the directory is gone from the server (stale file handle)";
		return MOUNTS_STALE;
	}
	return judge_orphan(m, x);
}

static void judge_all(struct mounts *m, const struct map *in)
{
	struct entry *x;

	MAP_FOREACH (in, x) {
		enum mounts_state old = x->told ? x->e.state : _MOUNTS_STATE_MAX;

		x->e.state = judge(m, x);
		x->told = true;
		if (x->e.state != old && m->s.ops->changed)
			m->s.ops->changed(&x->e, old, m->s.userdata);
	}
}

void mounts_judge(struct mounts *m)
{
	judge_all(m, &m->pods);
	judge_all(m, &m->exports);
}

void mounts_condition(const struct mounts *m, const char *target, struct mounts_condition *ret)
{
	const struct mounts_entry *e = mounts_find(m, target);

	*ret = (struct mounts_condition){.abnormal = e && e->state != MOUNTS_OK};
	if (!e)
		(void)snprintf(ret->message, sizeof(ret->message), "nothing is known of it");
	else if (e->state == MOUNTS_OK)
		(void)snprintf(ret->message, sizeof(ret->message), "volume is healthy");
	else
		(void)snprintf(ret->message, sizeof(ret->message), "%s: %s (%s)",
			mounts_state_name(e->state), e->why, e->source);
}

/* ---- looking ----------------------------------------------------------------------------- */

const struct mounts_entry *mounts_next(const struct mounts *m, size_t *cursor)
{
	const struct mounts_entry *e;
	size_t at;

	if (*cursor < CURSOR_EXPORTS) {
		e = map_next(&m->pods, cursor);
		if (e)
			return e;
		*cursor = CURSOR_EXPORTS;
	}
	at = *cursor - CURSOR_EXPORTS;
	e = map_next(&m->exports, &at);
	*cursor = at + CURSOR_EXPORTS;
	return e;
}

const struct mounts_entry *mounts_find(const struct mounts *m, const char *target)
{
	const struct mounts_entry *e = map_gets(&m->pods, target);

	return e ? e : map_gets(&m->exports, target);
}

struct mounts_count mounts_count(const struct mounts *m)
{
	struct mounts_count n = {
		.all = (unsigned)m->pods.size, .exports = (unsigned)m->exports.size};
	const struct entry *x;

	MAP_FOREACH (&m->pods, x) {
		n.state[x->e.state]++;
		n.suspects += x->alone_since && x->e.state == MOUNTS_OK;
	}
	return n;
}

/* ---- frame ------------------------------------------------------------------------------- */

int mounts_new(struct mounts **ret, const struct mounts_setup *s)
{
	_cleanup_(mounts_freep) struct mounts *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->s = *s;
	m->s.orphan_after_ns = s->orphan_after_ns ? s->orphan_after_ns : MOUNTS_ORPHAN_AFTER;
	m->pods = MAP_NULL(key_of_entry);
	m->exports = MAP_NULL(key_of_entry);
	m->supers = MAP_NULL(key_of_super);
	m->kubelet_root = strdup(s->kubelet_root);
	m->exports_dir = strdup(s->exports);
	if (!m->kubelet_root || !m->exports_dir)
		return -ENOMEM;
	*ret = TAKE_PTR(m);
	return 0;
}

static void entries_free(struct map *in)
{
	struct entry *x;

	MAP_FOREACH (in, x)
		free(x);
	map_done(in);
}

struct mounts *mounts_free(struct mounts *m)
{
	if (!m)
		return NULL;
	entries_free(&m->pods);
	entries_free(&m->exports);
	supers_clear(m);
	map_done(&m->supers);
	free(m->kubelet_root);
	free(m->exports_dir);
	free(m);
	return NULL;
}
