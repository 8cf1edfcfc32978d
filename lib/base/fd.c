/* SPDX-License-Identifier: Apache-2.0 */
/* fd.c: descriptors and whole files */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"
#include "base/str.h"

/* What one read() of a file of unknown length asks for. */
#define READ_CHUNK 4096

int fd_close(int fd)
{
	int saved = errno;

	/* Linux frees the number even where close() reports an error, so there is no second try. */
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

int fd_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL), wanted;

	if (flags < 0)
		return -errno;
	wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	if (wanted != flags && fcntl(fd, F_SETFL, wanted) < 0)
		return -errno;
	return 0;
}

int fd_write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Reads up to one chunk into b: bytes read, 0 at the end, -EFBIG where b is full and more comes. */
static ssize_t read_chunk(int fd, struct buf *b)
{
	size_t room = b->max > b->len ? b->max - b->len : 0;
	size_t want = room < READ_CHUNK ? room : READ_CHUNK;
	char extra, *p = &extra;
	ssize_t n;
	int r;

	if (want > 0) {
		p = buf_reserve(b, want, &r);
		if (!p)
			return r;
	}
	do
		n = read(fd, p, want > 0 ? want : 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (want == 0)
		return n == 0 ? 0 : -EFBIG;
	buf_commit(b, (size_t)n);
	return n;
}

int file_read(const char *path, struct buf *b, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t before = b->len;
	ssize_t n;

	if (fd < 0)
		return err_sys(e, errno, "cannot open %s", path);
	do
		n = read_chunk(fd, b);
	while (n > 0);
	if (n == 0)
		return 0;
	b->len = before;
	if (b->data)
		b->data[before] = '\0';
	if (n == -EFBIG)
		return err_set(e, EFBIG, "%s is longer than %zu bytes", path, b->max - before);
	return err_sys(e, (int)n, "cannot read %s", path);
}

static int write_temporary(int dirfd, const char *name, const struct buf *content, mode_t mode)
{
	_cleanup_close_ int fd = openat(
		dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0700);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, content->data, content->len);
	if (r < 0)
		return r;
	/* The mode given to open() was cut by the umask. */
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

static int write_in_directory(
	const char *directory, const char *name, const struct buf *content, mode_t mode)
{
	_cleanup_close_ int dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char token[TOKEN_TEXT_MAX], temporary[NAME_MAX + 1];
	int r;

	if (dirfd < 0)
		return -errno;
	r = str_format(temporary, sizeof(temporary), ".%s.%.8s", name, token_random(token));
	if (r < 0)
		return r;
	r = write_temporary(dirfd, temporary, content, mode);
	if (r >= 0 && renameat(dirfd, temporary, dirfd, name) < 0)
		r = -errno;
	if (r < 0) {
		if (r != -EEXIST)
			unlinkat(dirfd, temporary, 0);
		return r;
	}
	return fsync(dirfd) < 0 ? -errno : 0;
}

int file_write_atomic(const char *path, const void *data, size_t size, mode_t mode, struct err *e)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	struct buf content = {.data = (char *)(uintptr_t)data, .len = size};
	_cleanup_free_ char *directory = NULL;
	int r;

	if (*name == '\0')
		return err_set(e, EISDIR, "cannot write %s: no file name", path);
	if (!slash)
		directory = strdup(".");
	else
		directory = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (!directory)
		return err_sys(e, ENOMEM, "cannot write %s", path);
	r = write_in_directory(directory, name, &content, mode);
	return r < 0 ? err_sys(e, r, "cannot write %s", path) : 0;
}
