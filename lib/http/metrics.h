/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h: counters, gauges and histograms as Prometheus text */
#ifndef BERTH_HTTP_METRICS_H
#define BERTH_HTTP_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metrics;
struct metric;
int metrics_new(struct metrics **ret);
struct metrics *metrics_free(struct metrics *m);
DEFINE_CLEANUP(struct metrics *, metrics_free)

/*
 * name and help must be literals. labels: literal text already in Prometheus form without braces
 * made with metrics_label(), or "". Same name and labels give the same metric. At most 1,000 series
 * in all: beyond, NULL (every call below accepts NULL). Histogram buckets are seconds, 1 ms to 300
 * s, as the peers have them.
 */
struct metric *metrics_get(struct metrics *m, enum metric_type t, const char *name,
	const char *help, const char *labels);
/* key="value" with value escaped, appended to dst after a comma where dst has text. */
int metrics_label(struct buf *dst, const char *key, const char *value);
void metric_add(struct metric *m, double v);
void metric_set(struct metric *m, double v);
void metric_observe(struct metric *m, double seconds);
int metrics_text(const struct metrics *m, struct buf *out);

#endif
