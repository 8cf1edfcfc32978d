/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c: relays one connection record by record and strikes where a rule says so */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy.h"

/* One read; also the least that a throttled connection writes at a time. */
#define CHUNK 65536
/* How often a throttled connection is looked at, ms. */
#define SLOW_TICK 10

static bool bytes_reserve(struct bytes *b, size_t more)
{
	size_t want = b->len + more;
	uint8_t *data;

	if (want <= b->cap)
		return true;
	want += want / 2;
	data = realloc(b->data, want);
	if (!data)
		return false;
	b->data = data;
	b->cap = want;
	return true;
}

static bool bytes_add(struct bytes *b, const uint8_t *data, size_t n)
{
	if (!bytes_reserve(b, n))
		return false;
	memcpy(b->data + b->len, data, n);
	b->len += n;
	return true;
}

void conn_cut(struct conn *c, bool rst)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	if (c->dead)
		return;
	if (rst)
		setsockopt(c->up.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	close(c->up.fd);
	close(c->down.fd);
	c->dead = true;
}

void conn_free(struct conn *c)
{
	conn_cut(c, false);
	free(c->up.in.data);
	free(c->up.out.data);
	free(c->down.in.data);
	free(c->down.out.data);
	free(c);
}

static int dial(const struct listener *l)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *ai;
	int fd, one = 1;

	if (getaddrinfo(l->host, l->port, &hints, &ai))
		return -1;
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen) < 0 && errno != EINPROGRESS) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(ai);
	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

static int port_of(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)ss)->sin6_port);
	return ntohs(((const struct sockaddr_in *)(const void *)ss)->sin_port);
}

void conn_accept(struct proxy *p, struct listener *l)
{
	struct sockaddr_storage ss = {0};
	socklen_t size = sizeof ss;
	int one = 1, server,
	    fd = accept4(l->fd, (struct sockaddr *)&ss, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c = NULL;
	size_t slot = 0;

	if (fd < 0)
		return;
	while (slot < CONNS_MAX && p->conns[slot])
		slot++;
	server = p->refuse || slot == CONNS_MAX ? -1 : dial(l);
	if (server >= 0)
		c = calloc(1, sizeof *c);
	if (!c) {
		close(fd);
		if (server >= 0)
			close(server);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->id = ++p->last_id;
	c->client_port = port_of(&ss);
	c->up.fd = fd;
	c->down.fd = server;
	c->started = now_ms();
	p->conns[slot] = c;
}

/* The first complete record in H: its length with the marks, 0 not complete, -1 too long. *BODY is
 * without marks, *ret_size long. */
static ssize_t record(const struct half *h, uint8_t *body, size_t *ret_size)
{
	const uint8_t *d = h->in.data;
	size_t at = 0, size = 0, n;
	uint32_t mark;

	do {
		if (h->in.len - at < 4)
			return 0;
		memcpy(&mark, d + at, 4);
		mark = ntohl(mark);
		n = mark & 0x7fffffffU;
		if (n > RECORD_MAX - size)
			return -1;
		if (h->in.len - at - 4 < n)
			return 0;
		memcpy(body + size, d + at + 4, n);
		size += n;
		at += 4 + n;
	} while (!(mark & 0x80000000U));
	*ret_size = size;
	return (ssize_t)at;
}

static void consume(struct bytes *b, size_t n)
{
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

static void note(struct proxy *p, const struct conn *c, const struct call *call, const char *action)
{
	struct count *count = NULL;

	for (size_t i = 0; i < p->n_counts && !count; i++)
		if (!strcmp(p->counts[i].name, call->name) && p->counts[i].vers == call->vers)
			count = &p->counts[i];
	if (!count && p->n_counts < COUNTS_MAX) {
		count = &p->counts[p->n_counts++];
		*count = (struct count){.name = call->name, .vers = call->vers};
	}
	if (count)
		count->n++;
	if (p->log) {
		fprintf(p->log,
			"{\"ms\": %lld, \"conn\": %u, \"prog\": %u, \"vers\": %u, \"proc\": "
			"\"%s\", \"xid\": %u, "
			"\"mutating\": %s, \"action\": \"%s\"}\n",
			(long long)now_ms(), c->id, call->prog, call->vers, call->name, call->xid,
			call->mutating ? "true" : "false", action);
		fflush(p->log);
	}
}

/* What the rule does before the call is forwarded; true: forward it. */
static bool strike_before(struct conn *c, struct rule *rule)
{
	switch (rule->act) {
	case ACT_CUT_BEFORE:
		conn_cut(c, false);
		return false;
	case ACT_RST:
		conn_cut(c, true);
		return false;
	case ACT_KILL_BEFORE:
		rule_kill(rule, c->client_port);
		conn_cut(c, false);
		return false;
	case ACT_DROP_CALL:
		return false;
	case ACT_DELAY:
		c->hold_until = now_ms() + strtol(rule->arg, NULL, 10);
		return true;
	case ACT_NONE:
	case ACT_CUT_AFTER:
	case ACT_KILL_AFTER:
	case ACT_DROP_REPLY:
		return true;
	}
	return true;
}

static void on_call(struct proxy *p, struct conn *c, const uint8_t *raw, size_t raw_size,
	const uint8_t *body, size_t size)
{
	struct rule *rule = NULL;
	struct call call;

	if (call_parse(body, size, &call)) {
		rule = rule_match(p->rules, p->n_rules, &call);
		note(p, c, &call, rule ? act_name(rule->act) : "");
		if (rule && !strike_before(c, rule))
			return;
		if (rule && rule->act != ACT_DELAY) {
			if (c->n_pending == PENDING_MAX) {
				conn_cut(c, true);
				return;
			}
			c->pending[c->n_pending++] =
				(struct pending){call.xid, rule->act, rule, call.name};
		}
	}
	if (!bytes_add(&c->up.out, raw, raw_size))
		conn_cut(c, true);
}

static void on_reply(
	struct conn *c, const uint8_t *raw, size_t raw_size, const uint8_t *body, size_t size)
{
	uint32_t xid = 0;

	if (size >= 4) {
		memcpy(&xid, body, 4);
		xid = ntohl(xid);
	}
	for (size_t i = 0; i < c->n_pending; i++) {
		struct pending pending = c->pending[i];

		if (pending.xid != xid)
			continue;
		c->pending[i] = c->pending[--c->n_pending];
		if (pending.act == ACT_DROP_REPLY)
			return;
		if (pending.act == ACT_KILL_AFTER)
			rule_kill(pending.rule, c->client_port);
		conn_cut(c, false);
		return;
	}
	if (!bytes_add(&c->down.out, raw, raw_size))
		conn_cut(c, true);
}

static void take_records(struct proxy *p, struct conn *c, struct half *h)
{
	static uint8_t body[RECORD_MAX];
	size_t size;
	ssize_t n;

	while (!c->dead && (n = record(h, body, &size)) != 0) {
		if (n < 0) {
			fprintf(stderr, "rpcproxy: connection %u: record above %u bytes\n", c->id,
				RECORD_MAX);
			conn_cut(c, true);
			return;
		}
		if (h == &c->up)
			on_call(p, c, h->in.data, (size_t)n, body, size);
		else
			on_reply(c, h->in.data, (size_t)n, body, size);
		if (!c->dead)
			consume(&h->in, (size_t)n);
	}
}

static void half_read(struct proxy *p, struct conn *c, struct half *h)
{
	ssize_t n;

	if (!bytes_reserve(&h->in, CHUNK)) {
		conn_cut(c, true);
		return;
	}
	n = read(h->fd, h->in.data + h->in.len, CHUNK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		h->eof = true;
		return;
	}
	h->in.len += (size_t)n;
	take_records(p, c, h);
}

/* Bytes that may be written now, by the limits on bytes. */
static size_t allowance(const struct proxy *p, const struct conn *c, const struct half *h)
{
	uint64_t cut = h == &c->up ? p->cut_up : p->cut_down, n = h->out.len - h->out.off;

	if (cut && n > cut - h->passed)
		n = cut - h->passed;
	if (p->slow) {
		uint64_t due = (uint64_t)(now_ms() - c->started) * p->slow / 1000;

		due = due > h->passed ? due - h->passed : 0;
		n = n < due ? n : due;
	}
	return n;
}

static bool held(const struct conn *c, const struct half *h)
{
	return h == &c->up && c->hold_until > now_ms();
}

static void half_write(struct proxy *p, struct conn *c, struct half *h)
{
	uint64_t *cut = h == &c->up ? &p->cut_up : &p->cut_down;
	int to = h == &c->up ? c->down.fd : c->up.fd;
	size_t n = held(c, h) ? 0 : allowance(p, c, h);
	ssize_t r = n ? send(to, h->out.data + h->out.off, n, MSG_NOSIGNAL) : 0;

	if (r < 0 && errno != EAGAIN && errno != EINTR) {
		conn_cut(c, false);
		return;
	}
	if (r > 0) {
		h->out.off += (size_t)r;
		h->passed += (size_t)r;
	}
	if (h->out.off == h->out.len)
		h->out.off = h->out.len = 0;
	if (*cut && h->passed >= *cut) {
		*cut = 0; /* one connection, once */
		conn_cut(c, false);
	} else if (h->eof && !h->out.len) {
		conn_cut(c, false);
	}
}

void conn_step(struct proxy *p, struct conn *c, short up, short down)
{
	if (up & (POLLIN | POLLHUP | POLLERR))
		half_read(p, c, &c->up);
	if (!c->dead && down & (POLLIN | POLLHUP | POLLERR))
		half_read(p, c, &c->down);
	if (!c->dead)
		half_write(p, c, &c->up);
	if (!c->dead)
		half_write(p, c, &c->down);
}

static void want(struct proxy *p, struct conn *c, struct half *h, struct pollfd *from,
	struct pollfd *to, int *timeout)
{
	int64_t left = c->hold_until - now_ms();

	if (!h->eof && !p->pause && h->out.len < OUT_MAX)
		from->events |= POLLIN;
	if (!h->out.len)
		return;
	if (held(c, h)) {
		if (*timeout < 0 || left < *timeout)
			*timeout = (int)left;
	} else if (p->slow && !allowance(p, c, h)) {
		if (*timeout < 0 || SLOW_TICK < *timeout)
			*timeout = SLOW_TICK;
	} else {
		to->events |= POLLOUT;
	}
}

void conn_events(
	struct proxy *p, struct conn *c, struct pollfd *up, struct pollfd *down, int *timeout)
{
	*up = (struct pollfd){.fd = c->up.fd};
	*down = (struct pollfd){.fd = c->down.fd};
	want(p, c, &c->up, up, down, timeout);
	want(p, c, &c->down, down, up, timeout);
	/* A side that hung up would wake us for ever. */
	if (!up->events)
		up->fd = -1;
	if (!down->events)
		down->fd = -1;
}
