/* SPDX-License-Identifier: Apache-2.0 */
/* holdexit.c: keeps a process from ending, as a system call that the kernel does not come back from
 * does
 */
/*
 * holdexit PID: traces PID, which runs on. When it is killed it stops on its way out, with its
 * files still open, until this program ends. Says "traced", then "held" on standard output. Exit
 * status: 1 it cannot be traced, or ended otherwise.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static int say(const char *word)
{
	puts(word);
	return fflush(stdout);
}

/* Stops of other kinds go on. */
static int wait_for_exit(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
		int signo = status >> 16 ? 0 : WSTOPSIG(status);

		if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXIT << 8)))
			return 0;
		if (ptrace(PTRACE_CONT, pid, NULL, (void *)(long)signo) < 0)
			return -1;
	}
	return -1;
}

int main(int argc, char **argv)
{
	pid_t pid = argc == 2 ? (pid_t)strtol(argv[1], NULL, 10) : 0;

	if (pid <= 0) {
		fputs("usage: holdexit PID\n", stderr);
		return EXIT_FAILURE;
	}
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)(long)PTRACE_O_TRACEEXIT) < 0) {
		fprintf(stderr, "holdexit: cannot trace %d: %s\n", (int)pid, strerror(errno));
		return EXIT_FAILURE;
	}
	say("traced");
	if (wait_for_exit(pid) < 0)
		return EXIT_FAILURE;
	say("held");
	for (;;)
		pause();
}
