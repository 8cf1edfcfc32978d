/* SPDX-License-Identifier: Apache-2.0 */
/* lane.h: one key of a pool: its worker, its queue, its state (internal to lib/worker) */
#ifndef BERTH_WORKER_LANE_H
#define BERTH_WORKER_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/sm.h"
#include "event/loop.h"
#include "worker/pool.h"

/* Why a call has no reply, kept inside the call so that saying it needs no memory. */
#define CALL_TEXT_MAX 256

enum lane_state { LANE_NONE, LANE_STARTING, LANE_READY, LANE_BACKOFF, _LANE_STATE_MAX };

enum lane_event {
	LANE_CALL,  /* a request was queued */
	LANE_UP,    /* the worker answered its init frame */
	LANE_LOST,  /* it died, failed, lied or was killed */
	LANE_IDLE,  /* no work for too long */
	LANE_RETRY, /* back-off is over and requests wait */
	LANE_REST,  /* back-off is over and none does */
	_LANE_EVENT_MAX
};

/* pool.h draws it. */
extern const struct sm_table lane_table;

enum call_place {
	CALL_WAITING,  /* in the lane's queue */
	CALL_INFLIGHT, /* sent to the worker */
	CALL_ENDED,    /* in the pool's list, its callback comes at the end of the turn */
	CALL_RUNNING,  /* in its callback */
};

struct worker_call {
	struct list link;     /* lane's waiting or inflight, pool's ended */
	struct list deadline; /* lane's by_deadline */
	struct lane *lane;    /* valid while waiting or in flight */
	enum call_place place;
	bool sent;    /* to a worker, sometime */
	worker_fn fn; /* NULL: cancelled in flight */
	void *userdata;
	uint64_t deadline_at;
	uint32_t id;
	uint32_t kind;
	int r;
	size_t size;
	char body[]; /* the request's; once ended why there is no reply, up to CALL_TEXT_MAX */
};

struct lane {
	struct worker_pool *pool;
	char *key;
	uint8_t state;           /* enum lane_state */
	bool pinned;             /* in use up the stack: not to be evicted */
	struct process *process; /* while starting and ready */
	size_t lingering;        /* processes killed and not reaped */
	void *init;
	size_t init_size;
	struct list waiting;     /* struct worker_call, oldest first */
	struct list inflight;    /* struct worker_call, oldest first */
	struct list by_deadline; /* both, earliest first */
	size_t n_waiting;
	size_t n_inflight;
	size_t waiting_bytes;
	uint32_t last_id;
	struct timer *deadline;
	uint64_t deadline_at; /* what it is armed for, 0: not */
	struct timer *timer;  /* start's deadline, back-off, retry of a write */
	struct timer *idle;
	uint64_t busy_at; /* the last request or reply */
	struct backoff backoff;
	struct err why; /* the last start's failure, until one succeeds */
};

struct worker_pool {
	struct loop *loop;
	struct worker_options options; /* program and argv are copies */
	struct map lanes;
	struct list processes; /* all, those killed and not reaped too */
	struct list ended;     /* struct worker_call */
	struct defer *deliver;
	uint64_t started, killed, failed;
	bool *gone; /* set by worker_pool_free() under a callback */
};

/* In none, with its idle timer armed. */
int lane_new(struct lane **ret, struct worker_pool *pool, const char *key);
/* Frees its calls without callbacks and leaves its process to pool->processes. */
void lane_free(struct lane *lane);
int lane_set_init(struct lane *lane, const void *init, size_t size);
/* Takes the call over. */
void lane_add(struct lane *lane, struct worker_call *c);
/* Has no call, and nobody is using it. */
bool lane_is_idle(const struct lane *lane);
/* Ends an idle lane's worker at once and frees the lane. */
void lane_evict(struct lane *lane);

/* pool.c: the calls' ends */
/* Out of its lane's lists and counters. */
void call_detach(struct worker_call *c);
/* Detaches; the callback comes at the end of the turn (none for a cancelled call). */
void call_end(struct worker_call *c, int r, const char *text);
/* Detaches, calls back now and frees; false where the pool is gone after that. */
bool call_reply(struct worker_call *c, const struct worker_reply *reply);
/* Takes the lane out of the pool and frees it. */
void pool_drop(struct lane *lane);

#endif
