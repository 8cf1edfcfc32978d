/* SPDX-License-Identifier: Apache-2.0 */
/* test_rpc_limits.c: floods, resets, slow and silent peers, too much of everything; others are
 * served on */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "rpc/connection.h"
#include "tests/unit/rpc_peer.h"

static struct peer other; /* a well-behaved one beside the bad one */

static int setup(void **state)
{
	struct rpc_world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	log_set_level(LOG_LEVEL_ERROR);
	rpc_world_init(w);
	rpc_world_connect(w, &w->peer);
	other.inflater = NULL;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	peer_done(&other);
	rpc_world_done(*state);
	free(*state);
	return 0;
}

static bool closed(struct rpc_world *w)
{
	return w->peer.closed;
}

static bool ended(struct rpc_world *w)
{
	return w->peer.streams[0].ended;
}

static bool other_ended(struct rpc_world *w)
{
	(void)w;
	return other.streams[0].ended || other.closed;
}

/* The server is as good as before for everybody else. */
static void others_are_served(struct rpc_world *w)
{
	struct buf b = BUF_NULL(1000);

	rpc_world_connect(w, &other);
	put_preface(&b);
	put_call(&b, 1, "/t.T/Echo", "10S", "me");
	assert_int_equal(peer_send(&other, &b), 0);
	buf_done(&b);
	assert_true(rpc_world_run(w, other_ended));
	assert_int_equal(other.streams[0].code, 0);
	peer_done(&other);
}

static struct rpc_server_counts counts_of(struct rpc_world *w)
{
	struct rpc_server_counts c;

	rpc_server_counts(w->server, &c);
	return c;
}

/* Sends b until the server closes, at most times of it. */
static void flood(struct rpc_world *w, const struct buf *b, unsigned times)
{
	for (unsigned i = 0; i < times && !w->peer.closed; i++) {
		int r = peer_send(&w->peer, b);

		if (r < 0 && r != -EAGAIN)
			break;
		rpc_world_turns(w, 0);
	}
	assert_true(rpc_world_run(w, closed));
	assert_int_equal(counts_of(w).connections, 0);
	others_are_served(w);
}

static void greet(struct rpc_world *w)
{
	struct buf b = BUF_NULL(100);

	put_preface(&b);
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
}

static const char *const HEAD[] = {":method", "POST", ":scheme", "http", ":path", "/t.T/Hold",
	"content-type", "application/grpc", NULL};

/* CVE-2023-44487 */
static void rapid_reset(void **state)
{
	static const uint8_t cancel[4] = {0, 0, 0, NGHTTP2_CANCEL};
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);

	greet(w);
	for (uint32_t id = 1; id < 2 * RESETS_BURST - 100; id += 2) {
		put_headers(&b, id, 0, HEAD);
		put_message(&b, id, NGHTTP2_FLAG_END_STREAM, "", 0);
		put_frame(&b, NGHTTP2_RST_STREAM, 0, id, cancel, 4);
	}
	assert_int_equal(peer_send(&w->peer, &b), 0);
	rpc_world_turns(w, 20);
	/* Not yet too many, and no handler ran for what was cancelled in the same breath. */
	assert_false(w->peer.closed);
	assert_true(w->started < RESETS_BURST / 2);
	buf_reset(&b);
	for (uint32_t id = 2 * RESETS_BURST + 1; id < 8 * RESETS_BURST; id += 2) {
		put_headers(&b, id, NGHTTP2_FLAG_END_STREAM, HEAD);
		put_frame(&b, NGHTTP2_RST_STREAM, 0, id, cancel, 4);
	}
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	assert_true(rpc_world_run(w, closed));
	assert_int_equal(w->peer.goaway, NGHTTP2_ENHANCE_YOUR_CALM);
	assert_int_equal(counts_of(w).closed_for_abuse, 1);
	others_are_served(w);
}

/* CVE-2025-8671: frames that make the server reset, so that the peer's own count stays low. */
static void made_you_reset(void **state)
{
	static const uint8_t most[4] = {0x7f, 0xff, 0xff, 0xff};
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);

	greet(w);
	for (uint32_t id = 1; id < 2 * PEER_STREAMS; id += 2) {
		put_headers(&b, id, 0, HEAD);
		put_message(&b, id, 0, "", 0);
		put_frame(&b, NGHTTP2_WINDOW_UPDATE, 0, id, most, 4);
	}
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	assert_true(rpc_world_run(w, closed));
	assert_int_equal(counts_of(w).closed_for_abuse, 1);
	others_are_served(w);
}

static void frames_without_a_call(void **state, uint8_t type, uint32_t id, size_t size)
{
	static const uint8_t zeroes[64];
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);

	greet(w);
	put_headers(&b, 1, 0, HEAD);
	assert_int_equal(peer_send(&w->peer, &b), 0);
	rpc_world_turns(w, 1);
	buf_reset(&b);
	for (int i = 0; i < 1000; i++)
		put_frame(&b, type, 0, id, zeroes, size);
	flood(w, &b, 20 * FRAMES_BURST / 1000);
	assert_int_equal(counts_of(w).closed_for_abuse, 1);
	buf_done(&b);
}

static void ping_flood(void **state)
{
	frames_without_a_call(state, NGHTTP2_PING, 0, 8);
}

static void settings_flood(void **state)
{
	frames_without_a_call(state, NGHTTP2_SETTINGS, 0, 0);
}

static void empty_data_flood(void **state)
{
	frames_without_a_call(state, NGHTTP2_DATA, 1, 0);
}

static void priority_flood(void **state)
{
	frames_without_a_call(state, NGHTTP2_PRIORITY, 3, 5);
}

/* Frames that nghttp2 itself drops unseen keep no idle connection alive. */
static void unknown_frames_are_not_life(void **state)
{
	static const uint8_t zeroes[9];
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1000);

	w->server->times.idle = MILLISECONDS(20);
	greet(w);
	put_frame(&b, 0xee, 0, 0, zeroes, sizeof(zeroes));
	flood(w, &b, 1000000);
	buf_done(&b);
}

/* CVE-2024-28182: a header block that never ends. */
static void continuation_flood(void **state)
{
	static const uint8_t field[] = "\0\1x\1y";
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);

	greet(w);
	put_frame(&b, NGHTTP2_HEADERS, 0, 1, field, 5);
	for (int i = 0; i < 1000; i++)
		put_frame(&b, NGHTTP2_CONTINUATION, 0, 1, field, 5);
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_consume(&b, 14);
	flood(w, &b, 20 * FRAMES_BURST / 1000);
	assert_int_equal(counts_of(w).closed_for_abuse, 1);
	buf_done(&b);
}

/* Its beginning, and then nothing more. */
static void headers_that_never_end(void **state)
{
	static const uint8_t field[] = "\0\1x\1y";
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1000);

	w->server->times.request = MILLISECONDS(20);
	w->server->times.idle = MILLISECONDS(20);
	w->server->times.closing = MILLISECONDS(20);
	greet(w);
	put_frame(&b, NGHTTP2_HEADERS, 0, 1, field, 5);
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	assert_true(rpc_world_run(w, closed));
	assert_int_equal(counts_of(w).connections, 0);
	others_are_served(w);
}

/* HPACK: one byte on the wire for a field of kilobytes. */
static void a_header_bomb(void **state)
{
	static char value[3800], refs[3000];
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20), block = BUF_NULL(1U << 20);
	const uint8_t head[] = {0x40, 1, 'x', 0x7f, (3800 - 127) % 128 + 128, (3800 - 127) / 128};

	memset(value, 'v', sizeof(value));
	memset(refs, 0x80 | 62, sizeof(refs)); /* the first entry of the dynamic table */
	assert_int_equal(buf_append(&block, head, sizeof(head)), 0);
	assert_int_equal(buf_append(&block, value, sizeof(value)), 0);
	assert_int_equal(buf_append(&block, refs, sizeof(refs)), 0);
	greet(w);
	put_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block.data, block.len);
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	buf_done(&block);
	assert_true(rpc_world_run(w, closed));
	assert_int_equal(counts_of(w).closed_for_abuse, 1);
	others_are_served(w);
}

static void long_headers_are_refused(void **state)
{
	static char value[RPC_HEAD_MAX - 200];
	struct rpc_world *w = *state;
	const char *const fields[] = {":method", "POST", ":scheme", "http", ":path", "/t.T/Echo",
		"content-type", "application/grpc", "x", value, "y", "some more bytes, too many",
		NULL};
	struct buf b = BUF_NULL(1U << 20);

	memset(value, 'v', sizeof(value) - 1);
	greet(w);
	put_headers(&b, 1, 0, fields);
	put_message(&b, 1, NGHTTP2_FLAG_END_STREAM, "", 0);
	value[100] = '\0';
	put_headers(&b, 3, 0, fields);
	put_message(&b, 3, NGHTTP2_FLAG_END_STREAM, "", 0);
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	rpc_world_turns(w, 20);
	assert_int_equal(peer_stream(&w->peer, 1)->code, RPC_RESOURCE_EXHAUSTED);
	assert_int_equal(peer_stream(&w->peer, 3)->code, 0);
}

/* 100 at once are served, one more is refused, and the client may try it again. */
static void streams_have_a_limit(void **state)
{
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);

	greet(w);
	put_frame(&b, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
	for (uint32_t id = 1; id <= 2 * STREAMS_MAX + 1; id += 2)
		put_call(&b, id, "/t.T/Hold", "60S", "");
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	rpc_world_turns(w, 50);
	/* Beyond what was acknowledged, nghttp2 closes; before, it refuses the stream. */
	assert_true(w->n_held == STREAMS_MAX || w->peer.closed);
	assert_true(w->n_held <= STREAMS_MAX);
	others_are_served(w);
}

/* The peer takes no byte of its answer. */
static void a_window_of_zero(void **state)
{
	static const uint8_t settings[6] = {0, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0, 0, 0, 0};
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);

	w->server->times.sending = MILLISECONDS(50);
	greet(w);
	put_frame(&b, NGHTTP2_SETTINGS, 0, 0, settings, 6);
	put_call(&b, 1, "/t.T/Echo", "10S", "never seen");
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	assert_true(rpc_world_run(w, closed));
	assert_int_equal(w->started, 1);
	assert_int_equal(peer_stream(&w->peer, 1)->data.len, 0);
	others_are_served(w);
}

/* The peer reads nothing at all, and sends what wants answers. */
static void a_deaf_peer(void **state)
{
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);
	char *text = malloc(4001);
	int r = 0;

	assert_non_null(text);
	memset(text, 'x', 4000);
	text[4000] = '\0';
	w->server->times.sending = MILLISECONDS(50);
	io_set_events(w->peer.io, 0);
	greet(w);
	for (uint32_t id = 1; id < 2 * PEER_STREAMS && r == 0; id += 2) {
		put_call(&b, id, "/t.T/Fail", "10S", text);
		r = peer_send(&w->peer, &b);
		buf_reset(&b);
		rpc_world_turns(w, 0);
	}
	free(text);
	buf_done(&b);
	assert_true(w->peer.in.len == 0);
	rpc_world_turns(w, 200);
	others_are_served(w);
	io_set_events(w->peer.io, EPOLLIN);
	rpc_world_turns(w, 20);
}

static void a_silent_peer(void **state)
{
	struct rpc_world *w = *state;

	peer_done(&w->peer);
	w->server->times.greeting = MILLISECONDS(20);
	rpc_world_connect(w, &w->peer);
	assert_true(rpc_world_run(w, closed));
	assert_int_equal(w->peer.settings, 1);
	assert_int_equal(counts_of(w).connections, 0);
}

static void an_idle_peer(void **state)
{
	struct rpc_world *w = *state;

	w->server->times.idle = MILLISECONDS(20);
	greet(w);
	assert_true(rpc_world_run(w, closed));
	assert_int_equal(w->peer.goaway, NGHTTP2_NO_ERROR);
}

static void a_request_that_never_ends(void **state)
{
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1000);

	w->server->times.request = MILLISECONDS(20);
	greet(w);
	put_headers(&b, 1, 0, HEAD);
	put_frame(&b, NGHTTP2_DATA, 0, 1, "\0\0\0\1\0half", 9);
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	assert_true(rpc_world_run(w, ended));
	assert_int_equal(peer_stream(&w->peer, 1)->code, RPC_DEADLINE_EXCEEDED);
	assert_int_equal(w->server->incoming, 0);
}

static void memory_is_shared(void **state)
{
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1U << 20);

	greet(w);
	w->server->incoming = INCOMING_MAX - 10;
	w->server->counts.calls = CALLS_MAX;
	put_call(&b, 1, "/t.T/Hold", "10S", "more than ten bytes");
	put_call(&b, 3, "/t.T/Hold", "10S", "");
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	rpc_world_turns(w, 20);
	assert_int_equal(peer_stream(&w->peer, 1)->code, RPC_RESOURCE_EXHAUSTED);
	assert_string_equal(peer_stream(&w->peer, 1)->text, "too many large requests at once");
	assert_int_equal(peer_stream(&w->peer, 3)->code, RPC_RESOURCE_EXHAUSTED);
	assert_int_equal(w->server->incoming, INCOMING_MAX - 10);
	assert_int_equal(w->server->counts.calls, CALLS_MAX);
	assert_int_equal(w->n_held, 0);
	w->server->incoming = 0;
	w->server->counts.calls = 0;
	others_are_served(w);
}

static struct peer peers[3];

static bool third_is_greeted(struct rpc_world *w)
{
	(void)w;
	return peers[2].settings > 0;
}

static bool two_hold(struct rpc_world *w)
{
	return w->n_held == 2;
}

/* Busy connections keep their places; who comes waits for the first that goes. */
static void connections_have_a_limit(void **state)
{
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1000);

	rpc_world_listen(w, 2);
	put_preface(&b);
	put_call(&b, 1, "/t.T/Hold", "60S", "");
	for (int i = 0; i < 3; i++)
		rpc_world_dial(w, &peers[i]);
	assert_int_equal(peer_send(&peers[0], &b), 0);
	assert_int_equal(peer_send(&peers[1], &b), 0);
	buf_done(&b);
	assert_true(rpc_world_run(w, two_hold));
	rpc_world_turns(w, 30);
	assert_int_equal(peers[2].settings, 0);
	assert_int_equal(counts_of(w).connections, 2);
	peer_done(&peers[0]);
	assert_true(rpc_world_run(w, third_is_greeted));
	peer_done(&peers[1]);
	peer_done(&peers[2]);
}

/* A connection that nobody uses makes room. */
static void idle_connections_go_first(void **state)
{
	struct rpc_world *w = *state;

	rpc_world_listen(w, 2);
	for (int i = 0; i < 2; i++)
		rpc_world_dial(w, &peers[i]);
	rpc_world_turns(w, 20);
	LIST_FOREACH (&w->server->connections, it)
		LIST_ENTRY(it, struct rpc_connection, link)->active_at -= SECONDS(5);
	rpc_world_dial(w, &peers[2]);
	assert_true(rpc_world_run(w, third_is_greeted));
	assert_int_equal(counts_of(w).connections, 2);
	rpc_world_turns(w, 5);
	assert_true(peers[0].closed);
	assert_false(peers[1].closed);
	for (int i = 0; i < 3; i++)
		peer_done(&peers[i]);
}

static uint64_t cpu_ns(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return SECONDS(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * NSEC_PER_USEC;
}

/* No descriptor is left: the server waits, without spinning, and goes on when there is one. */
static void descriptors_run_out(void **state)
{
	struct rpc_world *w = *state;
	struct rlimit old, none;
	uint64_t before;

	rpc_world_listen(w, 0);
	rpc_world_dial(w, &peers[2]);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){3, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	before = cpu_ns();
	rpc_world_turns(w, 500);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(peers[2].settings, 0);
	assert_true(cpu_ns() - before < MILLISECONDS(250));
	assert_true(rpc_world_run(w, third_is_greeted));
	peer_done(&peers[2]);
}

static void garbage_is_no_preface(void **state)
{
	struct rpc_world *w = *state;
	struct buf b = BUF_NULL(1000);

	assert_int_equal(buf_puts(&b, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
	assert_int_equal(peer_send(&w->peer, &b), 0);
	buf_done(&b);
	assert_true(rpc_world_run(w, closed));
	assert_int_equal(counts_of(w).closed_for_abuse, 1);
	others_are_served(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rapid_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(made_you_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(ping_flood, setup, teardown),
		cmocka_unit_test_setup_teardown(settings_flood, setup, teardown),
		cmocka_unit_test_setup_teardown(empty_data_flood, setup, teardown),
		cmocka_unit_test_setup_teardown(priority_flood, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_frames_are_not_life, setup, teardown),
		cmocka_unit_test_setup_teardown(continuation_flood, setup, teardown),
		cmocka_unit_test_setup_teardown(headers_that_never_end, setup, teardown),
		cmocka_unit_test_setup_teardown(a_header_bomb, setup, teardown),
		cmocka_unit_test_setup_teardown(long_headers_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(streams_have_a_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(a_window_of_zero, setup, teardown),
		cmocka_unit_test_setup_teardown(a_deaf_peer, setup, teardown),
		cmocka_unit_test_setup_teardown(a_silent_peer, setup, teardown),
		cmocka_unit_test_setup_teardown(an_idle_peer, setup, teardown),
		cmocka_unit_test_setup_teardown(a_request_that_never_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_is_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(connections_have_a_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(idle_connections_go_first, setup, teardown),
		cmocka_unit_test_setup_teardown(descriptors_run_out, setup, teardown),
		cmocka_unit_test_setup_teardown(garbage_is_no_preface, setup, teardown),
	};

	return cmocka_run_group_tests_name("rpc limits", tests, NULL, NULL);
}
