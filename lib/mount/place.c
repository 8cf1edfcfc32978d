/* SPDX-License-Identifier: Apache-2.0 */
/* place.c: a directory given as a root and a path strictly beneath it, resolved without symlinks */
#include "mount/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/pathat.h"
#include "base/str.h"

static int path_check(const char *path)
{
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	for (const char *p = path;; p++) {
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return -EINVAL;
		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		p += n;
		if (!*p)
			return 0;
	}
}

/* The end of a path says more than its beginning. */
static void show(char *dst, size_t size, const struct place *p)
{
	char whole[2 * PATH_MAX];
	size_t len;

	snprintf(whole, sizeof(whole), "%s%s%s", p->root, *p->path ? "/" : "", p->path);
	len = strlen(whole);
	if (len < size)
		memcpy(dst, whole, len + 1);
	else
		snprintf(dst, size, "...%s", whole + len - (size - 4));
}

static int refuse(int code, const char *shown, struct err *e)
{
	switch (code) {
	case -EINVAL:
		return err_set(e, EINVAL, "%s: is no path strictly beneath its root", shown);
	case -ELOOP:
		return err_set(e, ELOOP, "%s: a symbolic link is in the way", shown);
	case -EXDEV:
		return err_set(e, EXDEV, "%s: leaves its root or its file system", shown);
	default:
		return err_sys(e, code, "cannot open %s", shown);
	}
}

static int root_open(const struct place *p)
{
	int fd;

	if (p->root[0] != '/')
		return -EINVAL;
	fd = open(p->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int parent_open(const struct place *p)
{
	_cleanup_close_ int rootfd = -1;
	const char *slash = strrchr(p->path, '/');
	char parent[PATH_MAX];
	int r;

	r = path_check(p->path);
	if (r < 0)
		return r;
	rootfd = root_open(p);
	if (rootfd < 0 || !slash)
		return TAKE_FD(rootfd);
	memcpy(parent, p->path, (size_t)(slash - p->path));
	parent[slash - p->path] = '\0';
	return pathat_open_across(rootfd, parent, O_PATH | O_DIRECTORY);
}

int place_open(struct place_at *ret, const struct place *p, struct err *e)
{
	const char *slash = strrchr(p->path, '/');

	show(ret->shown, sizeof(ret->shown), p);
	ret->name = slash ? slash + 1 : p->path;
	ret->parentfd = parent_open(p);
	return ret->parentfd < 0 ? refuse(ret->parentfd, ret->shown, e) : 0;
}

void place_close(struct place_at *at)
{
	at->parentfd = fd_close(at->parentfd);
}

int place_open_directory(const struct place *p, bool beneath, struct err *e)
{
	_cleanup_close_ int rootfd = -1;
	char shown[256];
	int r = 0, fd;

	show(shown, sizeof(shown), p);
	if (*p->path)
		r = path_check(p->path);
	if (r < 0)
		return refuse(r, shown, e);
	rootfd = root_open(p);
	if (rootfd < 0)
		return refuse(rootfd, shown, e);
	if (!*p->path)
		return TAKE_FD(rootfd);
	fd = beneath ? pathat_open(rootfd, p->path, O_PATH | O_DIRECTORY, 0)
		     : pathat_open_across(rootfd, p->path, O_PATH | O_DIRECTORY);
	return fd < 0 ? refuse(fd, shown, e) : fd;
}

const char *place_proc(char dst[static PLACE_PROC_MAX], int fd, const char *name)
{
	snprintf(
		dst, PLACE_PROC_MAX, "/proc/self/fd/%d%s%s", fd, name ? "/" : "", str_or(name, ""));
	return dst;
}
