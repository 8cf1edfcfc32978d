/* SPDX-License-Identifier: Apache-2.0 */
/* test_provisioner_jobs.c: turns, pauses and ends of jobs, and what comes in between */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "fault.h"
#include "provisioner/jobs.h"
#include "provisioner/provisioner.h"

#define LANE "api"
#define SOON MILLISECONDS(1)

struct world {
	struct config config;
	struct provisioner p;
	struct jobs *set;
	struct timer *stop;
	size_t turns, dues, gone, most;
};

/* What a job does when its turn comes. */
enum way {
	WAY_END,   /* it is dropped */
	WAY_RUN,   /* goes on running */
	WAY_AGAIN, /* queues itself, then ends */
	WAY_LATER, /* is due soon, then ends */
	WAY_RETRY, /* the same, after its back-off */
};

struct item {
	struct job job;
	struct world *w;
	char *held; /* memory of its own */
	enum way way;
};

static void on_turn(void *obj)
{
	struct item *it = obj;
	struct job *j = &it->job;
	struct world *w = it->w;
	enum way way = it->way;

	assert_true(j->turn.running);
	assert_false(job_is_idle(j));
	w->turns++;
	if (queue_running(w->set->queue) > w->most)
		w->most = queue_running(w->set->queue);
	if (way == WAY_RUN)
		return;
	job_done(j, JOB_DONE);
	assert_true(job_is_idle(j));
	it->way = WAY_END;
	if (way == WAY_AGAIN)
		job_queue(j, LANE, "");
	else if (way == WAY_LATER)
		job_later(j, SOON);
	else if (way == WAY_RETRY)
		job_retry(j);
	else
		job_drop(j);
}

static void on_due(void *obj)
{
	struct item *it = obj;

	assert_true(job_is_idle(&it->job));
	it->w->dues++;
	job_queue(&it->job, LANE, "");
}

static void on_gone(void *obj)
{
	struct item *it = obj;

	it->w->gone++;
	free(it->held);
}

static const struct job_kind kind = {
	.size = sizeof(struct item),
	.turn = on_turn,
	.due = on_due,
	.gone = on_gone,
	.what = "item",
	.until = "better times",
};

static void on_stop(struct timer *t, void *userdata)
{
	struct world *w = userdata;

	(void)t;
	loop_exit(w->p.loop, 0);
}

/* Until nothing is left to happen. A loop ends once: a world has one run. */
static void run(struct world *w)
{
	timer_arm(w->stop, MILLISECONDS(200));
	assert_int_equal(loop_run(w->p.loop), 0);
}

static struct world *world_new(unsigned max)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->config.retry.min = SOON;
	w->config.retry.max = 4 * SOON;
	w->p.config = &w->config;
	w->p.leading = w->p.synced = true;
	assert_int_equal(loop_new(&w->p.loop), 0);
	assert_int_equal(delays_new(&w->p.delays, w->p.loop), 0);
	assert_int_equal(timer_new_exact(&w->stop, w->p.loop, on_stop, w), 0);
	assert_int_equal(jobs_new(&w->set, &w->p, &kind, max, max), 0);
	return w;
}

static void world_free(struct world *w)
{
	jobs_free(w->set);
	timer_free(w->stop);
	delays_free(w->p.delays);
	loop_free(w->p.loop);
	free(w);
}

static struct item *add(struct world *w, const char *name, enum way way)
{
	struct item *it = jobs_add(w->set, name);

	if (!it)
		return NULL;
	it->w = w;
	it->way = way;
	it->held = strdup(name);
	return it;
}

static struct item *begin(struct world *w, const char *name, enum way way)
{
	struct item *it = add(w, name, way);

	assert_non_null(it);
	job_queue(&it->job, LANE, "");
	return it;
}

static void a_job_has_its_turn_later(void **state)
{
	struct world *w = world_new(8);
	struct item *it = add(w, "a", WAY_END);

	(void)state;
	assert_true(job_is_idle(&it->job));
	assert_string_equal(it->job.name, "a");
	job_queue(&it->job, LANE, "");
	assert_false(job_is_idle(&it->job));
	assert_false(it->job.turn.running);
	assert_int_equal(w->turns, 0);
	run(w);
	assert_int_equal(w->turns, 1);
	assert_int_equal(w->gone, 1);
	assert_int_equal(w->set->by_name.size, 0);
	world_free(w);
}

static void a_name_is_there_once(void **state)
{
	struct world *w = world_new(8);
	struct item *it = begin(w, "a", WAY_RUN);

	(void)state;
	assert_null(jobs_add(w->set, "a"));
	assert_ptr_equal(map_gets(&w->set->by_name, "a"), it);
	assert_null(map_gets(&w->set->by_name, "b"));
	world_free(w);
}

/* What has to run once more says so while it runs, and is not run beside itself. */
static void a_job_comes_again(void **state)
{
	static const enum way ways[] = {WAY_AGAIN, WAY_LATER, WAY_RETRY};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
		struct world *w = world_new(8);

		begin(w, "a", ways[i]);
		run(w);
		assert_int_equal(w->turns, 2);
		assert_int_equal(w->dues, ways[i] == WAY_AGAIN ? 0 : 1);
		assert_int_equal(w->most, 1);
		assert_int_equal(w->gone, 1);
		world_free(w);
	}
}

/* Queued while it runs, without an end first: the turn that it had is given back. */
static void a_running_job_that_is_queued_waits(void **state)
{
	struct world *w = world_new(1);
	struct item *it = begin(w, "a", WAY_RUN);

	(void)state;
	run(w);
	assert_int_equal(queue_running(w->set->queue), 1);
	job_queue(&it->job, "elsewhere", "");
	assert_int_equal(queue_running(w->set->queue), 0);
	assert_false(it->job.turn.running);
	assert_true(queue_lane_is(&it->job.turn, "elsewhere"));
	world_free(w);
}

static void only_so_many_run(void **state)
{
	struct world *w = world_new(3);
	size_t running = 0;
	const struct item *it;

	(void)state;
	for (char name[2] = "a"; *name < 'k'; (*name)++)
		begin(w, name, WAY_RUN);
	run(w);
	MAP_FOREACH (&w->set->by_name, it)
		running += it->job.turn.running;
	assert_int_equal(running, 3);
	assert_int_equal(queue_running(w->set->queue), 3);
	assert_int_equal(w->set->by_name.size, 10);
	world_free(w);
}

static void pauses_grow(void **state)
{
	struct world *w = world_new(1);
	struct item *it = begin(w, "a", WAY_RUN);
	uint64_t before, first, second;

	(void)state;
	before = clock_now();
	job_retry(&it->job);
	first = it->job.delay.at - before;
	before = clock_now();
	job_retry(&it->job);
	second = it->job.delay.at - before;
	assert_true(delay_waits(&it->job.delay));
	assert_in_range(first, w->config.retry.min, SECONDS(1));
	assert_in_range(second, 2 * w->config.retry.min, SECONDS(1));
	assert_int_equal(it->job.backoff.tries, 2);
	world_free(w);
}

/* A job that is queued is not due as well. */
static void a_turn_ends_a_pause(void **state)
{
	struct world *w = world_new(1);
	struct item *it = add(w, "a", WAY_RUN);

	(void)state;
	job_later(&it->job, SOON);
	job_queue(&it->job, LANE, "");
	assert_false(delay_waits(&it->job.delay));
	run(w);
	assert_int_equal(w->dues, 0);
	assert_int_equal(w->turns, 1);
	world_free(w);
}

/* Not leading any more: what runs may end, what waits for its time goes, nothing has a turn. */
static void stopped_while_it_runs(void **state)
{
	struct world *w = world_new(8);
	struct item *ends = begin(w, "ends", WAY_RUN), *later = add(w, "later", WAY_END);

	(void)state;
	run(w);
	assert_int_equal(w->turns, 1);
	w->p.leading = false;
	queue_pause(w->set->queue, true);
	job_later(&later->job, 0);
	begin(w, "queued", WAY_END);
	later->job.delay.due(&later->job.delay, later->job.delay.userdata);
	assert_null(map_gets(&w->set->by_name, "later"));
	assert_int_equal(w->dues, 0);
	assert_int_equal(queue_running(w->set->queue), 1);
	job_done(&ends->job, JOB_ANSWERED);
	assert_int_equal(queue_running(w->set->queue), 0);
	world_free(w);
}

/* The end of the set, with a job in every state: each gives back what it holds (sanitizers). */
static void freed_while_all_is_there(void **state)
{
	struct world *w = world_new(1);
	struct jobs *set = w->set;

	(void)state;
	begin(w, "running", WAY_RUN);
	begin(w, "queued", WAY_RUN);
	job_later(&add(w, "delayed", WAY_RUN)->job, SECONDS(60));
	add(w, "idle", WAY_RUN);
	run(w);
	assert_int_equal(queue_running(set->queue), 1);
	w->set = jobs_free(set);
	assert_int_equal(w->gone, 4);
	assert_int_equal(delays_size(w->p.delays), 0);
	world_free(w);
}

static void a_job_can_be_dropped_in_every_state(void **state)
{
	struct world *w = world_new(1);
	struct item *running = begin(w, "a", WAY_RUN), *queued = begin(w, "b", WAY_RUN),
		    *delayed = add(w, "c", WAY_RUN);

	(void)state;
	run(w);
	job_later(&delayed->job, SECONDS(60));
	job_drop(&delayed->job);
	assert_int_equal(delays_size(w->p.delays), 0);
	job_drop(&queued->job);
	job_drop(&running->job);
	assert_int_equal(queue_running(w->set->queue), 0);
	assert_int_equal(w->set->by_name.size, 0);
	assert_int_equal(w->gone, 3);
	world_free(w);
}

/* Each allocation fails once: a job that is there runs after all, or is dropped. */
static void memory_is_short(void **state)
{
	bool fired = true;

	(void)state;
	for (unsigned long k = 1; fired; k++) {
		struct world *w = world_new(8);
		struct item *now, *later;
		size_t made;

		fault_arm(k);
		now = add(w, "now", WAY_LATER);
		if (now)
			job_queue(&now->job, LANE, "");
		later = add(w, "later", WAY_AGAIN);
		if (later)
			job_later(&later->job, SOON);
		made = (now != NULL) + (later != NULL);
		run(w);
		fired = fault_fired();
		fault_disarm();
		assert_true(made == 2 || fired);
		assert_int_equal(w->gone, made);
		assert_int_equal(w->set->by_name.size, 0);
		assert_in_range(w->turns, fired ? 2 : 4, 4);
		world_free(w);
	}
}

static void no_memory_for_a_set(void **state)
{
	struct world *w = world_new(8);

	(void)state;
	FAULT_LOOP
	{
		struct jobs *set = NULL;
		int r = jobs_new(&set, &w->p, &kind, 8, 8);

		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		jobs_free(set);
	}
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_has_its_turn_later),
		cmocka_unit_test(a_name_is_there_once),
		cmocka_unit_test(a_job_comes_again),
		cmocka_unit_test(a_running_job_that_is_queued_waits),
		cmocka_unit_test(only_so_many_run),
		cmocka_unit_test(pauses_grow),
		cmocka_unit_test(a_turn_ends_a_pause),
		cmocka_unit_test(stopped_while_it_runs),
		cmocka_unit_test(freed_while_all_is_there),
		cmocka_unit_test(a_job_can_be_dropped_in_every_state),
		cmocka_unit_test(memory_is_short),
		cmocka_unit_test(no_memory_for_a_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
