/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h: whether a pool's directory is the pool, and not the empty directory that its disk is
 * mounted on */
#ifndef BERTH_AGENT_POOL_H
#define BERTH_AGENT_POOL_H

#include "base/err.h"

/*
 * .berth/identity.json must be there, not through a symlink or a mount (record.h), and name
 * identity unless that is "". -ENODATA with the reason: the pool is not mounted, or another one is.
 * System calls only: it runs in the mount child.
 */
int pool_check(const char *path, const char *identity, struct err *e);

#endif
