/* SPDX-License-Identifier: Apache-2.0 */
/* server.h: a small HTTP/1.1 server in the loop: probes, metrics, JSON, long watches */
#ifndef BERTH_HTTP_SERVER_H
#define BERTH_HTTP_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "event/loop.h"

struct http_server;
struct http_exchange; /* one request and its answer */

/*
 * Called when a whole request (headers and body) is there. Answers now or later with exactly one of
 * http_reply…(), http_abort…() or http_stream(); until then (a stream: until its end) the exchange
 * is valid. If the client goes away before, gone() is called and the exchange must not be touched
 * any more. A client that closes only its sending side counts as gone. No gone() after
 * http_server_free().
 */
struct http_handler {
	void (*request)(struct http_exchange *x, void *userdata);
	void (*gone)(struct http_exchange *x,
		void *userdata); /* may be NULL: only for handlers that answer at once */
};

struct http_options {
	const char *address; /* "127.0.0.1", "::" …; NULL with fd */
	uint16_t port;       /* 0: any, see http_server_port() */
	int fd; /* a listening non-blocking socket instead (consumed, on failure too), else -1 */
	unsigned connections_max; /* 0 = 64; more wait in the kernel's queue */
	/* On a unix socket: of one uid other than 0, more are closed at once; as many places are
	 * root's, whoever else is there. 0 = no such limit. */
	unsigned connections_per_uid;
	size_t body_max;       /* 0 = 1 MiB */
	unsigned idle_seconds; /* 0 = 30 */
};
int http_server_new(struct http_server **ret, struct loop *l, const struct http_options *o,
	const struct http_handler *h, void *userdata, struct err *e);
struct http_server *http_server_free(struct http_server *s);
DEFINE_CLEANUP(struct http_server *, http_server_free)
uint16_t http_server_port(const struct http_server *s);

const char *http_method(const struct http_exchange *x);
const char *http_path(const struct http_exchange *x); /* decoded, without query */
const char *http_query(
	const struct http_exchange *x, const char *key); /* decoded, NULL if absent, "" if empty */
const char *http_header(const struct http_exchange *x, const char *key);
const char *http_body(const struct http_exchange *x, size_t *ret_size);
/* Who connected to a unix socket (SO_PEERCRED: as it was then); -ENOTCONN on TCP. Decide by uid and
 * gid: pid may be another process by now. */
struct http_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};
int http_peer(const struct http_exchange *x, struct http_peer *ret);
/* Whether gid is the peer's group or one of its supplementary ones (SO_PEERGROUPS). */
bool http_peer_in_group(const struct http_exchange *x, gid_t gid);
void http_set_userdata(struct http_exchange *x, void *userdata);
void *http_userdata(const struct http_exchange *x);

/* Copies body. extra: "Name: value" lines separated by \n, or NULL. */
void http_reply(struct http_exchange *x, unsigned status, const char *content_type,
	const void *body, size_t size, const char *extra);
void http_reply_text(struct http_exchange *x, unsigned status, const char *text);
void http_reply_json(struct http_exchange *x, unsigned status, const json_t *json); /* borrowed */
/* Takes malloc'ed memory over: no copy for large answers. */
void http_reply_take(struct http_exchange *x, unsigned status, const char *content_type, char *body,
	size_t size, const char *extra);

/* A chunked answer without end: write as often as wanted; gone() tells when the client left. limit
 * bounds what waits for a slow client: -ENOBUFS, then close it. */
void http_stream(struct http_exchange *x, unsigned status, const char *content_type, size_t limit);
int http_stream_write(struct http_exchange *x, const void *data, size_t size);
void http_stream_end(struct http_exchange *x);
/* Drops the connection without an end: the client sees it closed, or reset (for faults). */
void http_abort(struct http_exchange *x);
void http_abort_reset(struct http_exchange *x);

#endif
