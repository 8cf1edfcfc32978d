/* SPDX-License-Identifier: Apache-2.0 */
/* test_sandbox_privileges.c: what is given up is gone: identity, capabilities, descriptors, files
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "sandbox/sandbox.h"

/* Nothing of this can be taken back, so each case runs in a child; it returns 0, the line where it
 * found something else, or LEFT_OUT. */
#define LEFT_OUT 1
#define EXPECT(condition)                \
	do {                             \
		if (!(condition))        \
			return __LINE__; \
	} while (0)

static void run(int (*fn)(void))
{
	int *line = mmap(
		NULL, sizeof(*line), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int found, status;
	pid_t pid;

	assert_ptr_not_equal(line, MAP_FAILED);
	*line = -1;
	pid = fork();
	if (pid == 0) {
		*line = fn();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	found = *line;
	munmap(line, sizeof(*line));
	assert_int_equal(status, 0);
	if (found == LEFT_OUT) {
		print_message("# needs root, and a kernel with Landlock\n");
		skip();
	}
	if (found != 0)
		fail_msg("line %d of the child", found);
}

static int no_capability_left(void)
{
	cap_t now = cap_get_proc(), empty = cap_init();
	int different = cap_compare(now, empty);

	cap_free(now);
	cap_free(empty);
	return different == 0;
}

static int root_becomes_nobody(void)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	if (geteuid() != 0)
		return LEFT_OUT;
	EXPECT(sandbox_drop(SANDBOX_UID, SANDBOX_GID, NULL) == 0);
	EXPECT(getresuid(&r, &e, &s) == 0);
	EXPECT(r == SANDBOX_UID && e == SANDBOX_UID && s == SANDBOX_UID);
	EXPECT(getresgid(&gr, &ge, &gs) == 0);
	EXPECT(gr == SANDBOX_GID && ge == SANDBOX_GID && gs == SANDBOX_GID);
	EXPECT(getgroups(0, NULL) == 0);
	EXPECT(setuid(0) < 0 && errno == EPERM);
	EXPECT(setgid(0) < 0 && errno == EPERM);
	EXPECT(no_capability_left());
	EXPECT(prctl(PR_CAPBSET_READ, CAP_CHOWN) == 0);
	EXPECT(prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 0);
	EXPECT(access("/proc/sys/kernel/core_pattern", W_OK) < 0);
	return 0;
}

/* A second time, and as a user without any right: nothing to give up is no error. */
static int anybody_may_drop(void)
{
	EXPECT(sandbox_drop(SANDBOX_UID, SANDBOX_GID, NULL) == 0);
	EXPECT(sandbox_drop(0, 0, NULL) == 0);
	EXPECT(geteuid() != 0);
	EXPECT(no_capability_left());
	return 0;
}

static int capabilities_do_not_come_back(void)
{
	cap_t want;
	cap_value_t chown = CAP_CHOWN;

	EXPECT(sandbox_drop(SANDBOX_UID, SANDBOX_GID, NULL) == 0);
	EXPECT(sandbox_harden(0, NULL) == 0);
	want = cap_get_proc();
	EXPECT(cap_set_flag(want, CAP_PERMITTED, 1, &chown, CAP_SET) == 0);
	EXPECT(cap_set_proc(want) < 0 && errno == EPERM);
	cap_free(want);
	return 0;
}

static int only_these_capabilities_stay(void)
{
	static const int keep[] = {CAP_SYS_ADMIN, CAP_KILL};
	cap_flag_value_t has;
	cap_t now;

	if (geteuid() != 0)
		return LEFT_OUT;
	EXPECT(sandbox_keep(keep, 2, NULL) == 0);
	EXPECT(geteuid() == 0);
	now = cap_get_proc();
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		bool kept = cap == CAP_SYS_ADMIN || cap == CAP_KILL;

		EXPECT(cap_get_flag(now, cap, CAP_PERMITTED, &has) == 0 &&
			(has == CAP_SET) == kept);
		EXPECT(cap_get_flag(now, cap, CAP_EFFECTIVE, &has) == 0 &&
			(has == CAP_SET) == kept);
		EXPECT(cap_get_flag(now, cap, CAP_INHERITABLE, &has) == 0 && has == CAP_CLEAR);
	}
	cap_free(now);
	EXPECT(prctl(PR_CAPBSET_READ, CAP_CHOWN) == 0);
	return 0;
}

static int missing_capability_is_named(void)
{
	static const int keep[] = {CAP_SYS_ADMIN};
	struct err e = ERR_NULL;

	EXPECT(sandbox_drop(SANDBOX_UID, SANDBOX_GID, NULL) == 0);
	EXPECT(sandbox_keep(keep, 1, &e) == -EPERM);
	EXPECT(strstr(e.text, "cap_sys_admin") != NULL);
	return 0;
}

/* The kernel clears it with the identity. */
static int death_signal_survives(void)
{
	int signo = 0;

	EXPECT(prctl(PR_SET_PDEATHSIG, SIGTERM) == 0);
	EXPECT(sandbox_drop(SANDBOX_UID, SANDBOX_GID, NULL) == 0);
	EXPECT(prctl(PR_GET_PDEATHSIG, &signo) == 0);
	EXPECT(signo == SIGTERM);
	return 0;
}

static int hardened(void)
{
	struct rlimit limit;

	/* A low soft limit is no bound to what is asked for. */
	EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max >= 32);
	limit.rlim_cur = 16;
	EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	EXPECT(sandbox_harden(32, NULL) == 0);
	EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	EXPECT(prctl(PR_GET_DUMPABLE) == 0);
	EXPECT(getrlimit(RLIMIT_CORE, &limit) == 0);
	EXPECT(limit.rlim_cur == 0 && limit.rlim_max == 0);
	EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	EXPECT(limit.rlim_cur == 32 && limit.rlim_max == 32);
	/* A higher limit than there is does not raise it. */
	EXPECT(sandbox_harden(64, NULL) == 0);
	EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	EXPECT(limit.rlim_cur == 32);
	return 0;
}

static int is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int only_kept_descriptors_stay(void)
{
	static const int keep[] = {1, 20, 22, 23};
	struct err e = ERR_NULL;

	for (int fd = 10; fd < 30; fd++)
		EXPECT(dup2(0, fd) == fd);
	EXPECT(sandbox_close_fds(keep, 4, &e) == 0);
	for (int fd = 0; fd < 40; fd++)
		EXPECT(is_open(fd) == (fd <= 2 || fd == 20 || fd == 22 || fd == 23));
	EXPECT(sandbox_close_fds(NULL, 0, &e) == 0);
	EXPECT(is_open(2) && !is_open(3) && !is_open(20));
	return 0;
}

static int files_below_the_paths_only(void)
{
	static const char *const paths[] = {"/proc", "/etc/hostname", "/nonexistent-berth", NULL};
	char before[64], text[64];
	int fd;

	EXPECT(str_format(before, sizeof(before), "/tmp/berth-landlock-%d", (int)getpid()) >= 0);
	fd = open(before, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	EXPECT(fd >= 0);
	EXPECT(unlink(before) == 0);
	if (sandbox_landlock_abi() == 0)
		return LEFT_OUT;
	EXPECT(sandbox_landlock(paths, NULL) == 1);
	EXPECT(write(fd, "x", 1) == 1);
	EXPECT(open("/proc/version", O_RDONLY | O_CLOEXEC) >= 0);
	EXPECT(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
	EXPECT(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0 && errno == EACCES);
	EXPECT(open(before, O_RDWR | O_CREAT | O_CLOEXEC, 0600) < 0 && errno == EACCES);
	EXPECT(mkdir("/tmp/berth-landlock", 0700) < 0 && errno == EACCES);
	EXPECT(unlink("/etc/hostname") < 0 && errno == EACCES);
	EXPECT(open("/dev/null", O_RDWR | O_CLOEXEC) >= 0);
	EXPECT(readlink("/proc/self/exe", text, sizeof(text)) > 0);
	EXPECT(execl("/bin/true", "true", NULL) < 0 && errno == EACCES);
	return 0;
}

#define CASE(f)                            \
	static void test_##f(void **state) \
	{                                  \
		(void)state;               \
		run(f);                    \
	}
CASE(root_becomes_nobody)
CASE(anybody_may_drop)
CASE(capabilities_do_not_come_back)
CASE(only_these_capabilities_stay)
CASE(missing_capability_is_named)
CASE(death_signal_survives)
CASE(hardened)
CASE(only_kept_descriptors_stay)
CASE(files_below_the_paths_only)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_becomes_nobody),
		cmocka_unit_test(test_anybody_may_drop),
		cmocka_unit_test(test_capabilities_do_not_come_back),
		cmocka_unit_test(test_only_these_capabilities_stay),
		cmocka_unit_test(test_missing_capability_is_named),
		cmocka_unit_test(test_death_signal_survives),
		cmocka_unit_test(test_hardened),
		cmocka_unit_test(test_only_kept_descriptors_stay),
		cmocka_unit_test(test_files_below_the_paths_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
