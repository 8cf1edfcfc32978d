/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_packet.c: packets of one size and descriptors beside them */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/packet.h"

struct word {
	char text[32];
};

static int pair[2];

static int open_pair(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int close_pair(void **state)
{
	(void)state;
	pair[0] = fd_close(pair[0]);
	pair[1] = fd_close(pair[1]);
	return 0;
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void with_and_without_descriptor(void **state)
{
	struct word sent = {"hello"}, got;
	int pipefd[2], fd = -1;
	char c = 0;

	(void)state;
	assert_int_equal(packet_send(pair[0], &sent, sizeof(sent), -1), 0);
	assert_int_equal(packet_receive(pair[1], &got, sizeof(got), &fd), 0);
	assert_string_equal(got.text, "hello");
	assert_int_equal(fd, -1);
	assert_int_equal(pipe(pipefd), 0);
	assert_int_equal(packet_send(pair[0], &sent, sizeof(sent), pipefd[1]), 0);
	close(pipefd[1]);
	assert_int_equal(packet_receive(pair[1], &got, sizeof(got), &fd), 0);
	assert_true(fd >= 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(pipefd[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	close(fd);
	close(pipefd[0]);
}

static void never_waits(void **state)
{
	struct word w = {""};
	int fd, r;

	(void)state;
	assert_int_equal(packet_receive(pair[1], &w, sizeof(w), &fd), -EAGAIN);
	while ((r = packet_send(pair[0], &w, sizeof(w), -1)) == 0)
		;
	assert_int_equal(r, -EAGAIN);
}

static void other_sizes_are_refused(void **state)
{
	char big[100] = "";
	struct word w = {""};
	int before = open_descriptors(), fd = -1;

	(void)state;
	assert_int_equal(packet_send(pair[0], big, sizeof(big), 0), 0);
	assert_int_equal(packet_receive(pair[1], &w, sizeof(w), &fd), -EPROTO);
	assert_int_equal(packet_send(pair[0], big, 3, 0), 0);
	assert_int_equal(packet_receive(pair[1], &w, sizeof(w), &fd), -EPROTO);
	assert_int_equal(fd, -1);
	assert_int_equal(open_descriptors(), before);
}

/* Three descriptors in one packet: none stays open. */
static void many_descriptors_are_refused(void **state)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(3 * sizeof(int))];
	} control = {.h = {.cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS,
			     .cmsg_len = CMSG_LEN(3 * sizeof(int))}};
	const int fds[3] = {0, 1, 2};
	struct word w = {""};
	struct iovec iov = {&w, sizeof(w)};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	int before = open_descriptors(), fd = -1;

	(void)state;
	memcpy(CMSG_DATA(&control.h), fds, sizeof(fds));
	assert_int_equal(sendmsg(pair[0], &m, 0), sizeof(w));
	assert_int_equal(packet_receive(pair[1], &w, sizeof(w), &fd), -EPROTO);
	assert_int_equal(open_descriptors(), before);
}

static void end_of_the_peer(void **state)
{
	struct word w = {""};
	int fd;

	(void)state;
	pair[0] = fd_close(pair[0]);
	assert_int_equal(packet_receive(pair[1], &w, sizeof(w), &fd), -ECONNRESET);
	assert_int_equal(packet_send(pair[1], &w, sizeof(w), -1), -EPIPE);
}

static void as_many_as_asked_for(void **state)
{
	char bytes[512] = {0};

	close_pair(state);
	assert_int_equal(packet_pair(pair, 256), 0);
	for (int way = 0; way < 2; way++)
		for (int i = 0; i < 256; i++)
			assert_int_equal(packet_send(pair[way], bytes, sizeof(bytes), -1), 0);
	assert_int_equal(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, open_pair, close_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(as_many_as_asked_for),
		TEST(with_and_without_descriptor),
		TEST(never_waits),
		TEST(other_sizes_are_refused),
		TEST(many_descriptors_are_refused),
		TEST(end_of_the_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
