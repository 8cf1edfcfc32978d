/* SPDX-License-Identifier: Apache-2.0 */
/* test_rpc_server.c: calls over raw HTTP/2 bytes: answers, refusals, deadlines, cancels, ends */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tests/unit/fault.h"
#include "tests/unit/rpc_peer.h"

static int setup(void **state)
{
	struct rpc_world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	rpc_world_init(w);
	rpc_world_connect(w, &w->peer);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	rpc_world_done(*state);
	free(*state);
	return 0;
}

static bool ended(struct rpc_world *w)
{
	return w->peer.streams[0].ended || w->peer.streams[0].reset >= 0;
}

static bool closed(struct rpc_world *w)
{
	return w->peer.closed;
}

static bool held(struct rpc_world *w)
{
	return w->n_held > 0;
}

static bool cancelled(struct rpc_world *w)
{
	return w->cancelled > 0;
}

static bool greeted(struct rpc_world *w)
{
	return w->peer.settings > 0;
}

/* One call with what grpc-go sends; its stream. */
static struct peer_stream *call(
	struct rpc_world *w, const char *path, const char *timeout, const char *text)
{
	struct buf b = BUF_NULL(1U << 20);

	put_preface(&b);
	put_call(&b, 1, path, timeout, text);
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	assert_true(rpc_world_run(w, ended));
	return peer_stream(&w->peer, 1);
}

/* grpc-go waits for the server's SETTINGS before it says anything. */
static void settings_come_unasked(void **state)
{
	assert_true(rpc_world_run(*state, greeted));
}

static void answers_a_call(void **state)
{
	struct rpc_world *w = *state;
	struct peer_stream *s = call(w, "/t.T/Echo", "120000m", "hello");

	assert_int_equal(s->http, 200);
	assert_int_equal(s->code, 0);
	assert_int_equal(s->headers, 2);
	assert_int_equal(s->data.len, 10);
	assert_memory_equal(s->data.data, "\0\0\0\0\5hello", 10);
	assert_true(s->ended);
	assert_int_equal(s->reset, -1);
	assert_int_equal(w->last_uid, getuid());
	assert_true(w->last_deadline > clock_now() + SECONDS(100));
	assert_int_equal(w->observed, 1);
	assert_int_equal(w->last_code, RPC_OK);
}

static void an_empty_message_is_five_bytes(void **state)
{
	struct peer_stream *s = call(*state, "/t.T/Echo", NULL, "");

	assert_int_equal(s->code, 0);
	assert_int_equal(s->data.len, 5);
	assert_memory_equal(s->data.data, "\0\0\0\0\0", 5);
}

static void an_error_is_trailers_only(void **state)
{
	struct peer_stream *s = call(*state, "/t.T/Fail", NULL, "no such dir: \"\xc3\xa4\n\" 100%");

	assert_int_equal(s->headers, 1);
	assert_int_equal(s->data.len, 0);
	assert_int_equal(s->http, 200);
	assert_int_equal(s->code, RPC_ABORTED);
	assert_string_equal(s->text, "no such dir: \"%C3%A4%0A\" 100%25");
}

/* Every byte in a write of its own. */
static void a_request_may_be_cut_anywhere(void **state)
{
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);

	put_preface(&b);
	put_call(&b, 1, "/t.T/Echo", "1S", "cut");
	for (size_t i = 0; i < b.len; i++) {
		struct buf one = {.data = b.data + i, .len = 1};

		assert_int_equal(peer_send(&w->peer, &one), 0);
		rpc_world_turns(w, 0);
	}
	buf_done(&b);
	assert_true(rpc_world_run(w, ended));
	assert_int_equal(peer_stream(&w->peer, 1)->data.len, 8);
}

/* The message over DATA frames of one byte, empty and padded ones between. */
static void a_message_may_be_cut_into_frames(void **state)
{
	static const char message[] = "\0\0\0\0\4abcd";
	static const char padded[] = "\3\0\0\0";
	const char *const fields[] = {":method", "POST", ":scheme", "http", ":path", "/t.T/Echo",
		"content-type", "application/grpc+proto", NULL};
	const char *const trailers[] = {"x-trailer", "1", NULL};
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);

	put_preface(&b);
	put_headers(&b, 1, 0, fields);
	for (size_t i = 0; i < 9; i++) {
		put_frame(&b, NGHTTP2_DATA, 0, 1, message + i, 1);
		put_frame(&b, NGHTTP2_DATA, 0, 1, NULL, 0);
		put_frame(&b, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, padded, 4);
	}
	put_headers(&b, 1, NGHTTP2_FLAG_END_STREAM, trailers);
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	assert_true(rpc_world_run(w, ended));
	assert_int_equal(peer_stream(&w->peer, 1)->code, 0);
	assert_memory_equal(peer_stream(&w->peer, 1)->data.data, message, 9);
}

/* Kubelets before 1.29 send the socket's path as it is; nghttp2 itself would reset the stream. */
static void a_raw_authority_is_taken(void **state)
{
	const char *const fields[] = {":method", "POST", ":scheme", "http", ":path", "/t.T/Echo",
		":authority", "/var/lib/kubelet/plugins_registry/nfs.berth.dev-reg.sock",
		"content-type", "application/grpc", "te", "trailers", NULL};
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);

	put_preface(&b);
	put_headers(&b, 1, 0, fields);
	put_message(&b, 1, NGHTTP2_FLAG_END_STREAM, "x", 1);
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	assert_true(rpc_world_run(w, ended));
	assert_int_equal(peer_stream(&w->peer, 1)->code, 0);
}

struct refusal {
	const char *what;
	const char *method, *path, *type, *extra, *value;
	const char *bytes; /* of DATA */
	size_t n;
	unsigned http;
	int code;
	const char *text;
};

#define GRPC "application/grpc"
#define EMPTY "\0\0\0\0\0", 5
static const struct refusal refusals[] = {
	{"unknown service", "POST", "/csi.v1.Foo/Bar", GRPC, NULL, NULL, EMPTY, 200, 12,
		"unknown service csi.v1.Foo"},
	{"unknown method", "POST", "/t.T/Nothing", GRPC, NULL, NULL, EMPTY, 200, 12,
		"unknown method Nothing for service t.T"},
	{"no path", "POST", "*", GRPC, NULL, NULL, EMPTY, 200, 12, "malformed method name: \"*\""},
	{"GET", "GET", "/t.T/Echo", GRPC, NULL, NULL, EMPTY, 405, 13, NULL},
	{"wrong type", "POST", "/t.T/Echo", "application/json", NULL, NULL, EMPTY, 415, 3, NULL},
	{"nearly the type", "POST", "/t.T/Echo", "application/grpcx", NULL, NULL, EMPTY, 415, 3,
		NULL},
	{"compressed", "POST", "/t.T/Echo", GRPC, "grpc-encoding", "gzip", EMPTY, 200, 12, NULL},
	{"flag 1", "POST", "/t.T/Echo", GRPC, NULL, NULL, "\1\0\0\0\0", 5, 200, 13, NULL},
	{"no message", "POST", "/t.T/Echo", GRPC, NULL, NULL, "", 0, 200, 13, NULL},
	{"half a prefix", "POST", "/t.T/Echo", GRPC, NULL, NULL, "\0\0", 2, 200, 13, NULL},
	{"half a message", "POST", "/t.T/Echo", GRPC, NULL, NULL, "\0\0\0\0\3ab", 7, 200, 13, NULL},
	{"two messages", "POST", "/t.T/Echo", GRPC, NULL, NULL, "\0\0\0\0\0\0\0\0\0\0", 10, 200, 13,
		NULL},
	{"4 GiB", "POST", "/t.T/Echo", GRPC, NULL, NULL, "\0\xff\xff\xff\xff", 5, 200, 8,
		"grpc: received message larger than max (4294967295 vs. 4194304)"},
	{"no time", "POST", "/t.T/Echo", GRPC, "grpc-timeout", "0n", EMPTY, 200, 4, NULL},
	{"no unit", "POST", "/t.T/Echo", GRPC, "grpc-timeout", "10", EMPTY, 400, 13, NULL},
	{"nine digits", "POST", "/t.T/Echo", GRPC, "grpc-timeout", "123456789S", EMPTY, 400, 13,
		NULL},
	{"negative", "POST", "/t.T/Echo", GRPC, "grpc-timeout", "-1S", EMPTY, 400, 13, NULL},
};

static void refuses_what_is_no_call(void **state)
{
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);

	put_preface(&b);
	for (size_t i = 0; i < ELEMENTSOF(refusals); i++) {
		const struct refusal *r = &refusals[i];
		const char *const fields[] = {":method", r->method, ":scheme", "http", ":path",
			r->path, "content-type", r->type, r->extra, r->value, NULL};

		put_headers(&b, (uint32_t)(2 * i + 1), 0, fields);
		put_frame(&b, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, (uint32_t)(2 * i + 1),
			r->bytes, r->n);
	}
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	rpc_world_turns(w, 20);
	for (size_t i = 0; i < ELEMENTSOF(refusals); i++) {
		struct peer_stream *s = &w->peer.streams[i];

		if (!s->ended || s->code != refusals[i].code || s->http != refusals[i].http)
			fail_msg("%s: status %d, HTTP %u, \"%s\"", refusals[i].what, s->code,
				s->http, s->text);
		if (refusals[i].text)
			assert_string_equal(s->text, refusals[i].text);
		assert_int_equal(s->headers, 1);
	}
	assert_int_equal(w->started, 0);
	assert_int_equal(w->observed, ELEMENTSOF(refusals));
}

/* What HTTP/2 itself forbids: the stream is reset, the connection lives. */
static void resets_what_is_malformed(void **state)
{
	static const char *const cases[][14] = {
		{":method", "POST", ":scheme", "http", "content-type", GRPC, NULL}, /* no path */
		{":method", "POST", ":method", "POST", ":scheme", "http", ":path", "/t.T/Echo",
			"content-type", GRPC, NULL},
		{":method", "POST", ":scheme", "http", "content-type", GRPC, ":path", "/t.T/Echo",
			NULL},
		{":method", "POST", ":scheme", "http", ":path", "/t.T/Echo", "Content-Type", GRPC,
			NULL},
		{":method", "POST", ":scheme", "http", ":path", "/t.T/Echo", ":other", "x", NULL},
		{":method", "POST", ":scheme", "http", ":path", "/t.T/Echo", "content-type", GRPC,
			"connection", "close", NULL},
		{":method", "POST", ":scheme", "http", ":path", "/t.T/Echo", "content-type", GRPC,
			"x", "a\nb", NULL},
	};
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);
	uint32_t last = 2 * ELEMENTSOF(cases) + 1;

	put_preface(&b);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		put_headers(&b, (uint32_t)(2 * i + 1), 0, cases[i]);
		put_message(&b, (uint32_t)(2 * i + 1), NGHTTP2_FLAG_END_STREAM, "", 0);
	}
	put_call(&b, last, "/t.T/Echo", NULL, "alive");
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	rpc_world_turns(w, 20);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_int_equal(w->peer.streams[i].reset, NGHTTP2_PROTOCOL_ERROR);
	assert_int_equal(peer_stream(&w->peer, last)->code, 0);
	assert_int_equal(w->started, 1);
}

static uint64_t wanted;

static bool credited(struct rpc_world *w)
{
	return w->peer.credit[0] >= wanted && w->peer.credit[1] >= wanted;
}

static void a_large_message_comes_and_goes(void **state)
{
	struct rpc_world *w = *state;
	const char *const fields[] = {":method", "POST", ":scheme", "http", ":path", "/t.T/Echo",
		"content-type", GRPC, NULL};
	static char chunk[16384];
	struct buf b = BUF_NULL(1U << 20);
	const uint8_t window[4] = {0x10, 0, 0, 0};

	put_preface(&b);
	put_frame(&b, NGHTTP2_WINDOW_UPDATE, 0, 0, window, 4);
	put_headers(&b, 1, 0, fields);
	put_frame(&b, NGHTTP2_WINDOW_UPDATE, 0, 1, window, 4);
	put_frame(&b, NGHTTP2_DATA, 0, 1, "\0\0\x10\0\0", 5); /* 1 MiB */
	wanted = 5;
	for (int i = 0; i < 64; i++) {
		put_frame(&b, NGHTTP2_DATA, i == 63 ? NGHTTP2_FLAG_END_STREAM : 0, 1, chunk,
			sizeof(chunk));
		wanted += sizeof(chunk);
		assert_true(rpc_world_run(w, credited));
		assert_int_equal(peer_send(&w->peer, &b), 0);
		buf_reset(&b);
	}
	buf_done(&b);
	assert_true(rpc_world_run(w, ended));
	assert_int_equal(peer_stream(&w->peer, 1)->code, 0);
	assert_int_equal(peer_stream(&w->peer, 1)->data.len, (1U << 20) + 5);
}

static void an_early_refusal_stops_the_request(void **state)
{
	const char *const fields[] = {":method", "POST", ":scheme", "http", ":path", "/t.T/None",
		"content-type", GRPC, NULL};
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);

	put_preface(&b);
	put_headers(&b, 1, 0, fields);
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	rpc_world_turns(w, 20);
	assert_true(peer_stream(&w->peer, 1)->ended);
	assert_int_equal(peer_stream(&w->peer, 1)->code, RPC_UNIMPLEMENTED);
	assert_int_equal(peer_stream(&w->peer, 1)->reset, NGHTTP2_NO_ERROR);
}

static void a_deadline_answers_for_the_handler(void **state)
{
	struct rpc_world *w = *state;
	struct peer_stream *s = call(w, "/t.T/Hold", "500m", "");
	struct rpc_server_counts counts;

	assert_int_equal(s->code, RPC_DEADLINE_EXCEEDED);
	assert_true(rpc_world_run(w, cancelled));
	rpc_server_counts(w->server, &counts);
	assert_int_equal(counts.calls, 1);
	rpc_answer(TAKE_PTR(w->held[0]), "late", 4);
	rpc_world_turns(w, 5);
	rpc_server_counts(w->server, &counts);
	assert_int_equal(counts.calls, 0);
	assert_int_equal(counts.connections, 1);
	assert_int_equal(w->observed, 1);
	assert_int_equal(s->headers, 1);
}

static void hold(struct rpc_world *w)
{
	struct buf b = BUF_NULL(1U << 20);

	put_preface(&b);
	put_call(&b, 1, "/t.T/Hold", "120S", "");
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	assert_true(rpc_world_run(w, held));
	assert_false(rpc_call_cancelled(w->held[0]));
}

static void an_answer_may_come_later(void **state)
{
	struct rpc_world *w = *state;

	hold(w);
	rpc_answer(TAKE_PTR(w->held[0]), "later", 5);
	assert_true(rpc_world_run(w, ended));
	assert_int_equal(peer_stream(&w->peer, 1)->code, 0);
	assert_int_equal(w->cancelled, 0);
}

static void a_reset_cancels(void **state)
{
	static const uint8_t code[4] = {0, 0, 0, NGHTTP2_CANCEL};
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1000);

	hold(w);
	put_frame(&b, NGHTTP2_RST_STREAM, 0, 1, code, 4);
	put_call(&b, 3, "/t.T/Echo", NULL, "next");
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	assert_true(rpc_world_run(w, cancelled));
	rpc_fail(TAKE_PTR(w->held[0]), RPC_ABORTED, "nobody hears it");
	rpc_world_turns(w, 5);
	assert_int_equal(peer_stream(&w->peer, 1)->headers, 0);
	assert_int_equal(peer_stream(&w->peer, 3)->code, 0);
}

static void a_close_cancels(void **state)
{
	struct rpc_world *w = *state;

	hold(w);
	peer_done(&w->peer);
	assert_true(rpc_world_run(w, cancelled));
	rpc_answer(TAKE_PTR(w->held[0]), "x", 1);
}

static void the_end_of_the_server_cancels(void **state)
{
	struct rpc_world *w = *state;

	hold(w);
	w->server = rpc_server_free(w->server);
	assert_int_equal(w->cancelled, 1);
	rpc_answer(TAKE_PTR(w->held[0]), "x", 1);
}

static void an_answer_outlives_the_server(void **state)
{
	struct rpc_world *w = *state;

	hold(w);
	rpc_answer(TAKE_PTR(w->held[0]), "last", 4);
	w->server = rpc_server_free(w->server);
	assert_true(rpc_world_run(w, closed));
	assert_true(w->peer.streams[0].ended);
	assert_int_equal(peer_stream(&w->peer, 1)->code, 0);
}

static void a_handler_may_free_the_server(void **state)
{
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);

	put_preface(&b);
	put_call(&b, 1, "/t.T/Free", NULL, "");
	put_call(&b, 3, "/t.T/Echo", NULL, "");
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	assert_true(rpc_world_run(w, closed));
	assert_int_equal(w->started, 1);
}

static void too_large_an_answer_is_an_error(void **state)
{
	struct rpc_world *w = *state;
	char *big = calloc(1, (4U << 20) + 1);

	assert_non_null(big);
	hold(w);
	rpc_answer(TAKE_PTR(w->held[0]), big, (4U << 20) + 1);
	free(big);
	assert_true(rpc_world_run(w, ended));
	assert_int_equal(peer_stream(&w->peer, 1)->code, RPC_INTERNAL);
}

static void on_drained(struct rpc_server *s, void *userdata)
{
	struct rpc_world *w = userdata;

	assert_ptr_equal(s, w->server);
	w->drained++;
	w->server = rpc_server_free(s);
}

static bool drained(struct rpc_world *w)
{
	return w->drained > 0 && w->peer.closed;
}

static void draining_lets_calls_end(void **state)
{
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1000);

	hold(w);
	rpc_server_drain(w->server, SECONDS(3600), on_drained);
	rpc_world_turns(w, 10);
	assert_int_equal(w->peer.goaway, NGHTTP2_NO_ERROR);
	assert_int_equal(w->peer.last_id, 1);
	/* What comes after the GOAWAY is not ours: the client asks another. */
	put_call(&b, 3, "/t.T/Echo", NULL, "");
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	rpc_world_turns(w, 10);
	assert_int_equal(w->started, 1);
	assert_int_equal(w->drained, 0);
	rpc_answer(TAKE_PTR(w->held[0]), "done", 4);
	assert_true(rpc_world_run(w, drained));
	assert_int_equal(peer_stream(&w->peer, 1)->code, 0);
	assert_int_equal(w->cancelled, 0);
}

static void draining_ends_in_time(void **state)
{
	struct rpc_world *w = *state;

	hold(w);
	rpc_server_drain(w->server, MILLISECONDS(20), on_drained);
	assert_true(rpc_world_run(w, drained));
	assert_int_equal(w->cancelled, 1);
}

/* Memory runs out anywhere: the call ends somehow, nothing leaks, the next connection works. */
static void memory_faults(void **state)
{
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);
	char got[512];
	int pair[2];

	peer_done(&w->peer);
	put_preface(&b);
	put_call(&b, 1, "/t.T/Echo", "10S", "hello");
	FAULT_LOOP
	{
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		if (rpc_server_adopt(w->server, pair[0]) == 0) {
			(void)send(pair[1], b.data, b.len, MSG_NOSIGNAL);
			rpc_world_turns(w, 2);
			while (recv(pair[1], got, sizeof(got), 0) > 0)
				;
		}
		close(pair[1]);
		rpc_world_turns(w, 1);
	}
	buf_done(&b);
	assert_true(w->started > 0);
	rpc_world_connect(w, &w->peer);
	assert_int_equal(call(w, "/t.T/Echo", NULL, "still here")->code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(settings_come_unasked, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_a_call, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_message_is_five_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(an_error_is_trailers_only, setup, teardown),
		cmocka_unit_test_setup_teardown(a_request_may_be_cut_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(a_message_may_be_cut_into_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(a_raw_authority_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_what_is_no_call, setup, teardown),
		cmocka_unit_test_setup_teardown(resets_what_is_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_large_message_comes_and_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_early_refusal_stops_the_request, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_deadline_answers_for_the_handler, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_may_come_later, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reset_cancels, setup, teardown),
		cmocka_unit_test_setup_teardown(a_close_cancels, setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_of_the_server_cancels, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_outlives_the_server, setup, teardown),
		cmocka_unit_test_setup_teardown(a_handler_may_free_the_server, setup, teardown),
		cmocka_unit_test_setup_teardown(too_large_an_answer_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(draining_lets_calls_end, setup, teardown),
		cmocka_unit_test_setup_teardown(draining_ends_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_faults, setup, teardown),
	};

	return cmocka_run_group_tests_name("rpc server", tests, NULL, NULL);
}
