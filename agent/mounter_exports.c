/* SPDX-License-Identifier: Apache-2.0 */
/* mounter_exports.c: what export mounts and publications there are, and which nobody uses */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "agent/mounter_parts.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "mount/table.h"
#include "worker/frame.h"

#define IDLE_DEFAULT SECONDS(600)
/* How often mountinfo is looked at for users, as a part of the time that an export mount may idle.
 */
#define LOOKS 4

/* ---- exports ------------------------------------------------------------------------------- */

static struct map_key export_key(const void *value)
{
	return map_key_str(((const struct export *)value)->id);
}

static void export_free(struct export *x)
{
	if (!x)
		return;
	free(x->source);
	free(x->note);
	free(x);
}

struct export *export_get(struct mounter *m, const char *id, const char *hash, const char *source)
{
	struct export *x = map_gets(&m->exports, id);

	if (x)
		return x;
	x = calloc(1, sizeof(*x));
	if (x)
		x->source = strdup(source);
	if (!x || !x->source || str_format(x->id, sizeof(x->id), "%s", id) < 0 ||
		map_add(&m->exports, x) < 0) {
		export_free(x);
		return NULL;
	}
	str_copy_cut(x->hash, sizeof(x->hash), hash);
	x->idle_at = clock_now();
	return x;
}

static void export_forget(struct mounter *m, struct export *x)
{
	map_removes(&m->exports, x->id);
	export_free(x);
}

void export_note(struct export *x, const void *body, size_t size)
{
	struct unpack u = {.p = body, .end = (const char *)body + size};
	const char *note = size > 0 ? unpack_str(&u) : NULL;

	if (!note || !unpack_done(&u) || streq(note, str_or(x->note, "")))
		return;
	if (*note)
		log_warning("%s: %s", x->source, note);
	/* Without memory it was said at least. */
	(void)str_replace(&x->note, note);
}

void op_use_export(struct op *op, struct export *x)
{
	if (!x || op->x == x)
		return;
	op->x = x;
	x->running++;
}

void op_leave_export(struct op *op)
{
	struct export *x = TAKE_PTR(op->x);

	if (x && --x->running == 0 && x->publications == 0)
		export_forget(op->m, x);
}

/* ---- publications -------------------------------------------------------------------------- */

static struct map_key publication_key(const void *value)
{
	return map_key_str(((const struct publication *)value)->target);
}

static void publication_free(struct publication *p)
{
	if (!p)
		return;
	free(p->target);
	free(p);
}

/* Without memory it is not known: its children are those of what nobody knows. */
void publication_set(struct mounter *m, const char *target, const char *hash, bool found)
{
	struct publication *p = calloc(1, sizeof(*p));
	void *old = NULL;

	if (p)
		p->target = strdup(target);
	if (!p || !p->target || map_replace(&m->publications, p, &old) < 0) {
		publication_free(p);
		return;
	}
	str_copy_cut(p->hash, sizeof(p->hash), hash);
	p->found = found;
	publication_free(old);
}

void publication_drop(struct mounter *m, const char *target)
{
	publication_free(map_removes(&m->publications, target));
}

/* ---- the mount table ----------------------------------------------------------------------- */

/* What of path lies beneath directory, NULL for nothing. */
static const char *below(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	return strncmp(path, directory, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

static bool same_filesystem(const struct mount_row *a, const struct mount_row *b)
{
	return a->major == b->major && a->minor == b->minor;
}

/* Mounts of the export's file system elsewhere. Two option sets may share one: then both are kept,
 * which costs nothing. */
static size_t users_count(
	const struct mounter *m, const struct mount_table *t, const struct mount_row *row)
{
	size_t n = 0;

	for (size_t i = 0; i < mount_table_count(t); i++) {
		const struct mount_row *other = mount_table_row(t, i);

		n += same_filesystem(other, row) && !below(other->target, m->o.exports_dir);
	}
	return n;
}

static void export_look(struct mounter *m, const struct mount_table *t, const struct mount_row *row)
{
	const char *id = below(row->target, m->o.exports_dir);
	char hash[HASH_TEXT_MAX];
	struct export *x = export_get(m, id, hash_text(hash, row->source), row->source);

	if (!x)
		return;
	x->publications = users_count(m, t, row);
	if (x->publications > 0)
		x->idle_at = 0;
	else if (x->idle_at == 0)
		x->idle_at = clock_now();
}

static void publication_look(struct mounter *m, const struct mount_row *row)
{
	const char *target = below(row->target, m->o.kubelet_root);
	char hash[HASH_TEXT_MAX];

	/* Ours keep the key that they were published with. */
	if (target && !map_gets(&m->publications, target))
		publication_set(m, target, hash_text(hash, row->source), true);
}

/* Those found that are mounted no more: subPaths and other drivers' come and go unheard. */
static void publications_forget(struct mounter *m, const struct mount_table *t)
{
	char path[PATH_MAX];
	struct publication *p;

	MAP_FOREACH (&m->publications, p)
		if (p->found &&
			str_format(path, sizeof(path), "%s/%s", m->o.kubelet_root, p->target) >=
				0 &&
			!mount_table_top(t, path))
			publication_drop(m, p->target);
}

/* Exports that are mounted no more, as far as nobody is at them. */
static void exports_sweep(struct mounter *m, const struct mount_table *t)
{
	char path[PATH_MAX];
	struct export *x;

	MAP_FOREACH (&m->exports, x)
		if (x->running == 0 &&
			str_format(path, sizeof(path), "%s/%s", m->o.exports_dir, x->id) >= 0 &&
			!mount_table_top(t, path))
			export_forget(m, x);
}

static void look(struct mounter *m, const struct mount_table *t)
{
	for (size_t i = 0; i < mount_table_count(t); i++) {
		const struct mount_row *row = mount_table_row(t, i);
		const char *id = below(row->target, m->o.exports_dir);

		if (id && !strchr(id, '/') && strlen(id) < EXPORT_ID_MAX)
			export_look(m, t, row);
		else if (mount_row_is_nfs(row))
			publication_look(m, row);
	}
	publications_forget(m, t);
	exports_sweep(m, t);
}

int exports_load(struct mounter *m, struct err *e)
{
	_cleanup_(mount_table_freep) struct mount_table *t = NULL;
	int r = mount_table_read(&t, m->o.mountinfo, e);

	if (r >= 0)
		look(m, t);
	return r;
}

void exports_done(struct mounter *m)
{
	struct publication *p;
	struct export *x;

	MAP_FOREACH (&m->exports, x)
		export_free(x);
	MAP_FOREACH (&m->publications, p)
		publication_free(p);
	map_done(&m->exports);
	map_done(&m->publications);
}

/* ---- idleness ------------------------------------------------------------------------------ */

static uint64_t idle_limit(const struct mounter *m)
{
	return m->o.export_idle_ns ? m->o.export_idle_ns : IDLE_DEFAULT;
}

static void on_idle(struct timer *t, void *userdata)
{
	struct mounter *m = userdata;
	uint64_t now = clock_now();
	struct err e = ERR_NULL;
	struct export *x;

	timer_arm(t, idle_limit(m) / LOOKS);
	if (exports_load(m, &e) < 0) {
		log_warning("cannot look for idle export mounts: %s", e.text);
		return;
	}
	MAP_FOREACH (&m->exports, x)
		if (x->running == 0 && x->idle_at != 0 && now - x->idle_at >= idle_limit(m))
			export_drop(m, x);
}

int exports_watch(struct mounter *m)
{
	int r;

	m->exports = MAP_NULL(export_key);
	m->publications = MAP_NULL(publication_key);
	r = timer_new_lazy(&m->idle, m->o.loop, idle_limit(m) / 8, on_idle, m);
	if (r >= 0)
		timer_arm(m->idle, idle_limit(m) / LOOKS);
	return r;
}

void mounter_exports(const struct mounter *m,
	void (*fn)(const struct mounter_export *x, void *userdata), void *userdata)
{
	uint64_t now = clock_now();
	const struct export *x;

	MAP_FOREACH (&m->exports, x)
		fn(&(struct mounter_export){.id = x->id,
			   .source = x->source,
			   .note = str_or(x->note, ""),
			   .publications = x->publications,
			   .idle_ns = x->idle_at ? now - x->idle_at : 0},
			userdata);
}
