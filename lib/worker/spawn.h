/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.h: forks and executes a program with one socket, and what a forked child does first */
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

/*
 * In a forked child, all of the above: SIGKILL when parent (getpid() before the fork) ends,
 * session, signals, descriptors (*fd, above WORKER_FD, becomes it). keep, above WORKER_FD, stays
 * open as the one behind it; -1: none. Safe between fork and exec: no memory, no locks. -ESRCH: the
 * parent is gone already.
 */
int spawn_settle(pid_t parent, int *fd, int keep);

#endif
