/* SPDX-License-Identifier: Apache-2.0 */
/* export.c: what a worker remembers of an export between operations */
#include "nfs/export.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

static struct map_key entry_key(const void *value)
{
	return map_key_str(((const struct index_entry *)value)->directory);
}

int export_new(struct nfs_export **ret, const char *path, const struct nfs_cred *control)
{
	struct nfs_export *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->path = strdup(path);
	if (!x->path) {
		free(x);
		return -ENOMEM;
	}
	x->control_cred = *control;
	x->index = MAP_NULL(entry_key);
	list_init(&x->link);
	list_init(&x->waiters);
	list_init(&x->index_waiters);
	list_init(&x->purges);
	list_init(&x->regroups);
	*ret = x;
	return 0;
}

static void forget_parents(struct nfs_export *x)
{
	for (size_t i = 0; i < EXPORT_PARENTS; i++) {
		free(x->parents[i].path);
		x->parents[i].path = NULL;
	}
}

struct nfs_export *export_free(struct nfs_export *x)
{
	if (!x)
		return NULL;
	list_remove(&x->link);
	forget_parents(x);
	export_index_clear(x);
	free(x->path);
	free(x);
	return NULL;
}

void export_forget(struct nfs_export *x)
{
	forget_parents(x);
	if (x->state == EXPORT_READY)
		x->state = EXPORT_NEW;
}

static struct path_handle *find_parent(const struct nfs_export *x, const char *path, size_t len)
{
	for (size_t i = 0; i < EXPORT_PARENTS; i++) {
		const char *p = x->parents[i].path;

		if (p && strlen(p) == len && memcmp(p, path, len) == 0)
			return (struct path_handle *)&x->parents[i];
	}
	return NULL;
}

const struct nfs_fh *export_parent(const struct nfs_export *x, const char *path, size_t len)
{
	const struct path_handle *p = len > 0 ? find_parent(x, path, len) : NULL;

	if (len == 0)
		return &x->root;
	return p ? &p->fh : NULL;
}

/* Failing to remember costs a LOOKUP, nothing else. */
void export_keep_parent(struct nfs_export *x, const char *path, size_t len, const struct nfs_fh *fh)
{
	struct path_handle *p = &x->parents[x->next_parent];

	if (find_parent(x, path, len))
		return;
	x->next_parent = (x->next_parent + 1) % EXPORT_PARENTS;
	free(p->path);
	p->path = strndup(path, len);
	p->fh = *fh;
}

void export_drop_parent(struct nfs_export *x, const char *path, size_t len)
{
	struct path_handle *p = find_parent(x, path, len);

	if (!p)
		return;
	free(p->path);
	p->path = NULL;
}

/* ---- the index ----------------------------------------------------------------------------------
 */

static void entry_free(struct index_entry *e)
{
	free(e->directory);
	free(e->pv);
	free(e);
}

bool record_is_live(const struct record *rec)
{
	switch (rec->state) {
	case RECORD_CREATING:
	case RECORD_READY:
	case RECORD_RECYCLING:
		return true;
	case RECORD_TRASHED:
	case RECORD_ARCHIVED:
		return false;
	}
	return false;
}

static int index_insert(struct nfs_export *x, const char *directory, const char *pv)
{
	struct index_entry *e = map_gets(&x->index, directory);

	if (e) {
		if (!streq(e->pv, pv))
			e->volumes++;
		return 0;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->directory = strdup(directory);
	e->pv = strdup(pv);
	e->volumes = 1;
	if (e->directory && e->pv && map_add(&x->index, e) >= 0)
		return 0;
	entry_free(e);
	return -ENOMEM;
}

int export_index_add(struct nfs_export *x, const struct record *rec)
{
	int r = 0;

	if (!x->indexed && !x->indexing)
		return 0;
	if (record_is_live(rec))
		r = index_insert(x, rec->request.directory, rec->request.pv);
	else if (rec->state == RECORD_ARCHIVED && *rec->stored)
		r = index_insert(x, rec->stored, rec->request.pv);
	if (r < 0)
		export_index_clear(x);
	return r;
}

/* An entry of several volumes knows the name of one only: the index is built again when that one
 * goes, which happens to shared directories alone. */
void export_index_remove(struct nfs_export *x, const struct record *rec)
{
	struct index_entry *e = map_gets(&x->index, rec->request.directory);

	if (!e)
		return;
	if (e->volumes > 1) {
		export_index_clear(x);
	} else if (streq(e->pv, rec->request.pv)) {
		map_removes(&x->index, e->directory);
		entry_free(e);
	}
}

void export_index_clear(struct nfs_export *x)
{
	struct index_entry *e;

	MAP_FOREACH (&x->index, e)
		entry_free(e);
	map_done(&x->index);
	x->index = MAP_NULL(entry_key);
	x->indexed = false;
	x->index_lost = true;
}

void export_index_begin(struct nfs_export *x)
{
	export_index_clear(x);
	x->index_lost = false;
	x->indexing = true;
}

void export_index_end(struct nfs_export *x, bool complete)
{
	x->indexing = false;
	x->indexed = complete && !x->index_lost;
	if (!x->indexed)
		export_index_clear(x);
}

static bool lies_above(const char *above, const char *path)
{
	const char *rest = str_after(path, above);

	return rest && *rest == '/';
}

const char *export_index_conflict(
	const struct nfs_export *x, const char *directory, const char *pv, bool shared)
{
	const struct index_entry *e;

	MAP_FOREACH (&x->index, e) {
		bool same = streq(e->directory, directory);

		if (same && !shared && (e->volumes > 1 || !streq(e->pv, pv)))
			return e->pv;
		if (!same && !streq(e->pv, pv) &&
			(lies_above(e->directory, directory) ||
				lies_above(directory, e->directory)))
			return e->pv;
	}
	return NULL;
}

size_t export_index_others(const struct nfs_export *x, const char *directory, const char *pv)
{
	const struct index_entry *e = map_gets(&x->index, directory);

	if (!e)
		return 0;
	return e->volumes > 1 || !streq(e->pv, pv) ? e->volumes : 0;
}

bool export_index_has_top(const struct nfs_export *x, const char *name)
{
	const struct index_entry *e;

	if (map_gets(&x->index, name))
		return true;
	MAP_FOREACH (&x->index, e)
		if (lies_above(name, e->directory))
			return true;
	return false;
}
