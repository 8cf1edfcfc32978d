/* SPDX-License-Identifier: Apache-2.0 */
/* landlock.c: a file system that can be read in a few places and written nowhere */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

/* What each ABI added (Documentation/userspace-api/landlock.rst); older headers lack the last. */
#define ACCESS_ABI_1 ((UINT64_C(1) << 13) - 1)
#define ACCESS_REFER (UINT64_C(1) << 13)
#define ACCESS_TRUNCATE (UINT64_C(1) << 14)

#define ACCESS_READ (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE)

/* A worker's stdin and stdout, opened when it is started. */
#define NULL_DEVICE "/dev/null"

int sandbox_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	/* ENOSYS: too old; EOPNOTSUPP: switched off at boot; EPERM: filtered. */
	return abi < 0 ? 0 : (int)abi;
}

static uint64_t access_handled(int abi)
{
	return ACCESS_ABI_1 | (abi >= 2 ? ACCESS_REFER : 0) | (abi >= 3 ? ACCESS_TRUNCATE : 0);
}

static int path_allow(int ruleset, const char *path, uint64_t access, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "cannot open %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot look at %s", path);
	/* Rights of directories are refused on files. */
	if (S_ISDIR(st.st_mode))
		rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return err_sys(e, errno, "cannot allow %s", path);
	return 0;
}

int sandbox_landlock(const char *const *paths, struct err *e)
{
	int abi = sandbox_landlock_abi(), r;
	struct landlock_ruleset_attr attr = {.handled_access_fs = access_handled(abi)};
	_cleanup_close_ int ruleset = -1;

	if (abi == 0) {
		log_debug("this kernel has no Landlock: files stay as reachable as they are");
		return 0;
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return err_sys(e, errno, "cannot make a Landlock ruleset");
	r = path_allow(ruleset, NULL_DEVICE,
		LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE, e);
	for (; *paths && r >= 0; paths++)
		r = path_allow(ruleset, *paths, ACCESS_READ, e);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, "cannot set no_new_privs");
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return err_sys(e, errno, "cannot enter the Landlock ruleset");
	return 1;
}
