/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h: the parent's side of worker processes: one process and one queue for each key, so that a
 * stuck one stalls only its key */
#ifndef BERTH_WORKER_POOL_H
#define BERTH_WORKER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "event/loop.h"

/*
 * A worker is `program --worker` (argv as given) with a stream socket as descriptor 3, stdin and
 * stdout /dev/null. The first frame it gets is the key's init body (kind 0, id 0); it answers it
 * with result 0 when ready, or with an error and text; then it ends. Until then requests wait.
 *
 *   none --call--> starting --ready--> ready --idle 60 s--> none
 *                     |  fail            | died, deadline passed (SIGKILL)
 *                     v                  v
 *                  backoff <-------------+      (waiting requests stay queued until their own
 * deadline)
 */
/*
 * Who starts the processes, where that is not the pool itself with fork and execve: somebody with
 * more power, whose children they are. Both only ask. Whoever is asked says worker_pool_ended()
 * when the process is no more, or could not be started; until then no other is started for the key.
 */
struct worker_spawner {
	/* fd: the worker's end of the socket, the pool's to close after the return. -errno: nobody
	 * was asked. */
	int (*start)(const char *key, int fd, void *userdata);
	void (*kill)(const char *key, void *userdata); /* SIGKILL */
};

/* 0 in a number stands for the default in brackets. */
struct worker_options {
	const char *program;                  /* path; execve'd, no PATH search */
	const char *const *argv;              /* NULL-terminated */
	const struct worker_spawner *spawner; /* instead of both, see below; static */
	void *spawner_userdata;
	size_t window; /* requests in flight to one worker (32) */
	/* The worker serves one request after the other, answers each before it begins the next,
	 * and all can be repeated: see worker_call(). */
	bool in_order;
	size_t queue_max;        /* requests waiting for one key; beyond: -ENOBUFS (4096) */
	uint64_t idle_ns;        /* a worker without work ends after this (60 s) */
	uint64_t start_ns;       /* deadline from fork to ready (10 s) */
	uint64_t backoff_min_ns; /* between a worker's end and the next start (100 ms), */
	uint64_t backoff_max_ns; /* doubled up to this (30 s) until one answers a request */
};

struct worker_pool;
int worker_pool_new(struct worker_pool **ret, struct loop *l, const struct worker_options *o);
/* Kills every worker and reaps it; no callback runs any more. Legal in every callback. */
struct worker_pool *worker_pool_free(struct worker_pool *p);
DEFINE_CLEANUP(struct worker_pool *, worker_pool_free)

/*
 * For spawners. The process of key that was started first has ended (pid of it), or the one that
 * was asked for last could not be started (pid 0). why is what its calls and the log are told.
 * Legal at any time but inside the spawner's own functions; nothing happens for a key without
 * process.
 */
void worker_pool_ended(struct worker_pool *p, const char *key, pid_t pid, const struct err *why);

struct worker_reply {
	int r; /* the worker's result, or -ETIMEDOUT (own deadline), -ECONNRESET (worker died with
		  the request in flight), -EHOSTUNREACH and the like where a start failed */
	const void *body; /* NULL without a reply; valid during the callback */
	size_t size;
	const char *text; /* why there is no reply, else NULL */
	/* A worker was given the request: without a reply its outcome is unknown. False: nothing
	 * was done. */
	bool sent;
};

struct worker_call;
typedef void (*worker_fn)(struct worker_call *c, const struct worker_reply *reply, void *userdata);

struct worker_request {
	const char *key;
	const void *init; /* body of the init frame, used when this call starts the worker */
	size_t init_size;
	uint32_t kind;
	const void *body;
	size_t size;
	uint64_t deadline_ns; /* from now, queueing included. Passing it in flight kills the worker.
			       */
};

/*
 * Queues a request (everything is copied). After 0 exactly one callback, never before the return
 * (*ret is set by then). A call in flight whose worker dies ends with -ECONNRESET: its outcome is
 * unknown. Waiting calls are kept for the next worker; at their deadline they end with what the
 * last start failed with (never -ETIMEDOUT or -ECONNRESET then: -EHOSTUNREACH), or -ETIMEDOUT.
 *
 * in_order: a worker that dies takes only the oldest in flight along, the one it was at; those
 * behind it wait again, as if they had never left. For that none is sent behind one whose deadline
 * is later: the deadline that kills is that of the request the worker is at.
 *
 * -ENOBUFS: the key's queue is full, or 256 keys are all busy; -EMSGSIZE: size or init_size above
 * FRAME_BODY_MAX; -ENAMETOOLONG: the key is; -ENOMEM.
 */
int worker_call(struct worker_pool *p, const struct worker_request *q, worker_fn fn, void *userdata,
	struct worker_call **ret);
/* No callback any more; a request in flight still runs in the worker, and its deadline stands.
 * Legal on NULL and for a call in its own callback. */
void worker_call_cancel(struct worker_call *c);

/* Whether a worker of key was killed and has not ended: what it was at holds it in the kernel. */
bool worker_pool_is_stuck(const struct worker_pool *p, const char *key);

struct worker_stats {
	size_t workers; /* processes */
	size_t waiting; /* queued */
	size_t inflight;
	/* Since the pool was made: starts, starts that failed, ready workers that had to be killed.
	 */
	uint64_t started, failed, killed;
};
void worker_pool_stats(const struct worker_pool *p, struct worker_stats *ret);
/* Calls fn for each key with its state as a word (none, starting, ready, backoff), for status and
 * metrics. */
void worker_pool_each(const struct worker_pool *p,
	void (*fn)(const char *key, const char *state, size_t waiting, void *userdata),
	void *userdata);

#endif
