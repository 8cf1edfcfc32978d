/* SPDX-License-Identifier: Apache-2.0 */
/* connection.c: one connection of the server: nghttp2's callbacks and what a peer may not do */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/connection.h"

static struct rpc_request *request_of(nghttp2_session *h2, int32_t id)
{
	return id > 0 ? nghttp2_session_get_stream_user_data(h2, id) : NULL;
}

void rpc_connection_close(struct rpc_connection *c)
{
	nghttp2_session *h2 = c->session.h2;

	if (c->is_closing)
		return;
	c->is_closing = true;
	if (nghttp2_submit_goaway(h2, NGHTTP2_FLAG_NONE,
		    nghttp2_session_get_last_proc_stream_id(h2), NGHTTP2_NO_ERROR, NULL, 0) < 0)
		rpc_session_break(&c->session, -ENOMEM);
	if (c->n_requests == 0)
		timer_arm(c->timer, c->server->times.closing);
	rpc_session_kick(&c->session);
}

/* GOAWAY with ENHANCE_YOUR_CALM, and nothing more is read. 0 or nghttp2's error for its callback.
 */
static int abuse(struct rpc_connection *c, const char *what)
{
	if (c->is_abused)
		return 0;
	c->is_abused = true;
	c->is_closing = true;
	c->server->counts.closed_for_abuse++;
	log_warning("closing a gRPC connection of uid %u: %s", (unsigned)c->uid, what);
	rpc_session_deafen(&c->session);
	timer_arm(c->timer, c->server->times.closing);
	return nghttp2_session_terminate_session(c->session.h2, NGHTTP2_ENHANCE_YOUR_CALM) < 0
		       ? NGHTTP2_ERR_CALLBACK_FAILURE
		       : 0;
}

/* Whichever of the three times it was: nobody is there, or nothing is wanted. */
static void on_timer(struct timer *t, void *userdata)
{
	struct rpc_connection *c = userdata;

	(void)t;
	if (c->is_greeted && !c->is_closing)
		rpc_connection_close(c);
	else
		rpc_session_break(&c->session, -ETIMEDOUT);
}

static void request_gone(struct rpc_connection *c)
{
	if (c->n_requests > 0)
		return;
	c->active_at = clock_now();
	timer_arm(c->timer, c->is_closing ? c->server->times.closing : c->server->times.idle);
}

static void on_ended(struct rpc_session *s, int reason, void *userdata)
{
	struct rpc_connection *c = userdata;
	struct rpc_server *server = c->server;

	(void)s;
	/* What nghttp2 itself gave up: broken frames, too many acknowledgements or continuations.
	 */
	server->counts.closed_for_abuse += reason == -EPROTO;
	if (reason < 0)
		log_debug("a gRPC connection of uid %u ended: errno %d", (unsigned)c->uid, -reason);
	rpc_connection_free(c);
	rpc_server_connection_gone(server);
}

/* ---- nghttp2's callbacks --------------------------------------------------------------------- */

static int on_begin_frame(nghttp2_session *h2, const nghttp2_frame_hd *hd, void *userdata)
{
	struct rpc_connection *c = userdata;

	(void)h2;
	if (hd->type == NGHTTP2_DATA && hd->length >= LITTLE_DATA)
		return 0;
	if (bucket_take(&c->frames, clock_now()) == 0)
		return 0;
	return abuse(c, "too many frames without a call");
}

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *userdata)
{
	struct rpc_connection *c = userdata;
	struct rpc_request *q = NULL;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	/* A reset would be Internal at the client, which is final; a closed connection is not. */
	if (rpc_request_new(&q, c, frame->hd.stream_id) < 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, q) < 0) {
		rpc_request_free(q);
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	if (!c->is_closing)
		timer_disarm(c->timer);
	return 0;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags, void *userdata)
{
	struct rpc_request *q = request_of(h2, frame->hd.stream_id);
	const struct rpc_field f = {(const char *)name, n_name, (const char *)value, n_value};

	(void)flags;
	if (!q)
		return 0;
	/* Trailers mean nothing here, but their size counts. */
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		rpc_head_add(&q->head, &f);
	else
		q->head.size += n_name + n_value;
	if (q->head.size <= HEAD_ABUSE)
		return 0;
	return abuse(userdata, "headers without end");
}

static int count_reset(struct rpc_connection *c)
{
	if (bucket_take(&c->resets, clock_now()) == 0)
		return 0;
	return abuse(c, "too many streams were reset");
}

static void trailers_end(struct rpc_request *q, const nghttp2_frame *frame)
{
	/* Headers in the middle of a request: malformed (RFC 9113 8.1). */
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		rpc_session_break(&q->connection->session, -EPROTO);
}

static int on_frame_recv(nghttp2_session *h2, const nghttp2_frame *frame, void *userdata)
{
	struct rpc_connection *c = userdata;
	struct rpc_request *q = request_of(h2, frame->hd.stream_id);

	switch (frame->hd.type) {
	case NGHTTP2_SETTINGS:
		if (!c->is_greeted && c->n_requests == 0)
			timer_arm(c->timer, c->server->times.idle);
		c->is_greeted = true;
		return 0;
	case NGHTTP2_RST_STREAM:
		return count_reset(c);
	case NGHTTP2_HEADERS:
		if (q && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
			rpc_request_head_end(q);
		else if (q)
			trailers_end(q, frame);
		break;
	case NGHTTP2_DATA:
		break;
	default:
		return 0;
	}
	if (q && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		rpc_request_end(q);
	return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t size,
	void *userdata)
{
	struct rpc_request *q = request_of(h2, id);

	(void)flags;
	(void)userdata;
	if (q)
		rpc_request_data(q, data, size);
	return 0;
}

/* The answer is out before the request is in: the rest of it is not wanted (contracts.md 3.5). */
static int stop_request(nghttp2_session *h2, const nghttp2_frame *frame)
{
	struct rpc_request *q = request_of(h2, frame->hd.stream_id);

	if (!q || q->is_ended || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	return nghttp2_submit_rst_stream(
		h2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
}

static int on_frame_send(nghttp2_session *h2, const nghttp2_frame *frame, void *userdata)
{
	int r = 0;

	if (frame->hd.type == NGHTTP2_RST_STREAM)
		r = count_reset(userdata);
	else if (frame->hd.type == NGHTTP2_HEADERS)
		r = stop_request(h2, frame);
	return r < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_stream_close(nghttp2_session *h2, int32_t id, uint32_t code, void *userdata)
{
	struct rpc_request *q = request_of(h2, id);

	(void)code;
	if (!q)
		return 0;
	rpc_request_free(q);
	request_gone(userdata);
	return 0;
}

int rpc_connection_callbacks(struct rpc_server *s)
{
	if (nghttp2_session_callbacks_new(&s->callbacks) < 0 || nghttp2_option_new(&s->option) < 0)
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_begin_frame_callback(s->callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(s->callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(s->callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(s->callbacks, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(s->callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(s->callbacks, on_frame_send);
	nghttp2_session_callbacks_set_on_stream_close_callback(s->callbacks, on_stream_close);
	nghttp2_option_set_no_http_messaging(s->option, 1);
	/* Closed streams are kept for priorities that nobody uses. */
	nghttp2_option_set_no_closed_streams(s->option, 1);
	nghttp2_option_set_max_outbound_ack(s->option, STREAMS_MAX);
	return 0;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

/* grpc-go takes the connection as usable when it has the server's SETTINGS: before anything came.
 */
static int greet(struct rpc_connection *c)
{
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, RPC_HEAD_MAX},
	};

	if (nghttp2_submit_settings(
		    c->session.h2, NGHTTP2_FLAG_NONE, settings, ELEMENTSOF(settings)) < 0)
		return -ENOMEM;
	timer_arm(c->timer, c->server->times.greeting);
	rpc_session_kick(&c->session);
	return 0;
}

int rpc_connection_new(struct rpc_connection **ret, struct rpc_server *s, int fd, uid_t uid)
{
	struct rpc_connection *c = calloc(1, sizeof(*c));
	const struct rpc_session_options o = {.is_server = true,
		.callbacks = s->callbacks,
		.option = s->option,
		.ended = on_ended,
		.userdata = c};
	int r;

	if (!c)
		return -ENOMEM;
	c->server = s;
	c->uid = uid;
	c->active_at = clock_now();
	list_init(&c->requests);
	bucket_init(&c->resets, RESETS_RATE, RESETS_BURST);
	bucket_init(&c->frames, FRAMES_RATE, FRAMES_BURST);
	r = timer_new_exact(&c->timer, s->loop, on_timer, c);
	if (r == 0)
		r = rpc_session_init(&c->session, s->loop, fd, &o);
	if (r < 0) {
		timer_free(c->timer);
		free(c);
		return r;
	}
	list_append(&s->connections, &c->link);
	s->counts.connections++;
	r = greet(c);
	if (r < 0)
		rpc_session_break(&c->session, r);
	*ret = c;
	return 0;
}

struct rpc_connection *rpc_connection_free(struct rpc_connection *c)
{
	if (!c)
		return NULL;
	rpc_session_hurry(&c->session);
	while (!list_empty(&c->requests))
		rpc_request_free(LIST_FIRST(&c->requests, struct rpc_request, link));
	list_remove(&c->link);
	c->server->counts.connections--;
	rpc_session_done(&c->session);
	timer_free(c->timer);
	free(c);
	return NULL;
}
