/* SPDX-License-Identifier: Apache-2.0 */
/* call.c: a request as its handler sees it; outlives the stream, the connection and the server */
#include <errno.h>
#include <stdarg.h>

#include "base/clock.h"
#include "rpc/connection.h"

static void rpc_call_free(struct rpc_call *call)
{
	if (call->server)
		call->server->counts.calls--;
	list_remove(&call->link);
	buf_done(&call->message);
	free(call);
}

int rpc_call_new(struct rpc_call **ret, struct rpc_request *q)
{
	struct rpc_server *s = q->connection->server;
	struct rpc_call *call = calloc(1, sizeof(*call));

	if (!call)
		return -ENOMEM;
	call->server = s;
	call->request = q;
	call->method = q->method;
	call->message = q->frame.body;
	q->frame.body = BUF_NULL(RPC_MESSAGE_MAX);
	call->began = q->began;
	call->deadline = q->deadline;
	call->uid = q->connection->uid;
	s->counts.calls++;
	list_append(&s->ready, &call->link);
	defer_arm(s->dispatch);
	*ret = call;
	return 0;
}

void rpc_call_cancel(struct rpc_call *call)
{
	struct rpc_server *s = call->server;

	if (call->request)
		call->request->call = NULL;
	call->request = NULL;
	call->is_cancelled = true;
	if (!call->is_started) {
		rpc_call_free(call);
		return;
	}
	if (!call->cancel)
		return;
	list_remove(&call->link);
	list_append(&s->ready, &call->link);
	defer_arm(s->dispatch);
}

/* The call may be gone after. */
static void tell_cancelled(struct rpc_call *call)
{
	rpc_cancel_fn fn = TAKE_PTR(call->cancel);

	if (fn)
		fn(call, call->cancel_data);
}

static void start(struct rpc_call *call)
{
	struct buf message = call->message;

	call->message = BUF_NULL(0);
	call->is_started = true;
	call->method->handler(
		call, message.data ? message.data : "", message.len, call->server->userdata);
	buf_done(&message);
}

void rpc_server_dispatch(struct rpc_server *s)
{
	bool gone = false;

	s->gone = &gone;
	while (!list_empty(&s->ready)) {
		struct rpc_call *call = LIST_FIRST(&s->ready, struct rpc_call, link);

		list_remove(&call->link);
		list_append(&s->running, &call->link);
		if (call->is_started)
			tell_cancelled(call);
		else
			start(call);
		if (gone)
			return;
	}
	s->gone = NULL;
}

static void cancel_list(struct list *list)
{
	while (!list_empty(list)) {
		struct rpc_call *call = LIST_FIRST(list, struct rpc_call, link);

		list_remove(&call->link);
		call->server = NULL;
		call->is_cancelled = true;
		tell_cancelled(call);
	}
}

void rpc_server_cancel_all(struct rpc_server *s)
{
	cancel_list(&s->ready);
	cancel_list(&s->running);
}

void rpc_answer(struct rpc_call *call, const void *message, size_t size)
{
	struct rpc_request *q = call->request;

	if (size > RPC_MESSAGE_MAX) {
		rpc_fail(call, RPC_INTERNAL, "grpc: the answer has %zu bytes, more than %u", size,
			RPC_MESSAGE_MAX);
		return;
	}
	if (q) {
		q->call = NULL;
		rpc_request_answer(q, message, size);
	}
	rpc_call_free(call);
}

void rpc_fail(struct rpc_call *call, enum rpc_code code, const char *fmt, ...)
{
	struct rpc_request *q = call->request;
	struct rpc_status status;
	va_list args;

	va_start(args, fmt);
	rpc_status_vset(&status, code, fmt, args);
	va_end(args);
	if (q) {
		q->call = NULL;
		rpc_request_fail(q, &status, 200);
	}
	rpc_call_free(call);
}

void rpc_call_on_cancel(struct rpc_call *call, rpc_cancel_fn fn, void *userdata)
{
	call->cancel = fn;
	call->cancel_data = userdata;
}

bool rpc_call_cancelled(const struct rpc_call *call)
{
	return call->is_cancelled;
}

uint64_t rpc_call_deadline(const struct rpc_call *call)
{
	return call->deadline;
}

uid_t rpc_call_uid(const struct rpc_call *call)
{
	return call->uid;
}
