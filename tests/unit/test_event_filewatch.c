/* SPDX-License-Identifier: Apache-2.0 */
/* test_event_filewatch.c: one report for each burst of changes, a ConfigMap's swap included */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "event/loop.h"
#include "tests/unit/fault.h"

struct place {
	struct loop *loop;
	struct filewatch *watch;
	struct timer *guard;
	char dir[64];
	int dirfd;
	int calls;
};

static void on_change(struct filewatch *w, void *userdata)
{
	struct place *p = userdata;

	(void)w;
	p->calls++;
}

static void on_guard(struct timer *t, void *userdata)
{
	struct place *p = userdata;

	(void)t;
	loop_exit(p->loop, 0);
}

static int run_for(struct place *p, unsigned ms)
{
	p->calls = 0;
	timer_arm(p->guard, MILLISECONDS(ms));
	assert_int_equal(loop_run(p->loop), 0);
	return p->calls;
}

static void put(struct place *p, const char *name, const char *text)
{
	int fd = openat(p->dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	fd_close(fd);
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	char path[96];

	assert_non_null(p);
	assert_int_equal(str_copy(p->dir, sizeof(p->dir), "/tmp/berth-watch-XXXXXX"), 0);
	assert_non_null(mkdtemp(p->dir));
	p->dirfd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->dirfd >= 0);
	put(p, "config.yaml", "a: 1\n");
	assert_int_equal(loop_new(&p->loop), 0);
	assert_int_equal(timer_new_exact(&p->guard, p->loop, on_guard, p), 0);
	assert_int_equal(str_format(path, sizeof(path), "%s/config.yaml", p->dir), 0);
	assert_int_equal(filewatch_new(&p->watch, p->loop, path, on_change, p, NULL), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {
		"config.yaml", "new", "other", "..data", "..1/config.yaml", "..2/config.yaml"};
	struct place *p = *state;

	filewatch_free(p->watch);
	timer_free(p->guard);
	loop_free(p->loop);
	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		unlinkat(p->dirfd, names[i], 0);
	unlinkat(p->dirfd, "..1", AT_REMOVEDIR);
	unlinkat(p->dirfd, "..2", AT_REMOVEDIR);
	fd_close(p->dirfd);
	assert_int_equal(rmdir(p->dir), 0);
	free(p);
	return 0;
}

static void burst_is_one_report(void **state)
{
	struct place *p = *state;

	for (int i = 0; i < 5; i++)
		put(p, "config.yaml", "a: 2\n");
	assert_int_equal(run_for(p, 50), 0);
	assert_int_equal(run_for(p, 250), 1);
	assert_int_equal(run_for(p, 150), 0);
	put(p, "config.yaml", "a: 3\n");
	assert_int_equal(run_for(p, 250), 1);
}

static void replaced_file_is_reported_every_time(void **state)
{
	struct place *p = *state;

	for (int i = 0; i < 3; i++) {
		put(p, "new", "a: 4\n");
		assert_int_equal(renameat(p->dirfd, "new", p->dirfd, "config.yaml"), 0);
		assert_int_equal(run_for(p, 250), 1);
	}
}

static void neighbours_are_not_reported(void **state)
{
	struct place *p = *state;

	put(p, "other", "x");
	put(p, "other", "y");
	assert_int_equal(run_for(p, 200), 0);
}

/* As the kubelet does it: a new directory, a new link, renamed over ..data. */
static void configmap_swap_is_reported(void **state)
{
	struct place *p = *state;

	for (int i = 1; i <= 2; i++) {
		char dir[8], file[32];

		assert_int_equal(str_format(dir, sizeof(dir), "..%d", i), 0);
		assert_int_equal(str_format(file, sizeof(file), "..%d/config.yaml", i), 0);
		assert_int_equal(mkdirat(p->dirfd, dir, 0700), 0);
		put(p, file, "a: 5\n");
		run_for(p, 150);
		assert_int_equal(symlinkat(dir, p->dirfd, "new"), 0);
		assert_int_equal(renameat(p->dirfd, "new", p->dirfd, "..data"), 0);
		assert_int_equal(run_for(p, 250), 1);
	}
}

struct writer {
	struct place *place;
	uint64_t until;
};

static void on_write(struct timer *t, void *userdata)
{
	struct writer *w = userdata;

	put(w->place, "config.yaml", "a: 6\n");
	if (clock_now() < w->until)
		timer_arm(t, MILLISECONDS(40));
}

/* Quiet never comes, the report does. */
static void endless_changes_are_reported(void **state)
{
	struct place *p = *state;
	struct writer w = {.place = p, .until = clock_now() + MILLISECONDS(2600)};
	struct timer *t = NULL;

	assert_int_equal(timer_new_exact(&t, p->loop, on_write, &w), 0);
	timer_arm(t, 0);
	assert_in_range(run_for(p, 2500), 1, 2);
	timer_free(t);
}

static void on_free(struct filewatch *w, void *userdata)
{
	struct place *p = userdata;

	filewatch_free(w);
	p->watch = NULL;
	p->calls++;
}

static void freed_in_its_callback(void **state)
{
	struct place *p = *state;
	char path[96];

	p->watch = filewatch_free(p->watch);
	assert_int_equal(str_format(path, sizeof(path), "%s/config.yaml", p->dir), 0);
	assert_int_equal(filewatch_new(&p->watch, p->loop, path, on_free, p, NULL), 0);
	put(p, "config.yaml", "a: 7\n");
	assert_int_equal(run_for(p, 250), 1);
	assert_null(p->watch);
}

static void missing_directory_is_an_error(void **state)
{
	struct place *p = *state;
	struct filewatch *w = NULL;
	struct err e = ERR_NULL;

	assert_int_equal(
		filewatch_new(&w, p->loop, "/nonexistent-berth/config.yaml", on_change, p, &e),
		-ENOENT);
	assert_null(w);
	assert_non_null(strstr(e.text, "/nonexistent-berth/config.yaml"));
	assert_int_equal(filewatch_new(&w, p->loop, "/tmp/", on_change, p, &e), -EISDIR);
}

static void memory_runs_out(void **state)
{
	struct place *p = *state;

	FAULT_LOOP
	{
		struct filewatch *w = NULL;
		int r = filewatch_new(&w, p->loop, "/tmp/berth-any", on_change, p, NULL);

		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		filewatch_free(w);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(burst_is_one_report),
		CASE(replaced_file_is_reported_every_time),
		CASE(neighbours_are_not_reported),
		CASE(configmap_swap_is_reported),
		CASE(endless_changes_are_reported),
		CASE(freed_in_its_callback),
		CASE(missing_directory_is_an_error),
		CASE(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
