/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_metrics.c: series, their text and their limit */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/metrics.h"
#include "tests/unit/fault.h"

static void test_counter_and_gauge(void **state)
{
	_cleanup_(metrics_freep) struct metrics *m = NULL;
	_cleanup_buf_ struct buf out = BUF_NULL(65536);
	struct metric *a, *b;

	(void)state;
	assert_int_equal(metrics_new(&m), 0);
	a = metrics_get(m, METRIC_COUNTER, "berth_x_total", "Xs.", "k=\"1\"");
	metric_add(a, 2);
	metric_add(a, 1);
	assert_ptr_equal(a, metrics_get(m, METRIC_COUNTER, "berth_x_total", "Xs.", "k=\"1\""));
	metric_add(metrics_get(m, METRIC_COUNTER, "berth_x_total", "Xs.", "k=\"2\""), 0.5);
	b = metrics_get(m, METRIC_GAUGE, "berth_a", "A.", "");
	metric_set(b, -3);
	assert_int_equal(metrics_text(m, &out), 0);
	assert_string_equal(out.data, "# HELP berth_a A.\n# TYPE berth_a gauge\nberth_a -3\n"
				      "# HELP berth_x_total Xs.\n# TYPE berth_x_total counter\n"
				      "berth_x_total{k=\"1\"} 3\nberth_x_total{k=\"2\"} 0.5\n");
}

static void test_names_with_a_common_beginning(void **state)
{
	_cleanup_(metrics_freep) struct metrics *m = NULL;
	_cleanup_buf_ struct buf out = BUF_NULL(65536);
	const char *p;
	int types = 0;

	(void)state;
	assert_int_equal(metrics_new(&m), 0);
	(void)metrics_get(m, METRIC_GAUGE, "a", "A.", "k=\"1\"");
	(void)metrics_get(m, METRIC_GAUGE, "a_b", "AB.", "k=\"1\"");
	(void)metrics_get(m, METRIC_GAUGE, "a", "A.", "k=\"2\"");
	(void)metrics_get(m, METRIC_GAUGE, "a_b", "AB.", "");
	assert_int_equal(metrics_text(m, &out), 0);
	for (p = out.data; (p = strstr(p, "# TYPE")); p++)
		types++;
	assert_int_equal(types, 2);
}

static void test_histogram(void **state)
{
	_cleanup_(metrics_freep) struct metrics *m = NULL;
	_cleanup_buf_ struct buf out = BUF_NULL(65536);
	struct metric *h;

	(void)state;
	assert_int_equal(metrics_new(&m), 0);
	h = metrics_get(m, METRIC_HISTOGRAM, "h_seconds", "H.", "k=\"v\"");
	metric_observe(h, 0.0005);
	metric_observe(h, 0.3);
	metric_observe(h, 1000);
	assert_int_equal(metrics_text(m, &out), 0);
	assert_non_null(strstr(out.data, "h_seconds_bucket{k=\"v\",le=\"0.001\"} 1\n"));
	assert_non_null(strstr(out.data, "h_seconds_bucket{k=\"v\",le=\"0.25\"} 1\n"));
	assert_non_null(strstr(out.data, "h_seconds_bucket{k=\"v\",le=\"0.5\"} 2\n"));
	assert_non_null(strstr(out.data, "h_seconds_bucket{k=\"v\",le=\"300\"} 2\n"));
	assert_non_null(strstr(out.data, "h_seconds_bucket{k=\"v\",le=\"+Inf\"} 3\n"));
	assert_non_null(strstr(out.data, "h_seconds_sum{k=\"v\"} 1000.3005\n"));
	assert_non_null(strstr(out.data, "h_seconds_count{k=\"v\"} 3\n"));
	buf_reset(&out);
	metric_observe(metrics_get(m, METRIC_HISTOGRAM, "bare", "B.", ""), 1);
	assert_int_equal(metrics_text(m, &out), 0);
	assert_non_null(strstr(out.data, "bare_bucket{le=\"1\"} 1\n"));
	assert_non_null(strstr(out.data, "bare_sum 1\nbare_count 1\n"));
}

static void test_labels_are_escaped(void **state)
{
	_cleanup_buf_ struct buf labels = BUF_NULL(64);

	(void)state;
	assert_int_equal(metrics_label(&labels, "a", "x\"y\\z\n"), 0);
	assert_int_equal(metrics_label(&labels, "b", "2"), 0);
	assert_string_equal(labels.data, "a=\"x\\\"y\\\\z\\n\",b=\"2\"");
	/* What does not fit leaves no half of a label. */
	assert_int_equal(metrics_label(&labels, "long",
				 "0123456789012345678901234567890123456789012345678901234567"),
		-ENOBUFS);
	assert_string_equal(labels.data, "a=\"x\\\"y\\\\z\\n\",b=\"2\"");
}

static void test_limit_of_series(void **state)
{
	_cleanup_(metrics_freep) struct metrics *m = NULL;
	char labels[32];

	(void)state;
	assert_int_equal(metrics_new(&m), 0);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(labels, sizeof(labels), "k=\"%d\"", i);
		assert_non_null(metrics_get(m, METRIC_COUNTER, "c", "C.", labels));
	}
	assert_null(metrics_get(m, METRIC_COUNTER, "c", "C.", "k=\"1000\""));
	assert_non_null(metrics_get(m, METRIC_COUNTER, "c", "C.", "k=\"999\""));
	metric_add(NULL, 1);
	metric_set(NULL, 1);
	metric_observe(NULL, 1);
	assert_null(metrics_get(NULL, METRIC_COUNTER, "c", "C.", ""));
}

static void test_odd_numbers(void **state)
{
	_cleanup_(metrics_freep) struct metrics *m = NULL;
	_cleanup_buf_ struct buf out = BUF_NULL(65536);

	(void)state;
	assert_int_equal(metrics_new(&m), 0);
	metric_set(metrics_get(m, METRIC_GAUGE, "a", "A.", ""), INFINITY);
	metric_set(metrics_get(m, METRIC_GAUGE, "b", "B.", ""), NAN);
	metric_set(metrics_get(m, METRIC_GAUGE, "c", "C.", ""), 107374182400.0);
	assert_int_equal(metrics_text(m, &out), 0);
	assert_non_null(strstr(out.data, "\na +Inf\n"));
	assert_non_null(strstr(out.data, "\nb NaN\n"));
	assert_non_null(strstr(out.data, "\nc 107374182400\n"));
}

static void test_memory(void **state)
{
	(void)state;
	FAULT_LOOP
	{
		_cleanup_(metrics_freep) struct metrics *m = NULL;
		_cleanup_buf_ struct buf out = BUF_NULL(65536);
		int r = metrics_new(&m);

		if (r == 0) {
			metric_observe(metrics_get(m, METRIC_HISTOGRAM, "h", "H.", "a=\"b\""), 1);
			r = metrics_text(m, &out);
		}
		assert_true(r == 0 || r == -ENOMEM);
		if (!fault_fired())
			assert_int_equal(r, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counter_and_gauge),
		cmocka_unit_test(test_names_with_a_common_beginning),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_labels_are_escaped),
		cmocka_unit_test(test_limit_of_series),
		cmocka_unit_test(test_odd_numbers),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
