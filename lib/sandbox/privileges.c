/* SPDX-License-Identifier: Apache-2.0 */
/* privileges.c: giving up identity, capabilities, descriptors and core dumps */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where close_range() is not there (before 5.9): higher numbers are close-on-exec, as all of ours.
 */
#define CLOSE_BY_HAND_MAX 65536U

static bool is_kept(unsigned long cap, const int *keep, size_t n_keep)
{
	for (size_t i = 0; i < n_keep; i++)
		if (cap == (unsigned long)keep[i])
			return true;
	return false;
}

/* The kernel says EINVAL for the first number beyond its last capability. */
static int bounding_set_clear(const int *keep, size_t n_keep, struct err *e)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++) {
		if (is_kept(cap, keep, n_keep) || prctl(PR_CAPBSET_DROP, cap) >= 0)
			continue;
		/* Without CAP_SETPCAP it stays, and with no_new_privs it gives nobody anything. */
		if (errno == EPERM)
			return 0;
		return err_sys(e, errno, "cannot drop capability %lu from the bounding set", cap);
	}
	return 0;
}

static int identity_set(uid_t uid, gid_t gid, struct err *e)
{
	if (setgroups(0, NULL) < 0)
		return err_sys(e, errno, "cannot give up supplementary groups");
	if (setresgid(gid, gid, gid) < 0)
		return err_sys(e, errno, "cannot become group %u", (unsigned)gid);
	if (setresuid(uid, uid, uid) < 0)
		return err_sys(e, errno, "cannot become user %u", (unsigned)uid);
	return 0;
}

static int capabilities_set(cap_t to, struct err *e)
{
	int r;

	/* EINVAL: a kernel without ambient capabilities. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return err_sys(e, errno, "cannot clear ambient capabilities");
	r = cap_set_proc(to) < 0 ? -errno : 0;
	return r < 0 ? err_sys(e, r, "cannot give up capabilities") : 0;
}

static int capabilities_check(cap_t want, struct err *e)
{
	cap_t now = cap_get_proc();
	int different = now ? cap_compare(now, want) : -1;

	cap_free(now);
	return different == 0 ? 0 : err_set(e, EPERM, "capabilities are left after giving them up");
}

/* keep: permitted and effective; nothing inheritable. */
static int capabilities_reduce(const int *keep, size_t n_keep, struct err *e)
{
	cap_t set = cap_init();
	int r = set ? 0 : -ENOMEM;

	if (r >= 0 && n_keep > 0 &&
		(cap_set_flag(set, CAP_PERMITTED, (int)n_keep, keep, CAP_SET) < 0 ||
			cap_set_flag(set, CAP_EFFECTIVE, (int)n_keep, keep, CAP_SET) < 0))
		r = -errno;
	if (r < 0)
		err_sys(e, r, "cannot give up capabilities");
	else
		r = capabilities_set(set, e);
	if (r >= 0)
		r = capabilities_check(set, e);
	cap_free(set);
	return r;
}

static int capabilities_need(const int *keep, size_t n_keep, struct err *e)
{
	cap_t now = cap_get_proc();
	int r = now ? 0 : err_sys(e, ENOMEM, "cannot read capabilities");

	for (size_t i = 0; i < n_keep && r >= 0; i++) {
		cap_flag_value_t has = CAP_CLEAR;
		char *name;

		if (cap_get_flag(now, keep[i], CAP_PERMITTED, &has) == 0 && has == CAP_SET)
			continue;
		name = cap_to_name(keep[i]);
		r = err_set(e, EPERM, "needs the capability %s, which this process does not have",
			name ? name : "?");
		cap_free(name);
	}
	cap_free(now);
	return r;
}

/* A change of identity cleared it, and in between the parent may have died unnoticed. */
static int death_signal_restore(int signo, pid_t parent, struct err *e)
{
	if (signo == 0)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, (unsigned long)signo) < 0)
		return err_sys(e, errno, "cannot set the parent death signal");
	return getppid() == parent ? 0 : err_set(e, ESRCH, "the parent process is gone");
}

int sandbox_drop(uid_t uid, gid_t gid, struct err *e)
{
	pid_t parent = getppid();
	int signo = 0, r;

	if (prctl(PR_GET_PDEATHSIG, &signo) < 0)
		return err_sys(e, errno, "cannot read the parent death signal");
	r = bounding_set_clear(NULL, 0, e);
	if (r >= 0 && geteuid() == 0)
		r = identity_set(uid, gid, e);
	if (r >= 0)
		r = capabilities_reduce(NULL, 0, e);
	if (r >= 0)
		r = death_signal_restore(signo, parent, e);
	return r;
}

int sandbox_keep(const int *keep, size_t n_keep, struct err *e)
{
	int r = capabilities_need(keep, n_keep, e);

	if (r >= 0)
		r = bounding_set_clear(keep, n_keep, e);
	return r < 0 ? r : capabilities_reduce(keep, n_keep, e);
}

/* The soft limit, which shells and runtimes keep low for the sake of select(2), goes up to it too.
 */
static int limit_set(int resource, rlim_t max)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return -errno;
	if (limit.rlim_max > max)
		limit.rlim_max = max;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;
}

int sandbox_harden(unsigned nofile, struct err *e)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, "cannot set no_new_privs");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, errno, "cannot make the process undumpable");
	r = limit_set(RLIMIT_CORE, 0);
	if (r < 0)
		return err_sys(e, r, "cannot limit core dumps");
	r = nofile > 0 ? limit_set(RLIMIT_NOFILE, nofile) : 0;
	return r < 0 ? err_sys(e, r, "cannot limit descriptors to %u", nofile) : 0;
}

static int close_from_to(unsigned first, unsigned last)
{
	if (first > last || syscall(SYS_close_range, first, last, 0) >= 0)
		return 0;
	/* EPERM: a container runtime's filter that does not know it. */
	if (errno != ENOSYS && errno != EPERM)
		return -errno;
	for (unsigned fd = first; fd <= last && fd < CLOSE_BY_HAND_MAX; fd++)
		close((int)fd);
	return 0;
}

int sandbox_close_fds(const int *keep, size_t n_keep, struct err *e)
{
	unsigned from = STDERR_FILENO + 1;
	int r = 0;

	for (size_t i = 0; i < n_keep && r >= 0; i++) {
		if (keep[i] < (int)from)
			continue;
		r = close_from_to(from, (unsigned)keep[i] - 1);
		from = (unsigned)keep[i] + 1;
	}
	if (r >= 0)
		r = close_from_to(from, ~0U);
	return r < 0 ? err_sys(e, r, "cannot close descriptors") : 0;
}
