/* SPDX-License-Identifier: Apache-2.0 */
/* pathat.h: names and paths that stay beneath a root */
#ifndef BERTH_BASE_PATHAT_H
#define BERTH_BASE_PATHAT_H

#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"

#define PATH_COMPONENT_MAX 255 /* NAME_MAX of every file system and NFS server we meet */
#define PATH_RELATIVE_MAX 1024 /* a claim's path beneath an export or pool */
#define PATH_COMPONENTS_MAX 16 /* depth of a pathPattern's result */

/*
 * Whether one name may be a directory of ours: 1 to 255 bytes, valid UTF-8, no '/', '\\', NUL or
 * control byte, not "." or "..", no leading '-'. -EINVAL with the reason, refused and never
 * cleaned.
 */
int path_component_check(const char *name, size_t len, struct err *e);

/* Where the control files of an export or pool lie; no claim's directory may be in it. */
#define CONTROL_DIRECTORY ".berth"

/*
 * Whether path is one or more such components with single slashes between them, strictly beneath a
 * root: not empty, not absolute, first component not ".berth" (the control directory).
 */
int path_relative_check(const char *path, struct err *e);

/*
 * Opens path beneath the directory rootfd with openat2(2), RESOLVE_BENEATH | NO_SYMLINKS | NO_XDEV
 * | NO_MAGICLINKS, retried on EAGAIN. Returns a descriptor or -errno (-EXDEV at a mount point,
 * -ELOOP at a symlink).
 */
int pathat_open(int rootfd, const char *path, int flags, mode_t mode);

/*
 * The same, but mount points beneath the root are crossed (RESOLVE_NO_XDEV is not set), for nothing
 * that creates. Kernels before 5.6 have no openat2(2): there the components are opened one by one
 * without following symlinks, and path must have no "..".
 */
int pathat_open_across(int rootfd, const char *path, int flags);

/*
 * Opens an absolute path that has no symlink in any of its components: -ELOOP where one has. For a
 * path without ".." that is beneath each of its own beginnings. -ENOSYS before Linux 5.6.
 */
int pathat_open_plain(const char *path, int flags);

#endif
