/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_health.c: servers that answer, answer slowly, fall silent, refuse, lie and come back
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/health.h"
#include "agent/ping.h"
#include "agent/pinger.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "fakeapi.h"
#include "mount/rpcping.h"
#include "tests/unit/fault.h"
#include "worker/child.h"
#include "worker/pool.h"

#define CLIENTS_MAX 64

enum manner { ANSWERS, SILENT, LATE, LIES, HANGS_UP };

/* A server in the test's own loop; its manner may change at any time. */
struct server {
	struct loop *loop;
	int fd;
	uint16_t port;
	struct io *io;
	struct timer *late;
	enum manner manner;
	int clients[CLIENTS_MAX];
	struct io *client_io[CLIENTS_MAX];
	unsigned n_clients, calls;
	uint32_t xid;
	int last;
};

struct world {
	struct loop *loop;
	struct server s;
	struct worker_pool *pool; /* of a pinger, as the broker has one */
	struct health *health;
	unsigned changes;
	enum health_reach wanted;
};

static void answer(struct server *s, int fd, uint32_t xid, size_t cut)
{
	const uint32_t words[] = {htonl(0x80000018), xid, htonl(1), 0, 0, 0, 0};

	assert_int_equal(send(fd, words, sizeof(words) - cut, MSG_NOSIGNAL), sizeof(words) - cut);
	(void)s;
}

static void on_late(struct timer *t, void *userdata)
{
	struct server *s = userdata;

	(void)t;
	answer(s, s->last, s->xid, 0);
}

static void on_call(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct server *s = userdata;
	uint32_t words[RPCPING_CALL_SIZE / 4];
	ssize_t n = read(fd, words, sizeof(words));

	(void)revents;
	if (n <= 0) {
		io_set_events(io, 0);
		return;
	}
	/* Record mark, call, RPC 2, program, NULL, no credentials. */
	assert_int_equal(n, sizeof(words));
	assert_int_equal(ntohl(words[0]), 0x80000028);
	assert_int_equal(words[2], 0);
	assert_int_equal(ntohl(words[3]), 2);
	assert_int_equal(ntohl(words[4]), 100003);
	assert_int_equal(words[6], 0);
	s->calls++;
	s->xid = words[1];
	s->last = fd;
	switch (s->manner) {
	case ANSWERS:
		answer(s, fd, s->xid, 0);
		break;
	case SILENT:
		break;
	case LATE:
		timer_arm(s->late, MILLISECONDS(60));
		break;
	case LIES:
		answer(s, fd, s->xid + 1, 0);
		break;
	case HANGS_UP:
		shutdown(fd, SHUT_RDWR);
		break;
	}
}

static void on_client(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct server *s = userdata;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)io;
	(void)revents;
	assert_true(client >= 0 && s->n_clients < CLIENTS_MAX);
	s->clients[s->n_clients] = client;
	assert_int_equal(
		io_new(&s->client_io[s->n_clients], s->loop, client, EPOLLIN, on_call, s), 0);
	s->n_clients++;
}

static void server_listen(struct server *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons(s->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(a);
	int one = 1;

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	getsockname(s->fd, (struct sockaddr *)&a, &size);
	s->port = ntohs(a.sin_port);
	assert_int_equal(io_new(&s->io, s->loop, s->fd, EPOLLIN, on_client, s), 0);
}

/* The process is gone: its connections are reset, new ones refused. */
static void server_kill(struct server *s)
{
	s->io = io_free(s->io);
	s->fd = fd_close(s->fd);
	for (unsigned i = 0; i < s->n_clients; i++) {
		io_free(s->client_io[i]);
		close(s->clients[i]);
	}
	s->n_clients = 0;
}

static void on_changed(struct health *h, void *userdata)
{
	struct world *w = userdata;

	(void)h;
	w->changes++;
}

static struct health_options quick(const struct world *w)
{
	return (struct health_options){.pool = w->pool,
		.interval_ns = MILLISECONDS(5),
		.hang_ns = MILLISECONDS(150),
		.slow_ns = MILLISECONDS(50),
		.down_after = 2};
}

static int setup(void **state)
{
	static const char *const argv[] = {"pinger", "--worker", NULL};
	static const struct worker_options one = {.program = "/proc/self/exe",
		.argv = argv,
		.window = PINGER_SERVERS_MAX,
		.backoff_min_ns = MILLISECONDS(5),
		.backoff_max_ns = MILLISECONDS(50)};
	struct world *w = calloc(1, sizeof(*w));
	struct health_options o;

	*state = w;
	if (!w || loop_new(&w->loop) < 0 || worker_pool_new(&w->pool, w->loop, &one) < 0)
		return -1;
	w->s.loop = w->loop;
	w->s.fd = -1;
	if (timer_new_exact(&w->s.late, w->loop, on_late, &w->s) < 0)
		return -1;
	server_listen(&w->s);
	o = quick(w);
	return health_new(&w->health, w->loop, &o, on_changed, w);
}

static int teardown(void **state)
{
	struct world *w = *state;

	health_free(w->health);
	worker_pool_free(w->pool);
	server_kill(&w->s);
	timer_free(w->s.late);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void watch(struct world *w)
{
	health_begin(w->health);
	assert_int_equal(health_want(w->health, "127.0.0.1", w->s.port), 0);
	health_end(w->health);
}

static enum health_reach reach(struct world *w)
{
	return health_of(w->health, "127.0.0.1", w->s.port);
}

static bool is_reached(void *userdata)
{
	struct world *w = userdata;

	return reach(w) == w->wanted;
}

static void becomes(struct world *w, enum health_reach wanted)
{
	w->wanted = wanted;
	if (!fake_run(w->loop, is_reached, w, 20000))
		fail_msg("%s, not %s", health_reach_name(reach(w)), health_reach_name(wanted));
}

static bool many_calls(void *userdata)
{
	return ((struct world *)userdata)->s.calls >= 20;
}

static bool many_failures(void *userdata)
{
	return health_count(((struct world *)userdata)->health).failures >= 5;
}

static void a_server_that_answers(void **state)
{
	struct world *w = *state;

	assert_int_equal(reach(w), HEALTH_UNKNOWN);
	watch(w);
	becomes(w, HEALTH_OK);
	assert_true(fake_run(w->loop, many_calls, w, 20000));
	/* One connection for all calls. */
	assert_int_equal(w->s.n_clients, 1);
	assert_true(health_round_trip(w->health, "127.0.0.1", w->s.port) > 0);
	watch(w);
	assert_int_equal(health_count(w->health).servers, 1);
	health_begin(w->health);
	health_end(w->health);
	assert_int_equal(health_count(w->health).servers, 0);
	assert_int_equal(reach(w), HEALTH_UNKNOWN);
}

static void a_server_that_falls_silent_and_wakes(void **state)
{
	struct world *w = *state;
	unsigned before;

	watch(w);
	becomes(w, HEALTH_OK);
	w->s.manner = SILENT;
	becomes(w, HEALTH_DOWN);
	fake_pass(w->loop, 5);
	before = w->changes;
	assert_true(before >= 2);
	w->s.manner = ANSWERS;
	becomes(w, HEALTH_OK);
	fake_pass(w->loop, 5);
	assert_true(w->changes > before);
}

/* Frozen before we came: the kernel takes the connection, nobody answers. */
static void a_server_that_never_answered(void **state)
{
	struct world *w = *state;

	w->s.manner = SILENT;
	watch(w);
	becomes(w, HEALTH_DOWN);
	assert_int_equal(health_count(w->health).down, 1);
}

/* Late but sure: slow, and not down. */
static void a_slow_server(void **state)
{
	struct world *w = *state;

	watch(w);
	becomes(w, HEALTH_OK);
	w->s.manner = LATE;
	becomes(w, HEALTH_SLOW);
	assert_int_equal(health_count(w->health).slow, 1);
	w->s.manner = ANSWERS;
	becomes(w, HEALTH_OK);
}

static void a_server_that_dies_and_returns(void **state)
{
	struct world *w = *state;

	watch(w);
	becomes(w, HEALTH_OK);
	server_kill(&w->s);
	becomes(w, HEALTH_DOWN);
	server_listen(&w->s);
	becomes(w, HEALTH_OK);
}

/* Its mount may go another way (RDMA, UDP): only a call into the mount decides. */
static void a_server_that_we_cannot_reach(void **state)
{
	struct world *w = *state;

	server_kill(&w->s);
	watch(w);
	assert_true(fake_run(w->loop, many_failures, w, 20000));
	assert_int_equal(reach(w), HEALTH_UNKNOWN);
	health_called(w->health, "/t", "127.0.0.1", w->s.port, EIO);
	assert_int_equal(reach(w), HEALTH_UNKNOWN);
	health_called(w->health, "/t", "127.0.0.1", w->s.port, ETIMEDOUT);
	assert_int_equal(reach(w), HEALTH_DOWN);
}

static void a_server_that_lies(void **state)
{
	struct world *w = *state;

	watch(w);
	becomes(w, HEALTH_OK);
	w->s.manner = LIES;
	becomes(w, HEALTH_DOWN);
	w->s.manner = ANSWERS;
	becomes(w, HEALTH_OK);
	w->s.manner = HANGS_UP;
	becomes(w, HEALTH_DOWN);
}

static bool is_asked(void *userdata)
{
	return ((struct server *)userdata)->calls > 0;
}

/* The time that one has to answer is over long after the other was asked twenty times. */
static void one_that_hangs_beside_one_that_answers(void **state)
{
	struct world *w = *state;
	struct server silent = {.loop = w->loop, .fd = -1, .manner = SILENT};
	struct health_options patient = quick(w);

	patient.hang_ns = SECONDS(600);
	health_free(w->health);
	assert_int_equal(health_new(&w->health, w->loop, &patient, on_changed, w), 0);
	server_listen(&silent);
	health_begin(w->health);
	assert_int_equal(health_want(w->health, "127.0.0.1", silent.port), 0);
	assert_true(fake_run(w->loop, is_asked, &silent, 20000));
	assert_int_equal(health_want(w->health, "127.0.0.1", w->s.port), 0);
	health_end(w->health);
	assert_true(fake_run(w->loop, many_calls, w, 20000));
	assert_int_equal(silent.calls, 1);
	server_kill(&silent);
}

static pid_t only_child(void)
{
	_cleanup_close_ int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	char text[32] = "";

	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	return (pid_t)strtol(text, NULL, 10);
}

/* What a dead pinger left unsaid is said of nobody. */
static void a_pinger_that_is_killed(void **state)
{
	struct world *w = *state;
	struct worker_stats n;

	w->s.manner = SILENT;
	watch(w);
	assert_true(fake_run(w->loop, is_asked, &w->s, 20000));
	assert_int_equal(kill(only_child(), SIGKILL), 0);
	w->s.manner = ANSWERS;
	becomes(w, HEALTH_OK);
	worker_pool_stats(w->pool, &n);
	assert_int_equal(n.started, 2);
	assert_int_equal(health_count(w->health).down, 0);
}

static void stale_targets(void **state)
{
	struct world *w = *state;

	health_called(w->health, "/a", NULL, 0, ESTALE);
	health_called(w->health, "/b", NULL, 0, EIO);
	assert_true(health_is_stale(w->health, "/a"));
	assert_false(health_is_stale(w->health, "/b"));
	fake_pass(w->loop, 5);
	assert_int_equal(w->changes, 1);
	health_called(w->health, "/a", NULL, 0, EIO);
	assert_true(health_is_stale(w->health, "/a"));
	health_called(w->health, "/a", NULL, 0, 0);
	assert_false(health_is_stale(w->health, "/a"));
}

static void addresses(void **state)
{
	struct world *w = *state;

	health_begin(w->health);
	assert_int_equal(health_want(w->health, "", 0), -EINVAL);
	assert_int_equal(health_want(w->health, "nas.example", 0), -EINVAL);
	assert_int_equal(health_want(w->health, "::1", 0), 0);
	assert_int_equal(health_want(w->health, "127.0.0.1", 0), 0);
	assert_int_equal(health_want(w->health, "127.0.0.1", 2049), 0);
	health_end(w->health);
	assert_int_equal(health_count(w->health).servers, 2);
}

static void replies(void **state)
{
	uint8_t good[28] = {0x80, 0, 0, 24, 0, 0, 0, 9, 0, 0, 0, 1}, bad[28];
	uint8_t call[RPCPING_CALL_SIZE];

	(void)state;
	for (size_t n = 0; n <= sizeof(good); n++)
		assert_int_equal(rpcping_check(good, n, 9), n == sizeof(good));
	assert_int_equal(rpcping_check(good, sizeof(good), 8), -EBADMSG);
	memcpy(bad, good, sizeof(bad));
	bad[11] = 0; /* a call */
	assert_int_equal(rpcping_check(bad, sizeof(bad), 9), -EBADMSG);
	memcpy(bad, good, sizeof(bad));
	bad[1] = 1; /* 64 KiB */
	assert_int_equal(rpcping_check(bad, sizeof(bad), 9), -EBADMSG);
	memcpy(bad, good, sizeof(bad));
	bad[3] = 8;
	assert_int_equal(rpcping_check(bad, sizeof(bad), 9), -EBADMSG);
	rpcping_call(call, 9, RPC_PROGRAM_NFS, 3);
	assert_int_equal(call[7], 9);
}

static void memory_runs_out(void **state)
{
	struct world *w = *state;

	FAULT_LOOP
	{
		const struct health_options o = quick(w);
		struct health *h = NULL;
		int r = health_new(&h, w->loop, &o, NULL, NULL);

		if (r == 0) {
			health_begin(h);
			r = health_want(h, "127.0.0.1", w->s.port);
			health_end(h);
		}
		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		health_free(h);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(a_server_that_answers),
		T(a_server_that_falls_silent_and_wakes),
		T(a_server_that_never_answered),
		T(a_slow_server),
		T(a_server_that_dies_and_returns),
		T(a_server_that_we_cannot_reach),
		T(a_server_that_lies),
		T(one_that_hangs_beside_one_that_answers),
		T(a_pinger_that_is_killed),
		T(stale_targets),
		T(addresses),
		T(replies),
		T(memory_runs_out),
	};

	if (argc > 1 && streq(argv[1], "--worker"))
		return pinger_run(WORKER_FD) < 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
