/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.c: forks and executes a program with one socket */
#include "worker/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "worker/child.h"
#include "worker/process.h"

/* Seen only where the frame that says why did not get through. */
#define EXIT_NO_WORD 126
#define EXIT_NO_EXEC 127

/*
 * From here to execve() only what signal-safety(7) allows: the parent may have had a resolver's
 * thread, whose locks nobody in the child will ever release.
 */

/* Ignored signals stay ignored over execve(), blocked ones blocked (ours read them from a
 * descriptor). */
static void child_reset_signals(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		sigaction(signo, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int child_arrange_descriptors(int *fd, int keep)
{
	int null, above = WORKER_FD + 1;

	/* *fd is above WORKER_FD, so nothing is lost by taking the numbers in this order; dup2()
	 * clears the close-on-exec flag. */
	if (dup2(*fd, WORKER_FD) < 0)
		return -errno;
	*fd = WORKER_FD;
	if (keep >= 0 && dup2(keep, above++) < 0)
		return -errno;
	null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (null < 0)
		return -errno;
	for (int n = 0; n <= 1; n++)
		if (null == n ? fcntl(n, F_SETFD, 0) < 0 : dup2(null, n) < 0)
			return -errno;
	/* A second line of defence behind close-on-exec; kernels before 5.9 have only the first. */
	syscall(SYS_close_range, above, ~0U, 0);
	return 0;
}

static int child_bind_to(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	/* Died before the prctl(): the signal would never come. */
	return getppid() == parent ? 0 : -ESRCH;
}

int spawn_settle(pid_t parent, int *fd, int keep)
{
	int r = child_bind_to(parent);

	if (r < 0)
		return r;
	setsid();
	child_reset_signals();
	return child_arrange_descriptors(fd, keep);
}

static _Noreturn void child_run(pid_t parent, const char *program, const char *const *argv, int fd)
{
	struct frame_header failed = {.kind = PROCESS_KIND_EXEC};
	int r = spawn_settle(parent, &fd, -1);

	if (r >= 0) {
		execve(program, (char *const *)(uintptr_t)argv, environ);
		r = -errno;
	}
	failed.result = r;
	/* Where this fails the parent still sees the exit. */
	_exit(write(fd, &failed, sizeof(failed)) < 0 ? EXIT_NO_WORD : EXIT_NO_EXEC);
}

int spawn(pid_t *ret, const char *program, const char *const *argv, int fd)
{
	_cleanup_close_ int high = fcntl(fd, F_DUPFD_CLOEXEC, WORKER_FD + 1);
	pid_t parent = getpid(), pid;

	if (high < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child_run(parent, program, argv, high);
	*ret = pid;
	return 0;
}
