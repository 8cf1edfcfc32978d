/* SPDX-License-Identifier: Apache-2.0 */
/* lane.c: one key of a pool: its worker, its queue, its state */
#include "worker/lane.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "worker/frame.h"
#include "worker/process.h"

/* Killed workers that the kernel cannot end (uninterruptible sleep): no more are started then. */
#define LINGERING_MAX 4
/* The same where a spawner starts them, which knows a process by its key alone. */
#define LINGERING_MAX_EXTERNAL 1
/* How soon a request is offered again that memory was too short for. */
#define WRITE_RETRY MILLISECONDS(50)
/* What a worker may say about its failed start; the rest is for its own log. */
#define WHY_MAX 400
/* The lowest -errno there is (linux/err.h); a worker that says less is lying. */
#define RESULT_MIN (-4095)
#define SECONDS_OF(ns) ((double)(ns) / (double)NSEC_PER_SEC)

static int lane_start(void *obj);
static int lane_up(void *obj);
static int lane_pump(void *obj);
static int lane_back_off(void *obj);
static int lane_end(void *obj);

static const char *const states[_LANE_STATE_MAX] = {
	[LANE_NONE] = "none",
	[LANE_STARTING] = "starting",
	[LANE_READY] = "ready",
	[LANE_BACKOFF] = "backoff",
};
static const char *const events[_LANE_EVENT_MAX] = {
	[LANE_CALL] = "call",
	[LANE_UP] = "up",
	[LANE_LOST] = "lost",
	[LANE_IDLE] = "idle",
	[LANE_RETRY] = "retry",
	[LANE_REST] = "rest",
};
static const struct sm_edge edges[] = {
	{LANE_NONE, LANE_CALL, LANE_STARTING, lane_start},
	{LANE_STARTING, LANE_CALL, LANE_STARTING, NULL},
	{LANE_STARTING, LANE_UP, LANE_READY, lane_up},
	{LANE_STARTING, LANE_LOST, LANE_BACKOFF, lane_back_off},
	{LANE_READY, LANE_CALL, LANE_READY, lane_pump},
	{LANE_READY, LANE_LOST, LANE_BACKOFF, lane_back_off},
	{LANE_READY, LANE_IDLE, LANE_NONE, lane_end},
	{LANE_BACKOFF, LANE_CALL, LANE_BACKOFF, NULL},
	{LANE_BACKOFF, LANE_RETRY, LANE_STARTING, lane_start},
	{LANE_BACKOFF, LANE_REST, LANE_NONE, NULL},
};
const struct sm_table lane_table = {
	.name = "worker",
	.states = states,
	.events = events,
	.edges = edges,
	.n_edges = ELEMENTSOF(edges),
};

static void lane_fire(struct lane *lane, enum lane_event event)
{
	/* Every action returns 0, and no caller fires what its state has no edge for. */
	(void)sm_fire(&lane_table, &lane->state, (uint8_t)event, lane);
}

/* An orderly worker did not come to these: they are the first for the next one, in their order. */
static void lane_take_back(struct lane *lane)
{
	struct list *first = lane->waiting.next;

	LIST_FOREACH (&lane->inflight, it) {
		struct worker_call *c = LIST_ENTRY(it, struct worker_call, link);

		if (!c->fn) {
			call_detach(c);
			free(c);
			continue;
		}
		list_remove(it);
		/* To append to the list that begins with first is to insert before it. */
		list_append(first, it);
		c->place = CALL_WAITING;
		lane->n_inflight--;
		lane->n_waiting++;
		lane->waiting_bytes += c->size;
	}
}

/*
 * The worker is no more, or must not be. Requests that are with it end now, their outcome is
 * unknown: all of them, or the oldest where it serves them in order. Those that wait stay.
 */
static void lane_lose(struct lane *lane, const struct err *why)
{
	bool alive = lane->process && process_kill(TAKE_PTR(lane->process));

	log_debug("worker for %s: %s", lane->key, why->text);
	if (lane->state == LANE_STARTING) {
		lane->pool->failed++;
		lane->why = *why;
	} else if (alive)
		lane->pool->killed++;
	LIST_FOREACH (&lane->inflight, it) {
		call_end(LIST_ENTRY(it, struct worker_call, link), -ECONNRESET, why->text);
		if (lane->pool->options.in_order)
			break;
	}
	lane_take_back(lane);
	lane_fire(lane, LANE_LOST);
}

static int lane_back_off(void *obj)
{
	struct lane *lane = obj;

	timer_arm(lane->timer, backoff_next(&lane->backoff));
	return 0;
}

/* ---- starting ------------------------------------------------------------------------------ */

static int lane_on_init_reply(
	struct lane *lane, const struct frame_header *h, const char *body, struct err *e)
{
	char said[WHY_MAX], text[WHY_MAX];
	size_t n = h->size < sizeof(said) - 1 ? h->size : sizeof(said) - 1;

	if (h->id == 0 && h->kind == PROCESS_KIND_EXEC && h->result < 0)
		return err_sys(e, h->result, "cannot run %s",
			str_or(lane->pool->options.program, "the worker"));
	if (h->id != 0 || h->kind != 0)
		return err_set(e, EPROTO, "worker began with a frame that is not its ready reply");
	if (h->result >= 0) {
		lane_fire(lane, LANE_UP);
		return 0;
	}
	memcpy(said, body, n);
	said[n] = '\0';
	if (n == 0)
		return err_sys(e, h->result, "worker could not start");
	return err_set(e, h->result, "%s", str_escape(text, sizeof(text), said));
}

static void on_start_deadline(struct lane *lane)
{
	struct err why = ERR_NULL;

	err_set(&why, ETIMEDOUT, "worker was not ready within %.1f s",
		SECONDS_OF(lane->pool->options.start_ns));
	lane_lose(lane, &why);
}

static int lane_up(void *obj)
{
	struct lane *lane = obj;

	timer_disarm(lane->timer);
	err_clear(&lane->why);
	lane->busy_at = clock_now();
	return lane_pump(lane);
}

/* ---- running ------------------------------------------------------------------------------- */

/* Sends one request; false where the rest has to wait. */
static bool lane_send(struct lane *lane, struct worker_call *c)
{
	struct frame_header h = {
		.size = (uint32_t)c->size, .id = lane->last_id + 1, .kind = c->kind};
	int r;

	/* 0 is the init frame's. */
	if (h.id == 0)
		h.id = 1;
	r = process_write(lane->process, &h, c->body);
	if (r == -ENOMEM)
		timer_arm(lane->timer, WRITE_RETRY);
	if (r < 0)
		return false;
	c->id = lane->last_id = h.id;
	c->place = CALL_INFLIGHT;
	c->sent = true;
	list_remove(&c->link);
	list_append(&lane->inflight, &c->link);
	lane->n_waiting--;
	lane->waiting_bytes -= c->size;
	lane->n_inflight++;
	return true;
}

/* Whose turn it is, NULL for nobody. An orderly worker's deadline that is passed first is that of
 * the request it is at: one that has less time waits until it is alone. */
static struct worker_call *lane_next(const struct lane *lane)
{
	struct worker_call *c = LIST_FIRST(&lane->waiting, struct worker_call, link);

	if (!c || lane->n_inflight >= lane->pool->options.window)
		return NULL;
	if (!lane->pool->options.in_order || lane->n_inflight == 0)
		return c;
	return LIST_LAST(&lane->inflight, struct worker_call, link)->deadline_at <= c->deadline_at
		       ? c
		       : NULL;
}

static int lane_pump(void *obj)
{
	struct lane *lane = obj;
	struct worker_call *c;

	while ((c = lane_next(lane)) != NULL)
		if (!lane_send(lane, c))
			break;
	return 0;
}

static struct worker_call *lane_find(struct lane *lane, uint32_t id)
{
	/* At most a window long, and the oldest is mostly the one. */
	LIST_FOREACH (&lane->inflight, it) {
		struct worker_call *c = LIST_ENTRY(it, struct worker_call, link);

		if (c->id == id)
			return c;
	}
	return NULL;
}

/* 0, -errno with text, or 1 where the pool went away in the callback. */
static int lane_on_reply(
	struct lane *lane, const struct frame_header *h, const char *body, struct err *e)
{
	struct worker_call *c = lane_find(lane, h->id);
	struct worker_reply reply = {.r = h->result, .body = body, .size = h->size, .sent = true};

	if (!c)
		return err_set(e, EPROTO, "worker answered a request that it was not sent");
	backoff_reset(&lane->backoff);
	lane->busy_at = clock_now();
	return call_reply(c, &reply) ? 0 : 1;
}

static int lane_on_frame(
	struct lane *lane, const struct frame_header *h, const char *body, struct err *e)
{
	if (h->result < RESULT_MIN)
		return err_set(e, EPROTO, "worker sent the impossible result %d", h->result);
	if (lane->state == LANE_STARTING)
		return lane_on_init_reply(lane, h, body, e);
	return lane_on_reply(lane, h, body, e);
}

/* All whole frames in data, *ret_used bytes; returns as lane_on_reply(). */
static int lane_read_frames(
	struct lane *lane, const struct buf *data, size_t *ret_used, struct err *e)
{
	struct buf rest = *data;
	struct frame_header h;
	const char *body;
	int r;

	*ret_used = 0;
	for (;;) {
		r = frame_peek(&rest, &h, &body);
		if (r < 0)
			return err_set(e, EPROTO, "worker sent a frame of more than %u bytes",
				FRAME_BODY_MAX);
		if (r == 0)
			return 0;
		r = lane_on_frame(lane, &h, body, e);
		if (r != 0)
			return r;
		*ret_used += sizeof(h) + h.size;
		rest.data += sizeof(h) + h.size;
		rest.len -= sizeof(h) + h.size;
	}
}

static void on_read(struct process *p, struct buf *in, void *userdata)
{
	struct lane *lane = userdata;
	struct err why = ERR_NULL;
	size_t used;
	int r;

	(void)p;
	/* A callback may want room for another key: not ours. */
	lane->pinned = true;
	r = lane_read_frames(lane, in, &used, &why);
	if (r > 0)
		return;
	lane->pinned = false;
	if (r < 0) {
		lane_lose(lane, &why);
		return;
	}
	buf_consume(in, used);
	if (lane->state == LANE_READY)
		lane_pump(lane);
}

static void on_drained(struct process *p, void *userdata)
{
	struct lane *lane = userdata;

	(void)p;
	if (lane->state == LANE_READY)
		lane_pump(lane);
}

static void on_ended(struct process *p, const struct err *why, void *userdata)
{
	struct err copy = *why;

	/* p, and why in it, go with the process. */
	(void)p;
	lane_lose(userdata, &copy);
}

static const struct process_handler process_handler = {
	.read = on_read, .drained = on_drained, .ended = on_ended};

static int lane_spawn(struct lane *lane, struct err *e)
{
	struct frame_header init = {.size = (uint32_t)lane->init_size};
	struct worker_pool *pool = lane->pool;
	int r;

	if (lane->lingering >= (pool->options.spawner ? LINGERING_MAX_EXTERNAL : LINGERING_MAX))
		return err_set(e, EBUSY, "%zu earlier workers were killed and do not end",
			lane->lingering);
	r = process_start(&lane->process,
		&(struct process_options){.loop = pool->loop,
			.how = &pool->options,
			.key = lane->key,
			.handler = &process_handler,
			.userdata = lane,
			.all = &pool->processes,
			.lingering = &lane->lingering},
		e);
	if (r < 0)
		return r;
	r = process_write(lane->process, &init, lane->init);
	return r < 0 ? err_sys(e, r, "cannot write to worker") : 0;
}

static int lane_start(void *obj)
{
	struct lane *lane = obj;
	struct err why = ERR_NULL;

	lane->pool->started++;
	timer_arm(lane->timer, lane->pool->options.start_ns);
	if (lane_spawn(lane, &why) < 0)
		lane_lose(lane, &why);
	return 0;
}

static void on_timer(struct timer *t, void *userdata)
{
	struct lane *lane = userdata;

	(void)t;
	switch ((enum lane_state)lane->state) {
	case LANE_STARTING:
		on_start_deadline(lane);
		break;
	case LANE_READY:
		lane_pump(lane);
		break;
	case LANE_BACKOFF:
		lane_fire(lane, list_empty(&lane->waiting) ? LANE_REST : LANE_RETRY);
		break;
	case LANE_NONE:
	case _LANE_STATE_MAX:
		break;
	}
}

/* ---- deadlines ----------------------------------------------------------------------------- */

/*
 * One timer for all calls. It is never moved to a later time: a call that ends leaves it as it is,
 * and at worst it comes once for nothing, which is cheaper than arming it for every call.
 */
static void lane_arm_deadline(struct lane *lane)
{
	struct worker_call *c = LIST_FIRST(&lane->by_deadline, struct worker_call, deadline);
	uint64_t now;

	if (!c || (lane->deadline_at != 0 && lane->deadline_at <= c->deadline_at))
		return;
	now = clock_now();
	lane->deadline_at = c->deadline_at;
	timer_arm(lane->deadline, c->deadline_at > now ? c->deadline_at - now : 0);
}

/* Sorted; deadlines mostly come in the order of the calls, so the search from the end is short. */
static void lane_insert_deadline(struct lane *lane, struct worker_call *c)
{
	struct list *before = lane->by_deadline.prev;

	while (before != &lane->by_deadline &&
		LIST_ENTRY(before, struct worker_call, deadline)->deadline_at > c->deadline_at)
		before = before->prev;
	/* To append to the list that begins behind before is to insert there. */
	list_append(before->next, &c->deadline);
}

/* It was never sent, so its outcome is known: the codes that say otherwise are not for it. */
static void call_expire_waiting(struct worker_call *c, const struct err *why)
{
	int r = -why->code;

	if (r == 0)
		call_end(c, -ETIMEDOUT, "no worker took the request in its time");
	else
		call_end(c, r == -ETIMEDOUT || r == -ECONNRESET ? -EHOSTUNREACH : r, why->text);
}

static void on_deadline(struct timer *t, void *userdata)
{
	struct lane *lane = userdata;
	struct err why = ERR_NULL;
	uint64_t now = clock_now();

	(void)t;
	lane->deadline_at = 0;
	LIST_FOREACH (&lane->by_deadline, it) {
		struct worker_call *c = LIST_ENTRY(it, struct worker_call, deadline);

		if (c->deadline_at > now)
			break;
		if (c->place == CALL_WAITING) {
			call_expire_waiting(c, &lane->why);
			continue;
		}
		err_set(&why, ECONNRESET, "worker was killed: it did not answer in time");
		call_end(c, -ETIMEDOUT, why.text);
	}
	if (why.code != 0) {
		/* The one that it was at has ended. */
		if (lane->pool->options.in_order)
			lane_take_back(lane);
		lane_lose(lane, &why);
	}
	lane_arm_deadline(lane);
}

/* ---- idleness ------------------------------------------------------------------------------ */

static int lane_end(void *obj)
{
	struct lane *lane = obj;

	process_stop(TAKE_PTR(lane->process));
	return 0;
}

bool lane_is_idle(const struct lane *lane)
{
	return !lane->pinned && list_empty(&lane->waiting) && list_empty(&lane->inflight) &&
	       (lane->state == LANE_NONE || lane->state == LANE_READY);
}

static void on_idle(struct timer *t, void *userdata)
{
	struct lane *lane = userdata;
	uint64_t limit = lane->pool->options.idle_ns, quiet = clock_now() - lane->busy_at;

	if (!lane_is_idle(lane) || quiet < limit) {
		timer_arm(t, quiet < limit ? limit - quiet : limit);
		return;
	}
	if (lane->state == LANE_READY)
		lane_fire(lane, LANE_IDLE);
	else if (lane->lingering == 0) {
		pool_drop(lane);
		return;
	}
	/* Until the process is reaped; what is remembered about failures goes then, too. */
	timer_arm(t, limit);
}

/* ---- a lane's own life --------------------------------------------------------------------- */

static int lane_prepare(struct lane *lane, const char *key)
{
	struct loop *l = lane->pool->loop;
	uint64_t idle = lane->pool->options.idle_ns;
	int r;

	lane->key = strdup(key);
	if (!lane->key)
		return -ENOMEM;
	r = timer_new_exact(&lane->deadline, l, on_deadline, lane);
	if (r >= 0)
		r = timer_new_exact(&lane->timer, l, on_timer, lane);
	if (r >= 0)
		r = timer_new_lazy(&lane->idle, l, idle / 8, on_idle, lane);
	return r;
}

int lane_new(struct lane **ret, struct worker_pool *pool, const char *key)
{
	struct lane *lane = calloc(1, sizeof(*lane));
	int r;

	if (!lane)
		return -ENOMEM;
	lane->pool = pool;
	lane->busy_at = clock_now();
	list_init(&lane->waiting);
	list_init(&lane->inflight);
	list_init(&lane->by_deadline);
	lane->backoff = (struct backoff){.min = pool->options.backoff_min_ns,
		.max = pool->options.backoff_max_ns,
		.jitter_percent = 20};
	r = lane_prepare(lane, key);
	if (r < 0) {
		lane_free(lane);
		return r;
	}
	timer_arm(lane->idle, pool->options.idle_ns);
	*ret = lane;
	return 0;
}

static void calls_free(struct list *calls)
{
	LIST_FOREACH (calls, it) {
		list_remove(it);
		free(LIST_ENTRY(it, struct worker_call, link));
	}
}

void lane_free(struct lane *lane)
{
	calls_free(&lane->waiting);
	calls_free(&lane->inflight);
	timer_free(lane->deadline);
	timer_free(lane->timer);
	timer_free(lane->idle);
	free(lane->init);
	free(lane->key);
	free(lane);
}

void lane_evict(struct lane *lane)
{
	if (lane->process) {
		process_forget_count(lane->process);
		process_kill(TAKE_PTR(lane->process));
	}
	pool_drop(lane);
}

int lane_set_init(struct lane *lane, const void *init, size_t size)
{
	void *copy;

	if (size == lane->init_size && (size == 0 || memcmp(init, lane->init, size) == 0))
		return 0;
	copy = malloc(size > 0 ? size : 1);
	if (!copy)
		return -ENOMEM;
	if (size > 0)
		memcpy(copy, init, size);
	free(lane->init);
	lane->init = copy;
	lane->init_size = size;
	return 0;
}

void lane_add(struct lane *lane, struct worker_call *c)
{
	c->lane = lane;
	c->place = CALL_WAITING;
	list_append(&lane->waiting, &c->link);
	lane->n_waiting++;
	lane->waiting_bytes += c->size;
	lane->busy_at = clock_now();
	lane_insert_deadline(lane, c);
	lane_arm_deadline(lane);
	lane_fire(lane, LANE_CALL);
}
