/* SPDX-License-Identifier: Apache-2.0 */
/* test_worker_pool.c: calls, windows, deadlines, deaths, back-off, idleness */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "tests/unit/worker_world.h"
#include "worker/frame.h"
#include "worker/lane.h"

static void one_call(void **state)
{
	struct shot s = {.calls = 0};
	WORLD(w, .window = 4);

	(void)state;
	shoot(&w, &s, "a", DEED_ECHO);
	assert_int_equal(s.calls, 0);
	assert_string_equal(world_state(&w, "a"), "starting");
	world_wait(&w, 1);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.r, 5);
	assert_true(s.sent);
	assert_string_equal(s.body, "hello");
	assert_string_equal(world_state(&w, "a"), "ready");
	assert_int_equal(world_stats(&w).started, 1);
}

static void result_of_the_worker_comes_through(void **state)
{
	struct shot s = {.calls = 0};
	WORLD(w, .window = 4);

	(void)state;
	shoot(&w, &s, "a", DEED_ERROR);
	world_wait(&w, 1);
	assert_int_equal(s.r, -ENOSPC);
	assert_string_equal(s.text, "");
}

static void same_worker_for_a_key_another_for_another(void **state)
{
	WORLD(w, .window = 4);
	pid_t a = world_pid(&w, "a");

	(void)state;
	assert_int_equal(world_pid(&w, "a"), a);
	assert_int_not_equal(world_pid(&w, "b"), a);
	assert_int_equal(world_stats(&w).workers, 2);
}

/* What a worker must not inherit, and what it must. */
static void worker_inherits_nothing(void **state)
{
	struct shot s = {.calls = 0};
	int leak = dup(0); /* without close-on-exec, on purpose */
	WORLD(w, .window = 4);

	(void)state;
	assert_true(leak >= 0);
	signal(SIGPIPE, SIG_IGN);
	shoot(&w, &s, "a", DEED_STATE);
	world_wait(&w, 1);
	assert_string_equal(
		s.body, "fds=0,1,2,3, blocked=0 ignored=0 leader=1 death=9 stdout=/dev/null");
	close(leak);
}

static size_t most_in_flight;

static void note_in_flight(struct shot *s)
{
	struct worker_stats now = world_stats(s->world);

	if (now.inflight > most_in_flight)
		most_in_flight = now.inflight;
}

static void window_bounds_what_is_in_flight(void **state)
{
	struct shot shots[50] = {0};
	WORLD(w, .window = 3);

	(void)state;
	most_in_flight = 0;
	for (size_t i = 0; i < ELEMENTSOF(shots); i++) {
		shots[i].then = note_in_flight;
		shoot(&w, &shots[i], "a", DEED_ECHO);
	}
	world_wait(&w, ELEMENTSOF(shots));
	assert_in_range(most_in_flight, 1, 3);
	for (size_t i = 0; i < ELEMENTSOF(shots); i++)
		assert_int_equal(shots[i].calls, 1);
}

static void full_queue_refuses(void **state)
{
	struct shot shots[6] = {0};
	struct worker_request q = world_request("a", DEED_ECHO, "x");
	WORLD(w, .window = 1, .queue_max = 5);

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(shoot_request(&w, &shots[i], &q), 0);
	assert_int_equal(shoot_request(&w, &shots[5], &q), -ENOBUFS);
	world_wait(&w, 5);
	assert_int_equal(shots[5].calls, 0);
	assert_int_equal(shoot_request(&w, &shots[5], &q), 0);
	world_wait(&w, 1);
}

static void too_large_is_refused(void **state)
{
	struct worker_request q = world_request("a", DEED_ECHO, "x");
	_cleanup_free_ char *big = calloc(1, FRAME_BODY_MAX + 1);
	struct shot s = {.calls = 0};
	char key[1000];
	WORLD(w, .window = 1);

	(void)state;
	assert_non_null(big);
	q.body = big;
	q.size = FRAME_BODY_MAX + 1;
	assert_int_equal(shoot_request(&w, &s, &q), -EMSGSIZE);
	q.size = FRAME_BODY_MAX;
	assert_int_equal(shoot_request(&w, &s, &q), 0);
	world_wait(&w, 1);
	assert_int_equal(s.size, FRAME_BODY_MAX);
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	q.key = key;
	assert_int_equal(shoot_request(&w, &s, &q), -ENAMETOOLONG);
}

/* ---- deadlines ----------------------------------------------------------------------------- */

/* The stuck one ends at its deadline and takes its worker along; what was in flight beside it has
 * an unknown outcome, what waited goes to the next worker, other keys notice nothing. */
static void deadline_kills_the_worker(void **state)
{
	struct shot hang = {0}, beside = {0}, waiting = {0}, other = {0};
	struct worker_request q = world_request("a", DEED_HANG, "x");
	WORLD(w, .window = 2);
	pid_t pid = world_pid(&w, "a");

	(void)state;
	q.deadline_ns = MILLISECONDS(60);
	assert_int_equal(shoot_request(&w, &hang, &q), 0);
	shoot(&w, &beside, "a", DEED_HANG);
	shoot(&w, &waiting, "a", DEED_ECHO);
	shoot(&w, &other, "b", DEED_ECHO);
	world_wait(&w, 4);
	assert_int_equal(hang.r, -ETIMEDOUT);
	assert_true(hang.sent);
	assert_non_null(strstr(hang.text, "did not answer"));
	assert_int_equal(beside.r, -ECONNRESET);
	assert_true(beside.sent);
	assert_int_equal(waiting.r, 5);
	assert_int_equal(other.r, 5);
	world_wait_reaped(&w, pid);
	assert_int_equal(world_stats(&w).killed, 1);
	assert_int_equal(world_stats(&w).started, 3);
}

/* A SIGSTOPped worker stalls its own key only, and SIGKILL ends it all the same. */
static void stopped_worker_stalls_its_key_only(void **state)
{
	struct shot stop = {0}, after = {0}, others[20] = {0};
	struct worker_request q = world_request("a", DEED_STOP, "x");
	WORLD(w, .window = 4);
	uint64_t start = clock_now();

	(void)state;
	q.deadline_ns = MILLISECONDS(300);
	assert_int_equal(shoot_request(&w, &stop, &q), 0);
	shoot(&w, &after, "a", DEED_ECHO);
	for (size_t i = 0; i < ELEMENTSOF(others); i++)
		shoot(&w, &others[i], "b", DEED_ECHO);
	world_wait(&w, ELEMENTSOF(others));
	for (size_t i = 0; i < ELEMENTSOF(others); i++)
		assert_int_equal(others[i].r, 5);
	assert_int_equal(stop.calls, 0);
	world_wait(&w, 2);
	assert_int_equal(stop.r, -ETIMEDOUT);
	/* It had been sent beside the stuck one: nobody knows. */
	assert_int_equal(after.r, -ECONNRESET);
	assert_true(clock_now() - start >= MILLISECONDS(300));
}

static void deadlines_end_in_their_order(void **state)
{
	static const unsigned ms[] = {90, 30, 60};
	struct shot shots[3] = {0};
	WORLD(w, .window = 1, .start_ns = SECONDS(5));

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct worker_request q = world_request("a", DEED_ECHO, "x");

		q.init = "never";
		q.init_size = 5;
		q.deadline_ns = MILLISECONDS(ms[i]);
		assert_int_equal(shoot_request(&w, &shots[i], &q), 0);
	}
	world_wait(&w, 1);
	assert_int_equal(shots[1].calls, 1);
	world_wait(&w, 1);
	assert_int_equal(shots[2].calls, 1);
	world_wait(&w, 1);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(shots[i].r, -ETIMEDOUT);
		assert_false(shots[i].sent);
	}
}

/* ---- deaths -------------------------------------------------------------------------------- */

static void killed_in_the_middle_of_a_request(void **state)
{
	struct shot hang = {0}, waiting = {0};
	WORLD(w, .window = 1);
	pid_t pid = world_pid(&w, "a");

	(void)state;
	shoot(&w, &hang, "a", DEED_HANG);
	shoot(&w, &waiting, "a", DEED_ECHO);
	world_run(&w, 10);
	assert_int_equal(kill(pid, SIGKILL), 0);
	world_wait(&w, 2);
	assert_int_equal(hang.r, -ECONNRESET);
	assert_true(hang.sent);
	assert_non_null(strstr(hang.text, "signal 9"));
	assert_int_equal(waiting.r, 5);
	assert_int_equal(world_stats(&w).killed, 0);
}

static void exit_status_is_told(void **state)
{
	struct shot s = {0};
	WORLD(w, .window = 1);

	(void)state;
	shoot(&w, &s, "a", DEED_EXIT);
	world_wait(&w, 1);
	assert_int_equal(s.r, -ECONNRESET);
	assert_non_null(strstr(s.text, "status 3"));
}

static void last_word_counts(void **state)
{
	struct shot s = {0}, next = {0};
	WORLD(w, .window = 1);

	(void)state;
	shoot(&w, &s, "a", DEED_LAST_WORD);
	shoot(&w, &next, "a", DEED_ECHO);
	world_wait(&w, 2);
	assert_int_equal(s.r, 3);
	assert_string_equal(s.body, "bye");
	assert_true(next.calls == 1);
}

/* Both halves of an end that come alone: a closed socket, a dead process. */
static void half_ends_are_ends(void **state)
{
	struct shot mute = {0}, heir = {0};
	WORLD(w, .window = 1);

	(void)state;
	shoot(&w, &mute, "a", DEED_MUTE);
	shoot(&w, &heir, "b", DEED_HEIR);
	world_wait(&w, 2);
	assert_int_equal(mute.r, -ECONNRESET);
	assert_non_null(strstr(mute.text, "closed its socket"));
	assert_int_equal(heir.r, -ECONNRESET);
	assert_non_null(strstr(heir.text, "status 4"));
}

/* ---- starts that fail ---------------------------------------------------------------------- */

struct failing {
	const char *init;
	unsigned start_ms;
	int r;
	const char *text;
};

static void failed_start_is_told_at_the_deadline(void **state)
{
	static const struct failing cases[] = {
		{"fail", 5000, -ECONNREFUSED, "server says \\x1b[31mno"},
		{"silent", 5000, -EHOSTUNREACH, "could not start"},
		{"exit", 5000, -EHOSTUNREACH, "status 3"},
		{"early", 5000, -EPROTO, "not its ready reply"},
		{"never", 100, -EHOSTUNREACH, "not ready within 0.1 s"},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct worker_request q = world_request("a", DEED_ECHO, "x");
		struct shot s = {0};
		uint64_t start = clock_now();
		WORLD(w, .window = 1, .start_ns = MILLISECONDS(cases[i].start_ms));

		q.init = cases[i].init;
		q.init_size = strlen(q.init);
		q.deadline_ns = MILLISECONDS(500);
		assert_int_equal(shoot_request(&w, &s, &q), 0);
		world_wait(&w, 1);
		assert_int_equal(s.r, cases[i].r);
		assert_false(s.sent);
		if (!strstr(s.text, cases[i].text))
			fail_msg("%s: %s", cases[i].init, s.text);
		assert_true(clock_now() - start >= MILLISECONDS(500));
		assert_true(world_stats(&w).failed >= 1);
		assert_int_equal(world_stats(&w).killed, 0);
	}
}

static void missing_program_is_told(void **state)
{
	struct worker_request q = world_request("a", DEED_ECHO, "x");
	struct shot s = {0};
	WORLD(w, .window = 1, .program = "/nonexistent/berth-nfs");

	(void)state;
	q.deadline_ns = MILLISECONDS(100);
	assert_int_equal(shoot_request(&w, &s, &q), 0);
	world_wait(&w, 1);
	assert_int_equal(s.r, -ENOENT);
	assert_string_equal(s.text, "cannot run /nonexistent/berth-nfs: No such file or directory");
}

/* 20, 40, 80, 160, 160, ... with up to a fifth more: about 5 starts in 600 ms, not 100. */
static void failed_starts_back_off(void **state)
{
	struct worker_request q = world_request("a", DEED_ECHO, "x");
	struct shot s = {0};
	WORLD(w, .window = 1, .backoff_min_ns = MILLISECONDS(20),
		.backoff_max_ns = MILLISECONDS(160));

	(void)state;
	q.init = "fail";
	q.init_size = 4;
	q.deadline_ns = MILLISECONDS(600);
	assert_int_equal(shoot_request(&w, &s, &q), 0);
	for (int i = 0; i < 300 && !streq(world_state(&w, "a"), "backoff"); i++)
		world_run(&w, 1);
	assert_string_equal(world_state(&w, "a"), "backoff");
	world_wait(&w, 1);
	assert_in_range(world_stats(&w).failed, 2, 7);
	/* Nobody waits any more: no start either. */
	for (int i = 0; i < 300 && !streq(world_state(&w, "a"), "none"); i++)
		world_run(&w, 10);
	assert_string_equal(world_state(&w, "a"), "none");
	assert_in_range(world_stats(&w).failed, 2, 7);
}

static void waiting_calls_survive_failed_starts(void **state)
{
	struct worker_request q = world_request("a", DEED_ECHO, "hello");
	struct shot first = {0}, second = {0};
	WORLD(w, .window = 1, .backoff_max_ns = MILLISECONDS(10));

	(void)state;
	q.init = "fail";
	q.init_size = 4;
	assert_int_equal(shoot_request(&w, &first, &q), 0);
	world_run(&w, 50);
	assert_int_equal(first.calls, 0);
	/* The newest init body is the next start's. */
	shoot(&w, &second, "a", DEED_ECHO);
	world_wait(&w, 2);
	assert_int_equal(first.r, 5);
	assert_int_equal(second.r, 5);
}

/* ---- idleness ------------------------------------------------------------------------------ */

static void idle_worker_ends(void **state)
{
	WORLD(w, .window = 1, .idle_ns = MILLISECONDS(300));
	pid_t pid = world_pid(&w, "a");

	(void)state;
	world_run(&w, 50);
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(world_pid(&w, "a"), pid);
	world_run(&w, 1200);
	assert_int_equal(kill(pid, 0), -1);
	assert_string_equal(world_state(&w, "a"), "");
	assert_int_equal(world_stats(&w).killed, 0);
	assert_int_not_equal(world_pid(&w, "a"), pid);
}

static void busy_worker_is_not_idle(void **state)
{
	struct worker_request q = world_request("a", DEED_HANG, "x");
	struct shot s = {0};
	WORLD(w, .window = 1, .idle_ns = MILLISECONDS(30));

	(void)state;
	q.deadline_ns = MILLISECONDS(200);
	assert_int_equal(shoot_request(&w, &s, &q), 0);
	world_wait(&w, 1);
	assert_int_equal(s.r, -ETIMEDOUT);
}

static void table_is_whole(void **state)
{
	bool reached[_LANE_STATE_MAX] = {false};

	(void)state;
	for (size_t i = 0; i < lane_table.n_edges; i++)
		reached[lane_table.edges[i].to] = true;
	for (size_t i = 0; i < _LANE_STATE_MAX; i++)
		assert_true(reached[i]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_call),
		cmocka_unit_test(result_of_the_worker_comes_through),
		cmocka_unit_test(same_worker_for_a_key_another_for_another),
		cmocka_unit_test(worker_inherits_nothing),
		cmocka_unit_test(window_bounds_what_is_in_flight),
		cmocka_unit_test(full_queue_refuses),
		cmocka_unit_test(too_large_is_refused),
		cmocka_unit_test(deadline_kills_the_worker),
		cmocka_unit_test(stopped_worker_stalls_its_key_only),
		cmocka_unit_test(deadlines_end_in_their_order),
		cmocka_unit_test(killed_in_the_middle_of_a_request),
		cmocka_unit_test(exit_status_is_told),
		cmocka_unit_test(last_word_counts),
		cmocka_unit_test(half_ends_are_ends),
		cmocka_unit_test(failed_start_is_told_at_the_deadline),
		cmocka_unit_test(missing_program_is_told),
		cmocka_unit_test(failed_starts_back_off),
		cmocka_unit_test(waiting_calls_survive_failed_starts),
		cmocka_unit_test(idle_worker_ends),
		cmocka_unit_test(busy_worker_is_not_idle),
		cmocka_unit_test(table_is_whole),
	};

	if (argc > 1 && streq(argv[1], "--worker"))
		return worker_world_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
