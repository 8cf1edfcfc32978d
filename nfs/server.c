/* SPDX-License-Identifier: Apache-2.0 */
/* server.c: calls wait for their replies, or for a server that asked for patience */
#include "nfs/server.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

/* NFS3ERR_JUKEBOX, NFS4ERR_DELAY, NFS4ERR_GRACE: 50 ms, doubled up to 1.6 s. */
#define DELAY_MIN MILLISECONDS(50)
#define DELAY_DOUBLINGS 5

void server_init(struct server *s, const char *name)
{
	*s = (struct server){.name = name};
	list_init(&s->finished);
	list_init(&s->delayed);
}

static void finish(struct call *c, int r)
{
	c->r = r;
	list_append(&c->server->finished, &c->link);
}

static void start(struct server *s, struct call *c)
{
	int r = s->protocol->start(s, c);

	if (r >= 0)
		return;
	c->status = 0;
	c->why = r == -EINVAL ? "cannot be asked" : NULL;
	finish(c, r);
}

void server_call(struct server *s, struct call *c, call_fn fn, void *userdata)
{
	c->server = s;
	c->fn = fn;
	c->userdata = userdata;
	c->phase = c->tries = 0;
	c->done = 0;
	c->r = 0;
	c->status = 0;
	c->why = NULL;
	c->created = false;
	c->fh.size = 0;
	c->attr.type = NFS_TYPE_NONE;
	if (c->wait == 0) {
		start(s, c);
		return;
	}
	c->again = clock_now() + c->wait;
	c->wait = 0;
	list_append(&s->delayed, &c->link);
}

struct rpc_context *server_rpc(struct server *s, const struct call *c)
{
	if (!s->cred_set || s->cred.uid != c->cred.uid || s->cred.gid != c->cred.gid) {
		compat_set_cred(s->nfs, &c->cred);
		s->cred = c->cred;
		s->cred_set = true;
	}
	if (s->inflight++ == 0)
		s->heard = clock_now();
	s->sent++;
	return s->nfs;
}

void server_answered(struct server *s)
{
	if (s->inflight > 0)
		s->inflight--;
	s->heard = clock_now();
}

static bool call_delay(struct call *c)
{
	unsigned doublings = c->tries < DELAY_DOUBLINGS ? c->tries : DELAY_DOUBLINGS;
	uint64_t again = clock_now() + (DELAY_MIN << doublings);

	if (again >= c->deadline)
		return false;
	c->tries++;
	c->again = again;
	list_append(&c->server->delayed, &c->link);
	return true;
}

void call_done(struct call *c, int r, uint32_t status, const char *why)
{
	c->status = status;
	c->why = why;
	if (r == -EAGAIN && call_delay(c))
		return;
	finish(c, r);
}

void call_rejected(struct call *c, int status, const char *data)
{
	if (status == RPC_STATUS_ERROR && data &&
		(strstr(data, "mismatch") || strstr(data, "not available")))
		call_done(c, -EPROTONOSUPPORT, 0, "the server does not speak this version");
	else
		call_done(c, -EPROTO, 0, "the server refused the RPC or answered garbage");
}

static uint64_t run_delayed(struct server *s)
{
	uint64_t now = clock_now(), next = 0;

	LIST_FOREACH (&s->delayed, it) {
		struct call *c = LIST_ENTRY(it, struct call, link);

		if (c->again <= now) {
			list_remove(&c->link);
			start(s, c);
		} else if (!next || c->again < next) {
			next = c->again;
		}
	}
	return next;
}

uint64_t server_run(struct server *s)
{
	struct call *c;

	while ((c = LIST_FIRST(&s->finished, struct call, link))) {
		list_remove(&c->link);
		c->fn(c, c->userdata);
	}
	if (list_empty(&s->delayed))
		return 0;
	return run_delayed(s);
}

static short poll_events(struct rpc_context *rpc)
{
	return (short)(POLLIN | (compat_pending(rpc) ? POLLOUT : 0));
}

size_t server_pollfds(const struct server *s, struct pollfd fds[static 2])
{
	fds[0] = (struct pollfd){.fd = rpc_get_fd(s->nfs), .events = poll_events(s->nfs)};
	if (!s->mount)
		return 1;
	fds[1] = (struct pollfd){.fd = rpc_get_fd(s->mount), .events = poll_events(s->mount)};
	return 2;
}

static int context_io(struct rpc_context *rpc, short revents)
{
	int r = 0;

	if (revents & (POLLIN | POLLERR | POLLHUP | POLLNVAL))
		r = compat_read(rpc);
	if (r >= 0 && revents & POLLOUT)
		r = compat_write(rpc);
	return r;
}

int server_io(struct server *s, const struct pollfd *fds)
{
	if (s->mount && context_io(s->mount, fds[1].revents) < 0) {
		/* Calls in flight on it end with an error; they are mounts, which change nothing.
		 */
		rpc_destroy_context(s->mount);
		s->mount = NULL;
	}
	return context_io(s->nfs, fds[0].revents);
}

int server_flush(struct server *s)
{
	if (s->mount && compat_write(s->mount) < 0)
		return -ECONNRESET;
	return compat_write(s->nfs);
}
