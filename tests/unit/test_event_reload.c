/* SPDX-License-Identifier: Apache-2.0 */
/* test_event_reload.c: SIGHUP and a written file are one report */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "event/loop.h"
#include "tests/unit/fault.h"

struct world {
	struct loop *loop;
	struct timer *guard;
	struct sig *usr1;
	struct reload *reload;
	char dir[64], path[96];
	int calls;
};

static void on_guard(struct timer *t, void *userdata)
{
	struct world *w = userdata;

	(void)t;
	loop_exit(w->loop, -ETIME);
}

static void on_usr1(struct sig *s, int signo, void *userdata)
{
	struct world *w = userdata;

	(void)s;
	loop_exit(w->loop, signo);
}

static void on_reload(struct reload *r, void *userdata)
{
	struct world *w = userdata;

	assert_ptr_equal(r, w->reload);
	w->calls++;
	loop_exit(w->loop, 0);
}

static void put(const struct world *w)
{
	int fd = open(w->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, "a: 1\n", 5), 0);
	fd_close(fd);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(str_copy(w->dir, sizeof(w->dir), "/tmp/berth-reload-XXXXXX"), 0);
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(str_format(w->path, sizeof(w->path), "%s/config.yaml", w->dir), 0);
	put(w);
	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(timer_new_exact(&w->guard, w->loop, on_guard, w), 0);
	timer_arm(w->guard, SECONDS(30));
	assert_int_equal(sig_new(&w->usr1, w->loop, SIGUSR1, on_usr1, w), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	reload_free(w->reload);
	sig_free(w->usr1);
	timer_free(w->guard);
	loop_free(w->loop);
	assert_int_equal(unlink(w->path), 0);
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	return 0;
}

static void signal_is_reported_each_time(void **state)
{
	struct world *w = *state;

	assert_int_equal(reload_new(&w->reload, w->loop, w->path, on_reload, w, NULL), 0);
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(kill(getpid(), SIGHUP), 0);
		assert_int_equal(loop_run(w->loop), 0);
		assert_int_equal(w->calls, i);
	}
}

static void written_file_is_reported(void **state)
{
	struct world *w = *state;

	assert_int_equal(reload_new(&w->reload, w->loop, w->path, on_reload, w, NULL), 0);
	put(w);
	assert_int_equal(loop_run(w->loop), 0);
	assert_int_equal(w->calls, 1);
}

/* SIGHUP is taken all the same: it would end the process. Signals come in the order of their
 * numbers, so that it has been seen when SIGUSR1 comes. */
static void nothing_to_read_is_no_report(void **state)
{
	struct world *w = *state;

	assert_int_equal(reload_new(&w->reload, w->loop, NULL, on_reload, w, NULL), 0);
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(loop_run(w->loop), SIGUSR1);
	assert_int_equal(w->calls, 0);
}

static void on_free(struct reload *r, void *userdata)
{
	struct world *w = userdata;

	w->reload = reload_free(r);
	w->calls++;
	loop_exit(w->loop, 0);
}

static void freed_in_its_callback(void **state)
{
	struct world *w = *state;

	assert_int_equal(reload_new(&w->reload, w->loop, w->path, on_free, w, NULL), 0);
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	assert_int_equal(loop_run(w->loop), 0);
	assert_int_equal(reload_new(&w->reload, w->loop, w->path, on_free, w, NULL), 0);
	put(w);
	assert_int_equal(loop_run(w->loop), 0);
	assert_int_equal(w->calls, 2);
	assert_null(w->reload);
}

static void missing_directory_is_an_error(void **state)
{
	struct world *w = *state;
	struct err e = ERR_NULL;

	assert_int_equal(
		reload_new(&w->reload, w->loop, "/nonexistent-berth/config.yaml", on_reload, w, &e),
		-ENOENT);
	assert_null(w->reload);
	assert_non_null(strstr(e.text, "/nonexistent-berth/config.yaml"));
}

static void memory_runs_out(void **state)
{
	struct world *w = *state;

	FAULT_LOOP
	{
		int r = reload_new(&w->reload, w->loop, w->path, on_reload, w, NULL);

		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		w->reload = reload_free(w->reload);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(signal_is_reported_each_time),
		CASE(written_file_is_reported),
		CASE(nothing_to_read_is_no_report),
		CASE(freed_in_its_callback),
		CASE(missing_directory_is_an_error),
		CASE(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
