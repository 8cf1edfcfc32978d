/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c: series by name and labels, and their text */
#include "http/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/str.h"

/* Labels come from classes and servers, which tenants or admins can multiply. */
#define SERIES_MAX 1000
/* A key of name, "{" and labels; longer labels are refused. */
#define KEY_MAX 1024

static const struct {
	double seconds;
	const char *text;
} buckets[] = {{0.001, "0.001"}, {0.0025, "0.0025"}, {0.005, "0.005"}, {0.01, "0.01"},
	{0.025, "0.025"}, {0.05, "0.05"}, {0.1, "0.1"}, {0.25, "0.25"}, {0.5, "0.5"}, {1, "1"},
	{2.5, "2.5"}, {5, "5"}, {10, "10"}, {15, "15"}, {30, "30"}, {60, "60"}, {120, "120"},
	{300, "300"}};

struct histogram {
	uint64_t counts[ELEMENTSOF(buckets)];
	uint64_t total;
};

struct metric {
	enum metric_type type;
	const char *name, *help;
	char *key; /* name{labels */
	const char *labels;
	double value; /* of a histogram: the sum */
	struct histogram *histogram;
};

struct metrics {
	struct map by_key;
	struct metric *series[SERIES_MAX]; /* sorted by key: one name's series stand together */
	size_t n;
};

static struct map_key series_key(const void *value)
{
	return map_key_str(((const struct metric *)value)->key);
}

int metrics_new(struct metrics **ret)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->by_key = MAP_NULL(series_key);
	*ret = m;
	return 0;
}

static void metric_free(struct metric *s)
{
	if (!s)
		return;
	free(s->key);
	free(s->histogram);
	free(s);
}
DEFINE_CLEANUP(struct metric *, metric_free)

struct metrics *metrics_free(struct metrics *m)
{
	if (!m)
		return NULL;
	for (size_t i = 0; i < m->n; i++)
		metric_free(m->series[i]);
	map_done(&m->by_key);
	free(m);
	return NULL;
}

static struct metric *metric_new(
	enum metric_type t, const char *name, const char *help, const char *key)
{
	_cleanup_(metric_freep) struct metric *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->type = t;
	s->name = name;
	s->help = help;
	s->key = strdup(key);
	if (!s->key)
		return NULL;
	s->labels = s->key + strlen(name) + 1;
	if (t == METRIC_HISTOGRAM) {
		s->histogram = calloc(1, sizeof(*s->histogram));
		if (!s->histogram)
			return NULL;
	}
	return TAKE_PTR(s);
}

static void insert_sorted(struct metrics *m, struct metric *s)
{
	size_t i = m->n++;

	for (; i > 0 && strcmp(m->series[i - 1]->key, s->key) > 0; i--)
		m->series[i] = m->series[i - 1];
	m->series[i] = s;
}

struct metric *metrics_get(struct metrics *m, enum metric_type t, const char *name,
	const char *help, const char *labels)
{
	_cleanup_(metric_freep) struct metric *s = NULL;
	struct metric *known;
	char key[KEY_MAX];

	if (!m || str_format(key, sizeof(key), "%s{%s", name, labels) < 0)
		return NULL;
	known = map_gets(&m->by_key, key);
	if (known)
		return known;
	if (m->n >= SERIES_MAX)
		return NULL;
	s = metric_new(t, name, help, key);
	if (!s || map_add(&m->by_key, s) < 0)
		return NULL;
	insert_sorted(m, s);
	return TAKE_PTR(s);
}

static int put_escaped(struct buf *dst, const char *s)
{
	int r = 0;

	while (*s && r >= 0) {
		size_t n = strcspn(s, "\n\"\\");

		if (n > 0)
			r = buf_append(dst, s, n);
		else if (*s == '\n')
			r = buf_puts(dst, "\\n");
		else
			r = buf_printf(dst, "\\%c", *s);
		s += n > 0 ? n : 1;
	}
	return r;
}

int metrics_label(struct buf *dst, const char *key, const char *value)
{
	size_t before = dst->len;
	int r = buf_printf(dst, "%s%s=\"", before ? "," : "", key);

	if (r >= 0)
		r = put_escaped(dst, value);
	if (r >= 0)
		r = buf_puts(dst, "\"");
	if (r < 0 && dst->data) {
		dst->len = before;
		dst->data[before] = '\0';
	}
	return r < 0 ? r : 0;
}

void metric_add(struct metric *m, double v)
{
	if (m)
		m->value += v;
}

void metric_set(struct metric *m, double v)
{
	if (m)
		m->value = v;
}

void metric_observe(struct metric *m, double seconds)
{
	if (!m || !m->histogram)
		return;
	m->value += seconds;
	m->histogram->total++;
	for (size_t i = 0; i < ELEMENTSOF(buckets); i++)
		if (seconds <= buckets[i].seconds) {
			m->histogram->counts[i]++;
			break;
		}
}

static int put_number(struct buf *out, double v)
{
	if (isnan(v))
		return buf_puts(out, " NaN\n");
	if (isinf(v))
		return buf_puts(out, v > 0 ? " +Inf\n" : " -Inf\n");
	return buf_printf(out, " %.15g\n", v);
}

static int put_histogram(struct buf *out, const struct metric *s)
{
	const char *comma = *s->labels ? "," : "";
	const char *open = *s->labels ? "{" : "", *close = *s->labels ? "}" : "";
	uint64_t below = 0;
	int r = 0;

	for (size_t i = 0; i < ELEMENTSOF(buckets) && r >= 0; i++) {
		below += s->histogram->counts[i];
		r = buf_printf(out, "%s_bucket{%s%sle=\"%s\"} %llu\n", s->name, s->labels, comma,
			buckets[i].text, (unsigned long long)below);
	}
	if (r >= 0)
		r = buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n%s_sum%s%s%s", s->name,
			s->labels, comma, (unsigned long long)s->histogram->total, s->name, open,
			s->labels, close);
	if (r >= 0)
		r = put_number(out, s->value);
	if (r >= 0)
		r = buf_printf(out, "%s_count%s%s%s %llu\n", s->name, open, s->labels, close,
			(unsigned long long)s->histogram->total);
	return r;
}

static int put_series(struct buf *out, const struct metric *s)
{
	int r;

	if (s->histogram)
		return put_histogram(out, s);
	r = *s->labels ? buf_printf(out, "%s{%s}", s->name, s->labels) : buf_puts(out, s->name);
	return r < 0 ? r : put_number(out, s->value);
}

static const char *type_text(enum metric_type t)
{
	switch (t) {
	case METRIC_COUNTER:
		return "counter";
	case METRIC_GAUGE:
		return "gauge";
	case METRIC_HISTOGRAM:
		return "histogram";
	}
	return "untyped";
}

int metrics_text(const struct metrics *m, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; i < m->n && r >= 0; i++) {
		const struct metric *s = m->series[i];

		if (i == 0 || !streq(m->series[i - 1]->name, s->name))
			r = buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", s->name, s->help,
				s->name, type_text(s->type));
		if (r >= 0)
			r = put_series(out, s);
	}
	return r < 0 ? r : 0;
}
