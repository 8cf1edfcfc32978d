/* SPDX-License-Identifier: Apache-2.0 */
/* reserved.c: looks for a free reserved port, from a random one on */
#include "base/reserved.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/id.h"

/* The kernel's NFS client takes its ports from the same range (xprt_min_resvport). */
#define RESERVED_MIN 665
#define RESERVED_MAX 1023

static int bind_to(int fd, int family, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	if (family == AF_INET6)
		return bind(fd, (struct sockaddr *)&v6, sizeof(v6)) < 0 ? -errno : 0;
	return bind(fd, (struct sockaddr *)&v4, sizeof(v4)) < 0 ? -errno : 0;
}

int reserved_bind(int fd, int family)
{
	const unsigned n = RESERVED_MAX - RESERVED_MIN + 1;
	unsigned start = (unsigned)random_below(n);
	int r = -EADDRINUSE;

	for (unsigned i = 0; i < n && r == -EADDRINUSE; i++)
		r = bind_to(fd, family, (uint16_t)(RESERVED_MIN + (start + i) % n));
	return r;
}
