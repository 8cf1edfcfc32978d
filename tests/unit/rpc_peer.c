/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_peer.c: an HTTP/2 client that sends whatever bytes a test wants, and a server to send them to
 */
#include "tests/unit/rpc_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#define GIVE_UP_SECONDS 10

/* ---- bytes ----------------------------------------------------------------------------------- */

void put_frame(struct buf *b, uint8_t type, uint8_t flags, uint32_t id, const void *data, size_t n)
{
	const uint8_t head[9] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, type, flags,
		(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};

	assert_int_equal(buf_append(b, head, sizeof(head)), 0);
	if (n > 0)
		assert_int_equal(buf_append(b, data, n), 0);
}

void put_preface(struct buf *b)
{
	assert_int_equal(buf_puts(b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0);
	put_frame(b, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

static void put_text(struct buf *b, const char *s)
{
	size_t n = strlen(s);
	uint8_t bytes[4] = {(uint8_t)n};
	size_t used = 1;

	if (n >= 127) { /* HPACK's integers with a prefix of 7 bits */
		size_t rest = n - 127;

		bytes[0] = 127;
		while (rest >= 128) {
			bytes[used++] = (uint8_t)(rest % 128 + 128);
			rest /= 128;
		}
		bytes[used++] = (uint8_t)rest;
	}
	assert_int_equal(buf_append(b, bytes, used), 0);
	assert_int_equal(buf_append(b, s, n), 0);
}

void put_headers(struct buf *b, uint32_t id, uint8_t flags, const char *const *fields)
{
	struct buf block = BUF_NULL(1U << 20);

	for (; *fields; fields += 2) {
		assert_int_equal(buf_append(&block, "\0", 1), 0);
		put_text(&block, fields[0]);
		put_text(&block, fields[1]);
	}
	put_frame(b, NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, id, block.data, block.len);
	buf_done(&block);
}

void put_message(struct buf *b, uint32_t id, uint8_t flags, const void *message, size_t size)
{
	struct buf framed = BUF_NULL(16384);
	const uint8_t prefix[5] = {0, (uint8_t)(size >> 24), (uint8_t)(size >> 16),
		(uint8_t)(size >> 8), (uint8_t)size};

	assert_int_equal(buf_append(&framed, prefix, sizeof(prefix)), 0);
	if (size > 0)
		assert_int_equal(buf_append(&framed, message, size), 0);
	put_frame(b, NGHTTP2_DATA, flags, id, framed.data, framed.len);
	buf_done(&framed);
}

void put_call(struct buf *b, uint32_t id, const char *path, const char *timeout, const char *text)
{
	const char *const fields[] = {":method", "POST", ":scheme", "http", ":path", path,
		":authority", "localhost", "content-type", "application/grpc", "user-agent",
		"grpc-go/1.72.1", "te", "trailers", timeout ? "grpc-timeout" : NULL, timeout, NULL};

	put_headers(b, id, 0, fields);
	put_message(b, id, NGHTTP2_FLAG_END_STREAM, text, strlen(text));
}

int peer_send(struct peer *p, const struct buf *b)
{
	size_t sent = 0;

	while (sent < b->len) {
		ssize_t n = send(p->fd, b->data + sent, b->len - sent, MSG_NOSIGNAL);

		if (n < 0)
			return -errno;
		sent += (size_t)n;
	}
	return 0;
}

/* ---- what the server says -------------------------------------------------------------------- */

struct peer_stream *peer_stream(struct peer *p, uint32_t id)
{
	assert_true(id / 2 < PEER_STREAMS);
	return &p->streams[id / 2];
}

static void take_field(struct peer_stream *s, const nghttp2_nv *nv)
{
	const char *name = (const char *)nv->name, *value = (const char *)nv->value;

	if (streq(name, ":status"))
		s->http = (unsigned)strtoul(value, NULL, 10);
	else if (streq(name, "grpc-status"))
		s->code = (int)strtol(value, NULL, 10);
	else if (streq(name, "grpc-message"))
		(void)str_copy_cut(s->text, sizeof(s->text), value);
	else if (streq(name, "content-type"))
		assert_string_equal(value, "application/grpc");
}

static void take_headers(struct peer *p, uint32_t id, const uint8_t *data, size_t n)
{
	struct peer_stream *s = peer_stream(p, id);
	nghttp2_nv nv;
	int flags = 0;

	s->headers++;
	while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
		ssize_t used = nghttp2_hd_inflate_hd2(p->inflater, &nv, &flags, data, n, 1);

		assert_true(used >= 0);
		data += used;
		n -= (size_t)used;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			take_field(s, &nv);
	}
	nghttp2_hd_inflate_end_headers(p->inflater);
}

static uint32_t read32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void take_frame(struct peer *p, const uint8_t *f, size_t n)
{
	uint8_t type = f[3], flags = f[4];
	uint32_t id = read32(f + 5);
	const uint8_t *data = f + 9;

	if (type == NGHTTP2_SETTINGS) {
		p->settings += !(flags & NGHTTP2_FLAG_ACK);
		p->acks += flags & NGHTTP2_FLAG_ACK;
	} else if (type == NGHTTP2_PING) {
		p->pings++;
	} else if (type == NGHTTP2_GOAWAY) {
		p->last_id = (int32_t)read32(data);
		p->goaway = (int)read32(data + 4);
	} else if (type == NGHTTP2_WINDOW_UPDATE) {
		p->credit[id != 0] += read32(data);
	} else if (type == NGHTTP2_RST_STREAM) {
		peer_stream(p, id)->reset = (int)read32(data);
	} else if (type == NGHTTP2_HEADERS) {
		assert_true(flags & NGHTTP2_FLAG_END_HEADERS);
		take_headers(p, id, data, n - 9);
	} else if (type == NGHTTP2_DATA) {
		assert_int_equal(buf_append(&peer_stream(p, id)->data, data, n - 9), 0);
	}
	if ((type == NGHTTP2_HEADERS || type == NGHTTP2_DATA) && flags & NGHTTP2_FLAG_END_STREAM)
		peer_stream(p, id)->ended = true;
}

static void take_frames(struct peer *p)
{
	while (p->in.len >= 9) {
		const uint8_t *f = (const uint8_t *)p->in.data;
		size_t n = 9 + ((size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2]);

		if (p->in.len < n)
			return;
		take_frame(p, f, n);
		buf_consume(&p->in, n);
	}
}

static void on_peer(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct peer *p = userdata;
	char chunk[4096];
	ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	(void)revents;
	if (n > 0) {
		assert_int_equal(buf_append(&p->in, chunk, (size_t)n), 0);
		take_frames(p);
	} else if (n == 0 || errno != EAGAIN) {
		p->closed = true;
		io_set_events(io, 0);
	}
}

static void open_peer(struct rpc_world *w, struct peer *p, int fd)
{
	int size = 4 << 20;

	*p = (struct peer){
		.fd = fd, .in = BUF_NULL(8U << 20), .goaway = -1, .credit = {65535, 65535}};
	for (size_t i = 0; i < PEER_STREAMS; i++) {
		p->streams[i].code = p->streams[i].reset = -1;
		p->streams[i].data = BUF_NULL(8U << 20);
	}
	assert_int_equal(nghttp2_hd_inflate_new(&p->inflater), 0);
	(void)setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	assert_int_equal(fd_set_nonblock(p->fd, true), 0);
	assert_int_equal(io_new(&p->io, w->loop, p->fd, EPOLLIN, on_peer, p), 0);
}

void rpc_world_connect(struct rpc_world *w, struct peer *p)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	open_peer(w, p, pair[1]);
	assert_int_equal(rpc_server_adopt(w->server, pair[0]), 0);
}

/* In the abstract namespace: nothing to remove. */
static socklen_t address(struct sockaddr_un *sa)
{
	int n;

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(sa->sun_path + 1, sizeof(sa->sun_path) - 1, "berth-rpc-%d", getpid());
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

void rpc_world_dial(struct rpc_world *w, struct peer *p)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa;
	socklen_t size = address(&sa);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, size), 0);
	open_peer(w, p, fd);
}

void peer_done(struct peer *p)
{
	if (!p->inflater)
		return;
	io_free(p->io);
	fd_close(p->fd);
	buf_done(&p->in);
	for (size_t i = 0; i < PEER_STREAMS; i++)
		buf_done(&p->streams[i].data);
	nghttp2_hd_inflate_del(p->inflater);
	p->inflater = NULL;
}

/* ---- the server ------------------------------------------------------------------------------ */

static void on_echo(struct rpc_call *call, const void *message, size_t size, void *userdata)
{
	struct rpc_world *w = userdata;

	w->started++;
	w->last_deadline = rpc_call_deadline(call);
	w->last_uid = rpc_call_uid(call);
	rpc_answer(call, message, size);
}

static void on_fail(struct rpc_call *call, const void *message, size_t size, void *userdata)
{
	(void)userdata;
	rpc_fail(call, RPC_ABORTED, "%.*s", (int)size, (const char *)message);
}

static void on_cancel(struct rpc_call *call, void *userdata)
{
	struct rpc_world *w = userdata;

	assert_true(rpc_call_cancelled(call));
	w->cancelled++;
}

static void on_hold(struct rpc_call *call, const void *message, size_t size, void *userdata)
{
	struct rpc_world *w = userdata;

	(void)message;
	(void)size;
	assert_true(w->n_held < ELEMENTSOF(w->held));
	w->started++;
	w->held[w->n_held++] = call;
	rpc_call_on_cancel(call, on_cancel, w);
}

static void on_free(struct rpc_call *call, const void *message, size_t size, void *userdata)
{
	struct rpc_world *w = userdata;

	w->server = rpc_server_free(w->server);
	w->started++;
	rpc_answer(call, message, size);
}

static const struct rpc_method methods[] = {
	{"/t.T/Echo", on_echo},
	{"/t.T/Fail", on_fail},
	{"/t.T/Hold", on_hold},
	{"/t.T/Free", on_free},
};

static void on_observe(const char *path, enum rpc_code code, uint64_t ns, void *userdata)
{
	struct rpc_world *w = userdata;

	(void)path;
	assert_true(ns < SECONDS(3600));
	w->observed++;
	w->last_code = code;
}

static void on_tick(struct timer *t, void *userdata)
{
	struct rpc_world *w = userdata;

	w->ticks++;
	if (w->until && w->until(w))
		loop_exit(w->loop, 1);
	else if (clock_now() > w->give_up && w->ticks > w->ticks_min)
		loop_exit(w->loop, 0);
	else
		timer_arm(t, MILLISECONDS(1));
}

static void start(struct rpc_world *w, int fd, unsigned connections_max)
{
	const uid_t uid = getuid();
	const struct rpc_server_options o = {.fd = fd,
		.uids = &uid,
		.n_uids = 1,
		.methods = methods,
		.n_methods = ELEMENTSOF(methods),
		.connections_max = connections_max,
		.observe = on_observe};

	assert_int_equal(rpc_server_new(&w->server, w->loop, &o, w, NULL), 0);
}

void rpc_world_init(struct rpc_world *w)
{
	*w = (struct rpc_world){.last_code = _RPC_CODE_MAX};
	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(timer_new_exact(&w->tick, w->loop, on_tick, w), 0);
	start(w, -1, 0);
}

void rpc_world_listen(struct rpc_world *w, unsigned connections_max)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa;
	socklen_t size = address(&sa);

	peer_done(&w->peer);
	w->server = rpc_server_free(w->server);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, size), 0);
	assert_int_equal(listen(fd, 64), 0);
	start(w, fd, connections_max);
}

void rpc_world_done(struct rpc_world *w)
{
	rpc_server_free(w->server);
	for (unsigned i = 0; i < w->n_held; i++)
		if (w->held[i])
			rpc_fail(w->held[i], RPC_UNAVAILABLE, "the end");
	peer_done(&w->peer);
	timer_free(w->tick);
	loop_free(w->loop);
}

bool rpc_world_run(struct rpc_world *w, bool (*fn)(struct rpc_world *w))
{
	w->until = fn;
	w->ticks = w->ticks_min = 0;
	w->give_up = clock_now() + SECONDS(GIVE_UP_SECONDS);
	timer_arm(w->tick, 0);
	return loop_run(w->loop) == 1;
}

void rpc_world_turns(struct rpc_world *w, unsigned ms)
{
	w->until = NULL;
	w->ticks = 0;
	w->ticks_min = ms;
	w->give_up = clock_now() + MILLISECONDS(ms);
	timer_arm(w->tick, 0);
	(void)loop_run(w->loop);
}
