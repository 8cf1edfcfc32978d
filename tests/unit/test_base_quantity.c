/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_quantity.c: quantities as apimachinery reads them, rounded up to bytes */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define OK(text, value)        \
	{                      \
		text, 0, value \
	}
#define BAD(text)                \
	{                        \
		text, -EINVAL, 0 \
	}
#define OUT(text)                \
	{                        \
		text, -ERANGE, 0 \
	}

struct quantity_case {
	const char *text;
	int result;
	int64_t value;
};

static void run(const struct quantity_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t value = -99;
		int r = parse_quantity(cases[i].text, &value);

		if (r != cases[i].result || value != (r == 0 ? cases[i].value : -99))
			fail_msg("\"%s\": %d, %lld instead of %d, %lld", cases[i].text, r,
				(long long)value, cases[i].result, (long long)cases[i].value);
	}
}

#define RUN(...)                                                           \
	do {                                                               \
		static const struct quantity_case cases[] = {__VA_ARGS__}; \
		run(cases, ELEMENTSOF(cases));                             \
	} while (0)

static void plain_numbers(void **state)
{
	(void)state;
	RUN(OK("0", 0), OK("1", 1), OK("10", 10), OK("007", 7), OK("0000", 0), OK("+1", 1),
		OK("+0", 0), OK("-0", 0), OK("1073741824", 1073741824),
		OK("9223372036854775807", INT64_MAX),
		OK("0000000000000000000000000000000000000000009", 9));
}

static void fractions_round_up(void **state)
{
	(void)state;
	RUN(OK("0.5", 1), OK(".5", 1), OK("5.", 5), OK("1.5", 2), OK("1.0", 1), OK("0.0", 0),
		OK(".0", 0), OK("0.", 0), OK("1.000000000000000000000000001", 2), OK("+.5", 1),
		OK("0.000000000000000000000000001", 1), OK("1.00000000000000000000000000", 1),
		OK("-0.0", 0));
}

static void decimal_suffixes(void **state)
{
	(void)state;
	RUN(OK("1k", 1000), OK("1M", 1000000), OK("1G", 1000000000), OK("1T", 1000000000000),
		OK("1P", 1000000000000000), OK("1E", 1000000000000000000),
		OK("9E", 9000000000000000000), OK("1.5k", 1500), OK("1.0005k", 1001),
		OK(".001k", 1), OK("0.0001k", 1), OK("5.k", 5000), OK("0E", 0),
		OK("0.000000000000000001E", 1), OK("12.3456789M", 12345679));
}

static void small_suffixes(void **state)
{
	(void)state;
	RUN(OK("1m", 1), OK("1000m", 1), OK("1001m", 2), OK("999m", 1), OK("1n", 1), OK("1u", 1),
		OK("1000000u", 1), OK("1000001u", 2), OK("1000000000n", 1), OK("1000000001n", 2),
		OK("0m", 0), OK("0.1n", 1), OK("2500m", 3), OK("100m", 1),
		OK("9223372036854775807000m", INT64_MAX));
}

static void binary_suffixes(void **state)
{
	(void)state;
	RUN(OK("1Ki", 1024), OK("1Mi", 1048576), OK("1Gi", 1073741824), OK("1Ti", 1099511627776),
		OK("1Pi", 1125899906842624), OK("1Ei", 1152921504606846976),
		OK("7Ei", 8070450532247928832), OK("1.5Gi", 1610612736), OK("0.5Ki", 512),
		OK(".5Mi", 524288), OK("0.1Ki", 103), OK("0.1Mi", 104858), OK("1.1Gi", 1181116007),
		OK("0.001Ki", 2), OK("0Ei", 0), OK("0.0000000000000000001Ei", 1),
		OK("1.00000000000000000000000000001Ki", 1025), OK("8388607Ti", 9223370937343148032),
		OK("7.9999999999999999991Ei", INT64_MAX), OK("007Ki", 7168));
}

static void exponents(void **state)
{
	(void)state;
	RUN(OK("1e3", 1000), OK("1E3", 1000), OK("1e+3", 1000), OK("1E+3", 1000), OK("1e-3", 1),
		OK("1500e-3", 2), OK("1e0", 1), OK("1e-0", 1), OK("1.5e1", 15), OK(".5e1", 5),
		OK("9e18", 9000000000000000000), OK("0.0000000001e10", 1), OK("1e-1000", 1),
		OK("1e-99999999999999999999", 1), OK("0e1000", 0), OK("0e99999999999999999999", 0),
		OK("100000000000000000000e-19", 10), OK("1e0000000000000000003", 1000));
}

static void negative_values_are_out_of_range(void **state)
{
	(void)state;
	RUN(OUT("-1"), OUT("-0.5"), OUT("-1Gi"), OUT("-1m"), OUT("-1e3"),
		OUT("-9223372036854775808"), OK("-0Gi", 0), OK("-0e5", 0));
}

static void overflow_is_out_of_range(void **state)
{
	(void)state;
	RUN(OUT("9223372036854775808"), OUT("9223372036854775807.1"), OUT("18446744073709551616"),
		OUT("10E"), OUT("9.3E"), OUT("8Ei"), OUT("16Ei"), OUT("7.9999999999999999992Ei"),
		OUT("1e1000"), OUT("1e19"), OUT("1e99999999999999999999"),
		OUT("9999999999999999999"), OUT("99999999999999999999999999999999999999999999"),
		OUT("9223372036854775807001m"), OUT("8388608Ti"), OUT("9223372036854775807Ki"),
		OUT("0.1e4294967296"));
}

static void other_text_is_no_quantity(void **state)
{
	(void)state;
	RUN(BAD(""), BAD(" "), BAD(" 1"), BAD("1 "), BAD("."), BAD("+"), BAD("-"), BAD("-."),
		BAD("+-1"), BAD("--1"), BAD("1.1.M"), BAD("1.2.3"), BAD("1+1.0M"), BAD("0.1mi"),
		BAD("0.1am"), BAD("aoeu"), BAD(".5i"), BAD("1i"), BAD("-3.01i"), BAD("-3.01e-"),
		BAD("1e"), BAD("1e+"), BAD("1ee3"), BAD("1e3k"), BAD("1e1.5"), BAD("1e 3"),
		BAD("1K"), BAD("1KI"), BAD("1ki"), BAD("1kB"), BAD("1KiB"), BAD("1mi"), BAD("1ni"),
		BAD("1Eii"), BAD("Ki"), BAD("e3"), BAD("1Gi "), BAD("1\n"), BAD("0x10"), BAD("1,5"),
		BAD("1_000"), BAD("inf"), BAD("NaN"), BAD("1EE"), BAD("1Ee3"), BAD("1n3"),
		BAD("\xd9\xa1"), BAD("1 Gi"), BAD("1Zi"));
}

static void long_text_has_a_limit(void **state)
{
	char text[600];
	int64_t value = 0;

	(void)state;
	memset(text, '0', sizeof(text));
	memcpy(text, "1.", 2);
	text[250] = '\0';
	assert_int_equal(parse_quantity(text, &value), 0);
	assert_int_equal(value, 1);
	text[250] = '1';
	text[599] = '\0';
	assert_int_equal(parse_quantity(text, &value), -EINVAL);
	/* Zeros that say nothing are no digits. */
	memset(text, '0', 599);
	text[598] = '5';
	assert_int_equal(parse_quantity(text, &value), 0);
	assert_int_equal(value, 5);
	memset(text, '9', 599);
	assert_int_equal(parse_quantity(text, &value), -EINVAL);
}

static void output_is_canonical(void **state)
{
	static const struct {
		int64_t value;
		const char *text;
	} cases[] = {{0, "0"}, {1, "1"}, {1000, "1000"}, {1023, "1023"}, {1024, "1Ki"},
		{1025, "1025"}, {1536, "1536"}, {2048, "2Ki"}, {1048576, "1Mi"},
		{1610612736, "1536Mi"}, {1073741824, "1Gi"}, {1099511627776, "1Ti"},
		{1125899906842624, "1Pi"}, {1152921504606846976, "1Ei"},
		{8070450532247928832, "7Ei"}, {INT64_MAX, "9223372036854775807"},
		{INT64_MIN, "-8Ei"}, {-1, "-1"}};
	char text[24];

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_string_equal(format_quantity(cases[i].value, text), cases[i].text);
}

static void there_and_back(void **state)
{
	char text[24];

	(void)state;
	for (int shift = 0; shift < 63; shift++) {
		for (int64_t d = -1; d <= 1; d++) {
			int64_t v = ((int64_t)1 << shift) + d, again = -1;

			assert_int_equal(parse_quantity(format_quantity(v, text), &again), 0);
			assert_int_equal(again, v);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_numbers),
		cmocka_unit_test(fractions_round_up),
		cmocka_unit_test(decimal_suffixes),
		cmocka_unit_test(small_suffixes),
		cmocka_unit_test(binary_suffixes),
		cmocka_unit_test(exponents),
		cmocka_unit_test(negative_values_are_out_of_range),
		cmocka_unit_test(overflow_is_out_of_range),
		cmocka_unit_test(other_text_is_no_quantity),
		cmocka_unit_test(long_text_has_a_limit),
		cmocka_unit_test(output_is_canonical),
		cmocka_unit_test(there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
