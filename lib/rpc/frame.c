/* SPDX-License-Identifier: Apache-2.0 */
/* frame.c: the one length-prefixed message of a unary gRPC call */
#include "rpc/frame.h"

#include <errno.h>
#include <string.h>

void rpc_frame_done(struct rpc_frame *f)
{
	buf_done(&f->body);
}

static uint32_t read_size(const uint8_t *p)
{
	return (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
}

static int check_prefix(struct rpc_frame *f)
{
	f->size = read_size(f->prefix);
	if (f->prefix[0] != 0)
		return -EPROTO;
	if (f->size > RPC_MESSAGE_MAX)
		return -EMSGSIZE;
	return 0;
}

int rpc_frame_feed(struct rpc_frame *f, const void *data, size_t n)
{
	const uint8_t *p = data;
	int r;

	while (n > 0 && f->n_prefix < RPC_PREFIX_SIZE) {
		f->prefix[f->n_prefix++] = *p++;
		n--;
		if (f->n_prefix < RPC_PREFIX_SIZE)
			continue;
		r = check_prefix(f);
		if (r < 0)
			return r;
	}
	if (n == 0)
		return 0;
	if (n > f->size - f->body.len)
		return -EEXIST;
	return buf_append(&f->body, p, n);
}

bool rpc_frame_is_whole(const struct rpc_frame *f)
{
	return f->n_prefix == RPC_PREFIX_SIZE && f->body.len == f->size;
}

int rpc_frame_end(const struct rpc_frame *f)
{
	if (f->n_prefix == 0)
		return -ENODATA;
	return rpc_frame_is_whole(f) ? 0 : -EBADMSG;
}

void rpc_frame_status(const struct rpc_frame *f, int r, struct rpc_status *ret)
{
	switch (r) {
	case -EMSGSIZE:
		rpc_status_set(ret, RPC_RESOURCE_EXHAUSTED,
			"grpc: received message larger than max (%u vs. %u)", f->size,
			RPC_MESSAGE_MAX);
		break;
	case -EPROTO:
		rpc_status_set(ret, RPC_INTERNAL,
			"grpc: compressed flag set with identity or empty encoding");
		break;
	case -EEXIST:
		rpc_status_set(ret, RPC_INTERNAL, "grpc: more than one message in a unary call");
		break;
	case -ENODATA:
		rpc_status_set(ret, RPC_INTERNAL, "grpc: no message in a unary call");
		break;
	case -EBADMSG:
		rpc_status_set(ret, RPC_INTERNAL, "grpc: the message ends early");
		break;
	default:
		rpc_status_set(
			ret, RPC_RESOURCE_EXHAUSTED, "cannot take the message: %s", strerror(-r));
	}
}

void rpc_frame_prefix(uint8_t dst[static RPC_PREFIX_SIZE], uint32_t size)
{
	dst[0] = 0;
	dst[1] = (uint8_t)(size >> 24);
	dst[2] = (uint8_t)(size >> 16);
	dst[3] = (uint8_t)(size >> 8);
	dst[4] = (uint8_t)size;
}
