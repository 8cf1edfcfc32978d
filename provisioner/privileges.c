/* SPDX-License-Identifier: Apache-2.0 */
/* privileges.c: drops root where all files that matter stay readable */
#include "provisioner/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "sandbox/sandbox.h"

/* Whether uid 65532 can open it; asked as that user, for permissions of all directories above
 * count. */
static bool is_readable(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return errno == ENOENT;
	fd_close(fd);
	return true;
}

/* The first of the files that cannot be read, NULL if all can. */
static const char *first_unreadable(const char *const *files, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (files[i] && !is_readable(files[i]))
			return files[i];
	return NULL;
}

/* The same with the identity of that user for as long as the question takes. */
static const char *unreadable_for_nobody(const char *const *files, size_t n)
{
	const char *path;

	if (setegid(SANDBOX_GID) < 0)
		return "(setegid)";
	if (seteuid(SANDBOX_UID) < 0) {
		path = "(seteuid)";
	} else {
		path = first_unreadable(files, n);
		if (seteuid(0) < 0)
			_exit(1);
	}
	if (setegid(0) < 0)
		_exit(1);
	return path;
}

int privileges_drop(
	const char *config_path, const struct config *c, const struct kube_config *k, struct err *e)
{
	char self[PATH_MAX] = "";
	const char *files[] = {config_path, k->ca_file, k->token_file, k->cert_file, k->key_file,
		c->nfs.worker, self};
	const char *path;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int r;

	if (n >= 0)
		self[n] = '\0';
	path = geteuid() == 0 ? unreadable_for_nobody(files, ELEMENTSOF(files) - (n <= 0)) : NULL;
	/* Root without capabilities still owns most of /proc/sys: that is no way out. */
	if (path)
		return err_set(e, EACCES,
			"uid %d, which the provisioner becomes, cannot read %s: give it the "
			"permission, "
			"or start the provisioner as a user who can read it",
			SANDBOX_UID, path);
	r = sandbox_drop(SANDBOX_UID, SANDBOX_GID, e);
	return r < 0 ? r : sandbox_harden(0, e);
}

int privileges_lock(struct err *e)
{
	int r = sandbox_seccomp(SANDBOX_PROVISIONER, e);

	return r < 0 ? r : 0;
}
