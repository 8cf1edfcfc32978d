/* SPDX-License-Identifier: Apache-2.0 */
/* node_publish.c: NodePublishVolume: checks, fsGroup, mount, in this order, so that what fails
 * leaves nothing behind */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/node_op.h"
#include "base/buf.h"
#include "base/str.h"

/* What the mount library reads (lib/mount/options.h) and the specification allows. */
#define OPTIONS_MAX 4096

static void mount_now(struct node_op *op);

/* ---- checks: pure ------------------------------------------------------------------------ */

static const char *context(const char *key, void *userdata)
{
	return csi_map_get(userdata, key);
}

static bool is_reader(enum csi_mode mode)
{
	return mode == CSI_SINGLE_NODE_READER_ONLY || mode == CSI_MULTI_NODE_READER_ONLY;
}

static enum rpc_code check_target(const struct node *n, const struct csi_publish *r, struct err *e)
{
	char uid[PUBLICATION_PART_MAX], volume[PUBLICATION_PART_MAX];

	if (publication_target(n->kubelet_root, r->target_path, uid, volume) >= 0)
		return RPC_OK;
	err_set(e, EINVAL,
		"target_path %s: must be %s/pods/<uid>/volumes/kubernetes.io~csi/<name>/mount",
		r->target_path, n->kubelet_root);
	return RPC_INVALID_ARGUMENT;
}

static enum rpc_code check_nfs(struct node_op *op, struct err *e)
{
	const struct volume_place *p = &op->attributes.place;

	if (volume_attributes_nfs(&op->attributes, context, (void *)&op->request->context, e) < 0) {
		err_prefix(e, "volume_context");
		return RPC_INVALID_ARGUMENT;
	}
	if (!streq(op->request->fs_type, "") && !streq(op->request->fs_type, "nfs")) {
		err_set(e, EINVAL, "fsType %s: must be empty or nfs", op->request->fs_type);
		return RPC_INVALID_ARGUMENT;
	}
	if (agent_config_allows(op->node->o.config, p->server, p->export_))
		return RPC_OK;
	err_set(e, EACCES, "%s:%s is not in this agent's nfs.allow", p->server, p->export_);
	return RPC_PERMISSION_DENIED;
}

static enum rpc_code check_hostpath(struct node_op *op, struct err *e)
{
	if (volume_attributes_hostpath(&op->attributes, context, (void *)&op->request->context, e) <
		0) {
		err_prefix(e, "volume_context");
		return RPC_INVALID_ARGUMENT;
	}
	op->pool = agent_config_pool(op->node->o.config, op->attributes.pool);
	if (op->pool)
		return RPC_OK;
	err_set(e, ENODATA, "pool %s is not configured on this node (agent.pools)",
		op->attributes.pool);
	return RPC_FAILED_PRECONDITION;
}

/* What is known to be published: the same again is fine, something else at the target is not, and
 * one pod's volume is not given to another (contracts.md 2.3). */
static enum rpc_code check_known(const struct node_op *op, struct err *e)
{
	const struct publications *v = op->node->o.publications;
	const struct publication *here = publications_at(v, op->target);
	const struct publication *other = publications_elsewhere(v, op->volume, op->target);

	if (here && here->mode &&
		(!streq(here->volume, op->volume) || here->mode != op->request->mode ||
			here->readonly != op->readonly)) {
		err_set(e, EEXIST, "%s: volume %s is published there as %s%s already", op->target,
			here->volume, csi_mode_name(here->mode),
			here->readonly ? ", read-only" : "");
		return RPC_ALREADY_EXISTS;
	}
	if (other && (op->request->mode == CSI_SINGLE_NODE_SINGLE_WRITER ||
			     other->mode == CSI_SINGLE_NODE_SINGLE_WRITER)) {
		err_set(e, EBUSY, "volume %s is ReadWriteOncePod and pod %s%s%s has it (%s)",
			op->volume, other->namespace_, *other->namespace_ ? "/" : "",
			*other->pod ? other->pod : other->pod_uid, other->target);
		return RPC_FAILED_PRECONDITION;
	}
	return RPC_OK;
}

/* The ports of a server without portmapper, which the class gave and not its mountOptions. */
static int join_ports(const struct volume_place *p, struct buf *text)
{
	int r = 0;

	if (p->nfs_port)
		r = buf_printf(text, "%sport=%u", text->len ? "," : "", p->nfs_port);
	if (r >= 0 && p->mount_port && p->version != 4)
		r = buf_printf(text, "%smountport=%u", text->len ? "," : "", p->mount_port);
	return r;
}

/* What the PV's own options say comes last and wins. */
static int join_flags(struct node_op *op)
{
	_cleanup_buf_ struct buf text = BUF_NULL(OPTIONS_MAX);
	int r = op->pool ? 0 : join_ports(&op->attributes.place, &text);

	for (size_t i = 0; r >= 0 && i < op->request->n_mount_flags; i++)
		r = buf_printf(&text, "%s%s", text.len ? "," : "", op->request->mount_flags[i]);
	if (r >= 0)
		op->options = buf_take(&text);
	return r < 0 ? r : op->options ? 0 : -ENOMEM;
}

static int name_source(struct node_op *op)
{
	const struct volume_attributes *a = &op->attributes;
	const char *directory = a->directory, *base = op->pool ? op->pool->path : a->place.export_;
	const char *slash = *directory && !str_ends_with(base, "/") ? "/" : "";
	bool v6 = !op->pool && strchr(a->place.server, ':');

	return asprintf(&op->source, "%s%s%s%s%s%s%s", v6 ? "[" : "",
		       op->pool ? "" : a->place.server, v6 ? "]" : "", op->pool ? "" : ":", base,
		       slash, directory) < 0
		       ? -ENOMEM
		       : 0;
}

static enum rpc_code prepare(struct node_op *op, struct err *e)
{
	const struct csi_publish *q = op->request;
	enum rpc_code code = check_target(op->node, q, e);
	int r;

	if (streq(str_or(csi_map_get(&q->context, CSI_EPHEMERAL), ""), "true")) {
		err_set(e, EINVAL, "inline ephemeral volumes are not served: use a claim");
		return RPC_INVALID_ARGUMENT;
	}
	if (code == RPC_OK)
		code = op->driver->kind == NODE_NFS ? check_nfs(op, e) : check_hostpath(op, e);
	if (code == RPC_OK)
		code = check_known(op, e);
	if (code != RPC_OK)
		return code;
	r = join_flags(op);
	if (r == -ENOBUFS) {
		err_set(e, EINVAL, "mount_flags: more than %d bytes", OPTIONS_MAX);
		return RPC_INVALID_ARGUMENT;
	}
	if (r < 0 || name_source(op) < 0) {
		err_set(e, ENOMEM, "out of memory");
		return RPC_RESOURCE_EXHAUSTED;
	}
	return RPC_OK;
}

/* ---- mount ------------------------------------------------------------------------------- */

static void on_published(const struct err *e, void *userdata)
{
	struct node_op *op = userdata;

	/* The pool's disk may be missing: not the volume's fault, and never made up for. */
	node_op_end(op, node_code(e), "%s", e->text);
}

static void mount_now(struct node_op *op)
{
	const struct volume_attributes *a = &op->attributes;
	struct mounter_volume v = {
		.kind = op->pool ? MOUNTER_HOSTPATH : MOUNTER_NFS,
		.target = op->target,
		.server = op->pool ? NULL : a->place.server,
		.export_ = op->pool ? op->pool->path : a->place.export_,
		.directory = a->directory,
		.options = *op->options ? op->options : NULL,
		.identity = op->pool ? str_or(a->pool_id, "") : NULL,
		.readonly = op->readonly,
		.unwritable = is_reader(op->request->mode),
		.suid = a->flags & VOLUME_SUID,
		.dev = a->flags & VOLUME_DEV,
	};
	struct err e = ERR_NULL;

	if (mounter_publish(op->node->o.mounter, &v, on_published, op, &e) < 0)
		node_op_end(op, node_code(&e), "%s", e.text);
}

/* ---- fsGroup ----------------------------------------------------------------------------- */

static void on_group(const struct err *e, void *userdata)
{
	struct node_op *op = userdata;

	if (e->code == 0)
		mount_now(op);
	else if (e->code == EPERM || e->code == EACCES)
		/* Nothing is mounted yet: final. */
		node_op_end(
			op, RPC_FAILED_PRECONDITION, "fsGroup %u: %s", op->request->group, e->text);
	else
		node_op_end(op, node_code(e), "fsGroup %u: %s", op->request->group, e->text);
}

/* The kubelet leaves fsGroup to us (VOLUME_MOUNT_GROUP), also for volumes that nobody may write,
 * which it never changes itself; a pod that has its volume has it with its group. */
static bool wants_group(const struct node_op *op)
{
	return op->driver->kind == NODE_NFS && op->request->has_group && !op->readonly &&
	       !publications_at(op->node->o.publications, op->target);
}

static void start(struct node_op *op)
{
	struct err e = ERR_NULL;
	int r;

	if (!wants_group(op)) {
		mount_now(op);
		return;
	}
	if (!op->node->o.fsgroup) {
		node_op_end(op, RPC_UNAVAILABLE, "fsGroup %u: the NFS worker is not there",
			op->request->group);
		return;
	}
	r = fsgroup_apply(
		op->node->o.fsgroup, &op->attributes, op->request->group, on_group, op, &e);
	if (r < 0)
		node_op_end(op, node_code(&e), "fsGroup %u: %s", op->request->group, e.text);
}

void node_publish(struct csi_call *c, const struct csi_publish *r, void *userdata)
{
	const struct node_driver *d = userdata;
	const struct node_op *busy = node_busy(d->node, true, r->volume_id, r->target_path);
	struct err e = ERR_NULL;
	struct node_op *op;
	enum rpc_code code;

	if (busy) {
		csi_fail(c, RPC_ABORTED, "volume %s: %s is running at %s", r->volume_id, busy->what,
			busy->target);
		return;
	}
	op = node_op_new(d, c, "publish", r->volume_id, r->target_path);
	if (!op) {
		csi_fail(c, RPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	op->request = r;
	op->readonly = r->readonly || is_reader(r->mode);
	code = prepare(op, &e);
	if (code == RPC_OK)
		start(op);
	else
		node_op_end(op, code, "%s", e.text);
}
