/* SPDX-License-Identifier: Apache-2.0 */
/* unmount.h: a target unmounted rung by rung, and its directory removed */
#ifndef BERTH_MOUNT_UNMOUNT_H
#define BERTH_MOUNT_UNMOUNT_H

#include "mount/place.h"

/*
 * The ladder of contracts.md 6.7. Each rung is a call of its own and may block where the server is
 * frozen: the parent gives it a deadline, kills the child, and sends the next one to another child.
 */
enum unmount_rung {
	UNMOUNT_NORMAL, /* umount2(UMOUNT_NOFOLLOW): flushes; 10 s is a fair time */
	UNMOUNT_FORCE,  /* MNT_FORCE: ends the RPCs of ALL mounts of that superblock: only on order
			 */
	UNMOUNT_DETACH, /* MNT_DETACH: returns at once; files still open live on */
};

/*
 * Takes away what is mounted at the target, mount by mount where they are stacked, until it is no
 * mount point; *ret_removed (may be NULL) counts them. Nothing mounted, or no such path: 0. -EBUSY:
 * in use, which the next rung may still manage.
 */
int unmount_rung(
	const struct place *target, enum unmount_rung rung, unsigned *ret_removed, struct err *e);

/*
 * rmdir(2) of the target, never more. Missing: 0. -ENOTEMPTY, -ENOTDIR, -EBUSY (still mounted):
 * nothing was removed.
 */
int unmount_rmdir(const struct place *target, struct err *e);

#endif
