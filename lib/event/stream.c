/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c: a buffered byte stream over a connected socket */
#include "event/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"

/* Asked of one recv() at most; with the terminating byte a power of two. */
#define READ_CHUNK 65535
/* Chunks read from a peer that takes nothing more, before it is given up. */
#define LAST_READS 64
/* Memory an idle stream may keep for each direction. */
#define IDLE_KEEP 4096
/* Asked of the first recv(): short messages need no more memory than is kept. */
#define READ_LITTLE (IDLE_KEEP - 1)

struct stream {
	int fd;
	struct io *io;
	struct defer *flush;
	struct buf in;
	struct buf out;
	size_t chunk; /* asked of the next recv() */
	size_t sent;  /* of out, not yet consumed */
	bool stopped; /* by the owner */
	bool blocked; /* the kernel's buffer is full: waiting for EPOLLOUT */
	bool ended;   /* closed() was called */
	bool *gone;   /* set by stream_free() under a callback */
	struct stream_handler handler;
	void *userdata;
};

/* Returns -1: s may be gone. */
static int stream_end(struct stream *s, int reason)
{
	s->ended = true;
	io_set_events(s->io, 0);
	s->handler.closed(s, reason, s->userdata);
	return -1;
}

static void stream_update_events(struct stream *s)
{
	uint32_t events = (s->stopped ? 0 : EPOLLIN) | (s->blocked ? EPOLLOUT : 0);

	if (!s->ended)
		io_set_events(s->io, events);
}

static void buf_keep_little(struct buf *b)
{
	if (b->len == 0 && b->cap > IDLE_KEEP)
		buf_done(b);
}

/* Who fills what was asked for has more to say. */
static void stream_learn(struct stream *s, size_t n)
{
	if (n < READ_LITTLE)
		s->chunk = READ_LITTLE;
	else if (n >= s->chunk && s->chunk < READ_CHUNK)
		s->chunk = 4 * s->chunk + 3;
}

/*
 * One recv(): other sources get their turn between two. 1 where bytes came, 0 where there were
 * none, -1 where s is gone or has ended.
 */
static int stream_receive(struct stream *s)
{
	size_t room = s->in.max - s->in.len, want = room < s->chunk ? room : s->chunk;
	bool gone = false;
	ssize_t n;
	char *p;
	int r;

	if (want == 0)
		return stream_end(s, -ENOBUFS);
	p = buf_reserve(&s->in, want, &r);
	if (!p)
		return stream_end(s, r);
	do
		n = recv(s->fd, p, want, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return stream_end(s, n < 0 ? -errno : 0);
	buf_commit(&s->in, (size_t)n);
	stream_learn(s, (size_t)n);
	s->gone = &gone;
	s->handler.read(s, &s->in, s->userdata);
	if (gone)
		return -1;
	s->gone = NULL;
	buf_keep_little(&s->in);
	return 1;
}

/* The peer takes nothing more, but what it said before it went still counts. */
static void stream_break(struct stream *s, int reason)
{
	int r = 1;

	for (int i = 0; r > 0 && i < LAST_READS && !s->stopped; i++)
		r = stream_receive(s);
	if (r >= 0)
		stream_end(s, reason);
}

/* What the kernel takes: 0 where that is all, -EAGAIN, -errno. */
static int stream_send_now(struct stream *s)
{
	while (s->sent < s->out.len) {
		ssize_t n = send(s->fd, s->out.data + s->sent, s->out.len - s->sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0)
			s->sent += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* May end in a callback: nothing of s is touched after. */
static void stream_flush(struct stream *s)
{
	int r = stream_send_now(s);

	if (r == -EAGAIN) {
		buf_consume(&s->out, s->sent);
		s->sent = 0;
		s->blocked = true;
		stream_update_events(s);
		return;
	}
	if (r < 0) {
		stream_break(s, r);
		return;
	}
	buf_reset(&s->out);
	buf_keep_little(&s->out);
	s->sent = 0;
	if (s->blocked) {
		s->blocked = false;
		stream_update_events(s);
	}
	if (s->handler.drained)
		s->handler.drained(s, s->userdata);
}

static void on_flush(struct defer *d, void *userdata)
{
	struct stream *s = userdata;

	(void)d;
	if (!s->ended && !s->blocked && s->sent < s->out.len)
		stream_flush(s);
}

static void on_io(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct stream *s = userdata;

	(void)io;
	(void)fd;
	if (!s->stopped && revents & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		if (stream_receive(s) < 0)
			return;
	if (s->blocked && revents & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		stream_flush(s);
}

int stream_new(struct stream **ret, struct loop *l, int fd, const struct stream_options *o,
	const struct stream_handler *h, void *userdata)
{
	_cleanup_(stream_freep) struct stream *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->fd = -1;
	s->chunk = READ_LITTLE;
	s->in = BUF_NULL(o->in_max);
	s->out = BUF_NULL(o->out_max);
	s->handler = *h;
	s->userdata = userdata;
	r = fd_set_nonblock(fd, true);
	if (r < 0)
		return r;
	r = defer_new(&s->flush, l, on_flush, s);
	if (r < 0)
		return r;
	r = io_new(&s->io, l, fd, EPOLLIN, on_io, s);
	if (r < 0)
		return r;
	s->fd = fd;
	*ret = TAKE_PTR(s);
	return 0;
}

struct stream *stream_free(struct stream *s)
{
	if (!s)
		return NULL;
	if (s->gone)
		*s->gone = true;
	/* The source before its descriptor: epoll forgets a closed one, and its number comes back
	 * (libraries.md 1). */
	io_free(s->io);
	defer_free(s->flush);
	fd_close(s->fd);
	buf_done(&s->in);
	buf_done(&s->out);
	free(s);
	return NULL;
}

int stream_write(struct stream *s, const void *data, size_t n)
{
	int r;

	if (s->ended)
		return -ENOTCONN;
	if (n > s->out.max - (s->out.len - s->sent))
		return -ENOBUFS;
	r = buf_append(stream_out(s), data, n);
	if (r < 0)
		return r;
	stream_send(s);
	return 0;
}

struct buf *stream_out(struct stream *s)
{
	buf_consume(&s->out, s->sent);
	s->sent = 0;
	return &s->out;
}

void stream_send(struct stream *s)
{
	if (!s->ended && s->out.len > s->sent)
		defer_arm(s->flush);
}

void stream_hurry(struct stream *s)
{
	if (!s->ended)
		(void)stream_send_now(s);
}

size_t stream_pending(const struct stream *s)
{
	return s->out.len - s->sent;
}

void stream_stop(struct stream *s)
{
	s->stopped = true;
	stream_update_events(s);
}
