/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_clock.c: clocks run forward, times are written and read as Kubernetes does */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static void clocks_run(void **state)
{
	uint64_t a = clock_now(), b = clock_now();
	struct timespec ts;

	(void)state;
	assert_true(a > 0 && b >= a);
	assert_int_equal(clock_gettime(CLOCK_REALTIME, &ts), 0);
	assert_in_range(clock_real() / NSEC_PER_SEC, ts.tv_sec, ts.tv_sec + 60);
}

static void formats(void **state)
{
	const uint64_t t = 1767323045ULL * NSEC_PER_SEC + 6007008;
	char text[CLOCK_TEXT_MAX];

	(void)state;
	assert_string_equal(clock_format(t, text), "2026-01-02T03:04:05Z");
	assert_string_equal(clock_format_micro(t, text), "2026-01-02T03:04:05.006007Z");
	assert_string_equal(clock_format_compact(t, text), "20260102T030405Z");
	assert_string_equal(clock_format_micro(0, text), "1970-01-01T00:00:00.000000Z");
	assert_string_equal(clock_format_micro(UINT64_MAX, text), "2554-07-21T23:34:33.709551Z");
	assert_string_equal(
		clock_format(951782400ULL * NSEC_PER_SEC, text), "2000-02-29T00:00:00Z");
}

static void parses(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} cases[] = {{"1970-01-01T00:00:00Z", 0}, {"1970-01-01T00:00:01Z", NSEC_PER_SEC},
		{"2026-01-02T03:04:05Z", SECONDS(1767323045)},
		{"2026-01-02T03:04:05.006007Z", SECONDS(1767323045) + 6007000},
		{"2026-01-02T03:04:05.1Z", SECONDS(1767323045) + 100000000},
		{"2026-01-02T03:04:05.123456789Z", SECONDS(1767323045) + 123456789},
		{"2026-01-02T03:04:05.1234567899999Z", SECONDS(1767323045) + 123456789},
		{"2026-01-02T05:04:05+02:00", SECONDS(1767323045)},
		{"2026-01-01T21:34:05.5-05:30", SECONDS(1767323045) + 500000000},
		{"2026-01-02T03:04:05+00:00", SECONDS(1767323045)},
		{"1969-12-31T23:00:00-01:00", 0}, {"2000-02-29T00:00:00Z", SECONDS(951782400)},
		{"2100-03-01T00:00:00Z", SECONDS(4107542400)},
		{"2554-07-21T23:34:32Z", SECONDS(18446744072)}};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		uint64_t ns = 7;

		if (clock_parse(cases[i].text, &ns) != 0 || ns != cases[i].ns)
			fail_msg("%s: %llu", cases[i].text, (unsigned long long)ns);
	}
}

static void refuses(void **state)
{
	static const char *const texts[] = {"", "2026", "2026-01-02", "2026-01-02T03:04:05",
		"2026-01-02T03:04Z", "2026-01-02 03:04:05Z", "2026-01-02t03:04:05Z",
		"2026-01-02T03:04:05z", " 2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z ",
		"2026-1-2T03:04:05Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2026-04-31T00:00:00Z",
		"2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-01-02T24:00:00Z",
		"2026-01-02T03:60:00Z", "2026-01-02T03:04:60Z", "2026-01-02T03:04:05.Z",
		"2026-01-02T03:04:05,5Z", "2026-01-02T03:04:05+0200", "2026-01-02T03:04:05+24:00",
		"2026-01-02T03:04:05+02:60", "2026-01-02T03:04:05+02:00x", "2026-01-02T03:04:05ZZ",
		"-026-01-02T03:04:05Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01",
		"0000-01-01T00:00:00Z", "2554-07-21T23:34:34Z", "9999-12-31T23:59:59Z",
		"20260-01-02T03:04:05Z"};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		uint64_t ns = 7;

		if (clock_parse(texts[i], &ns) != -EINVAL || ns != 7)
			fail_msg("\"%s\" was taken", texts[i]);
	}
}

/* The C library's calendar is the model. */
static void every_day_there_and_back(void **state)
{
	(void)state;
	for (uint64_t day = 0; day < 200000; day++) {
		uint64_t t = (day * 86400 + day % 86400) * NSEC_PER_SEC + day % 1000000 * 1000,
			 again = 0;
		char text[CLOCK_TEXT_MAX];

		assert_int_equal(clock_parse(clock_format_micro(t, text), &again), 0);
		assert_true(again == t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_run),
		cmocka_unit_test(formats),
		cmocka_unit_test(parses),
		cmocka_unit_test(refuses),
		cmocka_unit_test(every_day_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
