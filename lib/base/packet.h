/* SPDX-License-Identifier: Apache-2.0 */
/* packet.h: packets of one size, with a descriptor beside them where there is one */
#ifndef BERTH_BASE_PACKET_H
#define BERTH_BASE_PACKET_H

#include <stddef.h>

#include "base/cleanup.h"

/* Two ends, close-on-exec, with room for n packets of at most 512 bytes that are on their way from
 * either; as far as net.core.wmem_max allows (by default for 332). -errno. */
int packet_pair(int pair[2], unsigned n) _must_check_;

/* sock: SOCK_SEQPACKET. Neither blocks. */

/* fd: sent beside the packet (a copy), -1: none. -EAGAIN: the peer does not read. */
int packet_send(int sock, const void *data, size_t size, int fd) _must_check_;
/* Exactly size bytes; *ret_fd is the caller's then, -1 where none came. -EAGAIN: nothing there.
 * -ECONNRESET: the peer has gone. -EPROTO: a packet of another size, or with more than one
 * descriptor; all of them are closed. */
int packet_receive(int sock, void *data, size_t size, int *ret_fd) _must_check_;

#endif
