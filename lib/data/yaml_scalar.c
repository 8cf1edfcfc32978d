/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_scalar.c: plain scalars to null, booleans, numbers or strings */
#include "data/yaml_scalar.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

static bool among(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (streq(s, *words))
			return true;
	return false;
}

static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
static const char *const trues[] = {"true", "True", "TRUE", NULL};
static const char *const falses[] = {"false", "False", "FALSE", NULL};
static const char *const not_json[] = {".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf",
	"+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", NULL};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *s)
{
	while (is_digit(*s))
		s++;
	return s;
}

static const char *skip_sign(const char *s)
{
	return *s == '-' || *s == '+' ? s + 1 : s;
}

/* [-+]? [0-9]+ */
static bool is_decimal(const char *s)
{
	s = skip_sign(s);
	return is_digit(*s) && !*skip_digits(s);
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_float(const char *s)
{
	bool digits;

	s = skip_sign(s);
	digits = is_digit(*s);
	s = skip_digits(s);
	if (*s == '.') {
		digits = digits || is_digit(s[1]);
		s = skip_digits(s + 1);
	}
	if (!digits)
		return false;
	if (*s == 'e' || *s == 'E') {
		s = skip_sign(s + 1);
		if (!is_digit(*s))
			return false;
		s = skip_digits(s);
	}
	return !*s;
}

/* 0x[0-9a-fA-F]+ and 0o[0-7]+; the base, or 0. */
static int radix_of(const char *s)
{
	const char *rest;

	if ((rest = str_after(s, "0x")) && *rest && !rest[strspn(rest, "0123456789abcdefABCDEF")])
		return 16;
	if ((rest = str_after(s, "0o")) && *rest && !rest[strspn(rest, "01234567")])
		return 8;
	return 0;
}

static int to_integer(const char *digits, int base, json_t **ret)
{
	long long n;

	errno = 0;
	n = strtoll(digits, NULL, base);
	if (errno == ERANGE)
		return -ERANGE;
	*ret = json_integer(n);
	return *ret ? 0 : -ENOMEM;
}

static int to_real(const char *text, json_t **ret)
{
	double v = strtod(text, NULL);

	if (!isfinite(v))
		return -ERANGE;
	*ret = json_real(v);
	return *ret ? 0 : -ENOMEM;
}

static int to_string(const char *text, size_t size, json_t **ret)
{
	*ret = json_stringn(text, size);
	return *ret ? 0 : -ENOMEM;
}

int yaml_scalar_to_json(const char *text, size_t size, bool plain, json_t **ret)
{
	if (!plain || strlen(text) != size)
		return to_string(text, size, ret);
	if (among(text, nulls))
		*ret = json_null();
	else if (among(text, trues))
		*ret = json_true();
	else if (among(text, falses))
		*ret = json_false();
	else if (among(text, not_json))
		return -EBADMSG;
	else if (radix_of(text) > 0)
		return to_integer(text + 2, radix_of(text), ret);
	else if (is_decimal(text))
		return to_integer(text, 10, ret);
	else if (is_float(text))
		return to_real(text, ret);
	else
		return to_string(text, size, ret);
	return 0;
}
