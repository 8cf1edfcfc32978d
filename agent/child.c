/* SPDX-License-Identifier: Apache-2.0 */
/* child.c: what becomes of a process that the broker forked: namespaces, powers, program */
#include "agent/child.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/mount_child.h"
#include "agent/pinger.h"
#include "agent/resolver.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/reserved.h"
#include "base/str.h"
#include "nfs/nfs.h"
#include "sandbox/sandbox.h"
#include "worker/child.h"
#include "worker/spawn.h"

#define EXIT_NOT_BECOME 127
/* Descriptors of a mount child: standard three, the front's, and those of one operation. */
#define FILES_MAX 64

/*
 * mount, umount2, move_mount, open_tree and their like want CAP_SYS_ADMIN. No more: the kubelet's
 * directories and ours are root's, which it stays, and directories of tenants on pools are only
 * passed and bound, never read.
 */
static const int mount_capabilities[] = {CAP_SYS_ADMIN};

static int become_mount_child(struct err *e)
{
	int r = sandbox_keep(mount_capabilities, ELEMENTSOF(mount_capabilities), e);

	if (r >= 0)
		r = sandbox_harden(FILES_MAX, e);
	if (r >= 0)
		r = sandbox_seccomp(SANDBOX_MOUNTER, e);
	return r < 0 ? r : 0;
}

/* No filter for berth-nfs: it loads its own, once it is connected. */
static int become_nobody(bool filter, struct err *e)
{
	int r = sandbox_drop(SANDBOX_UID, SANDBOX_GID, e);

	if (r >= 0)
		r = sandbox_harden(0, e);
	if (r >= 0 && filter)
		r = sandbox_seccomp(SANDBOX_PROVISIONER, e);
	return r < 0 ? r : 0;
}

/*
 * keep follows the front's descriptor. What a kernel without close_range(2) left open is closed,
 * too: a child that never execs would hold the broker's lock, and a later broker off, for as long
 * as the kernel holds the child.
 */
static int settle(const struct child_setup *s, int *fd, int keep, struct err *e)
{
	const int kept[] = {WORKER_FD, WORKER_FD + 1};
	int r = spawn_settle(s->broker, fd, keep);

	/* What the broker's files are made with is not what others make theirs with. */
	umask(0022);
	if (r < 0)
		return err_sys(e, r, "cannot arrange descriptors");
	return sandbox_close_fds(kept, keep >= 0 ? 2 : 1, e);
}

static _Noreturn void give_up(const char *what, const struct err *e)
{
	log_error("cannot become %s: %s", what, e->text);
	_exit(EXIT_NOT_BECOME);
}

static _Noreturn void exec(const char *program, const char *const *argv)
{
	execve(program, (char *const *)(uintptr_t)argv, environ);
	log_error("uid %d cannot execute %s: %s", SANDBOX_UID, program, strerror(errno));
	_exit(EXIT_NOT_BECOME);
}

static _Noreturn void run_mount_child(const struct child_setup *s, int fd, int claim)
{
	struct err e = ERR_NULL;

	if (settle(s, &fd, claim, &e) < 0 || become_mount_child(&e) < 0)
		give_up("a mount child", &e);
	_exit(mount_child_run(s, fd) < 0);
}

static int settle_as_nobody(const struct child_setup *s, int *fd, const char *what)
{
	struct err e = ERR_NULL;

	if (settle(s, fd, -1, &e) < 0 || become_nobody(true, &e) < 0)
		give_up(what, &e);
	return *fd;
}

static _Noreturn void run_resolver(const struct child_setup *s, int fd, int claim)
{
	(void)claim;
	_exit(resolver_run(settle_as_nobody(s, &fd, "a resolver")) < 0);
}

static _Noreturn void run_pinger(const struct child_setup *s, int fd, int claim)
{
	(void)claim;
	_exit(pinger_run(settle_as_nobody(s, &fd, "a pinger")) < 0);
}

/*
 * Exports that are not "insecure" want a reserved port, which berth-nfs has no right to take. So it
 * gets sockets that have one in place of the right: for mountd and for NFS, of either family, as
 * the descriptors behind its own. How many: none where the broker has no such right itself.
 */
static unsigned bound_sockets(int next)
{
	static const int families[NFS_BOUND_MAX] = {AF_INET, AF_INET, AF_INET6, AF_INET6};
	unsigned n = 0;

	for (size_t i = 0; i < ELEMENTSOF(families); i++) {
		int fd = socket(families[i], SOCK_STREAM | SOCK_NONBLOCK, 0);

		if (fd == next + (int)n && reserved_bind(fd, families[i]) >= 0)
			n++;
		else
			fd_close(fd);
	}
	return n;
}

static _Noreturn void run_nfs(const struct child_setup *s, int fd, int claim)
{
	char count[] = "0";
	const char *const argv[] = {s->nfs_worker, "--worker", "--bound", count, NULL};
	struct err e = ERR_NULL;
	int r = settle(s, &fd, -1, &e);

	(void)claim;
	count[0] = (char)('0' + (r < 0 ? 0 : bound_sockets(fd + 1)));
	if (r < 0 || become_nobody(false, &e) < 0)
		give_up("berth-nfs", &e);
	exec(s->nfs_worker, argv);
}

_Noreturn void child_run(const struct child_setup *s, enum broker_class what, int fd, int claim)
{
	static void (*const runs[_BROKER_CLASS_MAX])(
		const struct child_setup *s, int fd, int claim) = {
		[BROKER_MOUNT] = run_mount_child,
		[BROKER_RESOLVER] = run_resolver,
		[BROKER_PINGER] = run_pinger,
		[BROKER_NFS] = run_nfs,
	};
	struct err e = ERR_NULL;

	if (host_enter(&s->host, what == BROKER_MOUNT, &e) < 0)
		give_up("a child on the host", &e);
	runs[what](s, fd, claim);
	_exit(EXIT_NOT_BECOME);
}

_Noreturn void child_run_front(const struct child_setup *s, int fd)
{
	struct err e = ERR_NULL;

	if (settle(s, &fd, -1, &e) < 0 || become_nobody(false, &e) < 0)
		give_up("berth-front", &e);
	exec(s->front, s->front_argv);
}
