/* SPDX-License-Identifier: Apache-2.0 */
/* connect.h: from a server's name to connections that speak NFS; everything that needs socket(2) or
 * a name */
#ifndef BERTH_NFS_CONNECT_H
#define BERTH_NFS_CONNECT_H

#include "nfs/proto.h"
#include "nfs/nfs.h"
#include "nfs/server.h"
#include "worker/child.h"

/* Where bound sockets (nfs.h) begin. */
#define CONNECT_BOUND_FD (WORKER_FD + 1)

/*
 * Resolves, connects, asks the portmapper where needed, and mounts p->export_ to learn which
 * version serves it: NFSv3, else NFSv4.0, unless p->version says. s was through server_init().
 * Blocks up to deadline. Of the n_bound sockets those that are not used are closed, unless a name
 * could not be resolved. The text names the server, the address and our own address and port.
 */
int connect_server(struct server *s, const struct volume_place *p, unsigned n_bound,
	uint64_t deadline, struct err *e);

#endif
