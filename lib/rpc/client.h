/* SPDX-License-Identifier: Apache-2.0 */
/* client.h: one unary gRPC call over a unix socket, asynchronous, with a deadline */
#ifndef BERTH_RPC_CLIENT_H
#define BERTH_RPC_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "event/loop.h"
#include "rpc/status.h"

struct rpc_client;

/*
 * Runs once, from the loop. message is the answer where status->code is RPC_OK, else NULL; both are
 * valid during the call only. The system's own reason is in the text of Unavailable.
 */
typedef void (*rpc_client_fn)(struct rpc_client *c, const struct rpc_status *status,
	const void *message, size_t size, void *userdata);

struct rpc_client_options {
	const char *socket; /* path of the unix socket; with is_connected: its name in texts */
	bool is_connected;  /* fd is a connected socket: consumed, on failure too */
	int fd;
	const char *path;    /* "/csi.v1.Identity/Probe" */
	const void *message; /* the encoded request; copied */
	size_t size;
	uint64_t timeout_ns; /* for all of it, connecting too; sent as grpc-timeout */
};

/*
 * One connection for one call, as the kubelet does it. -EINVAL for a path that fits no socket
 * address or a message above 4 MiB, -ENOMEM; everything else is told through fn.
 */
int rpc_client_call(struct rpc_client **ret, struct loop *l, const struct rpc_client_options *o,
	rpc_client_fn fn, void *userdata);
/* Cancels what runs; fn is not called any more. Needed after fn, too, and legal in it. */
struct rpc_client *rpc_client_free(struct rpc_client *c);
DEFINE_CLEANUP(struct rpc_client *, rpc_client_free)

#endif
