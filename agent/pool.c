/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c: the proof that a directory is a pool of ours (reliability.md B10) */
#include "agent/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/pathat.h"

#define IDENTITY ".berth/identity.json"
#define IDENTITY_MAX 1024
#define ID_MAX 64

/* The file's text, terminated; its length or -errno. */
static ssize_t read_identity(const char *path, char text[static IDENTITY_MAX])
{
	_cleanup_close_ int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat st;
	ssize_t n;

	if (root < 0)
		return -errno;
	fd = pathat_open(root, IDENTITY, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	n = read(fd, text, IDENTITY_MAX - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return n;
}

int pool_check(const char *path, const char *identity, struct err *e)
{
	char text[IDENTITY_MAX], quoted[ID_MAX + 3];
	ssize_t n = read_identity(path, text);

	if (n < 0) {
		err_sys(e, (int)n, "pool %s: cannot read " IDENTITY ", is its disk mounted?", path);
		if (e)
			e->code = ENODATA;
		return -ENODATA;
	}
	if (!*identity)
		return 0;
	snprintf(quoted, sizeof(quoted), "\"%.*s\"", ID_MAX, identity);
	if (strstr(text, quoted))
		return 0;
	return err_set(e, ENODATA,
		"pool %s: " IDENTITY " does not name %s, the volume's pool: nothing is mounted",
		path, quoted);
}
