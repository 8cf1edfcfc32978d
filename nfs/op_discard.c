/* SPDX-License-Identifier: Apache-2.0 */
/* op_discard.c: a volume that nobody ever used goes: plain RMDIR, then its record */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "nfs/op_steps.h"
#include "nfs/worker.h"

enum { BEGIN = _STEP_OWN, DECIDE, WALK, REMOVE, FORGET };

static int begin(struct op *op)
{
	op->then = DECIDE;
	return STEP_RECORD;
}

static int decide(struct op *op)
{
	int r = op_record_is_empty(op) ? 0 : op_check_record(op);

	if (r < 0)
		return r;
	if (!op->has_record) {
		op->flags |= RESULT_ABSENT;
		return op->bad_record ? FORGET : STEP_END;
	}
	if (op->rec.published)
		return op_refuse(
			op, EBUSY, "volume %s was published: not discarded", op->rec.request.pv);
	if (!record_is_live(&op->rec))
		return op_refuse(op, EBUSY, "volume %s is reclaimed already (%s)",
			op->rec.request.pv, record_state_text(op->rec.state));
	/* What may have been an admin's directory before stays. */
	return op->rec.request.flags & VOLUME_ADOPT ? FORGET : WALK;
}

static int walk(struct op *op)
{
	op_path_set(op, op->rec.request.directory, false);
	op->then = REMOVE;
	return STEP_PARENT;
}

static int remove_start(struct op *op)
{
	if (op->absent)
		return FORGET;
	op->call.dir = *op_parent(op);
	op->call.name = op_last(op);
	return op_send(op, CALL_RMDIR, op_cred(op));
}

static int remove_done(struct op *op, const struct call *c)
{
	if (c->r == -EEXIST || c->r == -ENOTEMPTY)
		return op_refuse(
			op, ENOTEMPTY, "%s is not empty: not discarded", op->rec.request.directory);
	if (c->r < 0 && c->r != -ENOENT)
		return op_fail(op, c, "remove the directory %s", op->rec.request.directory);
	return FORGET;
}

static int forget(struct op *op)
{
	op->then = STEP_END;
	return STEP_FORGET;
}

const struct op_step op_discard_steps[] = {
	OP_COMMON_STEPS,
	[BEGIN] = {"begin", begin, NULL},
	[DECIDE] = {"decide", decide, NULL},
	[WALK] = {"walk", walk, NULL},
	[REMOVE] = {"remove", remove_start, remove_done},
	[FORGET] = {"forget", forget, NULL},
};
