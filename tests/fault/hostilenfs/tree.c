/* SPDX-License-Identifier: Apache-2.0 */
/* tree.c: XDR and the tree in memory that hostilenfs serves when it behaves */
#include <arpa/inet.h>
#include <string.h>

#include "hostile.h"

struct node nodes[NODES_MAX];

uint32_t get32(struct xdr_in *in)
{
	uint32_t v;

	if (in->left < 4) {
		in->bad = true;
		return 0;
	}
	memcpy(&v, in->p, 4);
	in->p += 4;
	in->left -= 4;
	return ntohl(v);
}

uint64_t get64(struct xdr_in *in)
{
	uint64_t high = get32(in);

	return high << 32 | get32(in);
}

const uint8_t *get_opaque(struct xdr_in *in, uint32_t *ret_size)
{
	uint32_t size = get32(in);
	size_t padded = ((size_t)size + 3) & ~(size_t)3;
	const uint8_t *p = in->p;

	if (padded > in->left) {
		in->bad = true;
		size = 0;
		padded = 0;
	}
	in->p += padded;
	in->left -= padded;
	*ret_size = size;
	return p;
}

/* Replies are made from bounded pieces; one that would not fit is cut, which is hostile enough. */
void put32(struct xdr_out *out, uint32_t v)
{
	v = htonl(v);
	if (out->len + 4 > REPLY_MAX)
		return;
	memcpy(out->p + out->len, &v, 4);
	out->len += 4;
}

void put64(struct xdr_out *out, uint64_t v)
{
	put32(out, (uint32_t)(v >> 32));
	put32(out, (uint32_t)v);
}

void put_opaque(struct xdr_out *out, const void *data, size_t size)
{
	size_t padded = (size + 3) & ~(size_t)3;

	out->last_length = out->len;
	put32(out, (uint32_t)size);
	if (out->len + padded > REPLY_MAX)
		return;
	memcpy(out->p + out->len, data, size);
	memset(out->p + out->len + size, 0, padded - size);
	out->len += padded;
}

void tree_init(void)
{
	nodes[0] = (struct node){.used = true, .dir = true, .mode = 0777};
}

int tree_find(uint32_t parent, const uint8_t *name, uint32_t size)
{
	for (int i = 1; i < NODES_MAX; i++)
		if (nodes[i].used && nodes[i].parent == parent && strlen(nodes[i].name) == size &&
			!memcmp(nodes[i].name, name, size))
			return i;
	return -1;
}

int tree_add(uint32_t parent, const uint8_t *name, uint32_t size, bool dir)
{
	uint32_t generation;

	for (int i = 1; i < NODES_MAX; i++) {
		if (nodes[i].used)
			continue;
		generation = nodes[i].generation + 1;
		memset(&nodes[i], 0, sizeof nodes[i]);
		nodes[i].used = true;
		nodes[i].dir = dir;
		nodes[i].parent = parent;
		nodes[i].generation = generation;
		nodes[i].mode = dir ? 0755 : 0644;
		memcpy(nodes[i].name, name, size);
		return i;
	}
	return -1;
}

bool tree_has_children(uint32_t dir)
{
	for (int i = 1; i < NODES_MAX; i++)
		if (nodes[i].used && nodes[i].parent == dir)
			return true;
	return false;
}

static uint32_t add(uint32_t parent, const char *name, bool dir)
{
	return (uint32_t)tree_add(parent, (const uint8_t *)name, (uint32_t)strlen(name), dir);
}

void tree_trash(const char *name)
{
	uint32_t top = add(add(add(0, ".berth", true), "trash", true), name, true);
	uint32_t below = add(top, "directory", true);
	char file[8] = "file-0";

	for (int i = 0; i < 20; i++) {
		file[5] = (char)('a' + i);
		add(i % 2 ? top : below, file, false);
	}
}
