/* SPDX-License-Identifier: Apache-2.0 */
/* test_worker_hostile.c: workers that lie, memory that runs out, many keys, many calls */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/unit/fault.h"
#include "tests/unit/worker_world.h"

struct lie {
	enum deed deed;
	const char *text;
};

/* Every lie costs the liar its life and its request an unknown outcome; what waited is served by
 * the next worker. */
static void lies_end_the_worker(void **state)
{
	static const struct lie cases[] = {
		{DEED_STRANGER, "was not sent"},
		{DEED_HUGE, "more than 1048576 bytes"},
		{DEED_IMPOSSIBLE, "impossible result"},
		{DEED_ZERO, "was not sent"},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct shot lie = {0}, next = {0};
		struct worker_stats stats;
		WORLD(w, .window = 1);

		shoot(&w, &lie, "a", cases[i].deed);
		shoot(&w, &next, "a", DEED_ECHO);
		world_wait(&w, 2);
		assert_int_equal(lie.r, -ECONNRESET);
		assert_non_null(strstr(lie.text, cases[i].text));
		assert_int_equal(next.r, 5);
		worker_pool_stats(w.pool, &stats);
		assert_int_equal(stats.killed, 1);
	}
}

static void second_answer_is_a_lie(void **state)
{
	struct shot twice = {0}, hang = {0};
	WORLD(w, .window = 2);

	(void)state;
	shoot(&w, &hang, "a", DEED_HANG);
	shoot(&w, &twice, "a", DEED_TWICE);
	world_wait(&w, 2);
	assert_int_equal(twice.r, 1);
	assert_int_equal(twice.calls, 1);
	assert_int_equal(hang.r, -ECONNRESET);
}

static void answer_byte_by_byte(void **state)
{
	struct shot s = {0};
	WORLD(w, .window = 1);

	(void)state;
	shoot(&w, &s, "a", DEED_BYTEWISE);
	world_wait(&w, 1);
	assert_int_equal(s.r, 3);
	assert_string_equal(s.body, "abc");
}

/* Sixteen replies of a megabyte through one window. */
static void largest_answers(void **state)
{
	struct shot shots[16] = {0};
	WORLD(w, .window = 8);

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(shots); i++)
		shoot(&w, &shots[i], "a", DEED_BIG);
	world_wait(&w, ELEMENTSOF(shots));
	for (size_t i = 0; i < ELEMENTSOF(shots); i++)
		assert_int_equal(shots[i].size, 1U << 20);
}

/* More request bytes than the socket and the output queue take at once. */
static void large_requests_wait_for_room(void **state)
{
	_cleanup_free_ char *big = calloc(1, 900000);
	struct shot shots[12] = {0};
	WORLD(w, .window = 12);

	(void)state;
	assert_non_null(big);
	for (size_t i = 0; i < ELEMENTSOF(shots); i++) {
		struct worker_request q = world_request("a", DEED_ECHO, NULL);

		q.body = big;
		q.size = 900000;
		assert_int_equal(shoot_request(&w, &shots[i], &q), 0);
	}
	world_wait(&w, ELEMENTSOF(shots));
	for (size_t i = 0; i < ELEMENTSOF(shots); i++)
		assert_int_equal(shots[i].size, 900000);
}

static void waiting_bytes_are_bounded(void **state)
{
	_cleanup_free_ char *big = calloc(1, 1U << 20);
	struct worker_request q = world_request("a", DEED_ECHO, NULL);
	struct shot shots[20] = {0};
	size_t taken = 0;
	WORLD(w, .window = 1);

	(void)state;
	assert_non_null(big);
	q.body = big;
	q.size = 1U << 20;
	while (taken < ELEMENTSOF(shots) && shoot_request(&w, &shots[taken], &q) == 0)
		taken++;
	assert_int_equal(taken, 16);
	assert_int_equal(shoot_request(&w, &shots[taken], &q), -ENOBUFS);
}

/* 256 keys, each with a worker that never gets ready: one more key is refused. A free one is taken
 * over. */
static void keys_are_bounded(void **state)
{
	static struct shot shots[300];
	struct worker_request q = world_request(NULL, DEED_ECHO, "x");
	char key[16];
	WORLD(w, .window = 1, .program = "/nonexistent/berth-nfs");

	(void)state;
	memset(shots, 0, sizeof(shots));
	q.key = key;
	q.deadline_ns = SECONDS(2);
	for (size_t i = 0; i < 256; i++) {
		assert_true(str_format(key, sizeof(key), "k%zu", i) >= 0);
		assert_int_equal(shoot_request(&w, &shots[i], &q), 0);
	}
	q.key = "one more";
	assert_int_equal(shoot_request(&w, &shots[256], &q), -ENOBUFS);
	world_wait(&w, 256);
	/* Back-off ends, and with nobody waiting the keys are at rest. */
	for (int i = 0; i < 100; i++) {
		if (shoot_request(&w, &shots[256], &q) == 0)
			break;
		world_run(&w, 20);
	}
	assert_string_not_equal(world_state(&w, "one more"), "");
}

/* Descriptors run out: a failed start like any other, and it mends itself. */
static void no_descriptor_left(void **state)
{
	struct rlimit before, none = {.rlim_cur = 3};
	struct worker_request q = world_request("a", DEED_ECHO, "hello");
	struct shot s = {0}, t = {0};
	WORLD(w, .window = 1);

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	q.deadline_ns = MILLISECONDS(100);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(shoot_request(&w, &s, &q), 0);
	world_wait(&w, 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(s.r, -EMFILE);
	assert_false(s.sent);
	shoot(&w, &t, "a", DEED_ECHO);
	world_wait(&w, 1);
	assert_int_equal(t.r, 5);
}

/* One call from its making to its end, with the k-th allocation of it failing. */
static bool call_without_memory(unsigned long k)
{
	struct worker_request q = world_request("a", DEED_ECHO, "hello");
	struct shot s = {0};
	bool fired;
	int r;
	WORLD(w, .window = 1);

	fault_arm(k);
	r = shoot_request(&w, &s, &q);
	if (r < 0) {
		assert_int_equal(r, -ENOMEM);
		world_run(&w, 1);
		assert_int_equal(s.calls, 0);
	} else {
		world_wait(&w, 1);
		/* A buffer that could not grow costs the worker, not the pool. */
		if (s.r != -ECONNRESET)
			assert_int_equal(s.r, 5);
	}
	fired = fault_fired();
	fault_disarm();
	return fired;
}

/* Either the call is refused with -ENOMEM and nothing happens, or it ends once. */
static void calls_without_memory(void **state)
{
	unsigned long k = 1;

	(void)state;
	while (call_without_memory(k))
		k++;
	assert_true(k > 5);
}

static void pools_without_memory(void **state)
{
	static const char *const argv[] = {"worker", "--worker", NULL};
	struct loop *l = NULL;

	(void)state;
	assert_int_equal(loop_new(&l), 0);
	FAULT_LOOP
	{
		struct worker_pool *p = NULL;
		int r = worker_pool_new(
			&p, l, &(struct worker_options){.program = "/bin/true", .argv = argv});

		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		assert_true((p == NULL) == (r < 0));
		worker_pool_free(p);
	}
	loop_free(l);
}

static struct shot many[10000];

static void ten_thousand_calls(void **state)
{
	struct worker_request q =
		world_request("a", DEED_ECHO, "0123456789012345678901234567890123");
	uint64_t start, took;
	struct worker_stats stats;
	WORLD(w, .window = 32, .queue_max = ELEMENTSOF(many));

	(void)state;
	memset(many, 0, sizeof(many));
	start = clock_now();
	for (size_t i = 0; i < ELEMENTSOF(many); i++)
		assert_int_equal(shoot_request(&w, &many[i], &q), 0);
	world_wait(&w, ELEMENTSOF(many));
	took = clock_now() - start;
	for (size_t i = 0; i < ELEMENTSOF(many); i++) {
		assert_int_equal(many[i].calls, 1);
		assert_int_equal(many[i].r, 34);
	}
	worker_pool_stats(w.pool, &stats);
	assert_int_equal(stats.started, 1);
	assert_int_equal(stats.waiting + stats.inflight, 0);
	print_message("%zu calls, window 32: %.0f calls/s\n", ELEMENTSOF(many),
		(double)ELEMENTSOF(many) * 1e9 / (double)took);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lies_end_the_worker),
		cmocka_unit_test(second_answer_is_a_lie),
		cmocka_unit_test(answer_byte_by_byte),
		cmocka_unit_test(largest_answers),
		cmocka_unit_test(large_requests_wait_for_room),
		cmocka_unit_test(waiting_bytes_are_bounded),
		cmocka_unit_test(keys_are_bounded),
		cmocka_unit_test(no_descriptor_left),
		cmocka_unit_test(calls_without_memory),
		cmocka_unit_test(pools_without_memory),
		cmocka_unit_test(ten_thousand_calls),
	};

	if (argc > 1 && streq(argv[1], "--worker"))
		return worker_world_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
