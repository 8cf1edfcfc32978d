/* SPDX-License-Identifier: Apache-2.0 */
/* resolver.c: names of NFS servers to addresses that answer */
#include "agent/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/str.h"
#include "mount/rpcping.h"
#include "worker/child.h"

#define CANDIDATES_MAX 16
/* A name and an address, packed. */
#define REPLY_MAX 1024
/* A server named earlier keeps this lead over the next (RFC 8305 has 250 ms): the list is an order
 * of preference. */
#define LEAD MILLISECONDS(250)
#define NAME_BYTES_MAX 256
#define ADDRESS_BYTES_MAX 80

/* Whichever version: a server that lacks it says so, which is an answer, too. */
#define NFS_VERSION 3

struct candidate {
	char server[NAME_BYTES_MAX];
	char address[ADDRESS_BYTES_MAX];
	struct sockaddr_storage to;
	socklen_t to_size;
	int fd;
	bool sent;
	uint64_t start_at;
	uint64_t end_at;
	uint8_t reply[RPCPING_REPLY_MAX];
	size_t got; /* bytes of it */
	int why;    /* errno; 0: still trying */
};

struct search {
	struct candidate candidates[CANDIDATES_MAX];
	size_t n;
	uint32_t xid;
	char said[ERR_TEXT_MAX]; /* of names that did not resolve */
};

/* ---- names --------------------------------------------------------------------------------- */

static void say(struct search *s, const char *server, const char *why)
{
	size_t n = strlen(s->said);

	if (n < sizeof(s->said) - 1)
		snprintf(s->said + n, sizeof(s->said) - n, "%s%s: %s", n > 0 ? "; " : "", server,
			why);
}

static void candidate_add(struct search *s, const char *server, const struct addrinfo *a)
{
	struct candidate *c = &s->candidates[s->n];

	if (s->n == CANDIDATES_MAX || a->ai_addrlen > sizeof(c->to))
		return;
	*c = (struct candidate){.fd = -1, .to_size = a->ai_addrlen};
	memcpy(&c->to, a->ai_addr, a->ai_addrlen);
	str_copy_cut(c->server, sizeof(c->server), server);
	if (getnameinfo(a->ai_addr, a->ai_addrlen, c->address, sizeof(c->address), NULL, 0,
		    NI_NUMERICHOST) == 0)
		s->n++;
}

static void resolve(struct search *s, const char *server, const char *port)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG};
	struct addrinfo *found = NULL;
	int r = getaddrinfo(server, port, &hints, &found);

	/* Addresses of loopback count for nothing with AI_ADDRCONFIG, even where written out. */
	if (r != 0) {
		const struct addrinfo plain = {
			.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};

		if (getaddrinfo(server, port, &plain, &found) == 0)
			r = 0;
	}
	if (r != 0) {
		say(s, server, r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
		return;
	}
	for (const struct addrinfo *a = found; a; a = a->ai_next)
		candidate_add(s, server, a);
	freeaddrinfo(found);
}

/* "a,b,[::1]" one by one. */
static void resolve_all(struct search *s, const char *servers, const char *port)
{
	char server[NAME_BYTES_MAX];
	unsigned count = 0;

	for (size_t n; count < RESOLVER_SERVERS_MAX; servers += n + 1, count++) {
		size_t skip = servers[0] == '[';

		n = strcspn(servers, ",");
		if (n < sizeof(server) && n > 2 * skip) {
			memcpy(server, servers + skip, n - 2 * skip);
			server[n - 2 * skip] = '\0';
			resolve(s, server, port);
		} else
			say(s, "server", "its name is empty or too long");
		if (servers[n] == '\0')
			return;
	}
}

/* ---- answers ------------------------------------------------------------------------------- */

static void candidate_fail(struct candidate *c, int why)
{
	c->fd = fd_close(c->fd);
	c->why = why;
}

static void candidate_start(struct candidate *c, uint64_t now)
{
	c->end_at = now + RESOLVER_PROBE;
	c->fd = socket(c->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0 ||
		(connect(c->fd, (struct sockaddr *)&c->to, c->to_size) < 0 && errno != EINPROGRESS))
		candidate_fail(c, errno);
}

static void candidate_call(const struct search *s, struct candidate *c)
{
	uint8_t call[RPCPING_CALL_SIZE];
	socklen_t size = sizeof(c->why);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &c->why, &size) < 0 || c->why != 0) {
		candidate_fail(c, c->why != 0 ? c->why : errno);
		return;
	}
	rpcping_call(call, s->xid, RPC_PROGRAM_NFS, NFS_VERSION);
	if (send(c->fd, call, sizeof(call), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(call))
		candidate_fail(c, errno);
	c->sent = true;
}

/* True: it answered. */
static bool candidate_read(const struct search *s, struct candidate *c)
{
	ssize_t n = recv(c->fd, c->reply + c->got, sizeof(c->reply) - c->got, MSG_DONTWAIT);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		candidate_fail(c, n < 0 ? errno : ECONNRESET);
		return false;
	}
	c->got += (size_t)n;
	r = rpcping_check(c->reply, c->got, s->xid);
	if (r < 0)
		candidate_fail(c, EPROTO);
	return r > 0;
}

/* What is due by the clock: starts and ends. */
static uint64_t candidates_time(struct search *s, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < s->n; i++) {
		struct candidate *c = &s->candidates[i];
		uint64_t at;

		if (c->why == 0 && c->fd < 0 && c->start_at <= now)
			candidate_start(c, now);
		if (c->why == 0 && c->fd >= 0 && c->end_at <= now)
			candidate_fail(c, ETIMEDOUT);
		if (c->why != 0)
			continue;
		at = c->fd < 0 ? c->start_at : c->end_at;
		next = at < next ? at : next;
	}
	return next;
}

/* One that failed gives its lead to the others. */
static void lead_shift(struct search *s, uint64_t now)
{
	for (size_t i = 0; i < s->n; i++) {
		struct candidate *c = &s->candidates[i];

		if (c->why == 0 && c->fd < 0) {
			c->start_at = c->start_at < now ? c->start_at : now;
			return;
		}
		if (c->why == 0)
			return;
	}
}

static struct candidate *candidates_io(struct search *s, const struct pollfd *fds)
{
	for (size_t i = 0; i < s->n; i++) {
		struct candidate *c = &s->candidates[i];

		if (c->why != 0 || c->fd < 0 || fds[i].fd != c->fd || fds[i].revents == 0)
			continue;
		if (!c->sent)
			candidate_call(s, c);
		else if (candidate_read(s, c))
			return c;
	}
	return NULL;
}

/* The first that answers, NULL for none. */
static struct candidate *first_answer(struct search *s)
{
	uint64_t now = clock_now(), end = now + RESOLVER_BUDGET, next;
	struct candidate *answered = NULL;

	for (size_t i = 0; i < s->n; i++)
		s->candidates[i].start_at = now + i * LEAD;
	while (!answered && now < end) {
		struct pollfd fds[CANDIDATES_MAX];

		lead_shift(s, now);
		next = candidates_time(s, now);
		if (next == UINT64_MAX)
			break;
		for (size_t i = 0; i < s->n; i++)
			fds[i] = (struct pollfd){.fd = s->candidates[i].fd,
				.events = s->candidates[i].sent ? POLLIN : POLLOUT};
		if (poll(fds, s->n, (int)((next - now) / NSEC_PER_MSEC) + 1) < 0 && errno != EINTR)
			break;
		answered = candidates_io(s, fds);
		now = clock_now();
	}
	for (size_t i = 0; i < s->n; i++)
		s->candidates[i].fd = fd_close(s->candidates[i].fd);
	return answered;
}

/* The reason that the parent's caller is told: the first server's. */
static int why_not(struct search *s, struct err *e)
{
	int code = s->n > 0 ? s->candidates[0].why : EHOSTUNREACH;
	char where[NAME_BYTES_MAX + ADDRESS_BYTES_MAX + 8];

	for (size_t i = 0; i < s->n; i++) {
		const struct candidate *c = &s->candidates[i];

		snprintf(where, sizeof(where), streq(c->server, c->address) ? "%s" : "%s (%s)",
			c->server, c->address);
		say(s, where,
			c->why == ETIMEDOUT ? "the server does not answer"
					    : strerror(c->why ? c->why : ETIMEDOUT));
	}
	return err_set(e, code ? code : ETIMEDOUT, "%s", s->said);
}

/* ---- the process --------------------------------------------------------------------------- */

static int find(const struct frame_header *h, const char *body, struct buf *reply, struct err *e,
	void *userdata)
{
	struct unpack u = {.p = body, .end = body + h->size};
	const char *servers = unpack_str(&u);
	uint64_t port = unpack_u64(&u);
	const struct candidate *c;
	struct search s = {.xid = (uint32_t)random_u64()};
	char service[8];
	int r;

	(void)userdata;
	if (!unpack_done(&u) || !servers || port == 0 || port > UINT16_MAX)
		return err_set(e, EPROTO, "no such question");
	snprintf(service, sizeof(service), "%u", (unsigned)port);
	resolve_all(&s, servers, service);
	c = first_answer(&s);
	if (!c)
		return why_not(&s, e);
	r = pack_str(reply, c->server);
	return r < 0 ? r : pack_str(reply, c->address);
}

int resolver_run(int fd)
{
	return worker_child_serve(fd, REPLY_MAX, find, NULL);
}
