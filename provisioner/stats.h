/* SPDX-License-Identifier: Apache-2.0 */
/* stats.h: the daemon's metrics: the peers' names where they have them, ours with berth_ before */
#ifndef BERTH_PROVISIONER_STATS_H
#define BERTH_PROVISIONER_STATS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "http/metrics.h"

struct stats {
	struct metrics *metrics;
};

enum stats_step {
	STEP_READ,    /* the live claim, for a pathPattern's labels and annotations */
	STEP_INTENT,  /* BerthVolume */
	STEP_CREATE,  /* record and directory */
	STEP_STATUS,  /* BerthVolume's status */
	STEP_PUBLISH, /* PV */
	STEP_BIND,    /* all of assist's writes */
	STEP_RECLAIM, /* trash, archive, recycle or discard */
	STEP_REMOVE,  /* PV and BerthVolume */
	_STEP_MAX
};

int stats_new(struct stats **ret);
struct stats *stats_free(struct stats *s);
DEFINE_CLEANUP(struct stats *, stats_free)

/* LIB:controller/metrics: controller_persistentvolumeclaim_provision_total and so on. */
void stats_provisioned(struct stats *s, const char *class, uint64_t took_ns);
void stats_provision_failed(struct stats *s, const char *class);
void stats_deleted(struct stats *s, const char *class, uint64_t took_ns);
void stats_delete_failed(struct stats *s, const char *class);
void stats_step(struct stats *s, enum stats_step step, uint64_t took_ns);
void stats_count(struct stats *s, const char *name, const char *help, double n);
/* Sets a value; a name that ends in _total is a counter that is kept elsewhere. */
void stats_gauge(struct stats *s, const char *name, const char *help, double v);
void stats_gauge_for(struct stats *s, const char *name, const char *help, const char *label,
	const char *value, double v);

#endif
