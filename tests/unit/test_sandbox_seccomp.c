/* SPDX-License-Identifier: Apache-2.0 */
/* test_sandbox_seccomp.c: what each system call filter lets through, refuses and kills */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "mount/rpcping.h"
#include "sandbox/sandbox.h"
#include "tests/unit/worker_world.h"

#define LEFT_OUT 77

/* Skips where a child said that there is no filter; tools/run-tests takes the line as the reason.
 */
static void leave_out(int status)
{
	if (!WIFEXITED(status) || WEXITSTATUS(status) != LEFT_OUT)
		return;
	print_message("# built without the filter: a sanitizer makes calls of its own\n");
	skip();
}

/* Runs fn in a child under a profile: its wait status. fn returns 0, or a number up to 70 that says
 * what was not as expected. */
static int status_of(enum sandbox_profile profile, int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int r = sandbox_seccomp(profile, NULL);

		_exit(r < 0 ? 76 : r == 0 ? LEFT_OUT : fn());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	leave_out(status);
	return status;
}

static void passes(enum sandbox_profile profile, int (*fn)(void))
{
	int status = status_of(profile, fn);

	if (status != 0)
		fail_msg("wait status %#x", (unsigned)status);
}

static void dies_under(enum sandbox_profile profile, int (*fn)(void), int signo)
{
	int status = status_of(profile, fn);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), signo);
}

static void dies(int (*fn)(void), int signo)
{
	dies_under(SANDBOX_WORKER, fn, signo);
}

/* ---- the worker ---------------------------------------------------------------------------- */

static int worker_work(void)
{
	char got[8], text[CLOCK_TEXT_MAX];
	struct pollfd p = {.fd = 0, .events = POLLIN};
	void *big = malloc(32U << 20), *bigger;
	int waiting = 0;

	if (!big || !(bigger = realloc(big, 64U << 20)))
		return 1;
	free(bigger);
	if (send(10, "hello", 5, MSG_NOSIGNAL) != 5 || recv(11, got, sizeof(got), 0) != 5)
		return 2;
	if (write(10, "hello", 5) != 5 || ioctl(11, FIONREAD, &waiting) < 0 || waiting != 5)
		return 3;
	if (read(11, got, sizeof(got)) != 5)
		return 4;
	p.fd = 11;
	if (poll(&p, 1, 1) != 0 || clock_now() == 0)
		return 5;
	if (fcntl(10, F_SETFL, O_NONBLOCK) < 0 || recv(10, got, sizeof(got), 0) >= 0 ||
		errno != EAGAIN)
		return 6;
	/* libc's own looking up of files is refused, not deadly. */
	if (str_empty(clock_format(clock_real(), text)))
		return 7;
	if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
		return 8;
	if (access("/etc/passwd", R_OK) == 0 || errno != EACCES)
		return 9;
	if (printf("to nowhere") < 0 || fflush(stdout) < 0)
		return 10;
	return close(10) < 0 || close(11) < 0 ? 11 : 0;
}

static int nothing(void)
{
	return 0;
}

static void worker_can_work(void **state)
{
	int pair[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC), out = dup(1);

	(void)state;
	/* Skips, where there is no filter, while stdout still leads to the results. */
	passes(SANDBOX_WORKER, nothing);
	fflush(stdout);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(dup2(pair[0], 10), 10);
	assert_int_equal(dup2(pair[1], 11), 11);
	assert_int_equal(dup2(null, 1), 1);
	passes(SANDBOX_WORKER, worker_work);
	assert_int_equal(dup2(out, 1), 1);
	for (int i = 0; i < 2; i++) {
		close(pair[i]);
		close(10 + i);
	}
	close(null);
	close(out);
}

static int do_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0;
}

static int do_connect(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9)};

	return connect(0, (struct sockaddr *)&a, sizeof(a)) < 0;
}

static int do_exec(void)
{
	return execl("/bin/true", "true", NULL) < 0;
}

static int do_fork(void)
{
	return fork() < 0;
}

static int do_kill(void)
{
	return kill(getppid(), 0) < 0;
}

static int do_thread_kill(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0) < 0;
}

static int do_map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}

static int do_make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED || mprotect(p, 4096, PROT_READ | PROT_EXEC) < 0;
}

static int do_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0;
}

static int do_dup(void)
{
	return fcntl(0, F_DUPFD_CLOEXEC, 100) < 0;
}

static int do_terminal(void)
{
	char c = 'x';

	return ioctl(0, TIOCSTI, &c) < 0;
}

static int do_unlink(void)
{
	return unlink("/tmp/berth-nothing") < 0;
}

static int do_abort(void)
{
	abort();
}

static void worker_dies_of_anything_else(void **state)
{
	static int (*const deeds[])(void) = {do_socket, do_connect, do_exec, do_fork, do_kill,
		do_thread_kill, do_map_code, do_make_code, do_ptrace, do_dup, do_terminal,
		do_unlink};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(deeds); i++)
		dies(deeds[i], SIGSYS);
}

/* A failed assertion of libnfs is told as what it is. */
static void worker_may_abort(void **state)
{
	(void)state;
	dies(do_abort, SIGABRT);
}

/* ---- the mount child ------------------------------------------------------------------------ */

/* The calls come through; what becomes of them is a matter of rights and paths. */
static int mount_things(void)
{
	int dir = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || fcntl(dir, F_DUPFD_CLOEXEC, 20) < 0)
		return 1;
	if (mkdirat(dir, "berth-seccomp", 0700) < 0 ||
		unlinkat(dir, "berth-seccomp", AT_REMOVEDIR) < 0)
		return 2;
	if (mount("none", "/nonexistent/berth", "tmpfs", 0, NULL) == 0 ||
		umount2("/nonexistent/berth", MNT_DETACH) == 0)
		return 3;
	if (syscall(SYS_open_tree, dir, "berth-nothing", 0) >= 0 || errno == ENOSYS)
		return 4;
	if (syscall(SYS_move_mount, -1, "", -1, "", 0) == 0 || errno == ENOSYS)
		return 5;
	/* statmount(2), which a libseccomp may not know; the kernel may not either. */
	if (syscall(457, NULL, NULL, 0, 0) == 0)
		return 7;
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? 6 : 0;
}

/* Of an NFS server on the link. */
static int look_at_address(void)
{
	struct sockaddr_storage to;
	socklen_t size;

	return rpcping_address("fe80::1%lo", 2049, &to, &size) < 0 ||
	       rpcping_address("10.0.0.1", 2049, &to, &size) < 0;
}

static void mount_child_can_work(void **state)
{
	(void)state;
	passes(SANDBOX_MOUNTER, mount_things);
	passes(SANDBOX_MOUNTER, look_at_address);
}

static int do_create(void)
{
	return open("/tmp/berth-nothing", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0;
}

static int do_write_file(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC) < 0;
}

static int do_unlink_at(void)
{
	return unlinkat(AT_FDCWD, "/tmp/berth-nothing", 0) < 0;
}

static int do_unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) < 0;
}

static int do_setns(void)
{
	return setns(0, 0) < 0;
}

static int do_unshare(void)
{
	return unshare(CLONE_NEWNS) < 0;
}

static int do_listen(void)
{
	return listen(0, 1) < 0;
}

static int do_chroot(void)
{
	return chroot("/tmp") < 0;
}

static int do_handle(void)
{
	return (int)syscall(SYS_open_by_handle_at, -1, NULL, 0) < 0;
}

static void mount_child_dies_of_anything_else(void **state)
{
	static int (*const deeds[])(void) = {do_exec, do_fork, do_kill, do_thread_kill, do_map_code,
		do_make_code, do_ptrace, do_terminal, do_unlink, do_create, do_write_file,
		do_unlink_at, do_unix_socket, do_setns, do_unshare, do_listen, do_chroot,
		do_handle};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(deeds); i++)
		dies_under(SANDBOX_MOUNTER, deeds[i], SIGSYS);
}

/* ---- the provisioner ----------------------------------------------------------------------- */

static void *thread_main(void *arg)
{
	return arg;
}

static int use_processes(void)
{
	pthread_t thread;
	void *got = NULL;
	int status, n;
	pid_t pid;

	if (pthread_create(&thread, NULL, thread_main, &n) != 0 ||
		pthread_join(thread, &got) != 0 || got != &n)
		return 1;
	pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "exit 5", NULL);
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 5)
		return 2;
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(1);
	}
	if (kill(pid, SIGKILL) < 0 || waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		return 3;
	return 0;
}

static int use_network(void)
{
	struct addrinfo *list = NULL;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(a);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client, one = 1;

	if (server < 0 || bind(server, (struct sockaddr *)&a, sizeof(a)) < 0 ||
		listen(server, 1) < 0 || getsockname(server, (struct sockaddr *)&a, &size) < 0)
		return 1;
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)) < 0 ||
		connect(client, (struct sockaddr *)&a, sizeof(a)) < 0)
		return 2;
	if (accept4(server, NULL, NULL, SOCK_CLOEXEC) < 0)
		return 3;
	if (socket(AF_INET6, SOCK_STREAM, 0) < 0 && errno != EAFNOSUPPORT)
		return 4;
	/* Loads name services, asks the kernel for addresses, reads files. */
	if (getaddrinfo("localhost", "80", NULL, &list) != 0)
		return 5;
	freeaddrinfo(list);
	return socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? 6 : 0;
}

static int use_loop(void)
{
	struct itimerspec soon = {.it_value.tv_nsec = 1};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC), watch;
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t set;
	char text[64];

	if (epoll < 0 || timer < 0 || timerfd_settime(timer, 0, &soon, NULL) < 0)
		return 1;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) < 0 ||
		epoll_wait(epoll, &event, 1, 1000) != 1)
		return 2;
	sigemptyset(&set);
	if (signalfd(-1, &set, SFD_CLOEXEC) < 0 || eventfd(0, EFD_CLOEXEC) < 0)
		return 3;
	watch = inotify_init1(IN_CLOEXEC);
	if (watch < 0 || inotify_add_watch(watch, "/tmp", IN_CREATE) < 0)
		return 4;
	watch = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	return watch < 0 || read(watch, text, sizeof(text)) <= 0 ? 5 : 0;
}

static void provisioner_can_work(void **state)
{
	(void)state;
	passes(SANDBOX_PROVISIONER, use_processes);
	passes(SANDBOX_PROVISIONER, use_network);
	passes(SANDBOX_PROVISIONER, use_loop);
}

static int refused(long r)
{
	return r < 0 && errno == EPERM;
}

static int try_files(void)
{
	if (!refused(open("/tmp/berth-sandbox", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)))
		return 1;
	if (!refused(open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)))
		return 2;
	if (!refused(unlink("/tmp/berth-sandbox")) || !refused(rename("/tmp/a", "/tmp/b")))
		return 3;
	if (!refused(mkdir("/tmp/berth-sandbox", 0700)) || !refused(chmod("/tmp", 0777)))
		return 4;
	if (!refused(chown("/tmp", 0, 0)) || !refused(symlink("a", "/tmp/berth-sandbox")))
		return 5;
	return refused(memfd_create("x", MFD_CLOEXEC)) ? 0 : 6;
}

static int try_powers(void)
{
	if (!refused(mount("none", "/tmp", "tmpfs", 0, NULL)) || !refused(umount2("/tmp", 0)))
		return 1;
	if (!refused(unshare(CLONE_NEWUSER)) || !refused(setns(0, 0)))
		return 2;
	if (!refused(chroot("/")) || !refused(syscall(SYS_pivot_root, "/", "/")))
		return 3;
	if (!refused(ptrace(PTRACE_TRACEME, 0, NULL, NULL)) ||
		!refused(syscall(SYS_bpf, 0, NULL, 0)))
		return 4;
	if (!refused(syscall(SYS_keyctl, 0, 0)) || !refused(syscall(SYS_init_module, NULL, 0, "")))
		return 5;
	if (!refused(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL)))
		return 6;
	if (!refused(socket(AF_PACKET, SOCK_RAW, 0)) || !refused(setuid(0)))
		return 7;
	if (!refused(syscall(SYS_io_uring_setup, 1, NULL)) ||
		!refused(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0)))
		return 8;
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0) != MAP_FAILED)
		return 9;
	if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS)
		return 10;
	return 0;
}

static void provisioner_is_refused_the_rest(void **state)
{
	(void)state;
	passes(SANDBOX_PROVISIONER, try_files);
	passes(SANDBOX_PROVISIONER, try_powers);
}

static int use_own_files(void)
{
	int fd = open("/tmp/berth-sandbox.tmp", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1)
		return 1;
	if (rename("/tmp/berth-sandbox.tmp", "/tmp/berth-sandbox") < 0)
		return 2;
	return unlink("/tmp/berth-sandbox") < 0 ? 3 : 0;
}

static int try_other_processes(void)
{
	char *const argv[] = {(char *)"true", NULL};

	if (!refused(fork()) || !refused(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)))
		return 1;
	if (!refused(execve("/bin/true", argv, NULL)) || !refused(kill(getppid(), 0)))
		return 2;
	if (!refused(mkdir("/tmp/berth-sandbox", 0700)) || !refused(chmod("/tmp", 0777)))
		return 3;
	return refused(open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)) ? 0 : 4;
}

static void front_keeps_its_own_files_and_nothing_else(void **state)
{
	(void)state;
	passes(SANDBOX_FRONT, use_network);
	passes(SANDBOX_FRONT, use_loop);
	passes(SANDBOX_FRONT, use_own_files);
	passes(SANDBOX_FRONT, try_other_processes);
	passes(SANDBOX_FRONT, try_powers);
}

/* ---- both, one in the other ---------------------------------------------------------------- */

/* Under the provisioner's filter, as nobody: a worker starts, locks itself in, works, and dies of
 * its first new connection. */
static int run_a_worker(void)
{
	struct shot lock = {0}, echo = {0}, bad = {0};
	struct world w;

	world_init(&w, &(struct worker_options){.window = 4});
	shoot(&w, &lock, "a", DEED_LOCK_IN);
	world_wait(&w, 1);
	if (!streq(lock.body, "filtered")) {
		fprintf(stderr, "%s%s\n", lock.body, lock.text);
		return 2;
	}
	shoot(&w, &echo, "a", DEED_ECHO);
	world_wait(&w, 1);
	shoot(&w, &bad, "a", DEED_CONNECT);
	world_wait(&w, 1);
	world_done(&w);
	if (echo.r != 5 || bad.r != -ECONNRESET)
		return 3;
	return strstr(bad.text, "signal 31") ? 0 : 4;
}

/* Identity is given up before the filter is loaded, as in main(). */
static void worker_under_a_provisioner(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		int r = sandbox_drop(SANDBOX_UID, SANDBOX_GID, NULL);

		if (r >= 0)
			r = sandbox_harden(64, NULL);
		if (r >= 0)
			r = sandbox_seccomp(SANDBOX_PROVISIONER, NULL);
		_exit(r < 0 ? 76 : r == 0 ? LEFT_OUT : run_a_worker());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	leave_out(status);
	if (status != 0)
		fail_msg("wait status %#x", (unsigned)status);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worker_can_work),
		cmocka_unit_test(worker_dies_of_anything_else),
		cmocka_unit_test(worker_may_abort),
		cmocka_unit_test(mount_child_can_work),
		cmocka_unit_test(mount_child_dies_of_anything_else),
		cmocka_unit_test(provisioner_can_work),
		cmocka_unit_test(provisioner_is_refused_the_rest),
		cmocka_unit_test(front_keeps_its_own_files_and_nothing_else),
		cmocka_unit_test(worker_under_a_provisioner),
	};

	if (argc > 1 && streq(argv[1], "--worker"))
		return worker_world_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
