/* SPDX-License-Identifier: Apache-2.0 */
/* buf.h: a growing byte buffer with a limit that its owner sets */
#ifndef BERTH_BASE_BUF_H
#define BERTH_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/cleanup.h"

/*
 * data is always followed by a NUL byte that len does not count (data is NULL while nothing was
 * ever appended). max bounds len; appending beyond it is -ENOBUFS and changes nothing.
 */
struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max;
};

#define BUF_NULL(limit) ((struct buf){.max = (limit)})

void buf_done(struct buf *b);
static inline void buf_reset(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

/*
 * Makes room for n more bytes and returns where they go; buf_commit() then says how many came.
 * NULL with -errno in *ret_r (may be NULL).
 */
char *buf_reserve(struct buf *b, size_t n, int *ret_r);

/* n bytes, at most as many as were reserved, were written to where buf_reserve() pointed. */
static inline void buf_commit(struct buf *b, size_t n)
{
	b->len += n;
	b->data[b->len] = '\0';
}

int buf_append(struct buf *b, const void *data, size_t n) _must_check_;
int buf_puts(struct buf *b, const char *s) _must_check_;
int buf_printf(struct buf *b, const char *fmt, ...) _printf_(2, 3) _must_check_;
/* Drops n bytes from the front (n <= len). */
void buf_consume(struct buf *b, size_t n);
/*
 * The terminated text, now the caller's to free(); b is empty after. An empty buffer gives a fresh
 * "", or NULL where memory ran out.
 */
char *buf_take(struct buf *b);
/* Gives memory back that is not used; never fails. */
void buf_shrink(struct buf *b);

#define _cleanup_buf_ _cleanup_(buf_done)

#endif
