/* SPDX-License-Identifier: Apache-2.0 */
/* http_world.c: the server's handler, its clients */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/unit/http_world.h"

/* A client that takes longer has found a server that does not answer. */
#define CLIENT_SECONDS 10

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

const struct http_handler http_world_handler = {on_request, on_gone};

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

void start(struct fixture *f, bool on_unix)
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
	assert_int_equal(http_server_new(&f->server, f->loop, &o, &http_world_handler, f, &e), 0);
	assert_int_equal(http_server_port(f->server) != 0, !on_unix);
}

void stop(struct fixture *f)
{
	http_server_free(f->server);
	child_free(f->child);
	timer_free(f->timer);
	loop_free(f->loop);
	if (*f->unix_path)
		(void)unlink(f->unix_path);
}

int connect_to(struct fixture *f)
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

int run_client(struct fixture *f, client_fn fn)
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

int say(int fd, const char *text)
{
	return fd_write_all(fd, text, strlen(text));
}

ssize_t read_until(int fd, char *dst, size_t size, const char *text)
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
