/* SPDX-License-Identifier: Apache-2.0 */
/* request.c: one stream of a connection: a request that comes in, and its answer */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/sm.h"
#include "base/str.h"
#include "rpc/connection.h"

enum rpc_request_event { EVENT_WHOLE, EVENT_ANSWER, _REQUEST_EVENT_MAX };

static const char *const states[_REQUEST_STATE_MAX] = {"receiving", "waiting", "sending"};
static const char *const events[_REQUEST_EVENT_MAX] = {"whole", "answer"};
static const struct sm_edge edges[] = {
	{REQUEST_RECEIVING, EVENT_WHOLE, REQUEST_WAITING, NULL},
	{REQUEST_RECEIVING, EVENT_ANSWER, REQUEST_SENDING, NULL}, /* refused */
	{REQUEST_WAITING, EVENT_ANSWER, REQUEST_SENDING, NULL},
};
const struct sm_table rpc_request_table = {"request", states, events, edges, ELEMENTSOF(edges)};

/* Text that must not change while nghttp2 has it, which copies it in submit. */
#define FIELD(n, v) \
	((nghttp2_nv){(uint8_t *)(n), (uint8_t *)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NONE})

static void uncount(struct rpc_request *q)
{
	struct rpc_server *s = q->connection->server;

	if (q->is_counted)
		s->incoming -= q->frame.body.len;
	q->is_counted = false;
}

static void on_timer(struct timer *t, void *userdata)
{
	struct rpc_request *q = userdata;
	struct rpc_status status;

	(void)t;
	if (q->state == REQUEST_SENDING) {
		rpc_session_break(&q->connection->session, -ETIMEDOUT);
		return;
	}
	if (q->state == REQUEST_RECEIVING && clock_now() < q->deadline)
		rpc_status_set(&status, RPC_DEADLINE_EXCEEDED,
			"the request did not come within %u seconds",
			(unsigned)(q->connection->server->times.request / NSEC_PER_SEC));
	else
		rpc_status_set(&status, RPC_DEADLINE_EXCEEDED, "context deadline exceeded");
	rpc_request_fail(q, &status, 200);
}

int rpc_request_new(struct rpc_request **ret, struct rpc_connection *c, int32_t id)
{
	_cleanup_(rpc_request_freep) struct rpc_request *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->connection = c;
	q->id = id;
	q->frame = RPC_FRAME_NULL;
	q->out = BUF_NULL(RPC_MESSAGE_MAX + RPC_PREFIX_SIZE);
	q->began = clock_now();
	q->deadline = UINT64_MAX;
	list_append(&c->requests, &q->link);
	c->n_requests++;
	r = timer_new_exact(&q->timer, c->server->loop, on_timer, q);
	if (r < 0)
		return r;
	/* Until its headers say better: they may never end. */
	timer_arm(q->timer, c->server->times.request);
	*ret = TAKE_PTR(q);
	return 0;
}

struct rpc_request *rpc_request_free(struct rpc_request *q)
{
	if (!q)
		return NULL;
	if (q->call)
		rpc_call_cancel(q->call);
	uncount(q);
	list_remove(&q->link);
	q->connection->n_requests--;
	timer_free(q->timer);
	rpc_frame_done(&q->frame);
	buf_done(&q->out);
	free(q);
	return NULL;
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* What has been read, or is still coming, matters no more. */
static bool begin_answer(struct rpc_request *q, enum rpc_code code)
{
	struct rpc_connection *c = q->connection;
	struct rpc_call *call = TAKE_PTR(q->call);

	if (sm_fire(&rpc_request_table, &q->state, EVENT_ANSWER, q) < 0)
		return false;
	if (call)
		rpc_call_cancel(call);
	rpc_server_observe(c->server, q->method, code, q->began);
	uncount(q);
	rpc_frame_done(&q->frame);
	timer_arm(q->timer, c->server->times.sending);
	c->frames.tokens += FRAMES_OF_A_CALL;
	if (c->frames.tokens > c->frames.burst)
		c->frames.tokens = c->frames.burst;
	rpc_session_kick(&c->session);
	return true;
}

static void submitted(struct rpc_request *q, int r)
{
	if (r < 0)
		rpc_session_break(&q->connection->session, -ENOMEM);
}

void rpc_request_fail(struct rpc_request *q, const struct rpc_status *status, unsigned http)
{
	char http_text[16], code[16], text[RPC_MESSAGE_TEXT_MAX];

	if (!begin_answer(q, status->code))
		return;
	(void)snprintf(http_text, sizeof(http_text), "%u", http);
	(void)snprintf(code, sizeof(code), "%d", (int)status->code);
	(void)rpc_text_encode(text, sizeof(text), status->text);
	const nghttp2_nv fields[] = {FIELD(":status", http_text),
		FIELD("content-type", "application/grpc"), FIELD("grpc-status", code),
		FIELD("grpc-message", text), FIELD("grpc-accept-encoding", "identity")};

	submitted(q, nghttp2_submit_response(q->connection->session.h2, q->id, fields,
			     ELEMENTSOF(fields) - (q->head.is_encoded ? 0 : 1), NULL));
}

/* nghttp2_data_source_read_callback */
static ssize_t on_send(nghttp2_session *h2, int32_t id, uint8_t *dst, size_t size, uint32_t *flags,
	nghttp2_data_source *source, void *userdata)
{
	struct rpc_request *q = source->ptr;
	size_t n = q->out.len - q->sent;
	const nghttp2_nv trailers[] = {FIELD("grpc-status", "0")};

	(void)userdata;
	if (n > size)
		n = size;
	memcpy(dst, q->out.data + q->sent, n);
	q->sent += n;
	if (q->sent < q->out.len)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
	if (nghttp2_submit_trailer(h2, id, trailers, ELEMENTSOF(trailers)) < 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	return (ssize_t)n;
}

static int frame_answer(struct rpc_request *q, const void *message, size_t size)
{
	uint8_t prefix[RPC_PREFIX_SIZE];
	int r;

	rpc_frame_prefix(prefix, (uint32_t)size);
	r = buf_append(&q->out, prefix, sizeof(prefix));
	return r < 0 || size == 0 ? r : buf_append(&q->out, message, size);
}

void rpc_request_answer(struct rpc_request *q, const void *message, size_t size)
{
	static const nghttp2_nv fields[] = {
		{(uint8_t *)":status", (uint8_t *)"200", 7, 3, NGHTTP2_NV_FLAG_NONE},
		{(uint8_t *)"content-type", (uint8_t *)"application/grpc", 12, 16,
			NGHTTP2_NV_FLAG_NONE}};
	const nghttp2_data_provider provider = {{.ptr = q}, on_send};

	if (!begin_answer(q, RPC_OK))
		return;
	if (frame_answer(q, message, size) < 0) {
		/* Unavailable, which is not final: the answer was "done". */
		rpc_session_break(&q->connection->session, -ENOMEM);
		return;
	}
	submitted(q, nghttp2_submit_response(q->connection->session.h2, q->id, fields,
			     ELEMENTSOF(fields), &provider));
}

/* ---- the request ----------------------------------------------------------------------------- */

static void fail(struct rpc_request *q, enum rpc_code code, const char *text)
{
	struct rpc_status status;

	rpc_status_set(&status, code, "%s", text);
	rpc_request_fail(q, &status, 200);
}

static void fail_frame(struct rpc_request *q, int r)
{
	struct rpc_status status;

	rpc_frame_status(&q->frame, r, &status);
	rpc_request_fail(q, &status, 200);
}

/* Whether path is of the same service as one of the table. */
static bool shares_service(const char *path, const char *other)
{
	const char *slash = path[0] == '/' ? strrchr(path, '/') : NULL;

	return slash && strncmp(path, other, (size_t)(slash - path) + 1) == 0;
}

static bool find_method(struct rpc_request *q)
{
	struct rpc_server *s = q->connection->server;
	struct rpc_status status;
	bool known = false;

	for (size_t i = 0; i < s->n_methods; i++) {
		if (streq(s->methods[i].path, q->head.path)) {
			q->method = &s->methods[i];
			return true;
		}
		known = known || shares_service(q->head.path, s->methods[i].path);
	}
	rpc_head_unknown(&q->head, known, &status);
	rpc_request_fail(q, &status, 200);
	return false;
}

/* The clock began with the headers (contracts.md 3.8). */
static bool set_deadline(struct rpc_request *q)
{
	uint64_t left = q->connection->server->times.request;

	if (q->head.has_timeout) {
		if (__builtin_add_overflow(q->began, q->head.timeout_ns, &q->deadline))
			q->deadline = UINT64_MAX;
		if (q->head.timeout_ns < left)
			left = q->head.timeout_ns;
	}
	if (left == 0) {
		fail(q, RPC_DEADLINE_EXCEEDED, "context deadline exceeded");
		return false;
	}
	timer_arm(q->timer, left);
	return true;
}

static void reset(struct rpc_request *q, uint32_t code)
{
	submitted(q, nghttp2_submit_rst_stream(
			     q->connection->session.h2, NGHTTP2_FLAG_NONE, q->id, code));
}

void rpc_request_head_end(struct rpc_request *q)
{
	struct rpc_status status;
	unsigned http;

	rpc_head_end(&q->head);
	if (q->head.size > RPC_HEAD_MAX) {
		rpc_status_set(&status, RPC_RESOURCE_EXHAUSTED,
			"the headers are longer than %u bytes", RPC_HEAD_MAX);
		rpc_request_fail(q, &status, 200);
	} else if (q->head.is_malformed) {
		reset(q, NGHTTP2_PROTOCOL_ERROR);
	} else if (!rpc_head_check(&q->head, &status, &http)) {
		rpc_request_fail(q, &status, http);
	} else if (find_method(q)) {
		(void)set_deadline(q);
	}
}

void rpc_request_data(struct rpc_request *q, const uint8_t *data, size_t size)
{
	struct rpc_server *s = q->connection->server;
	size_t had = q->frame.body.len;
	int r;

	if (q->state != REQUEST_RECEIVING || q->head.is_malformed)
		return;
	if (s->incoming + size > INCOMING_MAX) {
		fail(q, RPC_RESOURCE_EXHAUSTED, "too many large requests at once");
		return;
	}
	r = rpc_frame_feed(&q->frame, data, size);
	q->is_counted = true;
	s->incoming += q->frame.body.len - had;
	if (r < 0)
		fail_frame(q, r);
}

static void wait_for_answer(struct rpc_request *q)
{
	uint64_t now = clock_now();

	(void)sm_fire(&rpc_request_table, &q->state, EVENT_WHOLE, q);
	if (q->deadline == UINT64_MAX)
		timer_disarm(q->timer);
	else
		timer_arm(q->timer, q->deadline > now ? q->deadline - now : 0);
}

void rpc_request_end(struct rpc_request *q)
{
	int r;

	q->is_ended = true;
	if (q->state != REQUEST_RECEIVING || q->head.is_malformed)
		return;
	r = rpc_frame_end(&q->frame);
	if (r < 0) {
		fail_frame(q, r);
		return;
	}
	if (q->connection->server->counts.calls >= CALLS_MAX) {
		fail(q, RPC_RESOURCE_EXHAUSTED, "too many calls wait for their answers");
		return;
	}
	uncount(q);
	r = rpc_call_new(&q->call, q);
	if (r < 0)
		fail(q, RPC_RESOURCE_EXHAUSTED, "out of memory");
	else
		wait_for_answer(q);
}
