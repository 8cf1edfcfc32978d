/* SPDX-License-Identifier: Apache-2.0 */
/* exports.c: the trash of each export, and purging it in slices */
#include "provisioner/exports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "provisioner/jobs.h"
#include "provisioner/mounted.h"
#include "provisioner/provisioner.h"
#include "provisioner/works.h"
#include "volume/record.h"

/* Slices that run at once, each on a server of its own. */
#define RUNNING_MAX 16
/* After a failure of a purge, and between slices while claims are being served. */
#define FAILED_PAUSE SECONDS(30)
#define POLITE_PAUSE MILLISECONDS(20)
#define KEY_MAX (VOLUME_EXPORT_MAX + 300)

/* One tree in the trash. */
struct tree {
	struct list link; /* in its export's ready list */
	struct delay delay;
	struct export *export;
	char name[];
};

struct export
{
	struct job job; /* by its server and path */
	struct provisioner *p;
	struct map trees; /* by name, each once */
	struct list ready;
	struct tree *current;      /* being sliced; not in ready */
	struct volume_place place; /* texts are the two below */
	char *server, *path;
};

static void on_due(struct delay *d, void *userdata);

static struct map_key key_of_tree(const void *value)
{
	return map_key_str(((const struct tree *)value)->name);
}

static void export_gone(void *obj)
{
	struct export *x = obj;
	struct tree *t;

	MAP_FOREACH (&x->trees, t) {
		delay_stop(x->p->delays, &t->delay);
		free(t);
	}
	map_done(&x->trees);
	free(x->server);
	free(x->path);
}

static int export_key(char key[static KEY_MAX], const struct volume_place *place)
{
	return str_format(key, KEY_MAX, "%s:%s", place->server, place->export_);
}

static struct export *export_get(struct provisioner *p, const struct volume_place *place)
{
	char key[KEY_MAX];
	struct export *x;

	if (export_key(key, place) < 0)
		return NULL;
	x = map_gets(&p->exports->by_name, key);
	if (x)
		return x;
	x = jobs_add(p->exports, key);
	if (!x)
		return NULL;
	x->p = p;
	x->trees = MAP_NULL(key_of_tree);
	list_init(&x->ready);
	x->server = strdup(place->server);
	x->path = strdup(place->export_);
	if (!x->server || !x->path) {
		job_drop(&x->job);
		return NULL;
	}
	x->place = *place;
	x->place.server = x->server;
	x->place.export_ = x->path;
	/* The identity is checked by whoever renames; here only what lies in the trash counts. */
	x->place.identity = NULL;
	return x;
}

/* A slice, where there is something to remove and neither a slice nor a pause is on. */
static void pump(void *obj)
{
	struct export *x = obj;

	if (job_is_idle(&x->job) && (x->current || !list_empty(&x->ready)))
		job_queue(&x->job, x->server, x->path);
}

static void tree_done(struct tree *t)
{
	struct export *x = t->export;

	list_remove(&t->link);
	delay_stop(x->p->delays, &t->delay);
	if (x->current == t)
		x->current = NULL;
	map_removes(&x->trees, t->name);
	free(t);
}

static void on_slice(const struct volume_result *res, void *userdata)
{
	struct export *x = userdata;
	struct provisioner *p = x->p;
	bool silent = res->err.code == ETIMEDOUT || errno_is_disconnect(res->err.code);
	uint64_t wait = 0;

	stats_count(p->stats, "berth_purged_entries_total",
		"Files and directories removed from trash.", (double)res->removed);
	job_done(&x->job, silent ? JOB_SILENT : JOB_ANSWERED);
	if (res->err.code && !silent) {
		log_warning("%s: cannot remove trash %s: %s", x->job.name, x->current->name,
			res->err.text);
		/* Behind the others: one tree that cannot be removed holds up none. */
		list_append(&x->ready, &x->current->link);
		x->current = NULL;
		wait = FAILED_PAUSE;
	} else if (!res->err.code && !(res->flags & RESULT_MORE)) {
		tree_done(x->current);
	} else if (!res->err.code && works_count(p->works).running > 0) {
		wait = POLITE_PAUSE;
	}
	if (wait)
		job_later(&x->job, wait);
	else
		pump(x);
}

static void export_turn(void *obj)
{
	struct export *x = obj;
	struct provisioner *p = x->p;

	if (!x->current) {
		x->current = LIST_FIRST(&x->ready, struct tree, link);
		list_remove(&x->current->link);
	}
	if (!provisioner_may_act(p) ||
		p->nfs->ops->purge(p->nfs, &x->place, x->current->name, on_slice, x) < 0)
		job_later(&x->job, FAILED_PAUSE);
}

/* A volume that lives on was recycled, and had to be free before. */
static bool lives_on(const struct provisioner *p, const char *pv)
{
	const struct object *o = informer_get(p->volumes, "", pv);

	return o && (pv_of(o)->phase == PV_BOUND || pv_of(o)->phase == PV_AVAILABLE);
}

/* How long to wait before it may be purged: a node may have it mounted (mounted.h), 0 for not at
 * all. */
static uint64_t held_for(const struct tree *t)
{
	struct provisioner *p = t->export->p;
	uint64_t at, now = clock_real(), since;
	char pv[PATH_COMPONENT_MAX + 1];
	struct mounted_result res;

	if (!trash_name_parse(t->name, pv, &at))
		return 0;
	since = now > at ? now - at : 0;
	if (since >= MOUNTED_MAX || lives_on(p, pv))
		return 0;
	mounted_look(p->mounted, pv, since, &res);
	return res.answer == MOUNTED_NOWHERE   ? 0
	       : res.answer == MOUNTED_UNKNOWN ? MILLISECONDS(500)
					       : MOUNTED_LOOK;
}

/* Never before its time: without memory the next scan finds it. */
static void tree_later(struct tree *t, uint64_t wait)
{
	if (delay_start(t->export->p->delays, &t->delay, wait) < 0)
		tree_done(t);
}

static void on_due(struct delay *d, void *userdata)
{
	struct tree *t = userdata;
	uint64_t wait = held_for(t);

	(void)d;
	if (wait) {
		tree_later(t, wait);
		return;
	}
	list_append(&t->export->ready, &t->link);
	pump(t->export);
}

static void tree_add(struct export *x, const char *name, uint64_t wait)
{
	size_t size = strlen(name) + 1;
	struct tree *t = map_gets(&x->trees, name);

	if (t)
		return;
	t = calloc(1, sizeof(*t) + size);
	if (!t)
		return;
	memcpy(t->name, name, size);
	t->export = x;
	t->delay = (struct delay){.due = on_due, .userdata = t};
	if (map_add(&x->trees, t) < 0) {
		free(t);
		return;
	}
	if (wait == 0)
		on_due(&t->delay, t);
	else
		tree_later(t, wait);
}

void exports_trashed(struct provisioner *p, const struct facts *f, const char *name)
{
	const struct volume_place place = facts_place(f);
	struct export *x = export_get(p, &place);

	if (x)
		tree_add(x, name, f->trash_ttl);
}

void exports_found_trash(struct provisioner *p, const struct volume_place *place, const char *name,
	uint64_t at, uint64_t ttl)
{
	struct export *x = export_get(p, place);
	uint64_t now = clock_real();

	if (x)
		tree_add(x, name, at + ttl > now ? at + ttl - now : 0);
}

int exports_spare(struct provisioner *p, const struct volume_place *place, const char *name)
{
	char key[KEY_MAX];
	struct export *x = export_key(key, place) < 0 ? NULL : map_gets(&p->exports->by_name, key);
	struct tree *t = x ? map_gets(&x->trees, name) : NULL;

	if (!t)
		return 0;
	if (!delay_waits(&t->delay))
		return -EBUSY;
	tree_done(t);
	return 0;
}

size_t exports_waiting(const struct provisioner *p)
{
	const struct export *x;
	size_t n = 0;

	MAP_FOREACH (&p->exports->by_name, x) {
		n += x->trees.size;
	}
	return n;
}

int exports_new(struct jobs **ret, struct provisioner *p)
{
	static const struct job_kind kind = {
		.size = sizeof(struct export),
		.turn = export_turn,
		.due = pump,
		.gone = export_gone,
		.what = "the trash of",
		.until = "the next scan",
	};

	return jobs_new(ret, p, &kind, RUNNING_MAX, 1);
}
