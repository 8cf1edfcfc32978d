/* SPDX-License-Identifier: Apache-2.0 */
/* op_retire.c: a volume's directory leaves its place: to the trash, to an archive, or for a new one
 * (recycle) */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/str.h"
#include "nfs/op_steps.h"
#include "nfs/worker.h"

/*
 * The record is written first and names where the directory goes, so that a repeated attempt goes
 * on with the same name: it finds the directory in its place, or there. Names carry volume, time
 * and random digits and cannot meet another's (NFS has no rename that refuses to replace).
 *
 * Where the place is used again, for the new directory of a recycled volume or by another volume of
 * a pathPattern, a RENAME of an attempt that was given up must not come late and take that away.
 * There the directory first moves into a directory made for this one move, which is gone again when
 * the operation ends: a call with the handle of what was removed does nothing, whenever it comes.
 */
enum {
	BEGIN = _STEP_OWN,
	DECIDE,
	CHECK,
	CHECK_RESUMED,
	WALK,
	TARGET,
	SAVE,
	HOLD,
	MOVE,
	MOVE_OUT,
	RELEASE,
	HOLD_LOOK,
	EASE_LOOK,
	EASE,
	RESTORE,
	STORED,
	CLEAN,
	GONE,
	REMAKE,
	READY,
	ORPHAN_WALK,
	ORPHAN_LOOK,
};

#define ARCHIVE_PREFIX "archived-"
/* Room for prefix, dash, time and "-99". */
#define ARCHIVE_NAME_MAX (PATH_COMPONENT_MAX - 9U - 17U - 3U)
#define ARCHIVE_TRIES 99
/* Of the directory for one move: nobody else's business. */
#define HOLD_MODE 0700
#define HELD_NAME "volume"

static enum record_state goal(const struct op *op)
{
	return op->kind == NFS_TRASH     ? RECORD_TRASHED
	       : op->kind == NFS_ARCHIVE ? RECORD_ARCHIVED
					 : RECORD_RECYCLING;
}

static int begin(struct op *op)
{
	op->then = DECIDE;
	return STEP_RECORD;
}

static int trash_name(struct op *op)
{
	char time[CLOCK_TEXT_MAX], token[TOKEN_TEXT_MAX];

	if (strlen(op->request.volume.pv) + TRASH_TAIL > PATH_COMPONENT_MAX)
		return op_refuse(op, ENAMETOOLONG, "the volume's name is too long for the trash");
	snprintf(op->stored, sizeof(op->stored), "%s-%s-%.*s", op->request.volume.pv,
		clock_format_compact(clock_real(), time), TRASH_DIGITS, token_random(token));
	return 0;
}

/* The last name changes, so that the archive lies beside the place. */
static int archive_name(struct op *op)
{
	const char *directory = op->rec.request.directory, *slash = strrchr(directory, '/');
	int parent = slash ? (int)(slash + 1 - directory) : 0;
	char time[CLOCK_TEXT_MAX], suffix[16] = "";
	size_t keep = strlen(directory + parent);

	/* Cut between characters: a name that is not UTF-8 could not be recorded. */
	if (keep > ARCHIVE_NAME_MAX)
		for (keep = ARCHIVE_NAME_MAX;
			keep > 0 && (directory[(size_t)parent + keep] & 0xc0) == 0x80;)
			keep--;
	if (op->suffix > 0)
		snprintf(suffix, sizeof(suffix), "-%u", op->suffix);
	if (str_format(op->stored, sizeof(op->stored), "%.*s" ARCHIVE_PREFIX "%.*s-%s%s", parent,
		    directory, (int)keep, directory + parent,
		    clock_format_compact(clock_real(), time), suffix) < 0)
		return op_refuse(op, ENAMETOOLONG, "the archive's path would be too long");
	return 0;
}

static const char *archive_last(const struct op *op)
{
	const char *slash = strrchr(op->stored, '/');

	return slash ? slash + 1 : op->stored;
}

static int end_absent(struct op *op)
{
	op->flags |= RESULT_ABSENT;
	return STEP_END;
}

/* A record that says where the directory went, or was to go. */
static int resume(struct op *op)
{
	if (op->rec.state != goal(op)) {
		op_note(op, "volume %s is %s already", op->rec.request.pv,
			record_state_text(op->rec.state));
		return end_absent(op);
	}
	if (str_copy(op->stored, sizeof(op->stored), op->rec.stored) < 0 || !*op->stored)
		return op_refuse(op, EBADMSG, "the record of %s does not say where it went",
			op->rec.request.pv);
	op->resumed = true;
	return WALK;
}

static int decide(struct op *op)
{
	int r = op_record_is_empty(op) ? 0 : op_check_record(op);

	if (r < 0)
		return r;
	if (!op->has_record)
		return ORPHAN_WALK;
	/* The place may have another directory soon; or a recycle that ends here had begun. */
	op->held = op->kind == NFS_RECYCLE || op->rec.state == RECORD_RECYCLING ||
		   !volume_request_owns_path(&op->rec.request);
	if (!record_is_live(&op->rec) || op->rec.state == goal(op))
		return resume(op);
	if (op->kind == NFS_TRASH || op->kind == NFS_RECYCLE)
		r = trash_name(op);
	if (r < 0)
		return r;
	if (volume_request_owns_path(&op->rec.request) && !(op->rec.request.flags & VOLUME_SHARED))
		return WALK;
	op->then = CHECK;
	return STEP_INDEX;
}

/* A directory that others use as well stays where it is. */
static int check(struct op *op)
{
	const struct volume_request *q = &op->rec.request;
	const char *other = export_index_conflict(op->x, q->directory, q->pv, true);

	if (other)
		return op_refuse(op, EBUSY, "%s holds, or lies in, the directory of volume %s",
			q->directory, other);
	if (export_index_others(op->x, q->directory, q->pv) == 0)
		return WALK;
	if (op->kind == NFS_RECYCLE)
		return op_refuse(op, EBUSY, "%s is used by other volumes", q->directory);
	op_note(op, "%s is used by other volumes and stays", q->directory);
	return GONE;
}

static int walk(struct op *op)
{
	op_path_set(op, op->rec.request.directory, op->kind == NFS_RECYCLE);
	op->then = op->kind == NFS_ARCHIVE ? TARGET : SAVE;
	if (op->resumed) {
		op->then = op->held ? RELEASE : STORED;
		op->released = STORED;
	}
	return STEP_PARENT;
}

static int target_start(struct op *op)
{
	int r;

	if (op->absent)
		return GONE;
	r = archive_name(op);
	if (r < 0)
		return r;
	op->call.dir = *op_parent(op);
	op->call.name = archive_last(op);
	return op_send(op, CALL_LOOKUP, op_cred(op));
}

static int target_done(struct op *op, const struct call *c)
{
	if (c->r == -ENOENT)
		return SAVE;
	if (c->r < 0)
		return op_fail(op, c, "look for %s", op->stored);
	if (++op->suffix > ARCHIVE_TRIES)
		return op_refuse(op, EEXIST, "%s and its like are all there", op->stored);
	return TARGET;
}

static int save(struct op *op)
{
	if (op->absent)
		return op->kind == NFS_RECYCLE ? REMAKE : GONE;
	op->rec.state = goal(op);
	op->rec.stored = op->stored;
	op->then = HOLD;
	return STEP_SAVE_EARLIER;
}

/* ---- the directory for one move
 * ------------------------------------------------------------------------ */

static int hold_name(struct op *op)
{
	if (str_format(op->temp, sizeof(op->temp), ".%s.move", op->request.volume.pv) < 0)
		return op_refuse(op, ENAMETOOLONG, "the volume's name is too long");
	op->call.dir = op->x->volumes;
	op->call.name = op->temp;
	return 0;
}

static int hold_start(struct op *op)
{
	int r;

	if (op->absent)
		return STORED;
	if (!op->held)
		return MOVE;
	r = hold_name(op);
	op->call.set = (struct nfs_set){.what = SET_MODE, .mode = HOLD_MODE};
	return r < 0 ? r : op_send(op, CALL_MKDIR, op_cred(op));
}

static int hold_done(struct op *op, const struct call *c)
{
	if (c->r == -EEXIST) {
		op->released = HOLD;
		return RELEASE;
	}
	if (c->r < 0)
		return op_fail(op, c, "make %s", op->temp);
	op->hold = c->fh;
	return MOVE;
}

/* RMDIR decides whether what an earlier attempt sent has happened: from here on it cannot. */
static int release_start(struct op *op)
{
	int r = hold_name(op);

	return r < 0 ? r : op_send(op, CALL_RMDIR, op_cred(op));
}

static int release_done(struct op *op, const struct call *c)
{
	if (c->r == -EEXIST || c->r == -ENOTEMPTY)
		return HOLD_LOOK;
	if (c->r < 0 && c->r != -ENOENT)
		return op_fail(op, c, "remove %s", op->temp);
	return op->released;
}

static int hold_look_start(struct op *op)
{
	int r = hold_name(op);

	return r < 0 ? r : op_send(op, CALL_LOOKUP, op_cred(op));
}

static int hold_look_done(struct op *op, const struct call *c)
{
	if (c->r < 0)
		return op_fail(op, c, "look at %s", op->temp);
	if (op->absent && op->kind == NFS_ARCHIVE)
		return op_refuse(op, ENOENT, "the place for %s is gone", op->stored);
	op->hold = c->fh;
	return MOVE_OUT;
}

/* ---- the move
 * ------------------------------------------------------------------------------------------ */

static void move_target(struct op *op)
{
	op->call.to = op->kind == NFS_ARCHIVE ? *op_parent(op) : op->x->trash;
	op->call.to_name = op->kind == NFS_ARCHIVE ? archive_last(op) : op->stored;
}

static int move_start(struct op *op)
{
	op->call.dir = *op_parent(op);
	op->call.name = op_last(op);
	move_target(op);
	if (op->held) {
		op->call.to = op->hold;
		op->call.to_name = HELD_NAME;
	}
	return op_send(op, CALL_RENAME, op_cred(op));
}

static int move_out_start(struct op *op)
{
	op->call.dir = op->hold;
	op->call.name = HELD_NAME;
	move_target(op);
	return op_send(op, CALL_RENAME, op_cred(op));
}

static int moved(const struct op *op)
{
	return op->kind == NFS_TRASH ? CLEAN : op->kind == NFS_ARCHIVE ? STEP_END : REMAKE;
}

/* Goes on with after, or ends with it; the owner gets his mode back first where it was eased. */
static int then_restore(struct op *op, int after)
{
	op->after = after;
	return op->eased ? RESTORE : after;
}

/* The directory for the move goes before the operation goes on. */
static int leave_hold(struct op *op, int next)
{
	op->released = next;
	return op->held ? RELEASE : next;
}

static int move_done(struct op *op, const struct call *c)
{
	op->directory = op->stored;
	if (c->r == -ENOENT)
		return leave_hold(op, STORED);
	/* Our name is taken: the directory is there already, and what stands here now is another.
	 */
	if ((c->r == -EEXIST || c->r == -ENOTEMPTY) && !op->held)
		return then_restore(op, moved(op));
	if ((c->r == -EACCES || c->r == -EPERM) && !op->eased) {
		(void)op_fail(op, c, "move %s to %s", op->rec.request.directory, op->stored);
		return EASE_LOOK;
	}
	if (c->r < 0)
		return then_restore(
			op, op_fail(op, c, "move %s to %s", op->rec.request.directory, op->stored));
	err_clear(&op->err);
	return op->held ? MOVE_OUT : then_restore(op, moved(op));
}

static int move_out_done(struct op *op, const struct call *c)
{
	op->directory = op->stored;
	if (c->r < 0 && c->r != -ENOENT)
		return op_fail(op, c, "move %s to %s", op->temp, op->stored);
	return leave_hold(op, c->r < 0 ? STORED : then_restore(op, moved(op)));
}

/*
 * Moving a directory changes its "..", for which its mode must allow writing: a squashed root has
 * no such right in a tenant's 0770. The owner may change the mode, so for the moment all get it.
 */
static int ease_look_start(struct op *op)
{
	op->call.dir = *op_parent(op);
	op->call.name = op_last(op);
	return op_send(op, CALL_LOOKUP, op_cred(op));
}

static int ease_look_done(struct op *op, const struct call *c)
{
	if (c->r < 0 || c->attr.type != NFS_TYPE_DIRECTORY)
		return -op->err.code;
	op->owner = (struct nfs_cred){c->attr.uid, c->attr.gid};
	op->mode = c->attr.mode;
	op->call.fh = c->fh;
	return EASE;
}

static int ease_start(struct op *op)
{
	op->call.dir = op->call.fh;
	op->call.to = op->call.fh;
	op->call.set = (struct nfs_set){
		.what = SET_MODE, .mode = op->state == EASE ? op->mode | 0777 : op->mode};
	return op_send(op, CALL_SETATTR, &op->owner);
}

static int ease_done(struct op *op, const struct call *c)
{
	if (c->r < 0)
		return -op->err.code;
	op->eased = true;
	return MOVE;
}

/* What moved into the trash is out of everybody's way, and an archive keeps its mode. */
static int restore_start(struct op *op)
{
	op->call.dir = op->kind == NFS_ARCHIVE ? *op_parent(op) : op->x->trash;
	op->call.name = op->kind == NFS_ARCHIVE ? archive_last(op) : op->stored;
	if (op->after < 0) {
		op->call.dir = *op_parent(op);
		op->call.name = op_last(op);
	}
	return op_send(op, CALL_LOOKUP, op_cred(op));
}

static int restore_done(struct op *op, const struct call *c)
{
	op->eased = false;
	if (c->r < 0 || c->kind == CALL_SETATTR)
		return op->after;
	op->call.dir = c->fh;
	op->call.set = (struct nfs_set){.what = SET_MODE, .mode = op->mode};
	return op_send(op, CALL_SETATTR, &op->owner);
}

/* Not in its place: moved by an attempt before us, or never made. */
static int stored_start(struct op *op)
{
	op->directory = op->stored;
	if (op->absent && op->kind == NFS_ARCHIVE)
		return GONE;
	op->call.dir = op->kind == NFS_ARCHIVE ? *op_parent(op) : op->x->trash;
	op->call.name = op->kind == NFS_ARCHIVE ? archive_last(op) : op->stored;
	return op_send(op, CALL_LOOKUP, op_cred(op));
}

static int stored_done(struct op *op, const struct call *c)
{
	err_clear(&op->err);
	if (c->r == -ENOENT && op->resumed) {
		op->resumed = false;
		op->then = CHECK_RESUMED;
		return volume_request_owns_path(&op->rec.request) ? HOLD : STEP_INDEX;
	}
	if (c->r == -ENOENT)
		return op->kind == NFS_RECYCLE ? REMAKE : GONE;
	if (c->r < 0)
		return op_fail(op, c, "look for %s", op->stored);
	return moved(op);
}

/* What went to the trash may be purged by now, and its place given to another volume. */
static int check_resumed(struct op *op)
{
	const struct volume_request *q = &op->rec.request;

	if (export_index_others(op->x, q->directory, q->pv) > 0)
		return GONE;
	return HOLD;
}

/* Parents of a pathPattern go when they are empty: RMDIR and nothing else decides. */
static int clean_start(struct op *op)
{
	struct op_path *p = &op->path;
	size_t from;

	if (op->absent || p->depth == 0)
		return STEP_END;
	p->depth--;
	from = p->depth > 0 ? p->ends[p->depth - 1] + 1 : 0;
	snprintf(op->temp, sizeof(op->temp), "%.*s", (int)(p->ends[p->depth] - from),
		p->text + from);
	op->call.dir = *op_parent(op);
	op->call.name = op->temp;
	return op_send(op, CALL_RMDIR, op_cred(op));
}

static int clean_done(struct op *op, const struct call *c)
{
	if (c->r < 0)
		return STEP_END;
	export_drop_parent(op->x, op->path.text, op->path.ends[op->path.depth]);
	return CLEAN;
}

static int gone(struct op *op)
{
	op->flags |= RESULT_ABSENT;
	op->directory = NULL;
	op->then = STEP_END;
	return STEP_FORGET;
}

/* ---- recycle
 * ---------------------------------------------------------------------------------------- */

static int remade(struct op *op)
{
	op->steps = op_retire_steps;
	return READY;
}

/* The recorded owner and mode, through create's own steps. */
static int remake(struct op *op)
{
	op->request.volume = op->rec.request;
	op->request.volume.flags &= ~(unsigned)VOLUME_ADOPT;
	op->fresh = op->compared = false;
	op->tried = 0;
	op->identity = op->x->as_owner && op->rec.request.flags & VOLUME_UID_SET ? 1 : 0;
	op->steps = op_create_steps;
	op->at_end = remade;
	return CREATE_DIRECTORY;
}

static int ready(struct op *op)
{
	op->rec.state = RECORD_READY;
	op->rec.stored = "";
	op->rec.previous_uid = op->rec.request.claim.uid;
	op->rec.published = false;
	op->directory = op->stored;
	op->then = STEP_END;
	return STEP_SAVE;
}

/* ---- without a record
 * --------------------------------------------------------------------------------- */

/* An empty record goes too. */
static int orphan_absent(struct op *op)
{
	op->then = STEP_END;
	(void)end_absent(op);
	return op->bad_record ? STEP_FORGET : STEP_END;
}

static int orphan_walk(struct op *op)
{
	op_path_set(op, op->request.volume.directory, false);
	op->then = ORPHAN_LOOK;
	return STEP_PARENT;
}

static int orphan_look_start(struct op *op)
{
	if (op->absent)
		return orphan_absent(op);
	op->call.dir = *op_parent(op);
	op->call.name = op_last(op);
	return op_send(op, CALL_LOOKUP, op_cred(op));
}

static int orphan_look_done(struct op *op, const struct call *c)
{
	if (c->r == -ENOENT)
		return orphan_absent(op);
	if (c->r < 0)
		return op_fail(op, c, "look for %s", op->request.volume.directory);
	return op_refuse(
		op, EPERM, "%s has no record: it is not touched", op->request.volume.directory);
}

const struct op_step op_retire_steps[] = {
	OP_COMMON_STEPS,
	[BEGIN] = {"begin", begin, NULL},
	[DECIDE] = {"decide", decide, NULL},
	[CHECK] = {"check", check, NULL},
	[CHECK_RESUMED] = {"check-resumed", check_resumed, NULL},
	[WALK] = {"walk", walk, NULL},
	[TARGET] = {"target", target_start, target_done},
	[SAVE] = {"save", save, NULL},
	[HOLD] = {"hold", hold_start, hold_done},
	[MOVE] = {"move", move_start, move_done},
	[MOVE_OUT] = {"move-out", move_out_start, move_out_done},
	[RELEASE] = {"release", release_start, release_done},
	[HOLD_LOOK] = {"hold-look", hold_look_start, hold_look_done},
	[EASE_LOOK] = {"ease-look", ease_look_start, ease_look_done},
	[EASE] = {"ease", ease_start, ease_done},
	[RESTORE] = {"restore", restore_start, restore_done},
	[STORED] = {"stored", stored_start, stored_done},
	[CLEAN] = {"clean", clean_start, clean_done},
	[GONE] = {"gone", gone, NULL},
	[REMAKE] = {"remake", remake, NULL},
	[READY] = {"ready", ready, NULL},
	[ORPHAN_WALK] = {"orphan-walk", orphan_walk, NULL},
	[ORPHAN_LOOK] = {"orphan-look", orphan_look_start, orphan_look_done},
};
