/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c: worker processes by key, and the calls made to them */
#include "worker/pool.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "worker/frame.h"
#include "worker/lane.h"
#include "worker/process.h"

/* Processes one pool may have; a cluster uses a handful of servers. */
#define KEYS_MAX 256
/* A server's name and port. */
#define KEY_LENGTH_MAX 512
/* Request bodies that wait for one worker. */
#define WAITING_BYTES_MAX (16U << 20)

/* For options that are 0. */
#define DEFAULT_WINDOW 32
#define DEFAULT_QUEUE_MAX 4096
#define DEFAULT_IDLE SECONDS(60)
#define DEFAULT_START SECONDS(10)
#define DEFAULT_BACKOFF_MIN MILLISECONDS(100)
#define DEFAULT_BACKOFF_MAX SECONDS(30)

/* ---- the ends of calls --------------------------------------------------------------------- */

void call_detach(struct worker_call *c)
{
	list_remove(&c->link);
	list_remove(&c->deadline);
	if (c->place == CALL_WAITING) {
		c->lane->n_waiting--;
		c->lane->waiting_bytes -= c->size;
	} else if (c->place == CALL_INFLIGHT)
		c->lane->n_inflight--;
}

void call_end(struct worker_call *c, int r, const char *text)
{
	struct worker_pool *pool = c->lane->pool;

	call_detach(c);
	if (!c->fn) {
		free(c);
		return;
	}
	c->place = CALL_ENDED;
	c->r = r;
	str_copy_cut(c->body, CALL_TEXT_MAX, text);
	list_append(&pool->ended, &c->link);
	defer_arm(pool->deliver);
}

/* The callback may free the pool: false then. */
static bool call_run(
	struct worker_pool *pool, struct worker_call *c, const struct worker_reply *reply)
{
	bool gone = false;

	c->place = CALL_RUNNING;
	pool->gone = &gone;
	c->fn(c, reply, c->userdata);
	free(c);
	if (gone)
		return false;
	pool->gone = NULL;
	return true;
}

bool call_reply(struct worker_call *c, const struct worker_reply *reply)
{
	struct worker_pool *pool = c->lane->pool;

	call_detach(c);
	if (c->fn)
		return call_run(pool, c, reply);
	free(c);
	return true;
}

static void on_deliver(struct defer *d, void *userdata)
{
	struct worker_pool *pool = userdata;

	(void)d;
	while (!list_empty(&pool->ended)) {
		struct worker_call *c = LIST_FIRST(&pool->ended, struct worker_call, link);
		struct worker_reply reply = {.r = c->r, .text = c->body, .sent = c->sent};

		list_remove(&c->link);
		if (!call_run(pool, c, &reply))
			return;
	}
}

void worker_call_cancel(struct worker_call *c)
{
	if (!c)
		return;
	switch (c->place) {
	case CALL_WAITING:
		call_detach(c);
		free(c);
		break;
	case CALL_INFLIGHT:
		/* Keeps its place in the window and its deadline: the worker is still at it. */
		c->fn = NULL;
		break;
	case CALL_ENDED:
		list_remove(&c->link);
		free(c);
		break;
	case CALL_RUNNING:
		break;
	}
}

/* ---- the pool ------------------------------------------------------------------------------ */

static struct map_key lane_key(const void *value)
{
	return map_key_str(((const struct lane *)value)->key);
}

static void argv_free(const char *const *argv)
{
	for (size_t i = 0; argv && argv[i]; i++)
		free((char *)(uintptr_t)argv[i]);
	free((void *)(uintptr_t)argv);
}

static const char *const *argv_copy(const char *const *argv)
{
	const char **copy;
	size_t n = 0;

	while (argv[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = strdup(argv[i]);
		if (!copy[i]) {
			argv_free(copy);
			return NULL;
		}
	}
	return copy;
}

#define OR(value, fallback) ((value) ? (value) : (fallback))

static int pool_set_options(struct worker_pool *p, const struct worker_options *o)
{
	p->options = (struct worker_options){
		.window = OR(o->window, DEFAULT_WINDOW),
		.in_order = o->in_order,
		.queue_max = OR(o->queue_max, DEFAULT_QUEUE_MAX),
		.idle_ns = OR(o->idle_ns, DEFAULT_IDLE),
		.start_ns = OR(o->start_ns, DEFAULT_START),
		.backoff_min_ns = OR(o->backoff_min_ns, DEFAULT_BACKOFF_MIN),
		.backoff_max_ns = OR(o->backoff_max_ns, DEFAULT_BACKOFF_MAX),
	};
	p->options.spawner = o->spawner;
	p->options.spawner_userdata = o->spawner_userdata;
	if (o->spawner)
		return 0;
	p->options.program = strdup(o->program);
	p->options.argv = argv_copy(o->argv);
	return p->options.program && p->options.argv ? 0 : -ENOMEM;
}

int worker_pool_new(struct worker_pool **ret, struct loop *l, const struct worker_options *o)
{
	_cleanup_(worker_pool_freep) struct worker_pool *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->loop = l;
	p->lanes = MAP_NULL(lane_key);
	list_init(&p->processes);
	list_init(&p->ended);
	r = pool_set_options(p, o);
	if (r < 0)
		return r;
	r = defer_new(&p->deliver, l, on_deliver, p);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(p);
	return 0;
}

struct worker_pool *worker_pool_free(struct worker_pool *p)
{
	struct lane *lane;

	if (!p)
		return NULL;
	if (p->gone)
		*p->gone = true;
	/* Processes first: they count in their lanes. */
	process_free_all(&p->processes);
	MAP_FOREACH (&p->lanes, lane)
		lane_free(lane);
	map_done(&p->lanes);
	LIST_FOREACH (&p->ended, it) {
		list_remove(it);
		free(LIST_ENTRY(it, struct worker_call, link));
	}
	defer_free(p->deliver);
	argv_free(p->options.argv);
	free((char *)(uintptr_t)p->options.program);
	free(p);
	return NULL;
}

void worker_pool_ended(struct worker_pool *p, const char *key, pid_t pid, const struct err *why)
{
	process_end_external(&p->processes, key, pid, why);
}

void pool_drop(struct lane *lane)
{
	map_removes(&lane->pool->lanes, lane->key);
	lane_free(lane);
}

/* The key that has had nothing to do for the longest makes room. */
static int pool_make_room(struct worker_pool *p)
{
	struct lane *lane, *oldest = NULL;

	if (p->lanes.size < KEYS_MAX)
		return 0;
	MAP_FOREACH (&p->lanes, lane) {
		if (!lane_is_idle(lane) || lane->lingering > 0)
			continue;
		if (!oldest || lane->busy_at < oldest->busy_at)
			oldest = lane;
	}
	if (!oldest)
		return -ENOBUFS;
	lane_evict(oldest);
	return 0;
}

static int pool_get(struct worker_pool *p, const char *key, struct lane **ret)
{
	struct lane *lane = map_gets(&p->lanes, key);
	int r;

	if (lane) {
		*ret = lane;
		return 0;
	}
	r = pool_make_room(p);
	if (r < 0)
		return r;
	r = lane_new(&lane, p, key);
	if (r < 0)
		return r;
	r = map_add(&p->lanes, lane);
	if (r < 0) {
		lane_free(lane);
		return r;
	}
	*ret = lane;
	return 0;
}

static struct worker_call *call_new(const struct worker_request *q, worker_fn fn, void *userdata)
{
	size_t room = q->size > CALL_TEXT_MAX ? q->size : CALL_TEXT_MAX;
	struct worker_call *c = malloc(sizeof(*c) + room);
	uint64_t now = clock_now();

	if (!c)
		return NULL;
	*c = (struct worker_call){
		.fn = fn,
		.userdata = userdata,
		.kind = q->kind,
		.size = q->size,
		.deadline_at =
			q->deadline_ns > UINT64_MAX - now ? UINT64_MAX : now + q->deadline_ns,
	};
	if (q->size > 0)
		memcpy(c->body, q->body, q->size);
	return c;
}

int worker_call(struct worker_pool *p, const struct worker_request *q, worker_fn fn, void *userdata,
	struct worker_call **ret)
{
	struct worker_call *c;
	struct lane *lane;
	int r;

	if (strlen(q->key) > KEY_LENGTH_MAX)
		return -ENAMETOOLONG;
	if (q->size > FRAME_BODY_MAX || q->init_size > FRAME_BODY_MAX)
		return -EMSGSIZE;
	r = pool_get(p, q->key, &lane);
	if (r < 0)
		return r;
	if (lane->n_waiting >= p->options.queue_max ||
		q->size > WAITING_BYTES_MAX - lane->waiting_bytes)
		return -ENOBUFS;
	r = lane_set_init(lane, q->init, q->init_size);
	if (r < 0)
		return r;
	c = call_new(q, fn, userdata);
	if (!c)
		return -ENOMEM;
	if (ret)
		*ret = c;
	lane_add(lane, c);
	return 0;
}

/* ---- looking at it ------------------------------------------------------------------------- */

void worker_pool_stats(const struct worker_pool *p, struct worker_stats *ret)
{
	struct worker_stats s = {.started = p->started, .killed = p->killed, .failed = p->failed};
	struct lane *lane;

	MAP_FOREACH (&p->lanes, lane) {
		s.workers += lane->process ? 1 : 0;
		s.waiting += lane->n_waiting;
		s.inflight += lane->n_inflight;
	}
	*ret = s;
}

bool worker_pool_is_stuck(const struct worker_pool *p, const char *key)
{
	const struct lane *lane = map_gets(&p->lanes, key);

	return lane && lane->lingering > 0;
}

void worker_pool_each(const struct worker_pool *p,
	void (*fn)(const char *key, const char *state, size_t waiting, void *userdata),
	void *userdata)
{
	struct lane *lane;

	MAP_FOREACH (&p->lanes, lane)
		fn(lane->key, lane_table.states[lane->state], lane->n_waiting, userdata);
}
