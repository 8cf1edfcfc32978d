/* SPDX-License-Identifier: Apache-2.0 */
/* session.c: an nghttp2 session on a connected socket in the loop */
#include "rpc/session.h"

#include <errno.h>
#include <stdlib.h>

/* Asked of one read: a frame of the size that both sides keep to. */
#define IN_MAX 16384
/* Taken out of nghttp2 ahead of the peer. What a slow one does not take stays there, as calls. */
#define OUT_HIGH (64U << 10)
/* One frame of 16 KiB more is the most that comes on top. */
#define OUT_MAX (2 * OUT_HIGH)

/* nghttp2 allocates through us, so that the tests can make it fail. */
static void *on_malloc(size_t size, void *userdata)
{
	(void)userdata;
	return malloc(size);
}

static void on_free(void *p, void *userdata)
{
	(void)userdata;
	free(p);
}

static void *on_calloc(size_t n, size_t size, void *userdata)
{
	(void)userdata;
	return calloc(n, size);
}

static void *on_realloc(void *p, size_t size, void *userdata)
{
	(void)userdata;
	return realloc(p, size);
}

static nghttp2_mem memory = {NULL, on_malloc, on_free, on_calloc, on_realloc};

static int errno_of(int code)
{
	switch (code) {
	case NGHTTP2_ERR_NOMEM:
		return -ENOMEM;
	case NGHTTP2_ERR_CALLBACK_FAILURE:
		return -ECONNABORTED;
	default:
		return -EPROTO;
	}
}

static void rpc_session_end(struct rpc_session *s, int reason)
{
	if (s->is_over)
		return;
	s->is_over = true;
	stream_stop(s->stream);
	s->ended(s, reason, s->userdata);
}

/* Queues what nghttp2 has, as far as the peer takes it. */
static void rpc_session_take(struct rpc_session *s)
{
	while (!s->broken && stream_pending(s->stream) < OUT_HIGH) {
		const uint8_t *data;
		ssize_t n = nghttp2_session_mem_send(s->h2, &data);

		if (n == 0)
			break;
		s->broken = n < 0 ? errno_of((int)n) : stream_write(s->stream, data, (size_t)n);
	}
}

/* May end the session. */
static void rpc_session_pump(struct rpc_session *s)
{
	rpc_session_take(s);
	if (s->broken)
		rpc_session_end(s, s->broken);
	else if (stream_pending(s->stream) == 0 && !nghttp2_session_want_read(s->h2) &&
		 !nghttp2_session_want_write(s->h2))
		rpc_session_end(s, 0);
}

static void on_pump(struct defer *d, void *userdata)
{
	struct rpc_session *s = userdata;

	(void)d;
	if (!s->is_over)
		rpc_session_pump(s);
}

static void on_read(struct stream *stream, struct buf *in, void *userdata)
{
	struct rpc_session *s = userdata;
	ssize_t n;

	(void)stream;
	if (s->is_over || s->broken || s->is_deaf) {
		buf_reset(in);
		return;
	}
	n = nghttp2_session_mem_recv(s->h2, (const uint8_t *)in->data, in->len);
	buf_reset(in);
	if (n < 0 && !s->broken)
		s->broken = errno_of((int)n);
	rpc_session_kick(s);
}

static void on_drained(struct stream *stream, void *userdata)
{
	struct rpc_session *s = userdata;

	(void)stream;
	if (!s->is_over)
		rpc_session_pump(s);
}

static void on_closed(struct stream *stream, int reason, void *userdata)
{
	(void)stream;
	rpc_session_end(userdata, reason);
}

static const struct stream_handler handler = {on_read, on_drained, on_closed};

static int rpc_session_open(struct rpc_session *s, const struct rpc_session_options *o)
{
	int r;

	if (o->is_server)
		r = nghttp2_session_server_new3(
			&s->h2, o->callbacks, o->userdata, o->option, &memory);
	else
		r = nghttp2_session_client_new3(
			&s->h2, o->callbacks, o->userdata, o->option, &memory);
	return r < 0 ? errno_of(r) : 0;
}

int rpc_session_init(
	struct rpc_session *s, struct loop *l, int fd, const struct rpc_session_options *o)
{
	const struct stream_options limits = {.in_max = IN_MAX, .out_max = OUT_MAX};
	int r;

	s->ended = o->ended;
	s->userdata = o->userdata;
	r = rpc_session_open(s, o);
	if (r == 0)
		r = defer_new(&s->pump, l, on_pump, s);
	if (r == 0)
		r = stream_new(&s->stream, l, fd, &limits, &handler, s);
	if (r < 0)
		rpc_session_done(s);
	return r;
}

void rpc_session_done(struct rpc_session *s)
{
	s->is_over = true;
	s->stream = stream_free(s->stream);
	s->pump = defer_free(s->pump);
	nghttp2_session_del(s->h2);
	s->h2 = NULL;
}

void rpc_session_hurry(struct rpc_session *s)
{
	if (!s->stream || s->is_over || s->broken)
		return;
	rpc_session_take(s);
	stream_hurry(s->stream);
}

void rpc_session_kick(struct rpc_session *s)
{
	if (!s->is_over)
		defer_arm(s->pump);
}

void rpc_session_break(struct rpc_session *s, int reason)
{
	if (!s->broken)
		s->broken = reason < 0 ? reason : -ECONNABORTED;
	rpc_session_kick(s);
}

void rpc_session_deafen(struct rpc_session *s)
{
	s->is_deaf = true;
	rpc_session_kick(s);
}
