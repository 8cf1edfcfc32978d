/* SPDX-License-Identifier: Apache-2.0 */
/* fsgroup.c: trees that are getting a group, slice by slice, and who waits for one of them */
#include "agent/fsgroup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "nfs/nfs.h"

struct waiter {
	fsgroup_fn fn;
	void *userdata;
};

struct tree {
	struct fsgroup *f;
	char *key; /* the way to it: one group at a time */
	char *server, *export_, *identity, *directory;
	struct volume_place place;
	gid_t group;
	uint64_t began, changed;
	struct waiter waiters[FSGROUP_WAITERS_MAX];
	size_t n_waiters;
};

struct fsgroup {
	struct volume_backend *backend;
	struct map trees;
};

static struct map_key key_of(const void *value)
{
	return map_key_str(((const struct tree *)value)->key);
}

static void tree_free(struct tree *t)
{
	free(t->key);
	free(t->server);
	free(t->export_);
	free(t->identity);
	free(t->directory);
	free(t);
}

static char *make_key(const struct volume_attributes *a)
{
	const struct volume_place *p = &a->place;
	char *key;

	if (asprintf(&key, "%s %u %u %d %d %u:%u %s %s %s", p->server, p->nfs_port, p->mount_port,
		    p->version, p->act_as_set, p->act_uid, p->act_gid, str_or(p->identity, "-"),
		    p->export_, a->directory) < 0)
		return NULL;
	return key;
}

/* What the request says lives for the request; slices go on after it. */
static struct tree *tree_new(struct fsgroup *f, const struct volume_attributes *a, gid_t group)
{
	struct tree *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->f = f;
	t->group = group;
	t->began = clock_now();
	t->place = a->place;
	t->key = make_key(a);
	if (str_replace(&t->server, a->place.server) < 0 ||
		str_replace(&t->export_, a->place.export_) < 0 ||
		str_replace(&t->identity, a->place.identity) < 0 ||
		str_replace(&t->directory, a->directory) < 0 || !t->key ||
		map_add(&f->trees, t) < 0) {
		tree_free(t);
		return NULL;
	}
	t->place.server = t->server;
	t->place.export_ = t->export_;
	t->place.identity = t->identity;
	return t;
}

/* Everybody who waits hears how the slice ended. */
static void tell(struct tree *t, const struct err *e)
{
	struct waiter waiters[FSGROUP_WAITERS_MAX];
	size_t n = t->n_waiters;

	memcpy(waiters, t->waiters, sizeof(waiters));
	t->n_waiters = 0;
	for (size_t i = 0; i < n; i++)
		waiters[i].fn(e, waiters[i].userdata);
}

static void finish(struct tree *t, const struct err *e)
{
	map_removes(&t->f->trees, t->key);
	if (e->code == 0 && t->changed > 0)
		log_info("%s:%s: %s has group %u: %llu entries changed in %.1f s", t->server,
			t->export_, *t->directory ? t->directory : "/", t->group,
			(unsigned long long)t->changed,
			(double)(clock_now() - t->began) / (double)NSEC_PER_SEC);
	tell(t, e);
	tree_free(t);
}

static int ask(struct tree *t);

static void on_slice(const struct volume_result *res, void *userdata)
{
	struct tree *t = userdata;
	struct err e = res->err;
	int r;

	/* It counts from the beginning of the walk; a worker that was started anew begins anew. */
	t->changed = res->removed;
	if (e.code == 0 && *res->text)
		log_warning("%s:%s: %s: %s", t->server, t->export_, t->directory, res->text);
	if (e.code || !(res->flags & RESULT_MORE)) {
		finish(t, &e);
		return;
	}
	r = ask(t);
	if (r < 0) {
		err_sys(&e, r, "cannot go on with %s", t->directory);
		finish(t, &e);
		return;
	}
	err_set(&e, EINPROGRESS, "%s is getting the group: %llu entries changed so far",
		*t->directory ? t->directory : t->export_, (unsigned long long)t->changed);
	tell(t, &e);
}

static int ask(struct tree *t)
{
	return nfs_backend_regroup(t->f->backend, &t->place, t->directory, t->group, on_slice, t);
}

static int wait_for(struct tree *t, fsgroup_fn fn, void *userdata, struct err *e)
{
	if (t->n_waiters == FSGROUP_WAITERS_MAX)
		return err_set(e, EBUSY, "%d calls wait for %s already", FSGROUP_WAITERS_MAX,
			t->directory);
	t->waiters[t->n_waiters++] = (struct waiter){fn, userdata};
	return 0;
}

int fsgroup_apply(struct fsgroup *f, const struct volume_attributes *a, gid_t group, fsgroup_fn fn,
	void *userdata, struct err *e)
{
	_cleanup_free_ char *key = make_key(a);
	struct tree *t = key ? map_gets(&f->trees, key) : NULL;
	int r;

	if (!key)
		return err_set(e, ENOMEM, "out of memory");
	if (t && t->group != group)
		return err_set(e, EBUSY, "%s is getting group %u, of another pod, first",
			*t->directory ? t->directory : t->export_, t->group);
	if (t)
		return wait_for(t, fn, userdata, e);
	if (f->trees.size >= FSGROUP_MAX)
		return err_set(e, EBUSY, "%d other volumes are getting their groups", FSGROUP_MAX);
	t = tree_new(f, a, group);
	if (!t)
		return err_set(e, ENOMEM, "out of memory");
	r = ask(t);
	if (r >= 0)
		return wait_for(t, fn, userdata, e);
	map_removes(&f->trees, t->key);
	tree_free(t);
	return err_sys(e, r, "cannot ask for the group of %s", a->directory);
}

int fsgroup_new(struct fsgroup **ret, struct volume_backend *backend)
{
	struct fsgroup *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->backend = backend;
	f->trees = MAP_NULL(key_of);
	*ret = f;
	return 0;
}

struct fsgroup *fsgroup_free(struct fsgroup *f)
{
	struct tree *t;

	if (!f)
		return NULL;
	MAP_FOREACH (&f->trees, t) {
		map_removes(&f->trees, t->key);
		tree_free(t);
	}
	map_done(&f->trees);
	free(f);
	return NULL;
}
