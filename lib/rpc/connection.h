/* SPDX-License-Identifier: Apache-2.0 */
/* connection.h: inside of the server: its connections, their requests (one HTTP/2 stream each), and
 * the calls that handlers hold */
#ifndef BERTH_RPC_CONNECTION_H
#define BERTH_RPC_CONNECTION_H

#include "base/backoff.h"
#include "base/list.h"
#include "rpc/frame.h"
#include "rpc/head.h"
#include "rpc/limits.h"
#include "rpc/server.h"
#include "rpc/session.h"

struct rpc_connection {
	struct list link; /* of the server, the oldest first */
	struct rpc_server *server;
	struct rpc_session session;
	struct list requests;
	unsigned n_requests;
	struct timer *timer;
	struct bucket resets;
	struct bucket frames;
	uint64_t active_at; /* clock_now() of the last call's end, or of the beginning */
	uid_t uid;
	bool is_greeted; /* the peer's SETTINGS came */
	bool is_closing; /* GOAWAY was submitted */
	bool is_abused;
};

enum rpc_request_state {
	REQUEST_RECEIVING,
	REQUEST_WAITING, /* for its call's answer */
	REQUEST_SENDING,
	_REQUEST_STATE_MAX
};

/* One stream. */
struct rpc_request {
	struct list link;
	struct rpc_connection *connection;
	int32_t id;
	uint8_t state;
	bool is_ended;   /* END_STREAM came */
	bool is_counted; /* its bytes in the server's incoming */
	struct timer *timer;
	struct rpc_head head;
	struct rpc_frame frame;
	const struct rpc_method *method;
	struct rpc_call *call; /* while WAITING */
	uint64_t began;
	uint64_t deadline;
	struct buf out; /* the framed answer */
	size_t sent;
};
extern const struct sm_table rpc_request_table;

struct rpc_call {
	struct list link;            /* the server's ready or running */
	struct rpc_server *server;   /* NULL after its end */
	struct rpc_request *request; /* NULL where nobody waits */
	const struct rpc_method *method;
	struct buf message;
	uint64_t began;
	uint64_t deadline;
	uid_t uid;
	bool is_started;
	bool is_cancelled;
	rpc_cancel_fn cancel;
	void *cancel_data;
};

/* limits.h; the tests have less patience. */
struct rpc_times {
	uint64_t greeting, idle, request, sending, closing;
};

struct rpc_server {
	struct loop *loop;
	struct rpc_times times;
	void *userdata;
	const struct rpc_method *methods;
	size_t n_methods;
	uid_t *uids;
	size_t n_uids;
	void (*observe)(const char *path, enum rpc_code code, uint64_t ns, void *userdata);
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	int fd; /* listening, or -1 */
	struct io *io;
	struct timer *accept_timer; /* accepting again after an error or where it is full */
	struct backoff accept_backoff;
	struct list connections;
	unsigned connections_max;
	size_t incoming;
	struct list ready; /* calls to start or to cancel */
	struct list running;
	struct defer *dispatch;
	bool *gone; /* set by rpc_server_free() under a handler */
	struct timer *drain_timer;
	rpc_drained_fn drained;
	struct rpc_server_counts counts;
};

/* server.c */
void rpc_server_connection_gone(struct rpc_server *s);
void rpc_server_observe(
	struct rpc_server *s, const struct rpc_method *m, enum rpc_code code, uint64_t began);

/* connection.c: takes fd over on success. */
int rpc_connection_new(struct rpc_connection **ret, struct rpc_server *s, int fd, uid_t uid);
struct rpc_connection *rpc_connection_free(struct rpc_connection *c);
DEFINE_CLEANUP(struct rpc_connection *, rpc_connection_free)
/* GOAWAY: no new calls, closed when the last one has ended. */
void rpc_connection_close(struct rpc_connection *c);
int rpc_connection_callbacks(struct rpc_server *s);

/* request.c */
int rpc_request_new(struct rpc_request **ret, struct rpc_connection *c, int32_t id);
/* The stream is closed; a call of it is told. */
struct rpc_request *rpc_request_free(struct rpc_request *q);
DEFINE_CLEANUP(struct rpc_request *, rpc_request_free)
void rpc_request_head_end(struct rpc_request *q);
void rpc_request_data(struct rpc_request *q, const uint8_t *data, size_t size);
void rpc_request_end(struct rpc_request *q);
void rpc_request_answer(struct rpc_request *q, const void *message, size_t size);
void rpc_request_fail(struct rpc_request *q, const struct rpc_status *status, unsigned http);

/* call.c */
int rpc_call_new(struct rpc_call **ret, struct rpc_request *q);
/* Nobody waits for it any more. */
void rpc_call_cancel(struct rpc_call *call);
/* Starts and cancels what is ready. */
void rpc_server_dispatch(struct rpc_server *s);
/* At the server's end. */
void rpc_server_cancel_all(struct rpc_server *s);

#endif
