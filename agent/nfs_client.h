/* SPDX-License-Identifier: Apache-2.0 */
/* nfs_client.h: whether this node's kernel can mount NFS */
#ifndef BERTH_AGENT_NFS_CLIENT_H
#define BERTH_AGENT_NFS_CLIENT_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Reads /proc/filesystems, which is one for the whole machine: nfs or nfs4 must be there, built in
 * or loaded. path NULL: that file. false with the reason and the cure in e.
 */
bool nfs_client_is_there(const char *path, struct err *e);

#endif
