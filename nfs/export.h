/* SPDX-License-Identifier: Apache-2.0 */
/* export.h: an export as the worker knows it: handles of its control directories, its identity, and
 * which volume lies where */
#ifndef BERTH_NFS_EXPORT_H
#define BERTH_NFS_EXPORT_H

#include "base/map.h"
#include "nfs/call.h"
#include "volume/record.h"

/* Handles of directories above volumes (pathPattern); enough for one for each busy namespace. */
#define EXPORT_PARENTS 64

struct path_handle {
	char *path; /* NULL: free */
	struct nfs_fh fh;
};

/* A directory that some record names. */
struct index_entry {
	char *directory;
	size_t volumes; /* live records that name it */
	char *pv;       /* of one of them */
};

struct nfs_export {
	struct list link;
	char *path;
	enum { EXPORT_NEW, EXPORT_ATTACHING, EXPORT_READY } state;
	struct nfs_cred control_cred; /* identity in .berth */
	struct nfs_fh root, control, volumes, trash;
	uint64_t fsid[2];
	char identity[UUID_TEXT_MAX];
	unsigned empty; /* times identity.json was found empty: its writer is at work, or died */
	bool as_owner;  /* what root makes here belongs to somebody else: make as the owner */
	struct list waiters; /* ops until the attach is over */
	struct path_handle parents[EXPORT_PARENTS];
	size_t next_parent;
	struct map index; /* struct index_entry by directory */
	bool indexed, indexing;
	bool index_lost; /* cleared while it was being built */
	struct list index_waiters;
	struct list purges;   /* half-done trees, purge.h */
	struct list regroups; /* …and regroup.h */
};

int export_new(struct nfs_export **ret, const char *path, const struct nfs_cred *control);
struct nfs_export *export_free(struct nfs_export *x);
/* A handle was stale: all are resolved again by the next operation. */
void export_forget(struct nfs_export *x);

const struct nfs_fh *export_parent(const struct nfs_export *x, const char *path, size_t len);
void export_keep_parent(
	struct nfs_export *x, const char *path, size_t len, const struct nfs_fh *fh);
void export_drop_parent(struct nfs_export *x, const char *path, size_t len);

/* Around the reading of all records; an index that was cleared meanwhile is none. */
void export_index_begin(struct nfs_export *x);
void export_index_end(struct nfs_export *x, bool complete);
/* A live record's directory, or where an archive lies. -ENOMEM drops the whole index, which is then
 * built again. */
int export_index_add(struct nfs_export *x, const struct record *rec);
void export_index_remove(struct nfs_export *x, const struct record *rec);
void export_index_clear(struct nfs_export *x);
/* Whether a live record makes its directory the volume's place. */
bool record_is_live(const struct record *rec);
/*
 * The volume that keeps directory from being given to pv: NULL for none. Another one with the same
 * directory (unless shared), above it or beneath it.
 */
const char *export_index_conflict(
	const struct nfs_export *x, const char *directory, const char *pv, bool shared);
/* How many live volumes besides pv have exactly this directory. */
size_t export_index_others(const struct nfs_export *x, const char *directory, const char *pv);
/* Whether a live volume's directory is name or begins with it (top-level names). */
bool export_index_has_top(const struct nfs_export *x, const char *name);

#endif
