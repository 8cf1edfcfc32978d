/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c: the memory of one decoded request or encoded answer */
#include "csi/arena.h"

#include <stdalign.h>
#include <stdlib.h>

/* One block serves a request of the kubelet. */
#define BLOCK_SIZE 4096

struct arena_block {
	struct arena_block *next;
	alignas(max_align_t) char data[];
};

static void *on_alloc(void *userdata, size_t size)
{
	return arena_alloc(userdata, size);
}

/* Everything goes together, in arena_done(). */
static void on_free(void *userdata, void *p)
{
	(void)userdata;
	(void)p;
}

void arena_init(struct arena *a)
{
	*a = (struct arena){.allocator = {.alloc = on_alloc, .free = on_free, .allocator_data = a}};
}

void arena_done(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *next = a->blocks->next;

		free(a->blocks);
		a->blocks = next;
	}
	a->at = NULL;
	a->left = 0;
}

static bool add_block(struct arena *a, size_t size)
{
	size_t n = size > BLOCK_SIZE ? size : BLOCK_SIZE;
	struct arena_block *block = calloc(1, sizeof(*block) + n);

	if (!block) {
		a->is_short = true;
		return false;
	}
	block->next = a->blocks;
	a->blocks = block;
	a->at = block->data;
	a->left = n;
	return true;
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t align = alignof(max_align_t), need;
	void *p;

	if (size >= ARENA_MAX - a->used) {
		a->is_full = true;
		return NULL;
	}
	need = (size + align) / align * align; /* size + 1, rounded up */
	if (need > a->left && !add_block(a, need))
		return NULL;
	p = a->at;
	a->at += need;
	a->left -= need;
	a->used += need < ARENA_MAX - a->used ? need : ARENA_MAX - a->used;
	return p;
}
