/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_quantity.c: quantities against long double arithmetic, and there and back again */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
	if (!ok)
		abort();
}

/* What the suffix multiplies with, by another way than the parser's. */
static long double factor_of(const char *suffix)
{
	static const struct {
		const char *name;
		long double factor;
	} table[] = {{"", 1}, {"n", 1e-9L}, {"u", 1e-6L}, {"m", 1e-3L}, {"k", 1e3L}, {"M", 1e6L},
		{"G", 1e9L}, {"T", 1e12L}, {"P", 1e15L}, {"E", 1e18L}, {"Ki", 0x1p10L},
		{"Mi", 0x1p20L}, {"Gi", 0x1p30L}, {"Ti", 0x1p40L}, {"Pi", 0x1p50L},
		{"Ei", 0x1p60L}};

	for (size_t i = 0; i < ELEMENTSOF(table); i++)
		if (strcmp(table[i].name, suffix) == 0)
			return table[i].factor;
	check(*suffix == 'e' || *suffix == 'E');
	return powl(10, strtold(suffix + 1, NULL));
}

static void compare(const char *text, int64_t value)
{
	size_t n = strspn(text, "+-0123456789.");
	char number[1024];
	long double expect;

	memcpy(number, text, n);
	number[n] = '\0';
	expect = strtold(number, NULL);
	if (expect != 0)
		expect *= factor_of(text + n);
	/* Rounded up by less than one, and the arithmetic here has 64 bits of mantissa. */
	if (!isinf(expect) && !isnan(expect)) {
		check((long double)value >= expect * (1 - 1e-15L));
		check((long double)value <= expect * (1 + 1e-15L) + 1);
	}
}

static void round_trip(int64_t value)
{
	char text[24];
	int64_t again;

	check(parse_quantity(format_quantity(value, text), &again) == 0);
	check(again == value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[512];
	int64_t value = -7, rest = -7;
	int r;

	if (size >= sizeof(text) - 1)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (size >= sizeof(value)) {
		memcpy(&value, data, sizeof(value));
		round_trip(value & INT64_MAX);
		value = -7;
	}
	r = parse_quantity(text, &value);
	if (r == 0) {
		check(value >= 0);
		round_trip(value);
		compare(text, value);
	} else {
		check(r == -EINVAL || r == -ERANGE);
		check(value == -7);
	}
	/* Nothing may follow. */
	size = strlen(text);
	text[size] = '!';
	text[size + 1] = '\0';
	check(parse_quantity(text, &rest) == -EINVAL);
	return 0;
}
