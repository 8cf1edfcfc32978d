/* SPDX-License-Identifier: Apache-2.0 */
/* proto.h: what provisioner or agent and berth-nfs say to each other: the bodies of
 * worker/frame.h's frames */
#ifndef BERTH_NFS_PROTO_H
#define BERTH_NFS_PROTO_H

#include "base/buf.h"
#include "volume/record.h"
#include "worker/frame.h"

enum nfs_kind {
	NFS_CREATE = 1,
	NFS_TRASH,
	NFS_ARCHIVE,
	NFS_RECYCLE,
	NFS_DISCARD,
	NFS_RESTORE, /* create with VOLUME_RESTORE */
	NFS_PURGE,
	NFS_LIST,
	NFS_SPACE,
	NFS_REGROUP,
	_NFS_KIND_MAX
};

/* A READDIR page names at most so many files (call.h). */
#define NFS_ENTRIES_MAX 1024
/* "<phase>:<cookie>:<verifier>". */
#define NFS_CURSOR_MAX 64
/* pv, time and random digits. */
#define NFS_TRASH_NAME_MAX 255

/* The init frame: what all requests of one worker have in common, so no identity. The export is
 * that of the request that starts the worker: it decides about the version. */
int nfs_init_pack(struct buf *b, const struct volume_place *p);
/* Texts are borrowed from the body. -EPROTO. */
int nfs_init_unpack(struct volume_place *ret, const void *body, size_t size);

struct nfs_request {
	const char *export_;
	const char *identity; /* NULL: not known yet */
	uint64_t budget_ns;   /* the worker itself gives up waiting for a grace period after this */
	const char *attempt;  /* part of temporary names, unique */
	const char *earlier;  /* attempts that failed or whose outcome is unknown, with commas
				 between; NULL: none */
	const char *name; /* purge: name in the trash; list: cursor or NULL; regroup: directory, ""
			     for the export itself */
	gid_t group;      /* regroup */
	struct volume_request volume; /* create, trash, archive, recycle, discard, restore */
};
int nfs_request_pack(struct buf *b, enum nfs_kind kind, const struct nfs_request *q);
int nfs_request_unpack(struct nfs_request *ret, enum nfs_kind kind, const void *body, size_t size);

/* A reply's body; the frame's result is res->err.code. Entries are packed from res. */
int nfs_result_pack(struct buf *b, const struct volume_result *res);
/*
 * The worker has read a server's bytes: whatever it says is checked here. Texts are borrowed from
 * the body; entries (at most NFS_ENTRIES_MAX) go into *ret_entries, the caller's to free().
 */
int nfs_result_unpack(struct volume_result *ret, struct volume_entry **ret_entries, int result,
	const void *body, size_t size);

#endif
