/* SPDX-License-Identifier: Apache-2.0 */
/* mounter_publish.c: a volume at its target: options, server, export mount, bind */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/mounter_parts.h"
#include "agent/resolver.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/pathat.h"
#include "base/str.h"
#include "mount/mounted.h"
#include "mount/nfs_source.h"
#include "worker/frame.h"

/* More than the resolver allows itself: it has the word first. */
#define RESOLVE_BUDGET (RESOLVER_BUDGET + SECONDS(5))
#define PORT_TEXT_MAX 8

static int publish_send(struct op *op, const struct address *a);

/* ---- the volume ---------------------------------------------------------------------------- */

static int check_root(const char *path, const char *what, struct err *e)
{
	if (!path || path[0] != '/')
		return err_set(
			e, EINVAL, "%s is not an absolute path: %s", what, str_or(path, "(none)"));
	return 0;
}

/* The words of PV.mountOptions, the class's and the request's, as flags and data. */
static int take_options(struct op_volume *v, const struct mounter_volume *in,
	struct mount_options *o, struct err *e)
{
	uint32_t relaxed = (in->suid ? MOUNTF_NOSUID : 0) | (in->dev ? MOUNTF_NODEV : 0);
	char port[PORT_TEXT_MAX];
	uint64_t number;
	int r = mount_options_parse(o,
		&(struct mount_options_input){
			.kind = in->kind == MOUNTER_NFS ? MOUNT_OPTIONS_NFS : MOUNT_OPTIONS_BIND,
			.list = &in->options,
			.n = in->options ? 1 : 0,
			.relax = relaxed},
		e);

	if (r < 0)
		return r;
	o->flags = (o->flags & ~relaxed) | (in->unwritable ? MOUNTF_RDONLY : 0);
	v->flags = (o->flags & MOUNTF_BIND) | (in->readonly ? MOUNTF_RDONLY : 0);
	v->export_flags = o->flags & MOUNTF_EXPORT;
	v->version = (uint32_t)o->nfs_version;
	v->port = RESOLVER_PORT;
	if (mounted_option(o->nfs, "port", port, sizeof(port)) &&
		parse_u64(port, 1, UINT16_MAX, &number) >= 0)
		v->port = (uint16_t)number;
	return 0;
}

static int copy_texts(
	struct op_volume *v, const struct mounter_volume *in, const struct mount_options *o)
{
	if (str_replace(&v->path, in->export_) < 0 ||
		str_replace(&v->directory, str_or(in->directory, "")) < 0 ||
		str_replace(&v->identity, in->identity) < 0 || str_replace(&v->options, o->nfs) < 0)
		return -ENOMEM;
	return in->kind == MOUNTER_NFS ? str_replace(&v->servers, in->server) : 0;
}

/* Its children's key, and the name of its export mount: for all options that make another one. */
static int take_names(struct op *op, const struct mount_options *o)
{
	char options[MOUNT_OPTIONS_KEY_MAX], half[HASH_TEXT_MAX];
	_cleanup_buf_ struct buf text = BUF_NULL(64U << 10);
	int r = buf_printf(&text, "%s:%s", str_or(op->volume.servers, ""), op->volume.path);

	if (r < 0)
		return r;
	hash_text(op->hash, text.data);
	r = buf_printf(&text, "\n%s", mount_options_key(o, options));
	if (r < 0)
		return r;
	/* Twice 64 bits: the second of the text and its own hash. */
	hash_text(half, text.data);
	r = buf_puts(&text, half);
	if (r < 0)
		return r;
	str_copy_cut(op->volume.id, sizeof(half), half);
	hash_text(op->volume.id + HASH_TEXT_MAX - 1, text.data);
	return 0;
}

static int take_volume(struct op *op, const struct mounter_volume *in, struct err *e)
{
	struct mount_options *o = calloc(1, sizeof(*o));
	int r = o ? 0 : -ENOMEM;

	op->volume.kind = in->kind;
	if (r >= 0)
		r = take_options(&op->volume, in, o, e);
	if (r >= 0) {
		r = copy_texts(&op->volume, in, o);
		if (r >= 0)
			r = take_names(op, o);
		if (r < 0)
			err_sys(e, r, "%s", in->target);
	}
	free(o);
	return r;
}

static int check_volume(const struct mounter_volume *in, struct err *e)
{
	bool nfs = in->kind == MOUNTER_NFS;
	int r = check_root(in->export_, nfs ? "the export" : "the pool", e);

	if (r >= 0 && nfs && (!in->server || !in->server[0]))
		r = err_set(e, EINVAL, "no NFS server is named");
	if (r >= 0 && nfs && strlen(in->server) >= SERVER_TEXT_MAX)
		r = err_set(e, EINVAL, "the list of NFS servers is longer than %d bytes",
			SERVER_TEXT_MAX - 1);
	if (r >= 0 && in->directory && in->directory[0])
		r = path_relative_check(in->directory, e);
	return r;
}

static void publish_failed(struct op *op, int r)
{
	struct err e = ERR_NULL;

	err_sys(&e, r, "%s/%s", op->m->o.kubelet_root, op->target);
	op_end(op, &e);
}

/* ---- the server ---------------------------------------------------------------------------- */

static const struct address *address_known(const struct mounter *m, const char *servers)
{
	uint64_t now = clock_now();

	for (size_t i = 0; i < ADDRESSES_MAX; i++)
		if (m->addresses[i].until > now && streq(m->addresses[i].servers, servers))
			return &m->addresses[i];
	return NULL;
}

static void address_forget(struct mounter *m, const char *servers)
{
	for (size_t i = 0; i < ADDRESSES_MAX; i++)
		if (streq(m->addresses[i].servers, servers))
			m->addresses[i].until = 0;
}

static const struct address *address_keep(
	struct mounter *m, const char *servers, const struct worker_reply *reply)
{
	struct address *a = &m->addresses[m->next_address++ % ADDRESSES_MAX];
	struct unpack u = {.p = reply->body, .end = (const char *)reply->body + reply->size};
	const char *server = unpack_str(&u), *address = unpack_str(&u);

	a->until = 0;
	if (!unpack_done(&u) || !server || !address ||
		str_format(a->server, sizeof(a->server), "%s", server) < 0 ||
		str_format(a->address, sizeof(a->address), "%s", address) < 0)
		return NULL;
	str_copy_cut(a->servers, sizeof(a->servers), servers);
	a->until = clock_now() + ADDRESS_TTL;
	return a;
}

static void on_found(struct worker_call *c, const struct worker_reply *reply, void *userdata)
{
	struct op *op = userdata;
	const struct address *a;
	struct err e = ERR_NULL;
	int r;

	(void)c;
	op->call = NULL;
	if (reply_error(op, reply, &e) < 0) {
		op_end(op, &e);
		return;
	}
	a = address_keep(op->m, op->volume.servers, reply);
	r = a ? publish_send(op, a) : -EPROTO;
	if (r < 0)
		publish_failed(op, r);
}

static int find_server(struct op *op)
{
	_cleanup_buf_ struct buf body = BUF_NULL(4096);
	uint64_t now = clock_now(), left = op->deadline_at > now ? op->deadline_at - now : 0;
	char key[BROKER_KEY_MAX], hash[HASH_TEXT_MAX];
	int r = pack_str(&body, op->volume.servers);

	if (r >= 0)
		r = pack_u64(&body, op->volume.port);
	if (r >= 0)
		r = str_format(key, sizeof(key), "r-%s", hash_text(hash, op->volume.servers));
	if (r < 0)
		return r;
	return worker_call(op->m->resolvers,
		&(struct worker_request){.key = key,
			.init = "resolve",
			.init_size = strlen("resolve"),
			.kind = RESOLVER_FIND,
			.body = body.data,
			.size = body.len,
			.deadline_ns = left < RESOLVE_BUDGET ? left : RESOLVE_BUDGET},
		on_found, op, &op->call);
}

/* ---- the mount ----------------------------------------------------------------------------- */

/* With an address where it has to be mounted, or to be sure that it can be. */
static int publish_begin(struct op *op)
{
	const struct address *a;

	if (op->volume.kind == MOUNTER_HOSTPATH || op->x)
		return publish_send(op, NULL);
	a = address_known(op->m, op->volume.servers);
	return a ? publish_send(op, a) : find_server(op);
}

static void publish_succeeded(struct op *op)
{
	const struct err none = ERR_NULL;

	op->m->stats.published++;
	publication_set(op->m, op->target, op->hash, false);
	if (op->x) {
		op->x->publications++;
		op->x->idle_at = 0;
	}
	op_end(op, &none);
}

static void on_published(struct worker_call *c, const struct worker_reply *reply, void *userdata)
{
	struct op *op = userdata;
	struct err e = ERR_NULL;
	int r = reply_error(op, reply, &e);

	(void)c;
	op->call = NULL;
	if (r >= 0) {
		if (op->x)
			export_note(op->x, reply->body, reply->size);
		publish_succeeded(op);
		return;
	}
	if (r == -ENOMEDIUM && !op->retried) {
		/* Somebody unmounted it. */
		op->retried = true;
		op_leave_export(op);
		r = publish_begin(op);
		if (r < 0)
			publish_failed(op, r);
		return;
	}
	if (op->volume.servers)
		address_forget(op->m, op->volume.servers);
	op_leave_export(op);
	op_end(op, &e);
}

/* Known from here on: should the child die, it may be mounted. */
static int export_name(struct op *op, const struct address *a)
{
	char source[NFS_SOURCE_MAX];
	struct export *x;
	int r = nfs_source_format(source, sizeof(source), a->server, op->volume.path, NULL);

	if (r < 0)
		return r;
	x = export_get(op->m, op->volume.id, op->hash, source);
	if (!x)
		return -ENOMEM;
	op_use_export(op, x);
	return 0;
}

static int publish_send(struct op *op, const struct address *a)
{
	bool nfs = op->volume.kind == MOUNTER_NFS;
	struct mount_order o = {.target = op->target,
		.id = nfs ? op->volume.id : NULL,
		.server = a ? a->server : NULL,
		.address = a ? a->address : NULL,
		.path = op->volume.path,
		.options = op->volume.options,
		.directory = op->volume.directory,
		.identity = op->volume.identity,
		.version = op->volume.version,
		.export_flags = op->volume.export_flags,
		.flags = op->volume.flags};
	int r = a ? export_name(op, a) : 0;

	return r < 0 ? r : op_order(op, nfs ? "x" : "p", &o, MOUNTER_PUBLISH_BUDGET, on_published);
}

int mounter_publish(struct mounter *m, const struct mounter_volume *v, mounter_fn fn,
	void *userdata, struct err *e)
{
	struct op *op;
	int r = check_volume(v, e);

	if (r < 0)
		return r;
	r = op_new(&op, m, MOUNT_ORDER_PUBLISH, MOUNTER_PUBLISH_BUDGET);
	if (r < 0)
		return err_sys(e, r, "%s", v->target);
	r = op_set_target(op, v->target, true, e);
	if (r >= 0)
		r = take_volume(op, v, e);
	if (r >= 0) {
		op_use_export(op, map_gets(&m->exports, op->volume.id));
		r = publish_begin(op);
		if (r < 0)
			err_sys(e, r, "%s", v->target);
	}
	if (r < 0) {
		op_free(op);
		return r;
	}
	op->fn = fn;
	op->userdata = userdata;
	return 0;
}
