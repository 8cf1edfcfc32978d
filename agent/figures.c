/* SPDX-License-Identifier: Apache-2.0 */
/* figures.c: counters, gauges and durations of the node's operations */
#include "agent/figures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/mounter.h"
#include "base/buf.h"
#include "base/str.h"
#include "http/metrics.h"

/* Room for two escaped names of 253 bytes. */
#define LABELS_MAX 2048

struct figures {
	struct metrics *metrics;
};

int figures_new(struct figures **ret)
{
	_cleanup_(figures_freep) struct figures *f = calloc(1, sizeof(*f));
	int r = f ? metrics_new(&f->metrics) : -ENOMEM;

	if (r < 0)
		return r;
	*ret = TAKE_PTR(f);
	return 0;
}

struct figures *figures_free(struct figures *f)
{
	if (!f)
		return NULL;
	metrics_free(f->metrics);
	free(f);
	return NULL;
}

struct metrics *figures_metrics(struct figures *f)
{
	return f ? f->metrics : NULL;
}

/* labels: keys and values in turn, up to a NULL key. */
static struct metric *labelled(struct figures *f, enum metric_type type, const char *name,
	const char *help, const char *const labels[static 7])
{
	_cleanup_buf_ struct buf text = BUF_NULL(LABELS_MAX);

	for (size_t i = 0; labels[i]; i += 2)
		if (metrics_label(&text, labels[i], labels[i + 1]) < 0)
			return NULL;
	return metrics_get(f->metrics, type, name, help, str_or(text.data, ""));
}
#define LABELS(...) ((const char *const[7]){__VA_ARGS__})

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

void figures_operation(struct figures *f, const char *driver, const char *operation,
	const char *result, uint64_t took_ns)
{
	if (!f)
		return;
	metric_add(labelled(f, METRIC_COUNTER, "berth_node_operations_total", "CSI calls answered.",
			   LABELS("driver", driver, "operation", operation, "result", result)),
		1);
	metric_observe(labelled(f, METRIC_HISTOGRAM, "berth_node_operation_duration_seconds",
			       "From a CSI call to its answer.",
			       LABELS("driver", driver, "operation", operation)),
		seconds(took_ns));
}

void figures_registered(struct figures *f, const char *driver, bool registered)
{
	figures_set(f, "berth_driver_registered", "1 while the kubelet has the driver registered.",
		"driver", driver, registered);
}

void figures_set(struct figures *f, const char *name, const char *help, const char *label,
	const char *value, double v)
{
	enum metric_type type = str_ends_with(name, "_total") ? METRIC_COUNTER : METRIC_GAUGE;

	if (f)
		metric_set(labelled(f, type, name, help, LABELS(label, value)), v);
}

void figures_mounter(struct figures *f, const struct mounter *m)
{
	struct mounter_stats_now n = {.children = 0};

	mounter_stats_now(m, &n);
	const struct {
		const char *name, *help;
		double v;
	} all[] = {
		{"berth_mount_children", "Mount children.", (double)n.children},
		{"berth_mount_operations", "Mount operations that run.", (double)n.running},
		{"berth_mount_children_killed_total", "Mount children killed at a deadline so far.",
			(double)n.killed},
		{"berth_lazy_unmounts_total", "Unmounts that needed MNT_DETACH so far.",
			(double)n.lazy},
		{"berth_mount_operations_failed_total", "Mount operations that failed so far.",
			(double)n.failed},
	};

	for (size_t i = 0; i < ELEMENTSOF(all); i++)
		figures_set(f, all[i].name, all[i].help, NULL, NULL, all[i].v);
}
