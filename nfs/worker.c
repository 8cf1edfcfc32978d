/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c: the loop of berth-nfs: requests in, calls out, answers back; ends with its connection
 */
#include "nfs/worker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "nfs/connect.h"
#include "sandbox/sandbox.h"

/* From init frame to ready: less than the parent waits. */
#define CONNECT_NS SECONDS(8)
/* Operations at once; the parent keeps to fewer. */
#define OPS_MAX 256
/* A server that answered nothing for so long, with an operation overdue, is taken for dead. */
#define SILENCE_NS SECONDS(4)
/* An operation on a server that is slow but alive gets so many times its budget. */
#define PATIENCE 3
/* Descriptors: standard three, the parent's, bound sockets, two connections, and a few while
 * connecting. */
#define FILES_MAX 32
/* How often deadlines are looked at. */
#define TICK_MS 250
/* A worker that can only refuse ends after this, so that a mended server is seen. */
#define REFUSAL_NS SECONDS(2)

/* The export by its path, made where it is new. NULL without memory. */
static struct nfs_export *find_export(struct worker *w, const char *path)
{
	struct nfs_export *x = NULL;

	LIST_FOREACH (&w->exports, it) {
		x = LIST_ENTRY(it, struct nfs_export, link);
		if (streq(x->path, path))
			return x;
	}
	if (export_new(&x, path, &w->cred) < 0)
		return NULL;
	list_append(&w->exports, &x->link);
	return x;
}

void worker_reply(struct worker *w, const struct op *op, int r, const struct volume_result *res)
{
	_cleanup_buf_ struct buf b = BUF_NULL(FRAME_BODY_MAX);

	if (nfs_result_pack(&b, res) < 0) {
		const struct volume_result small = {.err = {.code = ENOBUFS}};

		buf_reset(&b);
		r = -ENOBUFS;
		if (nfs_result_pack(&b, &small) < 0)
			return;
	}
	/* A parent that has gone is noticed in the loop. */
	(void)worker_child_reply(&w->child, op->id, op->kind, r, b.data, b.len);
}

/* ---- requests
 * ---------------------------------------------------------------------------------------- */

static int request_take(struct op *op, const char *body, size_t size)
{
	int r;

	op->body = malloc(size + 1);
	if (!op->body)
		return -ENOMEM;
	memcpy(op->body, body, size);
	r = nfs_request_unpack(&op->request, op->kind, op->body, size);
	if (r < 0)
		return r;
	op->request_kept = op->request;
	op->deadline = op->started + op->request.budget_ns;
	op->x = find_export(op->w, op->request.export_);
	return op->x ? 0 : -ENOMEM;
}

static int request_start(struct worker *w, const struct frame_header *h, const char *body)
{
	struct op *op;
	int r;

	if (h->kind < NFS_CREATE || h->kind >= _NFS_KIND_MAX)
		return -EPROTO;
	op = op_new(w, (enum nfs_kind)h->kind);
	if (!op)
		return -ENOMEM;
	op->id = h->id;
	r = request_take(op, body, h->size);
	if (r >= 0 && w->refusal.code)
		r = err_copy(&op->err, &w->refusal);
	if (r < 0)
		op_finish(op, r);
	else
		op_begin(op);
	return 0;
}

static int take_requests(struct worker *w)
{
	struct frame_header h;
	const char *body;
	int r = 0;

	while (w->n_ops < OPS_MAX) {
		r = worker_child_next(&w->child, &h, &body);
		if (r <= 0)
			return r;
		r = request_start(w, &h, body);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the loop
 * ------------------------------------------------------------------------------------------- */

/* The oldest operation of the parent's, NULL for none. */
static struct op *overdue(struct worker *w, uint64_t now)
{
	LIST_FOREACH (&w->ops, it) {
		struct op *op = LIST_ENTRY(it, struct op, link);

		if (!op->ended && op->deadline <= now)
			return op;
	}
	return NULL;
}

static int check_silence(struct worker *w)
{
	uint64_t now = clock_now();
	const struct op *op = overdue(w, now);

	if (!op || w->server.inflight == 0)
		return 0;
	if (now - w->server.heard > SILENCE_NS ||
		now - op->started > PATIENCE * (op->deadline - op->started))
		return -ETIMEDOUT;
	return 0;
}

static int poll_timeout(const struct worker *w, uint64_t next)
{
	uint64_t now = clock_now();

	if (next && next <= now)
		return 0;
	if (next && (next - now) / NSEC_PER_MSEC < TICK_MS)
		return (int)((next - now) / NSEC_PER_MSEC) + 1;
	return w->n_ops > 0 ? TICK_MS : -1;
}

static int turn(struct worker *w)
{
	struct pollfd fds[3];
	uint64_t next;
	size_t n;
	int r = take_requests(w);

	if (r < 0)
		return r;
	next = server_run(&w->server);
	r = server_flush(&w->server);
	if (r < 0 || w->server.again)
		return r < 0 ? r : -ENOTCONN;
	fds[0] = (struct pollfd){.fd = w->child.fd, .events = worker_child_events(&w->child)};
	n = 1 + server_pollfds(&w->server, fds + 1);
	r = poll(fds, n, poll_timeout(w, next));
	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	r = server_io(&w->server, fds + 1);
	if (r >= 0)
		r = check_silence(w);
	if (r < 0)
		return r;
	return worker_child_io(&w->child, fds[0].revents) < 0 ? 1 : 0;
}

static int refuse_all(struct worker *w)
{
	uint64_t end = clock_now() + REFUSAL_NS;

	for (uint64_t now = clock_now(); now < end; now = clock_now()) {
		struct pollfd p = {.fd = w->child.fd, .events = worker_child_events(&w->child)};
		int r = take_requests(w);

		if (r >= 0 && poll(&p, 1, (int)((end - now) / NSEC_PER_MSEC) + 1) < 0 &&
			errno != EINTR)
			r = -errno;
		if (r >= 0)
			r = worker_child_io(&w->child, p.revents);
		if (r < 0)
			return r;
	}
	return take_requests(w) < 0 ? -EPROTO : worker_child_flush(&w->child);
}

/* The last word: whoever waits learns why; what happened on the server is unknown. */
static void farewell(struct worker *w, int r)
{
	LIST_FOREACH (&w->ops, it) {
		struct op *op = LIST_ENTRY(it, struct op, link);
		struct volume_result res = {.text = ""};

		if (op->ended)
			continue;
		if (r == -ETIMEDOUT)
			err_set(&res.err, r, "%s:%s: the server does not answer", w->server.name,
				op->request.export_);
		else
			err_sys(&res.err, r, "%s:%s: the connection to the server is lost",
				w->server.name, op->request.export_);
		worker_reply(w, op, r == -ETIMEDOUT ? r : -ECONNRESET, &res);
	}
	(void)worker_child_flush(&w->child);
}

/* ---- start
 * -----------------------------------------------------------------------------------------------
 */

static int take_init(struct worker *w)
{
	const char *body;
	size_t size;
	int r = worker_child_wait_init(&w->child, &body, &size);

	if (r < 0)
		return r;
	w->init_body = malloc(size + 1);
	if (!w->init_body)
		return -ENOMEM;
	memcpy(w->init_body, body, size);
	r = nfs_init_unpack(&w->place, w->init_body, size);
	if (r >= 0 && w->place.act_as_set)
		w->cred = (struct nfs_cred){w->place.act_uid, w->place.act_gid};
	return r;
}

/* Names and sockets first; then the process keeps nothing but its connections. */
static int get_ready(struct worker *w, struct err *e)
{
	int keep[1 + NFS_BOUND_MAX] = {w->child.fd}, r;

	for (unsigned i = 0; i < w->n_bound; i++)
		keep[1 + i] = CONNECT_BOUND_FD + (int)i;
	server_init(&w->server, w->place.server);
	r = sandbox_close_fds(keep, 1 + w->n_bound, e);
	if (r >= 0)
		r = sandbox_harden(FILES_MAX, e);
	if (r >= 0)
		r = connect_server(&w->server, &w->place, w->n_bound, clock_now() + CONNECT_NS, e);
	if (r >= 0)
		r = sandbox_drop(SANDBOX_UID, SANDBOX_GID, e);
	if (r >= 0)
		r = sandbox_seccomp(SANDBOX_WORKER, e);
	return r < 0 ? r : 0;
}

int worker_run(int fd, unsigned n_bound)
{
	struct worker w = {.n_bound = n_bound};
	struct err e = ERR_NULL;
	int r;

	list_init(&w.exports);
	list_init(&w.ops);
	r = worker_child_init(&w.child, fd);
	if (r >= 0)
		r = take_init(&w);
	if (r < 0)
		return r;
	r = get_ready(&w, &e);
	if (r == -ENOPROTOOPT || r == -EPROTONOSUPPORT) {
		/* Waiting would not change it, so it is no failed start. */
		err_copy(&w.refusal, &e);
		r = sandbox_seccomp(SANDBOX_WORKER, &e);
	}
	if (worker_child_reply(&w.child, 0, 0, r, e.text, strlen(e.text)) < 0 || r < 0) {
		(void)worker_child_flush(&w.child);
		return r;
	}
	if (w.refusal.code)
		return refuse_all(&w);
	while ((r = turn(&w)) == 0)
		;
	if (r < 0)
		farewell(&w, r);
	return r < 0 ? r : 0;
}
