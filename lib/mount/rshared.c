/* SPDX-License-Identifier: Apache-2.0 */
/* rshared.c: the kubelet's root as a shared mount, so that mounts below it reach pods */
#include "mount/rshared.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "mount/mounted.h"
#include "mount/mountinfo.h"

#define TABLE "/proc/self/mountinfo"

struct look {
	struct rshared *ret;
	const char *path; /* as mountinfo has it */
	size_t len;
	uint64_t id; /* of the mount that holds it */
	bool found;
};

static int look_line(const struct mountinfo *m, void *userdata)
{
	struct look *l = userdata;
	const char *rest = str_after(m->target, l->path);

	if (m->id == l->id) {
		l->found = true;
		l->ret->peer = m->peer;
		l->ret->master = m->master;
		str_copy_cut(l->ret->holder, sizeof(l->ret->holder), m->target);
	}
	if (rest && l->len > 1 ? *rest == '/' : rest && *rest) {
		if (l->ret->below++ == 0)
			str_copy_cut(l->ret->example, sizeof(l->ret->example), m->target);
	}
	return 0;
}

/* The directory without symlinks, as the mount table names it. */
static int real_path(int fd, char dst[static PATH_MAX])
{
	char link[PLACE_PROC_MAX];
	ssize_t n = readlink(place_proc(link, fd, NULL), dst, PATH_MAX);

	if (n < 0)
		return -errno;
	if (n >= PATH_MAX)
		return -ENAMETOOLONG;
	dst[n] = '\0';
	return 0;
}

static int directory_open(const char *path, struct err *e)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "cannot open %s", path) : fd;
}

static int look(int fd, const char *path, struct rshared *ret, struct err *e)
{
	struct look l = {.ret = ret};
	char real[PATH_MAX];
	struct mounted m;
	int r;

	*ret = (struct rshared){.is_root = false};
	r = mounted_fd(fd, path, &m, e);
	if (r < 0)
		return r;
	r = real_path(fd, real);
	if (r < 0)
		return err_sys(e, r, "cannot resolve %s", path);
	l.path = real;
	l.len = strlen(real);
	l.id = m.id;
	r = mountinfo_each(TABLE, look_line, &l, e);
	if (r < 0)
		return r;
	if (!l.found)
		return err_set(e, ENOENT, "the mount that holds %s is not in " TABLE, path);
	ret->is_root = m.is_root;
	return 0;
}

int rshared_look(const char *path, struct rshared *ret, struct err *e)
{
	_cleanup_close_ int fd = directory_open(path, e);

	*ret = (struct rshared){.is_root = false};
	return fd < 0 ? fd : look(fd, path, ret, e);
}

static int share_in_place(int fd, const char *path, struct err *e)
{
	char at[PLACE_PROC_MAX];

	if (mount(NULL, place_proc(at, fd, NULL), NULL, MS_SHARED | MS_REC, NULL) < 0)
		return err_sys(e, errno, "cannot make the mount at %s shared", path);
	return 0;
}

/* A shared copy of itself on top of itself, in one step. */
static int bind_detached(int fd)
{
	struct mount_attr attr = {.propagation = MS_SHARED};
	_cleanup_close_ int tree = open_tree(
		fd, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0 ||
		mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0 ||
		move_mount(tree, "", fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

static int bind_old(int fd)
{
	char at[PLACE_PROC_MAX];

	place_proc(at, fd, NULL);
	return mount(at, at, NULL, MS_BIND | MS_REC, NULL) < 0 ? -errno : 0;
}

static void take_back(const char *path)
{
	umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH);
}

/* After the bind: is what is seen at path shared, and did nobody mount below it meanwhile, unseen
 * by the copy? *ret counts the copy's mounts: there were none before. */
static int check_bound(const char *path, bool share, struct rshared *ret, struct err *e)
{
	_cleanup_close_ int top = directory_open(path, e);
	int r;

	if (top < 0)
		return top;
	r = share ? share_in_place(top, path, e) : 0;
	if (r == 0)
		r = look(top, path, ret, e);
	if (r < 0)
		return r;
	if (!ret->is_root || ret->peer == 0)
		return err_set(e, EIO, "%s was bound to itself and is not shared after it", path);
	if (ret->below > 0)
		return err_set(
			e, EBUSY, "%s was mounted below %s in the same moment", ret->example, path);
	return 0;
}

static int bind_itself(int fd, const char *path, struct rshared *ret, struct err *e)
{
	char real[PATH_MAX];
	bool old = false;
	int r = real_path(fd, real);

	if (r == 0)
		r = bind_detached(fd);
	if (r == -ENOSYS || r == -EPERM) {
		old = true;
		r = bind_old(fd);
	}
	if (r < 0)
		return err_sys(e, r, "cannot bind %s to itself", path);
	r = check_bound(real, old, ret, e);
	if (r < 0)
		take_back(real);
	return r;
}

int rshared_make(const char *path, struct rshared *ret, bool *ret_changed, struct err *e)
{
	_cleanup_close_ int fd = directory_open(path, e);
	int r;

	*ret_changed = false;
	*ret = (struct rshared){.is_root = false};
	r = fd < 0 ? fd : look(fd, path, ret, e);
	if (r < 0 || ret->peer != 0)
		return r;
	if (!ret->is_root && ret->below > 0)
		return err_set(e, EBUSY,
			"%s is on %s, which is not shared, and %u mounts are below it (%s): bound "
			"to "
			"itself now it would hide them from the kubelet; stop the pods or reboot",
			path, ret->holder, ret->below, ret->example);
	r = ret->is_root ? share_in_place(fd, path, e) : bind_itself(fd, path, ret, e);
	if (r < 0)
		return r;
	*ret_changed = true;
	return ret->peer ? 0 : look(fd, path, ret, e);
}
