/* SPDX-License-Identifier: Apache-2.0 */
/* op_create.c: a record, then a directory with the wished owner and mode */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "nfs/op_steps.h"
#include "nfs/worker.h"

/*
 * The record is made with an exclusive CREATE under its own name, so that it needs no LOOKUP before
 * and no RENAME after: of two attempts one wins and the other reads. It says Ready at once; that
 * the directory may not be there yet is seen by looking, and a repeated create then makes it. A
 * record that is empty or cut is an attempt that died before its MKDIR, which is only sent after
 * the WRITE was confirmed. So a claim costs CREATE, WRITE, MKDIR.
 *
 * A repeated create takes what stands under its own record for its own work. Nobody else's stands
 * under the volume's own name; under another one (a pathPattern) it may, so there the directory is
 * looked for before the record is made: a record says that there was none then.
 *
 * Two attempts for one volume may run at once (two provisioners, or a request that comes late).
 * Who fails takes back the record that it made, which must not be the one that the other stands on.
 * So an attempt that finds a record but no directory writes the record again before its MKDIR, as a
 * file of its own, and nobody removes a record by its name without having seen that it is his.
 */
enum {
	BEGIN = _STEP_OWN,
	RECORD_NEW,
	RECORD_THERE,
	UNDO,
	FIND_PARENT = CREATE_DIRECTORY,
	UNDO_ASIDE,
	UNDO_CHECK,
	UNDO_BACK,
	UNDO_REMOVE,
	EARLIER_LOOK,
	MAKE,
	LOOK,
	WHOSE,
	FOUND,
	COMPARE,
	MEND,
	LOOK_AGAIN,
	TAKE_BACK,
	FIRST_LOOK,
	FIRST_RECORD,
};

/* Who makes the directory, in the order tried. */
enum { AS_CONTROL, AS_OWNER, AS_CONTROL_PLAIN, _AS_MAX };

static const struct volume_request *wish(const struct op *op)
{
	return &op->request.volume;
}

static int begin(struct op *op)
{
	const struct volume_request *q = wish(op);

	op->rec.request = *q;
	op->rec.state = RECORD_READY;
	op->identity = op->x->as_owner ? AS_OWNER : AS_CONTROL;
	if (volume_request_owns_path(q))
		return RECORD_NEW;
	if (!op->x->indexed) {
		op->then = BEGIN;
		return STEP_INDEX;
	}
	if (op_check_index(op) < 0)
		return -op->err.code;
	if (q->flags & VOLUME_ADOPT)
		return RECORD_NEW;
	op_path_set(op, q->directory, false);
	op->then = FIRST_LOOK;
	return STEP_PARENT;
}

static int first_look_start(struct op *op)
{
	if (op->absent)
		return RECORD_NEW;
	op->call.dir = *op_parent(op);
	op->call.name = op_last(op);
	return op_send(op, CALL_LOOKUP, op_cred(op));
}

static int first_look_done(struct op *op, const struct call *c)
{
	if (c->r == -ENOENT)
		return RECORD_NEW;
	if (c->r < 0)
		return op_fail(op, c, "look for %s", wish(op)->directory);
	op->attr = c->attr;
	op->then = FIRST_RECORD;
	return STEP_RECORD;
}

/* What a volume's directory never is. */
static int check_kind(struct op *op)
{
	if (op->attr.type != NFS_TYPE_DIRECTORY)
		return op_refuse(
			op, ENOTDIR, "%s is there and is no directory", wish(op)->directory);
	if (memcmp(op->attr.fsid, op->x->fsid, sizeof(op->x->fsid)) != 0)
		return op_refuse(
			op, EXDEV, "%s is another export or file system", wish(op)->directory);
	return 0;
}

static int refuse_existing(struct op *op)
{
	return op_refuse(op, EEXIST,
		"the directory %s is there already (class parameter adopt is not set)",
		wish(op)->directory);
}

/* Made by an earlier attempt, which has its record; or by others. */
static int first_record(struct op *op)
{
	if (op->has_record || op->bad_record)
		return RECORD_THERE;
	return check_kind(op) < 0 ? -op->err.code : refuse_existing(op);
}

static int record_new_start(struct op *op)
{
	int r = op_encode_record(op);

	if (r < 0)
		return r;
	if (record_name(wish(op)->pv, op->temp) < 0)
		return op_refuse(op, EINVAL, "the volume's name is too long");
	op->call.dir = op->x->volumes;
	op->call.name = op->temp;
	op->call.data = op->file.data;
	op->call.size = op->file.len;
	return op_send(op, CALL_CREATE, op_cred(op));
}

/* The record is this operation's: nothing was made before it, and it goes where nothing comes
 * after. */
static void own_record(struct op *op)
{
	op->fresh = op->made_record = op->has_record = true;
	op->on_failure = UNDO;
}

static int record_new_done(struct op *op, const struct call *c)
{
	if (c->r == -EEXIST) {
		op->then = RECORD_THERE;
		return STEP_RECORD;
	}
	if (c->r < 0) {
		op->record_fh = c->fh;
		op->on_failure = c->created ? UNDO : 0;
		return op_fail(op, c, "write the record of %s", wish(op)->pv);
	}
	op->record_fh = c->fh;
	own_record(op);
	if (export_index_add(op->x, &op->rec) < 0)
		return op_refuse(op, ENOMEM, "no memory for the index");
	return FIND_PARENT;
}

/* Another attempt took it back, or a server knew a name for longer than its file was there: from
 * the beginning, once. */
static int record_gone(struct op *op)
{
	if (!op->restarted)
		return -ESTALE;
	return op_refuse(op, EAGAIN, "the record of %s has just gone", wish(op)->pv);
}

/* The record of an earlier attempt, or of somebody else. */
static int record_there(struct op *op)
{
	bool empty = op->bad_record && op->file.len == 0;

	if (!empty && op_check_record(op) < 0) {
		op->err.code = op->bad_record ? EBADMSG : EEXIST;
		return -op->err.code;
	}
	if (!empty && !op->has_record)
		return record_gone(op);
	if (!empty && !record_is_live(&op->rec))
		return op_refuse(op, EEXIST, "volume %s is reclaimed already (%s)", wish(op)->pv,
			record_state_text(op->rec.state));
	if (!empty && op->rec.state == RECORD_RECYCLING)
		return op_refuse(op, EBUSY, "volume %s is being recycled", wish(op)->pv);
	if (!empty && op->made_record) {
		own_record(op);
		return FIND_PARENT;
	}
	op_path_set(op, wish(op)->directory, true);
	op->then = EARLIER_LOOK;
	return STEP_PARENT;
}

/* Under another attempt's record: is there a directory, and if not, who makes it? */
static int earlier_look_start(struct op *op)
{
	op->call.dir = *op_parent(op);
	op->call.name = op_last(op);
	return op_send(op, CALL_LOOKUP, op_cred(op));
}

static int earlier_look_done(struct op *op, const struct call *c)
{
	if (c->r >= 0 && op->has_record) {
		op->attr = c->attr;
		return FOUND;
	}
	if (c->r >= 0 && !op->reread) {
		/* Made by whom? By then its attempt had its record written: read it now. */
		op->reread = true;
		op->then = RECORD_THERE;
		return STEP_RECORD;
	}
	if (c->r >= 0)
		return op_refuse(op, EEXIST, "the directory %s is there, but its record is empty",
			wish(op)->directory);
	if (c->r != -ENOENT)
		return op_fail(op, c, "look for %s", wish(op)->directory);
	if (!op->has_record) {
		record_done(&op->rec);
		op->rec.request = *wish(op);
		op->rec.state = RECORD_READY;
		op->has_record = true;
		op->bad_record = false;
	}
	op->then = MAKE;
	return STEP_SAVE_EARLIER;
}

/* ---- taking back
 * --------------------------------------------------------------------------------------- */

/* Nothing else was made by us: the record goes again, if it is still ours. */
static int undo_start(struct op *op)
{
	if (record_name(wish(op)->pv, op->stored) < 0)
		return -op->err.code;
	op->call.dir = op->x->volumes;
	op->call.name = op->stored;
	return op_send(op, CALL_LOOKUP, op_cred(op));
}

static int undo_done(struct op *op, const struct call *c)
{
	if (c->r < 0 || !nfs_fh_equal(&c->fh, &op->record_fh))
		return -op->err.code;
	return UNDO_ASIDE;
}

/* Between the look and a REMOVE another attempt may put its own there: what is moved to a name of
 * ours can be looked at in peace, and goes back where it is another's. */
static int undo_aside_start(struct op *op)
{
	bool back = op->state == UNDO_BACK;

	op_temp_name(op, op->request.attempt);
	op->call.dir = op->call.to = op->x->volumes;
	op->call.name = back ? op->temp : op->stored;
	op->call.to_name = back ? op->stored : op->temp;
	return op_send(op, CALL_RENAME, op_cred(op));
}

static int undo_aside_done(struct op *op, const struct call *c)
{
	return c->r < 0 || op->state == UNDO_BACK ? -op->err.code : UNDO_CHECK;
}

static int undo_check_start(struct op *op)
{
	op->call.dir = op->x->volumes;
	op->call.name = op->temp;
	return op_send(op, op->state == UNDO_CHECK ? CALL_LOOKUP : CALL_REMOVE, op_cred(op));
}

static int undo_check_done(struct op *op, const struct call *c)
{
	return c->r >= 0 && nfs_fh_equal(&c->fh, &op->record_fh) ? UNDO_REMOVE : UNDO_BACK;
}

static int undo_remove_done(struct op *op, const struct call *c)
{
	if (c->r >= 0)
		export_index_remove(op->x, &op->rec);
	return -op->err.code;
}

static int find_parent(struct op *op)
{
	op_path_set(op, wish(op)->directory, true);
	op->then = MAKE;
	return STEP_PARENT;
}

/* ---- the directory
 * ------------------------------------------------------------------------------------ */

static struct nfs_cred maker(const struct op *op)
{
	if (op->identity == AS_OWNER)
		return (struct nfs_cred){wish(op)->uid, wish(op)->gid};
	return *op_cred(op);
}

static int make_start(struct op *op)
{
	const struct volume_request *q = wish(op);
	struct nfs_cred cred = maker(op);

	op->call.dir = *op_parent(op);
	op->call.name = op_last(op);
	op->call.set = (struct nfs_set){
		.what = SET_MODE, .mode = volume_request_mode(q), .uid = q->uid, .gid = q->gid};
	if (op->identity != AS_CONTROL_PLAIN)
		op->call.set.what |= (q->flags & VOLUME_UID_SET ? SET_UID : 0U) |
				     (q->flags & VOLUME_GID_SET ? SET_GID : 0U);
	return op_send(op, CALL_MKDIR, &cred);
}

/* The next identity that was not tried, -1 for none. */
static int next_identity(const struct op *op)
{
	unsigned flags = wish(op)->flags;

	for (int i = 0; i < _AS_MAX; i++) {
		if (op->tried & (1U << i) || (i == AS_OWNER && !(flags & VOLUME_UID_SET)))
			continue;
		if (i != AS_CONTROL_PLAIN || flags & (VOLUME_UID_SET | VOLUME_GID_SET))
			return i;
	}
	return -1;
}

static int make_done(struct op *op, const struct call *c)
{
	int next;

	op->tried |= 1U << op->identity;
	if (c->r == -EEXIST)
		return LOOK;
	if (c->r == -EACCES || c->r == -EPERM) {
		/* The first refusal is the one that an admin can do something about. */
		if (op->err.code == 0)
			(void)op_fail(op, c, "make the directory %s", wish(op)->directory);
		next = next_identity(op);
		if (next < 0)
			return -op->err.code;
		op->identity = (unsigned)next;
		return MAKE;
	}
	if (c->r == -ENOENT) {
		/* A parent went meanwhile: with its last other volume. */
		export_forget(op->x);
		return -ESTALE;
	}
	if (c->r < 0) {
		err_clear(&op->err);
		(void)op_fail(op, c, "make the directory %s", wish(op)->directory);
		return c->r;
	}
	err_clear(&op->err);
	/* From here on there is something that the record must stand for. */
	op->on_failure = 0;
	op->attr = c->attr;
	op->call.fh = c->fh;
	return COMPARE;
}

static int look_start(struct op *op)
{
	op->call.dir = *op_parent(op);
	op->call.name = op_last(op);
	return op_send(op, CALL_LOOKUP, op_cred(op));
}

static int look_done(struct op *op, const struct call *c)
{
	if (c->r == -ENOENT)
		return op_refuse(op, EAGAIN, "%s comes and goes", wish(op)->directory);
	if (c->r < 0)
		return op_fail(op, c, "look at %s", wish(op)->directory);
	op->attr = c->attr;
	return FOUND;
}

static bool owner_differs(const struct op *op);
static bool mode_differs(const struct op *op);

/*
 * Whether what is there must be the work of another attempt for the same volume: it carries the
 * volume's own name, and is just as we would have made it. Whoever could only guess the name cannot
 * make a directory that belongs to root or to the class's owner.
 */
static bool made_by_attempt(const struct op *op)
{
	const struct volume_request *q = wish(op);

	if (!volume_request_owns_path(q) || owner_differs(op) || mode_differs(op))
		return false;
	return q->flags & VOLUME_UID_SET || op->attr.uid == op_cred(op)->uid;
}

/* Something is there. Whose it is: an earlier attempt's, an admin's, or another volume's. */
static int found(struct op *op)
{
	if (check_kind(op) < 0)
		return -op->err.code;
	if (op->fresh && !(wish(op)->flags & VOLUME_ADOPT) && !made_by_attempt(op))
		return WHOSE;
	if (!op->fresh && !op->x->indexed && !volume_request_owns_path(wish(op))) {
		op->then = FOUND;
		return STEP_INDEX;
	}
	if (op->x->indexed && op_check_index(op) < 0)
		return -op->err.code;
	if (op->fresh && wish(op)->flags & VOLUME_ADOPT) {
		op->adopted = true;
		op->flags |= RESULT_ADOPTED;
	}
	op->directory = wish(op)->directory;
	return STEP_END;
}

/* Under our record, so nobody's; or under one that another attempt put there before its MKDIR, and
 * whose owner it is about to mend. */
static int whose_start(struct op *op)
{
	if (record_name(wish(op)->pv, op->stored) < 0)
		return op_refuse(op, EINVAL, "the volume's name is too long");
	op->call.dir = op->x->volumes;
	op->call.name = op->stored;
	return op_send(op, CALL_LOOKUP, op_cred(op));
}

static int whose_done(struct op *op, const struct call *c)
{
	if (c->r < 0 && c->r != -ENOENT)
		return op_fail(op, c, "look at the record of %s", wish(op)->pv);
	if (c->r >= 0 && !nfs_fh_equal(&c->fh, &op->record_fh)) {
		op->fresh = false;
		op->on_failure = 0;
		return FOUND;
	}
	return refuse_existing(op);
}

/* ---- owner and mode
 * -------------------------------------------------------------------------------------- */

static bool owner_differs(const struct op *op)
{
	const struct volume_request *q = wish(op);

	return (q->flags & VOLUME_UID_SET && op->attr.uid != q->uid) ||
	       (q->flags & VOLUME_GID_SET && op->attr.gid != q->gid);
}

static bool mode_differs(const struct op *op)
{
	return op->attr.mode != volume_request_mode(wish(op));
}

static void note_difference(struct op *op)
{
	const struct volume_request *q = wish(op);

	if (owner_differs(op)) {
		op->flags |= RESULT_OWNER_DIFFERS;
		op_note(op,
			"the server made %s as %u:%u instead of %u:%u (root_squash or all_squash?)",
			q->directory, op->attr.uid, op->attr.gid,
			q->flags & VOLUME_UID_SET ? q->uid : op->attr.uid,
			q->flags & VOLUME_GID_SET ? q->gid : op->attr.gid);
	}
	if (mode_differs(op)) {
		op->flags |= RESULT_MODE_DIFFERS;
		op_note(op, "the server made %s with mode %04o instead of %04o", q->directory,
			op->attr.mode, volume_request_mode(q));
	}
}

static int compare(struct op *op)
{
	if (!owner_differs(op) && !mode_differs(op)) {
		if (op->identity == AS_OWNER)
			op->x->as_owner = true;
		op->directory = wish(op)->directory;
		return STEP_END;
	}
	if (!op->compared)
		return MEND;
	/* Made on behalf of the wrong user: the owner himself may be allowed to. */
	if (owner_differs(op) && op->identity != AS_OWNER && !(op->tried & (1U << AS_OWNER)) &&
		wish(op)->flags & VOLUME_UID_SET)
		return TAKE_BACK;
	note_difference(op);
	op->directory = wish(op)->directory;
	return STEP_END;
}

static int mend_start(struct op *op)
{
	const struct volume_request *q = wish(op);
	struct nfs_cred cred = maker(op);

	op->compared = true;
	op->call.dir = op->call.fh;
	op->call.set =
		(struct nfs_set){.mode = volume_request_mode(q), .uid = q->uid, .gid = q->gid};
	if (q->flags & VOLUME_UID_SET && op->attr.uid != q->uid)
		op->call.set.what |= SET_UID;
	if (q->flags & VOLUME_GID_SET && op->attr.gid != q->gid)
		op->call.set.what |= SET_GID;
	/* A change of owner may clear bits of the mode. */
	if (mode_differs(op) || op->call.set.what)
		op->call.set.what |= SET_MODE;
	return op_send(op, CALL_SETATTR, &cred);
}

/* Whether it worked is seen in the attributes. */
static int mend_done(struct op *op, const struct call *c)
{
	(void)op;
	return c->r == -ESTALE ? -ESTALE : LOOK_AGAIN;
}

static int look_again_done(struct op *op, const struct call *c)
{
	if (c->r < 0)
		return op_fail(op, c, "look at %s", wish(op)->directory);
	op->attr = c->attr;
	op->call.fh = c->fh;
	return COMPARE;
}

static int take_back_start(struct op *op)
{
	struct nfs_cred cred = maker(op);

	op->call.dir = *op_parent(op);
	op->call.name = op_last(op);
	return op_send(op, CALL_RMDIR, &cred);
}

static int take_back_done(struct op *op, const struct call *c)
{
	if (c->r < 0) {
		note_difference(op);
		op->directory = wish(op)->directory;
		return STEP_END;
	}
	op->compared = false;
	op->identity = AS_OWNER;
	/* Where the owner is refused, the first way is gone again with what it makes. */
	op->tried &= ~(1U << AS_CONTROL);
	return MAKE;
}

const struct op_step op_create_steps[] = {
	OP_COMMON_STEPS,
	[BEGIN] = {"begin", begin, NULL},
	[RECORD_NEW] = {"record-new", record_new_start, record_new_done},
	[RECORD_THERE] = {"record-there", record_there, NULL},
	[UNDO] = {"undo", undo_start, undo_done},
	[UNDO_ASIDE] = {"undo-aside", undo_aside_start, undo_aside_done},
	[UNDO_CHECK] = {"undo-check", undo_check_start, undo_check_done},
	[UNDO_BACK] = {"undo-back", undo_aside_start, undo_aside_done},
	[UNDO_REMOVE] = {"undo-remove", undo_check_start, undo_remove_done},
	[EARLIER_LOOK] = {"earlier-look", earlier_look_start, earlier_look_done},
	[FIND_PARENT] = {"find-parent", find_parent, NULL},
	[MAKE] = {"make", make_start, make_done},
	[LOOK] = {"look", look_start, look_done},
	[WHOSE] = {"whose", whose_start, whose_done},
	[FOUND] = {"found", found, NULL},
	[COMPARE] = {"compare", compare, NULL},
	[MEND] = {"mend", mend_start, mend_done},
	[LOOK_AGAIN] = {"look-again", look_start, look_again_done},
	[TAKE_BACK] = {"take-back", take_back_start, take_back_done},
	[FIRST_LOOK] = {"first-look", first_look_start, first_look_done},
	[FIRST_RECORD] = {"first-record", first_record, NULL},
};
