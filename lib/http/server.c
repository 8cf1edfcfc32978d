/* SPDX-License-Identifier: Apache-2.0 */
/* server.c: libmicrohttpd's connections in our loop */
#include "http/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "http/accept.h"
#include "http/exchange.h"

#define CONNECTIONS_MAX 64 /* probes, a scraper, a few people */
#define BODY_MAX (1U << 20)
#define IDLE_SECONDS 30
/* One turn of libmicrohttpd closes a resumed connection; a few more cost nothing at the end. */
#define STOP_TURNS 8

/* libmicrohttpd does work of its own after what epoll told it (pipelined requests, resumed
 * connections): its time-out must be asked for after every run (libraries.md section 3). */
static void rearm(struct http_server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
		timer_arm(s->timer, MILLISECONDS(ms));
	else
		timer_disarm(s->timer);
}

static void run(struct http_server *s)
{
	(void)MHD_run(s->daemon);
	rearm(s);
}

static void on_io(struct io *io, int fd, uint32_t revents, void *userdata)
{
	(void)io;
	(void)fd;
	(void)revents;
	run(userdata);
}

static void on_timer(struct timer *t, void *userdata)
{
	(void)t;
	run(userdata);
}

static void on_defer(struct defer *d, void *userdata)
{
	(void)d;
	run(userdata);
}

static struct http_exchange *exchange_new(
	struct http_server *s, struct MHD_Connection *c, const char *url, const char *method)
{
	struct http_exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->server = s;
	x->connection = c;
	x->path = url;
	x->method = method;
	x->body = BUF_NULL(s->body_max);
	list_append(&s->exchanges, &x->item);
	return x;
}

/* A body that says that it is too long is refused before it comes. */
static bool body_too_long(const struct http_exchange *x)
{
	const char *text = http_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t size;

	return text && parse_u64(text, 0, x->server->body_max, &size) < 0;
}

static enum MHD_Result send_answer(struct http_exchange *x)
{
	enum MHD_Result r = MHD_queue_response(x->connection, x->status, x->response);

	x->state = EXCHANGE_SENDING;
	return r;
}

static enum MHD_Result begin(struct http_exchange *x)
{
	if (!body_too_long(x))
		return MHD_YES;
	http_reply_text(x, 413, "the body is too long\n");
	return x->state == EXCHANGE_ANSWERED ? send_answer(x) : MHD_NO;
}

static enum MHD_Result take_body(struct http_exchange *x, const char *data, size_t *size)
{
	/* Chunked bodies do not say how long they are. */
	if (x->state != EXCHANGE_RECEIVING || buf_append(&x->body, data, *size) < 0)
		return MHD_NO;
	*size = 0;
	return MHD_YES;
}

static enum MHD_Result handle(struct http_exchange *x)
{
	if (x->state == EXCHANGE_RECEIVING) {
		x->state = EXCHANGE_HANDLED;
		x->server->handler.request(x, x->server->userdata);
	}
	switch (x->state) {
	case EXCHANGE_ANSWERED:
		return send_answer(x);
	case EXCHANGE_HANDLED:
		exchange_suspend(x);
		return MHD_YES;
	case EXCHANGE_SENDING:
		return MHD_YES;
	case EXCHANGE_RECEIVING:
	case EXCHANGE_DROPPED:
		break;
	}
	return MHD_NO;
}

/* MHD_AccessHandlerCallback: eight parameters that are not ours to choose. */
#define ACCESS_PARAMETERS                                                              \
	void *userdata, struct MHD_Connection *c, const char *url, const char *method, \
		const char *version, const char *data, size_t *size, void **cls

static enum MHD_Result on_access(ACCESS_PARAMETERS)
{
	struct http_exchange *x = *cls;

	(void)version;
	if (!x) {
		x = exchange_new(userdata, c, url, method);
		*cls = x;
		return x ? begin(x) : MHD_NO;
	}
	if (*size > 0)
		return take_body(x, data, size);
	return handle(x);
}

static void on_completed(
	void *userdata, struct MHD_Connection *c, void **cls, enum MHD_RequestTerminationCode why)
{
	struct http_server *s = userdata;
	struct http_exchange *x = *cls;

	(void)c;
	(void)why;
	if (!x)
		return;
	*cls = NULL;
	if (x->state != EXCHANGE_RECEIVING && !x->finished && !s->stopping && s->handler.gone)
		s->handler.gone(x, s->userdata);
	exchange_free(x);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage sa;
	socklen_t size = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &size) < 0)
		return 0;
	if (sa.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&sa)->sin_port);
	if (sa.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
	return 0;
}

static void on_connection(void *userdata, struct MHD_Connection *c, void **context,
	enum MHD_ConnectionNotificationCode why)
{
	struct http_server *s = userdata;

	(void)c;
	if (why == MHD_CONNECTION_NOTIFY_STARTED)
		*context = acceptor_opened(s->acceptor);
	else
		*context = acceptor_closed(s->acceptor, *context);
}

static struct MHD_Daemon *start_daemon(
	struct http_server *s, const struct http_options *o, unsigned connections)
{
	unsigned idle = o->idle_seconds ? o->idle_seconds : IDLE_SECONDS;

	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET,
		0, NULL, NULL, on_access, s, MHD_OPTION_CONNECTION_LIMIT, connections,
		MHD_OPTION_CONNECTION_TIMEOUT, idle, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_END);
}

/* A new connection; libmicrohttpd closes fd where it will not have it. */
static void on_accept(int fd, const struct sockaddr *sa, socklen_t size, void *userdata)
{
	struct http_server *s = userdata;

	(void)MHD_add_connection(s->daemon, fd, sa, size);
	run(s);
}

static int join_loop(struct http_server *s)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int r;

	if (!info)
		return -EIO;
	r = io_new(&s->io, s->loop, info->epoll_fd, EPOLLIN, on_io, s);
	if (r < 0)
		return r;
	r = timer_new_exact(&s->timer, s->loop, on_timer, s);
	if (r < 0)
		return r;
	return defer_new(&s->defer, s->loop, on_defer, s);
}

int http_server_new(struct http_server **ret, struct loop *l, const struct http_options *o,
	const struct http_handler *h, void *userdata, struct err *e)
{
	_cleanup_(http_server_freep) struct http_server *s = calloc(1, sizeof(*s));
	_cleanup_close_ int fd = o->fd;
	const struct accept_limits limits = {
		.all = o->connections_max ? o->connections_max : CONNECTIONS_MAX,
		.per_uid = o->connections_per_uid,
	};
	int r;

	if (!s)
		return err_sys(e, ENOMEM, "cannot serve HTTP");
	s->loop = l;
	s->handler = *h;
	s->userdata = userdata;
	s->body_max = o->body_max ? o->body_max : BODY_MAX;
	list_init(&s->exchanges);
	if (o->address) {
		fd = accept_listen(o->address, o->port);
		if (fd < 0)
			return err_sys(e, fd, "cannot listen on %s port %u", o->address, o->port);
	}
	s->port = port_of(fd);
	s->daemon = start_daemon(s, o, limits.all);
	if (!s->daemon)
		return err_set(e, EIO, "cannot start the HTTP server");
	r = join_loop(s);
	if (r == 0)
		r = acceptor_new(&s->acceptor, l, TAKE_FD(fd), &limits, on_accept, s);
	if (r < 0)
		return err_sys(e, r, "cannot serve HTTP");
	*ret = TAKE_PTR(s);
	return 0;
}

/* libmicrohttpd refuses to stop while a connection is suspended. */
static void drop_all(struct http_server *s)
{
	LIST_FOREACH (&s->exchanges, it) {
		struct http_exchange *x = LIST_ENTRY(it, struct http_exchange, item);

		x->state = EXCHANGE_DROPPED;
		exchange_resume(x);
	}
	for (int i = 0; i < STOP_TURNS && !list_empty(&s->exchanges); i++)
		(void)MHD_run(s->daemon);
}

struct http_server *http_server_free(struct http_server *s)
{
	if (!s)
		return NULL;
	s->stopping = true;
	if (s->acceptor)
		acceptor_stop(s->acceptor);
	s->io = io_free(s->io);
	if (s->daemon) {
		drop_all(s);
		MHD_stop_daemon(s->daemon);
	}
	acceptor_free(s->acceptor);
	timer_free(s->timer);
	defer_free(s->defer);
	free(s);
	return NULL;
}

uint16_t http_server_port(const struct http_server *s)
{
	return s->port;
}
