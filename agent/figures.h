/* SPDX-License-Identifier: Apache-2.0 */
/* figures.h: the agent's metrics */
#ifndef BERTH_AGENT_FIGURES_H
#define BERTH_AGENT_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct metrics;
struct figures;
int figures_new(struct figures **ret);
struct figures *figures_free(struct figures *f);
DEFINE_CLEANUP(struct figures *, figures_free)

/* Each call accepts NULL for f. operation: the CSI method, result: the gRPC code's name ("OK",
 * "Internal"); both literals. berth_node_operations_total, berth_node_operation_duration_seconds.
 */
void figures_operation(struct figures *f, const char *driver, const char *operation,
	const char *result, uint64_t took_ns);
/* berth_driver_registered: 1 while the kubelet has the driver. */
void figures_registered(struct figures *f, const char *driver, bool registered);
/* A value that is kept elsewhere; a name that ends in _total is a counter. label NULL for none. */
void figures_set(struct figures *f, const char *name, const char *help, const char *label,
	const char *value, double v);
/* Gauges of mount children and their operations. */
struct mounter;
void figures_mounter(struct figures *f, const struct mounter *m);
/* The registry itself, borrowed: for probes.h. NULL for NULL. */
struct metrics *figures_metrics(struct figures *f);

#endif
