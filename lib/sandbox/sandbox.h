/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.h: giving up what a process does not need: identity, capabilities, descriptors, system
 * calls, files */
#ifndef BERTH_SANDBOX_SANDBOX_H
#define BERTH_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * The order of a process that locks itself in, early in main() and before any thread:
 *
 *   sandbox_close_fds -> sandbox_drop -> sandbox_harden -> (connect, open) -> sandbox_landlock
 *                                                                           -> sandbox_seccomp
 *
 * Nothing here can be taken back, and all of it is inherited over fork and execve: a worker runs
 * under its parent's filter and its own. Every function returns 0 or -errno with text in e.
 */

/* Who the processes are that need no identity of their own (nonroot of distroless images). */
#define SANDBOX_UID 65532
#define SANDBOX_GID 65532

/*
 * As root: becomes uid:gid without supplementary groups (capabilities(7)). As anybody else: keeps
 * identity and groups. Both: every capability leaves the permitted, effective, inheritable, ambient
 * and, where that is allowed, bounding set. Fails if any is left in the first four. The parent
 * death signal survives (the kernel would clear it with the identity, prctl(2)).
 */
int sandbox_drop(uid_t uid, gid_t gid, struct err *e);

/*
 * The same for a process that needs some of its powers: stays who it is and keeps the capabilities
 * in keep (numbers of linux/capability.h) as permitted and effective, no others, none inheritable
 * or ambient, and in the bounding set those and no others. -EPERM where it lacks one of them, by
 * name.
 */
int sandbox_keep(const int *keep, size_t n_keep, struct err *e);

/*
 * no_new_privs, not dumpable (no ptrace by the same uid, no core with secrets in it), RLIMIT_CORE
 * 0, and nofile descriptors, or what the hard limit allows where that is less (0: as it is). The
 * environment is untouched.
 */
int sandbox_harden(unsigned nofile, struct err *e);

/* Closes every descriptor above 2 that is not in keep (ascending order). */
int sandbox_close_fds(const int *keep, size_t n_keep, struct err *e);

enum sandbox_profile {
	/*
	 * A worker that is connected: moves bytes on the descriptors it has, waits, allocates,
	 * tells the time, exits. No socket, connect, open, execve, clone, kill, no executable
	 * mapping. Anything else kills the process (SIGSYS), but opening or looking up a path is
	 * EACCES: libc does that by itself (time zone, locale).
	 */
	SANDBOX_WORKER,
	/*
	 * Client and server on the network, reads files, starts threads and workers, signals and
	 * reaps them. Creates no file, enters no namespace, mounts, traces and loads nothing, maps
	 * nothing writable and executable. Anything else is EPERM, and logged by the kernel's
	 * audit.
	 */
	SANDBOX_PROVISIONER,
	/*
	 * A mount child of the agent: system calls on mounts, paths and directories, and what a
	 * worker has. No execve, clone or kill, no new namespace, no file created or written, no
	 * listening; sockets of the internet only, to ask servers and the port mapper. Anything
	 * else kills the process.
	 */
	SANDBOX_MOUNTER,
	/*
	 * The agent's front: client and server on the network, reads files, keeps some of its own
	 * in the one directory that it may write, starts threads (libcurl's resolver). No other
	 * process: no fork, no execve, no signals to others. Else as SANDBOX_PROVISIONER.
	 */
	SANDBOX_FRONT,
	_SANDBOX_PROFILE_MAX
};

/*
 * Loads the profile's allow-list for all that this process does from now on; needs no_new_privs
 * (sandbox_harden) or CAP_SYS_ADMIN. 1 where the filter is in force, 0 where it was left out: in
 * AddressSanitizer builds, whose run time maps, clones and traces as it likes (logged at debug).
 * System calls that the installed libseccomp does not know are left out of the list.
 */
int sandbox_seccomp(enum sandbox_profile profile, struct err *e);

/* The kernel's Landlock ABI, 0 where it has none. */
int sandbox_landlock_abi(void);
/*
 * From now on the file system is readable and executable below paths (NULL-terminated; missing ones
 * are skipped) and nowhere else, and writable nowhere; descriptors that are open stay as they
 * are. 0 where Landlock is not there, too (logged at debug); 1 where it is in force.
 */
int sandbox_landlock(const char *const *paths, struct err *e);

#endif
