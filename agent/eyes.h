/* SPDX-License-Identifier: Apache-2.0 */
/* eyes.h: mount watch, health, report, Lease and Node watch of the front, put together */
#ifndef BERTH_AGENT_EYES_H
#define BERTH_AGENT_EYES_H

#include "agent/figures.h"
#include "agent/health.h"
#include "agent/heartbeat.h"
#include "agent/mounts.h"
#include "agent/nodewatch.h"
#include "agent/report.h"
#include "base/err.h"
#include "kube/event.h"

/*
 * The front makes one. Without client and config (no API server given) only mounts and health work.
 * Borrowed things must outlive it; texts are copied.
 */
struct eyes_setup {
	struct loop *loop;
	const struct kube_config *config; /* NULL: no API server */
	struct kube_client *client;       /* NULL likewise */
	struct kube_events *events;       /* NULL: no events */
	struct figures *figures;          /* may be NULL */
	const char *node, *namespace_;    /* namespace_: of the agent, for its Lease */
	const char *kubelet_root, *exports;
	const char *mountinfo; /* "/host/proc/1/mountinfo", "/proc/self/mountinfo" */
	const struct nodewatch_driver *drivers;
	unsigned n_drivers;
	/* agent/volumes */
	bool (*publication)(const char *target, struct mounts_publication *ret, void *userdata);
	/* A driver's registration vanished (nodewatch.h). */
	void (*lost)(unsigned driver, const char *why, void *userdata);
	/* The host's mounts changed; for who watches for vanished ones. May be NULL. */
	void (*looked)(void *userdata);
	void *userdata;
};

struct eyes;
int eyes_new(struct eyes **ret, const struct eyes_setup *s, struct err *e);
struct eyes *eyes_free(struct eyes *y);
DEFINE_CLEANUP(struct eyes *, eyes_free)

/* The parts; report and nodewatch are NULL without API server. */
struct mounts *eyes_mounts(const struct eyes *y);
struct health *eyes_health(const struct eyes *y);
struct report *eyes_report(const struct eyes *y);
struct nodewatch *eyes_nodewatch(const struct eyes *y);

/* A publication was added or removed: states and report anew. */
void eyes_published(struct eyes *y);
/* Writes the gauges of all parts into figures; before figures_text(). */
void eyes_gauges(struct eyes *y);

#endif
