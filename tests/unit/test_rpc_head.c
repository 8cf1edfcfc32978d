/* SPDX-License-Identifier: Apache-2.0 */
/* test_rpc_head.c: framing, time-outs, grpc-message, states: what needs no socket */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/sm.h"
#include "base/str.h"
#include "rpc/connection.h"
#include "rpc/frame.h"
#include "rpc/head.h"
#include "tests/unit/fault.h"

/* Every way to cut a message into two feeds, and one byte at a time. */
static void frames_cut_anywhere(void **state)
{
	static const char wire[] = "\0\0\0\0\7seven07";
	const size_t n = 12;

	(void)state;
	for (size_t cut = 0; cut <= n; cut++) {
		struct rpc_frame f = RPC_FRAME_NULL;

		assert_int_equal(rpc_frame_feed(&f, wire, cut), 0);
		assert_int_equal(rpc_frame_is_whole(&f), cut == n);
		assert_int_equal(rpc_frame_end(&f), cut == n ? 0 : cut ? -EBADMSG : -ENODATA);
		assert_int_equal(rpc_frame_feed(&f, wire + cut, n - cut), 0);
		assert_int_equal(rpc_frame_end(&f), 0);
		assert_int_equal(f.body.len, 7);
		assert_memory_equal(f.body.data, "seven07", 7);
		assert_int_equal(rpc_frame_feed(&f, "", 0), 0);
		assert_int_equal(rpc_frame_feed(&f, "\0", 1), -EEXIST);
		rpc_frame_done(&f);
	}
}

static void frames_refused(void **state)
{
	struct rpc_frame f = RPC_FRAME_NULL;
	struct rpc_status status;

	(void)state;
	assert_int_equal(rpc_frame_feed(&f, "\1\0\0\0\0", 5), -EPROTO);
	f = RPC_FRAME_NULL;
	/* The limit itself is fine, and takes no memory before it comes. */
	assert_int_equal(rpc_frame_feed(&f, "\0\0\x40\0\0", 5), 0);
	assert_int_equal(f.body.cap, 0);
	f = RPC_FRAME_NULL;
	assert_int_equal(rpc_frame_feed(&f, "\0\0\x40\0\1", 5), -EMSGSIZE);
	rpc_frame_status(&f, -EMSGSIZE, &status);
	assert_int_equal(status.code, RPC_RESOURCE_EXHAUSTED);
	assert_string_equal(
		status.text, "grpc: received message larger than max (4194305 vs. 4194304)");
}

static void frames_without_memory(void **state)
{
	(void)state;
	FAULT_LOOP
	{
		struct rpc_frame f = RPC_FRAME_NULL;
		struct rpc_status status;
		int r = rpc_frame_feed(&f, "\0\0\0\0\1x", 6);

		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		rpc_frame_status(&f, -ENOMEM, &status);
		assert_int_equal(status.code, RPC_RESOURCE_EXHAUSTED);
		rpc_frame_done(&f);
	}
}

static void timeouts(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t ns;
	} cases[] = {
		{"119999m", 0, 119999 * NSEC_PER_MSEC},
		{"999837u", 0, 999837 * NSEC_PER_USEC},
		{"0n", 0, 0},
		{"1S", 0, NSEC_PER_SEC},
		{"2M", 0, 120 * NSEC_PER_SEC},
		{"1H", 0, 3600 * NSEC_PER_SEC},
		{"99999999H", 0, UINT64_MAX},
		{"", -EINVAL, 0},
		{"S", -EINVAL, 0},
		{"1", -EINVAL, 0},
		{"1s", -EINVAL, 0},
		{"+1S", -EINVAL, 0},
		{"1 S", -EINVAL, 0},
		{"123456789S", -EINVAL, 0},
	};
	char text[12];

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		uint64_t ns = 0;

		assert_int_equal(
			rpc_timeout_parse(cases[i].text, strlen(cases[i].text), &ns), cases[i].r);
		assert_int_equal(ns, cases[i].ns);
	}
	assert_string_equal(rpc_timeout_format(0, text), "0n");
	assert_string_equal(rpc_timeout_format(99999999, text), "99999999n");
	assert_string_equal(rpc_timeout_format(100000001, text), "100001u");
	assert_string_equal(rpc_timeout_format(SECONDS(120), text), "120000m");
	assert_string_equal(rpc_timeout_format(UINT64_MAX, text), "5124096H");
}

static void texts(void **state)
{
	char wire[64], back[64], small[8];

	(void)state;
	assert_int_equal(rpc_text_encode(wire, sizeof(wire), "no such dir: \"\xc3\xa4\n\""), 24);
	assert_string_equal(wire, "no such dir: \"%C3%A4%0A\"");
	rpc_text_decode(back, sizeof(back), wire, strlen(wire));
	assert_string_equal(back, "no such dir: \"\xc3\xa4\n\"");
	(void)rpc_text_encode(wire, sizeof(wire), "100% \x7f \xff~");
	assert_string_equal(wire, "100%25 %7F ?~");
	/* Cut before a character, never inside of one. */
	assert_int_equal(rpc_text_encode(small, sizeof(small), "ab\xc3\xa4"), 2);
	assert_int_equal(rpc_text_encode(small, sizeof(small), "a\xc3\xa4"), 7);
	assert_int_equal(rpc_text_encode(small, sizeof(small), "abcdefghi"), 7);
	/* Lenient: what is no escape stays, and nothing becomes a NUL. */
	rpc_text_decode(back, sizeof(back), "%zz %4 %00 %e4 %", 16);
	assert_string_equal(back, "%zz %4 %00 \xe4 %");
	rpc_text_decode(small, sizeof(small), "abcdefghi", 9);
	assert_string_equal(small, "abcdefg");
}

static void statuses(void **state)
{
	struct rpc_status s;
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text + RPC_TEXT_MAX - 2, "\xc3\xa4", 3);
	rpc_status_set(&s, RPC_ABORTED, "%s", text);
	assert_int_equal(strlen(s.text), RPC_TEXT_MAX - 2);
	rpc_status_set(&s, (enum rpc_code)77, "x");
	assert_int_equal(s.code, RPC_UNKNOWN);
	assert_string_equal(rpc_code_name(RPC_DEADLINE_EXCEEDED), "DeadlineExceeded");
	assert_string_equal(rpc_code_name((enum rpc_code)77), "Unknown");
	for (int code = 0; code < _RPC_CODE_MAX; code++)
		assert_non_null(rpc_code_name((enum rpc_code)code));
	assert_true(rpc_code_is_final(RPC_INTERNAL));
	assert_true(rpc_code_is_final(RPC_NOT_FOUND));
	assert_false(rpc_code_is_final(RPC_ABORTED));
	assert_false(rpc_code_is_final(RPC_UNAVAILABLE));
	assert_false(rpc_code_is_final(RPC_RESOURCE_EXHAUSTED));
}

static void types(void **state)
{
	(void)state;
	assert_true(rpc_is_grpc_type("application/grpc", 16));
	assert_true(rpc_is_grpc_type("application/grpc+proto", 22));
	assert_true(rpc_is_grpc_type("application/grpc;x=y", 20));
	assert_true(rpc_is_grpc_type("Application/GRPC", 16));
	assert_false(rpc_is_grpc_type("application/grpc-web", 20));
	assert_false(rpc_is_grpc_type("application/grp", 15));
	assert_false(rpc_is_grpc_type("", 0));
}

/* Every state but the first is reached by an edge, every state but the last is left by one. */
static void a_request_has_its_states(void **state)
{
	const struct sm_table *t = &rpc_request_table;

	(void)state;
	for (uint8_t s = 0; s < _REQUEST_STATE_MAX; s++) {
		bool reached = s == REQUEST_RECEIVING, left = s == REQUEST_SENDING;

		for (size_t i = 0; i < t->n_edges; i++) {
			reached = reached || t->edges[i].to == s;
			left = left || t->edges[i].from == s;
			assert_int_not_equal(t->edges[i].from, REQUEST_SENDING);
		}
		assert_true(reached && left);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_cut_anywhere),
		cmocka_unit_test(frames_refused),
		cmocka_unit_test(frames_without_memory),
		cmocka_unit_test(timeouts),
		cmocka_unit_test(texts),
		cmocka_unit_test(statuses),
		cmocka_unit_test(types),
		cmocka_unit_test(a_request_has_its_states),
	};

	return cmocka_run_group_tests_name("rpc head", tests, NULL, NULL);
}
