/* SPDX-License-Identifier: Apache-2.0 */
/* packet.c: packets of one size, with a descriptor beside them where there is one */
#include "base/packet.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

/* In what is received there is room for one, without the space that aligns a second: the kernel
 * closes what does not fit and says so (MSG_CTRUNC). */
union control {
	struct cmsghdr h;
	char space[CMSG_SPACE(sizeof(int))];
};

/* The kernel counts what it allocates for a packet (1280 bytes, and what younger ones may add),
 * against twice what it was asked for. */
#define ALLOCATED 1536

int packet_pair(int pair[2], unsigned n)
{
	const int size = (int)(n * ALLOCATED / 2);

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		(void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

int packet_send(int sock, const void *data, size_t size, int fd)
{
	union control control = {.h = {.cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS,
					 .cmsg_len = CMSG_LEN(sizeof(fd))}};
	struct iovec iov = {(void *)(uintptr_t)data, size};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.h), &fd, sizeof(fd));
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
	}
	return sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int packet_receive(int sock, void *data, size_t size, int *ret_fd)
{
	union control control;
	struct iovec iov = {data, size};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_LEN(sizeof(int))};
	_cleanup_close_ int fd = -1;
	const struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	if (n == 0)
		return -ECONNRESET;
	if ((size_t)n != size || m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return -EPROTO;
	*ret_fd = TAKE_FD(fd);
	return 0;
}
