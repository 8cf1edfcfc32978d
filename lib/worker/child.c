/* SPDX-License-Identifier: Apache-2.0 */
/* child.c: the worker's own side of its socket */
#include "worker/child.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Asked of one recv(). */
#define READ_CHUNK 65535
/* The frame that is being received, and others behind it. */
#define IN_MAX (sizeof(struct frame_header) + FRAME_BODY_MAX + READ_CHUNK)
/* Replies the parent has not taken; the largest fits several times. */
#define OUT_MAX (4 * (sizeof(struct frame_header) + FRAME_BODY_MAX))
/* From here on no request is read until the parent took some. */
#define OUT_HIGH (1U << 20)

int worker_child_init(struct worker_child *c, int fd)
{
	*c = (struct worker_child){.fd = fd, .in = BUF_NULL(IN_MAX), .out = BUF_NULL(OUT_MAX)};
	return 0;
}

void worker_child_done(struct worker_child *c)
{
	buf_done(&c->in);
	buf_done(&c->out);
	c->taken = 0;
}

/* What next() has not given out yet. */
static struct buf child_rest(const struct worker_child *c)
{
	return (struct buf){.data = c->in.data + c->taken, .len = c->in.len - c->taken};
}

static int child_peek(struct worker_child *c, struct frame_header *ret_h, const char **ret_body)
{
	struct buf rest;
	int r;

	if (c->in.len == c->taken)
		return 0;
	rest = child_rest(c);
	r = frame_peek(&rest, ret_h, ret_body);
	if (r > 0)
		c->taken += sizeof(*ret_h) + ret_h->size;
	return r;
}

static int child_send(struct worker_child *c)
{
	size_t sent = 0;
	int r = 0;

	while (sent < c->out.len) {
		ssize_t n = send(
			c->fd, c->out.data + sent, c->out.len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			r = -ECONNRESET;
		break;
	}
	buf_consume(&c->out, sent);
	return r;
}

static int child_receive(struct worker_child *c, int flags)
{
	size_t room, want;
	ssize_t n;
	char *p;
	int r;

	buf_consume(&c->in, c->taken);
	c->taken = 0;
	room = c->in.max - c->in.len;
	want = room < READ_CHUNK ? room : READ_CHUNK;
	if (want == 0)
		return 0;
	p = buf_reserve(&c->in, want, &r);
	if (!p)
		return r;
	do
		n = recv(c->fd, p, want, flags);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		buf_commit(&c->in, (size_t)n);
		return 0;
	}
	return n < 0 && errno == EAGAIN ? 0 : -ECONNRESET;
}

short worker_child_events(const struct worker_child *c)
{
	short events = c->out.len > 0 ? POLLOUT : 0;

	if (c->out.len < OUT_HIGH && c->in.len - c->taken < IN_MAX)
		events = (short)(events | POLLIN);
	return events;
}

int worker_child_io(struct worker_child *c, short revents)
{
	int r;

	if (c->out.len > 0 && revents & (POLLOUT | POLLERR | POLLHUP)) {
		r = child_send(c);
		if (r < 0)
			return r;
	}
	return revents & (POLLIN | POLLERR | POLLHUP) ? child_receive(c, MSG_DONTWAIT) : 0;
}

static int child_wait(struct worker_child *c, short events)
{
	struct pollfd p = {.fd = c->fd, .events = events};

	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return p.revents & POLLNVAL ? -EBADF : 0;
}

int worker_child_wait_init(struct worker_child *c, const char **ret_body, size_t *ret_size)
{
	struct frame_header h;
	const char *body;
	int r;

	for (;;) {
		r = child_peek(c, &h, &body);
		if (r != 0)
			break;
		r = child_wait(c, POLLIN);
		if (r < 0)
			return r;
		r = child_receive(c, MSG_DONTWAIT);
		if (r < 0)
			return r;
	}
	if (r < 0 || h.id != 0 || h.kind != 0)
		return -EPROTO;
	*ret_body = body;
	*ret_size = h.size;
	return 0;
}

int worker_child_reply(struct worker_child *c, uint32_t id, uint32_t kind, int result,
	const void *body, size_t size)
{
	struct frame_header h = {.id = id, .kind = kind, .result = result};
	int r;

	if (size > FRAME_BODY_MAX)
		return -EMSGSIZE;
	h.size = (uint32_t)size;
	r = frame_append(&c->out, &h, body);
	if (r != -ENOBUFS)
		return r;
	/* A parent that is alive reads; one that is not is no reason to go on. */
	r = worker_child_flush(c);
	return r < 0 ? r : frame_append(&c->out, &h, body);
}

int worker_child_next(struct worker_child *c, struct frame_header *ret_h, const char **ret_body)
{
	return child_peek(c, ret_h, ret_body);
}

/* Mostly there is room: no question before the first try. */
int worker_child_flush(struct worker_child *c)
{
	int r = c->out.len > 0 ? child_send(c) : 0;

	while (r >= 0 && c->out.len > 0) {
		r = child_wait(c, POLLOUT);
		if (r >= 0)
			r = child_send(c);
	}
	return r;
}

int worker_child_wait(struct worker_child *c)
{
	size_t had = c->in.len - c->taken;
	int r = worker_child_flush(c);

	if (r >= 0)
		r = child_receive(c, 0);
	/* Somebody made the socket non-blocking. */
	return r >= 0 && c->in.len == had ? child_wait(c, POLLIN) : r;
}

struct service {
	struct worker_child child;
	struct buf reply;
	worker_serve_fn fn;
	void *userdata;
};

static int serve_one(struct service *s, const struct frame_header *h, const char *body)
{
	struct err e = ERR_NULL;
	int r;

	buf_reset(&s->reply);
	r = s->fn(h, body, &s->reply, &e, s->userdata);
	if (r < 0)
		r = worker_child_reply(&s->child, h->id, h->kind, r, e.text, strlen(e.text));
	else
		r = worker_child_reply(&s->child, h->id, h->kind, 0, s->reply.data, s->reply.len);
	return r < 0 ? r : worker_child_flush(&s->child);
}

/* 1: the parent has gone. */
static int serve_turn(struct service *s)
{
	struct frame_header h;
	const char *body;
	int r;

	while ((r = worker_child_next(&s->child, &h, &body)) > 0) {
		r = serve_one(s, &h, body);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	return worker_child_wait(&s->child) < 0 ? 1 : 0;
}

int worker_child_serve(int fd, size_t reply_max, worker_serve_fn fn, void *userdata)
{
	struct service s = {.reply = BUF_NULL(reply_max), .fn = fn, .userdata = userdata};
	const char *body;
	size_t size;
	int r = worker_child_init(&s.child, fd);

	if (r >= 0)
		r = worker_child_wait_init(&s.child, &body, &size);
	if (r >= 0)
		r = worker_child_reply(&s.child, 0, 0, 0, NULL, 0);
	while (r == 0)
		r = serve_turn(&s);
	worker_child_done(&s.child);
	buf_done(&s.reply);
	return r < 0 ? r : 0;
}
