/* SPDX-License-Identifier: Apache-2.0 */
/* nfs_client.c: looks for the file system among those that the kernel has now */
#include "agent/nfs_client.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"

#define FILESYSTEMS "/proc/filesystems"
#define FILE_MAX (64U << 10)

/* "nodev\tnfs4", one a line; the name follows the tab. */
static bool names(const char *text, const char *fs)
{
	for (const char *at = text; (at = strchr(at, '\t')) != NULL;) {
		size_t n = strcspn(++at, "\n");

		if (n == strlen(fs) && memcmp(at, fs, n) == 0)
			return true;
	}
	return false;
}

bool nfs_client_is_there(const char *path, struct err *e)
{
	_cleanup_buf_ struct buf text = BUF_NULL(FILE_MAX);

	if (file_read(str_or(path, FILESYSTEMS), &text, e) < 0)
		return false;
	if (text.data && (names(text.data, "nfs") || names(text.data, "nfs4")))
		return true;
	err_set(e, ENODEV,
		"this node's kernel has no NFS client (nfs and nfs4 are not in %s): load it "
		"(modprobe nfsv4), or install a kernel that has it",
		FILESYSTEMS);
	return false;
}
