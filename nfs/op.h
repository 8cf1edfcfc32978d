/* SPDX-License-Identifier: Apache-2.0 */
/* op.h: one operation of the backend inside the worker: a table of steps, one call in flight at a
 * time unless the operation keeps its own */
#ifndef BERTH_NFS_OP_H
#define BERTH_NFS_OP_H

#include "nfs/export.h"
#include "nfs/proto.h"
#include "nfs/server.h"

struct worker;
struct op;

/*
 * A step's start() sends op->call (op_send()) or decides at once; done() looks at the call. Both
 * give the next step, or one of the values below, or -errno with op->err set.
 */
#define STEP_WAIT 1000 /* start(): done() or op_enter() follows */
#define STEP_END 1001
struct op_step {
	const char *name;
	int (*start)(struct op *op);
	int (*done)(struct op *op, const struct call *c);
};

/* Steps that every table has at these places (OP_COMMON_STEPS); op->then is where they lead. */
enum {
	STEP_ATTACH,       /* export and identity known */
	STEP_RECORD,       /* op->rec, op->has_record */
	STEP_SAVE_EARLIER, /* an earlier attempt's temporary name removed */
	STEP_SAVE,         /* op->rec written over the record */
	STEP_PARENT,       /* op->parents[] down to the directory's parent; op->absent */
	STEP_PARENT_MAKE,
	STEP_INDEX,  /* x->index complete */
	STEP_FORGET, /* the record removed */
	_STEP_OWN
};

/* In op_create_steps: the record is there, now the directory (recycle enters here). */
#define CREATE_DIRECTORY (_STEP_OWN + 4)

struct op_path {
	const char *text; /* relative path */
	size_t at;        /* of the component being resolved */
	size_t depth;     /* of parents[] beside the root */
	struct nfs_fh parents[PATH_COMPONENTS_MAX];
	size_t ends[PATH_COMPONENTS_MAX]; /* length of the path of each parent */
	bool make;                        /* missing parents are made, else op->absent */
};

struct op {
	struct list link; /* worker's ops; export's waiters while it waits */
	struct list waiting;
	struct worker *w;
	uint32_t id;
	enum nfs_kind kind;
	char *body;                               /* what request borrows from */
	struct nfs_request request, request_kept; /* as it came, for a restart */
	uint64_t started, deadline;
	struct nfs_export *x;
	const struct op_step *steps;
	int state, then, first;
	bool restarted; /* after a stale handle, once */
	struct call call;
	struct op_path path;

	struct record rec;
	struct buf file; /* record's bytes, read or to be written */
	bool has_record, bad_record;
	bool absent;                    /* the directory, or a parent of it, is not there */
	char stored[PATH_RELATIVE_MAX]; /* name in the trash, or archive path */
	char temp[PATH_COMPONENT_MAX + 1];

	struct err err;
	unsigned flags;
	char text[ERR_TEXT_MAX];
	const char *directory;
	struct nfs_attr attr;        /* of the volume's directory */
	struct volume_result result; /* figures of space, purge and list */

	unsigned waits; /* op_attach.c: for another's identity.json */
	/* op_create.c */
	bool fresh, adopted, compared;
	bool made_record;        /* by this operation, before a restart too */
	bool reread;             /* an empty record was looked at a second time */
	struct nfs_fh record_fh; /* the file of that record */
	int on_failure;          /* step that takes back what was made, then ends with op->err */
	unsigned tried;          /* identities that made the directory in vain */
	unsigned identity;       /* in use */
	/* op_retire.c */
	struct nfs_cred owner; /* of the directory, and its mode, when others may not move it */
	mode_t mode;
	bool resumed, eased;
	bool held;          /* moves through a directory made for that */
	struct nfs_fh hold; /* the directory */
	int released;       /* the step after its removal */
	int after;          /* easing: the step, or the -errno to end with */
	unsigned suffix;
	int (*at_end)(struct op *op);        /* STEP_END leads here once */
	void (*ended)(struct op *op, int r); /* the worker's own operations (id 0) */
	void *own;                           /* purge, list, index */
	void (*own_free)(void *own);
};

struct op *op_new(struct worker *w, enum nfs_kind kind);
/* Its first step: attach, or its own for what needs no control directory. */
void op_begin(struct op *op);
/* Goes to a step; runs on until a call is in flight or the operation is over. */
void op_enter(struct op *op, int step);
/* Sends op->call with its arguments filled in; STEP_WAIT. */
int op_send(struct op *op, enum call_kind kind, const struct nfs_cred *cred);
/* Ends it: answers and frees. r: 0 or -errno with op->err set. */
void op_finish(struct op *op, int r);
/* What failed, in words: "server:export: what: why". Gives c->r. */
int op_fail(struct op *op, const struct call *c, const char *fmt, ...) _printf_(3, 4);
int op_refuse(struct op *op, int code, const char *fmt, ...) _printf_(3, 4);
/* Appends to the words that go beside a success. */
void op_note(struct op *op, const char *fmt, ...) _printf_(2, 3);

/* Who root is on this export: actAs or 0:0. */
const struct nfs_cred *op_cred(const struct op *op);
/* The directory's parent and last component after STEP_PARENT. */
const struct nfs_fh *op_parent(const struct op *op);
const char *op_last(const struct op *op);
void op_path_set(struct op *op, const char *path, bool make);
/* Whether the record is an empty file: of an attempt to create that died before it made anything.
 */
bool op_record_is_empty(const struct op *op);
/* -EPERM unless the record is this request's volume (STEP_RECORD found one). */
int op_check_record(struct op *op);
/* op->rec, changed now, into op->file. */
int op_encode_record(struct op *op);
/* op->temp: the name in volumes/ that belongs to one attempt (libraries.md 4). */
void op_temp_name(struct op *op, const char *attempt);
/* After STEP_INDEX: the directory belongs to no other volume. */
int op_check_index(struct op *op);

/* Tables, one for each kind. */
extern const struct op_step op_attach_steps[], op_create_steps[], op_retire_steps[],
	op_discard_steps[], op_purge_steps[], op_list_steps[], op_space_steps[], op_index_steps[],
	op_regroup_steps[], op_restore_steps[];

#endif
