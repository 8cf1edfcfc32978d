/* SPDX-License-Identifier: Apache-2.0 */
/* rpcping.h: whether an RPC program answers, with one call and a fixed-size answer */
#ifndef BERTH_MOUNT_RPCPING_H
#define BERTH_MOUNT_RPCPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

#define RPC_PROGRAM_NFS 100003
#define RPC_PROGRAM_STATD 100024

/* A socket address of a numeric one; *ret_size its length. -EINVAL. */
int rpcping_address(
	const char *numeric, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_size);

/*
 * For those that wait for more than one answer at a time: the null call as it goes over TCP, with
 * its record mark and without credentials (RFC 5531 9, 11), and whether the bytes that came begin
 * with an answer to it: 1, 0 (more to come), -EBADMSG. Any reply with this xid is an answer, also
 * the refusal of a version: the server lives. None is longer than RPCPING_REPLY_MAX.
 */
#define RPCPING_CALL_SIZE 44
#define RPCPING_REPLY_MAX 512
void rpcping_call(
	uint8_t dst[static RPCPING_CALL_SIZE], uint32_t xid, uint32_t program, uint32_t version);
int rpcping_check(const uint8_t *data, size_t size, uint32_t xid);

/*
 * Connects by TCP and calls the null procedure (RFC 5531), all within timeout_ms. At most 64 bytes
 * of the answer are looked at. -EPROTONOSUPPORT: the server has the program, not this version; any
 * other answer is 0, it lives. -ETIMEDOUT, or connect(2)'s error.
 */
int rpcping_null(const struct sockaddr_storage *to, socklen_t size, uint32_t program,
	uint32_t version, unsigned timeout_ms);

/* Whether rpc.statd runs on this host: registered with the rpcbind on the loopback, and answering.
 * Takes microseconds where there is no rpcbind, at most a second. */
bool rpcping_statd(void);

#endif
