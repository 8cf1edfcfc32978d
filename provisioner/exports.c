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
	struct exports *s;
	struct map trees; /* by name, each once */
	struct list ready;
	struct turn job;
	struct delay pause;
	struct tree *current;      /* being sliced; not in ready */
	struct volume_place place; /* texts point behind key */
	char *server, *path;
	char key[];
};

struct exports {
	struct provisioner *p;
	struct map by_key;
	struct queue *queue;
	size_t trees;
};

static void on_turn(struct turn *t, void *userdata);
static void on_pause(struct delay *d, void *userdata);
static void on_due(struct delay *d, void *userdata);

static struct map_key key_of_export(const void *value)
{
	return map_key_str(((const struct export *)value)->key);
}

static struct map_key key_of_tree(const void *value)
{
	return map_key_str(((const struct tree *)value)->name);
}

static struct export *export_free(struct export *x)
{
	struct tree *t;

	if (!x)
		return NULL;
	delay_stop(x->s->p->delays, &x->pause);
	MAP_FOREACH (&x->trees, t) {
		delay_stop(x->s->p->delays, &t->delay);
		free(t);
	}
	map_done(&x->trees);
	free(x->server);
	free(x->path);
	free(x);
	return NULL;
}
DEFINE_CLEANUP(struct export *, export_free)

static struct export *export_get(struct exports *s, const struct volume_place *place)
{
	char key[KEY_MAX];
	_cleanup_(export_freep) struct export *x = NULL;
	struct export *found;

	if (str_format(key, sizeof(key), "%s:%s", place->server, place->export_) < 0)
		return NULL;
	found = map_gets(&s->by_key, key);
	if (found)
		return found;
	x = calloc(1, sizeof(*x) + strlen(key) + 1);
	if (!x)
		return NULL;
	memcpy(x->key, key, strlen(key) + 1);
	x->s = s;
	x->trees = MAP_NULL(key_of_tree);
	list_init(&x->ready);
	x->job = (struct turn){.taken = on_turn, .userdata = x};
	x->pause = (struct delay){.due = on_pause, .userdata = x};
	x->server = strdup(place->server);
	x->path = strdup(place->export_);
	if (!x->server || !x->path)
		return NULL;
	x->place = *place;
	x->place.server = x->server;
	x->place.export_ = x->path;
	/* The identity is checked by whoever renames; here only what lies in the trash counts. */
	x->place.identity = NULL;
	if (map_add(&s->by_key, x) < 0)
		return NULL;
	return TAKE_PTR(x);
}

static void pump(struct export *x)
{
	if (!turn_idle(&x->job) || delay_waits(&x->pause) || (!x->current && list_empty(&x->ready)))
		return;
	if (queue_add(x->s->queue, &x->job, x->server, x->path) < 0)
		log_warning("out of memory: the trash of %s waits for the next scan", x->key);
}

static void rest(struct export *x, uint64_t ns)
{
	if (delay_start(x->s->p->delays, &x->pause, ns) < 0)
		log_warning("out of memory: the trash of %s waits for the next scan", x->key);
}

static void tree_done(struct tree *t)
{
	struct export *x = t->export;

	list_remove(&t->link);
	delay_stop(x->s->p->delays, &t->delay);
	if (x->current == t)
		x->current = NULL;
	map_removes(&x->trees, t->name);
	x->s->trees--;
	free(t);
}

static void on_slice(const struct volume_result *res, void *userdata)
{
	struct export *x = userdata;
	struct provisioner *p = x->s->p;
	bool silent = res->err.code == ETIMEDOUT || errno_is_disconnect(res->err.code);
	uint64_t wait = 0;

	stats_count(p->stats, "berth_purged_entries_total",
		"Files and directories removed from trash.", (double)res->removed);
	queue_done(x->s->queue, &x->job, silent ? JOB_SILENT : JOB_ANSWERED);
	if (res->err.code && !silent) {
		log_warning(
			"%s: cannot remove trash %s: %s", x->key, x->current->name, res->err.text);
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
		rest(x, wait);
	else
		pump(x);
	provisioner_settled(p);
}

static void on_turn(struct turn *t, void *userdata)
{
	struct export *x = userdata;
	struct provisioner *p = x->s->p;

	(void)t;
	if (!x->current) {
		x->current = LIST_FIRST(&x->ready, struct tree, link);
		list_remove(&x->current->link);
	}
	if (provisioner_may_act(p) &&
		p->nfs->ops->purge(p->nfs, &x->place, x->current->name, on_slice, x) >= 0)
		return;
	queue_done(x->s->queue, &x->job, JOB_DONE);
	rest(x, FAILED_PAUSE);
}

static void on_pause(struct delay *d, void *userdata)
{
	(void)d;
	pump(userdata);
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
	struct provisioner *p = t->export->s->p;
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

static void on_due(struct delay *d, void *userdata)
{
	struct tree *t = userdata;
	uint64_t wait = held_for(t);

	(void)d;
	if (wait && delay_start(t->export->s->p->delays, &t->delay, wait) >= 0)
		return;
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
	x->s->trees++;
	if (wait == 0)
		on_due(&t->delay, t);
	else if (delay_start(x->s->p->delays, &t->delay, wait) < 0)
		tree_done(t); /* never before its time: the next scan finds it */
}

void exports_trashed(struct exports *s, const struct facts *f, const char *name)
{
	const struct volume_place place = facts_place(f);
	struct export *x = export_get(s, &place);

	if (x)
		tree_add(x, name, f->trash_ttl);
}

void exports_found_trash(struct exports *s, const struct volume_place *place, const char *name,
	uint64_t at, uint64_t ttl)
{
	struct export *x = export_get(s, place);
	uint64_t now = clock_real();

	if (x)
		tree_add(x, name, at + ttl > now ? at + ttl - now : 0);
}

int exports_spare(struct exports *s, const struct volume_place *place, const char *name)
{
	char key[KEY_MAX];
	struct export *x = NULL;
	struct tree *t;

	if (str_format(key, sizeof(key), "%s:%s", place->server, place->export_) >= 0)
		x = map_gets(&s->by_key, key);
	t = x ? map_gets(&x->trees, name) : NULL;
	if (!t)
		return 0;
	if (!delay_waits(&t->delay))
		return -EBUSY;
	tree_done(t);
	return 0;
}

void exports_pause(struct exports *s, bool paused)
{
	queue_pause(s->queue, paused);
}

size_t exports_waiting(const struct exports *s)
{
	return s->trees;
}

size_t exports_running(const struct exports *s)
{
	return queue_running(s->queue);
}

int exports_new(struct exports **ret, struct provisioner *p)
{
	_cleanup_(exports_freep) struct exports *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->p = p;
	s->by_key = MAP_NULL(key_of_export);
	r = queue_new(&s->queue, p->loop, RUNNING_MAX, 1);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct exports *exports_free(struct exports *s)
{
	struct export *x;

	if (!s)
		return NULL;
	MAP_FOREACH (&s->by_key, x) {
		export_free(x);
	}
	map_done(&s->by_key);
	queue_free(s->queue);
	free(s);
	return NULL;
}
