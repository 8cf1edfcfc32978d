/* SPDX-License-Identifier: Apache-2.0 */
/* place.c: a directory given as a root and a path strictly beneath it, resolved without symlinks */
#include "mount/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

/*
 * The first n bytes of the path below the root in one step, where the root has no symlink in its
 * own path either: what has none in all of it and no ".." does not leave the root. Whatever is in
 * the way of that is for the caller to find out, step by step.
 */
static int open_at_once(const struct place *p, size_t n)
{
	char whole[PATH_MAX];

	if (str_format(whole, sizeof(whole), "%s/%.*s", p->root, (int)n, p->path) < 0)
		return -ENAMETOOLONG;
	return pathat_open_plain(whole, O_PATH | O_DIRECTORY);
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
	r = slash ? open_at_once(p, (size_t)(slash - p->path)) : -EINVAL;
	if (r >= 0)
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

static int open_from(int rootfd, const struct place *p, bool beneath)
{
	if (!*p->path) {
		int fd = fcntl(rootfd, F_DUPFD_CLOEXEC, 0);

		return fd < 0 ? -errno : fd;
	}
	return beneath ? pathat_open(rootfd, p->path, O_PATH | O_DIRECTORY, 0)
		       : pathat_open_across(rootfd, p->path, O_PATH | O_DIRECTORY);
}

static int directory_open(const struct place *p, const int *given, bool beneath)
{
	_cleanup_close_ int rootfd = -1;
	int r = *p->path ? path_check(p->path) : 0;

	if (r < 0)
		return r;
	if (given)
		return open_from(*given, p, beneath);
	/* Whether a file system is left cannot be asked from above its root. */
	r = *p->path && !beneath ? open_at_once(p, strlen(p->path)) : -EINVAL;
	if (r >= 0)
		return r;
	rootfd = root_open(p);
	if (rootfd < 0 || !*p->path)
		return TAKE_FD(rootfd);
	return open_from(rootfd, p, beneath);
}

int place_open_directory(const struct place *p, const int *rootfd, bool beneath, struct err *e)
{
	char shown[256];
	int fd = directory_open(p, rootfd, beneath);

	if (fd >= 0)
		return fd;
	show(shown, sizeof(shown), p);
	return refuse(fd, shown, e);
}

/* The directory's own attributes, from the server: where they changed, the kernel looks the names
 * in it up again. */
static int ask(int dirfd)
{
	struct statx stx;

	if (statx(dirfd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_CTIME | STATX_MTIME, &stx) <
		0)
		/* Before 4.11 there is no way to ask (EINVAL: libc's stand-in). */
		return errno == ENOSYS || errno == EINVAL ? 0 : -errno;
	return 0;
}

static int open_asked(const struct place *p)
{
	_cleanup_close_ int fd = -1;
	char name[NAME_MAX + 1];
	int r = *p->path ? path_check(p->path) : 0;

	if (r < 0)
		return r;
	fd = root_open(p);
	for (const char *at = p->path; *at && fd >= 0;) {
		size_t n = strcspn(at, "/");
		int next = ask(fd);

		memcpy(name, at, n);
		name[n] = '\0';
		if (next >= 0)
			next = pathat_open_across(fd, name, O_PATH | O_DIRECTORY);
		fd_close(fd);
		fd = next;
		at += n + (at[n] == '/');
	}
	r = fd < 0 ? fd : ask(fd);
	return r < 0 ? r : TAKE_FD(fd);
}

int place_open_asked(const struct place *p, struct err *e)
{
	char shown[256];
	int fd = open_asked(p);

	if (fd >= 0)
		return fd;
	show(shown, sizeof(shown), p);
	return refuse(fd, shown, e);
}

const char *place_proc(char dst[static PLACE_PROC_MAX], int fd, const char *name)
{
	snprintf(
		dst, PLACE_PROC_MAX, "/proc/self/fd/%d%s%s", fd, name ? "/" : "", str_or(name, ""));
	return dst;
}
