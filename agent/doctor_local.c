/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_local.c: what can be seen of a node without its agent */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/doctor.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "mount/table.h"

#define FILE_MAX (8U << 20)
#define PATH_SIZE 4096

/* ---- the kernel's NFS client --------------------------------------------------------------- */

static bool file_has(const char *path, const char *text)
{
	_cleanup_buf_ struct buf b = BUF_NULL(FILE_MAX);

	return file_read(path, &b, NULL) == 0 && b.data && strstr(b.data, text);
}

static void judge_nfs(doctor_fn fn, void *userdata)
{
	struct utsname u;
	char path[PATH_SIZE];

	/* "nodev\tnfs4" */
	if (file_has("/proc/filesystems", "\tnfs\n") || file_has("/proc/filesystems", "\tnfs4\n")) {
		doctor_judge_nfs(true, "", 0, fn, userdata);
		return;
	}
	if (uname(&u) < 0)
		u.release[0] = '\0';
	(void)snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", u.release);
	doctor_judge_nfs(false,
		file_has(path, "/nfs/nfs.ko")
			? "the kernel has no NFS client, its module nfs is not loaded"
			: "the kernel has no NFS client, and no module nfs",
		0, fn, userdata);
}

static void judge_propagation(const char *root, doctor_fn fn, void *userdata)
{
	_cleanup_(mount_table_freep) struct mount_table *t = NULL;
	struct err e = ERR_NULL;
	const struct mount_row *row;

	if (mount_table_read(&t, "/proc/self/mountinfo", &e) < 0) {
		doctor_judge_propagation(root, "", e.text, fn, userdata);
		return;
	}
	row = mount_table_holder(t, root);
	doctor_judge_propagation(root,
		!row          ? ""
		: row->peer   ? "shared"
		: row->master ? "slave"
			      : "private",
		"", fn, userdata);
}

/* ---- the kubelet's directories and our sockets ---------------------------------------------- */

static struct doctor_finding socket_finding(enum doctor_level level)
{
	return (struct doctor_finding){.check = "sockets", .level = level};
}

static bool judge_directory(const char *path, const char *cure, doctor_fn fn, void *userdata)
{
	struct doctor_finding f = socket_finding(DOCTOR_ERROR);
	struct stat st;
	int r = stat(path, &st) < 0 ? -errno : S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;

	if (r == 0)
		return true;
	(void)snprintf(f.text, sizeof(f.text), "%s: %s", path, strerror(-r));
	if (r == -EACCES) {
		f.level = DOCTOR_NOTE;
		cure = "be root to have the sockets looked at";
	}
	(void)str_copy_cut(f.cure, sizeof(f.cure), cure);
	fn(&f, userdata);
	return false;
}

/* Whether somebody accepts there: what a dead agent leaves behind is a file like any other. */
static int try_connect(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (str_copy(sa.sun_path, sizeof(sa.sun_path), path) < 0)
		return -ENAMETOOLONG;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 && errno != EAGAIN)
		return -errno;
	return 0;
}

static void judge_socket(const char *path, doctor_fn fn, void *userdata)
{
	int r = try_connect(path);
	struct doctor_finding f = socket_finding(r == 0 ? DOCTOR_OK : DOCTOR_ERROR);

	if (r == 0) {
		(void)snprintf(f.text, sizeof(f.text), "%s accepts", path);
	} else {
		(void)snprintf(f.text, sizeof(f.text), "%s: %s", path, strerror(-r));
		(void)str_copy_cut(f.cure, sizeof(f.cure),
			r == -ECONNREFUSED
				? "left by an agent that has ended: the next one replaces it"
				: "the agent makes it when it starts");
	}
	fn(&f, userdata);
}

static void judge_sockets(const char *root, doctor_fn fn, void *userdata)
{
	static const char *const drivers[] = {"nfs.berth.dev", "hostpath.berth.dev"};
	static const char kubelet[] = "is this the kubelet's --root-dir, and has it run here?";
	char path[PATH_SIZE];

	if (!judge_directory(root, kubelet, fn, userdata))
		return;
	(void)snprintf(path, sizeof(path), "%s/plugins_registry", root);
	if (!judge_directory(path, kubelet, fn, userdata))
		return;
	for (size_t i = 0; i < ELEMENTSOF(drivers); i++) {
		(void)snprintf(path, sizeof(path), "%s/plugins/%s/csi.sock", root, drivers[i]);
		judge_socket(path, fn, userdata);
		(void)snprintf(
			path, sizeof(path), "%s/plugins_registry/%s-reg.sock", root, drivers[i]);
		judge_socket(path, fn, userdata);
	}
}

void doctor_judge_local(const char *kubelet_root, doctor_fn fn, void *userdata)
{
	judge_nfs(fn, userdata);
	/* What is not there is no mount: what is wrong with it is said with the sockets. */
	if (access(kubelet_root, F_OK) == 0)
		judge_propagation(kubelet_root, fn, userdata);
	judge_sockets(kubelet_root, fn, userdata);
}
