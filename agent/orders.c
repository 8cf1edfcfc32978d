/* SPDX-License-Identifier: Apache-2.0 */
/* orders.c: the front's end of the broker's socket */
#include "agent/orders.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/list.h"
#include "base/packet.h"
#include "base/str.h"

/* A PUBLISH or REMOVE that was sent. */
struct question {
	struct list link;
	orders_socket_fn fn;
	void *userdata;
};

/* What a pool's spawner is given. */
struct served {
	struct orders *orders;
	enum broker_class what;
	struct worker_pool *pool;
};

struct orders {
	struct loop *loop;
	int fd;
	struct io *io;
	struct defer *gone_later;
	orders_gone_fn on_gone;
	void *userdata;
	struct list questions; /* oldest first */
	struct served served[_BROKER_CLASS_MAX];
	bool *freed; /* set by orders_free() under a callback */
};

/* Nothing that was asked will be answered. */
static void on_gone_later(struct defer *d, void *userdata)
{
	struct orders *o = userdata;

	(void)d;
	o->on_gone(o->userdata);
}

static void lose(struct orders *o)
{
	io_set_events(o->io, 0);
	defer_arm(o->gone_later);
}

static int order_send(struct orders *o, const struct broker_order *order, int fd)
{
	int r = packet_send(o->fd, order, sizeof(*order), fd);

	/* The broker reads at once; where it does not for hundreds of orders, it is none. */
	if (r < 0)
		lose(o);
	return r < 0 ? -ENOTCONN : 0;
}

/* ---- notices ------------------------------------------------------------------------------- */

static void on_socket(struct orders *o, const struct broker_notice *n, int fd)
{
	struct question *q = LIST_FIRST(&o->questions, struct question, link);
	struct err e = ERR_NULL;

	if (!q) {
		fd_close(fd);
		lose(o);
		return;
	}
	list_remove(&q->link);
	if (n->result < 0)
		err_set(&e, n->result, "%s", n->text);
	q->fn(fd, &e, q->userdata);
	free(q);
}

static void why_ended(const struct broker_notice *n, struct err *e)
{
	if (n->result < 0)
		err_set(e, n->result, "%s", n->text);
	else if (WIFSIGNALED(n->status))
		err_set(e, ECONNRESET, "child %d was killed by signal %d (%s)", n->pid,
			WTERMSIG(n->status), strsignal(WTERMSIG(n->status)));
	else
		err_set(e, ECONNRESET, "child %d exited with status %d", n->pid,
			WEXITSTATUS(n->status));
}

static void on_ended(struct orders *o, const struct broker_notice *n)
{
	struct err e = ERR_NULL;

	if (n->what >= _BROKER_CLASS_MAX || !o->served[n->what].pool)
		return;
	why_ended(n, &e);
	worker_pool_ended(o->served[n->what].pool, n->name, n->pid, &e);
}

static void on_notice(struct orders *o, const struct broker_notice *n, int fd)
{
	if (n->kind == BROKER_SOCKET) {
		on_socket(o, n, fd);
		return;
	}
	fd_close(fd);
	if (n->kind == BROKER_ENDED)
		on_ended(o, n);
}

static void on_io(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct orders *o = userdata;
	struct broker_notice n;
	bool freed = false;
	int passed = -1, r;

	(void)io;
	(void)revents;
	r = packet_receive(fd, &n, sizeof(n), &passed);
	if (r == -EAGAIN)
		return;
	if (r < 0 || !memchr(n.name, '\0', sizeof(n.name)) ||
		!memchr(n.text, '\0', sizeof(n.text))) {
		fd_close(passed);
		lose(o);
		return;
	}
	o->freed = &freed;
	on_notice(o, &n, passed);
	if (!freed)
		o->freed = NULL;
}

/* ---- sockets ------------------------------------------------------------------------------- */

static int ask(
	struct orders *o, const struct broker_order *order, orders_socket_fn fn, void *userdata)
{
	struct question *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	*q = (struct question){.fn = fn, .userdata = userdata};
	r = order_send(o, order, -1);
	if (r < 0) {
		free(q);
		return r;
	}
	list_append(&o->questions, &q->link);
	return 0;
}

int orders_publish(struct orders *o, enum broker_base base, const char *path, mode_t mode,
	orders_socket_fn fn, void *userdata)
{
	struct broker_order order = {.kind = BROKER_PUBLISH, .what = base, .mode = mode};
	int r = str_format(order.name, sizeof(order.name), "%s", path);

	return r < 0 ? r : ask(o, &order, fn, userdata);
}

int orders_remove(struct orders *o, enum broker_base base, const char *path, orders_socket_fn fn,
	void *userdata)
{
	struct broker_order order = {.kind = BROKER_REMOVE, .what = base};
	int r = str_format(order.name, sizeof(order.name), "%s", path);

	return r < 0 ? r : ask(o, &order, fn, userdata);
}

int orders_connect(struct orders *o, enum broker_base base, const char *path, orders_socket_fn fn,
	void *userdata)
{
	struct broker_order order = {.kind = BROKER_CONNECT, .what = base};
	int r = str_format(order.name, sizeof(order.name), "%s", path);

	return r < 0 ? r : ask(o, &order, fn, userdata);
}

/* ---- children ------------------------------------------------------------------------------ */

static int spawner_start(const char *key, int fd, void *userdata)
{
	const struct served *s = userdata;
	struct broker_order order = {.kind = BROKER_START, .what = s->what};
	int r = str_format(order.name, BROKER_KEY_MAX, "%s", key);

	return r < 0 ? r : order_send(s->orders, &order, fd);
}

static void spawner_kill(const char *key, void *userdata)
{
	const struct served *s = userdata;
	struct broker_order order = {.kind = BROKER_KILL, .what = s->what};

	if (str_format(order.name, BROKER_KEY_MAX, "%s", key) >= 0)
		(void)order_send(s->orders, &order, -1);
}

int orders_pool_new(struct orders *o, enum broker_class what, const struct worker_options *options,
	struct worker_pool **ret)
{
	static const struct worker_spawner spawner = {.start = spawner_start, .kill = spawner_kill};
	struct worker_options with = *options;
	struct served *s = &o->served[what];
	int r;

	with.spawner = &spawner;
	with.spawner_userdata = s;
	r = worker_pool_new(&s->pool, o->loop, &with);
	if (r >= 0)
		*ret = s->pool;
	return r;
}

void orders_pool_free(struct orders *o, enum broker_class what)
{
	o->served[what].pool = worker_pool_free(o->served[what].pool);
}

/* ---- its own life -------------------------------------------------------------------------- */

int orders_new(struct orders **ret, struct loop *l, int fd, orders_gone_fn on_gone, void *userdata)
{
	_cleanup_(orders_freep) struct orders *o = calloc(1, sizeof(*o));
	int r;

	if (!o) {
		fd_close(fd);
		return -ENOMEM;
	}
	o->loop = l;
	o->fd = fd;
	o->on_gone = on_gone;
	o->userdata = userdata;
	list_init(&o->questions);
	for (size_t i = 0; i < _BROKER_CLASS_MAX; i++)
		o->served[i] = (struct served){.orders = o, .what = (enum broker_class)i};
	r = defer_new(&o->gone_later, l, on_gone_later, o);
	if (r >= 0)
		r = io_new(&o->io, l, fd, EPOLLIN, on_io, o);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(o);
	return 0;
}

struct orders *orders_free(struct orders *o)
{
	if (!o)
		return NULL;
	if (o->freed)
		*o->freed = true;
	for (size_t i = 0; i < _BROKER_CLASS_MAX; i++)
		orders_pool_free(o, (enum broker_class)i);
	LIST_FOREACH (&o->questions, it) {
		list_remove(it);
		free(LIST_ENTRY(it, struct question, link));
	}
	io_free(o->io);
	defer_free(o->gone_later);
	fd_close(o->fd);
	free(o);
	return NULL;
}
