/* SPDX-License-Identifier: Apache-2.0 */
/* test_worker_end.c: calls cancelled and pools freed in every state, parents that die */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/unit/worker_world.h"

static void cancelled_while_starting(void **state)
{
	struct shot s = {0}, other = {0};
	WORLD(w, .window = 1);

	(void)state;
	shoot(&w, &s, "a", DEED_ECHO);
	shoot(&w, &other, "a", DEED_ECHO);
	worker_call_cancel(s.call);
	world_wait(&w, 1);
	assert_int_equal(s.calls, 0);
	assert_int_equal(other.r, 5);
	assert_int_equal(world_stats(&w).waiting + world_stats(&w).inflight, 0);
}

/* The reply to a cancelled request is expected and dropped; its place in the window is kept. */
static void cancelled_in_flight(void **state)
{
	struct shot s = {0}, other = {0};
	WORLD(w, .window = 1);
	pid_t pid = world_pid(&w, "a");

	(void)state;
	shoot(&w, &s, "a", DEED_ECHO);
	assert_int_equal(world_stats(&w).inflight, 1);
	worker_call_cancel(s.call);
	shoot(&w, &other, "a", DEED_ECHO);
	assert_int_equal(world_stats(&w).waiting, 1);
	world_wait(&w, 1);
	assert_int_equal(s.calls, 0);
	assert_int_equal(other.r, 5);
	assert_int_equal(world_pid(&w, "a"), pid);
}

static void cancelled_and_stuck_is_killed_at_its_deadline(void **state)
{
	struct worker_request q = world_request("a", DEED_HANG, "x");
	struct shot s = {0}, other = {0};
	WORLD(w, .window = 1);

	(void)state;
	world_pid(&w, "a");
	q.deadline_ns = MILLISECONDS(50);
	assert_int_equal(shoot_request(&w, &s, &q), 0);
	worker_call_cancel(s.call);
	shoot(&w, &other, "a", DEED_ECHO);
	world_wait(&w, 1);
	assert_int_equal(other.r, 5);
	assert_int_equal(s.calls, 0);
	assert_int_equal(world_stats(&w).killed, 1);
}

static void cancelled_in_back_off(void **state)
{
	struct worker_request q = world_request("a", DEED_ECHO, "x");
	struct shot s = {0};
	WORLD(w, .window = 1);

	(void)state;
	q.init = "fail";
	q.init_size = 4;
	assert_int_equal(shoot_request(&w, &s, &q), 0);
	for (int i = 0; i < 100 && !streq(world_state(&w, "a"), "backoff"); i++)
		world_run(&w, 1);
	worker_call_cancel(s.call);
	world_run(&w, 100);
	assert_int_equal(s.calls, 0);
	assert_string_equal(world_state(&w, "a"), "none");
}

static struct shot *to_cancel;

static void cancel_other(struct shot *s)
{
	(void)s;
	worker_call_cancel(to_cancel->call);
}

/* Both ended with the worker, neither was told yet; the first one's callback cancels the second. */
static void cancelled_after_its_end(void **state)
{
	struct shot first = {.then = cancel_other}, second = {0};
	WORLD(w, .window = 2);
	pid_t pid = world_pid(&w, "a");

	(void)state;
	shoot(&w, &first, "a", DEED_HANG);
	shoot(&w, &second, "a", DEED_HANG);
	to_cancel = &second;
	world_run(&w, 10);
	assert_int_equal(kill(pid, SIGKILL), 0);
	world_wait(&w, 1);
	world_run(&w, 20);
	assert_int_equal(first.r, -ECONNRESET);
	assert_int_equal(second.calls, 0);
}

static void cancelled_in_its_own_callback(void **state)
{
	struct shot s = {.then = cancel_other};
	WORLD(w, .window = 2);

	(void)state;
	to_cancel = &s;
	shoot(&w, &s, "a", DEED_ECHO);
	world_wait(&w, 1);
	assert_int_equal(s.calls, 1);
	worker_call_cancel(NULL);
}

/* ---- the pool's own end -------------------------------------------------------------------- */

static void free_pool(struct shot *s)
{
	s->world->pool = worker_pool_free(s->world->pool);
}

static void freed_in_a_reply(void **state)
{
	struct shot s = {.then = free_pool}, more[5] = {0};
	WORLD(w, .window = 10);

	(void)state;
	shoot(&w, &s, "a", DEED_ECHO);
	for (size_t i = 0; i < 5; i++)
		shoot(&w, &more[i], i % 2 ? "a" : "b", DEED_ECHO);
	for (int i = 0; i < 200 && w.pool; i++)
		world_run(&w, 5);
	assert_null(w.pool);
	world_run(&w, 20);
	assert_int_equal(s.calls, 1);
}

static void freed_in_an_end(void **state)
{
	struct shot s = {.then = free_pool}, more = {0};
	WORLD(w, .window = 10);

	(void)state;
	shoot(&w, &s, "a", DEED_HANG);
	shoot(&w, &more, "a", DEED_EXIT);
	world_wait(&w, 1);
	world_run(&w, 20);
	assert_null(w.pool);
	assert_int_equal(more.calls, 0);
}

/* In every state at once; afterwards no child is left. */
static void freed_with_everything_in_it(void **state)
{
	struct shot shots[5] = {0};
	struct worker_request never = world_request("never", DEED_ECHO, "x");
	struct worker_request fails = world_request("fails", DEED_ECHO, "x");

	(void)state;
	never.init = "never";
	never.init_size = 5;
	fails.init = "fail";
	fails.init_size = 4;
	{
		WORLD(w, .window = 1);
		assert_int_equal(shoot_request(&w, &shots[0], &never), 0);
		assert_int_equal(shoot_request(&w, &shots[1], &fails), 0);
		shoot(&w, &shots[2], "stuck", DEED_STOP);
		shoot(&w, &shots[3], "stuck", DEED_ECHO);
		world_run(&w, 100);
		shoot(&w, &shots[4], "new", DEED_ECHO);
	}
	for (size_t i = 0; i < ELEMENTSOF(shots); i++)
		assert_int_equal(shots[i].calls, 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* The parent is killed, and its worker goes with it. */
static void worker_ends_with_its_parent(void **state)
{
	char text[32] = "";
	int pipes[2], status;
	pid_t parent, worker;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	parent = fork();
	if (parent == 0) {
		struct shot stop = {0};
		struct world w;

		world_init(&w, &(struct worker_options){.window = 1});
		worker = world_pid(&w, "a");
		/* Stopped, so that it cannot see its socket's end. */
		shoot(&w, &stop, "a", DEED_STOP);
		world_run(&w, 50);
		dprintf(pipes[1], "%d", (int)worker);
		raise(SIGKILL);
	}
	close(pipes[1]);
	assert_int_equal(waitpid(parent, &status, 0), parent);
	assert_true(WIFSIGNALED(status));
	assert_true(read(pipes[0], text, sizeof(text) - 1) > 0);
	close(pipes[0]);
	worker = (pid_t)strtol(text, NULL, 10);
	assert_true(worker > 1);
	for (int i = 0; i < 200; i++) {
		char path[64], stat[128] = "";
		FILE *f;

		assert_true(str_format(path, sizeof(path), "/proc/%d/stat", (int)worker) >= 0);
		f = fopen(path, "re");
		if (!f)
			return;
		if (fgets(stat, sizeof(stat), f) && strstr(stat, ") Z")) {
			fclose(f);
			return;
		}
		fclose(f);
		usleep(10000);
	}
	kill(worker, SIGKILL);
	fail_msg("worker %d outlived its parent", (int)worker);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cancelled_while_starting),
		cmocka_unit_test(cancelled_in_flight),
		cmocka_unit_test(cancelled_and_stuck_is_killed_at_its_deadline),
		cmocka_unit_test(cancelled_in_back_off),
		cmocka_unit_test(cancelled_after_its_end),
		cmocka_unit_test(cancelled_in_its_own_callback),
		cmocka_unit_test(freed_in_a_reply),
		cmocka_unit_test(freed_in_an_end),
		cmocka_unit_test(freed_with_everything_in_it),
		cmocka_unit_test(worker_ends_with_its_parent),
	};

	if (argc > 1 && streq(argv[1], "--worker"))
		return worker_world_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
