/* SPDX-License-Identifier: Apache-2.0 */
/* session.h: an nghttp2 session on a connected socket in the loop; server and client share it */
#ifndef BERTH_RPC_SESSION_H
#define BERTH_RPC_SESSION_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "event/stream.h"

struct rpc_session;
/*
 * Once, from the loop: the connection is over (reason as stream_handler.closed, -EPROTO where the
 * peer broke HTTP/2, -ECONNABORTED after rpc_session_break()). Only rpc_session_done() is left to
 * do, here or later.
 */
typedef void (*rpc_session_ended_fn)(struct rpc_session *s, int reason, void *userdata);

struct rpc_session {
	struct stream *stream;
	nghttp2_session *h2;
	struct defer *pump;
	rpc_session_ended_fn ended;
	void *userdata;
	int broken; /* -errno; the session ends at the next turn */
	bool is_deaf;
	bool is_over;
};

struct rpc_session_options {
	bool is_server;
	const nghttp2_session_callbacks *callbacks; /* copied by nghttp2 */
	const nghttp2_option *option;
	rpc_session_ended_fn ended;
	void *userdata; /* nghttp2's, too */
};

/* Takes fd over on success. -ENOMEM, -errno. s is zeroed memory. */
int rpc_session_init(
	struct rpc_session *s, struct loop *l, int fd, const struct rpc_session_options *o);
/* What was submitted goes now, as far as the socket takes it: the last thing before
 * rpc_session_done(). Ends nothing. */
void rpc_session_hurry(struct rpc_session *s);
/* Closes the socket. Not under one of nghttp2's callbacks. */
void rpc_session_done(struct rpc_session *s);

/* Something was submitted: it is sent at the end of the loop's turn. Legal under callbacks. */
void rpc_session_kick(struct rpc_session *s);
/* Gives the connection up without a further word, at the next turn. Legal under callbacks. */
void rpc_session_break(struct rpc_session *s, int reason);
/* What the peer says from now on is dropped; what is submitted is sent. Legal under callbacks. */
void rpc_session_deafen(struct rpc_session *s);

#endif
