/* SPDX-License-Identifier: Apache-2.0 */
/* op_purge.c: a slice of a purge, and at its end the record of the trashed volume */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "nfs/op_steps.h"
#include "nfs/purge.h"
#include "nfs/worker.h"

enum { BEGIN = _STEP_OWN, RUN, SLICE, RECORD, FORGET, LOOK };

static int begin_start(struct op *op)
{
	struct purge *p = purge_find(op->x, op->request.name);

	if (p && p->op)
		return op_refuse(op, EBUSY, "trash entry %s is being purged", op->request.name);
	if (p)
		return RUN;
	op->call.dir = op->x->trash;
	op->call.name = op->request.name;
	return op_send(op, CALL_LOOKUP, op_cred(op));
}

/* Only a directory is walked; anything else that stands in the trash is one REMOVE. */
static int begin_done(struct op *op, const struct call *c)
{
	op->absent = c->r == -ENOENT;
	if (c->r == -ENOENT || (c->r >= 0 && c->kind == CALL_REMOVE))
		return RECORD;
	if (c->r < 0)
		return op_fail(op, c, "purge %s", op->request.name);
	if (c->attr.type != NFS_TYPE_DIRECTORY)
		return op_send(op, CALL_REMOVE, op_cred(op));
	if (memcmp(c->attr.fsid, op->x->fsid, sizeof(op->x->fsid)) != 0)
		return op_refuse(
			op, EXDEV, "trash entry %s is another file system", op->request.name);
	if (!purge_new(op->w, op->x, op->request.name, &c->fh, &c->attr))
		return op_refuse(op, ENOMEM, "no memory for a purge");
	return RUN;
}

static int run(struct op *op)
{
	struct purge *p = purge_find(op->x, op->request.name);

	return p ? purge_run(p, op, SLICE) : op_refuse(op, EAGAIN, "the purge was forgotten");
}

static int slice(struct op *op)
{
	struct purge *p = purge_find(op->x, op->request.name);
	int r = 0;

	if (p && !p->over) {
		op->flags |= RESULT_MORE;
		return STEP_END;
	}
	if (p) {
		r = err_copy(&op->err, &p->err);
		if (p->err.code == 0)
			r = 0;
		purge_free(p);
	}
	return r < 0 ? r : RECORD;
}

/* The record goes with the last of the tree, if it is this tree that it names. */
static int record(struct op *op)
{
	uint64_t changed;

	if (!trash_name_parse(op->request.name, op->stored, &changed))
		return STEP_END;
	op->request.volume.pv = op->stored;
	op->resumed = op->absent;
	op->then = FORGET;
	return STEP_RECORD;
}

static int forget(struct op *op)
{
	if (!op->has_record || op->rec.state != RECORD_TRASHED ||
		!streq(op->rec.stored, op->request.name))
		return STEP_END;
	/* The record is written before the move: with no tree here it may still lie ahead. */
	if (op->resumed && volume_request_owns_path(&op->rec.request)) {
		op_path_set(op, op->rec.request.directory, false);
		op->then = LOOK;
		return STEP_PARENT;
	}
	op->then = STEP_END;
	return STEP_FORGET;
}

static int look_start(struct op *op)
{
	op->then = STEP_END;
	if (op->absent)
		return STEP_FORGET;
	op->call.dir = *op_parent(op);
	op->call.name = op_last(op);
	return op_send(op, CALL_LOOKUP, op_cred(op));
}

static int look_done(struct op *op, const struct call *c)
{
	if (c->r == -ENOENT)
		return STEP_FORGET;
	if (c->r < 0)
		return op_fail(op, c, "look for %s", op->rec.request.directory);
	return op_refuse(op, EAGAIN, "volume %s was not moved to the trash yet: its record stays",
		op->rec.request.pv);
}

const struct op_step op_purge_steps[] = {
	OP_COMMON_STEPS,
	[BEGIN] = {"begin", begin_start, begin_done},
	[RUN] = {"run", run, NULL},
	[SLICE] = {"slice", slice, NULL},
	[RECORD] = {"record", record, NULL},
	[FORGET] = {"forget", forget, NULL},
	[LOOK] = {"look", look_start, look_done},
};
