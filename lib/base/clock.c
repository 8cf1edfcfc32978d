/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c: reading clocks, writing and reading RFC 3339 */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static uint64_t clock_get(clockid_t id)
{
	struct timespec ts;

	/* Fails for unknown clocks only. */
	if (clock_gettime(id, &ts) < 0)
		abort();
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t clock_now(void)
{
	return clock_get(CLOCK_BOOTTIME);
}

uint64_t clock_real(void)
{
	return clock_get(CLOCK_REALTIME);
}

static struct tm broken_down(uint64_t real_ns)
{
	time_t sec = (time_t)(real_ns / NSEC_PER_SEC);
	struct tm tm;

	/* 64 bits of nanoseconds end in the year 2554, which gmtime_r() can do. */
	gmtime_r(&sec, &tm);
	return tm;
}

char *clock_format(uint64_t real_ns, char dst[static CLOCK_TEXT_MAX])
{
	struct tm tm = broken_down(real_ns);

	strftime(dst, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return dst;
}

char *clock_format_micro(uint64_t real_ns, char dst[static CLOCK_TEXT_MAX])
{
	struct tm tm = broken_down(real_ns);
	size_t n = strftime(dst, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);

	snprintf(dst + n, CLOCK_TEXT_MAX - n, ".%06uZ",
		(unsigned)(real_ns % NSEC_PER_SEC / NSEC_PER_USEC));
	return dst;
}

char *clock_format_compact(uint64_t real_ns, char dst[static CLOCK_TEXT_MAX])
{
	struct tm tm = broken_down(real_ns);

	strftime(dst, CLOCK_TEXT_MAX, "%Y%m%dT%H%M%SZ", &tm);
	return dst;
}

/* Reads exactly n digits and then the byte end (unless that is NUL); the value or -1, *s moves on.
 */
static int take_number(const char **s, int n, char end)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return -1;
		v = v * 10 + (**s - '0');
	}
	if (end != '\0') {
		if (**s != end)
			return -1;
		(*s)++;
	}
	return v;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)))
		return 29;
	return days[month - 1];
}

/* Seconds since 1970 of a date and time of day. */
static int take_seconds(const char **s, int64_t *ret)
{
	int year = take_number(s, 4, '-'), month, day, hour, min, sec;
	int64_t days;

	if (year < 0 || (month = take_number(s, 2, '-')) < 1 || month > 12)
		return -EINVAL;
	if ((day = take_number(s, 2, 'T')) < 1 || day > days_in_month(year, month))
		return -EINVAL;
	if ((hour = take_number(s, 2, ':')) < 0 || hour > 23)
		return -EINVAL;
	if ((min = take_number(s, 2, ':')) < 0 || min > 59)
		return -EINVAL;
	if ((sec = take_number(s, 2, '\0')) < 0 || sec > 59)
		return -EINVAL;

	/* Years that begin in March, so that the leap day is the last one. */
	if (month <= 2)
		year--;
	days = (int64_t)year * 365 + year / 4 - year / 100 + year / 400;
	days += (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	days -= 719468; /* 1970-01-01 counted from 0000-03-01 */
	*ret = ((days * 24 + hour) * 60 + min) * 60 + sec;
	return 0;
}

/* An optional fraction, digits behind the ninth dropped. */
static int take_fraction(const char **s, int64_t *ret_ns)
{
	int64_t ns = 0, unit = (int64_t)NSEC_PER_SEC / 10;

	if (**s == '.') {
		(*s)++;
		if (**s < '0' || **s > '9')
			return -EINVAL;
		for (; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
			ns += (**s - '0') * unit;
	}
	*ret_ns = ns;
	return 0;
}

static int take_offset(const char **s, int64_t *ret_sec)
{
	char sign = **s;
	int hour, min;

	(*s)++;
	*ret_sec = 0;
	if (sign == 'Z')
		return 0;
	if (sign != '+' && sign != '-')
		return -EINVAL;
	if ((hour = take_number(s, 2, ':')) < 0 || hour > 23)
		return -EINVAL;
	if ((min = take_number(s, 2, '\0')) < 0 || min > 59)
		return -EINVAL;
	*ret_sec = (hour * 60 + min) * 60;
	if (sign == '-')
		*ret_sec = -*ret_sec;
	return 0;
}

int clock_parse(const char *s, uint64_t *ret_real_ns)
{
	int64_t sec, ns, offset;

	if (take_seconds(&s, &sec) < 0 || take_fraction(&s, &ns) < 0 ||
		take_offset(&s, &offset) < 0 || *s != '\0')
		return -EINVAL;
	sec -= offset;
	if (sec < 0 || (uint64_t)sec > UINT64_MAX / NSEC_PER_SEC - 1)
		return -EINVAL;
	*ret_real_ns = (uint64_t)sec * NSEC_PER_SEC + (uint64_t)ns;
	return 0;
}
