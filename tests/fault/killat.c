/* SPDX-License-Identifier: Apache-2.0 */
/* killat.c: kills whoever makes the N-th writing system call of a process tree, or fails the call
 */
/*
 * Contract
 *   killat [options] -- CMD…
 * One counter runs over CMD and all its descendants (strace's runs per process). A seccomp filter
 * with user notification makes every chosen call wait for this supervisor, which lets it go on, or,
 * when it is the N-th one, does the action INSTEAD of the call: the call is not executed.
 * Descendants may set no_new_privs and load seccomp filters of their own (only no second listener).
 * Ends when CMD and every descendant has ended; the last line on standard error, or the only one in
 * --report FILE, is
 *   {"seen": calls counted, "fired": true|false, "call": name, "exe": name, "status": exit status}
 * Exit status: CMD's, 128 + signal, 125 own failure, 126 usage, 127 CMD not found.
 * Signals INT, TERM, HUP go to CMD; with --armed-by-signal counting starts at SIGUSR1.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Instructions of a filter; the kernel's own limit is 4,096. */
#define FILTER_MAX 1024
/* Passes over the tree when all of it is killed: a fork bomb must not keep us for ever. */
#define KILL_PASSES_MAX 100

#define DEFAULT_CALLS                                                                             \
	"write,writev,pwrite64,pwritev,pwritev2,send,sendto,sendmsg,sendmmsg,sendfile,splice,"    \
	"copy_file_range,openat:creat,open:creat,creat,mkdir,mkdirat,rename,renameat,renameat2,"  \
	"unlink,unlinkat,rmdir,link,linkat,symlink,symlinkat,truncate,ftruncate,fsync,fdatasync," \
	"chmod,fchmod,fchmodat,chown,fchown,fchownat,mount,umount2,move_mount"

enum action { ACTION_COUNT, ACTION_KILL, ACTION_ERRNO };

struct killat {
	const char *calls, *exe, *report;
	uint64_t nth, seen;
	enum action action;
	int error; /* for ACTION_ERRNO */
	bool tree, skip_std, armed, fired;
	pid_t main_pid;
	int main_status, listener, signals;
	char fired_call[64], fired_exe[64];
};

/* Shared with the child: after the filter is loaded it may make no call that the filter knows. */
struct handover {
	volatile int listener; /* -1 not yet, -2 failed */
	volatile int go;
};

static const char usage_text[] =
	"usage: killat [--calls LIST] [--nth N] [--action kill|count|errno:NAME] [--scope "
	"process|tree]\n"
	"              [--exe NAME] [--no-std] [--armed-by-signal] [--report FILE] -- CMD...\n"
	"LIST is of system call names; openat:creat means openat with O_CREAT. Default:\n"
	"  " DEFAULT_CALLS "\n"
	"--nth N     the action strikes the N-th matching call instead of executing it (default 0: "
	"never)\n"
	"--action    kill (default): SIGKILL; errno:ENOSPC (or a number): the call fails so; "
	"count: nothing\n"
	"--scope     what is killed: the calling process (default) or CMD and all its descendants\n"
	"--exe NAME  only calls of processes whose executable has this name count\n"
	"--no-std    write and writev on descriptors 0 to 2 (logs) do not count\n"
	"--armed-by-signal  counting starts when killat receives SIGUSR1\n";

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "killat: %s: %s\n", what, strerror(errno));
	exit(125);
}

static _Noreturn void die_usage(const char *what)
{
	fprintf(stderr, "killat: %s\n%s", what, usage_text);
	exit(126);
}

/* A name such as ENOSPC, or a number; 0 when it is neither. */
static int parse_errno(const char *s)
{
	char *end;
	long n = strtol(s, &end, 10);

	if (!*end && n > 0 && n < 4096)
		return (int)n;
	for (int e = 1; e < 200; e++) {
		const char *name = strerrorname_np(e);

		if (name && !strcmp(name, s))
			return e;
	}
	return 0;
}

static void add_call(scmp_filter_ctx ctx, char *name)
{
	char *colon = strchr(name, ':');
	int r, nr;

	if (colon)
		*colon++ = 0;
	nr = seccomp_syscall_resolve_name(name);
	if (nr == __NR_SCMP_ERROR)
		die_usage("unknown system call in --calls");
	if (nr < 0) /* other architectures' */
		return;
	if (!colon) {
		r = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, nr, 0);
	} else {
		if (strcmp(colon, "creat"))
			die_usage("only openat:creat and open:creat have a suffix");
		r = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, nr, 1,
			SCMP_CMP(!strcmp(name, "openat") ? 2 : 1, SCMP_CMP_MASKED_EQ, O_CREAT,
				O_CREAT));
	}
	if (r < 0) {
		errno = -r;
		die("seccomp_rule_add");
	}
}

/* The filter as BPF: libseccomp cannot ask for WAIT_KILLABLE_RECV, without which a call that a
 * signal interrupts counts twice. */
static void make_filter(const struct killat *k, struct sock_fprog *ret)
{
	static struct sock_filter code[FILTER_MAX];
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	char *calls = strdup(k->calls), *save = NULL;
	int fd = memfd_create("filter", MFD_CLOEXEC);
	ssize_t n;

	if (!ctx || !calls || fd < 0)
		die("filter");
	for (char *s = strtok_r(calls, ",", &save); s; s = strtok_r(NULL, ",", &save))
		add_call(ctx, s);
	if (seccomp_export_bpf(ctx, fd) < 0)
		die("seccomp_export_bpf");
	n = pread(fd, code, sizeof code, 0);
	if (n <= 0 || (size_t)n == sizeof code)
		die("filter is empty or too long");
	ret->len = (unsigned short)((size_t)n / sizeof *code);
	ret->filter = code;
	close(fd);
	free(calls);
	seccomp_release(ctx);
}

static int load_filter(struct sock_fprog *prog)
{
	unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	int fd;

	/* Root needs no no_new_privs; CMD should run as it would without us. */
	if (geteuid() != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, prog);
	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, prog);
	return fd;
}

static _Noreturn void run_child(
	struct handover *h, struct sock_fprog *prog, char **argv, const sigset_t *mask)
{
	int fd;

	sigprocmask(SIG_SETMASK, mask, NULL);
	fd = load_filter(prog);
	h->listener = fd < 0 ? -2 : fd;
	while (!h->go)
		usleep(1000);
	execvp(argv[0], argv);
	_exit(127);
}

static void start(struct killat *k, char **argv)
{
	struct handover *h =
		mmap(NULL, sizeof *h, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct sock_fprog prog;
	sigset_t set, old;
	int pidfd;

	if (h == MAP_FAILED)
		die("mmap");
	h->listener = -1;
	make_filter(k, &prog);
	sigemptyset(&set);
	for (const int *s = (const int[]){SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGUSR1, 0}; *s; s++)
		sigaddset(&set, *s);
	sigprocmask(SIG_BLOCK, &set, &old);
	k->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	/* Orphans come to us, so that the tree stays one tree. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	k->main_pid = fork();
	if (k->main_pid < 0 || k->signals < 0)
		die("fork");
	if (!k->main_pid)
		run_child(h, &prog, argv, &old);
	while (h->listener == -1)
		usleep(1000);
	if (h->listener == -2)
		die("the filter was refused");
	pidfd = (int)syscall(SYS_pidfd_open, k->main_pid, 0);
	k->listener = (int)syscall(SYS_pidfd_getfd, pidfd, h->listener, 0);
	if (k->listener < 0)
		die("pidfd_getfd");
	close(pidfd);
	h->go = 1;
}

static void exe_name(pid_t pid, char *ret, size_t size)
{
	char path[64], target[4096];
	const char *base;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	n = readlink(path, target, sizeof target - 1);
	target[n < 0 ? 0 : n] = 0;
	base = strrchr(target, '/');
	snprintf(ret, size, "%.*s", (int)size - 1, base ? base + 1 : target);
}

/* Kills the children of PID and theirs; returns how many it found. */
static int kill_below(pid_t pid, int depth)
{
	char path[64];
	int child, found = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	f = depth > 64 ? NULL : fopen(path, "re");
	if (!f)
		return 0;
	while (fscanf(f, "%d", &child) == 1) {
		found += 1 + kill_below(child, depth + 1);
		kill(child, SIGKILL);
	}
	fclose(f);
	return found;
}

static void reap(struct killat *k)
{
	int status;

	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
		if (pid == k->main_pid)
			k->main_status = status;
}

/* Nobody in the tree can make a counted call meanwhile: we answer none. */
static void kill_tree(struct killat *k)
{
	for (int i = 0; i < KILL_PASSES_MAX && kill_below(getpid(), 0) > 0; i++) {
		usleep(1000);
		reap(k);
	}
}

static bool counts(const struct killat *k, const struct seccomp_notif *req, const char *exe)
{
	if (!k->armed || (k->exe && strcmp(k->exe, exe)))
		return false;
	if (k->skip_std && req->data.args[0] <= 2 &&
		(req->data.nr == SCMP_SYS(write) || req->data.nr == SCMP_SYS(writev)))
		return false;
	return true;
}

static void note(struct killat *k, const struct seccomp_notif *req, const char *exe)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, req->data.nr);

	k->fired = true;
	snprintf(k->fired_call, sizeof k->fired_call, "%s", name ? name : "?");
	snprintf(k->fired_exe, sizeof k->fired_exe, "%s", exe);
	free(name);
}

static void serve(struct killat *k)
{
	struct seccomp_notif req = {0};
	struct seccomp_notif_resp resp = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
	char exe[64];

	if (ioctl(k->listener, SECCOMP_IOCTL_NOTIF_RECV, &req) < 0)
		return; /* ENOENT: the caller died meanwhile */
	resp.id = req.id;
	exe_name((pid_t)req.pid, exe, sizeof exe);
	if (counts(k, &req, exe) && ++k->seen == k->nth && k->action != ACTION_COUNT) {
		note(k, &req, exe);
		if (k->action == ACTION_ERRNO) {
			resp.flags = 0;
			resp.error = -k->error;
		} else if (ioctl(k->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &req.id) == 0) {
			if (k->tree)
				kill_tree(k);
			else
				kill((pid_t)req.pid, SIGKILL);
			return;
		}
	}
	if (ioctl(k->listener, SECCOMP_IOCTL_NOTIF_SEND, &resp) < 0 && errno != ENOENT)
		die("answer");
}

static void take_signals(struct killat *k)
{
	struct signalfd_siginfo si;

	while (read(k->signals, &si, sizeof si) == sizeof si) {
		if (si.ssi_signo == SIGCHLD)
			reap(k);
		else if (si.ssi_signo == SIGUSR1)
			k->armed = true;
		else if (k->main_status < 0)
			kill(k->main_pid, (int)si.ssi_signo);
	}
}

static void loop(struct killat *k)
{
	struct pollfd fds[] = {
		{.fd = k->listener, .events = POLLIN}, {.fd = k->signals, .events = POLLIN}};

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			die("poll");
		if (fds[1].revents)
			take_signals(k);
		if (fds[0].revents & POLLIN)
			serve(k);
		else if (fds[0].revents & (POLLHUP | POLLERR))
			break; /* nobody is left who has the filter */
	}
	while (k->main_status < 0 && waitpid(k->main_pid, &k->main_status, 0) < 0 && errno == EINTR)
		;
	reap(k);
}

static int finish(const struct killat *k)
{
	int status = WIFEXITED(k->main_status) ? WEXITSTATUS(k->main_status)
					       : 128 + WTERMSIG(k->main_status);
	FILE *f = k->report ? fopen(k->report, "we") : stderr;

	if (!f)
		die(k->report);
	fprintf(f,
		"{\"seen\": %llu, \"fired\": %s, \"call\": \"%s\", \"exe\": \"%s\", \"status\": "
		"%d}\n",
		(unsigned long long)k->seen, k->fired ? "true" : "false", k->fired_call,
		k->fired_exe, status);
	if (k->report && fclose(f))
		die(k->report);
	return status;
}

static void parse_action(struct killat *k, const char *s)
{
	if (!strcmp(s, "kill"))
		k->action = ACTION_KILL;
	else if (!strcmp(s, "count"))
		k->action = ACTION_COUNT;
	else if (!strncmp(s, "errno:", 6) && (k->error = parse_errno(s + 6)))
		k->action = ACTION_ERRNO;
	else
		die_usage("bad --action");
}

static uint64_t parse_nth(const char *s)
{
	char *end;
	unsigned long long n = strtoull(s, &end, 10);

	if (*end || end == s || *s == '-')
		die_usage("bad --nth");
	return n;
}

static void parse_options(struct killat *k, int argc, char **argv)
{
	static const struct option options[] = {
		{"calls", 1, NULL, 'c'},
		{"nth", 1, NULL, 'n'},
		{"action", 1, NULL, 'a'},
		{"scope", 1, NULL, 's'},
		{"exe", 1, NULL, 'e'},
		{"report", 1, NULL, 'r'},
		{"no-std", 0, NULL, 'S'},
		{"help", 0, NULL, 'h'},
		{"armed-by-signal", 0, NULL, 'A'},
		{NULL, 0, NULL, 0},
	};

	for (int c; (c = getopt_long(argc, argv, "+h", options, NULL)) != -1;) {
		switch (c) {
		case 'c':
			k->calls = optarg;
			break;
		case 'n':
			k->nth = parse_nth(optarg);
			break;
		case 'a':
			parse_action(k, optarg);
			break;
		case 'e':
			k->exe = optarg;
			break;
		case 'r':
			k->report = optarg;
			break;
		case 'S':
			k->skip_std = true;
			break;
		case 'A':
			k->armed = false;
			break;
		case 's':
			k->tree = !strcmp(optarg, "tree");
			if (!k->tree && strcmp(optarg, "process"))
				die_usage("bad --scope");
			break;
		case 'h':
			fputs(usage_text, stdout);
			exit(0);
		default:
			die_usage("bad option");
		}
	}
	if (optind >= argc)
		die_usage("no command");
}

int main(int argc, char **argv)
{
	struct killat k = {
		.calls = DEFAULT_CALLS, .action = ACTION_KILL, .armed = true, .main_status = -1};

	parse_options(&k, argc, argv);
	start(&k, argv + optind);
	loop(&k);
	return finish(&k);
}
