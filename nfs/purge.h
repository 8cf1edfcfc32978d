/* SPDX-License-Identifier: Apache-2.0 */
/* purge.h: removes a tree in the trash: by handles, without recursion, in memory that its size does
 * not change */
#ifndef BERTH_NFS_PURGE_H
#define BERTH_NFS_PURGE_H

#include <errno.h>

#include "nfs/op.h"

/* Calls in flight: alone, and beside other operations, which must not wait behind them for long. */
#define PURGE_WINDOW 128
#define PURGE_WINDOW_SHARED 32
/* NFSv4: names in one compound, alone and beside others (libraries.md 4). */
#define PURGE_BATCH 32
#define PURGE_BATCH_SHARED 16
/* Directories held open on the way down; deeper ones are moved up (reliability.md 3.5). */
#define PURGE_LEVELS 32
/* One call of the backend. */
#define PURGE_SLICE_ENTRIES 10000
#define PURGE_SLICE_NS MILLISECONDS(200)

/* What is known about one name of a page. */
enum purge_entry {
	ENTRY_NEW,
	ENTRY_SENT,
	ENTRY_DEEP, /* a directory that is not empty */
	ENTRY_GONE,
	ENTRY_CHANGED, /* exchanged for something else under our hands: for the next pass */
	ENTRY_FAILED
};

struct purge;

/* A directory being emptied. */
struct purge_level {
	struct nfs_fh fh;
	struct nfs_cred owner;
	mode_t mode;
	char name[PATH_COMPONENT_MAX + 1]; /* in the level above, or the trash */
	size_t entry;                      /* its place in the page of the level above */
	struct nfs_page *page, *next;      /* being worked on, and read ahead */
	size_t at;                         /* of the next name to send */
	bool fetching, read_all;
	uint64_t cookie;
	char verf[8];
	bool as_owner; /* whoever we are by default may not */
	bool opened;   /* its owner has got rwx */
	bool stale;
	unsigned passes;
	size_t removed, failed; /* in this pass */
};

struct purge_slot {
	struct purge *p;
	struct call call;
	size_t entry, end; /* the name at hand, and behind the last one of this slot */
	unsigned stage;    /* who asks: 0 default, 1 owner, 2 owner after chmod */
	enum call_kind what;
	int first_r; /* of the REMOVE, when RMDIR is tried in doubt */
	const char *first_why;
	unsigned turns;
	bool busy;
};

struct purge {
	struct list link; /* export's purges */
	struct worker *w;
	struct nfs_export *x;
	char name[PATH_COMPONENT_MAX + 1];
	struct op *op; /* the call of the backend that wants progress, NULL between two */
	int then;
	struct purge_level *levels[PURGE_LEVELS];
	size_t depth;
	size_t busy;
	bool moving; /* a call that changes the stack is in flight */
	struct purge_slot slots[PURGE_WINDOW];
	struct nfs_page *spare; /* one page for the next level */
	struct call readdir, walk;
	char hoisted[48];
	bool moved_up; /* in this pass over the top */
	uint64_t slice_end;
	size_t slice_left;
	uint64_t removed; /* in this slice */
	unsigned stales;
	struct err err; /* the first failure */
	bool over;
};

/* The half-done purge of that name, or a new one whose top is fh. NULL without memory. */
struct purge *purge_find(struct nfs_export *x, const char *name);
struct purge *purge_new(struct worker *w, struct nfs_export *x, const char *name,
	const struct nfs_fh *fh, const struct nfs_attr *attr);
/* Works for op until the slice is over or the tree is; then op_enter(op, then). */
int purge_run(struct purge *p, struct op *op, int then);
/* After it was over. */
void purge_free(struct purge *p);

/* Between purge.c (the way down and up) and purge_names.c. */
static inline struct purge_level *purge_top(const struct purge *p)
{
	return p->levels[p->depth - 1];
}
static inline bool purge_refused(int r)
{
	return r == -EACCES || r == -EPERM;
}
struct nfs_cred purge_cred(const struct purge *p, const struct purge_level *l, unsigned stage);
/* Remembers the first failure in words. */
void purge_note(struct purge *p, const struct call *c, const char *what);
/* Goes on with whatever can be done now. */
void purge_pump(struct purge *p);
/* Moves a directory of the deepest level up, beside the entries of the top: purge_hoist.c. */
void purge_hoist(struct purge *p, size_t entry);
/* Fills the window with names of the level's page. */
void purge_send_names(struct purge *p, struct purge_level *l);

#endif
