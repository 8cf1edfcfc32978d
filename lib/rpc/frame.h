/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h: the one length-prefixed message of a unary gRPC call (gRPC over HTTP2,
 * "Delimited-Message") */
#ifndef BERTH_RPC_FRAME_H
#define BERTH_RPC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "rpc/status.h"

#define RPC_PREFIX_SIZE 5 /* compressed flag, 32 bits of length */
/* What grpc-go takes by default, either way. */
#define RPC_MESSAGE_MAX (4U << 20)

/* A message that comes in pieces cut anywhere. Memory grows with what has come, not with what the
 * prefix promises. All zero but body's limit is the start (RPC_FRAME_NULL). */
struct rpc_frame {
	uint8_t prefix[RPC_PREFIX_SIZE];
	uint8_t n_prefix;
	uint32_t size; /* the prefix's, once it is whole */
	struct buf body;
};
#define RPC_FRAME_NULL ((struct rpc_frame){.body = BUF_NULL(RPC_MESSAGE_MAX)})
void rpc_frame_done(struct rpc_frame *f);

/*
 * Takes the next bytes: 0, or the -errno that rpc_frame_status() has words for: -EMSGSIZE,
 * -EPROTO (compressed, though no encoding was agreed), -EEXIST (more than one message), -ENOMEM.
 */
int rpc_frame_feed(struct rpc_frame *f, const void *data, size_t n) _must_check_;
bool rpc_frame_is_whole(const struct rpc_frame *f);
/* At the end of the stream: 0, -ENODATA (no message), -EBADMSG (a part of one). */
int rpc_frame_end(const struct rpc_frame *f) _must_check_;
/* What grpc-go's server says to each of these errors. */
void rpc_frame_status(const struct rpc_frame *f, int r, struct rpc_status *ret);

void rpc_frame_prefix(uint8_t dst[static RPC_PREFIX_SIZE], uint32_t size);

#endif
