/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.c: what a handler asks of a request, and its answers: whole or streamed */
#include "http/exchange.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/str.h"
#include "http/accept.h"

/* One read of a stream; libmicrohttpd's buffer of a connection is smaller. */
#define STREAM_BLOCK 32768
/* Supplementary groups that a peer is searched for in; the kernel allows 65,536, nobody has them.
 */
#define GROUPS_MAX 1024
/* A drained queue larger than this gives its memory back. */
#define QUEUE_KEEP 65536

void exchange_free(struct http_exchange *x)
{
	list_remove(&x->item);
	io_free(x->peer_gone);
	if (x->response)
		MHD_destroy_response(x->response);
	buf_done(&x->body);
	buf_done(&x->queue);
	free(x);
}

static int connection_fd(const struct http_exchange *x)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

/* libmicrohttpd would not notice while the connection is suspended: let it look and close. */
static void on_peer_gone(struct io *io, int fd, uint32_t revents, void *userdata)
{
	struct http_exchange *x = userdata;

	(void)io;
	(void)fd;
	(void)revents;
	x->state = EXCHANGE_DROPPED;
	exchange_resume(x);
}

void exchange_suspend(struct http_exchange *x)
{
	MHD_suspend_connection(x->connection);
	x->suspended = true;
	/* Without memory for the watch only the notice of a client's leaving comes late. */
	(void)io_new(&x->peer_gone, x->server->loop, connection_fd(x), EPOLLRDHUP, on_peer_gone, x);
}

void exchange_resume(struct http_exchange *x)
{
	if (!x->suspended)
		return;
	x->peer_gone = io_free(x->peer_gone);
	x->suspended = false;
	MHD_resume_connection(x->connection);
	defer_arm(x->server->defer);
}

const char *http_method(const struct http_exchange *x)
{
	return x->method;
}

const char *http_path(const struct http_exchange *x)
{
	return x->path;
}

const char *http_query(const struct http_exchange *x, const char *key)
{
	const char *value = NULL;

	if (MHD_lookup_connection_value_n(x->connection, MHD_GET_ARGUMENT_KIND, key, strlen(key),
		    &value, NULL) != MHD_YES)
		return NULL;
	return str_or(value, "");
}

const char *http_header(const struct http_exchange *x, const char *key)
{
	return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, key);
}

const char *http_body(const struct http_exchange *x, size_t *ret_size)
{
	if (ret_size)
		*ret_size = x->body.len;
	return str_or(x->body.data, "");
}

int http_peer(const struct http_exchange *x, struct http_peer *ret)
{
	return accept_peer(connection_fd(x), ret);
}

bool http_peer_in_group(const struct http_exchange *x, gid_t gid)
{
	struct http_peer peer;
	gid_t groups[GROUPS_MAX];
	socklen_t size = sizeof(groups);

	if (http_peer(x, &peer) < 0)
		return false;
	if (peer.gid == gid)
		return true;
	if (getsockopt(connection_fd(x), SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof(gid_t); i++)
		if (groups[i] == gid)
			return true;
	return false;
}

void http_set_userdata(struct http_exchange *x, void *userdata)
{
	x->userdata = userdata;
}

void *http_userdata(const struct http_exchange *x)
{
	return x->userdata;
}

static void add_header(struct MHD_Response *r, const char *line, size_t size)
{
	char text[256], *value;

	if (size >= sizeof(text))
		return;
	memcpy(text, line, size);
	text[size] = '\0';
	value = strstr(text, ": ");
	if (!value)
		return;
	*value = '\0';
	(void)MHD_add_response_header(r, text, value + 2);
}

static void add_headers(struct MHD_Response *r, const char *lines)
{
	while (lines && *lines) {
		size_t size = strcspn(lines, "\n");

		add_header(r, lines, size);
		lines += size;
		lines += *lines == '\n';
	}
}

/* Hands response (consumed, NULL where there was no memory for it) over. */
static void answer(struct http_exchange *x, unsigned status, struct MHD_Response *response,
	const char *content_type, const char *extra)
{
	x->response = response;
	x->status = status;
	x->state = response ? EXCHANGE_ANSWERED : EXCHANGE_DROPPED;
	if (response && content_type)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	if (response)
		add_headers(response, extra);
	exchange_resume(x);
}

void http_reply(struct http_exchange *x, unsigned status, const char *content_type,
	const void *body, size_t size, const char *extra)
{
	x->finished = true;
	answer(x, status,
		MHD_create_response_from_buffer(size, (void *)body, MHD_RESPMEM_MUST_COPY),
		content_type, extra);
}

void http_reply_take(struct http_exchange *x, unsigned status, const char *content_type, char *body,
	size_t size, const char *extra)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE);

	if (!r)
		free(body);
	x->finished = true;
	answer(x, status, r, content_type, extra);
}

void http_reply_text(struct http_exchange *x, unsigned status, const char *text)
{
	http_reply(x, status, "text/plain; charset=utf-8", text, strlen(text), NULL);
}

void http_reply_json(struct http_exchange *x, unsigned status, const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

	if (!text) {
		http_abort(x);
		return;
	}
	http_reply_take(x, status, "application/json", text, strlen(text), NULL);
}

static void queue_compact(struct http_exchange *x)
{
	if (x->sent == x->queue.len) {
		buf_reset(&x->queue);
		if (x->queue.cap > QUEUE_KEEP)
			buf_shrink(&x->queue);
	} else if (x->sent >= x->queue.len / 2) {
		buf_consume(&x->queue, x->sent);
	} else {
		return;
	}
	x->sent = 0;
}

/* Called by libmicrohttpd for the next bytes of a stream. */
static ssize_t on_read(void *userdata, uint64_t position, char *dst, size_t max)
{
	struct http_exchange *x = userdata;
	size_t n = x->queue.len - x->sent;

	(void)position;
	if (x->state == EXCHANGE_DROPPED)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (n == 0 && x->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {
		exchange_suspend(x);
		return 0;
	}
	if (n > max)
		n = max;
	memcpy(dst, x->queue.data + x->sent, n);
	x->sent += n;
	queue_compact(x);
	return (ssize_t)n;
}

void http_stream(struct http_exchange *x, unsigned status, const char *content_type, size_t limit)
{
	x->streaming = true;
	x->limit = limit;
	x->queue = BUF_NULL(SIZE_MAX / 2);
	answer(x, status,
		MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, on_read, x, NULL),
		content_type, NULL);
}

int http_stream_write(struct http_exchange *x, const void *data, size_t size)
{
	int r;

	if (size > x->limit - (x->queue.len - x->sent))
		return -ENOBUFS;
	r = buf_append(&x->queue, data, size);
	if (r < 0)
		return r;
	/* Before libmicrohttpd took the response over it has not suspended for lack of bytes. */
	if (x->state == EXCHANGE_SENDING)
		exchange_resume(x);
	return 0;
}

void http_stream_end(struct http_exchange *x)
{
	x->ended = true;
	x->finished = true;
	exchange_resume(x);
}

void http_abort(struct http_exchange *x)
{
	x->finished = true;
	x->state = EXCHANGE_DROPPED;
	exchange_resume(x);
}

/* libmicrohttpd ends a connection with an orderly shutdown before it closes: connecting a TCP
 * socket to nowhere (connect(2), AF_UNSPEC) resets it at once. */
void http_abort_reset(struct http_exchange *x)
{
	struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

	(void)connect(connection_fd(x), &nowhere, sizeof(nowhere));
	http_abort(x);
}
