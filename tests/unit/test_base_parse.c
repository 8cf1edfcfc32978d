/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_parse.c: numbers, booleans, modes and durations, strictly */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"

static void unsigned_numbers(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_int_equal(parse_u64("0", 0, UINT64_MAX, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(parse_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(parse_u64("0042", 0, 100, &v), 0);
	assert_int_equal(v, 42);
	assert_int_equal(parse_u64("10", 10, 10, &v), 0);
}

static void unsigned_numbers_out_of_bounds(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_int_equal(parse_u64("18446744073709551616", 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(parse_u64("99999999999999999999999999", 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(parse_u64("9", 10, 20, &v), -ERANGE);
	assert_int_equal(parse_u64("21", 10, 20, &v), -ERANGE);
	assert_int_equal(v, 7);
}

static void text_that_is_no_number(void **state)
{
	static const char *const texts[] = {"", " ", " 1", "1 ", "-", "+1", "1.0", "0x1", "1e3",
		"a", "99999999999999999999999x", "1\n", "--1", "- 1"};
	uint64_t u = 7;

	(void)state;
	for (size_t n = 0; n < ELEMENTSOF(texts); n++)
		assert_int_equal(parse_u64(texts[n], 0, UINT64_MAX, &u), -EINVAL);
	assert_int_equal(parse_u64("-1", 0, UINT64_MAX, &u), -EINVAL);
	assert_int_equal(u, 7);
}

static void booleans_of_go(void **state)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
	static const char *const bad[] = {
		"", "yes", "on", "tRUE", "2", " true", "true ", "TrUe", "01"};
	bool v;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
		v = false;
		assert_int_equal(parse_bool(yes[i], &v), 0);
		assert_true(v);
		assert_int_equal(parse_bool(no[i], &v), 0);
		assert_false(v);
	}
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_int_equal(parse_bool(bad[i], &v), -EINVAL);
}

static void modes(void **state)
{
	mode_t v = 1;

	(void)state;
	assert_int_equal(parse_mode("0770", &v), 0);
	assert_int_equal(v, 0770);
	assert_int_equal(parse_mode("770", &v), 0);
	assert_int_equal(v, 0770);
	assert_int_equal(parse_mode("07777", &v), 0);
	assert_int_equal(v, 07777);
	assert_int_equal(parse_mode("0", &v), 0);
	assert_int_equal(v, 0);
	v = 1;
	assert_int_equal(parse_mode("10000", &v), -ERANGE);
	assert_int_equal(parse_mode("7777777777777777777777777777", &v), -ERANGE);
	assert_int_equal(parse_mode("0780", &v), -EINVAL);
	assert_int_equal(parse_mode("0x1f", &v), -EINVAL);
	assert_int_equal(parse_mode("rwx", &v), -EINVAL);
	assert_int_equal(parse_mode("", &v), -EINVAL);
	assert_int_equal(parse_mode("-7", &v), -EINVAL);
	assert_int_equal(v, 1);
}

struct duration_case {
	const char *text;
	int result;
	uint64_t ns;
};

static void run_durations(const struct duration_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v = 7;
		int r = parse_duration(cases[i].text, &v);

		if (r != cases[i].result || v != (r == 0 ? cases[i].ns : 7))
			fail_msg("\"%s\": %d, %llu", cases[i].text, r, (unsigned long long)v);
	}
}

static void durations_of_go(void **state)
{
	static const struct duration_case cases[] = {{"0", 0, 0}, {"+0", 0, 0}, {"-0", 0, 0},
		{"0s", 0, 0}, {"-0s", 0, 0}, {"90s", 0, SECONDS(90)}, {"+5s", 0, SECONDS(5)},
		{"1h30m", 0, SECONDS(5400)}, {"250ms", 0, MILLISECONDS(250)}, {"1ns", 0, 1},
		{"1us", 0, 1000}, {"1\xc2\xb5s", 0, 1000}, {"1\xce\xbcs", 0, 1000},
		{"1d", 0, SECONDS(86400)}, {"7d12h", 0, SECONDS(648000)},
		{"1.5h", 0, SECONDS(5400)}, {".5s", 0, MILLISECONDS(500)}, {"5.s", 0, SECONDS(5)},
		{"0.1ns", 0, 0}, {"1.9ns", 0, 1}, {"1m1m", 0, SECONDS(120)},
		{"0.3333333333333333333333h", 0, 1199999999999},
		{"1h15m30.918273645s", 0, 4530918273645}, {"9223372036854775807ns", 0, INT64_MAX},
		{"2562047h", 0, SECONDS(2562047ULL * 3600)},
		{"106751d", 0, SECONDS(106751ULL * 86400)}};

	(void)state;
	run_durations(cases, ELEMENTSOF(cases));
}

static void durations_out_of_range(void **state)
{
	static const struct duration_case cases[] = {{"-1s", -ERANGE, 0}, {"-0.5h", -ERANGE, 0},
		{"9223372036854775808ns", -ERANGE, 0}, {"3000000h", -ERANGE, 0},
		{"106752d", -ERANGE, 0}, {"99999999999999999999999s", -ERANGE, 0},
		{"18446744073709551615ns1ns", -ERANGE, 0}, {"2562047h999h", -ERANGE, 0}};

	(void)state;
	run_durations(cases, ELEMENTSOF(cases));
}

static void text_that_is_no_duration(void **state)
{
	static const struct duration_case cases[] = {{"", -EINVAL, 0}, {"3", -EINVAL, 0},
		{"-", -EINVAL, 0}, {"+", -EINVAL, 0}, {"s", -EINVAL, 0}, {".", -EINVAL, 0},
		{"-.", -EINVAL, 0}, {".s", -EINVAL, 0}, {"1 s", -EINVAL, 0}, {" 1s", -EINVAL, 0},
		{"1s ", -EINVAL, 0}, {"1x", -EINVAL, 0}, {"1S", -EINVAL, 0}, {"1sec", -EINVAL, 0},
		{"1h30", -EINVAL, 0}, {"1.2.3s", -EINVAL, 0}, {"1s-1s", -EINVAL, 0},
		{"--1s", -EINVAL, 0}, {"1e3s", -EINVAL, 0}, {"1w", -EINVAL, 0}, {"00", -EINVAL, 0},
		{"99999999999999999999999sx", -EINVAL, 0}};

	(void)state;
	run_durations(cases, ELEMENTSOF(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unsigned_numbers),
		cmocka_unit_test(unsigned_numbers_out_of_bounds),
		cmocka_unit_test(text_that_is_no_number),
		cmocka_unit_test(booleans_of_go),
		cmocka_unit_test(modes),
		cmocka_unit_test(durations_of_go),
		cmocka_unit_test(durations_out_of_range),
		cmocka_unit_test(text_that_is_no_duration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
