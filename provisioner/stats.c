/* SPDX-License-Identifier: Apache-2.0 */
/* stats.c: counters, gauges and durations of claims and volumes */
#include "provisioner/stats.h"

#include <errno.h>
#include <stdlib.h>

#include "base/str.h"

/* Room for two escaped names of 253 bytes. */
#define LABELS_MAX 2048

static const char *const steps[_STEP_MAX] = {
	[STEP_READ] = "read",
	[STEP_INTENT] = "intent",
	[STEP_CREATE] = "create",
	[STEP_STATUS] = "status",
	[STEP_PUBLISH] = "publish",
	[STEP_BIND] = "bind",
	[STEP_RECLAIM] = "reclaim",
	[STEP_REMOVE] = "remove",
};

int stats_new(struct stats **ret)
{
	_cleanup_(stats_freep) struct stats *s = calloc(1, sizeof(*s));
	int r = s ? metrics_new(&s->metrics) : -ENOMEM;

	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct stats *stats_free(struct stats *s)
{
	if (!s)
		return NULL;
	metrics_free(s->metrics);
	free(s);
	return NULL;
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static struct metric *labelled(struct stats *s, enum metric_type type, const char *name,
	const char *help, const char *const labels[static 4])
{
	_cleanup_buf_ struct buf text = BUF_NULL(LABELS_MAX);

	for (size_t i = 0; i < 4 && labels[i]; i += 2)
		if (metrics_label(&text, labels[i], labels[i + 1]) < 0)
			return NULL;
	return metrics_get(s->metrics, type, name, help, text.data ? text.data : "");
}

#define CLASS_AND_SOURCE(class) ((const char *const[4]){"class", (class), "source", ""})
#define CLASS_ONLY(class) ((const char *const[4]){"class", (class)})

void stats_provisioned(struct stats *s, const char *class, uint64_t took_ns)
{
	metric_add(labelled(s, METRIC_COUNTER, "controller_persistentvolumeclaim_provision_total",
			   "Claims provisioned.", CLASS_AND_SOURCE(class)),
		1);
	metric_observe(labelled(s, METRIC_HISTOGRAM,
			       "controller_persistentvolumeclaim_provision_duration_seconds",
			       "From the claim's turn to its PV.", CLASS_AND_SOURCE(class)),
		seconds(took_ns));
}

void stats_provision_failed(struct stats *s, const char *class)
{
	metric_add(labelled(s, METRIC_COUNTER,
			   "controller_persistentvolumeclaim_provision_failed_total",
			   "Attempts to provision a claim that failed.", CLASS_AND_SOURCE(class)),
		1);
}

void stats_deleted(struct stats *s, const char *class, uint64_t took_ns)
{
	metric_add(labelled(s, METRIC_COUNTER, "controller_persistentvolume_delete_total",
			   "Volumes reclaimed.", CLASS_ONLY(class)),
		1);
	metric_observe(
		labelled(s, METRIC_HISTOGRAM, "controller_persistentvolume_delete_duration_seconds",
			"From the volume's turn to its PV's end.", CLASS_ONLY(class)),
		seconds(took_ns));
}

void stats_delete_failed(struct stats *s, const char *class)
{
	metric_add(labelled(s, METRIC_COUNTER, "controller_persistentvolume_delete_failed_total",
			   "Attempts to reclaim a volume that failed.", CLASS_ONLY(class)),
		1);
}

void stats_step(struct stats *s, enum stats_step step, uint64_t took_ns)
{
	metric_observe(labelled(s, METRIC_HISTOGRAM, "berth_step_duration_seconds",
			       "Duration of each step of a volume's way.",
			       ((const char *const[4]){"step", steps[step]})),
		seconds(took_ns));
}

void stats_count(struct stats *s, const char *name, const char *help, double n)
{
	metric_add(metrics_get(s->metrics, METRIC_COUNTER, name, help, ""), n);
}

/* A sum that somebody else keeps is a counter all the same: Prometheus tells by the name's end. */
static enum metric_type type_of(const char *name)
{
	return str_ends_with(name, "_total") ? METRIC_COUNTER : METRIC_GAUGE;
}

void stats_gauge(struct stats *s, const char *name, const char *help, double v)
{
	metric_set(metrics_get(s->metrics, type_of(name), name, help, ""), v);
}

void stats_gauge_for(struct stats *s, const char *name, const char *help, const char *label,
	const char *value, double v)
{
	metric_set(
		labelled(s, type_of(name), name, help, ((const char *const[4]){label, value})), v);
}
