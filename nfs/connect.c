/* SPDX-License-Identifier: Apache-2.0 */
/* connect.c: names, sockets, the portmapper, and the choice between NFSv3 and NFSv4.0 */
#include "nfs/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/reserved.h"
#include "base/str.h"

#define PORTMAP_PORT 111
#define NFS_PORT 2049
/* A connection that hears nothing for so long is dead: less than any operation's deadline. */
#define USER_TIMEOUT_MS 8000

/* What a connection is for: which of the bound sockets of its family it may take. */
enum role { ROLE_MOUNTD, ROLE_NFS, ROLE_PORTMAPPER /* any port */ };

struct port_answer {
	bool done;
	bool ok;
	uint16_t port;
};

/* What callbacks write to lives here: a context that is dropped still runs them. */
struct target {
	const struct addrinfo *ai;
	struct port_answer answer;
	struct call call;
	bool probed;
	bool refused;   /* the server answered, and does not want to serve this export */
	bool undecided; /* connect all the same: other exports of the server may be wanted */
	const struct volume_place *place;
	unsigned n_bound;
	uint64_t deadline;
	struct server *s;
	char text[INET6_ADDRSTRLEN + 8]; /* address in errors */
};

/* ---- sockets ------------------------------------------------------------------------------------
 */

static void set_port(struct sockaddr_storage *ss, uint16_t port)
{
	if (ss->ss_family == AF_INET6)
		((struct sockaddr_in6 *)ss)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)ss)->sin_port = htons(port);
}

static int get_port(const struct sockaddr_storage *ss)
{
	return ntohs(ss->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)ss)->sin6_port
					       : ((const struct sockaddr_in *)ss)->sin_port);
}

/* The bound socket of this family for role, unconnected; the descriptor is the caller's. -1: none.
 */
static int bound_take(const struct target *t, enum role role)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	unsigned left = (unsigned)role;

	for (int fd = CONNECT_BOUND_FD; fd < CONNECT_BOUND_FD + (int)t->n_bound; fd++) {
		int family = AF_UNSPEC;
		socklen_t size = sizeof(family);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0 ||
			family != t->ai->ai_family || left-- > 0)
			continue;
		/* What an earlier attempt connected it to: the port stays. */
		(void)connect(fd, &nobody, sizeof(nobody));
		return fcntl(fd, F_DUPFD_CLOEXEC, 0);
	}
	return -1;
}

/* With a reserved port where we may have one; any other is as good elsewhere. */
static int make_socket(const struct target *t, enum role role)
{
	int fd = role == ROLE_PORTMAPPER ? -1 : bound_take(t, role);

	if (fd >= 0)
		return fd;
	fd = socket(t->ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && role != ROLE_PORTMAPPER)
		(void)reserved_bind(fd, t->ai->ai_family);
	return fd < 0 ? -errno : fd;
}

static int wait_connected(int fd, uint64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int error = 0;

	for (;;) {
		uint64_t now = clock_now();
		int r;

		if (now >= deadline)
			return -ETIMEDOUT;
		r = poll(&p, 1, (int)((deadline - now) / NSEC_PER_MSEC) + 1);
		if (r > 0)
			break;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -errno;
	return -error;
}

static int open_socket(const struct target *t, uint16_t port, enum role role)
{
	const int on = 1, timeout = USER_TIMEOUT_MS;
	struct sockaddr_storage ss = {0};
	_cleanup_close_ int fd = make_socket(t, role);
	int r;

	if (fd < 0)
		return fd;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
	memcpy(&ss, t->ai->ai_addr, t->ai->ai_addrlen);
	set_port(&ss, port);
	if (connect(fd, (struct sockaddr *)&ss, t->ai->ai_addrlen) < 0 && errno != EINPROGRESS)
		return -errno;
	r = wait_connected(fd, t->deadline);
	return r < 0 ? r : TAKE_FD(fd);
}

/* The four-tuple of a reserved port may still be in TIME_WAIT from the worker before us. */
static int open_stream(const struct target *t, uint16_t port, enum role role)
{
	int fd = open_socket(t, port, role);

	for (int i = 0;
		role != ROLE_PORTMAPPER && i < 5 && (fd == -EADDRNOTAVAIL || fd == -EADDRINUSE);
		i++)
		fd = open_socket(t, port, role);
	if (fd == -EADDRNOTAVAIL || fd == -EADDRINUSE)
		fd = open_socket(t, port, ROLE_PORTMAPPER);
	return fd;
}

static int open_context(const struct target *t, uint16_t port, enum role role,
	struct rpc_context **ret, struct err *e)
{
	static const char *const names[] = {
		[ROLE_MOUNTD] = "mountd", [ROLE_NFS] = "NFS", [ROLE_PORTMAPPER] = "the portmapper"};
	int fd = open_stream(t, port, role);

	if (fd < 0)
		return err_sys(e, fd, "%s: cannot connect to %s at %s port %u", t->place->server,
			names[role], t->text, port);
	*ret = compat_open(fd);
	if (*ret)
		return 0;
	fd_close(fd);
	return err_sys(e, ENOMEM, "cannot make a context");
}

static void drop_context(struct rpc_context **rpc)
{
	if (*rpc) {
		fd_close(rpc_get_fd(*rpc));
		rpc_set_fd(*rpc, -1);
		rpc_destroy_context(*rpc);
	}
	*rpc = NULL;
}

static void note_local(struct server *s)
{
	struct sockaddr_storage ss = {0};
	socklen_t size = sizeof(ss);
	char text[INET6_ADDRSTRLEN] = "?";

	if (getsockname(rpc_get_fd(s->nfs), (struct sockaddr *)&ss, &size) < 0)
		return;
	(void)getnameinfo(
		(struct sockaddr *)&ss, size, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
	snprintf(s->local, sizeof(s->local), "%s port %d", text, get_port(&ss));
}

/* ---- the portmapper
 * ------------------------------------------------------------------------------- */

static void on_getport(struct rpc_context *rpc, int status, void *data, void *userdata)
{
	struct port_answer *a = userdata;

	(void)rpc;
	a->done = true;
	if (status != RPC_STATUS_SUCCESS || !data)
		return;
	a->ok = true;
	a->port = (uint16_t) * (const uint32_t *)data;
}

/* A universal address ends in ".high.low" of the port (RFC 5665 5.2.3.3). */
static uint16_t universal_port(const char *text)
{
	const char *low = strrchr(text, '.'), *high;
	uint64_t h, l;
	char number[4];

	if (!low || low == text)
		return 0;
	high = memrchr(text, '.', (size_t)(low - text));
	if (!high || low - high > 4)
		return 0;
	(void)str_copy_cut(number, (size_t)(low - high), high + 1);
	if (parse_u64(number, 0, 255, &h) < 0 || parse_u64(low + 1, 0, 255, &l) < 0)
		return 0;
	return (uint16_t)(h << 8 | l);
}

static void on_getaddr(struct rpc_context *rpc, int status, void *data, void *userdata)
{
	struct port_answer *a = userdata;
	const struct pmap3_string_result *res = data;

	(void)rpc;
	a->done = true;
	if (status != RPC_STATUS_SUCCESS || !res)
		return;
	a->ok = true;
	a->port = res->addr ? universal_port(res->addr) : 0;
}

static int ask_port(struct rpc_context *rpc, int family, int program, struct port_answer *a)
{
	struct pmap3_mapping map = {.prog = (u_int)program, .vers = 3};

	if (family != AF_INET6)
		return rpc_pmap2_getport_async(rpc, program, 3, IPPROTO_TCP, on_getport, a);
	map.netid = (char *)"tcp6";
	map.addr = map.owner = (char *)"";
	return rpc_pmap3_getaddr_async(rpc, &map, on_getaddr, a);
}

static int find_port(struct target *t, struct rpc_context *rpc, int program, const char *what,
	uint16_t *ret, struct err *e)
{
	struct port_answer *a = &t->answer;
	int r;

	*a = (struct port_answer){.done = false};
	r = ask_port(rpc, t->ai->ai_family, program, a);
	r = r != 0 ? -EIO : compat_wait(rpc, &a->done, t->deadline);
	if (r < 0)
		return err_sys(
			e, r, "%s: no answer from the portmapper at %s", t->place->server, t->text);
	if (!a->ok || a->port == 0)
		return err_set(e, ENOPROTOOPT, "%s: the portmapper at %s knows no %s",
			t->place->server, t->text, what);
	*ret = a->port;
	return 0;
}

static int find_ports(struct target *t, uint16_t *nfs, uint16_t *mount, struct err *e)
{
	struct rpc_context *rpc = NULL;
	int r = 0;

	*nfs = t->place->nfs_port;
	*mount = t->place->mount_port;
	if (*nfs && *mount)
		return 0;
	r = open_context(t, PORTMAP_PORT, ROLE_PORTMAPPER, &rpc, e);
	if (r >= 0 && !*mount)
		r = find_port(t, rpc, MOUNT_PROGRAM, "mountd version 3", mount, e);
	if (r >= 0 && !*nfs)
		r = find_port(t, rpc, NFS_PROGRAM, "NFS version 3", nfs, e);
	drop_context(&rpc);
	return r;
}

/* ---- the two versions
 * ------------------------------------------------------------------------------ */

static void on_probe(struct call *c, void *userdata)
{
	(void)c;
	*(bool *)userdata = true;
}

static int run_probe(struct server *s, const bool *done, uint64_t deadline)
{
	struct pollfd fds[2];
	uint64_t now;
	size_t n;
	int r;

	for (;;) {
		(void)server_run(s);
		if (*done)
			return 0;
		now = clock_now();
		if (now >= deadline)
			return -ETIMEDOUT;
		r = server_flush(s);
		n = server_pollfds(s, fds);
		if (r >= 0 && poll(fds, n, 50) > 0)
			r = server_io(s, fds);
		if (r < 0)
			return r;
	}
}

/* Mounts the export once, to see that this version serves it. */
static int probe(struct target *t, struct err *e)
{
	struct call *c = &t->call;
	int r;

	if (t->undecided)
		return 0;
	*c = (struct call){.kind = CALL_ROOT, .name = t->place->export_, .deadline = t->deadline};
	if (t->place->act_as_set)
		c->cred = (struct nfs_cred){t->place->act_uid, t->place->act_gid};
	t->probed = false;
	server_call(t->s, c, on_probe, &t->probed);
	r = run_probe(t->s, &t->probed, t->deadline);
	if (r < 0)
		return err_sys(e, r, "%s: connection to %s lost", t->place->server, t->text);
	if (c->r >= 0)
		return 0;
	t->refused = c->status != 0 && c->r != -EPROTONOSUPPORT && c->r != -EAGAIN;
	return call_error(c, e, "%s:%s: the server refuses NFSv%d to %s", t->place->server,
		t->place->export_, t->s->protocol->version, t->s->local);
}

static int connect3(struct target *t, struct err *e)
{
	const struct nfs_cred root = {0, 0};
	uint16_t nfs_port = 0, mount_port = 0;
	int r = find_ports(t, &nfs_port, &mount_port, e);

	if (r >= 0)
		r = open_context(t, mount_port, ROLE_MOUNTD, &t->s->mount, e);
	if (r >= 0)
		r = open_context(t, nfs_port, ROLE_NFS, &t->s->nfs, e);
	if (r < 0)
		return r;
	compat_set_cred(t->s->mount, &root);
	note_local(t->s);
	t->s->protocol = &nfs3_protocol;
	return probe(t, e);
}

static int connect4(struct target *t, struct err *e)
{
	int r = open_context(
		t, t->place->nfs_port ? t->place->nfs_port : NFS_PORT, ROLE_NFS, &t->s->nfs, e);

	if (r < 0)
		return r;
	note_local(t->s);
	t->s->protocol = &nfs4_protocol;
	return probe(t, e);
}

static int connect_address(
	struct target *t, int (*fn)(struct target *t, struct err *e), struct err *e)
{
	int r = fn(t, e);

	if (r < 0) {
		drop_context(&t->s->mount);
		drop_context(&t->s->nfs);
		server_init(t->s, t->place->server);
	}
	return r;
}

static int connect_any(struct target *t, const struct addrinfo *list,
	int (*fn)(struct target *t, struct err *e), struct err *e)
{
	int r = -EHOSTUNREACH;

	for (t->ai = list; t->ai; t->ai = t->ai->ai_next) {
		(void)getnameinfo(t->ai->ai_addr, t->ai->ai_addrlen, t->text, sizeof(t->text), NULL,
			0, NI_NUMERICHOST);
		r = connect_address(t, fn, e);
		if (r >= 0)
			return 0;
	}
	return r;
}

static int try_version(struct target *t, const struct addrinfo *list, int version, struct err *e)
{
	t->refused = false;
	return connect_any(t, list, version == 3 ? connect3 : connect4, e);
}

/* One export that is refused says nothing about the others: its own operations will be told. */
static int connect_undecided(struct target *t, const struct addrinfo *list, int version,
	const struct err *why, struct err *e)
{
	t->undecided = true;
	return try_version(t, list, version, NULL) >= 0 ? 0 : err_copy(e, why);
}

static int try_versions(struct target *t, const struct addrinfo *list, struct err *e)
{
	struct err e3 = ERR_NULL, e4 = ERR_NULL;
	int r3 = -EPROTONOSUPPORT, r4 = r3;
	bool refused = false;

	if (t->place->version != 4) {
		r3 = try_version(t, list, 3, &e3);
		refused = t->refused;
	}
	if (r3 >= 0)
		return 0;
	if (t->place->version != 3 && r3 != -ETIMEDOUT)
		r4 = try_version(t, list, 4, &e4);
	if (r4 >= 0)
		return 0;
	if (refused)
		return connect_undecided(t, list, 3, &e3, e);
	if (t->place->version == 3 || r3 == -ETIMEDOUT)
		return err_copy(e, &e3);
	if (t->refused && t->place->version == 4)
		return connect_undecided(t, list, 4, &e4, e);
	if (t->place->version == 4)
		return err_copy(e, &e4);
	/* The first refusal is the one to act on; the second says that there is no way around. */
	return err_set(e, r3, "%.240s; NFSv4.0: %.240s", e3.text, e4.text);
}

int connect_server(struct server *s, const struct volume_place *p, unsigned n_bound,
	uint64_t deadline, struct err *e)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct target t = {.place = p, .n_bound = n_bound, .deadline = deadline, .s = s};
	struct addrinfo *list = NULL;
	int r = getaddrinfo(p->server, NULL, &hints, &list);

	if (r != 0)
		return err_set(e, r == EAI_AGAIN ? EAGAIN : EHOSTUNREACH,
			"%s: cannot resolve the name: %s", p->server, gai_strerror(r));
	r = try_versions(&t, list, e);
	freeaddrinfo(list);
	for (unsigned k = 0; k < n_bound; k++)
		fd_close(CONNECT_BOUND_FD + (int)k);
	return r;
}
