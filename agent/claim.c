/* SPDX-License-Identifier: Apache-2.0 */
/* claim.c: a byte of a file, locked */
#include "agent/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#define CLAIMS_NAME "children.lock"
/* Offsets are signed, and the byte behind has to be one, too. */
#define OFFSET_MASK (INT64_MAX >> 1)

int claim_take(int run, const char *key, struct err *e)
{
	struct flock lock = {.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(str_hash(key) & OFFSET_MASK),
		.l_len = 1};
	_cleanup_close_ int fd =
		openat(run, CLAIMS_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(e, errno, "cannot open " CLAIMS_NAME " in the run directory");
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return TAKE_FD(fd);
	if (errno == EAGAIN || errno == EACCES)
		return err_set(e, EBUSY,
			"a child of an earlier berth-agent still holds %s: the kernel does not let "
			"it go",
			key);
	return err_sys(e, errno, "cannot lock " CLAIMS_NAME " in the run directory");
}
