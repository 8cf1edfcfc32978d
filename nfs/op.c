/* SPDX-License-Identifier: Apache-2.0 */
/* op.c: runs an operation's table: sends calls, follows steps, restarts once after a stale handle
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "nfs/worker.h"

/* Steps in a row without a call: no table has so many, a loop in one would. */
#define STEPS_MAX 256

static const struct op_step *const tables[_NFS_KIND_MAX] = {
	[NFS_CREATE] = op_create_steps,
	[NFS_TRASH] = op_retire_steps,
	[NFS_ARCHIVE] = op_retire_steps,
	[NFS_RECYCLE] = op_retire_steps,
	[NFS_DISCARD] = op_discard_steps,
	[NFS_RESTORE] = op_restore_steps,
	[NFS_PURGE] = op_purge_steps,
	[NFS_LIST] = op_list_steps,
	[NFS_SPACE] = op_space_steps,
	[NFS_REGROUP] = op_regroup_steps,
};

struct op *op_new(struct worker *w, enum nfs_kind kind)
{
	struct op *op = calloc(1, sizeof(*op));

	if (!op)
		return NULL;
	op->w = w;
	op->kind = kind;
	op->steps = tables[kind];
	op->rec = RECORD_NULL;
	op->file = BUF_NULL(RECORD_MAX);
	op->first = _STEP_OWN;
	op->started = clock_now();
	list_init(&op->waiting);
	list_init(&op->link);
	list_append(&w->ops, &op->link);
	w->n_ops++;
	return op;
}

static void op_free(struct op *op)
{
	list_remove(&op->link);
	list_remove(&op->waiting);
	op->w->n_ops--;
	if (op->own_free)
		op->own_free(op->own);
	record_done(&op->rec);
	buf_done(&op->file);
	free(op->body);
	free(op);
}

void op_finish(struct op *op, int r)
{
	struct volume_result *res = &op->result;

	if (r < 0 && op->err.code == 0)
		err_sys(&op->err, r, "%s:%s", op->w->server.name, str_or(op->request.export_, ""));
	op->err.code = r < 0 ? -r : 0;
	/* Maybe of a directory of ours that was replaced, as by a restored backup. */
	if (op->x && (r == -ESTALE || r == -ENOENT))
		export_forget(op->x);
	if (op->ended) {
		op->ended(op, r);
		op_free(op);
		return;
	}
	res->err = op->err;
	res->flags = op->flags;
	res->text = op->text;
	res->identity = op->x ? op->x->identity : "";
	res->directory = op->directory;
	res->uid = op->attr.uid;
	res->gid = op->attr.gid;
	res->mode = op->attr.mode;
	worker_reply(op->w, op, r, res);
	op_free(op);
}

/* Forgets what the first run found; what it has done is found again. */
static void op_restart(struct op *op)
{
	op->restarted = true;
	export_forget(op->x);
	record_done(&op->rec);
	buf_reset(&op->file);
	err_clear(&op->err);
	op->has_record = op->bad_record = op->absent = op->fresh = op->adopted = op->compared =
		false;
	op->tried = op->identity = op->suffix = 0;
	op->resumed = op->eased = false;
	op->at_end = NULL;
	op->on_failure = 0;
	op->steps = tables[op->kind];
	op->request = op->request_kept;
	op->flags = 0;
	op->text[0] = '\0';
	op_begin(op);
}

/* The end of the operation, or of its first part. */
static int op_end(struct op *op)
{
	int (*fn)(struct op * op) = op->at_end;

	op->at_end = NULL;
	return fn ? fn(op) : STEP_END;
}

/* Of the others nobody knows what the server did. */
static bool failure_is_certain(int r)
{
	return r != -EPROTO && r != -ETIMEDOUT && r != -ECONNRESET;
}

static void op_follow(struct op *op, int next)
{
	for (int i = 0; next >= 0 && next < STEP_WAIT; i++) {
		op->state = next;
		next = i < STEPS_MAX ? op->steps[next].start(op) : -EDEADLK;
		if (next == STEP_END)
			next = op_end(op);
	}
	if (next == STEP_WAIT)
		return;
	if (next < 0 && failure_is_certain(next) && op->on_failure && next != -ESTALE) {
		next = op->on_failure;
		op->on_failure = 0;
		op_follow(op, next);
		return;
	}
	if (next == -ESTALE && !op->restarted && !op->ended && op->x) {
		op_restart(op);
		return;
	}
	op_finish(op, next == STEP_END ? 0 : next);
}

/* A static volume's export has no identity, and is not to get a control directory for a group. */
void op_begin(struct op *op)
{
	bool bare = op->kind == NFS_REGROUP && str_empty(op->request.identity);

	op_enter(op, bare ? op->first : STEP_ATTACH);
}

void op_enter(struct op *op, int step)
{
	op_follow(op, step);
}

static void on_call(struct call *c, void *userdata)
{
	struct op *op = userdata;
	int next = op->steps[op->state].done(op, c);

	op_follow(op, next == STEP_END ? op_end(op) : next);
}

int op_send(struct op *op, enum call_kind kind, const struct nfs_cred *cred)
{
	op->call.kind = kind;
	op->call.cred = *cred;
	op->call.deadline = op->deadline;
	server_call(&op->w->server, &op->call, on_call, op);
	return STEP_WAIT;
}

int op_fail(struct op *op, const struct call *c, const char *fmt, ...)
{
	char what[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	call_error(c, &op->err, "%s:%s: %s", op->w->server.name, op->x->path, what);
	/* Who was refused helps most where an address or port is the reason (binding.md 5). */
	if (c->r == -EACCES || c->r == -EPERM) {
		memcpy(what, op->err.text, sizeof(what));
		err_set(&op->err, c->r, "%.380s, asked as %u:%u from %s", what, c->cred.uid,
			c->cred.gid, op->w->server.local);
	}
	return c->r;
}

int op_refuse(struct op *op, int code, const char *fmt, ...)
{
	char what[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(&op->err, code, "%s:%s: %s", op->w->server.name, op->x->path, what);
}

void op_note(struct op *op, const char *fmt, ...)
{
	size_t used = strlen(op->text);
	va_list ap;

	if (used > 0 && used + 2 < sizeof(op->text)) {
		memcpy(op->text + used, "; ", 3);
		used += 2;
	}
	va_start(ap, fmt);
	(void)vsnprintf(op->text + used, sizeof(op->text) - used, fmt, ap);
	va_end(ap);
}

const struct nfs_cred *op_cred(const struct op *op)
{
	return &op->x->control_cred;
}
