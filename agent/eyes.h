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
 * The front makes one. Without client (no API server given) only mounts and health work. Borrowed
 * things must outlive it; texts are copied.
 *
 * BerthNode's conditions: Ready (all drivers registered, the kubelet's root shared),
 * KubeletRootShared, MountsHealthy from here; NFSClient and others by report_condition().
 */
struct eyes_setup {
	struct loop *loop;
	const struct kube_config *config; /* with client */
	struct kube_client *client;       /* NULL: no API server */
	struct kube_events *events;       /* NULL: no events */
	struct figures *figures;          /* may be NULL */
	const char *node, *namespace_;    /* namespace_: of the agent, for its Lease */
	const char *kubelet_root, *exports;
	const char *mountinfo;               /* "/host/proc/1/mountinfo", "/proc/self/mountinfo" */
	const struct health_options *health; /* NULL: the defaults */
	const struct nodewatch_driver *drivers; /* those that the kubelet shall know */
	unsigned n_drivers;
	uint64_t report_ns;       /* 0 = REPORT_INTERVAL */
	uint64_t orphan_after_ns; /* 0 = MOUNTS_ORPHAN_AFTER */
	/* agent/volumes; false where nobody asked us to publish there. */
	bool (*publication)(const char *target, struct mounts_publication *ret, void *userdata);
	/* A driver's registration vanished (nodewatch.h). May be NULL. */
	void (*lost)(unsigned driver, const char *why, void *userdata);
	/* The table of the host's mounts was read. May be NULL. */
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
/* "shared", "slave", "private"; "" before the first look. */
const char *eyes_propagation(const struct eyes *y);

/* A publication was added or removed: states and report anew. */
void eyes_published(struct eyes *y);
/* What statfs of a mounted target came to (mounter_stats): err code 0 or positive. */
void eyes_called(struct eyes *y, const char *target, int code);
/* The kubelet registered the driver (index as in setup), or no longer has it: why, for people. */
void eyes_registered(struct eyes *y, unsigned driver, bool registered, const char *why);
/* Reads the table of mounts again soon, report and all: after propagation was changed, of which the
 * kernel tells nobody (else it is seen within 30 s), and for view.retry. */
void eyes_look(struct eyes *y);
/* Writes the gauges of all parts into figures; for probes_options.collect. */
void eyes_gauges(struct eyes *y);

#endif
