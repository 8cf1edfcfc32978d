/* SPDX-License-Identifier: Apache-2.0 */
/* nfs_source.h: server and path of an export as the one text that the kernel takes and mountinfo
 * shows */
#ifndef BERTH_MOUNT_NFS_SOURCE_H
#define BERTH_MOUNT_NFS_SOURCE_H

#include <stddef.h>

#include "base/err.h"

#define NFS_SOURCE_MAX 1536

/*
 * "host:/path", or "[v6]:/path" for an IPv6 literal, which is given without brackets. -EINVAL for a
 * server that is empty or has ',', '/', brackets, a space or a control character in it (the kernel
 * would cut or misread it), and for a path that is not absolute or has control characters.
 * -ENAMETOOLONG.
 */
int nfs_source_format(char *dst, size_t size, const char *server, const char *path, struct err *e);
/* The other way: server without brackets; *ret_path points into source. -EINVAL for no such text.
 */
int nfs_source_split(const char *source, char *server, size_t size, const char **ret_path);

#endif
