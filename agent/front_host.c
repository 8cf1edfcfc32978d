/* SPDX-License-Identifier: Apache-2.0 */
/* front_host.c: the process whose mount namespace ours is: process 1, or a kubelet with mounts of
 * its own, which may be restarted with others */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

#include "agent/broker.h"
#include "agent/front.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#define MOUNTINFO "mountinfo"

int front_host_open(struct front *f, struct err *e)
{
	_cleanup_free_ char *dir = NULL;
	int r = str_replace(&dir, f->o.mountinfo);

	if (r < 0)
		return err_sys(e, r, "%s", f->o.mountinfo);
	if (str_ends_with(dir, "/" MOUNTINFO))
		dir[strlen(dir) - strlen("/" MOUNTINFO)] = '\0';
	f->host = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (f->host >= 0)
		return 0;
	r = errno == ENOENT ? -ESRCH : -errno;
	return err_sys(e, r, "cannot open %s", dir);
}

/* A directory of /proc is its process's, not its number's: empty once that has ended, and with no
 * mounts (EINVAL) while nobody has waited for it. */
void front_host_check(struct front *f)
{
	int fd = f->stopping ? -1 : openat(f->host, MOUNTINFO, O_RDONLY | O_CLOEXEC);
	bool gone = fd < 0 && (errno == ENOENT || errno == ESRCH || errno == EINVAL);

	fd_close(fd);
	if (f->stopping || !gone)
		return;
	log_error("%s is no more: the kubelet, which had mounts of its own, has ended: what is "
		  "mounted there reaches nobody. berth-agent ends, to be started with the new ones",
		f->o.mountinfo);
	f->stopping = true;
	f->status = BROKER_FRONT_LOST;
	loop_exit(f->loop, f->status);
}
