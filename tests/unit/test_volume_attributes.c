/* SPDX-License-Identifier: Apache-2.0 */
/* test_volume_attributes.c: what a PV of anybody's may say about its place */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "volume/attributes.h"

static const char *value_of(const char *key, void *userdata)
{
	const char *const *pairs = userdata;

	for (; *pairs; pairs += 2)
		if (streq(*pairs, key))
			return pairs[1];
	return NULL;
}

static int nfs(const char *export_, const char *directory, struct err *e)
{
	const char *pairs[] = {"server", "filer", "export", export_, "directory", directory, NULL};
	struct volume_attributes a;

	return volume_attributes_nfs(&a, value_of, pairs, e);
}

static void places(void **state)
{
	static const struct {
		const char *export_, *directory;
	} good[] = {{"/", ""}, {"/data", "team/a"}, {"/srv/.berths/x", "a/.berth"},
		{"/.snapshot", "a"}},
	  bad[] = {{"", "a"}, {"data", "a"}, {"/data/..", "a"}, {"/data//x", "a"}, {"/data/", "a"},
		  {"/data", ".."}, {"/data", "/etc"}, {"/data", "a/../../b"},
		  {"/data", ".berth/volumes"}, {"/data/.berth", "trash"}, {"/.berth/trash", "a"},
		  {"/a/.berth/b", ""}};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(good); i++)
		assert_int_equal(nfs(good[i].export_, good[i].directory, NULL), 0);
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		e = ERR_NULL;
		assert_int_equal(nfs(bad[i].export_, bad[i].directory, &e), -EBADMSG);
		assert_non_null(strstr(e.text, i < 5 || i > 8 ? "export" : "directory"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(places)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
