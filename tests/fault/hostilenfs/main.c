/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: hostilenfs, an NFSv3 and MOUNT server that misbehaves as told */
/*
 * Contract
 *   hostilenfs --listen ADDR:PORT [--arm "PROC N EVIL"]… [--trash NAME]
 * One port answers PORTMAP, MOUNT 3 and NFS 3 over TCP: a small tree in memory on which create,
 * write, rename, list and remove work (any path can be mounted), until a rule strikes: the N-th
 * call of PROC (0: every one) gets a reply of the kind EVIL. Prints "ready ADDR:PORT" when it
 * listens (port 0: a free one) and, at TERM, {"calls": n, "struck": n, "foreign": n}: foreign are
 * names asked for that are none, such as "..". --trash: .berth/trash/NAME is there, with files and
 * a directory. Uses no NFS library.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile.h"

#define CONNS_MAX 32

struct conn {
	int fd;
	size_t len;
	uint8_t in[RECORD_MAX];
};
struct server {
	int fd;
	uint16_t port;
	struct conn *conns[CONNS_MAX];
	struct rule rules[RULES_MAX];
	size_t n_rules;
	unsigned long calls, struck;
};

static const char *const evil_names[] = {
	"none",
	"short",
	"wrong-xid",
	"huge",
	"negative",
	"huge-mark",
	"garbage",
	"twice",
	"silence",
	"rst",
	"empty-records",
	"stuck",
	"loop",
	"endless",
	"name-dotdot",
	"name-slash",
	"name-empty",
	"name-long",
	"name-nul",
	"read-only",
};
static volatile sig_atomic_t ended;

static void on_term(int signal)
{
	(void)signal;
	ended = 1;
}

static void usage(FILE *f)
{
	fprintf(f,
		"usage: hostilenfs --listen ADDR:PORT [--arm \"PROC N EVIL\"]... [--trash NAME]\n"
		"PROC is GETATTR, LOOKUP, MKDIR, READDIR, MNT... or any; N 0 means every one; "
		"EVIL is one of\n ");
	for (size_t i = 1; i < sizeof evil_names / sizeof *evil_names; i++)
		fprintf(f, " %s", evil_names[i]);
	fputc('\n', f);
}

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "hostilenfs: %s: %s\n", what, why);
	exit(1);
}

static void arm(struct server *s, const char *text)
{
	struct rule r = {0};
	char evil[32];

	if (s->n_rules == RULES_MAX || sscanf(text, "%15s %lu %31s", r.proc, &r.nth, evil) != 3)
		die(text, "want PROC N EVIL, at most 16");
	for (size_t i = 1; i < sizeof evil_names / sizeof *evil_names; i++)
		if (!strcmp(evil_names[i], evil))
			r.evil = (enum evil)i;
	if (r.evil == EVIL_NONE)
		die(text, "unknown misbehaviour");
	s->rules[s->n_rules++] = r;
}

static enum evil evil_for(struct server *s, const char *proc)
{
	enum evil evil = EVIL_NONE;

	s->calls++;
	for (size_t i = 0; i < s->n_rules; i++) {
		struct rule *r = &s->rules[i];

		if (strcmp(r->proc, "any") && strcmp(r->proc, proc))
			continue;
		r->seen++;
		if (evil == EVIL_NONE && (!r->nth || r->nth == r->seen))
			evil = r->evil;
	}
	s->struck += evil != EVIL_NONE;
	return evil;
}

/* Replies are small and clients read; a peer that does not read 256 KiB loses the connection. */
static bool send_all(int fd, const uint8_t *data, size_t n)
{
	return send(fd, data, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static bool send_record(int fd, struct xdr_out *out, enum evil evil)
{
	static uint8_t record[REPLY_MAX + 4];
	uint32_t mark = htonl(0x80000000U | (uint32_t)out->len);

	if (evil == EVIL_HUGE_MARK)
		mark = htonl(0x7fffffffU);
	memcpy(record, &mark, 4);
	memcpy(record + 4, out->p, out->len);
	return send_all(fd, record, out->len + 4) &&
	       (evil != EVIL_TWICE || send_all(fd, record, out->len + 4));
}

static void spoil(struct xdr_out *out, enum evil evil)
{
	uint32_t length = evil == EVIL_NEGATIVE ? 0xffffffffU : htonl(0x7fffffffU);

	if (evil == EVIL_SHORT)
		out->len = out->len > 28 ? (28 + (out->len - 28) / 2) & ~(size_t)3 : out->len / 2;
	else if (evil == EVIL_WRONG_XID)
		out->p[3] ^= 0x5a;
	else if ((evil == EVIL_HUGE || evil == EVIL_NEGATIVE) && out->last_length)
		memcpy(out->p + out->last_length, &length, 4);
	else if (evil == EVIL_GARBAGE)
		for (size_t i = 24; i < out->len; i++)
			out->p[i] = (uint8_t)(i * 2654435761U >> 13);
}

/* False: the connection ends. */
static bool serve_call(struct server *s, struct conn *c, const uint8_t *call, size_t size)
{
	static uint8_t reply[REPLY_MAX], zeros[4000];
	struct xdr_out out = {.p = reply};
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	enum evil evil = evil_for(s, procedure_name(call, size));

	if (!answer(call, size, s->port, evil, &out))
		return false;
	switch (evil) {
	case EVIL_SILENCE:
		return true;
	case EVIL_RST:
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
		return false;
	case EVIL_EMPTY_RECORD:
		return send_all(c->fd, zeros, sizeof zeros);
	default:
		spoil(&out, evil);
		return send_record(c->fd, &out, evil);
	}
}

/* Calls come in one fragment each: libnfs and kernels send them so. */
static bool conn_read(struct server *s, struct conn *c)
{
	ssize_t n = read(c->fd, c->in + c->len, sizeof c->in - c->len);
	uint32_t mark;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	c->len += (size_t)n;
	while (c->len >= 4) {
		memcpy(&mark, c->in, 4);
		mark = ntohl(mark) & 0x7fffffffU;
		if (mark > sizeof c->in - 4)
			return false;
		if (c->len < mark + 4)
			return true;
		if (!serve_call(s, c, c->in + 4, mark))
			return false;
		c->len -= mark + 4;
		memmove(c->in, c->in + mark + 4, c->len);
	}
	return true;
}

static void open_listener(struct server *s, const char *text)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t size = sizeof sin;
	char host[64];
	int port, one = 1;

	if (sscanf(text, "%63[0-9.]:%d", host, &port) != 2 ||
		inet_pton(AF_INET, host, &sin.sin_addr) != 1)
		die(text, "want an IPv4 ADDR:PORT");
	sin.sin_port = htons((uint16_t)port);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(s->fd, (struct sockaddr *)&sin, size) < 0 || listen(s->fd, 16) < 0 ||
		getsockname(s->fd, (struct sockaddr *)&sin, &size) < 0)
		die(text, strerror(errno));
	s->port = ntohs(sin.sin_port);
	printf("ready %s:%u\n", host, s->port);
	fflush(stdout);
}

static void conn_open(struct server *s)
{
	int size = 2 * REPLY_MAX, fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c;

	for (size_t i = 0; fd >= 0 && i < CONNS_MAX; i++) {
		if (s->conns[i])
			continue;
		c = calloc(1, sizeof *c);
		if (!c)
			break;
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
		c->fd = fd;
		s->conns[i] = c;
		return;
	}
	if (fd >= 0)
		close(fd);
}

static void step(struct server *s)
{
	struct pollfd fds[CONNS_MAX + 1] = {{.fd = s->fd, .events = POLLIN}};

	for (size_t i = 0; i < CONNS_MAX; i++)
		fds[i + 1] =
			(struct pollfd){.fd = s->conns[i] ? s->conns[i]->fd : -1, .events = POLLIN};
	if (poll(fds, CONNS_MAX + 1, -1) < 0)
		return;
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (s->conns[i] && fds[i + 1].revents && !conn_read(s, s->conns[i])) {
			close(s->conns[i]->fd);
			free(s->conns[i]);
			s->conns[i] = NULL;
		}
	if (fds[0].revents)
		conn_open(s);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"listen", 1, NULL, 'l'}, {"arm", 1, NULL, 'a'},
		{"trash", 1, NULL, 't'}, {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
	static struct server s = {.fd = -1};
	struct sigaction sa = {.sa_handler = on_term};

	tree_init();
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	for (int c; (c = getopt_long(argc, argv, "+h", options, NULL)) != -1;) {
		if (c == 'l')
			open_listener(&s, optarg);
		else if (c == 'a')
			arm(&s, optarg);
		else if (c == 't')
			tree_trash(optarg);
		else
			return usage(c == 'h' ? stdout : stderr), c == 'h' ? 0 : 2;
	}
	if (s.fd < 0)
		return usage(stderr), 2;
	while (!ended)
		step(&s);
	printf("{\"calls\": %lu, \"struck\": %lu, \"foreign\": %lu}\n", s.calls, s.struck,
		foreign_names);
	return 0;
}
