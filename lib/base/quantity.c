/* SPDX-License-Identifier: Apache-2.0 */
/* quantity.c: Kubernetes quantities as whole bytes */
#include "base/parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* Longer numbers say nothing that a size needs; apimachinery's own canonical form has at most 19
 * digits. */
#define QUANTITY_DIGITS_MAX 256
/* 10^18 times any digit but 0 is the last power of ten below INT64_MAX. */
#define INTEGER_DIGITS_MAX 19
/* Exponents beyond this give 0, 1 or an overflow whatever the digits are. */
#define EXPONENT_MAX 100000

/* A number as it is written: digits with a point behind the first n_whole, then a suffix. */
struct quantity {
	uint8_t digits[QUANTITY_DIGITS_MAX];
	int n;       /* digits held */
	int n_whole; /* digits before the point; more than n, or negative, once an exponent moved it
		      */
	int shift;   /* power of 1024 to multiply with */
	bool negative;
};

/* Suffixes k to E of a power of 1000, or with i of 1024; also the ones for fractions. */
static const char suffix_letters[] = "KMGTPE";

static int take_number(struct quantity *q, const char **s)
{
	bool point = false, any = false;

	for (;; (*s)++) {
		if (**s == '.' && !point) {
			point = true;
			continue;
		}
		if (**s < '0' || **s > '9')
			break;
		any = true;
		/* Leading zeros take no room. */
		if (q->n == 0 && !point && **s == '0')
			continue;
		if (q->n == QUANTITY_DIGITS_MAX)
			return -EINVAL;
		q->digits[q->n++] = (uint8_t)(**s - '0');
		if (!point)
			q->n_whole++;
	}
	return any ? 0 : -EINVAL;
}

static int take_exponent(struct quantity *q, const char *s)
{
	bool negative = *s == '-';
	int exponent = 0;

	if (*s == '-' || *s == '+')
		s++;
	if (*s == '\0')
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		exponent = exponent * 10 + (*s - '0');
		if (exponent > EXPONENT_MAX)
			exponent = EXPONENT_MAX;
	}
	q->n_whole += negative ? -exponent : exponent;
	return 0;
}

static int take_suffix(struct quantity *q, const char *s)
{
	static const char small[] = "num";
	const char *p;

	if (*s == '\0')
		return 0;
	if (s[1] == '\0') {
		p = strchr(small, *s);
		if (p) {
			q->n_whole -= 9 - 3 * (int)(p - small);
			return 0;
		}
		p = *s == 'k' ? suffix_letters : *s == 'K' ? NULL : strchr(suffix_letters, *s);
		if (!p)
			return -EINVAL;
		q->n_whole += 3 * ((int)(p - suffix_letters) + 1);
		return 0;
	}
	if (s[1] == 'i' && s[2] == '\0') {
		p = strchr(suffix_letters, *s);
		if (!p)
			return -EINVAL;
		q->shift = (int)(p - suffix_letters) + 1;
		return 0;
	}
	return *s == 'e' || *s == 'E' ? take_exponent(q, s + 1) : -EINVAL;
}

static uint8_t digit_at(const struct quantity *q, int i)
{
	return i >= 0 && i < q->n ? q->digits[i] : 0;
}

/* Multiplies the digits behind the point with 1024 in place; what moves before it is the result. */
static unsigned fraction_shift(struct quantity *q)
{
	unsigned carry = 0;

	for (int i = q->n - 1; i >= q->n_whole; i--) {
		unsigned t = q->digits[i] * 1024U + carry;

		q->digits[i] = (uint8_t)(t % 10);
		carry = t / 10;
	}
	return carry;
}

static bool fraction_left(const struct quantity *q)
{
	for (int i = q->n_whole < 0 ? 0 : q->n_whole; i < q->n; i++)
		if (q->digits[i] != 0)
			return true;
	return false;
}

static bool is_zero(const struct quantity *q)
{
	for (int i = 0; i < q->n; i++)
		if (q->digits[i] != 0)
			return false;
	return true;
}

static void drop_leading_zeros(struct quantity *q)
{
	int zeros = 0;

	while (zeros < q->n && q->digits[zeros] == 0)
		zeros++;
	if (zeros == 0)
		return;
	memmove(q->digits, q->digits + zeros, (size_t)(q->n - zeros));
	q->n -= zeros;
	q->n_whole -= zeros;
}

/* The value rounded up; -ERANGE above INT64_MAX. */
static int quantity_value(struct quantity *q, int64_t *ret)
{
	uint64_t v = 0;

	if (is_zero(q)) {
		*ret = 0;
		return 0;
	}
	if (q->negative)
		return -ERANGE;
	/* Powers of ten move the point; only without them is there a shift, and the point within.
	 */
	if (q->shift == 0)
		drop_leading_zeros(q);
	if (q->n_whole > INTEGER_DIGITS_MAX)
		return -ERANGE;
	for (int i = 0; i < q->n_whole; i++)
		v = v * 10 + digit_at(q, i);
	for (int i = 0; i < q->shift; i++) {
		unsigned carry = fraction_shift(q);

		if (__builtin_mul_overflow(v, 1024U, &v) || __builtin_add_overflow(v, carry, &v))
			return -ERANGE;
	}
	if (fraction_left(q))
		v++;
	if (v > INT64_MAX)
		return -ERANGE;
	*ret = (int64_t)v;
	return 0;
}

int parse_quantity(const char *s, int64_t *ret_bytes)
{
	struct quantity q = {.negative = *s == '-'};

	if (*s == '-' || *s == '+')
		s++;
	if (take_number(&q, &s) < 0 || take_suffix(&q, s) < 0)
		return -EINVAL;
	return quantity_value(&q, ret_bytes);
}

char *format_quantity(int64_t bytes, char dst[static 24])
{
	size_t power = 0;

	while (bytes != 0 && bytes % 1024 == 0 && power < sizeof(suffix_letters) - 1) {
		bytes /= 1024;
		power++;
	}
	if (power == 0)
		snprintf(dst, 24, "%lld", (long long)bytes);
	else
		snprintf(dst, 24, "%lld%ci", (long long)bytes, suffix_letters[power - 1]);
	return dst;
}
