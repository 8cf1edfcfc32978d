/* SPDX-License-Identifier: Apache-2.0 */
/* lines.c: a watch's body as lines, whatever the pieces it comes in */
#include "kube/lines.h"

#include <errno.h>
#include <string.h>

/* What is kept between two lines. */
#define IDLE_KEEP 16384

void lines_init(struct lines *l)
{
	l->part = BUF_NULL(LINES_MAX);
}

void lines_done(struct lines *l)
{
	buf_done(&l->part);
}

void lines_reset(struct lines *l)
{
	if (l->part.cap > IDLE_KEEP)
		buf_done(&l->part);
	else
		buf_reset(&l->part);
}

static int line_end(struct lines *l, const char *data, size_t n, lines_fn fn, void *userdata)
{
	int r;

	/* The common case: the whole line lies in the piece, nothing is copied. */
	if (l->part.len == 0) {
		if (n > LINES_MAX)
			return -E2BIG;
		return n > 0 ? fn(userdata, data, n) : 0;
	}
	r = buf_append(&l->part, data, n);
	if (r < 0)
		return r == -ENOBUFS ? -E2BIG : r;
	r = fn(userdata, l->part.data, l->part.len);
	lines_reset(l);
	return r;
}

int lines_feed(struct lines *l, const char *data, size_t n, lines_fn fn, void *userdata)
{
	const char *end = data + n;
	int r;

	while (data < end) {
		const char *newline = memchr(data, '\n', (size_t)(end - data));

		if (!newline)
			break;
		r = line_end(l, data, (size_t)(newline - data), fn, userdata);
		if (r != 0)
			return r;
		data = newline + 1;
	}
	r = buf_append(&l->part, data, (size_t)(end - data));
	return r == -ENOBUFS ? -E2BIG : r;
}
