/* SPDX-License-Identifier: Apache-2.0 */
/* worker_world.h: a pool whose workers are this test program itself, and shots at it */
#ifndef BERTH_TESTS_WORKER_WORLD_H
#define BERTH_TESTS_WORKER_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "event/loop.h"
#include "worker/pool.h"

/* What a request asks of the test's worker. */
enum deed {
	DEED_INIT,
	DEED_ECHO,
	DEED_HANG,       /* never answers this one, goes on with others */
	DEED_STOP,       /* SIGSTOPs itself */
	DEED_EXIT,       /* ends with status 3 */
	DEED_LAST_WORD,  /* answers and ends */
	DEED_BYTEWISE,   /* answers one byte at a time */
	DEED_TWICE,      /* answers twice */
	DEED_STRANGER,   /* answers what was not asked */
	DEED_HUGE,       /* begins a frame above the limit */
	DEED_IMPOSSIBLE, /* a result that is no errno */
	DEED_ZERO,       /* its init reply again */
	DEED_MUTE,       /* closes its socket and lives on */
	DEED_HEIR,       /* ends while a child of its own keeps the socket */
	DEED_PID,        /* answers its pid */
	DEED_ERROR,      /* answers -ENOSPC */
	DEED_BIG,        /* answers FRAME_BODY_MAX bytes */
	DEED_STATE,      /* says what it inherited: descriptors, signals, session */
	DEED_LOCK_IN,    /* drops, hardens and filters itself as a real worker does */
	DEED_CONNECT,    /* tries to reach something new */
	_DEED_MAX
};

/* main() of the worker: what the init body says decides about the start:
 * "ok", "fail", "silent" (fails without a text), "never", "exit", "early" (some other frame). */
int worker_world_main(void);

struct world {
	struct loop *loop;
	struct worker_pool *pool;
	struct timer *guard;
	size_t done;
	size_t wanted; /* ends the loop */
};

/* One call and what came of it. */
struct shot {
	struct world *world;
	struct worker_call *call;
	int calls; /* callbacks seen */
	int r;
	bool sent;
	size_t size;
	char body[256];
	char text[256];
	void (*then)(struct shot *s); /* in the callback; may be NULL */
};

/* Options that are 0 become short times fit for a test. */
void world_init(struct world *w, const struct worker_options *o);
void world_done(struct world *w);
/* One with these options until the end of the block. */
#define WORLD(w, ...)                         \
	_cleanup_(world_done) struct world w; \
	world_init(&w, &(struct worker_options){__VA_ARGS__})
struct worker_request world_request(const char *key, enum deed deed, const char *body);
int shoot_request(struct world *w, struct shot *s, const struct worker_request *q);
/* Fails the test where the call is refused. */
void shoot(struct world *w, struct shot *s, const char *key, enum deed deed);
/* Runs until n more callbacks came; fails after 20 s. */
void world_wait(struct world *w, size_t n);
/* Runs for that long. */
void world_run(struct world *w, unsigned ms);
/* The state of a key as worker_pool_each() has it, "" without one. */
const char *world_state(struct world *w, const char *key);
struct worker_stats world_stats(const struct world *w);
/* The pid of a key's worker, which is asked and started for that. */
pid_t world_pid(struct world *w, const char *key);
/* Runs until a worker that was killed is reaped: its successor does not wait for that. */
void world_wait_reaped(struct world *w, pid_t pid);

#endif
