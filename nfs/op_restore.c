/* SPDX-License-Identifier: Apache-2.0 */
/* op_restore.c: a volume that its record stands for: its directory is there, or comes back from the
 * trash */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "nfs/op_steps.h"
#include "nfs/worker.h"

/*
 * The record says Ready, and still where the tree lies in the trash, before the tree moves: no
 * other volume is given the place meanwhile, and a repeated attempt goes on from there. Only when
 * the tree is in its place the record forgets the trash. A RENAME that comes late finds nothing of
 * that name in the trash any more, as such names are never used twice.
 */
enum {
	BEGIN = _STEP_OWN,
	DECIDE,
	CHECK,
	PLACE,
	LOOK,
	STORED,
	SAVE,
	MOVE,
	EASE,
	UNEASE,
	REVERT,
	REVERTED,
	CLOSE,
	ANSWER
};

struct answer {
	struct volume_entry entry;
	char name[PATH_COMPONENT_MAX + 1];
};

static int begin(struct op *op)
{
	op->then = DECIDE;
	return STEP_RECORD;
}

/* What lies in the trash is to come back, or was about to. */
static bool from_trash(const struct op *op)
{
	return op->rec.state == RECORD_TRASHED || *op->stored;
}

static int check_state(struct op *op)
{
	const char *pv = op->rec.request.pv;

	switch (op->rec.state) {
	case RECORD_READY:
		return 0;
	case RECORD_TRASHED:
		if (op->request.volume.flags & VOLUME_ADOPT)
			return op_refuse(
				op, ENOENT, "volume %s is in the trash as %s", pv, op->rec.stored);
		if (!*op->rec.stored)
			return op_refuse(
				op, EBADMSG, "the record of %s does not say where it went", pv);
		return 0;
	case RECORD_ARCHIVED:
		return op_refuse(op, EBUSY, "volume %s was archived as %s", pv, op->rec.stored);
	case RECORD_CREATING:
	case RECORD_RECYCLING:
		break;
	}
	return op_refuse(op, EBUSY, "volume %s is %s", pv, record_state_text(op->rec.state));
}

static int decide(struct op *op)
{
	const struct volume_request *q = &op->request.volume;

	if (!op->has_record && !op->bad_record)
		return op_refuse(op, ENOENT, "there is no record of %s", q->pv);
	if (op_check_record(op) < 0)
		return -op->err.code;
	if (!streq(op->rec.request.driver, q->driver))
		return op_refuse(
			op, EPERM, "volume %s is of driver %s", q->pv, op->rec.request.driver);
	if (check_state(op) < 0)
		return -op->err.code;
	str_copy_cut(op->stored, sizeof(op->stored), op->rec.stored);
	op->then = CHECK;
	return volume_request_owns_path(&op->rec.request) ? PLACE : STEP_INDEX;
}

static int check(struct op *op)
{
	const struct volume_request *q = &op->rec.request;
	const char *other =
		export_index_conflict(op->x, q->directory, q->pv, q->flags & VOLUME_SHARED);

	if (other)
		return op_refuse(op, EEXIST,
			"%s lies in, above or where the directory of volume %s is", q->directory,
			other);
	return PLACE;
}

static int place(struct op *op)
{
	op_path_set(op, op->rec.request.directory, from_trash(op));
	op->then = LOOK;
	return STEP_PARENT;
}

/* ---- what is there ------------------------------------------------------------------------- */

static int check_directory(struct op *op, const struct call *c, const char *what)
{
	if (c->attr.type != NFS_TYPE_DIRECTORY)
		return op_refuse(op, ENOTDIR, "%s is no directory", what);
	if (memcmp(c->attr.fsid, op->x->fsid, sizeof(op->x->fsid)) != 0)
		return op_refuse(op, EXDEV, "%s is another export or file system", what);
	return 0;
}

static int no_directory(struct op *op)
{
	return op_refuse(op, ENOENT, "the directory %s is not there: none is made",
		op->rec.request.directory);
}

static int look_start(struct op *op)
{
	if (op->absent)
		return no_directory(op);
	op->call.dir = *op_parent(op);
	op->call.name = op_last(op);
	return op_send(op, CALL_LOOKUP, op_cred(op));
}

static int look_done(struct op *op, const struct call *c)
{
	const char *directory = op->rec.request.directory;

	if (c->r < 0 && c->r != -ENOENT)
		return op_fail(op, c, "look for %s", directory);
	op->resumed = c->r >= 0;
	if (op->resumed && check_directory(op, c, directory) < 0)
		return -op->err.code;
	if (op->resumed)
		op->attr = c->attr;
	if (from_trash(op))
		return STORED;
	return op->resumed ? ANSWER : no_directory(op);
}

static int stored_start(struct op *op)
{
	op->call.dir = op->x->trash;
	op->call.name = op->stored;
	return op_send(op, CALL_LOOKUP, op_cred(op));
}

/* In its place and not in the trash: moved by an attempt before us, or the move there never came.
 */
static bool is_ours(const struct op *op)
{
	return op->rec.state == RECORD_READY || volume_request_owns_path(&op->rec.request);
}

static int stored_done(struct op *op, const struct call *c)
{
	const char *directory = op->rec.request.directory;

	if (c->r < 0 && c->r != -ENOENT)
		return op_fail(op, c, "look for %s", op->stored);
	if (op->resumed && c->r == -ENOENT && is_ours(op))
		return CLOSE;
	if (op->resumed)
		return op_refuse(op, EEXIST, "%s is there: it is not replaced", directory);
	if (c->r == -ENOENT)
		return op_refuse(op, ENOENT, "%s is not in the trash any more", op->stored);
	if (check_directory(op, c, op->stored) < 0)
		return -op->err.code;
	op->hold = c->fh;
	op->attr = c->attr;
	op->owner = (struct nfs_cred){c->attr.uid, c->attr.gid};
	op->mode = c->attr.mode;
	return op->rec.state == RECORD_READY ? MOVE : SAVE;
}

/* ---- the move ------------------------------------------------------------------------------ */

static int save(struct op *op)
{
	op->rec.state = RECORD_READY;
	op->rec.stored = op->stored;
	op->then = MOVE;
	return STEP_SAVE_EARLIER;
}

static int move_start(struct op *op)
{
	op->call.dir = op->x->trash;
	op->call.name = op->stored;
	op->call.to = *op_parent(op);
	op->call.to_name = op_last(op);
	return op_send(op, CALL_RENAME, op_cred(op));
}

/* Moving changes "..", for which the mode must allow writing where root is squashed (op_retire.c).
 */
static int move_done(struct op *op, const struct call *c)
{
	if ((c->r == -EACCES || c->r == -EPERM) && !op->eased)
		return EASE;
	/* Another attempt was faster, or it was purged: look again. */
	op->after = c->r == -ENOENT ? LOOK : c->r < 0 ? REVERT : CLOSE;
	if (op->after == REVERT)
		(void)op_fail(op, c, "move %s back to %s", op->stored, op->rec.request.directory);
	return op->eased ? UNEASE : op->after;
}

static int ease_start(struct op *op)
{
	op->call.dir = op->call.to = op->call.fh = op->hold;
	op->call.set = (struct nfs_set){
		.what = SET_MODE, .mode = op->state == EASE ? op->mode | 0777 : op->mode};
	return op_send(op, CALL_SETATTR, &op->owner);
}

static int ease_done(struct op *op, const struct call *c)
{
	if (op->state == UNEASE) {
		op->eased = false;
		return op->after;
	}
	if (c->r < 0) {
		(void)op_fail(op, c, "move %s back to %s", op->stored, op->rec.request.directory);
		return REVERT;
	}
	op->eased = true;
	return MOVE;
}

static int revert(struct op *op)
{
	op->rec.state = RECORD_TRASHED;
	op->then = REVERTED;
	return STEP_SAVE_EARLIER;
}

static int reverted(struct op *op)
{
	return -op->err.code;
}

static int close_record(struct op *op)
{
	op->rec.state = RECORD_READY;
	op->rec.stored = "";
	op->then = ANSWER;
	return STEP_SAVE_EARLIER;
}

/* ---- the answer ---------------------------------------------------------------------------- */

static int answer(struct op *op)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (!a || record_name(op->rec.request.pv, a->name) < 0) {
		free(a);
		return op_refuse(op, ENOMEM, "no memory");
	}
	free(op->own);
	op->own = a;
	op->own_free = free;
	a->entry = (struct volume_entry){.kind = ENTRY_RECORD,
		.name = a->name,
		.record = op->rec.request,
		.state = op->rec.state,
		.published = op->rec.published,
		.changed = op->rec.changed,
		.trash = ""};
	op->directory = op->rec.request.directory;
	op->result.entries = &a->entry;
	op->result.n_entries = 1;
	return STEP_END;
}

const struct op_step op_restore_steps[] = {
	OP_COMMON_STEPS,
	[BEGIN] = {"begin", begin, NULL},
	[DECIDE] = {"decide", decide, NULL},
	[CHECK] = {"check", check, NULL},
	[PLACE] = {"place", place, NULL},
	[LOOK] = {"look", look_start, look_done},
	[STORED] = {"stored", stored_start, stored_done},
	[SAVE] = {"save", save, NULL},
	[MOVE] = {"move", move_start, move_done},
	[EASE] = {"ease", ease_start, ease_done},
	[UNEASE] = {"unease", ease_start, ease_done},
	[REVERT] = {"revert", revert, NULL},
	[REVERTED] = {"reverted", reverted, NULL},
	[CLOSE] = {"close", close_record, NULL},
	[ANSWER] = {"answer", answer, NULL},
};
