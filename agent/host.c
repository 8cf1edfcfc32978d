/* SPDX-License-Identifier: Apache-2.0 */
/* host.c: the namespaces in which mounts are made */
#include "agent/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"

#define FIRST_PID "1"
/* TASK_COMM_LEN and a newline. */
#define COMM_MAX 17

/* PROC/PID/ns/NAME as a descriptor. */
static int namespace_open(const char *proc, const char *pid, const char *name, struct err *e)
{
	char path[PATH_MAX];
	int fd, r = str_format(path, sizeof(path), "%s/%s/ns/%s", proc, pid, name);

	if (r < 0)
		return err_sys(e, r, "%s", proc);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == EACCES || errno == EPERM)
		return err_sys(e, errno,
			"cannot open %s (this needs CAP_SYS_PTRACE and CAP_SYS_ADMIN on the host)",
			path);
	return err_sys(e, errno, "cannot open %s", path);
}

static bool same_namespace(const char *proc, const char *pid, const char *name)
{
	char path[PATH_MAX];
	struct stat a, b;

	return str_format(path, sizeof(path), "%s/%s/ns/%s", proc, pid, name) >= 0 &&
	       stat(path, &a) == 0 &&
	       str_format(path, sizeof(path), "%s/" FIRST_PID "/ns/%s", proc, name) >= 0 &&
	       stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* By itself, or in one program with the rest of Kubernetes (K3s, MicroK8s). */
static bool is_kubelets_name(const char *comm)
{
	static const char *const names[] = {
		"kubelet\n", "k3s-server\n", "k3s-agent\n", "kubelite\n"};

	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		if (streq(comm, names[i]))
			return true;
	return false;
}

static bool is_named_kubelet(const char *proc, const char *pid)
{
	char path[PATH_MAX], comm[COMM_MAX] = "";
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (str_format(path, sizeof(path), "%s/%s/comm", proc, pid) < 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == 0 &&
	       read(fd, comm, sizeof(comm) - 1) > 0 && is_kubelets_name(comm);
}

/* Anybody may call a process so; in these namespaces, as root, he has the host already. */
static bool is_kubelet_apart(const char *proc, const char *pid)
{
	return is_named_kubelet(proc, pid) && same_namespace(proc, pid, "pid") &&
	       same_namespace(proc, pid, "user") && !same_namespace(proc, pid, "mnt");
}

/* Whose mount namespace it is. */
static void owner_find(const char *proc, char *dst, size_t size)
{
	DIR *d = opendir(proc);
	uint64_t pid;

	str_copy_cut(dst, size, FIRST_PID);
	for (const struct dirent *entry = d ? readdir(d) : NULL; entry; entry = readdir(d)) {
		if (parse_u64(entry->d_name, 2, INT_MAX, &pid) < 0 ||
			!is_kubelet_apart(proc, entry->d_name))
			continue;
		str_copy_cut(dst, size, entry->d_name);
		break;
	}
	if (d)
		closedir(d);
}

static int host_open_proc(struct host *h, const char *proc, struct err *e)
{
	char owner[24];
	int r = 0;

	h->net = namespace_open(proc, FIRST_PID, "net", e);
	if (h->net < 0)
		return h->net;
	owner_find(proc, owner, sizeof(owner));
	h->mnt = namespace_open(proc, owner, "mnt", e);
	if (h->mnt < 0)
		return h->mnt;
	r = str_format(h->mountinfo, sizeof(h->mountinfo), "%s/%s/mountinfo", proc, owner);
	return r < 0 ? err_sys(e, r, "%s", proc) : 0;
}

int host_open(struct host *ret, const char *proc, struct err *e)
{
	int r;

	*ret = HOST_NULL;
	if (!proc) {
		str_copy_cut(ret->mountinfo, sizeof(ret->mountinfo), "/proc/self/mountinfo");
		if (access(ret->mountinfo, R_OK) < 0)
			return err_sys(
				e, errno, "cannot read %s: is /proc mounted?", ret->mountinfo);
		return 0;
	}
	r = host_open_proc(ret, proc, e);
	if (r < 0) {
		ret->mnt = fd_close(ret->mnt);
		ret->net = fd_close(ret->net);
	}
	return r;
}

int host_enter(const struct host *h, bool mounts, struct err *e)
{
	if (h->net >= 0 && setns(h->net, CLONE_NEWNET) < 0)
		return err_sys(e, errno, "cannot enter the host's network namespace");
	if (mounts && h->mnt >= 0 && setns(h->mnt, CLONE_NEWNS) < 0)
		return err_sys(e, errno, "cannot enter the host's mount namespace");
	return 0;
}
