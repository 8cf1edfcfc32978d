/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_fd.c: descriptors and whole files */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "tests/unit/fault.h"

static char dir[] = "/tmp/berth-test-fd-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink("file");
	return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

/* That many files and no more: no temporary one stays. */
static void assert_files(int n)
{
	DIR *d = opendir(".");
	int found = 0;

	assert_non_null(d);
	while (readdir(d))
		found++;
	closedir(d);
	assert_int_equal(found - 2, n);
}

static void assert_content(const char *path, const char *text)
{
	_cleanup_buf_ struct buf b = BUF_NULL(100000);

	assert_int_equal(file_read(path, &b, NULL), 0);
	assert_string_equal(b.data ? b.data : "", text);
}

static void close_keeps_errno(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	errno = ENODATA;
	assert_int_equal(fd_close(-1), -1);
	fds[0] = fd_close(fds[0]);
	assert_int_equal(fds[0], -1);
	{
		_cleanup_close_ int scoped = fds[1];

		assert_true(scoped >= 0);
	}
	assert_int_equal(errno, ENODATA);
	assert_int_equal(fcntl(fds[1], F_GETFD), -1);
	/* A number that is no descriptor does no harm, and says nothing. */
	errno = ENODATA;
	fd_close(fds[1]);
	assert_int_equal(errno, ENODATA);
}

static void take_fd_leaves_nothing(void **state)
{
	int fd = 5;

	(void)state;
	assert_int_equal(TAKE_FD(fd), 5);
	assert_int_equal(fd, -1);
}

static void flags(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fd_set_nonblock(fds[0], true), 0);
	assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_nonblock(fds[0], false), 0);
	assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(fd_set_nonblock(fds[0], true), -EBADF);
}

static void on_alarm(int signo)
{
	(void)signo;
}

/* More than a socket holds, read slowly, with signals in between: short writes and EINTR happen. */
static void write_all_goes_on(void **state)
{
	const struct sigaction sa = {.sa_handler = on_alarm};
	const struct itimerval tick = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
	static char data[1 << 20], back[1 << 20];
	int sv[2];
	pid_t pid;
	int status;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 251);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(sv[0]);
		for (size_t n = 0; n < sizeof(back); n += 65536) {
			usleep(3000);
			if (recv(sv[1], back + n, 65536, MSG_WAITALL) != 65536)
				_exit(2);
		}
		_exit(memcmp(data, back, sizeof(data)) == 0 ? 0 : 1);
	}
	close(sv[1]);
	assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &tick, NULL), 0);
	assert_int_equal(fd_write_all(sv[0], data, sizeof(data)), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
	assert_int_equal(fd_write_all(-1, data, 1), -EBADF);
	close(sv[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void write_then_read(void **state)
{
	struct err e = ERR_NULL;
	struct stat st;

	(void)state;
	umask(077);
	assert_int_equal(file_write_atomic("file", "one", 3, 0640, &e), 0);
	assert_content("file", "one");
	assert_int_equal(stat("file", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(file_write_atomic("./file", "", 0, 0600, &e), 0);
	assert_content("file", "");
	assert_int_equal(e.code, 0);
	assert_files(1);
}

static void writing_replaces_a_symlink_and_not_what_it_names(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(file_write_atomic("victim", "safe", 4, 0600, NULL), 0);
	unlink("file");
	assert_int_equal(symlink("victim", "file"), 0);
	assert_int_equal(file_write_atomic("file", "new", 3, 0600, NULL), 0);
	assert_content("victim", "safe");
	assert_int_equal(lstat("file", &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(unlink("victim"), 0);
}

static void writing_fails_with_the_path_and_leaves_nothing(void **state)
{
	struct err e = ERR_NULL;
	char name[300];

	(void)state;
	assert_int_equal(file_write_atomic("file", "old", 3, 0600, NULL), 0);
	assert_int_equal(file_write_atomic("missing/file", "x", 1, 0600, &e), -ENOENT);
	assert_string_equal(e.text, "cannot write missing/file: No such file or directory");
	assert_int_equal(file_write_atomic("dir/", "x", 1, 0600, &e), -EISDIR);
	assert_int_equal(mkdir("dir", 0700), 0);
	assert_int_equal(file_write_atomic("dir", "x", 1, 0600, &e), -EISDIR);
	assert_int_equal(rmdir("dir"), 0);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(file_write_atomic(name, "x", 1, 0600, &e), -ENAMETOOLONG);
	name[250] = '\0';
	assert_int_equal(file_write_atomic(name, "x", 1, 0600, &e), -ENAMETOOLONG);
	assert_int_equal(file_write_atomic("/proc/version", "x", 1, 0600, &e) < 0, 1);
	assert_content("file", "old");
	assert_files(1);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
	struct rlimit before, small;
	struct err e = ERR_NULL;
	int r;

	(void)state;
	assert_int_equal(file_write_atomic("file", "old", 3, 0600, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){4, before.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	r = file_write_atomic("file", "longer", 6, 0600, &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(r, -EFBIG);
	assert_string_equal(e.text, "cannot write file: File too large");
	assert_content("file", "old");
	assert_files(1);
}

static void reading_is_bounded(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(10);
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(file_write_atomic("file", "0123456789", 10, 0600, NULL), 0);
	assert_int_equal(file_read("file", &b, &e), 0);
	assert_string_equal(b.data, "0123456789");
	/* It appends, and takes back what was too much. */
	assert_int_equal(file_read("file", &b, &e), -EFBIG);
	assert_string_equal(e.text, "file is longer than 0 bytes");
	assert_string_equal(b.data, "0123456789");
	buf_consume(&b, 5);
	assert_int_equal(file_read("file", &b, &e), -EFBIG);
	assert_string_equal(b.data, "56789");
	assert_int_equal(b.len, 5);
}

static void reading_more_than_a_chunk(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(50000);
	static char data[50000];

	(void)state;
	memset(data, 'x', sizeof(data));
	assert_int_equal(file_write_atomic("file", data, sizeof(data), 0600, NULL), 0);
	assert_int_equal(file_read("file", &b, NULL), 0);
	assert_int_equal(b.len, sizeof(data));
	assert_int_equal(strlen(b.data), sizeof(data));
}

static void reading_fails_with_the_path(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(100);
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(file_read("missing", &b, &e), -ENOENT);
	assert_string_equal(e.text, "cannot open missing: No such file or directory");
	assert_int_equal(file_read("/", &b, &e), -EISDIR);
	assert_string_equal(e.text, "cannot read /: Is a directory");
	assert_int_equal(b.len, 0);
}

static void without_memory(void **state)
{
	(void)state;
	assert_int_equal(file_write_atomic("file", "old", 3, 0600, NULL), 0);
	FAULT_LOOP
	{
		int r = file_write_atomic("file", "new", 3, 0600, NULL);

		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
	}
	FAULT_LOOP
	{
		struct buf b = BUF_NULL(100);
		int r = file_read("file", &b, NULL);

		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		buf_done(&b);
	}
	assert_content("file", "new");
	assert_files(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_keeps_errno),
		cmocka_unit_test(take_fd_leaves_nothing),
		cmocka_unit_test(flags),
		cmocka_unit_test(write_all_goes_on),
		cmocka_unit_test(write_then_read),
		cmocka_unit_test(writing_replaces_a_symlink_and_not_what_it_names),
		cmocka_unit_test(writing_fails_with_the_path_and_leaves_nothing),
		cmocka_unit_test(a_full_disk_leaves_the_old_file),
		cmocka_unit_test(reading_is_bounded),
		cmocka_unit_test(reading_more_than_a_chunk),
		cmocka_unit_test(reading_fails_with_the_path),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
