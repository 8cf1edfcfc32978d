/* SPDX-License-Identifier: Apache-2.0 */
/* server.c: the listening socket, who may connect, and the server's beginning and end */
#include "rpc/server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "rpc/connection.h"

#define CONNECTIONS_MAX 1024
/* Accepted in one turn of the loop: others get theirs. */
#define ACCEPTS_A_TURN 16
/* Where the table is full, a connection that has had no call for as long makes room. */
#define IDLE_ENOUGH_NS SECONDS(1)

/* ---- accepting ------------------------------------------------------------------------------- */

static int peer_uid(int fd, uid_t *ret)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	*ret = cred.uid;
	return 0;
}

static bool may_connect(const struct rpc_server *s, uid_t uid)
{
	for (size_t i = 0; i < s->n_uids; i++)
		if (s->uids[i] == uid)
			return true;
	return false;
}

int rpc_server_adopt(struct rpc_server *s, int fd)
{
	_cleanup_close_ int own = fd;
	struct rpc_connection *c;
	uid_t uid = (uid_t)-1;
	int r;

	r = peer_uid(own, &uid);
	if (r < 0)
		return r;
	if (!may_connect(s, uid)) {
		/* Anyone can make this line as often as they like. */
		log_debug("refused a gRPC connection of uid %u", (unsigned)uid);
		s->counts.refused++;
		return -EPERM;
	}
	if (s->counts.connections >= s->connections_max || s->drained)
		return -ENOBUFS;
	r = rpc_connection_new(&c, s, own, uid);
	if (r < 0)
		return r;
	(void)TAKE_FD(own);
	s->counts.accepted++;
	return 0;
}

/* Closes a connection that nobody uses; false where there is none. */
static bool make_room(struct rpc_server *s)
{
	uint64_t now = clock_now();

	LIST_FOREACH (&s->connections, it) {
		struct rpc_connection *c = LIST_ENTRY(it, struct rpc_connection, link);

		if (c->n_requests > 0 || now - c->active_at < IDLE_ENOUGH_NS)
			continue;
		rpc_connection_free(c);
		return true;
	}
	return false;
}

static bool is_somebody_waiting(const struct rpc_server *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/* The socket stays readable: without a pause the loop would spin. */
static void accept_later(struct rpc_server *s)
{
	io_set_events(s->io, 0);
	timer_arm(s->accept_timer, backoff_next(&s->accept_backoff));
}

/* 1 where there may be more to accept. */
static int accept_one(struct rpc_server *s)
{
	int fd, r;

	if (s->counts.connections >= s->connections_max) {
		if (!is_somebody_waiting(s))
			return 0;
		if (!make_room(s)) {
			accept_later(s);
			return 0;
		}
	}
	fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
		return errno != EAGAIN;
	if (fd < 0) {
		log_warning("cannot accept a gRPC connection: %s", strerror(errno));
		accept_later(s);
		return 0;
	}
	r = rpc_server_adopt(s, fd);
	if (errno_is_resource(r)) {
		accept_later(s);
		return 0;
	}
	backoff_reset(&s->accept_backoff);
	return 1;
}

static void on_io(struct io *io, int fd, uint32_t revents, void *userdata)
{
	(void)io;
	(void)fd;
	(void)revents;
	for (int i = 0; i < ACCEPTS_A_TURN; i++)
		if (accept_one(userdata) == 0)
			break;
}

static void on_accept_timer(struct timer *t, void *userdata)
{
	struct rpc_server *s = userdata;

	(void)t;
	if (s->io)
		io_set_events(s->io, EPOLLIN);
}

static void stop_listening(struct rpc_server *s)
{
	s->io = io_free(s->io);
	s->fd = fd_close(s->fd);
}

/* ---- draining -------------------------------------------------------------------------------- */

static void finish_drain(struct rpc_server *s)
{
	if (s->drained && s->counts.connections == 0)
		timer_arm(s->drain_timer, 0);
}

void rpc_server_connection_gone(struct rpc_server *s)
{
	finish_drain(s);
	/* A descriptor and a place are free. */
	if (timer_armed(s->accept_timer))
		timer_arm(s->accept_timer, 0);
}

/* Time is up, or the last connection is gone. */
static void on_drain_timer(struct timer *t, void *userdata)
{
	struct rpc_server *s = userdata;
	rpc_drained_fn fn = s->drained;

	(void)t;
	while (!list_empty(&s->connections))
		rpc_connection_free(LIST_FIRST(&s->connections, struct rpc_connection, link));
	fn(s, s->userdata);
}

void rpc_server_drain(struct rpc_server *s, uint64_t timeout_ns, rpc_drained_fn done)
{
	if (s->drained)
		return;
	s->drained = done;
	stop_listening(s);
	LIST_FOREACH (&s->connections, it)
		rpc_connection_close(LIST_ENTRY(it, struct rpc_connection, link));
	timer_arm(s->drain_timer, timeout_ns);
	finish_drain(s);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void on_dispatch(struct defer *d, void *userdata)
{
	(void)d;
	rpc_server_dispatch(userdata);
}

void rpc_server_observe(
	struct rpc_server *s, const struct rpc_method *m, enum rpc_code code, uint64_t began)
{
	if (s->observe)
		s->observe(m ? m->path : NULL, code, clock_now() - began, s->userdata);
}

static unsigned connections_max(unsigned wanted)
{
	struct rlimit limit;
	unsigned n = wanted ? wanted : CONNECTIONS_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 2 < n)
		n = (unsigned)(limit.rlim_cur / 2);
	return n;
}

static int copy_uids(struct rpc_server *s, const struct rpc_server_options *o)
{
	if (o->n_uids == 0)
		return 0;
	s->uids = calloc(o->n_uids, sizeof(*s->uids));
	if (!s->uids)
		return -ENOMEM;
	memcpy(s->uids, o->uids, o->n_uids * sizeof(*s->uids));
	s->n_uids = o->n_uids;
	return 0;
}

static int set_up(struct rpc_server *s, const struct rpc_server_options *o)
{
	int r = copy_uids(s, o);

	if (r == 0)
		r = rpc_connection_callbacks(s);
	if (r == 0)
		r = defer_new(&s->dispatch, s->loop, on_dispatch, s);
	if (r == 0)
		r = timer_new_exact(&s->accept_timer, s->loop, on_accept_timer, s);
	if (r == 0)
		r = timer_new_exact(&s->drain_timer, s->loop, on_drain_timer, s);
	if (r == 0 && s->fd >= 0)
		r = io_new(&s->io, s->loop, s->fd, EPOLLIN, on_io, s);
	return r;
}

int rpc_server_new(struct rpc_server **ret, struct loop *l, const struct rpc_server_options *o,
	void *userdata, struct err *e)
{
	_cleanup_close_ int fd = o->fd;
	_cleanup_(rpc_server_freep) struct rpc_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_sys(e, ENOMEM, "cannot serve gRPC");
	s->loop = l;
	s->userdata = userdata;
	s->methods = o->methods;
	s->n_methods = o->n_methods;
	s->observe = o->observe;
	s->times = (struct rpc_times){GREETING_NS, IDLE_NS, REQUEST_NS, SENDING_NS, CLOSING_NS};
	s->connections_max = connections_max(o->connections_max);
	s->accept_backoff = (struct backoff){.min = MILLISECONDS(10), .max = SECONDS(1)};
	list_init(&s->connections);
	list_init(&s->ready);
	list_init(&s->running);
	s->fd = TAKE_FD(fd);
	r = set_up(s, o);
	if (r < 0)
		return err_sys(e, r, "cannot serve gRPC");
	*ret = TAKE_PTR(s);
	return 0;
}

struct rpc_server *rpc_server_free(struct rpc_server *s)
{
	if (!s)
		return NULL;
	if (s->gone)
		*s->gone = true;
	stop_listening(s);
	while (!list_empty(&s->connections))
		rpc_connection_free(LIST_FIRST(&s->connections, struct rpc_connection, link));
	rpc_server_cancel_all(s);
	defer_free(s->dispatch);
	timer_free(s->accept_timer);
	timer_free(s->drain_timer);
	nghttp2_session_callbacks_del(s->callbacks);
	nghttp2_option_del(s->option);
	free(s->uids);
	free(s);
	return NULL;
}

void rpc_server_counts(const struct rpc_server *s, struct rpc_server_counts *ret)
{
	*ret = s->counts;
}
