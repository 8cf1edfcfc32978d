/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h: whether a pool's directory is the pool, and not the empty directory that its disk is
 * mounted on */
#ifndef BERTH_AGENT_POOL_H
#define BERTH_AGENT_POOL_H

#include "base/err.h"

/*
 * An O_PATH descriptor of the pool's directory, whatever is mounted there afterwards.
 * .berth/identity.json must be in it, not through a symlink or a mount (record.h), and name
 * identity unless that is "": else -ENODATA with the reason, the pool is not mounted, or another
 * one is. NULL: nothing is asked. System calls only: it runs in the mount child.
 */
int pool_open(const char *path, const char *identity, struct err *e);

#endif
