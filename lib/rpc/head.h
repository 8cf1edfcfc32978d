/* SPDX-License-Identifier: Apache-2.0 */
/* head.h: the header fields of gRPC over HTTP/2, checked by ourselves because nghttp2 refuses what
 * old kubelets send (contracts.md 3.4) */
#ifndef BERTH_RPC_HEAD_H
#define BERTH_RPC_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "rpc/status.h"

/* Longer than every path that is served; what is cut is unknown anyway. */
#define RPC_PATH_MAX 256
/* Of a header list, names and values and 32 bytes each (RFC 9113 6.5.2): grpc-go sends some 300. */
#define RPC_HEAD_MAX (16U << 10)
/* grpc-message after encoding: response headers and trailers stay below 8 KiB, which grpc-go is
 * about to take as its limit. */
#define RPC_MESSAGE_TEXT_MAX 4096

/* One field as it came; neither is terminated. */
struct rpc_field {
	const char *name;
	size_t n_name;
	const char *value;
	size_t n_value;
};

/* What a request said. All zero is the start. */
struct rpc_head {
	size_t size;
	uint8_t pseudo;    /* bits of the pseudo fields seen */
	bool is_regular;   /* a field that is no pseudo field was seen */
	bool is_malformed; /* HTTP/2 itself forbids it: the stream is reset */
	bool is_post;
	bool is_grpc;    /* content-type */
	bool is_encoded; /* grpc-encoding other than identity */
	bool has_timeout, is_timeout_bad;
	uint64_t timeout_ns;
	char path[RPC_PATH_MAX];
};
void rpc_head_add(struct rpc_head *h, const struct rpc_field *f);
/* After the last field of a request. */
void rpc_head_end(struct rpc_head *h);
/*
 * Whether the request can go on (true), else what to answer and with which HTTP status. What
 * rpc_head_end() found malformed, or longer than RPC_HEAD_MAX, is not for this.
 */
bool rpc_head_check(const struct rpc_head *h, struct rpc_status *ret, unsigned *ret_http);
/* "unknown service csi.v1.Foo" or "unknown method Bar for service csi.v1.Node"; service_known as
 * the caller's table has it. */
void rpc_head_unknown(const struct rpc_head *h, bool service_known, struct rpc_status *ret);

/* 1 to 8 digits and one of H M S m u n (contracts.md 3.8). */
int rpc_timeout_parse(const char *s, size_t n, uint64_t *ret_ns) _must_check_;
/* The finest unit that fits 8 digits, rounded up; dst takes 12 bytes. */
char *rpc_timeout_format(uint64_t ns, char dst[static 12]);

/* Percent-encodes text (contracts.md 3.7), cut before a character so that dst takes it with its
 * NUL; returns the length. */
size_t rpc_text_encode(char *dst, size_t size, const char *text);
/* Decodes leniently and terminates; what is not %XX stays. */
void rpc_text_decode(char *dst, size_t size, const char *src, size_t n);

/* "application/grpc", alone or followed by + or ; */
bool rpc_is_grpc_type(const char *value, size_t n);

#endif
