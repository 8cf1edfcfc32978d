/* SPDX-License-Identifier: Apache-2.0 */
/* monitor.h: tells that a mount table has changed, no more often than reading it is cheap */
#ifndef BERTH_MOUNT_MONITOR_H
#define BERTH_MOUNT_MONITOR_H

#include <stdint.h>

#include "base/err.h"
#include "event/loop.h"

/*
 * fn runs at the loop's next turn after monitor_new(), and then after changes: at once where the
 * last run is long enough ago, else later. Between two runs lie at least 200 ms and 20 times what
 * the last run took (fn reads and parses the table: 5 % of a core in a storm of mounts), at most 10
 * s. A change during fn leads to another run: the last state is always seen.
 */
struct mount_monitor;
typedef void (*mount_monitor_fn)(struct mount_monitor *m, void *userdata);

#define MOUNT_MONITOR_INTERVAL_MS 200
#define MOUNT_MONITOR_COST 20
#define MOUNT_MONITOR_INTERVAL_MAX_MS 10000

/* path: a mountinfo of procfs; it is held open. Free it before the loop; legal in fn. */
int mount_monitor_new(struct mount_monitor **ret, struct loop *l, const char *path,
	mount_monitor_fn fn, void *userdata, struct err *e);
struct mount_monitor *mount_monitor_free(struct mount_monitor *m);
DEFINE_CLEANUP(struct mount_monitor *, mount_monitor_free)

/* Asks for a run without a change, under the same limit. */
void mount_monitor_poke(struct mount_monitor *m);
/* For metrics: changes that were seen, runs, what the last run took. */
struct mount_monitor_stats {
	uint64_t wakeups;
	uint64_t runs;
	uint64_t last_run_ns;
};
void mount_monitor_stats(const struct mount_monitor *m, struct mount_monitor_stats *ret);

#endif
