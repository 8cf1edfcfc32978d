/* SPDX-License-Identifier: Apache-2.0 */
/* pathat.c: names and paths that stay beneath a root */
#include "base/pathat.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"

/* openat2(2) gives EAGAIN when a rename raced with "..": soon over, unless somebody makes it last.
 */
#define OPEN_TRIES 128
/* A name is shown up to this many bytes of its escaped form. */
#define SHOWN_MAX 80

static int refuse(struct err *e, const char *name, size_t len, const char *reason)
{
	char raw[SHOWN_MAX], shown[SHOWN_MAX];

	if (len >= sizeof(raw))
		len = sizeof(raw) - 1;
	memcpy(raw, name, len);
	raw[len] = '\0';
	return err_set(e, EINVAL, "name \"%s\" %s", str_escape(shown, sizeof(shown), raw), reason);
}

int path_component_check(const char *name, size_t len, struct err *e)
{
	uint32_t rune = 0;
	size_t n;

	if (len == 0)
		return err_set(e, EINVAL, "name is empty");
	if (len > PATH_COMPONENT_MAX)
		return err_set(
			e, EINVAL, "name of %zu bytes is longer than %d", len, PATH_COMPONENT_MAX);
	if (name[0] == '-')
		return refuse(e, name, len, "begins with \"-\"");
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return refuse(e, name, len, "is a directory's own or its parent's");
	for (size_t i = 0; i < len; i += n) {
		n = str_utf8_next(name + i, len - i, &rune);
		if (n == 0)
			return refuse(e, name, len, "is not valid UTF-8");
		if (rune == '/' || rune == '\\')
			return refuse(e, name, len, "has a slash or backslash in it");
		if (rune_is_control(rune))
			return refuse(e, name, len, "has a control character in it");
	}
	return 0;
}

/* The components of a path one by one; what the first one must not be is up to the caller. */
static int components_check(const char *path, struct err *e)
{
	size_t depth = 0, n;
	int r;

	for (const char *p = path;; p += n + 1) {
		n = strcspn(p, "/");
		r = path_component_check(p, n, e);
		if (r < 0)
			return r;
		if (++depth > PATH_COMPONENTS_MAX)
			return err_set(e, EINVAL, "path has more than %d names in it",
				PATH_COMPONENTS_MAX);
		if (p[n] == '\0')
			return 0;
	}
}

int path_relative_check(const char *path, struct err *e)
{
	size_t len = strlen(path), first = strcspn(path, "/");

	if (len == 0)
		return err_set(e, EINVAL, "path is empty");
	if (len > PATH_RELATIVE_MAX)
		return err_set(
			e, EINVAL, "path of %zu bytes is longer than %d", len, PATH_RELATIVE_MAX);
	if (path[0] == '/')
		return err_set(e, EINVAL, "path is absolute");
	if (first == strlen(CONTROL_DIRECTORY) && memcmp(path, CONTROL_DIRECTORY, first) == 0)
		return refuse(e, path, first, "is the control directory");
	return components_check(path, e);
}

static int open_beneath(int rootfd, const char *path, const struct open_how *how)
{
	for (int i = 0; i < OPEN_TRIES; i++) {
		long fd = syscall(SYS_openat2, rootfd, path, how, sizeof(*how));

		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

int pathat_open(int rootfd, const char *path, int flags, mode_t mode)
{
	bool creates = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = creates ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV |
			   RESOLVE_NO_MAGICLINKS,
	};

	return open_beneath(rootfd, path, &how);
}

/* Component by component; "" and ".." are refused. */
static int open_walk(int rootfd, const char *path, int flags)
{
	_cleanup_close_ int held = -1;

	for (const char *p = path;;) {
		size_t n = strcspn(p, "/");
		char name[PATH_COMPONENT_MAX + 1];
		int fd;

		if (n == 0 || n > PATH_COMPONENT_MAX || (n == 2 && p[0] == '.' && p[1] == '.'))
			return -EINVAL;
		memcpy(name, p, n);
		name[n] = '\0';
		fd = openat(held < 0 ? rootfd : held, name,
			(p[n] ? O_PATH | O_DIRECTORY : flags) | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		cleanup_closep(&held);
		held = fd;
		if (!p[n])
			return TAKE_FD(held);
		p += n + 1;
	}
}

int pathat_open_across(int rootfd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = open_beneath(rootfd, path, &how);

	return fd == -ENOSYS ? open_walk(rootfd, path, flags) : fd;
}

int pathat_open_plain(const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return path[0] == '/' ? open_beneath(AT_FDCWD, path, &how) : -EINVAL;
}
