/* SPDX-License-Identifier: Apache-2.0 */
/* event.h: Kubernetes Events: aggregated, limited, never in the way of work (contracts.md 5.9) */
#ifndef BERTH_KUBE_EVENT_H
#define BERTH_KUBE_EVENT_H

#include "kube/client.h"
#include "kube/object.h"

struct kube_events;
/* component: "nfs.berth.dev_<pod>"; copied. */
int kube_events_new(struct kube_events **ret, struct kube_client *c, const char *component);
struct kube_events *kube_events_free(struct kube_events *ev);
DEFINE_CLEANUP(struct kube_events *, kube_events_free)

struct kube_event_target {
	const char *kind, *api, *namespace_, *name, *uid, *rv; /* rv may be NULL */
};

/*
 * Sends or drops, never fails, never blocks. The same event again only raises its count; more than
 * ten alike in ten minutes become one "(combined from similar events)"; 25 at once for an object,
 * then one in five minutes. The queue is bounded. Text is escaped and cut at 1,024 bytes.
 */
void kube_event(struct kube_events *ev, const struct kube_event_target *t, bool warning,
	const char *reason, const char *fmt, ...) _printf_(5, 6);
/* What is queued or running; for a graceful end. */
unsigned kube_events_pending(const struct kube_events *ev);

#endif
