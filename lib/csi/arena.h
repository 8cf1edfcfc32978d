/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h: the memory of one decoded request or encoded answer: bounded, and given back at once */
#ifndef BERTH_CSI_ARENA_H
#define BERTH_CSI_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

/*
 * What a message of 4 MiB may become in memory. An entry of a map takes two bytes on the wire and
 * some 130 decoded: without a bound a peer would get half a gigabyte for its 4 MiB.
 */
#define ARENA_MAX (16U << 20)

struct arena {
	struct arena_block *blocks;
	char *at;      /* in the newest block */
	size_t left;   /* there */
	size_t used;   /* of ARENA_MAX */
	bool is_full;  /* something was asked for beyond ARENA_MAX */
	bool is_short; /* memory ran out */
	ProtobufCAllocator allocator;
};

void arena_init(struct arena *a);
void arena_done(struct arena *a);
/* Aligned for everything, zeroed, and followed by a zero byte: what protobuf-c copies into it as
 * bytes is a terminated string. NULL beyond ARENA_MAX or where memory ran out. */
void *arena_alloc(struct arena *a, size_t size);

#endif
