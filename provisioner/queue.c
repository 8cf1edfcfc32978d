/* SPDX-License-Identifier: Apache-2.0 */
/* queue.c: lanes for servers, flows within them, and whose turn is next */
#include "provisioner/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"

/* A silent server is asked again after 1 s, then ever more rarely: its return is noticed within the
 * longest pause. */
#define PROBE_MIN SECONDS(1)
#define PROBE_MAX SECONDS(15)

struct queue_flow {
	struct list link;    /* in the lane's flows while something waits */
	struct list waiting; /* turns */
	struct lane *lane;
	size_t refs; /* waiting or running */
	char name[];
};

struct lane {
	struct list link; /* in the queue's ready lanes while something waits */
	struct list flows;
	struct map by_name;
	struct queue *q;
	struct timer *probe; /* armed while silent and no probe runs */
	struct backoff pause;
	size_t waiting, running;
	bool silent;
	char name[];
};

struct queue {
	struct loop *loop;
	struct defer *defer;
	struct map lanes;
	struct list ready;
	size_t waiting, running;
	unsigned max, max_lane;
	bool paused;
};

static struct map_key key_of_lane(const void *value)
{
	return map_key_str(((const struct lane *)value)->name);
}

static struct map_key key_of_flow(const void *value)
{
	return map_key_str(((const struct queue_flow *)value)->name);
}

static bool lane_has_room(const struct lane *l)
{
	if (l->silent)
		return l->running == 0 && !timer_armed(l->probe);
	return l->running < l->q->max_lane;
}

static void wake(struct queue *q)
{
	if (!q->paused && q->waiting > 0 && q->running < q->max)
		defer_arm(q->defer);
}

static struct turn *lane_pop(struct lane *l)
{
	struct queue_flow *f = LIST_FIRST(&l->flows, struct queue_flow, link);
	struct turn *t = LIST_FIRST(&f->waiting, struct turn, link);

	list_remove(&t->link);
	list_remove(&f->link);
	if (!list_empty(&f->waiting))
		list_append(&l->flows, &f->link);
	l->waiting--;
	l->q->waiting--;
	return t;
}

static void lane_run(struct lane *l)
{
	struct turn *t = lane_pop(l);

	t->running = true;
	l->running++;
	l->q->running++;
	t->taken(t, t->userdata);
}

/* One turn for each lane that may have one; true if any had. */
static bool run_round(struct queue *q)
{
	struct list round = LIST_INIT(round);
	bool any = false;

	while (!list_empty(&q->ready)) {
		struct list *first = q->ready.next;

		list_remove(first);
		list_append(&round, first);
	}
	while (!list_empty(&round)) {
		struct lane *l = LIST_FIRST(&round, struct lane, link);

		list_remove(&l->link);
		if (l->waiting == 0)
			continue;
		list_append(&q->ready, &l->link);
		if (q->paused || q->running >= q->max || !lane_has_room(l))
			continue;
		any = true;
		lane_run(l);
	}
	return any;
}

static void on_defer(struct defer *d, void *userdata)
{
	struct queue *q = userdata;

	(void)d;
	while (run_round(q))
		;
}

static void on_probe(struct timer *t, void *userdata)
{
	struct lane *l = userdata;

	(void)t;
	wake(l->q);
}

int queue_new(struct queue **ret, struct loop *l, unsigned max, unsigned max_lane)
{
	_cleanup_(queue_freep) struct queue *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->loop = l;
	q->lanes = MAP_NULL(key_of_lane);
	list_init(&q->ready);
	q->max = max;
	q->max_lane = max_lane;
	r = defer_new(&q->defer, l, on_defer, q);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(q);
	return 0;
}

static void lane_free(struct lane *l)
{
	struct queue_flow *f;

	list_remove(&l->link);
	MAP_FOREACH (&l->by_name, f) {
		free(f);
	}
	map_done(&l->by_name);
	timer_free(l->probe);
	free(l);
}

struct queue *queue_free(struct queue *q)
{
	struct lane *l;

	if (!q)
		return NULL;
	MAP_FOREACH (&q->lanes, l) {
		lane_free(l);
	}
	map_done(&q->lanes);
	defer_free(q->defer);
	free(q);
	return NULL;
}

void queue_set_limits(struct queue *q, unsigned max, unsigned max_lane)
{
	q->max = max;
	q->max_lane = max_lane;
	wake(q);
}

void queue_pause(struct queue *q, bool paused)
{
	q->paused = paused;
	wake(q);
}

static int lane_get(struct queue *q, const char *name, struct lane **ret)
{
	size_t size = strlen(name) + 1;
	struct lane *l = map_gets(&q->lanes, name);
	int r;

	if (!l) {
		l = calloc(1, sizeof(*l) + size);
		if (!l)
			return -ENOMEM;
		memcpy(l->name, name, size);
		l->q = q;
		l->by_name = MAP_NULL(key_of_flow);
		l->pause = (struct backoff){.min = PROBE_MIN, .max = PROBE_MAX};
		list_init(&l->flows);
		r = timer_new_lazy(&l->probe, q->loop, MILLISECONDS(20), on_probe, l);
		if (r >= 0)
			r = map_add(&q->lanes, l);
		if (r < 0) {
			lane_free(l);
			return r;
		}
	}
	*ret = l;
	return 0;
}

static int flow_get(struct lane *l, const char *name, struct queue_flow **ret)
{
	size_t size = strlen(name) + 1;
	struct queue_flow *f = map_gets(&l->by_name, name);

	if (!f) {
		f = calloc(1, sizeof(*f) + size);
		if (!f)
			return -ENOMEM;
		memcpy(f->name, name, size);
		f->lane = l;
		list_init(&f->waiting);
		if (map_add(&l->by_name, f) < 0) {
			free(f);
			return -ENOMEM;
		}
	}
	*ret = f;
	return 0;
}

/* A lane that nobody uses goes, unless it still remembers that its server is silent. */
static void drop_unused(struct queue_flow *f)
{
	struct lane *l = f->lane;

	if (f->refs > 0)
		return;
	list_remove(&f->link);
	map_removes(&l->by_name, f->name);
	free(f);
	if (l->by_name.size > 0 || l->silent)
		return;
	map_removes(&l->q->lanes, l->name);
	lane_free(l);
}

int queue_add(struct queue *q, struct turn *t, const char *lane, const char *flow)
{
	struct lane *l;
	struct queue_flow *f;
	int r = lane_get(q, lane, &l);

	if (r >= 0)
		r = flow_get(l, flow, &f);
	if (r < 0)
		return r;
	f->refs++;
	t->flow = f;
	t->running = false;
	if (list_empty(&f->waiting)) {
		list_remove(&f->link);
		list_append(&l->flows, &f->link);
	}
	list_append(&f->waiting, &t->link);
	if (l->waiting++ == 0) {
		list_remove(&l->link);
		list_append(&q->ready, &l->link);
	}
	q->waiting++;
	wake(q);
	return 0;
}

static void leave(struct queue *q, struct turn *t)
{
	struct queue_flow *f = t->flow;
	struct lane *l = f->lane;

	if (t->running) {
		l->running--;
		q->running--;
	} else {
		list_remove(&t->link);
		if (list_empty(&f->waiting))
			list_remove(&f->link);
		q->waiting--;
		if (--l->waiting == 0)
			list_remove(&l->link);
	}
	t->flow = NULL;
	t->running = false;
	f->refs--;
	drop_unused(f);
}

void queue_remove(struct queue *q, struct turn *t)
{
	if (turn_idle(t))
		return;
	leave(q, t);
	wake(q);
}

void queue_done(struct queue *q, struct turn *t, enum job_outcome outcome)
{
	struct lane *l = t->flow ? t->flow->lane : NULL;

	if (l && outcome == JOB_SILENT) {
		if (!l->silent || l->running == 1)
			timer_arm(l->probe, backoff_next(&l->pause));
		l->silent = true;
	} else if (l && outcome == JOB_ANSWERED) {
		l->silent = false;
		backoff_reset(&l->pause);
		timer_disarm(l->probe);
	}
	queue_remove(q, t);
}

bool queue_lane_is(const struct turn *t, const char *lane)
{
	return t->flow && streq(t->flow->lane->name, lane);
}

size_t queue_running(const struct queue *q)
{
	return q->running;
}

size_t queue_waiting(const struct queue *q)
{
	return q->waiting;
}

void queue_each(const struct queue *q,
	void (*fn)(const char *lane, size_t waiting, size_t running, int silent, void *userdata),
	void *userdata)
{
	struct lane *l;

	MAP_FOREACH (&q->lanes, l) {
		fn(l->name, l->waiting, l->running, l->silent, userdata);
	}
}
