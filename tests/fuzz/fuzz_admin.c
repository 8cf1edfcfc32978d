/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_admin.c: whole connections on the admin socket, in pieces, by root: nothing is detached but
 * what may be, and others are still served
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/admin.h"
#include "agent/admin_post.h"
#include "base/log.h"
#include "base/str.h"
#include "tests/unit/view_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct loop *loop;
	struct view_world world;
	struct doctor_kernel kernel;
	struct admin *admin;
	struct sockaddr_un address;
	socklen_t size;
} f;

/* An abstract socket: no file stays. */
static void start(void)
{
	struct admin_options o = {.gid = ADMIN_NO_GROUP, .kernel = &f.kernel};
	struct err e = ERR_NULL;
	int n;

	log_setup("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	f.address.sun_family = AF_UNIX;
	n = snprintf(
		f.address.sun_path + 1, sizeof(f.address.sun_path) - 1, "berth-fuzz-%d", getpid());
	f.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	o.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (loop_new(&f.loop) < 0 || bind(o.fd, (struct sockaddr *)&f.address, f.size) < 0 ||
		listen(o.fd, 64) < 0)
		abort();
	view_world_init(&f.world, f.loop);
	view_world_hang(&f.world);
	if (admin_new(&f.admin, f.loop, &o, &f.world.view, &e) < 0)
		abort();
}

static void turn(unsigned n)
{
	while (n-- > 0 && sd_event_run(loop_sd(f.loop), 0) > 0)
		;
}

static int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&f.address, f.size) < 0)
		abort();
	return fd;
}

static void drain(int fd)
{
	char text[65536];

	while (read(fd, text, sizeof(text)) > 0)
		turn(8);
}

/* The first byte says how long a piece is. */
static void say(const uint8_t *data, size_t size)
{
	const size_t piece = size > 0 ? 1U + *data : 1;
	int fd = dial();

	for (size_t at = 1; at < size; at += piece) {
		const size_t n = size - at < piece ? size - at : piece;

		if (send(fd, data + at, n, MSG_NOSIGNAL) < 0)
			break;
		turn(8);
		drain(fd);
	}
	(void)shutdown(fd, SHUT_WR);
	turn(16);
	drain(fd);
	close(fd);
	turn(16);
}

static void check_served(void)
{
	static const char request[] = "GET /v1/node HTTP/1.1\r\nHost: x\r\n\r\n";
	char text[4096];
	int fd = dial();
	ssize_t n = -1;

	if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
		abort();
	for (int i = 0; i < 1000 && n <= 0; i++) {
		turn(8);
		n = read(fd, text, sizeof(text));
	}
	if (n < 12 || memcmp(text, "HTTP/1.1 200", 12) != 0)
		abort();
	close(fd);
	turn(16);
}

/* A body alone. */
static void check_order(const uint8_t *data, size_t size)
{
	struct admin_order o;
	struct err e = ERR_NULL;

	if (admin_order_parse(&o, (const char *)data, size, &e) < 0) {
		if (!*e.text)
			abort();
	} else if (admin_may_detach(&f.world.view, o.target, &e) == 0 &&
		   !streq(o.target, f.world.mounts[2].target)) {
		abort();
	}
	admin_order_done(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!f.admin)
		start();
	check_order(data, size);
	say(data, size);
	check_served();
	if (*f.world.detached && !streq(f.world.detached, f.world.mounts[2].target))
		abort();
	return 0;
}
