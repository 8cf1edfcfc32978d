/* SPDX-License-Identifier: Apache-2.0 */
/* fd.h: descriptors and whole files */
#ifndef BERTH_BASE_FD_H
#define BERTH_BASE_FD_H

#include <stddef.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"

/* Closes unless negative, keeps errno, returns -1: fd = fd_close(fd). */
int fd_close(int fd);
int fd_set_nonblock(int fd, bool on);

/* Loops over EINTR and short writes on a blocking descriptor; -errno. */
int fd_write_all(int fd, const void *data, size_t size);

/* Appends the whole file to b, which bounds it: -EFBIG where the file is longer than b allows. e
 * names the path. */
int file_read(const char *path, struct buf *b, struct err *e);
/* Writes to a temporary name beside path, fsyncs, renames, fsyncs the directory. */
int file_write_atomic(const char *path, const void *data, size_t size, mode_t mode, struct err *e);

#endif
