/* SPDX-License-Identifier: Apache-2.0 */
/* pinger.c: a connection to each server and at most one call on each, with poll(2) */
#include "agent/pinger.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/sm.h"
#include "base/str.h"
#include "mount/rpcping.h"
#include "worker/child.h"

/* Whichever version: a server that lacks it says so, which is an answer, too. */
#define NFS_VERSION 3
/* A server that nobody asks about for so long is forgotten. */
#define FORGET SECONDS(60)

enum state { CLOSED, CONNECTING, IDLE, CALLING, OVERDUE, AGAIN, _STATE_MAX };
enum event { EV_ASKED, EV_OPEN, EV_ANSWER, EV_BROKEN, EV_DUE, _EVENT_MAX };

struct pinger;

struct line {
	struct pinger *p;
	struct sockaddr_storage to;
	socklen_t to_size;
	int fd;
	uint8_t state;
	bool asked; /* a request waits for its reply */
	uint32_t request;
	uint64_t hang_ns;
	uint64_t until; /* EV_DUE; without a request: forgotten */
	uint32_t xid;
	uint64_t sent_at;
	size_t got;
	uint8_t reply[RPCPING_REPLY_MAX];
};

struct pinger {
	struct worker_child child;
	struct line *lines[PINGER_SERVERS_MAX];
	size_t n;
};

static int fire(struct line *l, enum event ev);

/* ---- replies ------------------------------------------------------------------------------- */

static int reply(struct pinger *p, uint32_t request, int result, uint64_t round_trip)
{
	_cleanup_buf_ struct buf b = BUF_NULL(sizeof(round_trip));
	int r = result < 0 ? 0 : pack_u64(&b, round_trip);

	return r < 0 ? r
		     : worker_child_reply(&p->child, request, PINGER_CALL, result, b.data, b.len);
}

static int line_reply(struct line *l, int result)
{
	bool asked = l->asked;

	l->asked = false;
	l->until = clock_now() + FORGET;
	return asked ? reply(l->p, l->request, result, clock_now() - l->sent_at) : 0;
}

/* ---- the machine of one server ------------------------------------------------------------- */

static int act_closed(void *obj)
{
	struct line *l = obj;

	l->fd = fd_close(l->fd);
	return 0;
}

static int act_failed(void *obj)
{
	act_closed(obj);
	return line_reply(obj, -ENOTCONN);
}

static int act_dial(void *obj)
{
	struct line *l = obj;
	int one = 1;

	l->until = clock_now() + l->hang_ns;
	l->fd = socket(l->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return fire(l, EV_BROKEN);
	(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(l->fd, (const struct sockaddr *)&l->to, l->to_size) < 0 && errno != EINPROGRESS)
		return fire(l, EV_BROKEN);
	return 0;
}

static int act_call(void *obj)
{
	struct line *l = obj;
	uint8_t call[RPCPING_CALL_SIZE];

	l->xid = (uint32_t)random_u64();
	l->got = 0;
	l->sent_at = clock_now();
	l->until = l->sent_at + l->hang_ns;
	rpcping_call(call, l->xid, RPC_PROGRAM_NFS, NFS_VERSION);
	return send(l->fd, call, sizeof(call), MSG_NOSIGNAL) == sizeof(call) ? 0
									     : fire(l, EV_BROKEN);
}

static int act_answered(void *obj)
{
	struct line *l = obj;

	l->got = 0;
	return line_reply(l, 0);
}

static int act_silent(void *obj)
{
	return line_reply(obj, -ETIMEDOUT);
}

static int act_wait(void *obj)
{
	struct line *l = obj;

	l->until = clock_now() + l->hang_ns;
	return 0;
}

static int act_given_up(void *obj)
{
	act_closed(obj);
	return line_reply(obj, -ETIMEDOUT);
}

static const char *const states[_STATE_MAX] = {
	"Closed", "Connecting", "Idle", "Calling", "Overdue", "Again"};
static const char *const events[_EVENT_MAX] = {"asked", "open", "answer", "broken", "due"};
static const struct sm_edge edges[] = {
	{CLOSED, EV_ASKED, CONNECTING, act_dial},
	{CONNECTING, EV_OPEN, CALLING, act_call},
	{CONNECTING, EV_DUE, CLOSED, act_failed},
	{CONNECTING, EV_BROKEN, CLOSED, act_failed},
	{CALLING, EV_ANSWER, IDLE, act_answered},
	{CALLING, EV_DUE, OVERDUE, act_silent},
	{CALLING, EV_BROKEN, CLOSED, act_failed},
	{OVERDUE, EV_ASKED, AGAIN, act_wait},
	{OVERDUE, EV_ANSWER, IDLE, act_answered},
	{OVERDUE, EV_BROKEN, CLOSED, act_closed},
	{AGAIN, EV_ANSWER, IDLE, act_answered},
	{AGAIN, EV_DUE, CLOSED, act_given_up},
	{AGAIN, EV_BROKEN, CLOSED, act_failed},
	{IDLE, EV_ASKED, CALLING, act_call},
	/* Closed while nothing was asked of it: a server may. */
	{IDLE, EV_BROKEN, CLOSED, act_closed},
};
static const struct sm_table table = {
	.name = "pinger",
	.states = states,
	.events = events,
	.edges = edges,
	.n_edges = ELEMENTSOF(edges),
};

static int fire(struct line *l, enum event ev)
{
	return sm_fire(&table, &l->state, (uint8_t)ev, l);
}

/* ---- its connection ------------------------------------------------------------------------ */

static int on_connecting(struct line *l)
{
	int code = 0;
	socklen_t size = sizeof(code);

	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0 || code)
		return fire(l, EV_BROKEN);
	return fire(l, EV_OPEN);
}

static int on_bytes(struct line *l)
{
	ssize_t n = recv(l->fd, l->reply + l->got, sizeof(l->reply) - l->got, MSG_DONTWAIT);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0 || l->state == IDLE)
		return fire(l, EV_BROKEN);
	l->got += (size_t)n;
	r = rpcping_check(l->reply, l->got, l->xid);
	if (r > 0)
		return fire(l, EV_ANSWER);
	return r < 0 || l->got == sizeof(l->reply) ? fire(l, EV_BROKEN) : 0;
}

static int line_io(struct line *l)
{
	return l->state == CONNECTING ? on_connecting(l) : on_bytes(l);
}

/* Where this process was held up, the answer may have been here in time. */
static int line_due(struct line *l)
{
	uint8_t before = l->state;
	int r = l->state == CALLING || l->state == AGAIN ? on_bytes(l) : 0;

	return r < 0 || l->state != before ? r : fire(l, EV_DUE);
}

static struct line *line_free(struct line *l)
{
	fd_close(l->fd);
	free(l);
	return NULL;
}

/* ---- questions ----------------------------------------------------------------------------- */

static struct line *line_find(
	const struct pinger *p, const struct sockaddr_storage *to, socklen_t size)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->lines[i]->to_size == size && memcmp(&p->lines[i]->to, to, size) == 0)
			return p->lines[i];
	return NULL;
}

static int line_make(
	struct pinger *p, const struct sockaddr_storage *to, socklen_t size, struct line **ret)
{
	struct line *l;

	*ret = line_find(p, to, size);
	if (*ret)
		return 0;
	if (p->n == PINGER_SERVERS_MAX)
		return -ENFILE;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	*l = (struct line){.p = p, .to = *to, .to_size = size, .fd = -1};
	p->lines[p->n++] = l;
	*ret = l;
	return 0;
}

static int line_ask(struct line *l, uint32_t request, uint64_t hang_ns)
{
	int r = l->asked ? reply(l->p, l->request, -ECANCELED, 0) : 0;
	bool running = l->asked;

	l->asked = true;
	l->request = request;
	l->hang_ns = hang_ns;
	return r < 0 || running ? r : fire(l, EV_ASKED);
}

static int ask(struct pinger *p, const struct frame_header *h, const char *body)
{
	struct unpack u = {.p = body, .end = body + h->size};
	const char *address = unpack_str(&u);
	uint64_t port = unpack_u64(&u), hang_ns = unpack_u64(&u);
	struct sockaddr_storage to = {0};
	socklen_t size = 0;
	struct line *l;
	int r = -EPROTO;

	if (h->kind == PINGER_CALL && unpack_done(&u) && address && port > 0 && port <= UINT16_MAX)
		r = rpcping_address(address, (uint16_t)port, &to, &size);
	if (r >= 0)
		r = line_make(p, &to, size, &l);
	return r < 0 ? reply(p, h->id, r, 0) : line_ask(l, h->id, hang_ns);
}

static int take_questions(struct pinger *p)
{
	struct frame_header h;
	const char *body;
	int r;

	while ((r = worker_child_next(&p->child, &h, &body)) > 0) {
		r = ask(p, &h, body);
		if (r < 0)
			return r;
	}
	return r;
}

/* ---- the loop ------------------------------------------------------------------------------ */

/* What is due by the clock; ms until the next, -1 for never. */
static int lines_time(struct pinger *p)
{
	uint64_t now = clock_now(), next = UINT64_MAX;

	for (size_t i = 0; i < p->n; i++) {
		struct line *l = p->lines[i];
		int r = l->asked && l->until <= now ? line_due(l) : 0;

		if (r < 0)
			return r;
		if (!l->asked && l->until <= now) {
			line_free(l);
			p->lines[i--] = p->lines[--p->n];
			continue;
		}
		next = l->until < next ? l->until : next;
	}
	if (next == UINT64_MAX)
		return INT_MAX;
	return next <= now ? 0 : (int)((next - now) / NSEC_PER_MSEC) + 1;
}

static int turn(struct pinger *p)
{
	struct pollfd fds[1 + PINGER_SERVERS_MAX];
	int r = take_questions(p), timeout = r < 0 ? r : lines_time(p);
	size_t n = p->n;

	if (timeout < 0)
		return timeout;
	fds[0] = (struct pollfd){.fd = p->child.fd, .events = worker_child_events(&p->child)};
	for (size_t i = 0; i < n; i++)
		fds[1 + i] = (struct pollfd){.fd = p->lines[i]->fd,
			.events = p->lines[i]->state == CONNECTING ? POLLOUT : POLLIN};
	if (poll(fds, 1 + n, timeout) < 0)
		return errno == EINTR ? 0 : -errno;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = fds[1 + i].revents ? line_io(p->lines[i]) : 0;
	return r < 0 ? r : worker_child_io(&p->child, fds[0].revents);
}

int pinger_run(int fd)
{
	struct pinger p = {.n = 0};
	const char *init;
	size_t size;
	int r = worker_child_init(&p.child, fd);

	if (r >= 0)
		r = worker_child_wait_init(&p.child, &init, &size);
	if (r >= 0)
		r = worker_child_reply(&p.child, 0, 0, 0, NULL, 0);
	while (r >= 0)
		r = turn(&p);
	for (size_t i = 0; i < p.n; i++)
		line_free(p.lines[i]);
	worker_child_done(&p.child);
	return r == -ECONNRESET ? 0 : r;
}
