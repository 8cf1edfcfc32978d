/* SPDX-License-Identifier: Apache-2.0 */
/* process.h: one worker process with its socket, from fork to reaping (internal to lib/worker) */
#ifndef BERTH_WORKER_PROCESS_H
#define BERTH_WORKER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "event/loop.h"
#include "worker/frame.h"
#include "worker/pool.h"

/* The kind of the frame by which a child says that execve() failed, with -errno as its result. */
#define PROCESS_KIND_EXEC UINT32_MAX

struct process;

struct process_handler {
	/* Bytes came; consume whole frames. Disposing of the process is legal in here. */
	void (*read)(struct process *p, struct buf *in, void *userdata);
	/* All that was written has been sent. */
	void (*drained)(struct process *p, void *userdata);
	/* Once: it died or closed its socket, and all it had written was given to read(). */
	void (*ended)(struct process *p, const struct err *why, void *userdata);
};

struct process_options {
	struct loop *loop;
	const struct worker_options *how; /* program and argv, or spawner; outlives the process */
	const char *key;                  /* borrowed, for the spawner */
	const struct process_handler *handler; /* static */
	void *userdata;
	struct list *all;  /* where it is linked until it is reaped */
	size_t *lingering; /* counts those disposed of and not reaped yet */
};

/* Forks and executes, or has it started; a program that cannot be run is reported by a
 * PROCESS_KIND_EXEC frame. */
int process_start(struct process **ret, const struct process_options *o, struct err *e);
/* Queues a frame. -ENOBUFS: wait for drained(). -ENOTCONN: ended() is about to come. */
int process_write(struct process *p, const struct frame_header *h, const void *body) _must_check_;

/* Both dispose of it: no callback any more, the object goes when the child is reaped. */
bool process_kill(struct process *p); /* SIGKILL; false: it had ended by itself */
void process_stop(struct process *p); /* closes its socket, SIGKILL some seconds later */
/* It shall not count in *lingering any more, which goes away. */
void process_forget_count(struct process *p);

/* For spawners: what worker_pool_ended() says, among the processes in all. */
void process_end_external(struct list *all, const char *key, pid_t pid, const struct err *why);

/* For the end of the owner: SIGKILLs and reaps everything in the list, waiting for a second. */
void process_free_all(struct list *all);

#endif
