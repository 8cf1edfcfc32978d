/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_backoff.c: delays stay within their bounds, buckets give what they may */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/backoff.h"
#include "base/clock.h"

static void doubles_up_to_max(void **state)
{
	struct backoff b = {.min = 100, .max = 1000};
	const uint64_t expect[] = {100, 200, 400, 800, 1000, 1000, 1000};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(expect); i++)
		assert_int_equal(backoff_next(&b), expect[i]);
	assert_int_equal(b.tries, ELEMENTSOF(expect));
}

static void reset_starts_over(void **state)
{
	struct backoff b = {.min = 100, .max = 1000};

	(void)state;
	backoff_next(&b);
	backoff_next(&b);
	backoff_reset(&b);
	assert_int_equal(backoff_next(&b), 100);
}

static void jitter_adds_at_most_its_share(void **state)
{
	bool low = false, high = false;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct backoff b = {.min = 1000, .max = 1000, .jitter_percent = 50};
		uint64_t delay = backoff_next(&b);

		assert_in_range(delay, 1000, 1500);
		low = low || delay < 1200;
		high = high || delay > 1300;
	}
	assert_true(low && high);
}

static void full_jitter_of_small_delay(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		struct backoff b = {.min = 3, .max = 3, .jitter_percent = 100};

		assert_in_range(backoff_next(&b), 3, 6);
	}
}

static void never_overflows(void **state)
{
	struct backoff b = {.min = UINT64_MAX / 2 + 1, .max = UINT64_MAX, .jitter_percent = 100};

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(backoff_next(&b) >= UINT64_MAX / 2 + 1);
	assert_true(backoff_next(&b) == UINT64_MAX);
}

static void many_tries_cost_nothing(void **state)
{
	struct backoff b = {.min = 1, .max = 60, .tries = UINT32_MAX};

	(void)state;
	assert_int_equal(backoff_next(&b), 60);
	assert_int_equal(b.tries, UINT32_MAX);
}

static void zero_min_is_no_delay(void **state)
{
	struct backoff b = {.min = 0, .max = 60, .jitter_percent = 100};

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(backoff_next(&b), 0);
}

static void min_above_max_is_max(void **state)
{
	struct backoff b = {.min = 100, .max = 60};

	(void)state;
	assert_int_equal(backoff_next(&b), 60);
	assert_int_equal(backoff_next(&b), 60);
}

static void bucket_gives_burst_then_waits(void **state)
{
	struct bucket b;
	uint64_t now = SECONDS(1000), wait;

	(void)state;
	bucket_init(&b, 10, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(bucket_take(&b, now), 0);
	wait = bucket_take(&b, now);
	assert_in_range(wait, MILLISECONDS(100), MILLISECONDS(101));
	/* Asking takes nothing. */
	assert_int_equal(bucket_take(&b, now), wait);
	assert_int_equal(bucket_take(&b, now + wait), 0);
}

static void bucket_waits_are_enough(void **state)
{
	struct bucket b;
	uint64_t now = 12345;
	unsigned taken = 0;

	(void)state;
	bucket_init(&b, 7.3, 1);
	for (int i = 0; i < 2000; i++) {
		uint64_t wait = bucket_take(&b, now);

		if (wait > 0) {
			now += wait;
			assert_int_equal(bucket_take(&b, now), 0);
		}
		taken++;
	}
	/* And not more than the rate. */
	assert_true(taken <= 7.3 * (double)now / 1e9 + 2);
}

static void bucket_never_holds_more_than_burst(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 1000, 2);
	assert_int_equal(bucket_take(&b, SECONDS(1)), 0);
	assert_int_equal(bucket_take(&b, SECONDS(100000)), 0);
	assert_int_equal(bucket_take(&b, SECONDS(100000)), 0);
	assert_int_not_equal(bucket_take(&b, SECONDS(100000)), 0);
}

static void bucket_without_rate_is_open(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 0, 1);
	for (int i = 0; i < 100; i++)
		assert_int_equal(bucket_take(&b, 5), 0);
}

static void bucket_with_less_than_one_token(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 1, 0.2);
	assert_int_equal(bucket_take(&b, SECONDS(1)), 0);
	assert_int_equal(bucket_take(&b, SECONDS(3)), 0);
}

static void bucket_ignores_a_clock_that_goes_back(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 1, 1);
	assert_int_equal(bucket_take(&b, SECONDS(10)), 0);
	assert_int_not_equal(bucket_take(&b, SECONDS(5)), 0);
	assert_int_equal(bucket_take(&b, SECONDS(11)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_up_to_max),
		cmocka_unit_test(reset_starts_over),
		cmocka_unit_test(jitter_adds_at_most_its_share),
		cmocka_unit_test(full_jitter_of_small_delay),
		cmocka_unit_test(never_overflows),
		cmocka_unit_test(many_tries_cost_nothing),
		cmocka_unit_test(zero_min_is_no_delay),
		cmocka_unit_test(min_above_max_is_max),
		cmocka_unit_test(bucket_gives_burst_then_waits),
		cmocka_unit_test(bucket_waits_are_enough),
		cmocka_unit_test(bucket_never_holds_more_than_burst),
		cmocka_unit_test(bucket_without_rate_is_open),
		cmocka_unit_test(bucket_with_less_than_one_token),
		cmocka_unit_test(bucket_ignores_a_clock_that_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
