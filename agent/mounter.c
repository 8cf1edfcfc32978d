/* SPDX-License-Identifier: Apache-2.0 */
/* mounter.c: operations of the mounter, their children and their ends; usage and sharing */
#include "agent/mounter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/mounter_parts.h"
#include "agent/resolver.h"
#include "base/clock.h"
#include "base/pathat.h"
#include "base/str.h"
#include "worker/frame.h"

/* A mount child without orders ends after this: an idle node has none. */
#define CHILD_IDLE SECONDS(30)
/* From fork to ready: it has nothing to wait for but the processor. */
#define CHILD_START SECONDS(10)
/* Quiet after a child's death, so that one that dies at once does not take the processor. */
#define CHILD_BACKOFF_MIN MILLISECONDS(20)
#define CHILD_BACKOFF_MAX SECONDS(2)
/* Orders that a child has got: the next is there when one is done, without a word of the front's
 * between. More than the kubelet has at a time for one export would not be faster. */
#define WINDOW 8
/* Orders that wait for one child; the kubelet has one at a time for a volume. */
#define QUEUE_MAX 1024
#define RSHARED_BUDGET SECONDS(15)
/* A module may have to be read from a slow card. */
#define CLIENT_BUDGET SECONDS(30)

const char *hash_text(char dst[static HASH_TEXT_MAX], const char *text)
{
	/* Ids only have to differ for exports that an administrator names. */
	snprintf(dst, HASH_TEXT_MAX, "%016llx", (unsigned long long)str_hash(text));
	return dst;
}

/* ---- operations ---------------------------------------------------------------------------- */

int op_new(struct op **ret, struct mounter *m, uint32_t kind, uint64_t budget_ns)
{
	struct op *op = calloc(1, sizeof(*op));

	if (!op)
		return -ENOMEM;
	op->m = m;
	op->kind = kind;
	op->deadline_at = clock_now() + budget_ns;
	list_append(&m->ops, &op->link);
	*ret = op;
	return 0;
}

/* Where target lies beneath the kubelet's root, NULL where it does not. */
static const char *beneath(const struct mounter *m, const char *target)
{
	size_t n = strlen(m->o.kubelet_root);

	while (n > 1 && m->o.kubelet_root[n - 1] == '/')
		n--;
	return strncmp(target, m->o.kubelet_root, n) == 0 && target[n] == '/' ? target + n + 1
									      : NULL;
}

int op_set_target(struct op *op, const char *target, bool exclusive, struct err *e)
{
	const char *path = beneath(op->m, target);

	if (!path)
		return err_set(e, EINVAL, "%s does not lie beneath the kubelet's root %s", target,
			op->m->o.kubelet_root);
	if (path_relative_check(path, e) < 0) {
		err_prefix(e, "%s", target);
		return -EINVAL;
	}
	op->target = strdup(path);
	if (!op->target)
		return err_sys(e, ENOMEM, "%s", target);
	if (!exclusive)
		return 0;
	if (map_gets(&op->m->busy, path))
		return err_set(e, EBUSY, "%s: another operation on it is running", target);
	if (map_add(&op->m->busy, op) < 0)
		return err_sys(e, ENOMEM, "%s", target);
	op->exclusive = true;
	return 0;
}

void op_free(struct op *op)
{
	list_remove(&op->link);
	if (op->exclusive)
		map_removes(&op->m->busy, op->target);
	if (op->x)
		op->x->running--;
	worker_call_cancel(op->call);
	free(op->volume.servers);
	free(op->volume.path);
	free(op->volume.directory);
	free(op->volume.identity);
	free(op->volume.options);
	free(op->target);
	free(op);
}

void op_end(struct op *op, const struct err *e)
{
	struct op last = *op;

	if (e->code != 0)
		last.m->stats.failed++;
	/* Its target is free again when the callback runs. */
	op->call = NULL;
	op_free(op);
	if (last.fn)
		last.fn(e, last.userdata);
	else if (last.usage_fn)
		last.usage_fn(e, &last.usage, last.userdata);
	else if (last.sharing_fn)
		last.sharing_fn(e, last.sharing, last.userdata);
}

int op_order(struct op *op, const char *prefix, const struct mount_order *o, uint64_t deadline_ns,
	worker_fn fn)
{
	_cleanup_buf_ struct buf body = BUF_NULL(FRAME_BODY_MAX);
	uint64_t now = clock_now(), left = op->deadline_at > now ? op->deadline_at - now : 0;
	char key[BROKER_KEY_MAX];
	int r = mount_order_pack(&body, o);

	if (r >= 0)
		r = str_format(key, sizeof(key),
			op->hash[0] && !streq(prefix, "node") ? "%s-%s" : "%s", prefix, op->hash);
	if (r < 0)
		return r;
	return worker_call(op->m->pool,
		&(struct worker_request){.key = key,
			.init = "mount",
			.init_size = strlen("mount"),
			.kind = op->kind,
			.body = body.data,
			.size = body.len,
			.deadline_ns = left < deadline_ns ? left : deadline_ns},
		fn, op, &op->call);
}

int reply_error(const struct op *op, const struct worker_reply *reply, struct err *e)
{
	const char *root = op->m->o.kubelet_root, *slash = op->target ? "/" : "";
	const char *target = str_or(op->target, "");

	if (reply->r >= 0)
		return 0;
	if (reply->body)
		return err_set(e, reply->r, "%.*s", (int)reply->size, (const char *)reply->body);
	if (reply->r == -ETIMEDOUT)
		return err_set(e, ETIMEDOUT,
			"%s%s%s: the mount child did not come back in time%s%s: %s", root, slash,
			target, op->volume.servers ? " from " : "", str_or(op->volume.servers, ""),
			reply->text);
	/* Its predecessor is still in the kernel, or none could be started. */
	return err_set(e, reply->r == -EBUSY ? ETIMEDOUT : -reply->r, "%s%s%s: %s", root, slash,
		target, reply->text);
}

/* ---- usage --------------------------------------------------------------------------------- */

static void on_space(struct worker_call *c, const struct worker_reply *reply, void *userdata)
{
	struct op *op = userdata;
	struct unpack u = {.p = reply->body, .end = (const char *)reply->body + reply->size};
	struct err e = ERR_NULL;

	(void)c;
	op->call = NULL;
	if (reply_error(op, reply, &e) >= 0) {
		op->usage = (struct mounter_usage){.bytes = unpack_u64(&u)};
		op->usage.bytes_free = unpack_u64(&u);
		op->usage.bytes_available = unpack_u64(&u);
		op->usage.inodes = unpack_u64(&u);
		op->usage.inodes_free = unpack_u64(&u);
		if (!unpack_done(&u))
			err_set(&e, EPROTO, "%s: the mount child's answer is none", op->target);
	}
	/* lib/mount tells the place's own absence from that of a mount. */
	if (e.code == EINVAL)
		e.code = ENOENT;
	op_end(op, &e);
}

int mounter_stats(
	struct mounter *m, const char *target, mounter_usage_fn fn, void *userdata, struct err *e)
{
	const struct publication *p;
	struct op *op;
	int r = op_new(&op, m, MOUNT_ORDER_SPACE, MOUNTER_STATS_BUDGET);

	if (r < 0)
		return err_sys(e, r, "%s", target);
	op->usage_fn = fn;
	op->userdata = userdata;
	r = op_set_target(op, target, false, e);
	if (r >= 0) {
		p = map_gets(&m->publications, op->target);
		str_copy_cut(op->hash, sizeof(op->hash), p ? p->hash : "local");
		r = op_order(op, "s", &(struct mount_order){.target = op->target},
			MOUNTER_STATS_BUDGET, on_space);
		if (r < 0)
			err_sys(e, r, "%s", target);
	}
	if (r < 0)
		op_free(op);
	return r;
}

/* ---- sharing ------------------------------------------------------------------------------- */

static void on_rshared(struct worker_call *c, const struct worker_reply *reply, void *userdata)
{
	struct op *op = userdata;
	struct unpack u = {.p = reply->body, .end = (const char *)reply->body + reply->size};
	struct err e = ERR_NULL;
	const char *why;

	(void)c;
	op->call = NULL;
	if (reply_error(op, reply, &e) >= 0) {
		op->sharing = (enum mounter_sharing)unpack_u64(&u);
		why = unpack_str(&u);
		if (!unpack_done(&u) || !why || op->sharing > MOUNTER_REFUSED)
			err_set(&e, EPROTO, "the mount child's answer is none");
		else if (op->sharing == MOUNTER_REFUSED)
			err_set(&e, EBUSY, "%s", why);
	}
	op_end(op, &e);
}

int mounter_rshared(struct mounter *m, mounter_sharing_fn fn, void *userdata, struct err *e)
{
	struct op *op;
	int r = op_new(&op, m, MOUNT_ORDER_RSHARED, RSHARED_BUDGET);

	if (r < 0)
		return err_sys(e, r, "%s", m->o.kubelet_root);
	op->sharing_fn = fn;
	op->userdata = userdata;
	op->sharing = MOUNTER_REFUSED;
	r = op_order(op, "node", &(struct mount_order){.target = NULL}, RSHARED_BUDGET, on_rshared);
	if (r < 0) {
		op_free(op);
		return err_sys(e, r, "%s", m->o.kubelet_root);
	}
	return 0;
}

/* ---- the NFS client ------------------------------------------------------------------------ */

static void on_client(struct worker_call *c, const struct worker_reply *reply, void *userdata)
{
	struct op *op = userdata;
	struct err e = ERR_NULL;

	(void)c;
	op->call = NULL;
	(void)reply_error(op, reply, &e);
	op_end(op, &e);
}

int mounter_nfs_client(struct mounter *m, mounter_fn fn, void *userdata, struct err *e)
{
	struct op *op;
	int r = op_new(&op, m, MOUNT_ORDER_CLIENT, CLIENT_BUDGET);

	if (r < 0)
		return err_sys(e, r, "NFS client");
	op->fn = fn;
	op->userdata = userdata;
	r = op_order(op, "node", &(struct mount_order){.target = NULL}, CLIENT_BUDGET, on_client);
	if (r < 0) {
		op_free(op);
		return err_sys(e, r, "NFS client");
	}
	return 0;
}

/* ---- its own life -------------------------------------------------------------------------- */

static struct map_key op_key(const void *value)
{
	return map_key_str(((const struct op *)value)->target);
}

static const char *copy(const char *s, bool *ok)
{
	char *p = s ? strdup(s) : NULL;

	*ok = *ok && (p || !s);
	return p;
}

static int pools_make(struct mounter *m)
{
	struct worker_options o = {.window = WINDOW,
		.in_order = true,
		.queue_max = QUEUE_MAX,
		.idle_ns = CHILD_IDLE,
		.start_ns = CHILD_START,
		.backoff_min_ns = CHILD_BACKOFF_MIN,
		.backoff_max_ns = CHILD_BACKOFF_MAX};
	int r;

	if (m->o.orders) {
		r = orders_pool_new(m->o.orders, BROKER_MOUNT, &o, &m->pool);
		return r < 0 ? r : orders_pool_new(m->o.orders, BROKER_RESOLVER, &o, &m->resolvers);
	}
	o = *m->o.workers;
	o.window = WINDOW;
	o.in_order = true;
	r = worker_pool_new(&m->pool, m->o.loop, &o);
	return r < 0 ? r : worker_pool_new(&m->resolvers, m->o.loop, &o);
}

int mounter_new(struct mounter **ret, const struct mounter_options *o, struct err *e)
{
	_cleanup_(mounter_freep) struct mounter *m = calloc(1, sizeof(*m));
	bool ok = true;
	int r;

	if (!m)
		return err_sys(e, ENOMEM, "mounter");
	m->o = *o;
	m->busy = MAP_NULL(op_key);
	list_init(&m->ops);
	m->o.kubelet_root = copy(o->kubelet_root, &ok);
	m->o.exports_dir = copy(o->exports_dir, &ok);
	m->o.mountinfo = copy(o->mountinfo, &ok);
	r = ok ? pools_make(m) : -ENOMEM;
	if (r >= 0)
		r = exports_watch(m);
	if (r < 0)
		return err_sys(e, r, "mounter");
	r = exports_load(m, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(m);
	return 0;
}

struct mounter *mounter_free(struct mounter *m)
{
	if (!m)
		return NULL;
	LIST_FOREACH (&m->ops, it)
		op_free(LIST_ENTRY(it, struct op, link));
	if (m->o.orders) {
		orders_pool_free(m->o.orders, BROKER_MOUNT);
		orders_pool_free(m->o.orders, BROKER_RESOLVER);
	} else {
		worker_pool_free(m->pool);
		worker_pool_free(m->resolvers);
	}
	exports_done(m);
	map_done(&m->busy);
	timer_free(m->idle);
	free((char *)(uintptr_t)m->o.kubelet_root);
	free((char *)(uintptr_t)m->o.exports_dir);
	free((char *)(uintptr_t)m->o.mountinfo);
	free(m);
	return NULL;
}

void mounter_stats_now(const struct mounter *m, struct mounter_stats_now *ret)
{
	struct worker_stats s;

	*ret = m->stats;
	worker_pool_stats(m->pool, &s);
	ret->children = s.workers;
	ret->killed = s.killed;
	LIST_FOREACH ((struct list *)(uintptr_t)&m->ops, it)
		ret->running++;
}
