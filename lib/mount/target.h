/* SPDX-License-Identifier: Apache-2.0 */
/* target.h: a mount point on its way: made, found free or taken, and taken back */
#ifndef BERTH_MOUNT_TARGET_H
#define BERTH_MOUNT_TARGET_H

#include <stdbool.h>
#include <sys/types.h>

#include "mount/mounted.h"
#include "mount/place.h"

/* What bind.h and nfs_mount.h have in common. */
struct target {
	struct place_at at;
	bool made; /* the directory was not there before */
};

/*
 * Whether the mount m, which is on top at t and alive, is the one that is wanted: 0, or -EEXIST
 * with words.
 */
typedef int (*target_fits_fn)(
	const struct target *t, const struct mounted *m, void *userdata, struct err *e);

enum target_state {
	TARGET_FREE,
	TARGET_TAKEN,  /* what is wanted is mounted there */
	TARGET_MENDED, /* free, since a mount without a file system behind it was taken away */
};

/*
 * Opens the parent and makes the directory, or finds it: then it has to be an empty directory, or a
 * mount that fits. The caller ends with target_close() in any case.
 */
int target_prepare(struct target *t, const struct place *p, mode_t mode, struct err *e);
int target_find(const struct target *t, target_fits_fn fits, void *userdata, enum target_state *ret,
	struct err *e);
/* An O_PATH descriptor of the target, or of the mount on top of it. */
int target_open(const struct target *t);
/* Detaches the mount on top: for undoing, and for what is broken. 1, or 0 where there was none. */
int target_detach(const struct target *t);
/* failed: removes the directory that was made. */
void target_close(struct target *t, bool failed);

#endif
