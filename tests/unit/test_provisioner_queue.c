/* SPDX-License-Identifier: Apache-2.0 */
/* test_provisioner_queue.c: limits, fairness, silent servers, and things that wait for their time
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "provisioner/delay.h"
#include "provisioner/queue.h"

#define JOBS 400

struct item {
	struct turn turn;
	struct world *w;
	char lane, flow;
};

struct world {
	struct loop *loop;
	struct queue *q;
	struct timer *stop;
	struct item items[JOBS];
	size_t n;
	char order[2 * JOBS + 1]; /* lane and flow of each turn */
	size_t turns, running, most;
	bool hold; /* turns stay running */
	enum job_outcome outcome;
};

static void on_turn(struct turn *t, void *userdata)
{
	struct item *it = userdata;
	struct world *w = it->w;

	w->order[2 * w->turns] = it->lane;
	w->order[2 * w->turns + 1] = it->flow;
	w->turns++;
	if (++w->running > w->most)
		w->most = w->running;
	if (w->hold)
		return;
	w->running--;
	queue_done(w->q, t, w->outcome);
}

static void on_stop(struct timer *t, void *userdata)
{
	struct world *w = userdata;

	(void)t;
	loop_exit(w->loop, 0);
}

static void run(struct world *w, uint64_t ns)
{
	timer_arm(w->stop, ns);
	assert_int_equal(loop_run(w->loop), 0);
}

/* A loop ends once: each run of a test has a world of its own. */
static struct world *world_new(unsigned max, unsigned max_lane)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(queue_new(&w->q, w->loop, max, max_lane), 0);
	assert_int_equal(timer_new_exact(&w->stop, w->loop, on_stop, w), 0);
	w->outcome = JOB_ANSWERED;
	return w;
}

static void world_free(struct world *w)
{
	timer_free(w->stop);
	queue_free(w->q);
	loop_free(w->loop);
	free(w);
}

static void add(struct world *w, char lane, char flow, size_t n)
{
	const char l[2] = {lane}, f[2] = {flow};

	while (n-- > 0) {
		struct item *it = &w->items[w->n++];

		*it = (struct item){.w = w, .lane = lane, .flow = flow};
		it->turn = (struct turn){.taken = on_turn, .userdata = it};
		assert_int_equal(queue_add(w->q, &it->turn, l, f), 0);
	}
}

static size_t count(const struct world *w, size_t from, size_t to, size_t at, char c)
{
	size_t n = 0;

	for (size_t i = from; i < to; i++)
		n += w->order[2 * i + at] == c;
	return n;
}

static void all_get_their_turn(void **state)
{
	struct world *w = world_new(8, 4);

	(void)state;
	add(w, 'a', 'x', 100);
	assert_int_equal(w->turns, 0);
	run(w, MILLISECONDS(20));
	assert_int_equal(w->turns, 100);
	assert_int_equal(queue_waiting(w->q), 0);
	assert_int_equal(queue_running(w->q), 0);
	world_free(w);
}

static void limits_hold(void **state)
{
	struct world *w = world_new(10, 4);

	(void)state;
	w->hold = true;
	for (char lane = 'a'; lane < 'f'; lane++)
		add(w, lane, 'x', 20);
	run(w, MILLISECONDS(20));
	assert_int_equal(w->turns, 10);
	assert_int_equal(queue_running(w->q), 10);
	for (char lane = 'a'; lane < 'f'; lane++)
		assert_in_range(count(w, 0, 10, 0, lane), 1, 4);
	world_free(w);
}

static void a_lane_has_a_limit_of_its_own(void **state)
{
	struct world *w = world_new(100, 4);

	(void)state;
	w->hold = true;
	add(w, 'a', 'x', 50);
	add(w, 'b', 'x', 2);
	run(w, MILLISECONDS(20));
	assert_int_equal(count(w, 0, w->turns, 0, 'a'), 4);
	assert_int_equal(count(w, 0, w->turns, 0, 'b'), 2);
	world_free(w);
}

/* Of two namespaces on a server, one with 200 claims does not hold up one with 10. */
static void flows_take_turns(void **state)
{
	struct world *w = world_new(1, 1);

	(void)state;
	add(w, 'a', 'x', 200);
	add(w, 'a', 'y', 10);
	run(w, MILLISECONDS(50));
	assert_int_equal(w->turns, 210);
	assert_int_equal(count(w, 0, 20, 1, 'y'), 10);
	world_free(w);
}

static void lanes_take_turns(void **state)
{
	struct world *w = world_new(1, 1);

	(void)state;
	add(w, 'a', 'x', 200);
	add(w, 'b', 'x', 10);
	run(w, MILLISECONDS(50));
	assert_int_equal(count(w, 0, 21, 0, 'b'), 10);
	world_free(w);
}

static void paused_gives_no_turn(void **state)
{
	struct world *w = world_new(8, 8);

	(void)state;
	queue_pause(w->q, true);
	add(w, 'a', 'x', 5);
	run(w, MILLISECONDS(20));
	assert_int_equal(w->turns, 0);
	world_free(w);
}

/* A silent server: one probe, then a pause of a second; others are served meanwhile. */
static void a_silent_lane_is_probed(void **state)
{
	struct world *w = world_new(8, 8);
	size_t silent;

	(void)state;
	w->outcome = JOB_SILENT;
	add(w, 'a', 'x', 1);
	add(w, 'a', 'x', 20);
	run(w, MILLISECONDS(50));
	silent = w->turns;
	assert_in_range(silent, 1, 8);
	assert_int_equal(queue_waiting(w->q), 21 - silent);
	world_free(w);
}

static void a_lane_that_answers_again_flows(void **state)
{
	struct world *w = world_new(8, 8);

	(void)state;
	w->hold = true;
	add(w, 'a', 'x', 1);
	add(w, 'a', 'y', 30);
	run(w, MILLISECONDS(10));
	assert_int_equal(w->turns, 8);
	w->hold = false;
	for (size_t i = 0; i < 7; i++)
		queue_done(w->q, &w->items[i].turn, JOB_SILENT);
	queue_done(w->q, &w->items[7].turn, JOB_ANSWERED);
	world_free(w);
}

static void removed_turns_are_none(void **state)
{
	struct world *w = world_new(8, 8);

	(void)state;
	add(w, 'a', 'x', 3);
	queue_remove(w->q, &w->items[1].turn);
	assert_true(turn_idle(&w->items[1].turn));
	queue_remove(w->q, &w->items[1].turn);
	run(w, MILLISECONDS(20));
	assert_int_equal(w->turns, 2);
	world_free(w);
}

/* ---- delays ------------------------------------------------------------------------------ */

struct wait {
	struct delay d;
	struct waits *all;
};

struct waits {
	struct loop *loop;
	struct delays *s;
	struct wait w[300];
	uint64_t order[300];
	size_t fired;
};

static void on_due(struct delay *d, void *userdata)
{
	struct wait *w = userdata;

	assert_false(delay_waits(d));
	w->all->order[w->all->fired++] = d->at;
}

static void on_end(struct delay *d, void *userdata)
{
	struct waits *all = userdata;

	(void)d;
	loop_exit(all->loop, 0);
}

static void delays_fire_in_order(void **state)
{
	struct waits *all = calloc(1, sizeof(*all));
	struct delay end = {.due = on_end, .userdata = all};
	size_t stopped = 0;

	(void)state;
	assert_int_equal(loop_new(&all->loop), 0);
	assert_int_equal(delays_new(&all->s, all->loop), 0);
	for (unsigned i = 0; i < 300; i++) {
		unsigned ms = (i * 7919) % 300;

		all->w[i] = (struct wait){.all = all};
		all->w[i].d = (struct delay){.due = on_due, .userdata = &all->w[i]};
		assert_int_equal(delay_start(all->s, &all->w[i].d, MILLISECONDS(ms) / 10), 0);
	}
	assert_int_equal(delay_start(all->s, &end, MILLISECONDS(60)), 0);
	for (unsigned i = 0; i < 300; i += 3) {
		delay_stop(all->s, &all->w[i].d);
		stopped++;
	}
	assert_int_equal(delays_size(all->s), 301 - stopped);
	assert_int_equal(loop_run(all->loop), 0);
	assert_int_equal(all->fired, 300 - stopped);
	for (size_t i = 1; i < all->fired; i++)
		assert_true(all->order[i - 1] <= all->order[i]);
	delays_free(all->s);
	loop_free(all->loop);
	free(all);
}

static void a_delay_that_starts_again_moves(void **state)
{
	struct waits *all = calloc(1, sizeof(*all));
	struct delay end = {.due = on_end, .userdata = all};
	uint64_t begun = clock_now();

	(void)state;
	assert_int_equal(loop_new(&all->loop), 0);
	assert_int_equal(delays_new(&all->s, all->loop), 0);
	assert_int_equal(delay_start(all->s, &end, SECONDS(3600)), 0);
	assert_int_equal(delay_start(all->s, &end, MILLISECONDS(5)), 0);
	assert_int_equal(delays_size(all->s), 1);
	assert_int_equal(loop_run(all->loop), 0);
	assert_true(clock_now() - begun < SECONDS(2));
	delays_free(all->s);
	loop_free(all->loop);
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_get_their_turn),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(a_lane_has_a_limit_of_its_own),
		cmocka_unit_test(flows_take_turns),
		cmocka_unit_test(lanes_take_turns),
		cmocka_unit_test(paused_gives_no_turn),
		cmocka_unit_test(a_silent_lane_is_probed),
		cmocka_unit_test(a_lane_that_answers_again_flows),
		cmocka_unit_test(removed_turns_are_none),
		cmocka_unit_test(delays_fire_in_order),
		cmocka_unit_test(a_delay_that_starts_again_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
