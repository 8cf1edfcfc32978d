/* SPDX-License-Identifier: Apache-2.0 */
/* mount_order.c: what the front asks of a mount child */
#include "agent/mount_order.h"

#include <errno.h>

#include "worker/frame.h"

int mount_order_pack(struct buf *b, const struct mount_order *o)
{
	const char *const texts[] = {o->target, o->id, o->server, o->address, o->path, o->options,
		o->directory, o->identity};
	const uint64_t numbers[] = {
		o->version, o->export_flags, o->flags, o->rung, o->rmdir ? 1 : 0};
	int r = 0;

	for (size_t i = 0; i < ELEMENTSOF(texts) && r >= 0; i++)
		r = pack_str(b, texts[i]);
	for (size_t i = 0; i < ELEMENTSOF(numbers) && r >= 0; i++)
		r = pack_u64(b, numbers[i]);
	return r;
}

int mount_order_unpack(struct mount_order *ret, const char *body, size_t size)
{
	struct unpack u = {.p = body, .end = body + size};

	*ret = (struct mount_order){.target = unpack_str(&u)};
	ret->id = unpack_str(&u);
	ret->server = unpack_str(&u);
	ret->address = unpack_str(&u);
	ret->path = unpack_str(&u);
	ret->options = unpack_str(&u);
	ret->directory = unpack_str(&u);
	ret->identity = unpack_str(&u);
	ret->version = (uint32_t)unpack_u64(&u);
	ret->export_flags = (uint32_t)unpack_u64(&u);
	ret->flags = (uint32_t)unpack_u64(&u);
	ret->rung = (uint32_t)unpack_u64(&u);
	ret->rmdir = unpack_u64(&u) != 0;
	return unpack_done(&u) ? 0 : -EPROTO;
}
