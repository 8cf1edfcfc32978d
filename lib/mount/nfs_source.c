/* SPDX-License-Identifier: Apache-2.0 */
/* nfs_source.c: server and path of an export as the one text that the kernel takes and mountinfo
 * shows */
#include "mount/nfs_source.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/str.h"

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

int nfs_source_format(char *dst, size_t size, const char *server, const char *path, struct err *e)
{
	bool v6 = strchr(server, ':') != NULL;
	char shown[128];

	if (!*server || strpbrk(server, ",/[] ") || has_control(server))
		return err_set(e, EINVAL, "\"%s\" is no NFS server's name or address",
			str_escape(shown, sizeof(shown), server));
	if (path[0] != '/' || has_control(path))
		return err_set(e, EINVAL, "\"%s\" is no path of an NFS export",
			str_escape(shown, sizeof(shown), path));
	if (str_format(dst, size, "%s%s%s:%s", v6 ? "[" : "", server, v6 ? "]" : "", path) < 0)
		return err_set(
			e, ENAMETOOLONG, "server and path of the export %s are too long", server);
	return 0;
}

int nfs_source_split(const char *source, char *server, size_t size, const char **ret_path)
{
	const char *from = source, *end;

	if (*source == '[') {
		from = source + 1;
		end = strchr(from, ']');
		if (!end || end[1] != ':')
			return -EINVAL;
		*ret_path = end + 2;
	} else {
		end = strchr(source, ':');
		if (!end)
			return -EINVAL;
		*ret_path = end + 1;
	}
	if (end == from || **ret_path != '/' || (size_t)(end - from) >= size)
		return -EINVAL;
	memcpy(server, from, (size_t)(end - from));
	server[end - from] = '\0';
	return 0;
}
