/* SPDX-License-Identifier: Apache-2.0 */
/* listen.h: unix sockets that appear under their name only when they accept */
#ifndef BERTH_BASE_LISTEN_H
#define BERTH_BASE_LISTEN_H

#include <sys/types.h>

#include "base/err.h"

/* A directory below which sockets may be. */
struct listen_base {
	const char *path;
	int fd; /* O_PATH */
};

/*
 * Binds path beneath base as `.name.tmp` with mode, listens, renames it to its name. Missing
 * directories are made (0750); mount points are crossed, symlinks not followed. Returns the
 * descriptor (stream, non-blocking, close-on-exec) or
 *   -EEXIST      something that is no socket has that name
 *   -EADDRINUSE  another process listens there (an older socket of this process is replaced)
 *   -ENAMETOOLONG  the whole path does not fit into sun_path (107 bytes): nobody could connect
 *   -EINVAL      a name in path is none (path_component_check)
 * None of these blocks. All change the working directory: bind(2) and connect(2) take paths only,
 * and so they need no /proc.
 */
int listen_publish(const struct listen_base *base, const char *path, mode_t mode, struct err *e);
/* Unlinks the socket, unless another process listens there. None: 0. */
int listen_remove(const struct listen_base *base, const char *path, struct err *e);
/* A connection to a socket of this process at path, as anybody else would get one: -ENOENT,
 * -ECONNREFUSED, -EAGAIN (its queue is full), -EADDRINUSE (another process listens there). */
int listen_connect(const struct listen_base *base, const char *path, struct err *e);

#endif
