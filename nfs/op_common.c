/* SPDX-License-Identifier: Apache-2.0 */
/* op_common.c: the steps that most operations share: attach, record, parents, index */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "nfs/op_steps.h"
#include "nfs/worker.h"

/* Parents made for a pathPattern: passable, not readable (binding.md 5). */
#define PARENT_MODE 0711

/* ---- attach
 * --------------------------------------------------------------------------------------- */

/* Who waits again meanwhile is not among them. */
static void take_all(struct list *waiters, struct list *ready)
{
	list_init(ready);
	LIST_FOREACH (waiters, it) {
		list_remove(it);
		list_append(ready, it);
	}
}

/* Lets those that waited go on, or end with the same error. */
static void wake(struct list *waiters, const struct op *by, int r, int step)
{
	struct list ready;

	take_all(waiters, &ready);
	while (!list_empty(&ready)) {
		struct op *op = LIST_FIRST(&ready, struct op, waiting);

		list_remove(&op->waiting);
		if (r >= 0) {
			op_enter(op, step);
			continue;
		}
		err_copy(&op->err, &by->err);
		op_finish(op, r);
	}
}

/* Nothing of ours lies there, so that a list is empty; who waits to make something does so. */
static void wake_bare(struct list *waiters)
{
	struct list ready;

	take_all(waiters, &ready);
	while (!list_empty(&ready)) {
		struct op *op = LIST_FIRST(&ready, struct op, waiting);

		list_remove(&op->waiting);
		if (op->kind == NFS_LIST)
			op_finish(op, 0);
		else
			op_enter(op, STEP_ATTACH);
	}
}

static void on_attached(struct op *op, int r)
{
	op->x->state = r < 0 ? EXPORT_NEW : EXPORT_READY;
	if (r < 0 && op->absent)
		wake_bare(&op->x->waiters);
	else
		wake(&op->x->waiters, op, r, STEP_ATTACH);
}

static void on_indexed(struct op *op, int r)
{
	export_index_end(op->x, r >= 0);
	wake(&op->x->index_waiters, op, r, STEP_INDEX);
}

/* The worker's own operation that op waits for, within the same time. NULL: op is refused. */
static struct op *own_new(struct op *op, enum nfs_kind kind, const struct op_step *steps,
	void (*ended)(struct op *op, int r))
{
	struct op *own = op_new(op->w, kind);

	if (!own) {
		list_remove(&op->waiting);
		op_refuse(op, ENOMEM, "no memory");
		return NULL;
	}
	own->x = op->x;
	own->request.export_ = op->x->path;
	own->deadline = op->deadline;
	own->steps = steps;
	own->ended = ended;
	return own;
}

int step_attach_start(struct op *op)
{
	struct nfs_export *x = op->x;
	struct op *attach;

	if (x->state == EXPORT_READY) {
		if (op->request.identity && *op->request.identity &&
			!streq(op->request.identity, x->identity))
			return op_refuse(op, ESTALE,
				"this is another export (%s) than the volume's (%.40s): not "
				"touched",
				x->identity, op->request.identity);
		return op->first;
	}
	list_append(&x->waiters, &op->waiting);
	if (x->state == EXPORT_ATTACHING)
		return STEP_WAIT;
	attach = own_new(
		op, op->kind == NFS_LIST ? NFS_LIST : NFS_SPACE, op_attach_steps, on_attached);
	if (!attach)
		return -ENOMEM;
	x->state = EXPORT_ATTACHING;
	op_enter(attach, 0);
	return STEP_WAIT;
}

/* ---- the record
 * ------------------------------------------------------------------------------------ */

int step_record_start(struct op *op)
{
	if (record_name(op->request.volume.pv, op->temp) < 0)
		return op_refuse(op, EINVAL, "the volume's name is too long");
	buf_reset(&op->file);
	record_done(&op->rec);
	op->has_record = op->bad_record = false;
	op->call.dir = op->x->volumes;
	op->call.name = op->temp;
	op->call.out = &op->file;
	return op_send(op, CALL_READ, op_cred(op));
}

int step_record_done(struct op *op, const struct call *c)
{
	int r = c->r;

	if (r == -ENOENT)
		return op->then;
	if (r < 0 && r != -EFBIG)
		return op_fail(op, c, "read the record of %s", op->request.volume.pv);
	if (r >= 0)
		r = record_decode(&op->rec, str_or(op->file.data, ""), op->file.len, &op->err);
	if (r == -ENOMEM || r == -EPROTONOSUPPORT)
		return r;
	op->bad_record = r < 0 || !streq(op->rec.request.pv, op->request.volume.pv);
	op->has_record = !op->bad_record;
	err_clear(&op->err);
	return op->then;
}

bool op_record_is_empty(const struct op *op)
{
	return op->bad_record && op->file.len == 0;
}

int op_check_record(struct op *op)
{
	const struct volume_request *q = &op->request.volume;

	if (op->bad_record)
		return op_refuse(
			op, EBADMSG, "the record of %s cannot be read: nothing is touched", q->pv);
	if (!op->has_record)
		return 0;
	if (!streq(op->rec.request.token, q->token))
		return op_refuse(
			op, EPERM, "the record of %s carries another token: not ours", q->pv);
	if (!streq(op->rec.request.directory, q->directory))
		return op_refuse(op, EPERM, "the record of %s names another directory (%s)", q->pv,
			op->rec.request.directory);
	return 0;
}

int op_encode_record(struct op *op)
{
	op->rec.changed = clock_real();
	buf_reset(&op->file);
	return record_encode(&op->rec, &op->file, &op->err);
}

void op_temp_name(struct op *op, const char *attempt)
{
	/* A leading dot: no record's name begins with one. Cut names stay unique by the attempt. */
	snprintf(op->temp, sizeof(op->temp), ".%.*s-%.200s", (int)strcspn(attempt, ","), attempt,
		op->request.volume.pv);
}

/* A request of an attempt that timed out may still rename its file over ours. */
int step_save_earlier_start(struct op *op)
{
	if (!op->request.earlier)
		return STEP_SAVE;
	op_temp_name(op, op->request.earlier);
	op->call.dir = op->x->volumes;
	op->call.name = op->temp;
	return op_send(op, CALL_REMOVE, op_cred(op));
}

int step_save_earlier_done(struct op *op, const struct call *c)
{
	const char *next = strchr(op->request.earlier, ',');

	if (c->r < 0 && c->r != -ENOENT)
		return op_fail(op, c, "remove %s", op->temp);
	op->request.earlier = next ? next + 1 : NULL;
	return STEP_SAVE_EARLIER;
}

/* The name the record is renamed to lies behind the encoded bytes. */
static const char *save_target(struct op *op)
{
	return op->file.data + op->file.len + 1;
}

int step_save_start(struct op *op)
{
	char name[PATH_COMPONENT_MAX + 1];
	size_t size;
	int r;

	r = op_encode_record(op);
	if (r < 0)
		return r;
	size = op->file.len;
	if (record_name(op->request.volume.pv, name) < 0 || buf_append(&op->file, "\0", 1) < 0 ||
		buf_append(&op->file, name, strlen(name) + 1) < 0)
		return op_refuse(op, ENOMEM, "no memory for a record");
	op->file.len = size;
	op_temp_name(op, op->request.attempt);
	op->call.dir = op->x->volumes;
	op->call.name = save_target(op);
	op->call.to_name = op->temp;
	op->call.data = op->file.data;
	op->call.size = size;
	return op_send(op, CALL_REPLACE, op_cred(op));
}

int step_save_done(struct op *op, const struct call *c)
{
	if (c->r < 0)
		return op_fail(op, c, "write the record of %s", op->request.volume.pv);
	if (export_index_add(op->x, &op->rec) < 0)
		return op_refuse(op, ENOMEM, "no memory for the index");
	if (!record_is_live(&op->rec))
		export_index_remove(op->x, &op->rec);
	return op->then;
}

int step_forget_start(struct op *op)
{
	if (record_name(op->request.volume.pv, op->temp) < 0)
		return op_refuse(op, EINVAL, "the volume's name is too long");
	op->call.dir = op->x->volumes;
	op->call.name = op->temp;
	return op_send(op, CALL_REMOVE, op_cred(op));
}

int step_forget_done(struct op *op, const struct call *c)
{
	if (c->r < 0 && c->r != -ENOENT)
		return op_fail(op, c, "remove the record of %s", op->request.volume.pv);
	if (op->has_record)
		export_index_remove(op->x, &op->rec);
	return op->then;
}

/* ---- parents
 * ---------------------------------------------------------------------------------------- */

void op_path_set(struct op *op, const char *path, bool make)
{
	op->path.text = path;
	op->path.at = op->path.depth = 0;
	op->path.make = make;
	op->absent = false;
}

const struct nfs_fh *op_parent(const struct op *op)
{
	return op->path.depth > 0 ? &op->path.parents[op->path.depth - 1] : &op->x->root;
}

const char *op_last(const struct op *op)
{
	return op->path.text + op->path.at;
}

static void path_push(struct op *op, size_t end, const struct nfs_fh *fh)
{
	op->path.parents[op->path.depth] = *fh;
	op->path.ends[op->path.depth++] = end;
	op->path.at = end + 1;
}

int step_parent_start(struct op *op)
{
	struct op_path *p = &op->path;
	const char *slash;

	while ((slash = strchr(p->text + p->at, '/')) && p->depth < PATH_COMPONENTS_MAX) {
		size_t end = (size_t)(slash - p->text);
		const struct nfs_fh *known = export_parent(op->x, p->text, end);

		if (!known) {
			if (end - p->at >= sizeof(op->temp))
				return op_refuse(op, ENAMETOOLONG, "a name is too long");
			memcpy(op->temp, p->text + p->at, end - p->at);
			op->temp[end - p->at] = '\0';
			op->call.dir = *op_parent(op);
			op->call.name = op->temp;
			return op_send(op, CALL_LOOKUP, op_cred(op));
		}
		path_push(op, end, known);
	}
	return op->then;
}

/* Makes sure that the parent is a directory of this file system; symlinks are never followed. */
static int take_parent(struct op *op, const struct call *c)
{
	size_t end = op->path.at + strlen(op->temp);

	if (c->attr.type != NFS_TYPE_DIRECTORY)
		return op_refuse(op, c->attr.type == NFS_TYPE_LINK ? ELOOP : ENOTDIR, "%.*s is %s",
			(int)end, op->path.text,
			c->attr.type == NFS_TYPE_LINK ? "a symbolic link" : "no directory");
	if (memcmp(c->attr.fsid, op->x->fsid, sizeof(op->x->fsid)) != 0)
		return op_refuse(op, EXDEV, "%.*s is another export or file system", (int)end,
			op->path.text);
	export_keep_parent(op->x, op->path.text, end, &c->fh);
	path_push(op, end, &c->fh);
	return STEP_PARENT;
}

int step_parent_done(struct op *op, const struct call *c)
{
	if (c->r == -ENOENT && op->path.make)
		return STEP_PARENT_MAKE;
	if (c->r == -ENOENT) {
		op->absent = true;
		return op->then;
	}
	if (c->r < 0)
		return op_fail(op, c, "look up %s", op->path.text);
	return take_parent(op, c);
}

int step_parent_make_start(struct op *op)
{
	op->call.set = (struct nfs_set){.what = SET_MODE, .mode = PARENT_MODE};
	return op_send(op, CALL_MKDIR, op_cred(op));
}

int step_parent_make_done(struct op *op, const struct call *c)
{
	if (c->r == -EEXIST)
		return STEP_PARENT;
	if (c->r < 0)
		return op_fail(op, c, "make the directory %.*s",
			(int)(op->path.at + strlen(op->temp)), op->path.text);
	return take_parent(op, c);
}

/* ---- the index
 * ---------------------------------------------------------------------------------------- */

int step_index_start(struct op *op)
{
	struct nfs_export *x = op->x;
	struct op *index;

	if (x->indexed)
		return op->then;
	list_append(&x->index_waiters, &op->waiting);
	if (x->indexing)
		return STEP_WAIT;
	index = own_new(op, NFS_LIST, op_index_steps, on_indexed);
	if (!index)
		return -ENOMEM;
	export_index_begin(x);
	op_enter(index, 0);
	return STEP_WAIT;
}

int op_check_index(struct op *op)
{
	const struct volume_request *q = &op->request.volume;
	const char *pv =
		export_index_conflict(op->x, q->directory, q->pv, q->flags & VOLUME_SHARED);

	if (!pv)
		return 0;
	return op_refuse(op, EEXIST, "%s lies in, above or where the directory of volume %s is",
		q->directory, pv);
}
