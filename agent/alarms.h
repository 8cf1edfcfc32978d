/* SPDX-License-Identifier: Apache-2.0 */
/* alarms.h: events about mounts that went bad or well again, on the pod, its volume and its claim
 */
#ifndef BERTH_AGENT_ALARMS_H
#define BERTH_AGENT_ALARMS_H

#include "agent/mounts.h"
#include "base/cleanup.h"
#include "kube/client.h"
#include "kube/event.h"

/*
 * VolumeCondition reaches nobody by default (binding.md 4), so the agent says it itself, with the
 * reasons that external-health-monitor uses: VolumeConditionAbnormal, VolumeConditionNormal. An
 * event on a PV needs its UID, and so a GET: at most 64 at a time, what is more goes without.
 */
struct alarms;
int alarms_new(
	struct alarms **ret, struct kube_client *c, struct kube_events *ev, const char *node);
struct alarms *alarms_free(struct alarms *a);
DEFINE_CLEANUP(struct alarms *, alarms_free)

/* As mounts_ops.changed; p NULL: nothing is known of the pod. */
void alarms_changed(struct alarms *a, const struct mounts_entry *e, enum mounts_state old,
	const struct mounts_publication *p);

#endif
