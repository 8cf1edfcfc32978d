/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp.c: allow-lists of system calls, built from named groups */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

/* Names that an architecture or the installed libseccomp does not know are passed over: the lists
 * hold those of 32-bit machines and of younger kernels, too. */

static const char *const bytes[] = {"read", "write", "readv", "writev", "pread64", "preadv",
	"close", "recv", "recvfrom", "recvmsg", "recvmmsg", "recvmmsg_time64", "send", "sendto",
	"sendmsg", "sendmmsg", "shutdown", "getsockopt", "setsockopt", "getsockname", "getpeername",
	"lseek", "_llseek", "fstat", "fstat64", NULL};
static const char *const waiting[] = {"poll", "ppoll", "ppoll_time64", "select", "_newselect",
	"pselect6", "pselect6_time64", "futex", "futex_time64", "nanosleep", "clock_nanosleep",
	"clock_nanosleep_time64", "sched_yield", "restart_syscall", NULL};
/* Without a vDSO (user-mode-linux) the time is a system call. */
static const char *const telling[] = {"clock_gettime", "clock_gettime64", "clock_getres",
	"clock_getres_time64", "gettimeofday", "time", "getpid", "gettid", "getppid", "getuid",
	"getuid32", "geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32", "uname",
	"sysinfo", "sched_getaffinity", "getcpu", "getrandom", NULL};
static const char *const memory[] = {"brk", "munmap", "mremap", "madvise", "membarrier", NULL};
static const char *const ending[] = {"exit", "exit_group", "rt_sigreturn", "sigreturn",
	"rt_sigprocmask", "rt_sigaction", "sigaltstack", NULL};

/* libc looks files up by itself, for a time zone or a locale: it is told no, not killed. */
static const char *const looking_up[] = {"open", "openat", "openat2", "access", "faccessat",
	"faccessat2", "readlink", "readlinkat", "stat", "stat64", "lstat", "lstat64", "fstatat64",
	"statx", "getcwd", NULL};

static const char *const network[] = {
	"socketpair", "connect", "bind", "listen", "accept", "accept4", "sendfile", NULL};
static const char *const looping[] = {"epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait",
	"epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2", "timerfd_create", "timerfd_settime",
	"timerfd_settime64", "timerfd_gettime", "timerfd_gettime64", "signalfd", "signalfd4",
	"inotify_init1", "inotify_add_watch", "inotify_rm_watch", "pipe", "pipe2", "dup", "dup2",
	"dup3", "fcntl", "fcntl64", NULL};
static const char *const reading_files[] = {"access", "faccessat", "faccessat2", "stat", "stat64",
	"lstat", "lstat64", "fstatat64", "newfstatat", "statx", "statfs", "statfs64", "fstatfs",
	"fstatfs64", "readlink", "readlinkat", "getdents", "getdents64", "getcwd", "fadvise64",
	"fadvise64_64", NULL};
static const char *const processes[] = {"fork", "vfork", "execve", "wait4", "waitid", "waitpid",
	"kill", "tgkill", "tkill", "pidfd_open", "pidfd_send_signal", "setsid", "setpgid",
	"getpgid", "getpgrp", "getsid", "umask", "rt_sigpending", "rt_sigtimedwait",
	"rt_sigtimedwait_time64", "rt_sigsuspend", "pause", "alarm", "setitimer", "getitimer",
	NULL};
static const char *const threads[] = {"set_robust_list", "get_robust_list", "rseq",
	"set_tid_address", "set_thread_area", "arch_prctl", "sched_getparam", "sched_getscheduler",
	"sched_get_priority_max", "sched_get_priority_min", NULL};
/* What a worker, which runs under its parent's filter, needs to lock itself in further. */
static const char *const locking_in[] = {"seccomp", "landlock_create_ruleset", "landlock_add_rule",
	"landlock_restrict_self", "capget", "capset", "getrlimit", "ugetrlimit", "setrlimit",
	"prlimit64", "close_range", "getrusage", "times", "getgroups", "getgroups32", "getresuid",
	"getresuid32", "getresgid", "getresgid32", NULL};

/* Mounts, and the directories they are put on. Paths, and openat2()'s flags, lie in memory: they
 * are resolved beneath roots by the code that asks. */
static const char *const mounting[] = {"mount", "umount2", "open_tree", "move_mount", "fsopen",
	"fsconfig", "fsmount", "fspick", "mount_setattr", "statmount", "listmount", "mkdirat",
	"openat2", "dup", "fchdir", NULL};
static const char *const nothing[] = {NULL};

/* One call with conditions on its arguments, all of which must hold; a name may come often. */
struct rule {
	const char *name;
	struct scmp_arg_cmp args[1];
};

/* The bits of mask in argument n are value. */
#define BITS(n, mask, value)                                     \
	{                                                        \
		{                                                \
			(n), SCMP_CMP_MASKED_EQ, (mask), (value) \
		}                                                \
	}
#define IS(n, value)                                 \
	{                                            \
		{                                    \
			(n), SCMP_CMP_EQ, (value), 0 \
		}                                    \
	}

#define WRITE_EXEC (PROT_WRITE | PROT_EXEC)
#define NEW_FILE (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))
#define NO_TMPFILE (O_TMPFILE & ~O_DIRECTORY)
#define NEW_NAMESPACE                                                                  \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
		CLONE_NEWPID | CLONE_NEWNET)

static const struct rule data[] = {
	{"mmap", BITS(2, PROT_EXEC, 0)},
	{"mmap2", BITS(2, PROT_EXEC, 0)},
	{"mprotect", BITS(2, PROT_EXEC, 0)},
	{NULL, {{0}}},
};
/* libc loads its name services when the first name is resolved: executable, not writable. */
static const struct rule code[] = {
	{"mmap", BITS(2, WRITE_EXEC, PROT_EXEC)},
	{"mmap2", BITS(2, WRITE_EXEC, PROT_EXEC)},
	{"mprotect", BITS(2, WRITE_EXEC, PROT_EXEC)},
	{NULL, {{0}}},
};
static const struct rule fcntls[] = {
	{"fcntl", IS(1, F_GETFL)},
	{"fcntl", IS(1, F_SETFL)},
	{"fcntl", IS(1, F_GETFD)},
	{"fcntl", IS(1, F_SETFD)},
	{"fcntl64", IS(1, F_GETFL)},
	{"fcntl64", IS(1, F_SETFL)},
	{"fcntl64", IS(1, F_GETFD)},
	{"fcntl64", IS(1, F_SETFD)},
	{NULL, {{0}}},
};
static const struct rule ioctls[] = {
	{"ioctl", IS(1, FIONREAD)},
	/* stdio asks of /dev/null whether it is a terminal. */
	{"ioctl", IS(1, TCGETS)},
	{NULL, {{0}}},
};
static const struct rule internet[] = {
	{"socket", IS(0, AF_INET)},
	{"socket", IS(0, AF_INET6)},
	{NULL, {{0}}},
};
static const struct rule daemon_rules[] = {
	{"socket", IS(0, AF_UNIX)},
	/* getaddrinfo() asks for our own addresses. */
	{"socket", IS(0, AF_NETLINK)},
	{"ioctl", IS(1, FIONBIO)},
	/* The zone of a link-local address. */
	{"ioctl", IS(1, SIOCGIFINDEX)},
	{"ioctl", IS(1, SIOCGIFNAME)},
	{"prctl", IS(0, PR_SET_NAME)},
	{"prctl", IS(0, PR_GET_NAME)},
	{"prctl", IS(0, PR_GET_DUMPABLE)},
	{NULL, {{0}}},
};

static const struct rule worker_rules[] = {
	/* fstat() of a current libc; the path could be any, and only looked at. */
	{"newfstatat", BITS(3, AT_EMPTY_PATH, AT_EMPTY_PATH)},
	{"ioctl", IS(1, FIONBIO)},
	{NULL, {{0}}},
};

static const struct rule mounter_rules[] = {
	{"open", BITS(1, O_ACCMODE | O_CREAT, 0)},
	{"openat", BITS(2, O_ACCMODE | O_CREAT, 0)},
	{"fcntl", IS(1, F_DUPFD_CLOEXEC)},
	{"fcntl64", IS(1, F_DUPFD_CLOEXEC)},
	/* The zone of a link-local address. */
	{"ioctl", IS(1, SIOCGIFINDEX)},
	/* Directories go, files never. */
	{"unlinkat", IS(2, AT_REMOVEDIR)},
	{NULL, {{0}}},
};
static const char *const asking[] = {"connect", NULL};

static const struct rule provisioner_rules[] = {
	{"open", BITS(1, NEW_FILE, 0)},
	{"openat", BITS(2, NEW_FILE, 0)},
	{"clone", BITS(0, NEW_NAMESPACE, 0)},
	{"prctl", IS(0, PR_SET_PDEATHSIG)},
	{"prctl", IS(0, PR_GET_PDEATHSIG)},
	{"prctl", IS(0, PR_SET_DUMPABLE)},
	{"prctl", IS(0, PR_SET_NO_NEW_PRIVS)},
	{"prctl", IS(0, PR_GET_NO_NEW_PRIVS)},
	{"prctl", IS(0, PR_SET_SECCOMP)},
	{"prctl", IS(0, PR_GET_SECCOMP)},
	{"prctl", IS(0, PR_CAPBSET_READ)},
	{"prctl", IS(0, PR_CAPBSET_DROP)},
	{"prctl", IS(0, PR_CAP_AMBIENT)},
	{"prctl", IS(0, PR_GET_SECUREBITS)},
	{NULL, {{0}}},
};

static const struct rule front_rules[] = {
	{"open", BITS(1, NO_TMPFILE, 0)},
	{"openat", BITS(2, NO_TMPFILE, 0)},
	{"clone", BITS(0, NEW_NAMESPACE | CLONE_THREAD, CLONE_THREAD)},
	{NULL, {{0}}},
};
/* Where only one directory may be written to. */
static const char *const own_files[] = {
	"rename", "renameat", "renameat2", "unlink", "unlinkat", "fsync", "fdatasync", NULL};
static const char *const itself[] = {"umask", "rt_sigpending", "rt_sigtimedwait",
	"rt_sigtimedwait_time64", "rt_sigsuspend", "getrlimit", "ugetrlimit", "getrusage", "capget",
	NULL};

/* Arguments in memory cannot be looked at: libc is sent back to the older call, which can. */
static const char *const too_opaque[] = {"clone3", "openat2", NULL};

struct profile {
	const char *const *allowed[12];
	const struct rule *rules[7];
	const char *const *refused;
	int refused_with;
	uint32_t otherwise;
};

static const struct profile profiles[_SANDBOX_PROFILE_MAX] = {
	[SANDBOX_WORKER] =
		{
			.allowed = {bytes, waiting, telling, memory, ending},
			.rules = {data, fcntls, ioctls, worker_rules},
			.refused = looking_up,
			.refused_with = EACCES,
			.otherwise = SCMP_ACT_KILL_PROCESS,
		},
	[SANDBOX_PROVISIONER] =
		{
			.allowed = {bytes, waiting, telling, memory, ending, network, looping,
				reading_files, processes, threads, locking_in},
			.rules = {data, code, ioctls, internet, daemon_rules, provisioner_rules},
			.refused = too_opaque,
			.refused_with = ENOSYS,
			.otherwise = SCMP_ACT_ERRNO(EPERM),
		},
	[SANDBOX_FRONT] =
		{
			.allowed = {bytes, waiting, telling, memory, ending, network, looping,
				reading_files, threads, own_files, itself},
			.rules = {data, code, ioctls, internet, daemon_rules, front_rules},
			.refused = too_opaque,
			.refused_with = ENOSYS,
			.otherwise = SCMP_ACT_ERRNO(EPERM),
		},
	[SANDBOX_MOUNTER] =
		{
			.allowed = {bytes, waiting, telling, memory, ending, reading_files,
				mounting, asking},
			.rules = {data, fcntls, ioctls, internet, mounter_rules},
			.refused = nothing,
			.refused_with = EACCES,
			.otherwise = SCMP_ACT_KILL_PROCESS,
		},
};

/* An address sanitizer's run time clones, traces and maps as it likes; its reports are worth more
 * than a filter it runs under. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN true
#endif
#endif
#ifndef HAS_ASAN
#define HAS_ASAN false
#endif

/* Younger than libseccomp 2.5; from 424 on every architecture has the same numbers. */
static int number_of(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} young[] = {{"statmount", 457}, {"listmount", 458}};
	int number = seccomp_syscall_resolve_name(name);

	for (size_t i = 0; i < ELEMENTSOF(young) && number == __NR_SCMP_ERROR; i++)
		if (streq(young[i].name, name))
			number = young[i].number;
	return number;
}

static int rule_add(
	scmp_filter_ctx ctx, uint32_t action, const char *name, const struct scmp_arg_cmp *arg)
{
	int number = number_of(name), r;

	if (number == __NR_SCMP_ERROR)
		return 0;
	r = seccomp_rule_add_array(ctx, action, number, arg ? 1 : 0, arg);
	/* Known to libseccomp, and not to this architecture. */
	return r == -EDOM ? 0 : r;
}

static int names_add(scmp_filter_ctx ctx, uint32_t action, const char *const *names)
{
	int r = 0;

	for (; *names && r >= 0; names++)
		r = rule_add(ctx, action, *names, NULL);
	return r;
}

static int rules_add(scmp_filter_ctx ctx, const struct rule *rule)
{
	int r = 0;

	for (; rule->name && r >= 0; rule++)
		r = rule_add(ctx, SCMP_ACT_ALLOW, rule->name, rule->args);
	return r;
}

static int profile_add(scmp_filter_ctx ctx, const struct profile *p)
{
	int r = 0;

	for (size_t i = 0; p->allowed[i] && r >= 0; i++)
		r = names_add(ctx, SCMP_ACT_ALLOW, p->allowed[i]);
	for (size_t i = 0; p->rules[i] && r >= 0; i++)
		r = rules_add(ctx, p->rules[i]);
	if (r >= 0)
		r = names_add(ctx, SCMP_ACT_ERRNO((uint16_t)p->refused_with), p->refused);
	return r;
}

/* abort() signals itself; nobody else may be signalled. */
static int abort_add(scmp_filter_ctx ctx)
{
	struct scmp_arg_cmp self = {0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0};

	return rule_add(ctx, SCMP_ACT_ALLOW, "tgkill", &self);
}

static int filter_load(scmp_filter_ctx ctx, enum sandbox_profile profile)
{
	int r = profile_add(ctx, &profiles[profile]);

	if (r >= 0 && profile != SANDBOX_PROVISIONER)
		r = abort_add(ctx);
	if (r < 0)
		return r;
	/* Each is a refinement that an old library or kernel may lack: refusals are logged (4.14),
	 * a filter is searched by bisection, threads there are get it too, other ABIs end the same.
	 */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, profiles[profile].otherwise);
	return seccomp_load(ctx);
}

int sandbox_seccomp(enum sandbox_profile profile, struct err *e)
{
	scmp_filter_ctx ctx;
	int r;

	if (HAS_ASAN) {
		log_debug("no system call filter under an address sanitizer");
		return 0;
	}
	/* Now, while its file can be opened: gmtime_r() would the first time it is used. */
	tzset();
	ctx = seccomp_init(profiles[profile].otherwise);
	if (!ctx)
		return err_sys(e, ENOMEM, "cannot make a system call filter");
	r = filter_load(ctx, profile);
	seccomp_release(ctx);
	return r < 0 ? err_sys(e, r, "cannot load the system call filter") : 1;
}
