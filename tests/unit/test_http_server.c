/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_server.c: the server against a client of its own in a child process */
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "http/server.h"

/* A client that takes longer has found a server that does not answer. */
#define CLIENT_SECONDS 10
#define PEER_GROUP 4242
#define NOBODY 65534

struct fixture {
	struct loop *loop;
	struct http_server *server;
	struct timer *timer;
	struct child *child;
	struct http_exchange *waiting;
	unsigned requests, gone, written;
	int last_write;
	int status;
	struct http_peer peer;
	bool in_group, in_other_group;
	char unix_path[64];
};

/* What a client does with a connected socket; its result is the child's exit code. */
typedef int (*client_fn)(struct fixture *f, int fd);

static void on_timer(struct timer *t, void *userdata)
{
	struct fixture *f = userdata;
	char line[32];

	(void)t;
	if (!f->waiting)
		return;
	if (streq(http_path(f->waiting), "/later")) {
		http_reply_text(TAKE_PTR(f->waiting), 200, "late\n");
		return;
	}
	if (f->written == 3) {
		http_stream_end(TAKE_PTR(f->waiting));
		return;
	}
	(void)snprintf(line, sizeof(line), "line %u\n", f->written++);
	assert_int_equal(http_stream_write(f->waiting, line, strlen(line)), 0);
	timer_arm(f->timer, MILLISECONDS(5));
}

static void on_flood(struct fixture *f, struct http_exchange *x)
{
	static const char block[65536];

	http_stream(x, 200, "text/plain", 1U << 20);
	do {
		f->last_write = http_stream_write(x, block, sizeof(block));
	} while (f->last_write == 0 && ++f->written < 1000);
	http_abort(x);
}

static void on_echo(struct http_exchange *x)
{
	char text[512];
	size_t size;
	const char *body = http_body(x, &size);

	(void)snprintf(text, sizeof(text), "%s %s q=%s empty=%s none=%s h=%s body=%zu:%.100s",
		http_method(x), http_path(x), str_or(http_query(x, "q"), "-"),
		str_or(http_query(x, "empty"), "-"), str_or(http_query(x, "none"), "-"),
		str_or(http_header(x, "X-Test"), "-"), size, body);
	http_reply(x, 201, "text/plain", text, strlen(text), "X-One: 1\nX-Two: b: c");
}

static void on_request(struct http_exchange *x, void *userdata)
{
	struct fixture *f = userdata;
	const char *path = http_path(x);

	f->requests++;
	if (streq(path, "/stream"))
		http_stream(x, 200, "text/plain", 1U << 20);
	if (streq(path, "/later") || streq(path, "/stream") || streq(path, "/never")) {
		f->waiting = x;
		timer_arm(f->timer, streq(path, "/never") ? SECONDS(3600) : MILLISECONDS(5));
	} else if (streq(path, "/flood")) {
		on_flood(f, x);
	} else if (streq(path, "/abort")) {
		http_abort(x);
	} else if (streq(path, "/reset")) {
		http_abort_reset(x);
	} else if (streq(path, "/peer")) {
		f->last_write = http_peer(x, &f->peer);
		f->in_group = http_peer_in_group(x, PEER_GROUP);
		f->in_other_group = http_peer_in_group(x, PEER_GROUP + 1);
		http_reply_text(x, 200, "peer\n");
	} else {
		on_echo(x);
	}
}

static void on_gone(struct http_exchange *x, void *userdata)
{
	struct fixture *f = userdata;

	assert_ptr_equal(x, f->waiting);
	f->waiting = NULL;
	f->gone++;
	if (!f->child)
		loop_exit(f->loop, 0);
}

static const struct http_handler handler = {on_request, on_gone};

static void on_child(struct child *c, int code, int status, void *userdata)
{
	struct fixture *f = userdata;

	(void)c;
	f->status = code == CLD_EXITED ? status : 1000 + status;
	f->child = child_free(f->child);
	loop_exit(f->loop, 0);
}

static int listen_unix(struct fixture *f)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)snprintf(f->unix_path, sizeof(f->unix_path), "/tmp/berth-http-%d", getpid());
	(void)str_copy_cut(sa.sun_path, sizeof(sa.sun_path), f->unix_path);
	(void)unlink(f->unix_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(chmod(f->unix_path, 0666), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void start(struct fixture *f, bool on_unix)
{
	struct http_options o = {.address = on_unix ? NULL : "127.0.0.1",
		.fd = -1,
		.body_max = 1000,
		.connections_max = 8,
		.connections_per_uid = 2};
	struct err e = ERR_NULL;

	memset(f, 0, sizeof(*f));
	if (on_unix)
		o.fd = listen_unix(f);
	assert_int_equal(loop_new(&f->loop), 0);
	assert_int_equal(timer_new_exact(&f->timer, f->loop, on_timer, f), 0);
	assert_int_equal(http_server_new(&f->server, f->loop, &o, &handler, f, &e), 0);
	assert_int_equal(http_server_port(f->server) != 0, !on_unix);
}

static void stop(struct fixture *f)
{
	http_server_free(f->server);
	child_free(f->child);
	timer_free(f->timer);
	loop_free(f->loop);
	if (*f->unix_path)
		(void)unlink(f->unix_path);
}

static int connect_to(struct fixture *f)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_port = htons(http_server_port(f->server)),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(*f->unix_path ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
	int r;

	(void)str_copy_cut(un.sun_path, sizeof(un.sun_path), f->unix_path);
	r = *f->unix_path ? connect(fd, (struct sockaddr *)&un, sizeof(un))
			  : connect(fd, (struct sockaddr *)&in, sizeof(in));
	return r < 0 ? -1 : fd;
}

/* Runs the loop until the client's process ended; its exit code. */
static int run_client(struct fixture *f, client_fn fn)
{
	pid_t pid = fork();

	if (pid == 0) {
		alarm(CLIENT_SECONDS);
		_exit(fn(f, connect_to(f)));
	}
	assert_int_equal(child_new(&f->child, f->loop, pid, on_child, f), 0);
	assert_int_equal(loop_run(f->loop), 0);
	return f->status;
}

static int say(int fd, const char *text)
{
	return fd_write_all(fd, text, strlen(text));
}

/* Reads until the text is there or the peer closed; the bytes read. */
static ssize_t read_until(int fd, char *dst, size_t size, const char *text)
{
	size_t n = 0;

	dst[0] = '\0';
	while (n + 1 < size && !strstr(dst, text)) {
		ssize_t r = read(fd, dst + n, size - 1 - n);

		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t)r;
		dst[n] = '\0';
	}
	return (ssize_t)n;
}

static int client_echo(struct fixture *f, int fd)
{
	char text[4096];

	(void)f;
	say(fd, "PUT /a%20b?q=x%26y&empty HTTP/1.1\r\nHost: x\r\nX-Test: t\r\n"
		"Content-Length: 5\r\n\r\nhello");
	(void)read_until(fd, text, sizeof(text), "hello");
	return !(strstr(text, "HTTP/1.1 201") && strstr(text, "X-One: 1\r\n") &&
		 strstr(text, "X-Two: b: c\r\n") &&
		 strstr(text, "PUT /a b q=x&y empty= none=- h=t body=5:hello"));
}

static void test_request_and_reply(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	assert_int_equal(run_client(&f, client_echo), 0);
	assert_int_equal(f.requests, 1);
	assert_int_equal(f.gone, 0);
	stop(&f);
}

static int client_pipeline(struct fixture *f, int fd)
{
	char text[65536];
	uint64_t before = clock_now();
	const char *p = text;
	int answers = 0;

	(void)f;
	for (int i = 0; i < 19; i++)
		say(fd, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
	say(fd, "GET /last HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)read_until(fd, text, sizeof(text), "GET /last");
	for (; (p = strstr(p, "HTTP/1.1 201")); p++)
		answers++;
	if (answers != 20)
		return answers;
	/* One lost wake-up costs the 250 ms of an inexact timer, or for ever. */
	return clock_now() - before > MILLISECONDS(1000) ? 100 : 0;
}

static void test_pipelined_requests(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	assert_int_equal(run_client(&f, client_pipeline), 0);
	assert_int_equal(f.requests, 20);
	stop(&f);
}

static int client_later(struct fixture *f, int fd)
{
	char text[4096];

	(void)f;
	say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)read_until(fd, text, sizeof(text), "late\n");
	if (!strstr(text, "late\n"))
		return 1;
	say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)read_until(fd, text, sizeof(text), "late\n");
	return !strstr(text, "late\n");
}

static void test_reply_later(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	assert_int_equal(run_client(&f, client_later), 0);
	assert_int_equal(f.requests, 2);
	assert_int_equal(f.gone, 0);
	stop(&f);
}

static int client_leaves(struct fixture *f, int fd)
{
	(void)f;
	say(fd, "GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
	usleep(20000);
	return 0;
}

static void test_gone_before_the_answer(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	assert_int_equal(run_client(&f, client_leaves), 0);
	if (f.gone == 0)
		assert_int_equal(loop_run(f.loop), 0);
	assert_int_equal(f.gone, 1);
	stop(&f);
}

static int client_stream(struct fixture *f, int fd)
{
	char text[4096];

	(void)f;
	say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)read_until(fd, text, sizeof(text), "\r\n0\r\n\r\n");
	return !(strstr(text, "Transfer-Encoding: chunked") && strstr(text, "line 0\n") &&
		 strstr(text, "line 2\n") && strstr(text, "\r\n0\r\n\r\n"));
}

static void test_stream(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	assert_int_equal(run_client(&f, client_stream), 0);
	assert_int_equal(f.gone, 0);
	stop(&f);
}

static int client_leaves_stream(struct fixture *f, int fd)
{
	char text[4096];

	(void)f;
	say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)read_until(fd, text, sizeof(text), "line 0\n");
	return 0;
}

static void test_gone_from_a_stream(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	f.written = 100; /* no end of its own */
	assert_int_equal(run_client(&f, client_leaves), 0);
	if (f.gone == 0)
		assert_int_equal(loop_run(f.loop), 0);
	f.written = 0;
	assert_int_equal(run_client(&f, client_leaves_stream), 0);
	while (f.waiting)
		(void)sd_event_run(loop_sd(f.loop), MILLISECONDS(1));
	assert_true(f.gone >= 1);
	stop(&f);
}

static int client_never_reads(struct fixture *f, int fd)
{
	char text[65536];
	ssize_t r;

	(void)f;
	say(fd, "GET /flood HTTP/1.1\r\nHost: x\r\n\r\n");
	usleep(100000);
	do
		r = read(fd, text, sizeof(text));
	while (r > 0);
	return 0;
}

static void test_slow_reader_is_bounded(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	assert_int_equal(run_client(&f, client_never_reads), 0);
	assert_int_equal(f.last_write, -ENOBUFS);
	assert_int_equal(f.written, 16); /* 1 MiB in blocks of 64 KiB */
	assert_int_equal(f.gone, 0);
	stop(&f);
}

static int client_peer(struct fixture *f, int fd)
{
	char text[4096];

	(void)f;
	say(fd, "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)read_until(fd, text, sizeof(text), "peer\n");
	return !strstr(text, "peer\n");
}

static void test_peer_of_a_unix_socket(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, true);
	assert_int_equal(run_client(&f, client_peer), 0);
	assert_int_equal(f.last_write, 0);
	assert_int_equal(f.peer.uid, getuid());
	assert_int_equal(f.peer.gid, getgid());
	assert_true(f.peer.pid > 0 && f.peer.pid != getpid());
	assert_false(f.in_group);
	stop(&f);
	start(&f, false);
	assert_int_equal(run_client(&f, client_peer), 0);
	assert_int_equal(f.last_write, -ENOTCONN);
	stop(&f);
}

/* Becomes nobody, with a group beside its own. */
static int leave_root(void)
{
	const gid_t group = PEER_GROUP;

	return setgroups(1, &group) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0 ? -1 : 0;
}

static int client_in_group(struct fixture *f, int fd)
{
	close(fd);
	return leave_root() < 0 ? 2 : client_peer(f, connect_to(f));
}

static void test_groups_of_a_peer(void **state)
{
	struct fixture f;

	(void)state;
	if (getuid() != 0)
		skip();
	start(&f, true);
	assert_int_equal(run_client(&f, client_in_group), 0);
	assert_int_equal(f.peer.uid, NOBODY);
	assert_int_equal(f.peer.gid, NOBODY);
	assert_true(f.in_group);
	assert_false(f.in_other_group);
	stop(&f);
}

/* Root's first connection, two of nobody, and the third is closed; one less, and there is room. */
static int client_too_many(struct fixture *f, int fd)
{
	char c;
	int first, r;

	if (leave_root() < 0)
		return 2;
	first = connect_to(f);
	if (client_peer(f, first) || client_peer(f, connect_to(f)))
		return 3;
	if (read(connect_to(f), &c, 1) > 0)
		return 4;
	close(first);
	do {
		fd = connect_to(f);
		say(fd, "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n");
		r = (int)read(fd, &c, 1);
		close(fd);
	} while (r <= 0);
	return 0;
}

static void test_connections_of_one_uid(void **state)
{
	struct fixture f;

	(void)state;
	if (getuid() != 0)
		skip();
	(void)signal(SIGPIPE, SIG_IGN);
	start(&f, true);
	assert_int_equal(run_client(&f, client_too_many), 0);
	stop(&f);
}

/* More connections than the server takes: those that came first leave, the others get their turn.
 */
static int client_crowd(struct fixture *f, int fd)
{
	int all[12];

	for (int i = 0; i < 12; i++)
		all[i] = connect_to(f);
	close(fd);
	for (int i = 0; i < 12; i++) {
		if (client_peer(f, all[i]))
			return 10 + i;
		close(all[i]);
	}
	return 0;
}

static void test_more_connections_than_allowed(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	assert_int_equal(run_client(&f, client_crowd), 0);
	assert_int_equal(f.requests, 12);
	stop(&f);
}

struct hoard {
	int fds[64];
	size_t n;
};

static void on_release(struct timer *t, void *userdata)
{
	struct hoard *h = userdata;

	(void)t;
	while (h->n > 0)
		close(h->fds[--h->n]);
}

static int64_t cpu_us(const struct rusage *u)
{
	return (u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000 + u->ru_utime.tv_usec +
	       u->ru_stime.tv_usec;
}

static int client_frees_one(struct fixture *f, int fd)
{
	close(fd);
	close(STDIN_FILENO);
	return client_peer(f, connect_to(f));
}

/* accept(2) says EMFILE: the loop does not spin, and the client is served once there is room. */
static void test_without_descriptors(void **state)
{
	struct fixture f;
	struct rlimit before, few;
	struct timer *release;
	struct hoard h = {.n = 0};
	struct rusage a, b;

	(void)state;
	start(&f, false);
	assert_int_equal(timer_new_exact(&release, f.loop, on_release, &h), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){.rlim_cur = 40, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (h.n < ELEMENTSOF(h.fds) - 1 && (h.fds[h.n] = dup(STDERR_FILENO)) >= 0)
		h.n++;
	/* One for the pidfd of the child. */
	close(h.fds[--h.n]);
	timer_arm(release, MILLISECONDS(350));
	assert_int_equal(getrusage(RUSAGE_SELF, &a), 0);
	assert_int_equal(run_client(&f, client_frees_one), 0);
	assert_int_equal(getrusage(RUSAGE_SELF, &b), 0);
	assert_true(cpu_us(&b) - cpu_us(&a) < 150000);
	timer_free(release);
	on_release(NULL, &h);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	stop(&f);
}

static int client_too_long(struct fixture *f, int fd)
{
	char text[4096];

	(void)f;
	say(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
	(void)read_until(fd, text, sizeof(text), "too long");
	return !strstr(text, "HTTP/1.1 413");
}

static int client_too_long_chunks(struct fixture *f, int fd)
{
	char text[4096] = "";
	ssize_t n;

	(void)f;
	say(fd, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 11; i++) {
		memset(text, 'x', 100);
		text[100] = '\0';
		if (say(fd, "64\r\n") < 0 || say(fd, text) < 0 || say(fd, "\r\n") < 0)
			return 0;
	}
	n = read_until(fd, text, sizeof(text), "HTTP");
	return n > 0;
}

static void test_body_limit(void **state)
{
	struct fixture f;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	start(&f, false);
	assert_int_equal(run_client(&f, client_too_long), 0);
	assert_int_equal(run_client(&f, client_too_long_chunks), 0);
	assert_int_equal(f.requests, 0);
	stop(&f);
}

static int client_abort(struct fixture *f, int fd)
{
	char text[4096];

	(void)f;
	say(fd, "GET /abort HTTP/1.1\r\nHost: x\r\n\r\n");
	return read_until(fd, text, sizeof(text), "HTTP") != 0;
}

static int client_reset(struct fixture *f, int fd)
{
	char text[4096];

	(void)f;
	say(fd, "GET /reset HTTP/1.1\r\nHost: x\r\n\r\n");
	return read_until(fd, text, sizeof(text), "HTTP") != -ECONNRESET;
}

static void test_abort(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	assert_int_equal(run_client(&f, client_abort), 0);
	assert_int_equal(run_client(&f, client_reset), 0);
	assert_int_equal(f.requests, 2);
	assert_int_equal(f.gone, 0);
	stop(&f);
}

/* A probe that stays connected and a stream without news wake nobody. */
static void test_idle_sleeps(void **state)
{
	struct fixture f;
	uint64_t before, after, until;
	int fd;

	(void)state;
	start(&f, false);
	f.written = 100;
	fd = connect_to(&f);
	assert_true(fd >= 0);
	assert_int_equal(say(fd, "GET /never HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
	until = clock_now() + MILLISECONDS(100);
	while (clock_now() < until)
		(void)sd_event_run(loop_sd(f.loop), 10000);
	assert_int_equal(f.requests, 1);
	(void)sd_event_get_iteration(loop_sd(f.loop), &before);
	assert_int_equal(sd_event_run(loop_sd(f.loop), 300000), 0);
	(void)sd_event_get_iteration(loop_sd(f.loop), &after);
	assert_true(after - before <= 1);
	close(fd);
	stop(&f);
}

static void test_free_with_open_exchanges(void **state)
{
	struct fixture f;
	int fd[8];

	(void)state;
	start(&f, false);
	for (size_t i = 0; i < ELEMENTSOF(fd); i++) {
		fd[i] = connect_to(&f);
		assert_int_equal(say(fd[i], i % 2 ? "GET /never HTTP/1.1\r\nHost: x\r\n\r\n"
						  : "GET /never HTT"),
			0);
	}
	for (int i = 0; i < 50; i++)
		(void)sd_event_run(loop_sd(f.loop), 2000);
	assert_int_equal(f.requests, 4);
	stop(&f);
	assert_int_equal(f.gone, 0);
	for (size_t i = 0; i < ELEMENTSOF(fd); i++)
		close(fd[i]);
}

static void test_bad_address(void **state)
{
	struct http_options o = {.address = "not-an-address", .fd = -1};
	struct http_server *s = NULL;
	struct loop *l = NULL;
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(loop_new(&l), 0);
	assert_int_equal(http_server_new(&s, l, &o, &handler, NULL, &e), -EINVAL);
	assert_null(s);
	assert_non_null(strstr(e.text, "not-an-address"));
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_and_reply),
		cmocka_unit_test(test_pipelined_requests),
		cmocka_unit_test(test_reply_later),
		cmocka_unit_test(test_gone_before_the_answer),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_gone_from_a_stream),
		cmocka_unit_test(test_slow_reader_is_bounded),
		cmocka_unit_test(test_peer_of_a_unix_socket),
		cmocka_unit_test(test_groups_of_a_peer),
		cmocka_unit_test(test_connections_of_one_uid),
		cmocka_unit_test(test_more_connections_than_allowed),
		cmocka_unit_test(test_without_descriptors),
		cmocka_unit_test(test_body_limit),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_idle_sleeps),
		cmocka_unit_test(test_free_with_open_exchanges),
		cmocka_unit_test(test_bad_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
