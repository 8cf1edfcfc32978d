/* SPDX-License-Identifier: Apache-2.0 */
/* fakeapi.c: a scripted HTTP server in the test's own loop */
#include "fakeapi.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/parse.h"

#define ANSWERS_MAX 256
#define REQUESTS_MAX 1024

struct connection {
	struct list link;
	struct fakeapi *f;
	struct io *io;
	struct buf in;
	int fd;
	unsigned number;
};

struct fakeapi {
	struct loop *loop;
	struct io *io;
	int fd;
	char url[64];
	struct list connections;
	unsigned n_connections, n_answers, n_requests, unexpected;
	struct connection *stream;
	struct fake_answer answers[ANSWERS_MAX];
	bool used[ANSWERS_MAX];
	struct fake_request *requests;
};

static void connection_close(struct connection *c, bool reset)
{
	const struct linger now = {.l_onoff = 1, .l_linger = 0};

	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	if (c->f->stream == c)
		c->f->stream = NULL;
	io_free(c->io);
	close(c->fd);
	list_remove(&c->link);
	buf_done(&c->in);
	free(c);
}

static void put(struct connection *c, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(c->fd, data, n, MSG_NOSIGNAL);
		struct pollfd p = {.fd = c->fd, .events = POLLOUT};

		if (sent < 0 && errno == EAGAIN) {
			/* The reader is in this very loop: what does not fit now never will. */
			if (poll(&p, 1, 100) != 1)
				return;
			continue;
		}
		if (sent < 0)
			return;
		data += sent;
		n -= (size_t)sent;
	}
}

static void put_chunk(struct connection *c, const char *data, size_t n)
{
	char head[32];

	if (n == 0)
		return;
	put(c, head, (size_t)snprintf(head, sizeof(head), "%zx\r\n", n));
	put(c, data, n);
	put(c, "\r\n", 2);
}

static void finish(struct connection *c, enum fake_how how)
{
	switch (how) {
	case FAKE_ENDED:
		put(c, "0\r\n\r\n", 5);
		if (c->f->stream == c)
			c->f->stream = NULL;
		return;
	case FAKE_STREAM:
		c->f->stream = c;
		return;
	case FAKE_CUT:
	case FAKE_DROP:
		connection_close(c, false);
		return;
	case FAKE_RESET:
	case FAKE_RST:
		connection_close(c, true);
		return;
	case FAKE_WHOLE:
	case FAKE_SILENT:
		return;
	}
}

static void answer(struct connection *c, const struct fake_answer *a)
{
	const char *body = a->body ? a->body : "";
	const char *extra = a->headers ? a->headers : "";
	char head[1024];
	int n;

	if (a->how == FAKE_DROP || a->how == FAKE_RST || a->how == FAKE_SILENT) {
		finish(c, a->how);
		return;
	}
	if (a->how == FAKE_WHOLE)
		n = snprintf(head, sizeof(head),
			"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%s"
			"Content-Length: %zu\r\n\r\n",
			a->status ? a->status : 200, extra, strlen(body));
	else
		n = snprintf(head, sizeof(head),
			"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%s"
			"Transfer-Encoding: chunked\r\n\r\n",
			a->status ? a->status : 200, extra);
	put(c, head, (size_t)n);
	if (a->how == FAKE_WHOLE) {
		put(c, body, strlen(body));
		return;
	}
	put_chunk(c, body, strlen(body));
	finish(c, a->how);
}

static const struct fake_answer *choose(struct fakeapi *f, const char *line)
{
	static const struct fake_answer none = {
		.status = 500, .body = "{\"kind\":\"Status\",\"message\":\"not in the script\"}"};

	for (unsigned i = 0; i < f->n_answers; i++) {
		if (f->used[i] || !strstr(line, f->answers[i].match))
			continue;
		f->used[i] = !f->answers[i].repeat;
		return &f->answers[i];
	}
	f->unexpected++;
	return &none;
}

static void copy_cut(char *dst, size_t size, const char *src, size_t n)
{
	if (n >= size)
		n = size - 1;
	memcpy(dst, src, n);
	dst[n] = '\0';
}

/* Takes one whole request off the input; false where it is not there yet. */
static bool take_request(struct connection *c, struct fake_request *q)
{
	const char *end = c->in.data ? strstr(c->in.data, "\r\n\r\n") : NULL;
	const char *version, *length;
	size_t head, body = 0;

	if (!end)
		return false;
	head = (size_t)(end - c->in.data) + 4;
	length = strcasestr(c->in.data, "\r\nContent-Length:");
	if (length && length < end)
		body = strtoul(length + 17, NULL, 10);
	if (c->in.len < head + body)
		return false;
	version = strstr(c->in.data, " HTTP/1.1\r\n");
	copy_cut(
		q->line, sizeof(q->line), c->in.data, version ? (size_t)(version - c->in.data) : 0);
	copy_cut(q->head, sizeof(q->head), c->in.data, head);
	copy_cut(q->body, sizeof(q->body), c->in.data + head, body);
	q->connection = c->number;
	buf_consume(&c->in, head + body);
	return true;
}

static void on_input(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct connection *c = userdata;
	struct fakeapi *f = c->f;
	struct fake_request q;
	char data[16384];
	ssize_t n = read(fd, data, sizeof(data));

	(void)io;
	(void)revents;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || buf_append(&c->in, data, (size_t)n) < 0) {
		connection_close(c, false);
		return;
	}
	/* One request at a time: curl does not pipeline, and an answer may end the connection. */
	if (!take_request(c, &q) || f->n_requests == REQUESTS_MAX)
		return;
	f->requests[f->n_requests++] = q;
	answer(c, choose(f, q.line));
}

static void on_connect(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct fakeapi *f = userdata;
	struct connection *c = calloc(1, sizeof(*c));
	const int on = 1;

	(void)io;
	(void)revents;
	if (!c)
		abort();
	c->f = f;
	c->number = ++f->n_connections;
	c->in = BUF_NULL(1U << 20);
	c->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (c->fd < 0 || io_new(&c->io, f->loop, c->fd, EPOLLIN, on_input, c) < 0)
		abort();
	list_append(&f->connections, &c->link);
}

struct fakeapi *fakeapi_new(struct loop *l)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(a);
	struct fakeapi *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	f->loop = l;
	f->requests = calloc(REQUESTS_MAX, sizeof(*f->requests));
	list_init(&f->connections);
	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (!f->requests || f->fd < 0 || bind(f->fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
		listen(f->fd, 64) < 0 || getsockname(f->fd, (struct sockaddr *)&a, &size) < 0 ||
		io_new(&f->io, l, f->fd, EPOLLIN, on_connect, f) < 0)
		abort();
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", ntohs(a.sin_port));
	return f;
}

void fakeapi_refuse(struct fakeapi *f)
{
	f->io = io_free(f->io);
	f->fd = fd_close(f->fd);
}

void fakeapi_free(struct fakeapi *f)
{
	LIST_FOREACH (&f->connections, it)
		connection_close(LIST_ENTRY(it, struct connection, link), false);
	fakeapi_refuse(f);
	free(f->requests);
	free(f);
}

const char *fakeapi_url(const struct fakeapi *f)
{
	return f->url;
}

void fakeapi_answer(struct fakeapi *f, const struct fake_answer *a)
{
	if (f->n_answers == ANSWERS_MAX)
		abort();
	f->answers[f->n_answers++] = *a;
}

unsigned fakeapi_requests(const struct fakeapi *f)
{
	return f->n_requests;
}

const struct fake_request *fakeapi_request(const struct fakeapi *f, unsigned i)
{
	if (i >= f->n_requests)
		abort();
	return &f->requests[i];
}

unsigned fakeapi_count(const struct fakeapi *f, const char *match)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->n_requests; i++)
		n += strstr(f->requests[i].line, match) != NULL;
	return n;
}

unsigned fakeapi_unexpected(const struct fakeapi *f)
{
	return f->unexpected;
}

unsigned fakeapi_connections(const struct fakeapi *f)
{
	return f->n_connections;
}

void fakeapi_push(struct fakeapi *f, const char *data, size_t n)
{
	if (!f->stream)
		abort();
	put_chunk(f->stream, data, n);
}

void fakeapi_end(struct fakeapi *f, enum fake_how how)
{
	if (!f->stream)
		abort();
	finish(f->stream, how);
}

struct waiter {
	struct loop *loop;
	bool (*done)(void *userdata);
	void *userdata;
	uint64_t until;
	bool result;
};

static void on_look(struct timer *t, void *userdata)
{
	struct waiter *w = userdata;

	w->result = w->done && w->done(w->userdata);
	if (w->result || clock_now() >= w->until)
		loop_exit(w->loop, 0);
	else
		timer_arm(t, MILLISECONDS(1));
}

bool fake_run(struct loop *l, bool (*done)(void *userdata), void *userdata, unsigned ms)
{
	struct waiter w = {l, done, userdata, clock_now() + MILLISECONDS(ms), false};
	struct timer *t;

	if (timer_new_exact(&t, l, on_look, &w) < 0)
		abort();
	timer_arm(t, 0);
	if (loop_run(l) < 0)
		abort();
	timer_free(t);
	return w.result;
}

void fake_pass(struct loop *l, unsigned ms)
{
	fake_run(l, NULL, NULL, ms);
}
