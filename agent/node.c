/* SPDX-License-Identifier: Apache-2.0 */
/* node.c: what runs, what is in the way, unpublish, and how an operation ends */
#include "agent/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/node_op.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

unsigned node_capabilities(enum node_kind kind)
{
	const unsigned both = CSI_CAN_GET_VOLUME_STATS | CSI_CAN_SINGLE_NODE_MULTI_WRITER |
			      CSI_CAN_VOLUME_CONDITION;

	return kind == NODE_NFS ? both | CSI_CAN_VOLUME_MOUNT_GROUP : both;
}

/* ---- operations -------------------------------------------------------------------------- */

const struct node_op *node_busy(
	const struct node *n, bool is_publish, const char *volume, const char *target)
{
	LIST_FOREACH (&n->ops, it) {
		const struct node_op *op = LIST_ENTRY(it, struct node_op, link);

		if (streq(op->target, target) || (is_publish && streq(op->volume, volume)))
			return op;
	}
	return NULL;
}

struct node_op *node_op_new(const struct node_driver *d, struct csi_call *call, const char *what,
	const char *volume, const char *target)
{
	struct node_op *op = calloc(1, sizeof(*op));

	if (!op)
		return NULL;
	op->node = d->node;
	op->driver = d;
	op->call = call;
	op->what = what;
	op->volume = volume;
	op->target = target;
	op->started = clock_real();
	list_append(&d->node->ops, &op->link);
	return op;
}

static const char *driver_name(const struct node_driver *d)
{
	const struct agent_config *c = d->node->o.config;

	return d->kind == NODE_NFS ? c->nfs_driver : c->hostpath_driver;
}

static struct publication publication_of(const struct node_op *op)
{
	const struct csi_publish *r = op->request;
	const struct csi_map *m = r ? &r->context : NULL;

	return (struct publication){
		.target = op->target,
		.volume = op->volume,
		.driver = driver_name(op->driver),
		.source = str_or(op->source, ""),
		.namespace_ = m ? str_or(csi_map_get(m, CSI_POD_NAMESPACE), "") : "",
		.pod = m ? str_or(csi_map_get(m, CSI_POD_NAME), "") : "",
		.pod_uid = m ? str_or(csi_map_get(m, CSI_POD_UID), "") : "",
		.mode = r ? r->mode : 0,
		.readonly = op->readonly,
		.published = clock_real(),
	};
}

static void op_log(const struct node_op *op, const struct rpc_status *s)
{
	const struct log_field *fields = LOG_FIELDS({"volume", op->volume}, {"target", op->target});

	if (s->code == RPC_OK)
		log_write(
			LOG_LEVEL_INFO, fields, "%sed %s at %s", op->what, op->volume, op->target);
	else
		log_write(s->code == RPC_ABORTED ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING, fields,
			"cannot %s %s at %s: %s: %s", op->what, op->volume, op->target,
			rpc_code_name(s->code), s->text);
}

void node_op_end(struct node_op *op, enum rpc_code code, const char *fmt, ...)
{
	const struct node_options *o = &op->node->o;
	struct rpc_status s = {.code = code};
	struct publication p = publication_of(op);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s.text, sizeof(s.text), fmt, ap);
	va_end(ap);
	list_remove(&op->link);
	if (code == RPC_OK && op->request) {
		if (publications_put(o->publications, &p) < 0)
			log_warning("%s: no memory for who uses it", op->volume);
	} else if (code == RPC_OK) {
		publications_drop(o->publications, op->target);
	}
	if (code == RPC_OK)
		usage_forget(op->node->usage, op->target);
	op_log(op, &s);
	if (o->ended)
		o->ended(op->what, &p, &s, o->userdata);
	if (code == RPC_OK)
		csi_answer(op->call);
	else
		csi_fail_status(op->call, &s);
	free(op->options);
	free(op->source);
	free(op);
}

enum rpc_code node_code(const struct err *e)
{
	static const struct {
		int code;
		enum rpc_code rpc;
	} table[] = {
		{0, RPC_OK},
		{EBUSY, RPC_ABORTED},
		{EALREADY, RPC_ABORTED},
		{EINPROGRESS, RPC_ABORTED},
		{EEXIST, RPC_ALREADY_EXISTS},
		{EINVAL, RPC_INVALID_ARGUMENT},
		{ENOENT, RPC_NOT_FOUND},
		{EACCES, RPC_PERMISSION_DENIED},
		{EPERM, RPC_PERMISSION_DENIED},
		{ENODEV, RPC_FAILED_PRECONDITION},
		{ENODATA, RPC_FAILED_PRECONDITION},
		/* These may have been done after all, or may soon be: the kubelet is to come again.
		 */
		{ETIMEDOUT, RPC_DEADLINE_EXCEEDED},
		{ECANCELED, RPC_UNAVAILABLE},
		{EAGAIN, RPC_UNAVAILABLE},
		{ENOTCONN, RPC_UNAVAILABLE},
	};

	for (size_t i = 0; i < ELEMENTSOF(table); i++)
		if (table[i].code == e->code)
			return table[i].rpc;
	if (errno_is_disconnect(e->code))
		return RPC_UNAVAILABLE;
	if (errno_is_resource(e->code) || errno_is_disk_space(e->code))
		return RPC_RESOURCE_EXHAUSTED;
	return RPC_INTERNAL;
}

/* ---- unpublish --------------------------------------------------------------------------- */

static void on_unpublished(const struct err *e, void *userdata)
{
	node_op_end(userdata, node_code(e), "%s", e->text);
}

/* Whatever is there, for a volume that nobody may know any more (contracts.md 2.12): no question is
 * asked but whether it is in a pod's directory. */
static void node_unpublish(struct csi_call *c, const struct csi_unpublish *r, void *userdata)
{
	const struct node_driver *d = userdata;
	struct node *n = d->node;
	const char *rest = str_after(r->target_path, n->kubelet_root);
	const char *place = rest ? str_after(rest, "/pods/") : NULL;
	const struct node_op *busy = node_busy(n, false, r->volume_id, r->target_path);
	struct err e = ERR_NULL;
	struct node_op *op;

	if (!str_or(place, "")[0]) {
		csi_fail(c, RPC_INVALID_ARGUMENT, "target_path %s: not beneath %s/pods",
			r->target_path, n->kubelet_root);
		return;
	}
	if (busy) {
		csi_fail(c, RPC_ABORTED, "%s: %s is running on it", r->target_path, busy->what);
		return;
	}
	op = node_op_new(d, c, "unpublish", r->volume_id, r->target_path);
	if (!op)
		csi_fail(c, RPC_RESOURCE_EXHAUSTED, "out of memory");
	else if (mounter_unpublish(n->o.mounter, r->target_path, on_unpublished, op, &e) < 0)
		node_op_end(op, node_code(&e), "%s", e.text);
}

/* ---- the service ------------------------------------------------------------------------- */

static void node_observe(const char *path, enum rpc_code code, uint64_t ns, void *userdata)
{
	const struct node_driver *d = userdata;
	const struct node_options *o = &d->node->o;

	if (o->observed)
		o->observed(d->kind, str_or(path, "unknown"), code, ns, o->userdata);
}

const struct csi_node node_functions = {
	.publish = node_publish,
	.unpublish = node_unpublish,
	.stats = node_stats,
	.observe = node_observe,
};

void *node_driver(struct node *n, enum node_kind kind)
{
	return &n->drivers[kind];
}

void *node_driver_userdata(const void *driver)
{
	const struct node_driver *d = driver;

	return d->node->o.userdata;
}

void node_operations(const struct node *n,
	void (*fn)(const struct node_operation *o, void *userdata), void *userdata)
{
	LIST_FOREACH (&n->ops, it) {
		const struct node_op *op = LIST_ENTRY(it, struct node_op, link);
		const struct node_operation o = {op->what, op->volume, op->target, op->started};

		fn(&o, userdata);
	}
}

int node_new(struct node **ret, const struct node_options *o, struct err *e)
{
	_cleanup_(node_freep) struct node *n = calloc(1, sizeof(*n));
	const struct usage_options usage = {
		.mounter = o->mounter,
		.cache_ns = o->config->stats_cache,
		.called = o->called,
		.userdata = o->userdata,
	};

	if (!n)
		return err_set(e, ENOMEM, "out of memory");
	n->o = *o;
	list_init(&n->ops);
	for (size_t i = 0; i < _NODE_KIND_MAX; i++)
		n->drivers[i] = (struct node_driver){.node = n, .kind = (enum node_kind)i};
	n->kubelet_root = strdup(o->kubelet_root);
	if (!n->kubelet_root || usage_new(&n->usage, &usage) < 0)
		return err_set(e, ENOMEM, "out of memory");
	*ret = TAKE_PTR(n);
	return 0;
}

struct node *node_free(struct node *n)
{
	if (!n)
		return NULL;
	n->o.ended = NULL;
	LIST_FOREACH (&n->ops, it)
		node_op_end(LIST_ENTRY(it, struct node_op, link), RPC_UNAVAILABLE,
			"the agent is ending");
	usage_free(n->usage);
	free(n->kubelet_root);
	free(n);
	return NULL;
}
