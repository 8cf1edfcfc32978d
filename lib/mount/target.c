/* SPDX-License-Identifier: Apache-2.0 */
/* target.c: a mount point on its way: made, found free or taken, and taken back */
#include "mount/target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

int target_prepare(struct target *t, const struct place *p, mode_t mode, struct err *e)
{
	int r = place_open(&t->at, p, e);

	t->made = false;
	if (r < 0) {
		err_prefix(e, "target");
		return r;
	}
	if (mkdirat(t->at.parentfd, t->at.name, mode) == 0)
		t->made = true;
	else if (errno != EEXIST)
		return err_sys(e, errno, "cannot make target %s", t->at.shown);
	return 0;
}

int target_open(const struct target *t)
{
	int fd = openat(t->at.parentfd, t->at.name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int target_detach(const struct target *t)
{
	char path[PLACE_PROC_MAX];

	place_proc(path, t->at.parentfd, t->at.name);
	if (umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH) == 0)
		return 1;
	return errno == EINVAL ? 0 : -errno;
}

void target_close(struct target *t, bool failed)
{
	if (failed && t->made)
		unlinkat(t->at.parentfd, t->at.name, AT_REMOVEDIR);
	place_close(&t->at);
}

static int check_empty(const struct target *t, struct err *e)
{
	int fd = openat(t->at.parentfd, t->at.name,
		O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool found = false;

	if (!dir) {
		int r = err_sys(e, errno, "cannot read target %s", t->at.shown);

		fd_close(fd);
		return r;
	}
	while (!found && (entry = readdir(dir)) != NULL)
		found = !streq(entry->d_name, ".") && !streq(entry->d_name, "..");
	closedir(dir);
	return found ? err_set(e, ENOTEMPTY, "target %s is not empty", t->at.shown) : 0;
}

/* Only the server knows whether the mounted directory still is: this one asks it. */
static int check_alive(const struct target *t, struct err *e)
{
	_cleanup_close_ int fd = target_open(t);
	struct stat st;

	if (fd < 0)
		return err_sys(e, fd, "cannot open the mount at %s", t->at.shown);
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "the mount at %s is broken", t->at.shown);
	return 0;
}

/* 1: there is a live mount, *ret; 0: an empty directory. */
static int look(const struct target *t, struct mounted *ret, struct err *e)
{
	int r = mounted_at(&t->at, ret, e);

	if (r < 0)
		return r;
	if (!ret->exists)
		return err_set(e, ENOENT, "target %s was removed meanwhile", t->at.shown);
	if (!ret->is_directory)
		return err_set(e, ENOTDIR, "target %s is a file or a symbolic link", t->at.shown);
	if (!ret->is_root)
		return check_empty(t, e);
	r = check_alive(t, e);
	return r < 0 ? r : 1;
}

int target_find(const struct target *t, target_fits_fn fits, void *userdata, enum target_state *ret,
	struct err *e)
{
	struct mounted m;
	int r, removed;

	*ret = TARGET_FREE;
	/* Nothing can be mounted on what was not there. */
	if (t->made)
		return 0;
	/* A stack of broken mounts has an end. */
	while ((r = look(t, &m, e)) < 0) {
		if (!mounted_errno_is_corrupted(r))
			return r;
		/* There is nobody to write to any more who could be waited for. */
		removed = target_detach(t);
		if (removed < 0)
			return err_sys(
				e, removed, "cannot detach the broken mount at %s", t->at.shown);
		/* What it lies on is broken. */
		if (removed == 0)
			return r;
		*ret = TARGET_MENDED;
		err_clear(e);
	}
	if (r == 0)
		return 0;
	*ret = TARGET_TAKEN;
	return fits(t, &m, userdata, e);
}
