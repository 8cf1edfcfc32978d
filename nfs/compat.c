/* SPDX-License-Identifier: Apache-2.0 */
/* compat.c: contexts on our own sockets, without the library's reconnects and timeouts */
#include "nfs/compat.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "base/clock.h"

/* Turns at one connection before others get theirs. */
#define READS_MAX 64

struct rpc_context *compat_open(int fd)
{
	struct rpc_context *rpc = rpc_init_context();

	if (!rpc)
		return NULL;
	rpc_set_fd(rpc, fd);
	/* A context becomes usable when it is told that its connect() has finished. */
	if (rpc_service(rpc, POLLOUT) == 0)
		return rpc;
	rpc_set_fd(rpc, -1);
	rpc_destroy_context(rpc);
	return NULL;
}

void compat_set_cred(struct rpc_context *rpc, const struct nfs_cred *cred)
{
	rpc_set_uid(rpc, (int)cred->uid);
	rpc_set_gid(rpc, (int)cred->gid);
}

static int readable(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) < 0 ? -errno : n;
}

int compat_read(struct rpc_context *rpc)
{
	int fd = rpc_get_fd(rpc);

	/* libnfs 4 takes the end of the stream for nothing to read and would be called for ever. */
	if (readable(fd) <= 0)
		return -ECONNRESET;
	/* It reads the mark of a record, then the record: a poll for each would double their
	 * number. */
	for (int i = 0; i < READS_MAX; i++) {
		if (rpc_service(rpc, POLLIN) != 0)
			return -ECONNRESET;
		if (readable(fd) <= 0)
			break;
	}
	return 0;
}

int compat_write(struct rpc_context *rpc)
{
	return !compat_pending(rpc) || rpc_service(rpc, POLLOUT) == 0 ? 0 : -ECONNRESET;
}

bool compat_pending(struct rpc_context *rpc)
{
	return rpc_which_events(rpc) & POLLOUT;
}

int compat_wait(struct rpc_context *rpc, const bool *done, uint64_t deadline)
{
	while (!*done) {
		struct pollfd p = {.fd = rpc_get_fd(rpc), .events = (short)rpc_which_events(rpc)};
		uint64_t now = clock_now();
		int r;

		if (now >= deadline)
			return -ETIMEDOUT;
		r = poll(&p, 1, (int)((deadline - now) / NSEC_PER_MSEC) + 1);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r <= 0)
			continue;
		r = p.revents & (POLLIN | POLLERR | POLLHUP) ? compat_read(rpc) : 0;
		if (r >= 0)
			r = compat_write(rpc);
		if (r < 0 && !*done)
			return r;
	}
	return 0;
}
