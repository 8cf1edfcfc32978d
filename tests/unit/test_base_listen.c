/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_listen.c: sockets published at once, replaced when dead, left alone when alive */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/listen.h"
#include "base/str.h"

static char root[64];
static struct listen_base base;

static int make_root(void **state)
{
	(void)state;
	str_copy_cut(root, sizeof(root), "/tmp/berth-listen.XXXXXX");
	if (!mkdtemp(root))
		return -1;
	base = (struct listen_base){.path = root, .fd = open(root, O_PATH | O_CLOEXEC)};
	return base.fd < 0 ? -1 : 0;
}

static void path_of(char dst[static 256], const char *name)
{
	assert_true(str_format(dst, 256, "%s/%s", root, name) >= 0);
}

static int remove_root(void **state)
{
	static const char *const names[] = {
		"a/b/s.sock", "s.sock", ".s.sock.tmp", "other", "a/b", "a"};
	char path[256];

	(void)state;
	fd_close(base.fd);
	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		path_of(path, names[i]);
		if (unlink(path) < 0)
			rmdir(path);
	}
	return rmdir(root);
}

static int reach(const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	assert_true(str_format(a.sun_path, sizeof(a.sun_path), "%s/%s", root, name) >= 0);
	r = connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static void appears_with_its_mode_and_accepts(void **state)
{
	char path[256];
	struct stat st;
	int fd = listen_publish(&base, "s.sock", 0660, NULL);

	(void)state;
	assert_true(fd >= 0);
	path_of(path, "s.sock");
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(reach("s.sock"), 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK && fcntl(fd, F_GETFD) & FD_CLOEXEC);
	path_of(path, ".s.sock.tmp");
	assert_int_equal(access(path, F_OK), -1);
	close(fd);
}

/* What a kubelet sees by inotify: the name comes by a rename, after listen(). */
static void watchers_see_a_move(void **state)
{
	char buffer[4096], *p = buffer;
	int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), fd;
	bool moved = false;
	ssize_t n;

	(void)state;
	assert_true(inotify_add_watch(watch, root, IN_CREATE | IN_MOVED_TO) >= 0);
	fd = listen_publish(&base, "s.sock", 0600, NULL);
	assert_true(fd >= 0);
	n = read(watch, buffer, sizeof(buffer));
	assert_true(n > 0);
	while (p < buffer + n) {
		struct inotify_event *event = (void *)p;

		assert_true(event->mask & IN_MOVED_TO || event->name[0] == '.');
		moved = moved || (event->mask & IN_MOVED_TO && streq(event->name, "s.sock"));
		p += sizeof(*event) + event->len;
	}
	assert_true(moved);
	close(fd);
	close(watch);
}

static void directories_are_made(void **state)
{
	int fd = listen_publish(&base, "a/b/s.sock", 0600, NULL);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(reach("a/b/s.sock"), 0);
	close(fd);
}

static void dead_and_own_ones_are_replaced(void **state)
{
	int first = listen_publish(&base, "s.sock", 0600, NULL), second, third;

	(void)state;
	second = listen_publish(&base, "s.sock", 0600, NULL);
	assert_true(first >= 0 && second >= 0);
	close(first);
	assert_int_equal(reach("s.sock"), 0);
	close(second);
	assert_int_equal(reach("s.sock"), -ECONNREFUSED);
	third = listen_publish(&base, "s.sock", 0600, NULL);
	assert_true(third >= 0);
	close(third);
}

static void living_ones_stay(void **state)
{
	struct err e = ERR_NULL;
	int ready[2], done[2], status;
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(done), 0);
	pid = fork();
	if (pid == 0) {
		int fd = listen_publish(&base, "s.sock", 0600, NULL);

		if (fd < 0 || write(ready[1], "x", 1) != 1 || read(done[0], &c, 1) != 1)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(listen_publish(&base, "s.sock", 0600, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, root));
	assert_int_equal(listen_remove(&base, "s.sock", NULL), -EADDRINUSE);
	assert_int_equal(reach("s.sock"), 0);
	assert_int_equal(write(done[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(listen_remove(&base, "s.sock", NULL), 0);
	assert_int_equal(reach("s.sock"), -ENOENT);
	for (size_t i = 0; i < 2; i++) {
		close(ready[i]);
		close(done[i]);
	}
}

static void what_is_no_socket_stays(void **state)
{
	char path[256];
	struct stat st;
	int fd;

	(void)state;
	path_of(path, "s.sock");
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(listen_publish(&base, "s.sock", 0600, NULL), -EEXIST);
	assert_int_equal(listen_remove(&base, "s.sock", NULL), -EEXIST);
	assert_int_equal(stat(path, &st), 0);
	/* A symlink neither, wherever it points. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_int_equal(listen_publish(&base, "s.sock", 0600, NULL), -EEXIST);
	assert_int_equal(lstat(path, &st), 0);
	/* Nor as a directory on the way. */
	path_of(path, "other");
	assert_int_equal(symlink("/tmp", path), 0);
	assert_int_equal(listen_publish(&base, "other/s.sock", 0600, NULL), -ENOTDIR);
}

static void removal_of_nothing(void **state)
{
	(void)state;
	assert_int_equal(listen_remove(&base, "s.sock", NULL), 0);
}

static void bad_paths(void **state)
{
	static const char *const bad[] = {
		"", "/s.sock", "../s.sock", "a/../s.sock", "a//s.sock", "a/"};
	struct err e = ERR_NULL;
	char longest[200];
	int fd;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_int_equal(listen_publish(&base, bad[i], 0600, NULL), -EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[107 - strlen(root)] = '\0';
	assert_int_equal(listen_publish(&base, longest, 0600, &e), -ENAMETOOLONG);
	assert_non_null(strstr(e.text, "107"));
	/* One byte less: everybody can connect. */
	longest[106 - strlen(root)] = '\0';
	fd = listen_publish(&base, longest, 0600, NULL);
	assert_true(fd >= 0);
	assert_int_equal(reach(longest), 0);
	close(fd);
	assert_int_equal(listen_remove(&base, longest, NULL), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_root, remove_root)

static void connects_as_others_do(void **state)
{
	int fd = listen_publish(&base, "a/b/s.sock", 0600, NULL);
	int one, other;
	struct err e = ERR_NULL;

	(void)state;
	assert_true(fd >= 0);
	one = listen_connect(&base, "a/b/s.sock", &e);
	assert_true(one >= 0);
	other = accept(fd, NULL, NULL);
	assert_true(other >= 0);
	assert_int_equal(write(one, "x", 1), 1);
	assert_int_equal(read(other, &(char){0}, 1), 1);
	close(one);
	close(other);
	close(fd);
	assert_int_equal(listen_connect(&base, "a/b/s.sock", &e), -ECONNREFUSED);
	assert_non_null(strstr(e.text, "a/b/s.sock: Connection refused"));
	assert_int_equal(listen_connect(&base, "a/nowhere/s.sock", &e), -ENOENT);
	assert_int_equal(listen_connect(&base, "../s.sock", &e), -EINVAL);
	assert_int_equal(listen_remove(&base, "a/b/s.sock", &e), 0);
	assert_int_equal(listen_connect(&base, "a/b/s.sock", &e), -ENOENT);
}

/* A child with a listening socket; it ends when it is told to. */
static pid_t other_listens(const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int ready[2];
	pid_t pid;

	assert_true(str_format(a.sun_path, sizeof(a.sun_path), "%s/%s", root, name) >= 0);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0 ||
			write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &(char){0}, 1), 1);
	close(ready[0]);
	return pid;
}

static void connects_to_nobody_else(void **state)
{
	pid_t pid = other_listens("s.sock");
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(listen_connect(&base, "s.sock", &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "listens on s.sock"));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(appears_with_its_mode_and_accepts),
		TEST(connects_as_others_do),
		TEST(connects_to_nobody_else),
		TEST(watchers_see_a_move),
		TEST(directories_are_made),
		TEST(dead_and_own_ones_are_replaced),
		TEST(living_ones_stay),
		TEST(what_is_no_socket_stays),
		TEST(removal_of_nothing),
		TEST(bad_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
