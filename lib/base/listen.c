/* SPDX-License-Identifier: Apache-2.0 */
/* listen.c: unix sockets that appear under their name only when they accept */
#include "base/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/pathat.h"
#include "base/str.h"

#define BACKLOG 64
#define NAME_MAX_HERE (PATH_COMPONENT_MAX + 1)

/* The directory of path below base, made where it is missing and that is wished; mount points are
 * crossed, symlinks are not followed. *ret_name: the last name. */
static int directory_open(const struct listen_base *base, const char *path, const char **ret_name,
	bool make, struct err *e)
{
	_cleanup_close_ int held = dup(base->fd);
	char name[NAME_MAX_HERE];

	for (size_t n; held >= 0; path += n + 1) {
		int next;

		n = strcspn(path, "/");
		if (path_component_check(path, n, e) < 0)
			return -EINVAL;
		*ret_name = path;
		if (path[n] == '\0')
			return TAKE_FD(held);
		memcpy(name, path, n);
		name[n] = '\0';
		if (make && mkdirat(held, name, 0750) < 0 && errno != EEXIST)
			return err_sys(e, errno, "cannot make %s in %s", name, base->path);
		next = openat(held, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return err_sys(e, errno, "cannot open %s in %s", name, base->path);
		fd_close(held);
		held = next;
	}
	return err_sys(e, errno, "%s", base->path);
}

static int address_set(struct sockaddr_un *a, const char *name)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	return str_format(a->sun_path, sizeof(a->sun_path), "%s", name);
}

/* Whether it was this process that called listen(2) on what fd is connected to. */
static int listener_check(int fd, const char *name, struct err *e)
{
	struct ucred peer = {.pid = 0};
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == getpid())
		return 0;
	return err_set(e, EADDRINUSE, "process %d listens on %s", (int)peer.pid, name);
}

/* In the working directory: 0 nobody is there, 1 a socket that may go, -errno. */
static int occupant_check(const char *name, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un a;
	struct stat st;

	if (fstatat(AT_FDCWD, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", name);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, EEXIST, "%s is there already and is no socket", name);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || address_set(&a, name) < 0)
		return err_sys(e, fd < 0 ? errno : ENAMETOOLONG, "%s", name);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return errno == ECONNREFUSED ? 1 : err_sys(e, EADDRINUSE, "%s", name);
	return listener_check(fd, name, e) < 0 ? -EADDRINUSE : 1;
}

static int socket_bind(const char *name, mode_t mode, struct err *e)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a;
	char hidden[NAME_MAX_HERE];
	mode_t old;
	int r = str_format(hidden, sizeof(hidden), ".%s.tmp", name);

	if (fd < 0 || r < 0 || address_set(&a, hidden) < 0)
		return err_sys(e, fd < 0 ? errno : ENAMETOOLONG, "cannot make %s", name);
	r = occupant_check(hidden, e);
	if (r < 0 || (r > 0 && unlink(hidden) < 0))
		return r < 0 ? r : err_sys(e, errno, "cannot remove %s", hidden);
	old = umask(~mode & 0777);
	r = bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
	umask(old);
	if (r >= 0 && (listen(fd, BACKLOG) < 0 || rename(hidden, name) < 0)) {
		r = -errno;
		unlink(hidden);
	}
	return r < 0 ? err_sys(e, r, "cannot publish %s", name) : TAKE_FD(fd);
}

int listen_publish(const struct listen_base *base, const char *path, mode_t mode, struct err *e)
{
	_cleanup_close_ int dir = -1;
	const char *name;
	int r;

	if (strlen(base->path) + 1 + strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return err_set(e, ENAMETOOLONG,
			"%s/%s is longer than the %zu bytes of a socket's path", base->path, path,
			sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	dir = directory_open(base, path, &name, true, e);
	if (dir < 0)
		return dir;
	if (fchdir(dir) < 0)
		return err_sys(e, errno, "cannot enter the directory of %s/%s", base->path, path);
	r = occupant_check(name, e);
	if (r >= 0)
		r = socket_bind(name, mode, e);
	if (r < 0)
		err_prefix(e, "%s/%s", base->path, path);
	return r;
}

int listen_remove(const struct listen_base *base, const char *path, struct err *e)
{
	_cleanup_close_ int dir = -1;
	const char *name;
	int r;

	dir = directory_open(base, path, &name, false, e);
	if (dir < 0)
		return dir;
	if (fchdir(dir) < 0)
		return err_sys(e, errno, "cannot enter the directory of %s/%s", base->path, path);
	r = occupant_check(name, e);
	if (r > 0 && unlink(name) < 0)
		r = err_sys(e, errno, "cannot remove it");
	if (r < 0)
		err_prefix(e, "%s/%s", base->path, path);
	return r < 0 ? r : 0;
}

int listen_connect(const struct listen_base *base, const char *path, struct err *e)
{
	_cleanup_close_ int dir = -1, fd = -1;
	struct sockaddr_un a;
	const char *name;

	dir = directory_open(base, path, &name, false, e);
	if (dir < 0)
		return dir;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, errno, "cannot connect");
	if (address_set(&a, name) < 0)
		return err_sys(e, ENAMETOOLONG, "%s", name);
	if (fchdir(dir) < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return err_sys(e, errno, "cannot connect to %s/%s", base->path, path);
	return listener_check(fd, path, e) < 0 ? -EADDRINUSE : TAKE_FD(fd);
}
