/* SPDX-License-Identifier: Apache-2.0 */
/* accept.c: connections are taken from the kernel one by one, within limits */
#include "http/accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"

/* Bursts of clients that connect at once. */
#define BACKLOG 256
/* Connections taken in one turn of the loop: others want their turn too. */
#define BURST 16
#define PAUSE MILLISECONDS(100)

struct opened {
	struct list item;
	uid_t uid;
};

struct acceptor {
	int fd;
	struct io *io;
	struct timer *pause;
	struct accept_limits limits;
	accept_fn fn;
	void *userdata;
	struct list all;
	unsigned n;
	uid_t uid; /* of the connection that fn is being called for */
	bool unix_socket;
};

static int listen_on(int family, const struct sockaddr *sa, socklen_t size)
{
	_cleanup_close_ int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, sa, size) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int accept_listen(const char *address, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return listen_on(AF_INET, (struct sockaddr *)&v4, sizeof(v4));
	if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1)
		return listen_on(AF_INET6, (struct sockaddr *)&v6, sizeof(v6));
	return -EINVAL;
}

static bool is_unix(int fd)
{
	struct sockaddr_storage sa;
	socklen_t size = sizeof(sa);

	return getsockname(fd, (struct sockaddr *)&sa, &size) == 0 && sa.ss_family == AF_UNIX;
}

int accept_peer(int fd, struct http_peer *ret)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	if (!is_unix(fd))
		return -ENOTCONN;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	*ret = (struct http_peer){.uid = cred.uid, .gid = cred.gid, .pid = cred.pid};
	return 0;
}

static void set_events(struct acceptor *a)
{
	const bool on = a->n < a->limits.all && !timer_armed(a->pause);

	if (a->io)
		io_set_events(a->io, on ? EPOLLIN : 0);
}

/* One uid's share, and the places that are root's alone: as many. */
static bool has_room(const struct acceptor *a, uid_t uid)
{
	unsigned own = 0, users = 0;

	LIST_FOREACH (&((struct acceptor *)a)->all, it) {
		const struct opened *o = LIST_ENTRY(it, struct opened, item);

		own += o->uid == uid;
		users += o->uid != 0;
	}
	return own < a->limits.per_uid && users + a->limits.per_uid < a->limits.all;
}

static bool is_welcome(struct acceptor *a, int fd)
{
	struct http_peer peer = {0};

	if (!a->unix_socket)
		return true;
	if (accept_peer(fd, &peer) < 0)
		return false;
	a->uid = peer.uid;
	return peer.uid == 0 || a->limits.per_uid == 0 || has_room(a, peer.uid);
}

static int accept_one(struct acceptor *a)
{
	struct sockaddr_storage sa;
	socklen_t size = sizeof(sa);
	_cleanup_close_ int fd =
		accept4(a->fd, (struct sockaddr *)&sa, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (is_welcome(a, fd))
		a->fn(TAKE_FD(fd), (struct sockaddr *)&sa, size, a->userdata);
	return 0;
}

static void on_io(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct acceptor *a = userdata;
	int r = 0;

	(void)io;
	(void)fd;
	(void)revents;
	for (int i = 0; i < BURST && r == 0 && a->n < a->limits.all; i++)
		r = accept_one(a);
	if (errno_is_resource(r))
		timer_arm(a->pause, PAUSE);
	set_events(a);
}

static void on_pause(struct timer *t, void *userdata)
{
	(void)t;
	set_events(userdata);
}

void *acceptor_opened(struct acceptor *a)
{
	struct opened *o = calloc(1, sizeof(*o));

	a->n++;
	/* Without memory it counts, and for nobody. */
	if (!o)
		return NULL;
	o->uid = a->uid;
	list_append(&a->all, &o->item);
	return o;
}

void *acceptor_closed(struct acceptor *a, void *opened)
{
	struct opened *o = opened;

	a->n--;
	if (o)
		list_remove(&o->item);
	free(o);
	set_events(a);
	return NULL;
}

static int join_loop(struct acceptor *a, struct loop *l)
{
	int r = timer_new_exact(&a->pause, l, on_pause, a);

	return r < 0 ? r : io_new(&a->io, l, a->fd, EPOLLIN, on_io, a);
}

int acceptor_new(struct acceptor **ret, struct loop *l, int fd, const struct accept_limits *limits,
	accept_fn fn, void *userdata)
{
	_cleanup_close_ int listening = fd;
	struct acceptor *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	*a = (struct acceptor){.fd = TAKE_FD(listening), .limits = *limits, .fn = fn};
	a->userdata = userdata;
	a->unix_socket = is_unix(a->fd);
	list_init(&a->all);
	r = join_loop(a, l);
	if (r < 0) {
		acceptor_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void acceptor_stop(struct acceptor *a)
{
	a->io = io_free(a->io);
	timer_disarm(a->pause);
}

struct acceptor *acceptor_free(struct acceptor *a)
{
	if (!a)
		return NULL;
	io_free(a->io);
	timer_free(a->pause);
	fd_close(a->fd);
	free(a);
	return NULL;
}
