/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_fsgroup.c: trees that get a group, against a worker that the test answers for */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "agent/fsgroup.h"
#include "base/str.h"
#include "nfs/nfs.h"

/* ---- the world ----------------------------------------------------------------------------- */

static struct {
	struct fsgroup *f;
	struct slice {
		char directory[32];
		gid_t group;
		volume_fn fn;
		void *userdata;
	} slices[8];
	size_t n;
} w;

int nfs_backend_regroup(struct volume_backend *b, const struct volume_place *p,
	const char *directory, gid_t gid, volume_fn fn, void *userdata)
{
	struct slice *s = &w.slices[w.n++];

	(void)b;
	(void)p;
	assert_true(w.n <= ELEMENTSOF(w.slices));
	*s = (struct slice){.group = gid, .fn = fn, .userdata = userdata};
	str_copy_cut(s->directory, sizeof(s->directory), directory);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	return fsgroup_new(&w.f, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	w.f = fsgroup_free(w.f);
	return 0;
}

struct told {
	unsigned times;
	struct err e;
};

static void on_group(const struct err *e, void *userdata)
{
	struct told *t = userdata;

	t->times++;
	t->e = *e;
}

static int apply(const char *directory, gid_t group, struct told *t)
{
	const struct volume_attributes a = {
		.place = {.server = "nas", .export_ = "/data"}, .directory = directory};

	*t = (struct told){.times = 0};
	return fsgroup_apply(w.f, &a, group, on_group, t, &t->e);
}

/* The worker has done its slice number i. */
static void answer(size_t i, unsigned flags)
{
	const struct volume_result res = {.flags = flags, .removed = 7, .text = ""};

	w.slices[i].fn(&res, w.slices[i].userdata);
}

/* ---- what happens -------------------------------------------------------------------------- */

static void slice_by_slice(void **state)
{
	struct told a, again;

	(void)state;
	assert_int_equal(apply("a", 1000, &a), 0);
	assert_int_equal(w.n, 1);
	answer(0, RESULT_MORE);
	assert_int_equal(a.times, 1);
	assert_int_equal(a.e.code, EINPROGRESS);
	/* It goes on by itself, and who asks again waits for the slice at hand. */
	assert_int_equal(w.n, 2);
	assert_int_equal(apply("a", 1000, &again), 0);
	assert_int_equal(w.n, 2);
	answer(1, 0);
	assert_int_equal(again.times, 1);
	assert_int_equal(again.e.code, 0);
	assert_int_equal(a.times, 1);
}

/* The pod is gone, its walk is not: another pod's group in the same tree would become a mixture. */
static void one_group_at_a_time(void **state)
{
	struct told first, second, beside;

	(void)state;
	assert_int_equal(apply("a", 1000, &first), 0);
	answer(0, RESULT_MORE);
	assert_int_equal(apply("a", 2000, &second), -EBUSY);
	assert_non_null(strstr(second.e.text, "group 1000"));
	assert_int_equal(w.n, 2);
	assert_int_equal(apply("b", 2000, &beside), 0);
	assert_int_equal(w.n, 3);
	answer(1, 0);
	assert_int_equal(apply("a", 2000, &second), 0);
	assert_int_equal(w.n, 4);
	assert_int_equal(w.slices[3].group, 2000);
	answer(3, 0);
	assert_int_equal(second.times, 1);
	assert_int_equal(second.e.code, 0);
	answer(2, 0);
	assert_int_equal(beside.e.code, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(slice_by_slice),
		TEST(one_group_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
