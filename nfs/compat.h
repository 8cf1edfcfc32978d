/* SPDX-License-Identifier: Apache-2.0 */
/* compat.h: libnfs 4 and 5 behind one face: a context is one connection that we opened ourselves
 * (libraries.md 4) */
#ifndef BERTH_NFS_COMPAT_H
#define BERTH_NFS_COMPAT_H

#include <sys/time.h>

#include <nfsc/libnfs.h>
#include <nfsc/libnfs-raw.h>
#include <nfsc/libnfs-raw-mount.h>
#include <nfsc/libnfs-raw-nfs.h>
#include <nfsc/libnfs-raw-nfs4.h>
#include <nfsc/libnfs-raw-portmap.h>

#include "nfs/call.h"

/* Takes the connected, non-blocking socket. NULL without memory; the socket is then still open. */
struct rpc_context *compat_open(int fd);
/* AUTH_SYS identity of the calls made from now on. */
void compat_set_cred(struct rpc_context *rpc, const struct nfs_cred *cred);
/* Reads what is there and runs callbacks. -ECONNRESET for a broken connection. */
int compat_read(struct rpc_context *rpc);
/* Sends what is queued. */
int compat_write(struct rpc_context *rpc);
/* Whether something is still queued. */
bool compat_pending(struct rpc_context *rpc);

/* Runs the connection until *done, on its own; for the few calls before the sandbox. */
int compat_wait(struct rpc_context *rpc, const bool *done, uint64_t deadline);

#endif
