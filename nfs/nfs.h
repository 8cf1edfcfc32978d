/* SPDX-License-Identifier: Apache-2.0 */
/* nfs.h: the NFS backend, parent side: operations become requests to one berth-nfs process for each
 * server */
#ifndef BERTH_NFS_NFS_H
#define BERTH_NFS_NFS_H

#include "event/loop.h"
#include "volume/backend.h"
#include "worker/pool.h"

/*
 * berth-nfs --worker [--bound N]: the N descriptors (at most this many) behind the parent's are TCP
 * sockets, non-blocking, that the parent has bound to reserved ports, because it may and a process
 * without capabilities may not: for each family one for mountd and one for NFS.
 */
#define NFS_BOUND_MAX 4

struct nfs_options {
	const char *worker_program; /* path of berth-nfs; NULL: beside our own executable, else
				       PREFIX/libexec/berth */
	uint64_t operation_ns;      /* deadline of one operation, queueing apart; 0 = 10 s */
	uint64_t queue_ns;          /* how long an operation may wait for a dead server; 0 = 30 s */
	unsigned window;  /* requests in flight on one connection; 0 = 32 (libraries.md 4) */
	uint64_t idle_ns; /* 0 = 60 s */
	/* Who makes and ends the pool of workers instead of us with worker_program (the agent's
	 * broker, in the host's network namespace), and the longest key that it takes, NUL
	 * included; longer ones are cut and end in a hash. NULL: we do. */
	int (*pool_new)(const struct worker_options *o, struct worker_pool **ret, void *userdata);
	void (*pool_free)(struct worker_pool *p, void *userdata);
	size_t key_max;
	void *pool_userdata;
};

int nfs_backend_new(
	struct volume_backend **ret, struct loop *l, const struct nfs_options *o, struct err *e);
/* Kills the workers; no callback any more. */
struct volume_backend *nfs_backend_free(struct volume_backend *b);
/*
 * A pod's fsGroup: gives directory (beneath the export, "" for the export itself) and all beneath
 * it the group, files u+rw,g+rw, directories also u+x,g+x and setgid, as the owner of each, the
 * root of the tree last: where that is right already nothing else is asked. Symlinks are not
 * followed, other file systems left alone. A slice a call, as purge: RESULT_MORE, call again;
 * result.removed counts what was changed. -EPERM: the server does not do as told. The place's
 * identity may be NULL: then no control directory is looked for.
 */
int nfs_backend_regroup(struct volume_backend *b, const struct volume_place *p,
	const char *directory, gid_t group, volume_fn fn, void *userdata);
void nfs_backend_stats(const struct volume_backend *b, struct worker_stats *ret);

#endif
