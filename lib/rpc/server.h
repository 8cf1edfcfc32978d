/* SPDX-License-Identifier: Apache-2.0 */
/* server.h: a gRPC server for unary calls over HTTP/2 (nghttp2) on a unix socket, in the loop */
#ifndef BERTH_RPC_SERVER_H
#define BERTH_RPC_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "event/loop.h"
#include "rpc/status.h"

struct rpc_server;
struct rpc_call; /* one request, as its handler sees it */

/*
 * A handler gets the bytes of the one request message (valid during the call of the handler only)
 * and answers, at once or later, exactly once, with rpc_answer() or rpc_fail(). Until then the call
 * stays valid, whatever happens to the stream, the connection or the server: an answer that nobody
 * waits for any more is dropped. Handlers and cancel functions run from the loop, never under
 * another function of this header; rpc_server_free() is legal in them.
 */
typedef void (*rpc_handler_fn)(
	struct rpc_call *call, const void *message, size_t size, void *userdata);

struct rpc_method {
	const char *path; /* "/csi.v1.Node/NodePublishVolume" */
	rpc_handler_fn handler;
};

/* Sent: the answer is copied. A size above 4 MiB, which no client takes, becomes Internal. */
void rpc_answer(struct rpc_call *call, const void *message, size_t size);
/* code is not RPC_OK. The text goes to the client, percent-encoded, at most 4 KiB of that. */
void rpc_fail(struct rpc_call *call, enum rpc_code code, const char *fmt, ...) _printf_(3, 4);

/*
 * fn runs once when the client gave up (reset, connection closed, deadline passed, server freed or
 * drained to its end) and never after the answer. The answer is owed all the same: it ends the
 * call.
 */
typedef void (*rpc_cancel_fn)(struct rpc_call *call, void *userdata);
/* Too late where the client has gone already: rpc_call_cancelled() tells. */
void rpc_call_on_cancel(struct rpc_call *call, rpc_cancel_fn fn, void *userdata);
bool rpc_call_cancelled(const struct rpc_call *call);

/* clock_now() at which the client gives up; UINT64_MAX where it waits for ever. */
uint64_t rpc_call_deadline(const struct rpc_call *call);
uid_t rpc_call_uid(const struct rpc_call *call); /* of the peer when it connected */

struct rpc_server_options {
	/* A listening, non-blocking unix stream socket; consumed, on failure too. Its file is the
	 * caller's to make and to remove. -1: only rpc_server_adopt() brings connections. */
	int fd;
	/* Who may connect (SO_PEERCRED); others are closed at once. Copied. */
	const uid_t *uids;
	size_t n_uids;
	/* Borrowed for the server's life. An unknown path is answered with Unimplemented. */
	const struct rpc_method *methods;
	size_t n_methods;
	/* 0 = 1024, and never more than half of RLIMIT_NOFILE. The kubelet opens one for each RPC,
	 * and those that wait for a frozen server hold theirs for two minutes. */
	unsigned connections_max;
	/* Told of each call that got an answer, by its handler or by us: for metrics. May be NULL.
	 * path is the table's, NULL for an unknown one. Must not free the server. */
	void (*observe)(const char *path, enum rpc_code code, uint64_t ns, void *userdata);
};

int rpc_server_new(struct rpc_server **ret, struct loop *l, const struct rpc_server_options *o,
	void *userdata, struct err *e);
/* Closes everything at once, after answers that were given, as far as the sockets take them; calls
 * that are running are told through their cancel functions during this call. */
struct rpc_server *rpc_server_free(struct rpc_server *s);
DEFINE_CLEANUP(struct rpc_server *, rpc_server_free)

/* Serves an already connected socket as if it had been accepted, the uid check included. Consumed,
 * on failure too: -EPERM, -ENOBUFS (too many connections), -ENOMEM. */
int rpc_server_adopt(struct rpc_server *s, int fd);

/*
 * Closes the listening socket, sends GOAWAY, lets running calls end for at most timeout_ns, then
 * closes what is left; done runs once, from the loop, and may free the server. Answers given before
 * it are on their way when done runs.
 */
typedef void (*rpc_drained_fn)(struct rpc_server *s, void *userdata);
void rpc_server_drain(struct rpc_server *s, uint64_t timeout_ns, rpc_drained_fn done);

/* For metrics and tests. */
struct rpc_server_counts {
	unsigned connections; /* open now */
	unsigned calls;       /* not yet answered, those whose client left included */
	uint64_t accepted;
	uint64_t refused;          /* other uids */
	uint64_t closed_for_abuse; /* floods, and what is no HTTP/2 */
};
void rpc_server_counts(const struct rpc_server *s, struct rpc_server_counts *ret);

#endif
