/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_peer.h: an HTTP/2 client that sends whatever bytes a test wants, and a server to send them to
 */
#ifndef BERTH_TESTS_RPC_PEER_H
#define BERTH_TESTS_RPC_PEER_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "event/loop.h"
#include "rpc/server.h"

#define PEER_STREAMS 256 /* ids 1, 3, 5, … 511 are kept apart */

/* What came on one stream. */
struct peer_stream {
	unsigned headers; /* HEADERS frames */
	unsigned http;
	int code; /* grpc-status, -1 before */
	char text[8192];
	struct buf data;
	bool ended;
	int reset; /* error code of RST_STREAM, -1 before */
};

struct peer {
	int fd;
	struct io *io;
	struct buf in;
	nghttp2_hd_inflater *inflater;
	struct peer_stream streams[PEER_STREAMS];
	uint32_t now; /* the stream whose header block is read */
	unsigned settings, acks, pings;
	uint64_t credit[2]; /* of the connection's and of stream 1's window, ever given */
	int goaway;         /* error code, -1 before */
	int32_t last_id;
	bool closed;
	bool is_deaf; /* reads nothing */
};

/* A server with these methods: /t.T/Echo answers what it got; /t.T/Fail aborts with its message as
 * text; /t.T/Hold keeps the call in held; /t.T/Free frees the server. */
struct rpc_world {
	struct loop *loop;
	struct rpc_server *server;
	struct timer *tick;
	struct peer peer;
	struct rpc_call *held[300];
	unsigned n_held, started, cancelled, observed, drained;
	enum rpc_code last_code;
	uint64_t last_deadline;
	uid_t last_uid;
	bool (*until)(struct rpc_world *w);
	uint64_t give_up;
	unsigned ticks, ticks_min;
};

void rpc_world_init(struct rpc_world *w);
void rpc_world_done(struct rpc_world *w);
/* A peer on a socketpair; the server has the other end. Nothing was sent yet. */
void rpc_world_connect(struct rpc_world *w, struct peer *p);
/* Makes the world's server anew, on a listening socket; the peer that was there is done. */
void rpc_world_listen(struct rpc_world *w, unsigned connections_max);
/* A peer that connects to it; may have to wait for its accept. */
void rpc_world_dial(struct rpc_world *w, struct peer *p);
void peer_done(struct peer *p);
/* Runs the loop until fn says true; false after ten seconds. */
bool rpc_world_run(struct rpc_world *w, bool (*fn)(struct rpc_world *w));
/* Turns of the loop with nothing to wait for: as many, and as long, however slow the machine is. */
void rpc_world_turns(struct rpc_world *w, unsigned ms);

struct peer_stream *peer_stream(struct peer *p, uint32_t id);

/* Bytes into b, to be sent whole or in pieces. */
void put_preface(struct buf *b); /* the magic and an empty SETTINGS */
void put_frame(struct buf *b, uint8_t type, uint8_t flags, uint32_t id, const void *data, size_t n);
/* Pairs of name and value, NULL at the end; literals without index. */
void put_headers(struct buf *b, uint32_t id, uint8_t flags, const char *const *fields);
/* A framed message in one DATA frame. */
void put_message(struct buf *b, uint32_t id, uint8_t flags, const void *message, size_t size);
/* What grpc-go sends for a call of path, timeout NULL for none. */
void put_call(struct buf *b, uint32_t id, const char *path, const char *timeout, const char *text);
/* -errno where the server does not take it. */
int peer_send(struct peer *p, const struct buf *b);

#endif
