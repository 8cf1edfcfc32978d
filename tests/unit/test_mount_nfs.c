/* SPDX-License-Identifier: Apache-2.0 */
/* test_mount_nfs.c: what the NFS recipe does before the kernel is asked, and where it cannot be */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "mount/nfs_mount.h"
#include "mount/nfs_source.h"
#include "mount/nfs_try.h"
#include "mount/rpcping.h"
#include "tests/unit/mount_world.h"

static struct err error;

/* ---- texts ------------------------------------------------------------------------------------
 */

static void sources(void **state)
{
	static const struct {
		const char *server, *path, *source;
	} fine[] = {
		{"files.example", "/srv/x", "files.example:/srv/x"},
		{"10.0.0.1", "/", "10.0.0.1:/"},
		{"fd00::1", "/a b", "[fd00::1]:/a b"},
		{"fe80::1%eth0", "/x:y", "[fe80::1%eth0]:/x:y"},
	};
	static const char *const wrong[][2] = {{"", "/x"}, {"a,b", "/x"}, {"a/b", "/x"},
		{"[::1]", "/x"}, {"a b", "/x"}, {"a\nb", "/x"}, {"a", "x"}, {"a", ""},
		{"a", "/x\ny"}};
	static const char *const no_source[] = {"", "tmpfs", "/dev/sda1", ":/x", "a:", "a:b",
		"[::1]", "[::1]/x", "[]:/x", "[::1:/x"};
	char source[64], server[32];
	const char *path;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(fine); i++) {
		assert_int_equal(nfs_source_format(source, sizeof(source), fine[i].server,
					 fine[i].path, &error),
			0);
		assert_string_equal(source, fine[i].source);
		assert_int_equal(nfs_source_split(source, server, sizeof(server), &path), 0);
		assert_string_equal(server, fine[i].server);
		assert_string_equal(path, fine[i].path);
	}
	for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
		assert_int_equal(
			nfs_source_format(source, sizeof(source), wrong[i][0], wrong[i][1], &error),
			-EINVAL);
	for (size_t i = 0; i < ELEMENTSOF(no_source); i++)
		assert_int_equal(
			nfs_source_split(no_source[i], server, sizeof(server), &path), -EINVAL);
	assert_int_equal(nfs_source_format(source, 8, "server", "/x", &error), -ENAMETOOLONG);
	assert_int_equal(nfs_source_split("server:/x", server, 6, &path), -EINVAL);
}

static void kernel_data(void **state)
{
	struct nfs_mount m = {
		.address = "10.0.0.1", .options = "hard,context=\"a,b\",mountport=20048"};
	struct nfs_try t = {.m = &m, .version = NFS_4_1, .clientaddr = "10.0.0.9"};
	char text[NFS_DATA_MAX];
	static char big[NFS_DATA_MAX];

	(void)state;
	assert_int_equal(nfs_try_data(&t, text), 0);
	assert_string_equal(text,
		"vers=4.1,proto=tcp,addr=10.0.0.1,clientaddr=10.0.0.9,hard,context=\"a,b\","
		"mountport=20048");
	m.options = "mountproto=udp,proto=rdma,soft";
	t.version = NFS_3;
	t.ipv6 = true;
	t.add_nolock = true;
	m.address = "fd00::1";
	assert_int_equal(nfs_try_data(&t, text), 0);
	assert_string_equal(text, "vers=3,proto=rdma6,addr=fd00::1,mountproto=udp6,nolock,soft");
	m.options = "proto=tcp6";
	t.ipv6 = false;
	m.address = "10.0.0.1";
	t.add_nolock = false;
	assert_int_equal(nfs_try_data(&t, text), 0);
	assert_string_equal(text, "vers=3,proto=tcp,addr=10.0.0.1");
	m.options = NULL;
	assert_int_equal(nfs_try_data(&t, text), 0);
	memset(big, 'a', sizeof(big) - 1);
	m.options = big;
	assert_int_equal(nfs_try_data(&t, text), -ENAMETOOLONG);
}

/* ---- servers ----------------------------------------------------------------------------------
 */

struct server {
	int fd;
	pid_t pid;
	struct sockaddr_storage address;
	socklen_t size;
};

/* A server whose only answer is these words, after the call's xid; n == 0: it says nothing; cut:
 * only so many bytes of it. */
static struct server serve(const uint32_t *words, size_t n, size_t cut)
{
	struct server s = {.size = sizeof(s.address)};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	s.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s.fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(s.fd, 8), 0);
	assert_int_equal(getsockname(s.fd, (struct sockaddr *)&s.address, &s.size), 0);
	s.pid = fork();
	assert_true(s.pid >= 0);
	while (s.pid == 0) {
		int c = accept(s.fd, NULL, NULL);
		uint32_t call[11], reply[16];
		size_t size = (n + 1) * 4;

		if (c < 0 || recv(c, call, sizeof(call), MSG_WAITALL) != sizeof(call))
			_exit(1);
		if (n == 0)
			pause();
		reply[0] = htonl(0x80000000U | (uint32_t)size);
		reply[1] = call[1];
		for (size_t i = 0; i < n; i++)
			reply[2 + i] = htonl(words[i]);
		/* In two pieces, to be put together. */
		if (send(c, reply, 6, MSG_NOSIGNAL) < 0 ||
			send(c, (char *)reply + 6, (cut ? cut : size + 4) - 6, MSG_NOSIGNAL) < 0)
			_exit(1);
		close(c);
	}
	return s;
}

static void end(struct server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	close(s->fd);
}

static int ping(const uint32_t *words, size_t n, size_t cut, unsigned ms)
{
	struct server s = serve(words, n, cut);
	int r = rpcping_null(&s.address, s.size, RPC_PROGRAM_NFS, 4, ms);

	end(&s);
	return r;
}

static void answers(void **state)
{
	static const uint32_t good[] = {1, 0, 0, 0, 0}, mismatch[] = {1, 0, 0, 0, 2, 3, 3},
			      unavailable[] = {1, 0, 0, 0, 1}, denied[] = {1, 1, 1, 5},
			      a_call[] = {0, 2, 100003, 4, 0}, tiny[] = {1};

	(void)state;
	assert_int_equal(ping(good, 5, 0, 60000), 0);
	assert_int_equal(ping(mismatch, 7, 0, 60000), -EPROTONOSUPPORT);
	assert_int_equal(ping(unavailable, 5, 0, 60000), -EPROTONOSUPPORT);
	assert_int_equal(ping(denied, 4, 0, 60000), 0);
	assert_int_equal(ping(a_call, 5, 0, 60000), -EPROTO);
	assert_int_equal(ping(tiny, 1, 0, 60000), 0);
	assert_int_equal(ping(good, 5, 12, 60000), -ECONNRESET);
	assert_int_equal(ping(NULL, 0, 0, 50), -ETIMEDOUT);
}

static void addresses(void **state)
{
	struct sockaddr_storage to;
	socklen_t size;

	(void)state;
	assert_int_equal(rpcping_address("127.0.0.1", 1, &to, &size), 0);
	assert_int_equal(to.ss_family, AF_INET);
	assert_int_equal(rpcping_address("::1", 1, &to, &size), 0);
	assert_int_equal(to.ss_family, AF_INET6);
	assert_int_equal(rpcping_address("fe80::1%lo", 1, &to, &size), 0);
	assert_int_equal(((struct sockaddr_in6 *)&to)->sin6_scope_id, if_nametoindex("lo"));
	assert_int_equal(rpcping_address("fe80::1%77", 1, &to, &size), 0);
	assert_int_equal(((struct sockaddr_in6 *)&to)->sin6_scope_id, 77);
	assert_int_equal(rpcping_address("fe80::1%nowhere", 1, &to, &size), -EINVAL);
	assert_int_equal(rpcping_address("fe80::1%", 1, &to, &size), -EINVAL);
	assert_int_equal(rpcping_address("10.0.0.1%lo", 1, &to, &size), -EINVAL);
	assert_int_equal(rpcping_address("localhost", 1, &to, &size), -EINVAL);
	assert_int_equal(rpcping_address("", 1, &to, &size), -EINVAL);
	assert_int_equal(rpcping_address("10.0.0.1:2049", 1, &to, &size), -EINVAL);
}

/* ---- the recipe -------------------------------------------------------------------------------
 */

static int mount_it(struct nfs_mount *m, struct nfs_mounted *ret)
{
	m->target = (struct place){mount_world_root(), "exports/e1"};
	mount_world_mkdir("exports");
	err_clear(&error);
	return nfs_mount_make(m, ret, &error);
}

static void what_cannot_be_mounted(void **state)
{
	static const struct nfs_mount wrong[] = {
		{.server = "a,b", .address = "127.0.0.1", .path = "/x"},
		{.server = "a", .address = "localhost", .path = "/x"},
		{.server = "a", .address = "127.0.0.1", .path = "x"},
		{.server = "a", .address = "127.0.0.1", .path = "/x", .version = 43},
	};
	struct nfs_mount m;
	struct nfs_mounted made;

	(void)state;
	mount_world_need();
	for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
		m = wrong[i];
		assert_int_equal(mount_it(&m, &made), -EINVAL);
		assert_false(mount_world_exists("exports/e1"));
	}
}

static void servers_that_do_not_answer(void **state)
{
	static const uint32_t mismatch[] = {1, 0, 0, 0, 2, 3, 3};
	struct server silent, old;
	char port[32];
	struct nfs_mount m = {.server = "files",
		.address = "127.0.0.1",
		.path = "/x",
		.options = port,
		.probe_ms = 50};
	struct nfs_mounted made;

	(void)state;
	mount_world_need();
	silent = serve(NULL, 0, 0);
	old = serve(mismatch, 7, 0);
	snprintf(port, sizeof(port), "port=%d",
		ntohs(((struct sockaddr_in *)&silent.address)->sin_port));
	assert_int_equal(mount_it(&m, &made), -ETIMEDOUT);
	assert_non_null(strstr(error.text, "NFS server files (127.0.0.1 port "));
	assert_false(mount_world_exists("exports/e1"));
	snprintf(port, sizeof(port), "port=%d",
		ntohs(((struct sockaddr_in *)&old.address)->sin_port));
	m.version = NFS_4_1;
	m.probe_ms = 60000;
	assert_int_equal(mount_it(&m, &made), -EPROTONOSUPPORT);
	assert_string_equal(error.text, "server files (127.0.0.1) does not offer NFS 4.1");
	m.version = NFS_4;
	assert_int_equal(mount_it(&m, &made), -EPROTONOSUPPORT);
	end(&old);
	/* Its port is free now. */
	assert_int_equal(mount_it(&m, &made), -ECONNREFUSED);
	end(&silent);
}

static void a_kernel_without_nfs(void **state)
{
	struct nfs_mount m = {.server = "files", .address = "127.0.0.1", .path = "/x"};
	struct nfs_mounted made;

	(void)state;
	mount_world_need();
	if (nfs_mount_available(&error) == 0) {
		printf("# this kernel has an NFS client\n");
		skip();
	}
	assert_non_null(strstr(error.text, "no NFS client"));
	assert_int_equal(mount_it(&m, &made), -ENODEV);
	assert_non_null(strstr(error.text, "no NFS client"));
	assert_false(mount_world_exists("exports/e1"));
}

static void the_target_is_taken(void **state)
{
	struct nfs_mount m = {.server = "files", .address = "127.0.0.1", .path = "/x"};
	struct nfs_mounted made;

	(void)state;
	mount_world_need();
	mount_world_tmpfs("exports/e1", NULL);
	assert_int_equal(mount_it(&m, &made), -EEXIST);
	assert_non_null(strstr(error.text, "other (tmpfs)"));
	assert_int_equal(mount_world_count("exports/e1"), 1);
	mount_world_umount_all("exports/e1");
	mount_world_mkdir("exports/e1/content");
	assert_int_equal(mount_it(&m, &made), -ENOTEMPTY);
	assert_true(mount_world_exists("exports/e1/content"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources),
		cmocka_unit_test(kernel_data),
		cmocka_unit_test(answers),
		cmocka_unit_test(addresses),
		cmocka_unit_test(what_cannot_be_mounted),
		cmocka_unit_test(servers_that_do_not_answer),
		cmocka_unit_test(a_kernel_without_nfs),
		cmocka_unit_test(the_target_is_taken),
	};

	return cmocka_run_group_tests(tests, mount_world_setup, mount_world_teardown);
}
