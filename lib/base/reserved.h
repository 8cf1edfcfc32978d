/* SPDX-License-Identifier: Apache-2.0 */
/* reserved.h: TCP ports that only the privileged may take, which NFS exports ask for that are not
 * "insecure" (exports(5)) */
#ifndef BERTH_BASE_RESERVED_H
#define BERTH_BASE_RESERVED_H

/*
 * Binds the TCP socket to a free port below 1024 that no usual service has, on all addresses of
 * family. Needs CAP_NET_BIND_SERVICE, or ports that are free for all (the network namespace's
 * sysctl net.ipv4.ip_unprivileged_port_start): -EACCES, -EPERM. -EADDRINUSE: all are taken.
 */
int reserved_bind(int fd, int family);

#endif
