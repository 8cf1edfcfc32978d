/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.h: forks and executes a program with one socket (internal to lib/worker) */
#ifndef BERTH_WORKER_SPAWN_H
#define BERTH_WORKER_SPAWN_H

#include <sys/types.h>

/*
 * The child: WORKER_FD is fd, stdin and stdout are /dev/null, stderr is ours, nothing else is open;
 * default signal handling, a session of its own (a terminal's Ctrl-C is the parent's to handle),
 * SIGKILL when the calling thread's process ends. Where the program cannot be run it writes a
 * PROCESS_KIND_EXEC frame to fd and ends. fd stays the caller's to close.
 */
int spawn(pid_t *ret, const char *program, const char *const *argv, int fd);

#endif
