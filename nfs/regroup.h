/* SPDX-License-Identifier: Apache-2.0 */
/* regroup.h: gives a directory and all beneath it a group, as fsGroup wants it: by handles, never
 * through a symlink, its root last */
#ifndef BERTH_NFS_REGROUP_H
#define BERTH_NFS_REGROUP_H

#include "nfs/op.h"

/* Names asked about at once: the knee of libraries.md 4. */
#define REGROUP_WINDOW 32
/* Each holds a page of names on the way down (35 KB); deeper trees are refused. */
#define REGROUP_LEVELS 128
/* One call of the backend. */
#define REGROUP_SLICE_ENTRIES 10000
#define REGROUP_SLICE_NS MILLISECONDS(200)
/* What the kubelet sets, too (contracts.md 2.9): u+rw,g+rw; directories also u+x,g+x and setgid. */
#define REGROUP_FILE_MODE 0660
#define REGROUP_DIRECTORY_MODE 02770

struct regroup;

struct regroup_level {
	struct nfs_fh fh;
	struct nfs_cred owner; /* uid of the directory, gid is the one to be */
	size_t entry;          /* in the page of the level above */
	struct nfs_page *page;
	size_t at; /* of the next name to ask about */
	uint64_t cookie;
	char verf[8];
	bool read_all;
	unsigned pages;
};

struct regroup_slot {
	struct regroup *g;
	struct call call;
	size_t entry;
	struct nfs_attr attr; /* of what is being changed */
	bool busy;
};

/* A half-done tree stays between two calls of the backend, in its export's list. */
struct regroup {
	struct list link;
	struct worker *w;
	struct nfs_export *x;
	struct op *op; /* the call that wants progress, NULL between two */
	int then;
	char *directory;
	gid_t gid;
	struct nfs_attr root; /* as it was found */
	struct regroup_level *levels[REGROUP_LEVELS];
	size_t depth, busy;
	struct regroup_slot slots[REGROUP_WINDOW];
	struct call one; /* READDIR, the way down, the root's end */
	bool moving;     /* …is in flight */
	bool pumping;
	bool verified; /* the server was seen to do as told */
	uint64_t slice_end;
	size_t slice_left;
	uint64_t changed, refused;
	struct err err;
	bool over;
};

/* Whether nothing is to be done for it. */
bool regroup_is_right(const struct nfs_attr *a, gid_t gid);

/* NULL: none yet, no memory. */
struct regroup *regroup_find(struct nfs_export *x, const char *directory, gid_t gid);
struct regroup *regroup_new(struct op *op, const struct nfs_fh *fh, const struct nfs_attr *attr);
void regroup_free(struct regroup *g);
/* A slice; then where it is over. STEP_WAIT or then. */
int regroup_run(struct regroup *g, struct op *op, int then);

#endif
