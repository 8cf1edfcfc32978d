/* SPDX-License-Identifier: Apache-2.0 */
/* test_nfs_export.c: which directory belongs to which volume, and parents that are remembered */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "nfs/export.h"
#include "nfs/op.h"

static struct nfs_export *make(void)
{
	const struct nfs_cred root = {0, 0};
	struct nfs_export *x = NULL;

	assert_int_equal(export_new(&x, "/e", &root), 0);
	x->indexed = true;
	return x;
}

static struct record rec(const char *pv, const char *directory, enum record_state state)
{
	struct record r = RECORD_NULL;

	r.request.pv = pv;
	r.request.directory = directory;
	r.state = state;
	return r;
}

static void add(struct nfs_export *x, const char *pv, const char *directory)
{
	struct record r = rec(pv, directory, RECORD_READY);

	assert_int_equal(export_index_add(x, &r), 0);
}

static void conflicts(void **state)
{
	struct nfs_export *x = make();

	(void)state;
	add(x, "pv-a", "a");
	add(x, "pv-b", "b/c");
	assert_string_equal(export_index_conflict(x, "a", "pv-x", false), "pv-a");
	assert_null(export_index_conflict(x, "a", "pv-a", false));
	assert_null(export_index_conflict(x, "a", "pv-x", true));
	assert_string_equal(export_index_conflict(x, "a/b", "pv-x", true), "pv-a");
	assert_string_equal(export_index_conflict(x, "b", "pv-x", true), "pv-b");
	assert_null(export_index_conflict(x, "ab", "pv-x", false));
	assert_null(export_index_conflict(x, "b/cd", "pv-x", false));
	assert_null(export_index_conflict(x, "c", "pv-x", false));
	export_free(x);
}

static void ended_volumes_give_their_place_back(void **state)
{
	struct nfs_export *x = make();
	struct record trashed = rec("pv-a", "a", RECORD_TRASHED);

	(void)state;
	add(x, "pv-a", "a");
	assert_int_equal(export_index_add(x, &trashed), 0);
	export_index_remove(x, &trashed);
	assert_null(export_index_conflict(x, "a", "pv-x", false));
	export_free(x);
}

static void somebody_elses_place_is_not_given_back(void **state)
{
	struct nfs_export *x = make();
	struct record other = rec("pv-b", "a", RECORD_TRASHED);

	(void)state;
	add(x, "pv-a", "a");
	export_index_remove(x, &other);
	assert_string_equal(export_index_conflict(x, "a", "pv-x", false), "pv-a");
	export_free(x);
}

static void archives_keep_their_place(void **state)
{
	struct nfs_export *x = make();
	struct record archived = rec("pv-a", "t/a", RECORD_ARCHIVED);

	(void)state;
	archived.stored = "t/archived-a-1";
	assert_int_equal(export_index_add(x, &archived), 0);
	assert_non_null(export_index_conflict(x, "t/archived-a-1", "pv-x", false));
	assert_null(export_index_conflict(x, "t/a", "pv-x", false));
	assert_true(export_index_has_top(x, "t"));
	export_free(x);
}

static void sharers_are_counted(void **state)
{
	struct nfs_export *x = make();

	(void)state;
	add(x, "pv-a", "a");
	assert_int_equal(export_index_others(x, "a", "pv-a"), 0);
	assert_int_not_equal(export_index_others(x, "a", "pv-b"), 0);
	add(x, "pv-b", "a");
	assert_int_not_equal(export_index_others(x, "a", "pv-a"), 0);
	assert_int_not_equal(export_index_others(x, "a", "pv-b"), 0);
	assert_int_equal(export_index_others(x, "z", "pv-b"), 0);
	export_free(x);
}

static void top_level_names(void **state)
{
	struct nfs_export *x = make();

	(void)state;
	add(x, "pv-a", "a");
	add(x, "pv-b", "b/c/d");
	assert_true(export_index_has_top(x, "a"));
	assert_true(export_index_has_top(x, "b"));
	assert_false(export_index_has_top(x, "b/c/d/e"));
	assert_false(export_index_has_top(x, "c"));
	export_free(x);
}

static void nothing_is_kept_before_it_is_built(void **state)
{
	struct nfs_export *x = make();

	(void)state;
	x->indexed = false;
	add(x, "pv-a", "a");
	assert_int_equal(x->index.size, 0);
	export_free(x);
}

/* Of two sharers one ended while the records were being read: what was read before is lost. */
static void an_index_that_lost_entries_is_not_complete(void **state)
{
	struct nfs_export *x = make();
	struct record gone = rec("pv-b", "shared", RECORD_READY);

	(void)state;
	export_index_begin(x);
	assert_false(x->indexed);
	add(x, "pv-a", "shared");
	add(x, "pv-b", "shared");
	add(x, "pv-c", "c");
	export_index_remove(x, &gone);
	add(x, "pv-d", "d");
	export_index_end(x, true);
	assert_false(x->indexed);
	assert_false(x->indexing);
	assert_int_equal(x->index.size, 0);
	export_index_begin(x);
	add(x, "pv-a", "shared");
	export_index_end(x, true);
	assert_true(x->indexed);
	assert_string_equal(export_index_conflict(x, "shared", "pv-x", false), "pv-a");
	export_index_begin(x);
	add(x, "pv-a", "shared");
	export_index_end(x, false);
	assert_false(x->indexed);
	assert_int_equal(x->index.size, 0);
	export_free(x);
}

static void parents(void **state)
{
	struct nfs_export *x = make();
	struct nfs_fh fh = {.size = 1, .data = {7}};

	(void)state;
	assert_ptr_equal(export_parent(x, "a/b", 0), &x->root);
	assert_null(export_parent(x, "a/b", 1));
	export_keep_parent(x, "a/b", 1, &fh);
	assert_int_equal(export_parent(x, "a/z", 1)->data[0], 7);
	export_drop_parent(x, "a", 1);
	assert_null(export_parent(x, "a", 1));
	for (int i = 0; i < 3 * EXPORT_PARENTS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%d", i);
		export_keep_parent(x, name, strlen(name), &fh);
		assert_non_null(export_parent(x, name, strlen(name)));
	}
	x->state = EXPORT_READY;
	export_forget(x);
	assert_int_equal(x->state, EXPORT_NEW);
	assert_null(export_parent(x, "p191", 4));
	export_free(x);
}

static void memory_that_is_missing_drops_the_index(void **state)
{
	(void)state;
	FAULT_LOOP
	{
		const struct nfs_cred root = {0, 0};
		struct record r = rec("pv-a", "a", RECORD_READY);
		struct nfs_export *x = NULL;
		int e = export_new(&x, "/e", &root);

		if (e == 0) {
			x->indexed = true;
			e = export_index_add(x, &r);
			assert_int_equal(x->indexed, e == 0);
		}
		assert_int_equal(e, fault_fired() ? -ENOMEM : 0);
		export_free(x);
	}
}

static void trash_names(void **state)
{
	char pv[PATH_COMPONENT_MAX + 1];
	uint64_t t = 0;

	(void)state;
	assert_true(trash_name_parse("pvc-0-20260102T030405Z-0123abcd", pv, &t));
	assert_string_equal(pv, "pvc-0");
	assert_int_equal(t / 1000000000, 1767323045);
	assert_false(trash_name_parse("", pv, &t));
	assert_false(trash_name_parse("-20260102T030405Z-0123abcd", pv, &t));
	assert_false(trash_name_parse("pvc-0-20260102T030405Z", pv, &t));
	assert_false(trash_name_parse("pvc-0-2026x102T030405Z-0123abcd", pv, &t));
	assert_false(trash_name_parse("pvc-0_20260102T030405Z-0123abcd", pv, &t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conflicts),
		cmocka_unit_test(ended_volumes_give_their_place_back),
		cmocka_unit_test(somebody_elses_place_is_not_given_back),
		cmocka_unit_test(archives_keep_their_place),
		cmocka_unit_test(sharers_are_counted),
		cmocka_unit_test(top_level_names),
		cmocka_unit_test(nothing_is_kept_before_it_is_built),
		cmocka_unit_test(an_index_that_lost_entries_is_not_complete),
		cmocka_unit_test(parents),
		cmocka_unit_test(memory_that_is_missing_drops_the_index),
		cmocka_unit_test(trash_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
