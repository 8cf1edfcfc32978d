/* SPDX-License-Identifier: Apache-2.0 */
/* place.h: a directory given as a root and a path strictly beneath it, resolved without symlinks */
#ifndef BERTH_MOUNT_PLACE_H
#define BERTH_MOUNT_PLACE_H

#include <stdbool.h>

#include "base/err.h"

/*
 * The system-call side of lib/mount (place, mounted, bind, unmount, rshared, nfs_mount and what
 * they include) needs libc and lib/base alone: it runs in a child forked from the broker. Its
 * functions may block for as long as a file server likes; whoever wants an end kills the process.
 *
 * All of it: int functions return 0 or -errno, with words in e (NULL: not wanted) that name the
 * path and the step.
 */

/*
 * path is relative: no leading or doubled slash, no "." or "..", shorter than PATH_MAX. As a source
 * it may be "" for the root itself. Mount points below the root are crossed, symlinks never
 * followed. The strings are borrowed.
 */
struct place {
	const char *root; /* absolute, the administrator's: symlinks in it are followed */
	const char *path;
};

/*
 * A place whose parent was opened. parentfd: O_PATH, on the directory that holds name. A descriptor
 * on a mount keeps an administrator's umount busy: it is held for the length of one operation only.
 */
struct place_at {
	int parentfd;
	const char *name; /* in the place's path */
	char shown[256];  /* root/path for messages, cut in front */
};

/* -EINVAL for a path that is none. -ENOENT where the root or a parent is missing, -ELOOP or
 * -ENOTDIR where a symlink or a file is in the way. */
int place_open(struct place_at *ret, const struct place *p, struct err *e);
void place_close(struct place_at *at);
#define _cleanup_place_ _cleanup_(place_close)

/*
 * An O_PATH descriptor of the place itself, or of the mount on top of it; -ENOTDIR where it is no
 * directory. rootfd: the root, opened already (p->root is for messages then), or NULL. beneath:
 * refuses to cross into another file system below the root (-EXDEV), for disks.
 */
int place_open_directory(const struct place *p, const int *rootfd, bool beneath, struct err *e);

/*
 * The same, asking the server about every directory on the way: what a client remembers of names
 * (for up to a minute) may be a directory that has been renamed since, with another one in its
 * place. -ESTALE: gone from its server.
 */
int place_open_asked(const struct place *p, struct err *e);

/* For umount2(2) and mount(2), which take paths only: "/proc/self/fd/N/name", or without name. */
#define PLACE_PROC_MAX 320
const char *place_proc(char dst[static PLACE_PROC_MAX], int fd, const char *name);

#endif
