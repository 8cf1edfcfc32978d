/* SPDX-License-Identifier: Apache-2.0 */
/* works.h: the claims that wait for a volume of ours: whose turn it is, what failed, when to try
 * again */
#ifndef BERTH_PROVISIONER_WORKS_H
#define BERTH_PROVISIONER_WORKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "kube/pvc.h"

/*
 *  (none) ─ready─► Queued ─turn─► Running ─done─► (none)
 *     │              ▲               │ failed
 *     │ wrong        │ due           ├─► Delayed (1 s doubling to 5 min; a silent server's: the
 * queue's turn) └─► Held ──────┘◄──────────────┤ infeasible: until claim or class changes, or 5 min
 *          (gate 2 shut: Gated)      └─► Gated (binding's gates): until they move
 */
struct provisioner;
struct works;
int works_new(struct works **ret, struct provisioner *p);
struct works *works_free(struct works *s);
DEFINE_CLEANUP(struct works *, works_free)

/* A claim is new or changed. */
void works_consider(struct works *s, const struct pvc *c);
/* It is gone from the cache. */
void works_gone(struct works *s, const struct pvc *c);
/* A class is new, changed or gone: its claims are looked at again at once. */
void works_class_changed(struct works *s, const char *class);
/* All claims of the cache: at the start of leading, and after a new configuration. */
void works_consider_all(struct works *s);
/* A volume or claim changed so that binding's gates may have moved. */
void works_gates_moved(struct works *s);
/* Whether a step for that claim is running. */
bool works_busy_with(const struct works *s, const struct uuid *uid);
void works_pause(struct works *s, bool paused);
void works_set_limits(struct works *s);

struct works_count {
	size_t queued, running, delayed, held, gated;
};
struct works_count works_count(const struct works *s);
struct queue;
const struct queue *works_queue(const struct works *s);

#endif
