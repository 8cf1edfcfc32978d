/* SPDX-License-Identifier: Apache-2.0 */
/* mount_order.h: what the front asks of a mount child: bodies of lib/worker's frames */
#ifndef BERTH_AGENT_MOUNT_ORDER_H
#define BERTH_AGENT_MOUNT_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Frames' kinds. Every order can be repeated. A reply's result is 0 or -errno; its body is the text
 * of the error then, else what is said here, packed.
 */
enum mount_order_kind {
	/*
	 * Binds export id's (or the pool's) directory at target. Reply: nothing, or where the order
	 * mounted the export, nfs_mounted.note.
	 * -ENOMEDIUM: the export is not mounted and the order has no address to mount it from.
	 */
	MOUNT_ORDER_PUBLISH = 1,
	/* Takes away what is mounted at target by one rung of unmount.h, and with rmdir the
	 * directory. Reply: u64, mounts that were taken away. */
	MOUNT_ORDER_UNMOUNT,
	/* The same for the mount of export id, with its directory. */
	MOUNT_ORDER_DROP,
	/* Reply: a mounter_usage, as u64s in its order. */
	MOUNT_ORDER_SPACE,
	/* Reply: u64, enum mounter_sharing; and the text for MOUNTER_REFUSED. */
	MOUNT_ORDER_RSHARED,
	/* Asks the kernel for its NFS client, which loads it where it is a module. Reply: nothing.
	 */
	MOUNT_ORDER_CLIENT,
	_MOUNT_ORDER_MAX
};

struct mount_order {
	const char *target; /* beneath the kubelet's root */
	/* PUBLISH, and id for DROP. id NULL: pool is the source. */
	const char *id;
	const char *server;
	const char *address; /* numeric; NULL: only if it is mounted already */
	const char *path;    /* of the export; or the pool's root */
	const char *options; /* NFS data */
	uint32_t version;
	uint32_t export_flags; /* MOUNTF_* */
	uint32_t flags;        /* of the bind */
	const char *directory; /* beneath path, "" for all of it */
	const char *identity;  /* of the pool, "" for any (pool.h); NULL: not looked at */
	/* UNMOUNT, DROP */
	uint32_t rung;
	bool rmdir;
};

int mount_order_pack(struct buf *b, const struct mount_order *o) _must_check_;
/* Strings point into body. -EPROTO. */
int mount_order_unpack(struct mount_order *ret, const char *body, size_t size) _must_check_;

#endif
