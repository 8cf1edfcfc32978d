/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h: the frames between a parent and its worker, and how their bodies are packed */
#ifndef BERTH_WORKER_FRAME_H
#define BERTH_WORKER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* A reply that lists records fits; a request never comes near. */
#define FRAME_BODY_MAX (1U << 20)

/* On the wire in host order: both ends are one machine and one build. */
struct frame_header {
	uint32_t size;  /* of the body */
	uint32_t id;    /* of the request; the reply carries the same */
	uint32_t kind;  /* the owner's own enumeration */
	int32_t result; /* replies: 0 or -errno; requests: 0 */
};

/* Header and h->size bytes of body, or nothing: -EMSGSIZE above FRAME_BODY_MAX, -ENOBUFS, -ENOMEM.
 */
int frame_append(struct buf *out, const struct frame_header *h, const void *body) _must_check_;
/* 1 with *ret_h and *ret_body (inside in) for a whole frame, 0 for not yet, -EPROTO for a size
 * above the limit. The caller consumes sizeof(header) + size. */
int frame_peek(const struct buf *in, struct frame_header *ret_h, const char **ret_body);

/* Bodies: values in a fixed order. Strings as u32 length + bytes (NULL: UINT32_MAX). The reader is
 * sticky: after the first fault every get gives 0 or NULL and unpack_done() is false. */
int pack_u64(struct buf *b, uint64_t v) _must_check_;
int pack_str(struct buf *b, const char *s) _must_check_;

struct unpack {
	const char *p;
	const char *end;
	bool bad;
};
uint64_t unpack_u64(struct unpack *u);
/* Terminated text inside the body (a NUL is packed after the bytes; bytes with a NUL inside are
 * refused). */
const char *unpack_str(struct unpack *u);
/* Nothing was bad and nothing is left. */
bool unpack_done(const struct unpack *u);

#endif
