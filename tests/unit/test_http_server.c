/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_server.c: the server against a client of its own in a child process */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/unit/http_world.h"

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
	assert_int_equal(http_server_new(&s, l, &o, &http_world_handler, NULL, &e), -EINVAL);
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
		cmocka_unit_test(test_body_limit),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_idle_sleeps),
		cmocka_unit_test(test_free_with_open_exchanges),
		cmocka_unit_test(test_bad_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
