/* SPDX-License-Identifier: Apache-2.0 */
/* unmount.c: a target unmounted rung by rung, and its directory removed */
#include "mount/unmount.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

/* No namespace has more mounts (fs.mount-max), so no stack is higher. */
#define STACK_MAX 100000

static const struct {
	int flags;
	int tries; /* of one mount: MNT_FORCE ends the RPCs and may still say EBUSY once */
	const char *words;
} rungs[] = {
	[UNMOUNT_NORMAL] = {UMOUNT_NOFOLLOW, 1, "unmount"},
	[UNMOUNT_FORCE] = {UMOUNT_NOFOLLOW | MNT_FORCE, 2, "unmount by force"},
	[UNMOUNT_DETACH] = {UMOUNT_NOFOLLOW | MNT_DETACH, 1, "detach"},
};

/* 1: one mount less; 0: no mount point. */
static int unmount_one(const char *path, enum unmount_rung rung)
{
	for (int i = 1;; i++) {
		if (umount2(path, rungs[rung].flags) == 0)
			return 1;
		/* EINVAL: no mount point, which a symlink is not either. */
		if (errno == EINVAL || errno == ENOENT)
			return 0;
		if (errno != EBUSY || i >= rungs[rung].tries)
			return -errno;
	}
}

int unmount_rung(
	const struct place *target, enum unmount_rung rung, unsigned *ret_removed, struct err *e)
{
	_cleanup_place_ struct place_at at = {.parentfd = -1};
	char path[PLACE_PROC_MAX];
	unsigned removed = 0;
	int r;

	if (ret_removed)
		*ret_removed = 0;
	r = place_open(&at, target, e);
	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	place_proc(path, at.parentfd, at.name);
	while ((r = unmount_one(path, rung)) > 0 && removed < STACK_MAX)
		removed++;
	if (ret_removed)
		*ret_removed = removed;
	return r < 0 ? err_sys(e, r, "cannot %s %s", rungs[rung].words, at.shown) : 0;
}

static int explain(int code, const char *shown, struct err *e)
{
	switch (code) {
	case ENOTEMPTY:
	case EEXIST:
		return err_set(e, ENOTEMPTY,
			"%s has files in it although nothing is mounted there: "
			"left alone",
			shown);
	case ENOTDIR:
		return err_set(e, ENOTDIR, "%s is no directory: left alone", shown);
	case EBUSY:
		return err_set(e, EBUSY, "%s is still mounted: left alone", shown);
	default:
		return err_sys(e, code, "cannot remove %s", shown);
	}
}

int unmount_rmdir(const struct place *target, struct err *e)
{
	_cleanup_place_ struct place_at at = {.parentfd = -1};
	int r = place_open(&at, target, e);

	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	if (unlinkat(at.parentfd, at.name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return explain(errno, at.shown, e);
}
