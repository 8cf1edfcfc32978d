/* SPDX-License-Identifier: Apache-2.0 */
/* str.h: small helpers for terminated strings, and an interning pool for those that repeat
 * thousands of times */
#ifndef BERTH_BASE_STR_H
#define BERTH_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

static inline bool streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* NULL equals only NULL. */
static inline bool streq_null(const char *a, const char *b)
{
	return a && b ? streq(a, b) : a == b;
}

static inline bool str_empty(const char *s)
{
	return !s || !*s;
}

static inline const char *str_or(const char *s, const char *fallback)
{
	return s ? s : fallback;
}

/* 64 bits, the same in every process and version (FNV-1a): for names and keys that an administrator
 * chose, not for tables that strangers fill (map.h). */
uint64_t str_hash(const char *s);

/* The rest of s after prefix, NULL where s does not begin with it. */
static inline const char *str_after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool str_ends_with(const char *s, const char *suffix);

/* Copies with termination; -ENAMETOOLONG and dst untouched where src does not fit. */
int str_copy(char *dst, size_t size, const char *src) _must_check_;

/* Copies and cuts; always terminated. Returns dst. */
char *str_copy_cut(char *dst, size_t size, const char *src);

/* snprintf that fails with -ENAMETOOLONG instead of cutting. */
int str_format(char *dst, size_t size, const char *fmt, ...) _printf_(3, 4) _must_check_;

/* Replaces *p by a copy of s (s may be NULL or part of *p). -ENOMEM leaves *p alone. */
int str_replace(char **p, const char *s);

/*
 * Decodes one character from at most n bytes (4 for terminated text): its length in bytes, 0 where
 * there is no valid UTF-8 (overlong, surrogate, above U+10FFFF, cut) or n is 0.
 */
size_t str_utf8_next(const char *s, size_t n, uint32_t *ret_rune);

/* A control character of either set, C0 and DEL or C1, which terminals obey. */
static inline bool rune_is_control(uint32_t rune)
{
	return rune < 0x20 || (rune >= 0x7f && rune < 0xa0);
}

/* Rewrites control bytes, ESC and invalid UTF-8 as \xNN into dst; always terminated, cut at size.
 * Returns dst. */
char *str_escape(char *dst, size_t size, const char *src);

/*
 * Interned strings: equal text gives the same pointer, counted. For values such as a namespace, a
 * class or a server that thousands of cached objects share. Not for texts of unbounded variety.
 */
struct strpool;
int strpool_new(struct strpool **ret);
struct strpool *strpool_free(
	struct strpool *p); /* every string must have been dropped; returns NULL */
/* NULL for s == NULL; *ret stays valid until as many strpool_drop() calls. */
int strpool_get(struct strpool *p, const char *s, const char **ret);
void strpool_drop(struct strpool *p, const char *s);
DEFINE_CLEANUP(struct strpool *, strpool_free)

#endif
