/* SPDX-License-Identifier: Apache-2.0 */
/* client.c: one unary gRPC call over a unix socket */
#include "rpc/client.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "rpc/frame.h"
#include "rpc/head.h"
#include "rpc/session.h"

/* connect(2) on a unix socket says EAGAIN while the server's backlog is full. */
#define CONNECT_AGAIN_NS MILLISECONDS(20)

struct rpc_client {
	struct loop *loop;
	rpc_client_fn fn;
	void *userdata;
	struct sockaddr_un address;
	int fd; /* connected by somebody else, until the session has it; -1 */
	char path[RPC_PATH_MAX];
	char timeout[12];
	struct buf out; /* the framed request */
	size_t sent;
	struct rpc_session session;
	struct timer *deadline;
	struct timer *again;
	struct defer *finish;
	struct rpc_frame frame;
	unsigned http;
	bool is_grpc;
	bool has_status; /* grpc-status came */
	bool is_open;    /* the session is set up */
	bool is_done;    /* status is the result */
	struct rpc_status status;
};

/* The result is known; the first one counts. */
static void finish(struct rpc_client *c)
{
	c->is_done = true;
	defer_arm(c->finish);
}

static _printf_(3, 4) void fail(struct rpc_client *c, enum rpc_code code, const char *fmt, ...)
{
	va_list args;

	if (c->is_done)
		return;
	va_start(args, fmt);
	rpc_status_vset(&c->status, code, fmt, args);
	va_end(args);
	finish(c);
}

static void on_finish(struct defer *d, void *userdata)
{
	struct rpc_client *c = userdata;
	bool ok = c->status.code == RPC_OK;
	const char *message = c->frame.body.data ? c->frame.body.data : "";

	(void)d;
	timer_disarm(c->deadline);
	timer_disarm(c->again);
	c->fn(c, &c->status, ok ? message : NULL, ok ? c->frame.body.len : 0, c->userdata);
}

/* ---- nghttp2's callbacks --------------------------------------------------------------------- */

static bool field_is(const uint8_t *s, size_t n, const char *text)
{
	return n == strlen(text) && memcmp(s, text, n) == 0;
}

static void take_code(struct rpc_client *c, const uint8_t *value, size_t n)
{
	char text[8] = "";
	uint64_t code;

	if (n < sizeof(text))
		memcpy(text, value, n);
	c->has_status = true;
	c->status.code = parse_u64(text, 0, _RPC_CODE_MAX - 1, &code) < 0 ? RPC_UNKNOWN
									  : (enum rpc_code)code;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags, void *userdata)
{
	struct rpc_client *c = userdata;
	char text[4] = "";
	uint64_t http;

	(void)h2;
	(void)frame;
	(void)flags;
	if (c->is_done)
		return 0;
	if (field_is(name, n_name, ":status") && n_value < sizeof(text)) {
		memcpy(text, value, n_value);
		c->http = parse_u64(text, 100, 999, &http) < 0 ? 0 : (unsigned)http;
	} else if (field_is(name, n_name, "content-type")) {
		c->is_grpc = rpc_is_grpc_type((const char *)value, n_value);
	} else if (field_is(name, n_name, "grpc-status")) {
		take_code(c, value, n_value);
	} else if (field_is(name, n_name, "grpc-message")) {
		rpc_text_decode(
			c->status.text, sizeof(c->status.text), (const char *)value, n_value);
	}
	return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t size,
	void *userdata)
{
	struct rpc_client *c = userdata;
	int r;

	(void)h2;
	(void)flags;
	(void)id;
	if (c->is_done)
		return 0;
	r = rpc_frame_feed(&c->frame, data, size);
	if (r < 0) {
		rpc_frame_status(&c->frame, r, &c->status);
		finish(c);
	}
	return 0;
}

/* http2 error codes as grpc-go reads them (contracts.md 3.6). */
static enum rpc_code code_of_reset(uint32_t error)
{
	switch (error) {
	case NGHTTP2_REFUSED_STREAM:
		return RPC_UNAVAILABLE;
	case NGHTTP2_CANCEL:
		return RPC_CANCELLED;
	case NGHTTP2_FLOW_CONTROL_ERROR:
	case NGHTTP2_ENHANCE_YOUR_CALM:
		return RPC_RESOURCE_EXHAUSTED;
	case NGHTTP2_INADEQUATE_SECURITY:
		return RPC_PERMISSION_DENIED;
	default:
		return RPC_INTERNAL;
	}
}

static enum rpc_code code_of_http(unsigned http)
{
	switch (http) {
	case 400:
		return RPC_INTERNAL;
	case 401:
		return RPC_UNAUTHENTICATED;
	case 403:
		return RPC_PERMISSION_DENIED;
	case 404:
		return RPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return RPC_UNAVAILABLE;
	default:
		return RPC_UNKNOWN;
	}
}

static int on_stream_close(nghttp2_session *h2, int32_t id, uint32_t error, void *userdata)
{
	struct rpc_client *c = userdata;

	(void)h2;
	(void)id;
	if (c->is_done)
		return 0;
	if (c->has_status && c->status.code == RPC_OK && !rpc_frame_is_whole(&c->frame))
		fail(c, RPC_INTERNAL, "the server answered OK without a message");
	else if (c->has_status && c->is_grpc)
		finish(c);
	else if (c->http != 0 && (c->http != 200 || !c->is_grpc))
		fail(c, code_of_http(c->http), "the server answered with HTTP status %u, no gRPC",
			c->http);
	else if (error != 0)
		fail(c, code_of_reset(error), "the server reset the stream: %s",
			nghttp2_http2_strerror(error));
	else
		fail(c, RPC_INTERNAL, "the server closed the stream without a status");
	return 0;
}

static void on_ended(struct rpc_session *s, int reason, void *userdata)
{
	(void)s;
	fail(userdata, RPC_UNAVAILABLE, "the connection ended: %s",
		reason ? strerror(-reason) : "the server closed it");
}

/* nghttp2_data_source_read_callback */
static ssize_t on_send(nghttp2_session *h2, int32_t id, uint8_t *dst, size_t size, uint32_t *flags,
	nghttp2_data_source *source, void *userdata)
{
	struct rpc_client *c = userdata;
	size_t n = c->out.len - c->sent;

	(void)h2;
	(void)id;
	(void)source;
	if (n > size)
		n = size;
	memcpy(dst, c->out.data + c->sent, n);
	c->sent += n;
	if (c->sent == c->out.len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* ---- connecting ------------------------------------------------------------------------------ */

#define FIELD(n, v) \
	((nghttp2_nv){(uint8_t *)(n), (uint8_t *)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NONE})

static int submit(struct rpc_client *c)
{
	const nghttp2_nv fields[] = {FIELD(":method", "POST"), FIELD(":scheme", "http"),
		FIELD(":path", c->path), FIELD(":authority", "localhost"),
		FIELD("content-type", "application/grpc"), FIELD("user-agent", "berth"),
		FIELD("te", "trailers"), FIELD("grpc-timeout", c->timeout)};
	const nghttp2_data_provider provider = {{.ptr = c}, on_send};

	if (nghttp2_submit_settings(c->session.h2, NGHTTP2_FLAG_NONE, NULL, 0) < 0 ||
		nghttp2_submit_request(
			c->session.h2, NULL, fields, ELEMENTSOF(fields), &provider, NULL) < 0)
		return -ENOMEM;
	rpc_session_kick(&c->session);
	return 0;
}

static int open_session(struct rpc_client *c, int fd)
{
	struct rpc_session_options o = {.ended = on_ended, .userdata = c};
	nghttp2_session_callbacks *callbacks;
	int r;

	if (nghttp2_session_callbacks_new(&callbacks) < 0)
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	o.callbacks = callbacks;
	r = rpc_session_init(&c->session, c->loop, fd, &o);
	nghttp2_session_callbacks_del(callbacks);
	if (r < 0)
		return r;
	c->is_open = true;
	return submit(c);
}

static int connect_socket(const struct rpc_client *c)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&c->address, sizeof(c->address)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int connect_now(struct rpc_client *c)
{
	_cleanup_close_ int fd = c->fd >= 0 ? TAKE_FD(c->fd) : connect_socket(c);
	int r;

	if (fd < 0)
		return fd;
	r = open_session(c, fd);
	if (c->is_open)
		(void)TAKE_FD(fd);
	return r;
}

static void on_again(struct timer *t, void *userdata)
{
	struct rpc_client *c = userdata;
	int r = connect_now(c);

	if (r == -EAGAIN)
		timer_arm(t, CONNECT_AGAIN_NS);
	else if (r < 0)
		fail(c, RPC_UNAVAILABLE, "cannot connect to %s: %s", c->address.sun_path,
			strerror(-r));
}

static void on_deadline(struct timer *t, void *userdata)
{
	struct rpc_client *c = userdata;

	(void)t;
	fail(c, RPC_DEADLINE_EXCEEDED, "%s did not answer %s in time", c->address.sun_path,
		c->path);
}

static int set_up(struct rpc_client *c, const struct rpc_client_options *o)
{
	uint8_t prefix[RPC_PREFIX_SIZE];
	int r;

	if (o->size > RPC_MESSAGE_MAX ||
		str_copy(c->address.sun_path, sizeof(c->address.sun_path), o->socket) < 0 ||
		str_copy(c->path, sizeof(c->path), o->path) < 0)
		return -EINVAL;
	(void)rpc_timeout_format(o->timeout_ns, c->timeout);
	rpc_frame_prefix(prefix, (uint32_t)o->size);
	r = buf_append(&c->out, prefix, sizeof(prefix));
	if (r == 0 && o->size > 0)
		r = buf_append(&c->out, o->message, o->size);
	if (r == 0)
		r = timer_new_exact(&c->deadline, c->loop, on_deadline, c);
	if (r == 0)
		r = timer_new_exact(&c->again, c->loop, on_again, c);
	if (r == 0)
		r = defer_new(&c->finish, c->loop, on_finish, c);
	return r;
}

int rpc_client_call(struct rpc_client **ret, struct loop *l, const struct rpc_client_options *o,
	rpc_client_fn fn, void *userdata)
{
	_cleanup_(rpc_client_freep) struct rpc_client *c = calloc(1, sizeof(*c));
	_cleanup_close_ int fd = o->is_connected ? o->fd : -1;
	int r;

	if (!c)
		return -ENOMEM;
	c->fd = TAKE_FD(fd);
	c->loop = l;
	c->fn = fn;
	c->userdata = userdata;
	c->address.sun_family = AF_UNIX;
	c->out = BUF_NULL(RPC_MESSAGE_MAX + RPC_PREFIX_SIZE);
	c->frame = RPC_FRAME_NULL;
	r = set_up(c, o);
	if (r < 0)
		return r;
	timer_arm(c->deadline, o->timeout_ns);
	timer_arm(c->again, 0);
	*ret = TAKE_PTR(c);
	return 0;
}

struct rpc_client *rpc_client_free(struct rpc_client *c)
{
	if (!c)
		return NULL;
	if (c->is_open)
		rpc_session_done(&c->session);
	fd_close(c->fd);
	timer_free(c->deadline);
	timer_free(c->again);
	defer_free(c->finish);
	rpc_frame_done(&c->frame);
	buf_done(&c->out);
	free(c);
	return NULL;
}
