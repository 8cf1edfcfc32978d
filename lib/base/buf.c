/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c: a growing byte buffer with a limit */
#include "base/buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BUF_FIRST_CAP 64

void buf_done(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = 0;
	b->cap = 0;
}

/* Room for len + n bytes and the NUL. */
static int buf_grow(struct buf *b, size_t n)
{
	size_t need, cap = b->cap ? b->cap : BUF_FIRST_CAP;
	size_t max = b->max < SIZE_MAX ? b->max : SIZE_MAX - 1;
	char *p;

	if (b->len > max || n > max - b->len)
		return -ENOBUFS;
	need = b->len + n + 1;
	if (need <= b->cap)
		return 0;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	if (cap > max + 1)
		cap = max + 1;
	p = realloc(b->data, cap);
	if (!p)
		return -ENOMEM;
	b->data = p;
	b->cap = cap;
	p[b->len] = '\0';
	return 0;
}

char *buf_reserve(struct buf *b, size_t n, int *ret_r)
{
	int r = buf_grow(b, n);

	if (ret_r)
		*ret_r = r;
	if (r < 0)
		return NULL;
	b->data[b->len + n] = '\0';
	return b->data + b->len;
}

int buf_append(struct buf *b, const void *data, size_t n)
{
	int r = buf_grow(b, n);

	if (r < 0)
		return r;
	if (n > 0)
		memcpy(b->data + b->len, data, n);
	buf_commit(b, n);
	return 0;
}

int buf_puts(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n, r;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	r = buf_grow(b, (size_t)n);
	if (r < 0)
		return r;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

void buf_consume(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n + 1);
	b->len -= n;
}

char *buf_take(struct buf *b)
{
	char *p = TAKE_PTR(b->data);

	b->len = 0;
	b->cap = 0;
	return p ? p : calloc(1, 1);
}

void buf_shrink(struct buf *b)
{
	char *p;

	if (b->len == 0) {
		buf_done(b);
		return;
	}
	p = realloc(b->data, b->len + 1);
	if (p) {
		b->data = p;
		b->cap = b->len + 1;
	}
}
