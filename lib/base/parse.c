/* SPDX-License-Identifier: Apache-2.0 */
/* parse.c: strict text to numbers */
#include "base/parse.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits alone; *ret is UINT64_MAX with -ERANGE where they are too many. */
static int take_digits(const char *s, unsigned base, uint64_t *ret)
{
	bool overflow = false;
	uint64_t v = 0;

	if (*s == '\0')
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s >= (char)('0' + base))
			return -EINVAL;
		overflow = overflow || __builtin_mul_overflow(v, base, &v) ||
			   __builtin_add_overflow(v, (unsigned)(*s - '0'), &v);
	}
	if (overflow)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v;
	int r = take_digits(s, 10, &v);

	if (r < 0)
		return r;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_bool(const char *s, bool *ret)
{
	static const char *const words[2][6] = {{"0", "f", "F", "FALSE", "false", "False"},
		{"1", "t", "T", "TRUE", "true", "True"}};

	for (size_t value = 0; value < 2; value++) {
		for (size_t i = 0; i < ELEMENTSOF(words[value]); i++) {
			if (streq(s, words[value][i])) {
				*ret = value != 0;
				return 0;
			}
		}
	}
	return -EINVAL;
}

int parse_mode(const char *s, mode_t *ret)
{
	uint64_t v;
	int r = take_digits(s, 8, &v);

	if (r < 0)
		return r;
	if (v > 07777)
		return -ERANGE;
	*ret = (mode_t)v;
	return 0;
}

static const struct duration_unit {
	const char *name;
	uint64_t ns;
} duration_units[] = {
	/* A name that begins with another one stands before it. */
	{"ns", 1},
	{"us", NSEC_PER_USEC},
	{"\xc2\xb5s", NSEC_PER_USEC}, /* U+00B5, micro sign */
	{"\xce\xbcs", NSEC_PER_USEC}, /* U+03BC, Greek mu */
	{"ms", NSEC_PER_MSEC},
	{"s", NSEC_PER_SEC},
	{"m", 60 * NSEC_PER_SEC},
	{"h", 3600 * NSEC_PER_SEC},
	{"d", 86400 * NSEC_PER_SEC},
};

static const struct duration_unit *take_unit(const char **s)
{
	for (size_t i = 0; i < ELEMENTSOF(duration_units); i++) {
		const char *rest = str_after(*s, duration_units[i].name);

		if (rest) {
			*s = rest;
			return &duration_units[i];
		}
	}
	return NULL;
}

/* One "1.5h": added to *total, what is below a nanosecond dropped. */
static int take_duration_part(const char **s, uint64_t *total)
{
	unsigned __int128 fraction = 0, scale = 1;
	const struct duration_unit *unit;
	uint64_t whole = 0;
	bool digits = false, overflow = false;

	for (; is_digit(**s); (*s)++, digits = true)
		overflow = overflow || __builtin_mul_overflow(whole, 10U, &whole) ||
			   __builtin_add_overflow(whole, (unsigned)(**s - '0'), &whole);
	if (**s == '.') {
		for ((*s)++; is_digit(**s); (*s)++, digits = true) {
			/* 18 digits times a day in ns fit 128 bits and are finer than 1 ns. */
			if (scale < 1000000000000000000ULL) {
				scale *= 10;
				fraction = fraction * 10 + (unsigned)(**s - '0');
			}
		}
	}
	unit = digits ? take_unit(s) : NULL;
	if (!unit)
		return -EINVAL;
	overflow = overflow || __builtin_mul_overflow(whole, unit->ns, &whole) ||
		   __builtin_add_overflow(whole, (uint64_t)(fraction * unit->ns / scale), &whole) ||
		   __builtin_add_overflow(*total, whole, total);
	return overflow ? -ERANGE : 0;
}

int parse_duration(const char *s, uint64_t *ret_ns)
{
	bool negative = *s == '-', overflow = false;
	uint64_t total = 0;

	if (*s == '-' || *s == '+')
		s++;
	if (streq(s, "0")) {
		*ret_ns = 0;
		return 0;
	}
	if (*s == '\0')
		return -EINVAL;
	while (*s) {
		int r = take_duration_part(&s, &total);

		if (r == -EINVAL)
			return r;
		overflow = overflow || r < 0;
	}
	/* Go's type ends at INT64_MAX, some 292 years. */
	if (overflow || total > INT64_MAX || (negative && total > 0))
		return -ERANGE;
	*ret_ns = total;
	return 0;
}
