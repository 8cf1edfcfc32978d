/* SPDX-License-Identifier: Apache-2.0 */
/* frame.c: frames between a parent and its worker, and how their bodies are packed */
#include "worker/frame.h"

#include <errno.h>
#include <string.h>

/* The length of a string that is NULL. */
#define NO_STRING UINT32_MAX

int frame_append(struct buf *out, const struct frame_header *h, const void *body)
{
	char *p;
	int r;

	if (h->size > FRAME_BODY_MAX)
		return -EMSGSIZE;
	p = buf_reserve(out, sizeof(*h) + h->size, &r);
	if (!p)
		return r;
	memcpy(p, h, sizeof(*h));
	if (h->size > 0)
		memcpy(p + sizeof(*h), body, h->size);
	buf_commit(out, sizeof(*h) + h->size);
	return 0;
}

int frame_peek(const struct buf *in, struct frame_header *ret_h, const char **ret_body)
{
	struct frame_header h;

	if (in->len < sizeof(h))
		return 0;
	memcpy(&h, in->data, sizeof(h));
	if (h.size > FRAME_BODY_MAX)
		return -EPROTO;
	if (in->len - sizeof(h) < h.size)
		return 0;
	*ret_h = h;
	*ret_body = in->data + sizeof(h);
	return 1;
}

int pack_u64(struct buf *b, uint64_t v)
{
	return buf_append(b, &v, sizeof(v));
}

/* Length and bytes, or nothing at all: no half of a value stays behind. */
static int pack_sized(struct buf *b, uint32_t size, const void *p, size_t n)
{
	char *dst;
	int r;

	dst = buf_reserve(b, sizeof(size) + n, &r);
	if (!dst)
		return r;
	memcpy(dst, &size, sizeof(size));
	if (n > 0)
		memcpy(dst + sizeof(size), p, n);
	buf_commit(b, sizeof(size) + n);
	return 0;
}

int pack_str(struct buf *b, const char *s)
{
	size_t n;

	if (!s)
		return pack_sized(b, NO_STRING, NULL, 0);
	n = strlen(s);
	if (n > FRAME_BODY_MAX)
		return -EMSGSIZE;
	return pack_sized(b, (uint32_t)n, s, n + 1);
}

/* The next n bytes, NULL after a fault. */
static const char *unpack_raw(struct unpack *u, size_t n)
{
	const char *p = u->p;

	if (u->bad || (size_t)(u->end - u->p) < n) {
		u->bad = true;
		return NULL;
	}
	u->p += n;
	return p;
}

uint64_t unpack_u64(struct unpack *u)
{
	const char *p = unpack_raw(u, sizeof(uint64_t));
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t unpack_size(struct unpack *u)
{
	const char *p = unpack_raw(u, sizeof(uint32_t));
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

const char *unpack_str(struct unpack *u)
{
	uint32_t n = unpack_size(u);
	const char *p;

	if (u->bad || n == NO_STRING)
		return NULL;
	p = unpack_raw(u, (size_t)n + 1);
	if (p && memchr(p, '\0', (size_t)n + 1) != p + n) {
		u->bad = true;
		return NULL;
	}
	return p;
}

bool unpack_done(const struct unpack *u)
{
	return !u->bad && u->p == u->end;
}
