/* SPDX-License-Identifier: Apache-2.0 */
/* queue.h: turns for work: bounded in all and for each server, fair between servers and, within
 * one, between namespaces and classes; a server that does not answer gets one probe at a time */
#ifndef BERTH_PROVISIONER_QUEUE_H
#define BERTH_PROVISIONER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "event/loop.h"

/*
 *  idle --queue_add--> waiting --its turn--> running --queue_done--> idle
 *                         '--queue_remove--> idle
 */
struct turn {
	struct list link;
	struct queue_flow *flow; /* while it waits or runs */
	bool running;
	void (*taken)(struct turn *t, void *userdata);
	void *userdata;
};

enum job_outcome {
	JOB_DONE,     /* says nothing about the server */
	JOB_ANSWERED, /* the server answered, be it with a refusal */
	JOB_SILENT    /* it did not: the others wait while one at a time probes */
};

struct queue;
/* max: running in all; max_lane: for one server. */
int queue_new(struct queue **ret, struct loop *l, unsigned max, unsigned max_lane);
/* All turns must be idle, or are forgotten. */
struct queue *queue_free(struct queue *q);
DEFINE_CLEANUP(struct queue *, queue_free)
void queue_set_limits(struct queue *q, unsigned max, unsigned max_lane);
/* Nothing gets a turn while paused. */
void queue_pause(struct queue *q, bool paused);

/* taken() follows, never before the return. lane: the server; flow: whose share it is. -ENOMEM. */
int queue_add(struct queue *q, struct turn *t, const char *lane, const char *flow) _must_check_;
/* Takes a waiting or running one out. Legal for an idle one. */
void queue_remove(struct queue *q, struct turn *t);
void queue_done(struct queue *q, struct turn *t, enum job_outcome outcome);
static inline bool turn_idle(const struct turn *t)
{
	return !t->flow;
}

/* Whether it waits or runs in that lane. */
bool queue_lane_is(const struct turn *t, const char *lane);

size_t queue_running(const struct queue *q);
size_t queue_waiting(const struct queue *q);
/* For each server: its name, how many wait and run, whether it is silent. */
void queue_each(const struct queue *q,
	void (*fn)(const char *lane, size_t waiting, size_t running, int silent, void *userdata),
	void *userdata);

#endif
