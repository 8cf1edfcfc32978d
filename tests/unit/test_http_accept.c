/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_accept.c: who connects, and how many may */
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/unit/http_world.h"

#define NOBODY 65534

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
	if (getuid() != 0) {
		print_message("# needs root\n");
		skip();
	}
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

/* Clients that take other uids. */
static void serve_users(struct fixture *f, int (*client)(struct fixture *f, int fd))
{
	if (getuid() != 0) {
		print_message("# needs root\n");
		skip();
	}
	start(f, true);
	assert_int_equal(run_client(f, client), 0);
}

static void test_connections_of_one_uid(void **state)
{
	struct fixture f;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	serve_users(&f, client_too_many);
	stop(&f);
}

/* Users one after the other, each with as many as it may; then root. */
static int client_users(struct fixture *f, int fd)
{
	for (uid_t uid = 1001; uid <= 1004; uid++) {
		if (seteuid(uid) < 0)
			return 2;
		(void)connect_to(f);
		(void)connect_to(f);
		if (seteuid(0) < 0)
			return 3;
	}
	close(fd);
	for (int i = 0; i < 3; i++) {
		fd = connect_to(f);
		if (client_peer(f, fd))
			return 4;
		close(fd);
	}
	return 0;
}

static void test_users_do_not_keep_root_out(void **state)
{
	struct fixture f;

	(void)state;
	serve_users(&f, client_users);
	assert_int_equal(f.peer.uid, 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peer_of_a_unix_socket),
		cmocka_unit_test(test_groups_of_a_peer),
		cmocka_unit_test(test_connections_of_one_uid),
		cmocka_unit_test(test_users_do_not_keep_root_out),
		cmocka_unit_test(test_more_connections_than_allowed),
		cmocka_unit_test(test_without_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
