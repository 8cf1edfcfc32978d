/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c: the proof that a directory is a pool of ours (reliability.md B10) */
#include "agent/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/pathat.h"
#include "base/str.h"

#define IDENTITY CONTROL_DIRECTORY "/identity.json"
#define IDENTITY_MAX 1024
#define ID_MAX 64
#define ID_KEY "\"id\""

/* The file's text, terminated; its length or -errno. */
static ssize_t read_identity(int root, char text[static IDENTITY_MAX])
{
	_cleanup_close_ int fd =
		pathat_open(root, IDENTITY, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, text, IDENTITY_MAX - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	/* A pipe has nothing, a device no object. */
	return text[0] == '{' ? n : -EINVAL;
}

/* Whether some "id" of the text is it: no other key's value is, and no key. */
static bool names(const char *text, const char *quoted)
{
	while ((text = strstr(text, ID_KEY))) {
		text += strlen(ID_KEY);
		text += strspn(text, " \t\r\n");
		if (*text != ':')
			continue;
		text++;
		text += strspn(text, " \t\r\n");
		if (str_after(text, quoted))
			return true;
	}
	return false;
}

static int check(int root, const char *path, const char *identity, struct err *e)
{
	char text[IDENTITY_MAX], quoted[ID_MAX + 3];
	ssize_t n = read_identity(root, text);

	if (n < 0)
		return err_sys(
			e, (int)n, "pool %s: cannot read " IDENTITY ", is its disk mounted?", path);
	if (!*identity)
		return 0;
	snprintf(quoted, sizeof(quoted), "\"%.*s\"", ID_MAX, identity);
	if (names(text, quoted))
		return 0;
	return err_set(e, ENODATA,
		"pool %s: " IDENTITY " does not name %s, the volume's pool: nothing is mounted",
		path, quoted);
}

int pool_open(const char *path, const char *identity, struct err *e)
{
	_cleanup_close_ int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (root < 0)
		r = err_sys(e, errno, "pool %s: cannot open it, is its disk mounted?", path);
	else if (identity)
		r = check(root, path, identity, e);
	if (r >= 0)
		return TAKE_FD(root);
	if (identity && e)
		e->code = ENODATA;
	return identity ? -ENODATA : r;
}
