/* SPDX-License-Identifier: Apache-2.0 */
/* rpcping.c: whether an RPC program answers, with one call and a fixed-size answer */
#include "mount/rpcping.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"

#define PORTMAP_PORT 111
#define PORTMAP_PROGRAM 100000
#define PORTMAP_GETPORT 3
#define STATD_TIMEOUT_MS 500
/* xid, direction, status, verifier (two words), accept status, one word of result. */
#define REPLY_WORDS 7
#define MARK_LAST 0x80000000U
/* xid, direction, RPC's version, program, its version, procedure, two empty authentications. */
#define CALL_WORDS 10
#define RPC_CALL 0
#define RPC_REPLY 1
#define RPC_VERSION 2

struct call {
	uint32_t program;
	uint32_t version;
	uint32_t procedure;
	uint32_t args[4];
	size_t n_args;
};

/* An interface's name, or its number as mountinfo shows it. */
static int zone_index(const char *zone, uint32_t *ret)
{
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq named = {.ifr_ifindex = 0};
	uint64_t number;

	if (str_copy(named.ifr_name, sizeof(named.ifr_name), zone) >= 0 &&
		ioctl(fd, SIOCGIFINDEX, &named) == 0)
		*ret = (uint32_t)named.ifr_ifindex;
	else if (parse_u64(zone, 1, UINT32_MAX, &number) >= 0)
		*ret = (uint32_t)number;
	else
		return -EINVAL;
	return 0;
}

/* By hand: getaddrinfo(3) opens a unix socket for a zone, which is death to a mount child. */
int rpcping_address(
	const char *numeric, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_size)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	const char *zone = strchr(numeric, '%');
	size_t n = zone ? (size_t)(zone - numeric) : strlen(numeric);
	char bare[INET6_ADDRSTRLEN];

	*ret = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
	if (inet_pton(AF_INET, numeric, &v4.sin_addr) == 1) {
		memcpy(ret, &v4, sizeof(v4));
		*ret_size = sizeof(v4);
		return 0;
	}
	if (str_format(bare, sizeof(bare), "%.*s", (int)n, numeric) < 0 ||
		inet_pton(AF_INET6, bare, &v6.sin6_addr) != 1 ||
		(zone && zone_index(zone + 1, &v6.sin6_scope_id) < 0))
		return -EINVAL;
	memcpy(ret, &v6, sizeof(v6));
	*ret_size = sizeof(v6);
	return 0;
}

/* ---- the wire ----------------------------------------------------------------------------------
 */

/* Ten words and the arguments, in network order; how many bytes. */
static size_t put_call(uint32_t *w, uint32_t xid, const struct call *c)
{
	const uint32_t head[CALL_WORDS] = {
		xid, RPC_CALL, RPC_VERSION, c->program, c->version, c->procedure};

	/* No credentials, no verifier: four zeros. */
	for (size_t i = 0; i < CALL_WORDS; i++)
		w[i] = htonl(head[i]);
	for (size_t i = 0; i < c->n_args; i++)
		w[CALL_WORDS + i] = htonl(c->args[i]);
	return (CALL_WORDS + c->n_args) * 4;
}

void rpcping_call(
	uint8_t dst[static RPCPING_CALL_SIZE], uint32_t xid, uint32_t program, uint32_t version)
{
	uint32_t words[1 + CALL_WORDS];
	size_t n = put_call(words + 1, xid, &(struct call){.program = program, .version = version});

	words[0] = htonl(MARK_LAST | (uint32_t)n);
	memcpy(dst, words, sizeof(words));
}

static uint32_t word(const uint8_t *src)
{
	uint32_t v;

	memcpy(&v, src, sizeof(v));
	return ntohl(v);
}

int rpcping_check(const uint8_t *data, size_t size, uint32_t xid)
{
	uint32_t record;

	if (size < 12)
		return 0;
	record = word(data) & ~MARK_LAST;
	/* A reply to NULL is 24 bytes in one fragment, a refusal at most a little more. */
	if (record < 12 || record > RPCPING_REPLY_MAX - 4)
		return -EBADMSG;
	if (word(data + 4) != xid || word(data + 8) != RPC_REPLY)
		return -EBADMSG;
	return size >= 4 + record;
}

/* ---- one call, waited for ----------------------------------------------------------------------
 */

/* Waits for events until the deadline. */
static int wait_for(int fd, short events, uint64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		uint64_t now = clock_now();
		int n;

		if (now >= deadline)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)((deadline - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int connect_until(
	int fd, const struct sockaddr_storage *to, socklen_t size, uint64_t deadline)
{
	int error = 0, r;
	socklen_t n = sizeof(error);

	if (connect(fd, (const struct sockaddr *)to, size) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	r = wait_for(fd, POLLOUT, deadline);
	if (r < 0)
		return r;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		return -errno;
	return -error;
}

/* One read of at most size bytes. */
static ssize_t receive(int fd, void *data, size_t size, uint64_t deadline)
{
	for (;;) {
		ssize_t n = recv(fd, data, size, MSG_DONTWAIT);

		if (n > 0)
			return n;
		if (n == 0)
			return -ECONNRESET;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		n = wait_for(fd, POLLIN, deadline);
		if (n < 0)
			return n;
	}
}

/* How many bytes of an answer to wait for: six words, or as many as a stream's record has. */
static size_t wanted(const char *in, size_t got, bool stream)
{
	uint32_t mark;
	size_t record;

	if (!stream || got < 4)
		return 24;
	memcpy(&mark, in, 4);
	record = ntohl(mark) & ~MARK_LAST;
	return record < 24 ? record : 24;
}

/* Sends call and receives the first words of its answer; their number in host order. */
static int exchange(int fd, const struct call *c, bool stream, uint32_t *words, uint64_t deadline)
{
	const uint32_t xid = (uint32_t)(clock_now() ^ (uint64_t)getpid());
	uint32_t out[1 + CALL_WORDS + ELEMENTSOF(c->args)];
	size_t n = put_call(out + 1, xid, c), got = 0, skip = stream ? 4 : 0;
	char in[4 + REPLY_WORDS * 4];

	out[0] = htonl(MARK_LAST | (uint32_t)n);
	if (send(fd, stream ? out : out + 1, n + skip, MSG_NOSIGNAL) < 0)
		return -errno;
	/* An answer may be shorter than what we look at; a stream may bring it in pieces. */
	while (got < skip + wanted(in, got, stream)) {
		ssize_t r = receive(fd, in + got, skip + REPLY_WORDS * 4 - got, deadline);

		if (r < 0)
			return (int)r;
		got += (size_t)r;
		if (!stream)
			break;
	}
	n = got > skip ? (got - skip) / 4 : 0;
	for (size_t i = 0; i < n; i++) {
		memcpy(&words[i], in + skip + i * 4, 4);
		words[i] = ntohl(words[i]);
	}
	if (n < 2 || words[0] != xid || words[1] != RPC_REPLY)
		return -EPROTO;
	return (int)n;
}

int rpcping_null(const struct sockaddr_storage *to, socklen_t size, uint32_t program,
	uint32_t version, unsigned timeout_ms)
{
	const struct call c = {.program = program, .version = version};
	uint64_t deadline = clock_now() + MILLISECONDS(timeout_ms);
	uint32_t words[REPLY_WORDS];
	_cleanup_close_ int fd =
		socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	int r;

	if (fd < 0)
		return -errno;
	r = connect_until(fd, to, size, deadline);
	if (r == 0)
		r = exchange(fd, &c, true, words, deadline);
	if (r < 0)
		return r;
	/* Accepted (0), with PROG_UNAVAIL (1) or PROG_MISMATCH (2). */
	if (r >= 6 && words[2] == 0 && words[4] == 0 && (words[5] == 1 || words[5] == 2))
		return -EPROTONOSUPPORT;
	return 0;
}

/* One UDP call to the loopback: the last word of a good answer's result, 0 where it has none. */
static int local_call(uint16_t port, const struct call *c, uint32_t *ret)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	uint32_t words[REPLY_WORDS] = {0};
	int n;

	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	n = exchange(fd, c, false, words, clock_now() + MILLISECONDS(STATD_TIMEOUT_MS));
	if (n < 0)
		return n;
	if (n < 6 || words[2] != 0 || words[4] != 0 || words[5] != 0)
		return -EPROTO;
	*ret = n > 6 ? words[6] : 0;
	return 0;
}

bool rpcping_statd(void)
{
	const struct call where = {.program = PORTMAP_PROGRAM,
		.version = 2,
		.procedure = PORTMAP_GETPORT,
		.args = {RPC_PROGRAM_STATD, 1, IPPROTO_UDP, 0},
		.n_args = 4};
	const struct call null = {.program = RPC_PROGRAM_STATD, .version = 1};
	uint32_t port, nothing;

	return local_call(PORTMAP_PORT, &where, &port) == 0 && port > 0 && port <= UINT16_MAX &&
	       local_call((uint16_t)port, &null, &nothing) == 0;
}
