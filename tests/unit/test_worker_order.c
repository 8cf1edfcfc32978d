/* SPDX-License-Identifier: Apache-2.0 */
/* test_worker_order.c: several requests with a worker that serves them in order, and its end */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/unit/worker_world.h"

static size_t ends[8], n_ends;

static void note_end(struct shot *s)
{
	assert_true(n_ends < ELEMENTSOF(ends));
	ends[n_ends++] = s->size;
}

/* Bodies of 1, 2, 3 … bytes, so that the answers tell their order. */
static void shoot_row(struct world *w, struct shot *shots, size_t n)
{
	static const char digits[] = "123456789";
	char body[sizeof(digits)];

	n_ends = 0;
	for (size_t i = 0; i < n; i++) {
		struct worker_request q = world_request("a", DEED_ECHO, NULL);

		str_copy_cut(body, i + 2, digits);
		q.body = body;
		q.size = i + 1;
		shots[i].then = note_end;
		assert_int_equal(shoot_request(w, &shots[i], &q), 0);
	}
}

/* The one that the worker was at is lost, those behind it are done by the next: each once, in their
 * order, and before those that were never sent. */
static void death_takes_the_oldest_alone(void **state)
{
	struct shot first = {0}, row[6] = {0};
	WORLD(w, .in_order = true, .window = 4);

	(void)state;
	world_pid(&w, "a");
	shoot(&w, &first, "a", DEED_EXIT);
	shoot_row(&w, row, ELEMENTSOF(row));
	assert_int_equal(world_stats(&w).inflight, 4);
	assert_int_equal(world_stats(&w).waiting, 3);
	world_wait(&w, 7);
	assert_int_equal(first.r, -ECONNRESET);
	assert_true(first.sent);
	for (size_t i = 0; i < ELEMENTSOF(row); i++) {
		assert_int_equal(row[i].calls, 1);
		assert_int_equal(row[i].size, i + 1);
		assert_int_equal(ends[i], i + 1);
	}
	assert_int_equal(world_stats(&w).started, 2);
	assert_int_equal(world_stats(&w).waiting + world_stats(&w).inflight, 0);
}

/* The stuck one ends at its deadline with its worker; nothing behind it is counted as done or lost.
 */
static void deadline_takes_the_oldest_alone(void **state)
{
	struct worker_request q = world_request("a", DEED_STOP, "x");
	struct shot stuck = {0}, row[5] = {0};
	WORLD(w, .in_order = true, .window = 4);

	(void)state;
	world_pid(&w, "a");
	q.deadline_ns = MILLISECONDS(60);
	assert_int_equal(shoot_request(&w, &stuck, &q), 0);
	shoot_row(&w, row, ELEMENTSOF(row));
	assert_int_equal(world_stats(&w).inflight, 4);
	world_wait(&w, 6);
	assert_int_equal(stuck.r, -ETIMEDOUT);
	assert_non_null(strstr(stuck.text, "did not answer"));
	for (size_t i = 0; i < ELEMENTSOF(row); i++) {
		assert_int_equal(row[i].calls, 1);
		assert_int_equal(ends[i], i + 1);
	}
	assert_int_equal(world_stats(&w).killed, 1);
	assert_int_equal(world_stats(&w).started, 2);
}

/* What has less time than those before it is not sent behind them, where its end would be theirs:
 * it ends alone and the worker goes on. */
static void less_time_waits_until_it_is_alone(void **state)
{
	struct worker_request q = world_request("a", DEED_ECHO, "hasty");
	struct shot hang = {0}, hasty = {0}, after = {0};
	WORLD(w, .in_order = true, .window = 4);

	(void)state;
	world_pid(&w, "a");
	shoot(&w, &hang, "a", DEED_HANG);
	q.deadline_ns = MILLISECONDS(50);
	assert_int_equal(shoot_request(&w, &hasty, &q), 0);
	shoot(&w, &after, "a", DEED_ECHO);
	assert_int_equal(world_stats(&w).inflight, 1);
	world_wait(&w, 1);
	assert_int_equal(hasty.r, -ETIMEDOUT);
	assert_false(hasty.sent);
	assert_int_equal(hang.calls, 0);
	assert_int_equal(world_stats(&w).killed, 0);
	assert_int_equal(world_stats(&w).waiting + world_stats(&w).inflight, 2);
}

/* Each death ends one request, so that there is an end to them. */
static void deaths_in_a_row(void **state)
{
	struct shot bad[4] = {0}, good = {0};
	WORLD(w, .in_order = true, .window = 8);

	(void)state;
	world_pid(&w, "a");
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		shoot(&w, &bad[i], "a", DEED_EXIT);
	shoot(&w, &good, "a", DEED_ECHO);
	assert_int_equal(world_stats(&w).inflight, 5);
	world_wait(&w, 5);
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_int_equal(bad[i].r, -ECONNRESET);
	assert_int_equal(good.r, 5);
	assert_int_equal(world_stats(&w).started, 5);
}

/* Answered before the death is answered, whatever was behind it. */
static void last_word_before_the_others(void **state)
{
	struct shot last = {0}, lost = {0}, next = {0};
	WORLD(w, .in_order = true, .window = 4);

	(void)state;
	world_pid(&w, "a");
	shoot(&w, &last, "a", DEED_LAST_WORD);
	shoot(&w, &lost, "a", DEED_ECHO);
	shoot(&w, &next, "a", DEED_ECHO);
	world_wait(&w, 3);
	assert_string_equal(last.body, "bye");
	/* As far as we know the worker was at this one. */
	assert_int_equal(lost.r, -ECONNRESET);
	assert_int_equal(next.r, 5);
}

/* Nobody wants it any more: the next worker does not get it. */
static void cancelled_behind_the_stuck_one(void **state)
{
	struct worker_request q = world_request("a", DEED_STOP, "x");
	struct shot stuck = {0}, cancelled = {0}, other = {0};
	WORLD(w, .in_order = true, .window = 4);

	(void)state;
	world_pid(&w, "a");
	q.deadline_ns = MILLISECONDS(60);
	assert_int_equal(shoot_request(&w, &stuck, &q), 0);
	shoot(&w, &cancelled, "a", DEED_EXIT);
	shoot(&w, &other, "a", DEED_ECHO);
	assert_int_equal(world_stats(&w).inflight, 3);
	worker_call_cancel(cancelled.call);
	world_wait(&w, 2);
	assert_int_equal(stuck.r, -ETIMEDOUT);
	assert_int_equal(other.r, 5);
	assert_int_equal(cancelled.calls, 0);
	assert_int_equal(world_stats(&w).started, 2);
}

/* Their own deadlines stand: without a next worker they end as those that wait, but were sent. */
static void taken_back_and_no_worker_comes(void **state)
{
	struct worker_request stuck = world_request("a", DEED_STOP, "x");
	struct worker_request behind = world_request("a", DEED_ECHO, "x");
	struct shot first = {0}, second = {0};
	WORLD(w, .in_order = true, .window = 4);

	(void)state;
	world_pid(&w, "a");
	stuck.deadline_ns = MILLISECONDS(50);
	behind.deadline_ns = MILLISECONDS(300);
	behind.init = "fail";
	behind.init_size = 4;
	assert_int_equal(shoot_request(&w, &first, &stuck), 0);
	assert_int_equal(shoot_request(&w, &second, &behind), 0);
	assert_int_equal(world_stats(&w).inflight, 2);
	world_wait(&w, 2);
	assert_int_equal(first.r, -ETIMEDOUT);
	assert_int_equal(second.r, -ECONNREFUSED);
	assert_true(second.sent);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(death_takes_the_oldest_alone),
		cmocka_unit_test(deadline_takes_the_oldest_alone),
		cmocka_unit_test(less_time_waits_until_it_is_alone),
		cmocka_unit_test(deaths_in_a_row),
		cmocka_unit_test(last_word_before_the_others),
		cmocka_unit_test(cancelled_behind_the_stuck_one),
		cmocka_unit_test(taken_back_and_no_worker_comes),
	};

	if (argc > 1 && streq(argv[1], "--worker"))
		return worker_world_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
