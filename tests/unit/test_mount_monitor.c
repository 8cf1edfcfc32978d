/* SPDX-License-Identifier: Apache-2.0 */
/* test_mount_monitor.c: no change is missed, and a storm of them costs little (D9) */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "mount/monitor.h"
#include "mount/table.h"
#include "tests/unit/fault.h"
#include "tests/unit/mount_world.h"

#define SELF "/proc/self/mountinfo"
/* Enough for a machine that others load; nothing waits for it to pass. */
#define PATIENCE SECONDS(60)

struct watch {
	struct loop *loop;
	struct mount_monitor *monitor;
	struct timer *patience;
	unsigned runs;
	unsigned end; /* leaves the loop at this run */
	uint64_t began[64];
	const char *wanted; /* leaves the loop when this is mounted */
	size_t mounts;
	bool slow;
	bool frees;
};

static void give_up(struct timer *t, void *userdata)
{
	struct watch *w = userdata;

	(void)t;
	loop_exit(w->loop, -ETIMEDOUT);
}

static void on_change(struct mount_monitor *m, void *userdata)
{
	struct watch *w = userdata;
	struct mount_table *t = NULL;

	if (w->runs < 64)
		w->began[w->runs] = clock_now();
	w->runs++;
	if (w->frees) {
		w->monitor = mount_monitor_free(m);
		loop_exit(w->loop, 0);
		return;
	}
	if (mount_table_read(&t, SELF, NULL) == 0) {
		w->mounts = mount_table_count(t);
		if (w->wanted && mount_table_top(t, w->wanted))
			loop_exit(w->loop, 0);
	}
	mount_table_free(t);
	if (w->slow) {
		uint64_t until = clock_now() + MILLISECONDS(30);

		while (clock_now() < until)
			;
	}
	if (w->runs == w->end)
		loop_exit(w->loop, 0);
}

static struct watch start(void)
{
	struct watch w = {.runs = 0};

	assert_int_equal(loop_new(&w.loop), 0);
	return w;
}

static void watch(struct watch *w)
{
	assert_int_equal(timer_new_exact(&w->patience, w->loop, give_up, w), 0);
	timer_arm(w->patience, PATIENCE);
	assert_int_equal(mount_monitor_new(&w->monitor, w->loop, SELF, on_change, w, NULL), 0);
}

static void stop(struct watch *w)
{
	mount_monitor_free(w->monitor);
	timer_free(w->patience);
	loop_free(w->loop);
}

static void first_run_and_changes(void **state)
{
	struct watch w = start();
	struct mount_monitor_stats stats;

	(void)state;
	mount_world_need();
	w.end = 1;
	watch(&w);
	assert_int_equal(loop_run(w.loop), 0);
	assert_int_equal(w.runs, 1);
	mount_world_tmpfs("one", NULL);
	w.end = 0;
	w.wanted = mount_world_path("one");
	assert_int_equal(loop_run(w.loop), 0);
	assert_int_equal(w.runs, 2);
	/* Asked for, without a change. */
	w.wanted = NULL;
	w.end = 3;
	mount_monitor_poke(w.monitor);
	mount_monitor_poke(w.monitor);
	assert_int_equal(loop_run(w.loop), 0);
	mount_monitor_stats(w.monitor, &stats);
	assert_int_equal(stats.runs, 3);
	assert_true(stats.wakeups >= 1);
	assert_true(stats.last_run_ns > 0);
	for (unsigned i = 1; i < 3; i++)
		assert_true(w.began[i] - w.began[i - 1] >= MILLISECONDS(MOUNT_MONITOR_INTERVAL_MS));
	stop(&w);
}

/* In a child: mounts and unmounts n times as fast as it can, then mounts last. */
static pid_t storm(unsigned n, const char *last)
{
	char to[PATH_MAX], end[PATH_MAX];
	pid_t pid;

	mount_world_mkdir("storm");
	mount_world_mkdir(last);
	snprintf(to, sizeof(to), "%s", mount_world_path("storm"));
	snprintf(end, sizeof(end), "%s", mount_world_path(last));
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	for (unsigned i = 0; i < n; i++)
		if (mount("s", to, "tmpfs", 0, NULL) < 0 || umount2(to, 0) < 0)
			_exit(1);
	_exit(mount("s", end, "tmpfs", 0, NULL) < 0 ? 1 : 0);
}

static void storms_are_coalesced(void **state)
{
	struct watch w = start();
	struct mount_monitor_stats stats;
	uint64_t began = clock_now(), took;
	int status;
	pid_t pid;

	(void)state;
	mount_world_need();
	for (int i = 0; i < 300; i++) {
		char path[32];

		snprintf(path, sizeof(path), "many/m%d", i);
		mount_world_tmpfs(path, NULL);
	}
	watch(&w);
	pid = storm(5000, "last");
	w.wanted = mount_world_path("last");
	/* The last state is seen. */
	assert_int_equal(loop_run(w.loop), 0);
	took = clock_now() - began;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	mount_monitor_stats(w.monitor, &stats);
	/* 10,000 changes; runs and wake-ups go by the clock. */
	assert_true(stats.runs <= took / MILLISECONDS(MOUNT_MONITOR_INTERVAL_MS) + 2);
	assert_true(stats.wakeups <= 2 * stats.runs + 2);
	printf("# %u runs, %u wake-ups for 10,001 changes in %u ms\n", (unsigned)stats.runs,
		(unsigned)stats.wakeups, (unsigned)(took / NSEC_PER_MSEC));
	stop(&w);
}

static void costly_runs_are_rare(void **state)
{
	struct watch w = start();

	(void)state;
	mount_world_need();
	w.slow = true;
	watch(&w);
	w.end = 1;
	assert_int_equal(loop_run(w.loop), 0);
	mount_world_tmpfs("costly", NULL);
	w.end = 2;
	assert_int_equal(loop_run(w.loop), 0);
	/* 30 ms of work: 600 ms of peace, whatever else the machine does. */
	assert_true(w.began[1] - w.began[0] >= MILLISECONDS(30 * (MOUNT_MONITOR_COST + 1)));
	stop(&w);
}

static void ends_in_its_own_run(void **state)
{
	struct watch w = start();

	(void)state;
	mount_world_need();
	w.frees = true;
	watch(&w);
	assert_int_equal(loop_run(w.loop), 0);
	assert_null(w.monitor);
	stop(&w);
}

static void paths_that_cannot_be_watched(void **state)
{
	struct watch w = start();
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(
		mount_monitor_new(&w.monitor, w.loop, "/proc/missing", on_change, &w, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/proc/missing"));
	assert_int_equal(
		mount_monitor_new(&w.monitor, w.loop, "/etc/passwd", on_change, &w, &e), -EPERM);
	assert_non_null(strstr(e.text, "cannot watch /etc/passwd"));
	FAULT_LOOP
	{
		int r = mount_monitor_new(&w.monitor, w.loop, SELF, on_change, &w, &e);

		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		w.monitor = mount_monitor_free(w.monitor);
	}
	stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_run_and_changes),
		cmocka_unit_test(storms_are_coalesced),
		cmocka_unit_test(costly_runs_are_rare),
		cmocka_unit_test(ends_in_its_own_run),
		cmocka_unit_test(paths_that_cannot_be_watched),
	};

	return cmocka_run_group_tests(tests, mount_world_setup, mount_world_teardown);
}
