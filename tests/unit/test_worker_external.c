/* SPDX-License-Identifier: Apache-2.0 */
/* test_worker_external.c: a pool whose workers somebody else starts, kills and reaps */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/unit/fault.h"
#include "tests/unit/worker_world.h"
#include "worker/spawn.h"

#define CHILDREN 4

/* The other side: forks this program as worker, and reports ends when the test says so. */
static struct {
	struct {
		char key[16];
		pid_t pid;
	} children[CHILDREN];
	unsigned starts, kills;
	int refuse; /* of the next start, at once */
	bool mute;  /* does not start, says nothing */
} other;

static int start(const char *key, int fd, void *userdata)
{
	static const char *const argv[] = {"worker", "--worker", NULL};

	assert_ptr_equal(userdata, &other);
	other.starts++;
	if (other.refuse < 0)
		return other.refuse;
	for (size_t i = 0; i < CHILDREN && !other.mute; i++) {
		if (other.children[i].pid > 0)
			continue;
		str_copy_cut(other.children[i].key, sizeof(other.children[i].key), key);
		return spawn(&other.children[i].pid, "/proc/self/exe", argv, fd);
	}
	return 0;
}

static void kill_it(const char *key, void *userdata)
{
	(void)userdata;
	other.kills++;
	for (size_t i = 0; i < CHILDREN; i++)
		if (other.children[i].pid > 0 && streq(other.children[i].key, key))
			kill(other.children[i].pid, SIGKILL);
}

static const struct worker_spawner spawner = {.start = start, .kill = kill_it};

/* Waits for the child of key to end and tells the pool. */
static void reap(struct world *w, const char *key)
{
	struct err why = ERR_NULL;

	err_set(&why, ECONNRESET, "the other side says that %s ended", key);
	for (size_t i = 0; i < CHILDREN; i++) {
		pid_t pid = other.children[i].pid;

		if (pid == 0 || !streq(other.children[i].key, key))
			continue;
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		other.children[i].pid = 0;
		worker_pool_ended(w->pool, key, pid, &why);
	}
}

static void end_all(struct world *w)
{
	world_done(w);
	for (size_t i = 0; i < CHILDREN; i++)
		if (other.children[i].pid > 0) {
			kill(other.children[i].pid, SIGKILL);
			waitpid(other.children[i].pid, NULL, 0);
		}
}

#define EXTERNAL_WORLD(w, ...)                   \
	_cleanup_(end_all) struct world w;       \
	memset(&other, 0, sizeof(other));        \
	world_init(&w, &(struct worker_options){ \
			       .spawner = &spawner, .spawner_userdata = &other, __VA_ARGS__})

static void works_as_its_own(void **state)
{
	struct shot a = {.calls = 0}, b = {.calls = 0};
	EXTERNAL_WORLD(w, .window = 1);

	(void)state;
	shoot(&w, &a, "a", DEED_ECHO);
	shoot(&w, &b, "b", DEED_STATE);
	world_wait(&w, 2);
	assert_string_equal(a.body, "hello");
	assert_string_equal(
		b.body, "fds=0,1,2,3, blocked=0 ignored=0 leader=1 death=9 stdout=/dev/null");
	assert_int_equal(other.starts, 2);
}

/* A child that was killed and is not reaped keeps its key: nothing is started beside it. */
static void stuck_child_is_not_doubled(void **state)
{
	struct shot first = {.calls = 0}, hung = {.calls = 0}, second = {.calls = 0},
		    elsewhere = {.calls = 0}, third = {.calls = 0};
	EXTERNAL_WORLD(w, .window = 1);
	struct worker_request q = world_request("a", DEED_HANG, NULL);

	(void)state;
	/* It runs: what follows is given to it at once, however slowly it started. */
	shoot(&w, &first, "a", DEED_ECHO);
	world_wait(&w, 1);
	q.deadline_ns = MILLISECONDS(50);
	assert_int_equal(shoot_request(&w, &hung, &q), 0);
	world_wait(&w, 1);
	assert_int_equal(hung.r, -ETIMEDOUT);
	assert_true(hung.sent);
	assert_int_equal(other.kills, 1);
	assert_true(worker_pool_is_stuck(w.pool, "a"));
	assert_false(worker_pool_is_stuck(w.pool, "b"));
	q = world_request("a", DEED_ECHO, "x");
	q.deadline_ns = MILLISECONDS(300);
	assert_int_equal(shoot_request(&w, &second, &q), 0);
	shoot(&w, &elsewhere, "b", DEED_ECHO);
	world_wait(&w, 2);
	assert_int_equal(elsewhere.r, 5);
	assert_int_equal(second.r, -EBUSY);
	assert_false(second.sent);
	assert_int_equal(other.starts, 2);
	reap(&w, "a");
	assert_false(worker_pool_is_stuck(w.pool, "a"));
	shoot(&w, &third, "a", DEED_ECHO);
	world_wait(&w, 1);
	assert_int_equal(third.r, 5);
	assert_int_equal(other.starts, 3);
}

static void end_is_told_with_its_reason(void **state)
{
	struct shot s = {.calls = 0};
	EXTERNAL_WORLD(w, .window = 1);

	(void)state;
	shoot(&w, &s, "a", DEED_EXIT);
	world_run(&w, 200);
	reap(&w, "a");
	if (s.calls == 0)
		world_wait(&w, 1);
	assert_int_equal(s.r, -ECONNRESET);
	assert_true(s.sent);
}

/* Refused at once, and refused later: both are a failed start, tried again after the back-off. */
static void refusals_are_failed_starts(void **state)
{
	struct shot s = {.calls = 0};
	struct err why = ERR_NULL;
	EXTERNAL_WORLD(w, .window = 1);

	(void)state;
	other.refuse = -EAGAIN;
	shoot(&w, &s, "a", DEED_ECHO);
	assert_string_equal(world_state(&w, "a"), "backoff");
	other.refuse = 0;
	other.mute = true;
	while (other.starts < 2)
		world_run(&w, 20);
	err_set(&why, EBUSY, "somebody holds the key");
	worker_pool_ended(w.pool, "a", 0, &why);
	other.mute = false;
	world_wait(&w, 1);
	assert_int_equal(s.r, 5);
	assert_true(other.starts >= 3);
}

static void ends_of_strangers_are_nothing(void **state)
{
	struct shot s = {.calls = 0};
	struct err why = ERR_NULL;
	EXTERNAL_WORLD(w, .window = 1);

	(void)state;
	err_set(&why, ECONNRESET, "gone");
	worker_pool_ended(w.pool, "nobody", 7, &why);
	shoot(&w, &s, "a", DEED_ECHO);
	world_wait(&w, 1);
	worker_pool_ended(w.pool, "b", 7, &why);
	assert_string_equal(world_state(&w, "a"), "ready");
}

static void idle_one_is_asked_to_end_then_killed_by_the_other(void **state)
{
	struct shot s = {.calls = 0};
	EXTERNAL_WORLD(w, .window = 1, .idle_ns = MILLISECONDS(30));

	(void)state;
	shoot(&w, &s, "a", DEED_ECHO);
	world_wait(&w, 1);
	while (!streq(world_state(&w, "a"), "none"))
		world_run(&w, 20);
	/* Its socket was closed: it ends by itself. */
	reap(&w, "a");
	assert_int_equal(other.kills, 0);
}

static void memory_may_run_out(void **state)
{
	(void)state;
	FAULT_LOOP
	{
		/* world_init() allocates, too, and asserts: only the call counts. */
		fault_disarm();
		struct shot s = {.calls = 0};
		struct worker_request q = world_request("a", DEED_ECHO, "hello");
		EXTERNAL_WORLD(w, .window = 1);
		int r;

		fault_arm(_fault_k);
		r = shoot_request(&w, &s, &q);
		if (r == 0)
			world_wait(&w, 1);
		assert_true(r == -ENOMEM || (r == 0 && s.calls == 1));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(works_as_its_own),
		cmocka_unit_test(stuck_child_is_not_doubled),
		cmocka_unit_test(end_is_told_with_its_reason),
		cmocka_unit_test(refusals_are_failed_starts),
		cmocka_unit_test(ends_of_strangers_are_nothing),
		cmocka_unit_test(idle_one_is_asked_to_end_then_killed_by_the_other),
		cmocka_unit_test(memory_may_run_out),
	};

	if (argc > 1 && streq(argv[1], "--worker"))
		return worker_world_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
