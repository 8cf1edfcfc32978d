/* SPDX-License-Identifier: Apache-2.0 */
/* test_event_timer.c: exact timers come in order and on time, lazy ones together */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/clock.h"
#include "event/loop.h"
#include "tests/unit/fault.h"

#define TIMERS_MAX 32

struct ticks {
	struct loop *loop;
	struct timer *timers[TIMERS_MAX];
	uint64_t at[TIMERS_MAX]; /* clock_now() of each run */
	const struct timer *order[TIMERS_MAX];
	size_t n;
	size_t end; /* leaves the loop after so many */
};

static void on_tick(struct timer *t, void *userdata)
{
	struct ticks *k = userdata;

	k->at[k->n] = clock_now();
	k->order[k->n] = t;
	if (++k->n == k->end)
		loop_exit(k->loop, 0);
}

static int setup(void **state)
{
	struct ticks *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	assert_int_equal(loop_new(&k->loop), 0);
	*state = k;
	return 0;
}

static int teardown(void **state)
{
	struct ticks *k = *state;

	for (size_t i = 0; i < TIMERS_MAX; i++)
		timer_free(k->timers[i]);
	loop_free(k->loop);
	free(k);
	return 0;
}

static const unsigned delays[] = {7, 3, 9, 1, 5};

/* Whether they came in the order of their delays. */
static bool round_in_order(struct ticks *k)
{
	static const size_t order[] = {3, 1, 4, 0, 2};
	uint64_t start = clock_now();
	bool in_order = true;

	k->n = 0;
	for (size_t i = 0; i < k->end; i++) {
		timer_arm(k->timers[i], MILLISECONDS(delays[i]));
		assert_true(timer_armed(k->timers[i]));
	}
	assert_int_equal(loop_run(k->loop), 0);
	for (size_t i = 0; i < k->end; i++) {
		in_order &= k->order[i] == k->timers[order[i]];
		assert_false(timer_armed(k->timers[i]));
		for (size_t j = 0; j < k->end; j++)
			assert_true(k->order[i] != k->timers[j] ||
				    k->at[i] >= start + MILLISECONDS(delays[j]));
	}
	return in_order;
}

/* A loop that the machine kept waiting for 2 ms finds several due at once, and runs them as it
 * likes: then another round. */
static void exact_timers_come_in_order(void **state)
{
	struct ticks *k = *state;
	bool in_order = false;

	k->end = ELEMENTSOF(delays);
	for (size_t i = 0; i < k->end; i++) {
		assert_int_equal(timer_new_exact(&k->timers[i], k->loop, on_tick, k), 0);
		assert_false(timer_armed(k->timers[i]));
	}
	for (int round = 0; round < 20 && !in_order; round++)
		in_order = round_in_order(k);
	assert_true(in_order);
}

/* sd-event's own accuracy would be 250 ms (libraries.md 1): forty in a row tell. */
static void exact_timers_are_not_late(void **state)
{
	struct ticks *k = *state;
	uint64_t start = clock_now(), took;

	k->end = 1;
	assert_int_equal(timer_new_exact(&k->timers[0], k->loop, on_tick, k), 0);
	for (int i = 0; i < 40; i++) {
		k->n = 0;
		timer_arm(k->timers[0], MILLISECONDS(1));
		assert_int_equal(loop_run(k->loop), 0);
	}
	took = clock_now() - start;
	assert_true(took >= MILLISECONDS(40));
	assert_true(took < MILLISECONDS(2000));
	print_message("40 timers of 1 ms took %.3f ms\n", (double)took / 1e6);
}

static void zero_delay_comes_at_the_next_turn(void **state)
{
	struct ticks *k = *state;

	k->end = 1;
	assert_int_equal(timer_new_exact(&k->timers[0], k->loop, on_tick, k), 0);
	timer_arm(k->timers[0], 0);
	assert_int_equal(k->n, 0);
	assert_int_equal(loop_run(k->loop), 0);
	assert_int_equal(k->n, 1);
}

static void arming_again_moves_it(void **state)
{
	struct ticks *k = *state;
	uint64_t start = clock_now();

	k->end = 2;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(timer_new_exact(&k->timers[i], k->loop, on_tick, k), 0);
	timer_arm(k->timers[0], MILLISECONDS(2));
	timer_arm(k->timers[1], MILLISECONDS(5));
	timer_arm(k->timers[0], MILLISECONDS(15));
	assert_int_equal(loop_run(k->loop), 0);
	assert_ptr_equal(k->order[0], k->timers[1]);
	assert_ptr_equal(k->order[1], k->timers[0]);
	assert_true(k->at[1] >= start + MILLISECONDS(15));
}

static void disarmed_does_not_come(void **state)
{
	struct ticks *k = *state;

	k->end = 1;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(timer_new_exact(&k->timers[i], k->loop, on_tick, k), 0);
	timer_arm(k->timers[0], MILLISECONDS(1));
	timer_disarm(k->timers[0]);
	timer_arm(k->timers[1], MILLISECONDS(5));
	assert_int_equal(loop_run(k->loop), 0);
	assert_int_equal(k->n, 1);
	assert_ptr_equal(k->order[0], k->timers[1]);
}

static void endless_delay_is_never(void **state)
{
	struct ticks *k = *state;

	k->end = 1;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(timer_new_exact(&k->timers[i], k->loop, on_tick, k), 0);
	timer_arm(k->timers[0], UINT64_MAX);
	timer_arm(k->timers[1], MILLISECONDS(2));
	assert_int_equal(loop_run(k->loop), 0);
	assert_ptr_equal(k->order[0], k->timers[1]);
}

/* Twenty timers due within 20 ms with 300 ms of slack: the process wakes once or twice, not twenty
 * times. */
static void lazy_timers_come_together(void **state)
{
	struct ticks *k = *state;
	uint64_t start = clock_now();
	size_t wakeups = 1;

	k->end = 20;
	for (size_t i = 0; i < k->end; i++) {
		assert_int_equal(
			timer_new_lazy(&k->timers[i], k->loop, MILLISECONDS(300), on_tick, k), 0);
		timer_arm(k->timers[i], MILLISECONDS(i + 1));
	}
	assert_int_equal(loop_run(k->loop), 0);
	for (size_t i = 1; i < k->end; i++)
		wakeups += k->at[i] - k->at[i - 1] > MILLISECONDS(2) / 3;
	assert_in_range(wakeups, 1, 4);
	assert_true(k->at[0] >= start + MILLISECONDS(1));
}

/* Slack below a microsecond must not turn into sd-event's default. */
static void lazy_without_slack_is_exact(void **state)
{
	struct ticks *k = *state;
	uint64_t start = clock_now();

	k->end = 1;
	assert_int_equal(timer_new_lazy(&k->timers[0], k->loop, 0, on_tick, k), 0);
	for (int i = 0; i < 20; i++) {
		k->n = 0;
		timer_arm(k->timers[0], MILLISECONDS(1));
		assert_int_equal(loop_run(k->loop), 0);
	}
	assert_true(clock_now() - start < MILLISECONDS(1500));
}

static void on_free_all(struct timer *t, void *userdata)
{
	struct ticks *k = userdata;

	(void)t;
	k->n++;
	for (size_t i = 0; i < 3; i++)
		k->timers[i] = timer_free(k->timers[i]);
	loop_exit(k->loop, 0);
}

/* The first one frees itself and two that are due at the same time. */
static void freed_in_a_callback(void **state)
{
	struct ticks *k = *state;

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(timer_new_exact(&k->timers[i], k->loop, on_free_all, k), 0);
		timer_arm(k->timers[i], 0);
	}
	assert_int_equal(loop_run(k->loop), 0);
	k->end = 2;
	assert_int_equal(timer_new_exact(&k->timers[0], k->loop, on_tick, k), 0);
	timer_arm(k->timers[0], MILLISECONDS(1));
	assert_int_equal(loop_run(k->loop), 0);
	assert_int_equal(k->n, 2);
}

static void memory_runs_out(void **state)
{
	struct ticks *k = *state;

	FAULT_LOOP
	{
		struct timer *t = NULL;
		int r = timer_new_exact(&t, k->loop, on_tick, k);

		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		assert_true((t == NULL) == (r < 0));
		timer_free(t);
	}
}

static void on_leave(struct timer *t, void *userdata)
{
	(void)t;
	loop_exit(userdata, 0);
}

/* A loop with nothing to do uses no processor time and turns once. */
static void idle_does_not_wake(void **state)
{
	struct ticks *k = *state;
	uint64_t before, after;

	assert_int_equal(timer_new_exact(&k->timers[0], k->loop, on_leave, k->loop), 0);
	timer_arm(k->timers[0], MILLISECONDS(200));
	sd_event_get_iteration(loop_sd(k->loop), &before);
	assert_int_equal(loop_run(k->loop), 0);
	sd_event_get_iteration(loop_sd(k->loop), &after);
	assert_in_range(after - before, 1, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(exact_timers_come_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(exact_timers_are_not_late, setup, teardown),
		cmocka_unit_test_setup_teardown(zero_delay_comes_at_the_next_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(arming_again_moves_it, setup, teardown),
		cmocka_unit_test_setup_teardown(disarmed_does_not_come, setup, teardown),
		cmocka_unit_test_setup_teardown(endless_delay_is_never, setup, teardown),
		cmocka_unit_test_setup_teardown(lazy_timers_come_together, setup, teardown),
		cmocka_unit_test_setup_teardown(lazy_without_slack_is_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(freed_in_a_callback, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_runs_out, setup, teardown),
		cmocka_unit_test_setup_teardown(idle_does_not_wake, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
