/* SPDX-License-Identifier: Apache-2.0 */
/* ping.c: a call that has no arguments and no result, again and again */
#include "agent/ping.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/sm.h"
#include "mount/rpcping.h"

/* Whichever version: a server that lacks it says so, which is an answer, too. */
#define NFS_VERSION 3

enum state { RESTING, CONNECTING, IDLE, CALLING, OVERDUE, _STATE_MAX };
enum event { EV_DUE, EV_OPEN, EV_ANSWER, EV_BROKEN, _EVENT_MAX };

struct ping {
	struct loop *loop;
	struct ping_options o;
	ping_fn fn;
	void *userdata;
	struct sockaddr_storage to;
	socklen_t to_size;
	int fd;
	struct io *io;
	struct timer *timer;
	uint8_t state;
	uint32_t xid;
	uint64_t sent_at;
	size_t got;
	uint8_t reply[RPCPING_REPLY_MAX];
};

/* ---- the connection ---- */

static int fire(struct ping *p, enum event e);

static void hang_up(struct ping *p)
{
	p->io = io_free(p->io);
	p->fd = fd_close(p->fd);
	p->got = 0;
}

static void on_connecting(struct ping *p)
{
	int code = 0;
	socklen_t size = sizeof(code);

	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0 || code)
		fire(p, EV_BROKEN);
	else
		fire(p, EV_OPEN);
}

static void on_bytes(struct ping *p)
{
	ssize_t n = read(p->fd, p->reply + p->got, sizeof(p->reply) - p->got);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || p->state == IDLE) {
		fire(p, EV_BROKEN);
		return;
	}
	p->got += (size_t)n;
	r = rpcping_check(p->reply, p->got, p->xid);
	if (r < 0 || (r == 0 && p->got == sizeof(p->reply)))
		fire(p, EV_BROKEN);
	else if (r > 0)
		fire(p, EV_ANSWER);
}

static void on_io(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct ping *p = userdata;

	(void)io;
	(void)fd;
	(void)revents;
	if (p->state == CONNECTING)
		on_connecting(p);
	else
		on_bytes(p);
}

static int dial(struct ping *p)
{
	int one = 1, r;

	p->fd = socket(p->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return -errno;
	(void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	r = connect(p->fd, (const struct sockaddr *)&p->to, p->to_size) < 0 ? -errno : 0;
	if (r < 0 && r != -EINPROGRESS)
		return r;
	return io_new(&p->io, p->loop, p->fd, EPOLLOUT, on_io, p);
}

/* ---- the machine ---- */

static int act_dial(void *obj)
{
	struct ping *p = obj;

	timer_arm(p->timer, p->o.hang_ns);
	return dial(p) < 0 ? fire(p, EV_BROKEN) : 0;
}

static int act_call(void *obj)
{
	struct ping *p = obj;
	uint8_t call[RPCPING_CALL_SIZE];

	p->xid = (uint32_t)random_u64();
	p->got = 0;
	p->sent_at = clock_now();
	rpcping_call(call, p->xid, RPC_PROGRAM_NFS, NFS_VERSION);
	io_set_events(p->io, EPOLLIN);
	timer_arm(p->timer, p->o.hang_ns);
	if (send(p->fd, call, sizeof(call), MSG_NOSIGNAL) != sizeof(call))
		return fire(p, EV_BROKEN);
	p->fn(p, PING_CALLED, 0, p->userdata);
	return 0;
}

static int act_answered(void *obj)
{
	struct ping *p = obj;

	p->got = 0;
	timer_arm(p->timer, p->o.interval_ns);
	p->fn(p, PING_ANSWERED, clock_now() - p->sent_at, p->userdata);
	return 0;
}

static int act_silent(void *obj)
{
	struct ping *p = obj;

	timer_arm(p->timer, p->o.hang_ns);
	p->fn(p, PING_SILENT, clock_now() - p->sent_at, p->userdata);
	return 0;
}

static int act_failed(void *obj)
{
	struct ping *p = obj;

	hang_up(p);
	timer_arm(p->timer, p->o.interval_ns);
	p->fn(p, PING_FAILED, 0, p->userdata);
	return 0;
}

/* Closed while nothing was asked of it: a server may. */
static int act_closed(void *obj)
{
	hang_up(obj);
	return 0;
}

/* A call that was told to be silent: at once another connection. */
static int act_again(void *obj)
{
	struct ping *p = obj;

	hang_up(p);
	return act_dial(p);
}

static const char *const states[_STATE_MAX] = {
	"Resting", "Connecting", "Idle", "Calling", "Overdue"};
static const char *const events[_EVENT_MAX] = {"due", "open", "answer", "broken"};
static const struct sm_edge edges[] = {
	{RESTING, EV_DUE, CONNECTING, act_dial},
	{CONNECTING, EV_OPEN, CALLING, act_call},
	{CONNECTING, EV_DUE, RESTING, act_failed},
	{CONNECTING, EV_BROKEN, RESTING, act_failed},
	{CALLING, EV_ANSWER, IDLE, act_answered},
	{CALLING, EV_DUE, OVERDUE, act_silent},
	{CALLING, EV_BROKEN, RESTING, act_failed},
	{OVERDUE, EV_ANSWER, IDLE, act_answered},
	{OVERDUE, EV_DUE, CONNECTING, act_again},
	{OVERDUE, EV_BROKEN, RESTING, act_failed},
	{IDLE, EV_DUE, CALLING, act_call},
	{IDLE, EV_BROKEN, RESTING, act_closed},
};
static const struct sm_table table = {
	.name = "ping",
	.states = states,
	.events = events,
	.edges = edges,
	.n_edges = ELEMENTSOF(edges),
};

static int fire(struct ping *p, enum event e)
{
	return sm_fire(&table, &p->state, (uint8_t)e, p);
}

static void on_timer(struct timer *t, void *userdata)
{
	struct ping *p = userdata;
	uint8_t before = p->state;

	(void)t;
	/* Where this process was held up, the answer may have been here in time. */
	if (p->state == CALLING || p->state == OVERDUE)
		on_bytes(p);
	if (p->state == before)
		fire(p, EV_DUE);
}

/* ---- frame ---- */

int ping_new(
	struct ping **ret, struct loop *l, const struct ping_options *o, ping_fn fn, void *userdata)
{
	_cleanup_(ping_freep) struct ping *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->fd = -1;
	p->loop = l;
	p->o = *o;
	p->fn = fn;
	p->userdata = userdata;
	r = rpcping_address(o->address, o->port ? o->port : PING_PORT, &p->to, &p->to_size);
	p->o.address = NULL; /* borrowed for this call only */
	if (r >= 0)
		r = timer_new_exact(&p->timer, l, on_timer, p);
	if (r < 0)
		return r;
	timer_arm(p->timer, 0);
	*ret = TAKE_PTR(p);
	return 0;
}

struct ping *ping_free(struct ping *p)
{
	if (!p)
		return NULL;
	hang_up(p);
	timer_free(p->timer);
	free(p);
	return NULL;
}
