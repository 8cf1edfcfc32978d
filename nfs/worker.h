/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h: the berth-nfs process: frames from the parent on one side, one NFS server on the other
 */
#ifndef BERTH_NFS_WORKER_H
#define BERTH_NFS_WORKER_H

#include "nfs/op.h"
#include "worker/child.h"

struct worker {
	struct worker_child child;
	struct volume_place place; /* borrows from init_body */
	char *init_body;
	struct server server;
	struct list exports;
	struct list ops;
	size_t n_ops;
	unsigned n_bound;     /* connect.h */
	struct nfs_cred cred; /* actAs or root */
	struct err refusal;   /* the server speaks no version of ours: every request is told so */
};

/* Serves until the parent goes (0), or the server's connection broke (-errno). n_bound: connect.h.
 */
int worker_run(int fd, unsigned n_bound);
/* Answers one request. */
void worker_reply(struct worker *w, const struct op *op, int r, const struct volume_result *res);

#endif
