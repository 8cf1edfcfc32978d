/* SPDX-License-Identifier: Apache-2.0 */
/* mounter_unmount.c: targets and export mounts taken away, rung by rung, past frozen servers */
#include <errno.h>
#include <string.h>

#include "agent/mounter_parts.h"
#include "base/clock.h"
#include "base/str.h"
#include "mount/unmount.h"
#include "worker/frame.h"

/* Lazily is at once: what it waits for is a turn of the child "node". */
#define DETACH_BUDGET SECONDS(10)

static void detach_last(struct op *op);

/* ---- targets ------------------------------------------------------------------------------- */

/* Errors that a lazy unmount would end with, too. */
static bool is_final(int r)
{
	return r == -ENOTEMPTY || r == -ENOTDIR || r == -EINVAL || r == -ELOOP || r == -EXDEV;
}

static void on_unmounted(struct worker_call *c, const struct worker_reply *reply, void *userdata)
{
	struct op *op = userdata;
	struct err e = ERR_NULL;
	int r = reply_error(op, reply, &e);

	(void)c;
	op->call = NULL;
	if (r < 0 && !is_final(r) && op->rung == UNMOUNT_NORMAL) {
		detach_last(op);
		return;
	}
	if (r >= 0) {
		op->m->stats.unpublished++;
		publication_drop(op->m, op->target);
	}
	op_end(op, &e);
}

static int unmount_send(struct op *op, const char *prefix, uint64_t budget_ns)
{
	const struct mount_order o = {.target = op->target, .rung = op->rung, .rmdir = true};

	return op_order(op, prefix, &o, budget_ns, on_unmounted);
}

static int detach_send(struct op *op)
{
	op->rung = UNMOUNT_DETACH;
	op->m->stats.lazy++;
	return unmount_send(op, "node", DETACH_BUDGET);
}

static void detach_last(struct op *op)
{
	struct err e = ERR_NULL;
	int r = detach_send(op);

	if (r >= 0)
		return;
	err_sys(&e, r, "%s/%s", op->m->o.kubelet_root, op->target);
	op_end(op, &e);
}

/* A plain unmount would only spend its time: an earlier one of the export is still in the kernel,
 * or its server is known to be silent. */
static bool is_hung(const struct op *op, const char *target)
{
	const struct mounter *m = op->m;
	char key[BROKER_KEY_MAX];

	if (str_format(key, sizeof(key), "u-%s", op->hash) >= 0 &&
		worker_pool_is_stuck(m->pool, key))
		return true;
	return m->o.is_hung && m->o.is_hung(target, m->o.userdata);
}

int mounter_unpublish(
	struct mounter *m, const char *target, mounter_fn fn, void *userdata, struct err *e)
{
	const struct publication *p;
	struct op *op;
	int r = op_new(&op, m, MOUNT_ORDER_UNMOUNT, MOUNTER_UNPUBLISH_BUDGET);

	if (r < 0)
		return err_sys(e, r, "%s", target);
	op->fn = fn;
	op->userdata = userdata;
	op->rung = UNMOUNT_NORMAL;
	r = op_set_target(op, target, true, e);
	if (r >= 0) {
		p = map_gets(&m->publications, op->target);
		str_copy_cut(op->hash, sizeof(op->hash), p ? p->hash : "local");
		r = is_hung(op, target) ? detach_send(op)
					: unmount_send(op, "u", MOUNTER_UMOUNT_RUNG);
		if (r < 0)
			err_sys(e, r, "%s", target);
	}
	if (r < 0)
		op_free(op);
	return r;
}

/* ---- one mount, lazily --------------------------------------------------------------------- */

static void on_detached(struct worker_call *c, const struct worker_reply *reply, void *userdata)
{
	struct op *op = userdata;
	struct unpack u = {.p = reply->body, .end = (const char *)reply->body + reply->size};
	struct err e = ERR_NULL;

	(void)c;
	op->call = NULL;
	if (reply_error(op, reply, &e) >= 0 && unpack_u64(&u) == 0)
		err_set(&e, ENOENT, "%s/%s: nothing is mounted there", op->m->o.kubelet_root,
			op->target);
	op_end(op, &e);
}

int mounter_detach(
	struct mounter *m, const char *path, mounter_fn fn, void *userdata, struct err *e)
{
	struct mount_order o = {.rung = UNMOUNT_DETACH};
	struct op *op;
	int r = op_new(&op, m, MOUNT_ORDER_UNMOUNT, DETACH_BUDGET);

	if (r < 0)
		return err_sys(e, r, "%s", path);
	op->fn = fn;
	op->userdata = userdata;
	r = op_set_target(op, path, true, e);
	if (r >= 0) {
		o.target = op->target;
		m->stats.lazy++;
		r = op_order(op, "node", &o, DETACH_BUDGET, on_detached);
		if (r < 0)
			err_sys(e, r, "%s", path);
	}
	if (r < 0)
		op_free(op);
	return r;
}

/* ---- export mounts that nobody uses -------------------------------------------------------- */

static int drop_send(struct op *op, const char *prefix);

static void on_dropped(struct worker_call *c, const struct worker_reply *reply, void *userdata)
{
	struct op *op = userdata;
	struct err e = ERR_NULL;
	int r = reply_error(op, reply, &e);

	(void)c;
	op->call = NULL;
	/* Whoever is on it knows why: it stays. A frozen server is no reason to keep it. */
	if (r == -ETIMEDOUT && op->rung == UNMOUNT_NORMAL) {
		op->rung = UNMOUNT_DETACH;
		op->m->stats.lazy++;
		if (drop_send(op, "node") >= 0)
			return;
	}
	if (r >= 0)
		op_leave_export(op);
	else
		op->x->idle_at = clock_now();
	op_end(op, &e);
}

static int drop_send(struct op *op, const char *prefix)
{
	const struct mount_order o = {.id = op->x->id, .rung = op->rung, .rmdir = true};

	return op_order(op, prefix, &o, MOUNTER_UMOUNT_RUNG, on_dropped);
}

void export_drop(struct mounter *m, struct export *x)
{
	struct op *op;

	if (op_new(&op, m, MOUNT_ORDER_DROP, MOUNTER_UNPUBLISH_BUDGET) < 0)
		return;
	op->rung = UNMOUNT_NORMAL;
	str_copy_cut(op->hash, sizeof(op->hash), x->hash);
	op_use_export(op, x);
	/* Behind publications on the same child: in their order, never at once. */
	if (drop_send(op, "x") < 0)
		op_free(op);
}
