/* SPDX-License-Identifier: Apache-2.0 */
/* correlate.h: which events are the same, which are alike, which are too many (inside lib/kube) */
#ifndef BERTH_KUBE_CORRELATE_H
#define BERTH_KUBE_CORRELATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/list.h"
#include "base/map.h"
#include "kube/event.h"

/* client-go's EventCorrelator: LRU tables of this size. */
#define CORRELATE_MAX 4096
/* More alike than this in the window become one. */
#define CORRELATE_SIMILAR_MAX 10
#define CORRELATE_WINDOW_S 600
/* At once for one object, then one in so many seconds. */
#define CORRELATE_BURST 25
#define CORRELATE_REFILL_S 300

struct send;

/* An event that was sent and may be again. */
struct same {
	uint64_t key;
	struct list lru;
	uint64_t first_real; /* firstTimestamp */
	uint64_t stamp;      /* in the event's name */
	unsigned count;
	bool posted;       /* the server has it: repeats are patches */
	struct send *send; /* queued or running for it */
};

struct lru {
	struct map map;
	struct list list; /* the most recent at the end */
};

struct correlate {
	struct lru same, alike, object;
	uint64_t second_ns;
};

void correlate_init(struct correlate *c, uint64_t second_ns);
void correlate_done(struct correlate *c);

struct correlate_event {
	const struct kube_event_target *target;
	bool warning;
	const char *reason, *message;
};
/*
 * What is to become of an event: NULL where it must be dropped (or there is no memory), else its
 * entry with the count raised. *ret_combined: the message is to begin with "(combined from similar
 * events): ". The entry stays valid until the next call.
 */
struct same *correlate_event(
	struct correlate *c, const struct correlate_event *ev, uint64_t now, bool *ret_combined);

#endif
