/* SPDX-License-Identifier: Apache-2.0 */
/* mountctl.c: one operation of lib/mount's system-call side from a shell, in a child with a
 * deadline, as the agent does it */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "mount/bind.h"
#include "mount/mounted.h"
#include "mount/nfs_mount.h"
#include "mount/rshared.h"
#include "mount/unmount.h"

static const char usage_text[] =
	"usage: mountctl [--deadline MS] [--times N] [--old] COMMAND...\n"
	"  nfs SERVER ADDRESS PATH ROOT TARGET [vers=V] [probe=MS] [options=TEXT]\n"
	"  bind SOURCE-ROOT SOURCE TARGET-ROOT TARGET [ro]\n"
	"  unmount ROOT TARGET normal|force|detach\n"
	"  rmdir|look|space ROOT TARGET\n"
	"  ladder ROOT TARGET MS   normal with that deadline, then detach, then rmdir\n"
	"  rshared PATH\n"
	"--old: without the system calls that came with Linux 5.2 to 5.12\n"
	"Prints \"ok ...\", \"error ENAME: text\" or \"killed\" with what the child's end was "
	"like.\n";

/* ---- operations, in the child -----------------------------------------------------------------
 */

static int report(int r, const struct err *e)
{
	printf("error %s: %s\n", strerrorname_np(-r), e->text);
	return 1;
}

/* The value of "name=..." among the arguments. */
static const char *named(char **args, const char *name, const char *fallback)
{
	for (; *args; args++) {
		const char *value = str_after(*args, name);

		if (value)
			return value;
	}
	return fallback;
}

static int version_of(const char *text)
{
	static const struct {
		const char *text;
		int version;
	} versions[] = {{"any", NFS_ANY}, {"3", NFS_3}, {"4", NFS_4}, {"4.0", NFS_4_0},
		{"4.1", NFS_4_1}, {"4.2", NFS_4_2}};

	for (size_t i = 0; i < ELEMENTSOF(versions); i++)
		if (streq(text, versions[i].text))
			return versions[i].version;
	return 999;
}

static int do_nfs(char **a)
{
	uint64_t probe = 0;
	struct nfs_mount m = {.server = a[0],
		.address = a[1],
		.path = a[2],
		.target = {a[3], a[4]},
		.flags = MOUNTF_TENANT,
		.version = version_of(named(a + 5, "vers=", "any")),
		.options = named(a + 5, "options=", "")};
	struct nfs_mounted ret;
	struct err e = ERR_NULL;
	int r;

	if (parse_u64(named(a + 5, "probe=", "0"), 0, 60000, &probe) < 0)
		return 2;
	m.probe_ms = (unsigned)probe;
	r = nfs_mount_make(&m, &ret, &e);
	if (r < 0)
		return report(r, &e);
	printf("ok version=%d already=%d lock=%s source=%s note=%s\n", ret.version, ret.already,
		ret.lock == NFS_LOCK_LOCAL ? "local" : "server", ret.source, ret.note);
	return 0;
}

static int do_bind(char **a)
{
	static const char *const words[] = {"made", "already", "mended"};
	struct bind b = {.source = {a[0], a[1]}, .target = {a[2], a[3]}, .flags = MOUNTF_TENANT};
	enum bind_outcome outcome;
	struct err e = ERR_NULL;
	int r;

	if (a[4] && streq(a[4], "ro"))
		b.flags |= MOUNTF_RDONLY;
	r = bind_make(&b, &outcome, &e);
	if (r < 0)
		return report(r, &e);
	printf("ok %s\n", words[outcome]);
	return 0;
}

static int unmount(const struct place *p, const char *which)
{
	static const char *const rungs[] = {"normal", "force", "detach"};
	struct err e = ERR_NULL;
	unsigned removed;

	for (int i = 0; i < 3; i++)
		if (streq(which, rungs[i])) {
			int r = unmount_rung(p, (enum unmount_rung)i, &removed, &e);

			if (r < 0)
				return report(r, &e);
			printf("ok removed=%u\n", removed);
			return 0;
		}
	return 2;
}

static int do_unmount(char **a)
{
	return unmount(&(struct place){a[0], a[1]}, a[2]);
}

static int do_rmdir(char **a)
{
	struct err e = ERR_NULL;
	int r = unmount_rmdir(&(struct place){a[0], a[1]}, &e);

	if (r < 0)
		return report(r, &e);
	printf("ok\n");
	return 0;
}

static int do_look(char **a)
{
	const struct place p = {a[0], a[1]};
	struct place_at at = {.parentfd = -1};
	struct mounted_what what = {.id = 0};
	struct mounted m;
	struct err e = ERR_NULL;
	int r = place_open(&at, &p, &e);

	if (r == 0)
		r = mounted_at(&at, &m, &e);
	if (r == 0 && m.is_root)
		r = mounted_describe(m.id, &what, &e);
	place_close(&at);
	if (r < 0)
		return report(r, &e);
	printf("ok exists=%d root=%d fstype=%s source=%s flags=%x options=%s\n", m.exists,
		m.is_root, what.fstype, what.source, what.flags, what.options);
	return 0;
}

static int do_space(char **a)
{
	struct mounted_space s;
	struct err e = ERR_NULL;
	int r = mounted_space(&(struct place){a[0], a[1]}, &s, &e);

	if (r < 0)
		return report(r, &e);
	printf("ok total=%llu files=%llu\n", (unsigned long long)s.total,
		(unsigned long long)s.files);
	return 0;
}

static int do_rshared(char **a)
{
	struct rshared s;
	struct err e = ERR_NULL;
	bool changed;
	int r = rshared_make(a[0], &s, &changed, &e);

	if (r < 0)
		return report(r, &e);
	printf("ok changed=%d root=%d shared=%d below=%u\n", changed, s.is_root, s.peer != 0,
		s.below);
	return 0;
}

/* ---- the child --------------------------------------------------------------------------------
 */

static int without_new_calls(void)
{
	static const unsigned calls[] = {
		SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_openat2, SYS_mount_setattr};
	struct sock_filter code[16] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)};
	struct sock_fprog program = {.filter = code};
	size_t n = 1;

	for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
		code[n++] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)n;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static const struct {
	const char *name;
	int args;
	int (*fn)(char **args);
} commands[] = {{"nfs", 5, do_nfs}, {"bind", 4, do_bind}, {"unmount", 3, do_unmount},
	{"rmdir", 2, do_rmdir}, {"look", 2, do_look}, {"space", 2, do_space},
	{"rshared", 1, do_rshared}};

/* Waits for a child; whether it was reaped in time. */
static bool reap(pid_t pid, unsigned ms, int *ret_status)
{
	uint64_t end = clock_now() + MILLISECONDS(ms);

	while (waitpid(pid, ret_status, WNOHANG) != pid) {
		if (clock_now() >= end)
			return false;
		poll(NULL, 0, 5);
	}
	return true;
}

/* Runs fn in a child; its exit status, or 3 where it had to be killed. */
static int in_child(int (*fn)(char **), char **args, unsigned deadline_ms, bool old)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return 2;
	if (pid == 0) {
		int code = old && without_new_calls() < 0 ? 2 : fn(args);

		fflush(stdout);
		_exit(code);
	}
	if (reap(pid, deadline_ms, &status))
		return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
	kill(pid, SIGKILL);
	printf("killed, %s\n", reap(pid, 5000, &status) ? "reaped" : "stuck");
	return 3;
}

static int ladder(char **a)
{
	static const char *const rungs[] = {"normal", "detach"};
	uint64_t ms = 0, began = clock_now();
	int r = 1;

	if (parse_u64(a[2], 1, 600000, &ms) < 0)
		return 2;
	for (size_t i = 0; i < ELEMENTSOF(rungs) && r != 0; i++) {
		char *args[] = {a[0], a[1], (char *)(uintptr_t)rungs[i], NULL};

		printf("%s: ", rungs[i]);
		r = in_child(do_unmount, args, (unsigned)ms, false);
	}
	printf("rmdir: ");
	r = in_child(do_rmdir, a, (unsigned)ms, false);
	printf("ladder=%s ms=%llu\n", r == 0 ? "ok" : "failed",
		(unsigned long long)((clock_now() - began) / NSEC_PER_MSEC));
	return r;
}

int main(int argc, char **argv)
{
	uint64_t deadline = 60000, times = 1;
	bool old = false;
	int at = 1, r = 0;

	for (; at < argc && str_after(argv[at], "--"); at++) {
		if (streq(argv[at], "--old"))
			old = true;
		else if (streq(argv[at], "--deadline") && at + 1 < argc)
			r = parse_u64(argv[++at], 1, 600000, &deadline);
		else if (streq(argv[at], "--times") && at + 1 < argc)
			r = parse_u64(argv[++at], 1, 100000, &times);
	}
	if (r == 0 && at + 4 <= argc && streq(argv[at], "ladder"))
		return ladder(argv + at + 1);
	for (size_t i = 0; r == 0 && at < argc && i < ELEMENTSOF(commands); i++) {
		if (!streq(commands[i].name, argv[at]) || argc - at - 1 < commands[i].args)
			continue;
		for (; times > 1; times--)
			if (commands[i].fn(argv + at + 1) != 0)
				return 1;
		return in_child(commands[i].fn, argv + at + 1, (unsigned)deadline, old);
	}
	fputs(usage_text, stderr);
	return 2;
}
