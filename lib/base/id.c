/* SPDX-License-Identifier: Apache-2.0 */
/* id.c: UUIDs and random tokens */
#include "base/id.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/random.h>

static const char hex_digits[] = "0123456789abcdef";

static bool dash_at(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int uuid_parse(const char *s, struct uuid *ret)
{
	struct uuid u = {{0}};
	size_t n = 0;

	for (size_t i = 0; i < UUID_TEXT_MAX - 1; i++) {
		int v = hex_value(s[i]);

		if (dash_at(i)) {
			if (s[i] != '-')
				return -EINVAL;
			continue;
		}
		if (v < 0)
			return -EINVAL;
		u.b[n / 2] = (uint8_t)(u.b[n / 2] << 4 | v);
		n++;
	}
	if (s[UUID_TEXT_MAX - 1] != '\0')
		return -EINVAL;
	*ret = u;
	return 0;
}

static char *hex_put(char *dst, uint8_t byte)
{
	*dst++ = hex_digits[byte >> 4];
	*dst++ = hex_digits[byte & 15];
	return dst;
}

char *uuid_format(const struct uuid *u, char dst[static UUID_TEXT_MAX])
{
	char *p = dst;

	for (size_t i = 0; i < sizeof(u->b); i++) {
		if (dash_at((size_t)(p - dst)))
			*p++ = '-';
		p = hex_put(p, u->b[i]);
	}
	*p = '\0';
	return dst;
}

void uuid_random(struct uuid *ret)
{
	random_bytes(ret->b, sizeof(ret->b));
	/* RFC 9562 section 5.4: version 4, variant 10. */
	ret->b[6] = (uint8_t)((ret->b[6] & 0x0f) | 0x40);
	ret->b[8] = (uint8_t)((ret->b[8] & 0x3f) | 0x80);
}

void random_bytes(void *dst, size_t size)
{
	char *p = dst;

	while (size > 0) {
		ssize_t n = getrandom(p, size, 0);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			abort();
		}
		p += n;
		size -= (size_t)n;
	}
}

uint64_t random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}

uint64_t random_below(uint64_t n)
{
	/* Values from the incomplete last run of n are drawn again, or small results would be
	 * likelier. */
	uint64_t limit = UINT64_MAX - UINT64_MAX % n;
	uint64_t v;

	do
		v = random_u64();
	while (v >= limit);
	return v % n;
}

char *token_random(char dst[static TOKEN_TEXT_MAX])
{
	uint8_t raw[(TOKEN_TEXT_MAX - 1) / 2];
	char *p = dst;

	random_bytes(raw, sizeof(raw));
	for (size_t i = 0; i < sizeof(raw); i++)
		p = hex_put(p, raw[i]);
	*p = '\0';
	return dst;
}
