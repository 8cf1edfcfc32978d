/* SPDX-License-Identifier: Apache-2.0 */
/* bind.h: a directory bound to a target, built detached and attached once */
#ifndef BERTH_MOUNT_BIND_H
#define BERTH_MOUNT_BIND_H

#include <stdint.h>

#include "mount/flags.h"
#include "mount/place.h"

struct bind {
	struct place source; /* a directory */
	const int *rootfd;   /* the source's root, opened already, or NULL */
	struct place target; /* made with mode 0750 (less the umask); its parent is there already */
	uint32_t flags;      /* MOUNTF_BIND. What the source's mount has is kept: never relaxed */
	bool same_filesystem; /* refuse a source behind a mount point below its root (disks) */
};

enum bind_outcome {
	BIND_MADE,
	BIND_ALREADY, /* was mounted so */
	BIND_MENDED,  /* what was mounted there had lost its file system (stale, server gone for
			 good) and  was taken away first */
};

/*
 * Afterwards exactly one mount is at the target, of the source's directory, with the flags.
 * Repeatable without end; the caller keeps two calls for one target apart. On failure everything is
 * as before, but for a corrupted mount that was taken away.
 *
 * -EEXIST  something else, or with other flags, is mounted there
 * -ENOTDIR source or target is a file or a symlink; -ENOTEMPTY the target has files in it
 * -ENOENT  the source, or the target's parent, is missing
 * -ELOOP, -EXDEV the way to either leaves its root
 * -ESTALE  the source is gone from its server
 *
 * Where nothing is mounted yet and the source may lie on a server (same_filesystem is not set), the
 * server is asked for every directory on the way: never a directory that only was there.
 */
int bind_make(const struct bind *b, enum bind_outcome *ret, struct err *e);

#endif
