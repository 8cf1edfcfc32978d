/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_reserved.c: reserved ports: who may have one, and that each is another */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/reserved.h"
#include "base/str.h"

#define NOBODY 65534

static int port_of(int fd)
{
	struct sockaddr_storage ss = {0};
	socklen_t size = sizeof(ss);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &size), 0);
	return ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port
					      : ((struct sockaddr_in *)&ss)->sin_port);
}

static void test_each_another(void **state)
{
	int fds[8], ports[ELEMENTSOF(fds)];

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
		int family = i % 2 ? AF_INET6 : AF_INET;

		fds[i] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fds[i] < 0)
			skip();
		assert_int_equal(reserved_bind(fds[i], family), 0);
		ports[i] = port_of(fds[i]);
		assert_in_range(ports[i], 512, 1023);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(ports[k], ports[i]);
	}
	for (size_t i = 0; i < ELEMENTSOF(fds); i++)
		fd_close(fds[i]);
}

static int sysctl_set(const char *value)
{
	int fd = open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : fd_write_all(fd, value, strlen(value));

	fd_close(fd);
	return r;
}

/* In a network namespace of our own; its exit status says how far it came. */
static int without_power(const char *start, int expected)
{
	int fd, r;

	if (unshare(CLONE_NEWNET) < 0 || sysctl_set(start) < 0)
		return 77;
	if (setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return 2;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = fd < 0 ? -errno : reserved_bind(fd, AF_INET);
	return r == expected ? 0 : 3;
}

static void assert_without_power(const char *start, int expected)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(without_power(start, expected));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_without_power(void **state)
{
	(void)state;
	assert_without_power("1024", -EACCES);
}

static void test_free_for_all(void **state)
{
	(void)state;
	assert_without_power("512", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_another),
		cmocka_unit_test(test_without_power),
		cmocka_unit_test(test_free_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
