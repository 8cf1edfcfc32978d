/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h: one question about each name of a page, many at a time */
#ifndef BERTH_NFS_READER_H
#define BERTH_NFS_READER_H

#include "nfs/op.h"

/* RPCs in flight: the knee of libraries.md 4. */
#define READER_SLOTS 32

struct reader;
/* Pages of one directory, some two million records: a server that names more never ends. */
#define READER_PAGES_MAX 10000U

struct reader_slot {
	struct reader *reader;
	struct call call;
	struct buf file;
	size_t i; /* of the name */
	unsigned stales;
	bool busy;
};

struct reader {
	struct op *op;
	struct nfs_page page;
	unsigned pages; /* of this directory so far; the owner's own */
	size_t next, busy;
	int then; /* op's step when all names are through */
	struct reader_slot slots[READER_SLOTS];
	/* What to ask about a name: CALL_READ, CALL_LOOKUP, or _CALL_KIND_MAX for nothing. */
	enum call_kind (*choose)(struct reader *r, const char *name);
	/* An answer; true where the slot was sent again (reader_again) for the same name. */
	bool (*answer)(struct reader *r, struct reader_slot *s, const char *name);
};

void reader_init(struct reader *r, struct op *op);
void reader_done(struct reader *r);
/* Asks about every name of the page in dir; goes to then when all answers are there. STEP_WAIT, or
 * then at once. */
int reader_run(struct reader *r, const struct nfs_fh *dir, int then);
/* From answer(): another call about the same name, such as REMOVE. */
void reader_again(struct reader *r, struct reader_slot *s, enum call_kind kind);

#endif
