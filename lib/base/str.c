/* SPDX-License-Identifier: Apache-2.0 */
/* str.c: small helpers for terminated strings */
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

bool str_ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

int str_copy(char *dst, size_t size, const char *src)
{
	size_t n = strlen(src);

	if (n >= size)
		return -ENAMETOOLONG;
	memmove(dst, src, n + 1);
	return 0;
}

char *str_copy_cut(char *dst, size_t size, const char *src)
{
	size_t n = strlen(src);

	if (size == 0)
		return dst;
	if (n >= size) {
		n = size - 1;
		/* Not in the middle of a character. */
		for (int i = 0; i < 3 && n > 0 && ((unsigned char)src[n] & 0xc0) == 0x80; i++)
			n--;
	}
	memmove(dst, src, n);
	dst[n] = '\0';
	return dst;
}

int str_format(char *dst, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(dst, size, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	return (size_t)n < size ? 0 : -ENAMETOOLONG;
}

int str_replace(char **p, const char *s)
{
	char *copy = NULL;

	if (s) {
		copy = strdup(s);
		if (!copy)
			return -ENOMEM;
	}
	free(*p);
	*p = copy;
	return 0;
}

size_t str_utf8_next(const char *s, size_t n, uint32_t *ret_rune)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t rune, least;
	size_t len;

	if (n == 0)
		return 0;
	if (p[0] < 0x80) {
		*ret_rune = p[0];
		return 1;
	}
	if ((p[0] & 0xe0) == 0xc0) {
		len = 2, least = 0x80, rune = p[0] & 0x1f;
	} else if ((p[0] & 0xf0) == 0xe0) {
		len = 3, least = 0x800, rune = p[0] & 0x0f;
	} else if ((p[0] & 0xf8) == 0xf0) {
		len = 4, least = 0x10000, rune = p[0] & 0x07;
	} else {
		return 0;
	}
	if (len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		rune = rune << 6 | (p[i] & 0x3f);
	}
	if (rune < least || rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff))
		return 0;
	*ret_rune = rune;
	return len;
}

char *str_escape(char *dst, size_t size, const char *src)
{
	size_t used = 0;

	if (size == 0)
		return dst;
	while (*src) {
		uint32_t rune = 0;
		size_t n = str_utf8_next(src, 4, &rune);
		bool plain = n > 0 && !rune_is_control(rune);

		if (n == 0)
			n = 1;
		if (used + (plain ? n : 4 * n) >= size)
			break;
		for (; n > 0; n--, src++) {
			if (plain)
				dst[used++] = *src;
			else
				used += (size_t)snprintf(
					dst + used, size - used, "\\x%02x", (unsigned char)*src);
		}
	}
	dst[used] = '\0';
	return dst;
}

/* draft-eastlake-fnv */
#define FNV_OFFSET 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

uint64_t str_hash(const char *s)
{
	uint64_t h = FNV_OFFSET;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * FNV_PRIME;
	return h;
}
