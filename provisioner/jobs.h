/* SPDX-License-Identifier: Apache-2.0 */
/* jobs.h: a set of things to be done, each there once by its name: it waits for its turn or for its
 * time, runs, and comes again until it is dropped */
#ifndef BERTH_PROVISIONER_JOBS_H
#define BERTH_PROVISIONER_JOBS_H

#include "base/backoff.h"
#include "base/map.h"
#include "provisioner/delay.h"
#include "provisioner/queue.h"

/*
 *  jobs_add ─► idle ──job_queue──► queued ──turn()──► running ──job_done──► idle
 *               ▲                                                            │
 *               └────────── due() ◄── delayed ◄──job_later, job_retry────────┘
 *
 * job_queue, job_later and job_drop are legal in every state, in the callbacks too.
 */
struct job {
	struct jobs *set;
	const char *name;
	struct turn turn;
	struct delay delay;
	struct backoff backoff; /* as configured when the job was made */
};

/* What the jobs of a set are. The callbacks get the struct whose first member is the job. */
struct job_kind {
	size_t size;
	/* Its turn has come. */
	void (*turn)(void *obj);
	/* Its time has come: job_queue(), if there still is something to do. Not called, and the
	 * job dropped, once no work may be begun any more: the next leader sees what is to be done.
	 */
	void (*due)(void *obj);
	/* It is dropped: gives back what it holds; the struct itself is the set's. */
	void (*gone)(void *obj);
	/* For the log, where there is no memory to let it wait and it is dropped:
	 * "<what> <name> waits for <until>". */
	const char *what, *until;
};

struct jobs {
	struct provisioner *p;
	const struct job_kind *kind;
	struct map by_name;  /* to find and to walk, never to change */
	struct queue *queue; /* to pause, to limit and to count */
};

/* kind: static. max, max_lane: how many run at once, in all and in one lane (queue.h). */
int jobs_new(struct jobs **ret, struct provisioner *p, const struct job_kind *kind, unsigned max,
	unsigned max_lane);
/* Drops all. */
struct jobs *jobs_free(struct jobs *s);
DEFINE_CLEANUP(struct jobs *, jobs_free)
/* A new one, idle and all zero but its job; NULL: the name is there, or no memory. */
void *jobs_add(struct jobs *s, const char *name);

/* turn() follows, never before the return; without memory due() after the shortest back-off. */
void job_queue(struct job *j, const char *lane, const char *flow);
/* due() follows in ns; without memory the job is dropped. */
void job_later(struct job *j, uint64_t ns);
/* The same after the next back-off. */
void job_retry(struct job *j);
/* Gives its turn back where it has one; what its lane's server did: queue.h. */
void job_done(struct job *j, enum job_outcome outcome);
void job_drop(struct job *j);

static inline bool job_is_idle(const struct job *j)
{
	return turn_idle(&j->turn) && !delay_waits(&j->delay);
}

#endif
