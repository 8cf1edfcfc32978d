/* SPDX-License-Identifier: Apache-2.0 */
/* test_devapi_patch.c: the examples of RFC 6902 and RFC 7386, and strategic merge as kubectl uses
 * it */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/decode.h"
#include "tools/devapi/patch.h"

static json_t *parse(const char *text)
{
	json_t *j = json_loads(text, JSON_DECODE_ANY, NULL);

	if (!j)
		fail_msg("not JSON: %s", text);
	return j;
}

struct example {
	const char *target, *patch, *result; /* result NULL: refused */
	int r;
};

static int apply_json(json_t *target, const json_t *patch)
{
	struct err e = ERR_NULL;
	int r = patch_json(target, patch, &e);

	assert_int_equal(e.code, -r);
	return r;
}

static void check(const struct example *x, size_t n, int (*apply)(json_t *, const json_t *))
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_json_ json_t *target = parse(x[i].target), *patch = parse(x[i].patch);
		_cleanup_free_ char *text = NULL;
		int r = apply(target, patch);

		if (r != x[i].r)
			fail_msg("%s with %s gives %d", x[i].target, x[i].patch, r);
		if (!x[i].result)
			continue;
		text = json_dumps(target, JSON_COMPACT | JSON_SORT_KEYS);
		if (strcmp(text, x[i].result) != 0)
			fail_msg("%s with %s gives %s", x[i].target, x[i].patch, text);
	}
}

static void test_merge(void **state)
{
	static const struct example x[] = {
		{"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}", 0},
		{"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}", 0},
		{"{\"a\":\"b\"}", "{\"a\":null}", "{}", 0},
		{"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}", 0},
		{"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}", 0},
		{"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
			"{\"a\":{\"b\":\"d\"}}", 0},
		{"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}", 0},
		{"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}", 0},
		{"{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}", 0},
		{"{\"a\":1}", "[1]", NULL, -EINVAL},
	};

	(void)state;
	check(x, ELEMENTSOF(x), patch_merge);
}

static void test_json(void **state)
{
	static const struct example x[] = {
		{"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"q\"}]",
			"{\"baz\":\"q\",\"foo\":\"bar\"}", 0},
		{"{\"foo\":[\"a\",\"b\"]}",
			"[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"x\"}]",
			"{\"foo\":[\"a\",\"x\",\"b\"]}", 0},
		{"{\"foo\":[\"a\"]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":\"x\"}]",
			"{\"foo\":[\"a\",\"x\"]}", 0},
		{"{\"foo\":[\"a\"]}", "[{\"op\":\"add\",\"path\":\"/foo/3\",\"value\":\"x\"}]",
			NULL, -ENOENT},
		{"{\"a\":1,\"b\":2}", "[{\"op\":\"remove\",\"path\":\"/a\"}]", "{\"b\":2}", 0},
		{"{\"foo\":[1,2,3]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
			"{\"foo\":[1,3]}", 0},
		{"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/b\"}]", NULL, -ENOENT},
		{"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}]", "{\"a\":2}", 0},
		{"{\"a\":{\"x\":1},\"b\":{}}",
			"[{\"op\":\"move\",\"from\":\"/a/x\",\"path\":\"/b/y\"}]",
			"{\"a\":{},\"b\":{\"y\":1}}", 0},
		{"{\"a\":{\"x\":1}}", "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"}]",
			"{\"a\":{\"x\":1},\"b\":{\"x\":1}}", 0},
		{"{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1}]", "{\"a\":1}", 0},
		{"{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":\"1\"}]", NULL, -ENOENT},
		{"{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/b\",\"value\":null}]", "{\"a\":1}", 0},
		{"{\"x~y/z\":1}", "[{\"op\":\"remove\",\"path\":\"/x~0y~1z\"}]", "{}", 0},
		{"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b/c\",\"value\":1}]", NULL, -ENOENT},
		{"{\"a\":1}", "[{\"op\":\"jump\",\"path\":\"/a\"}]", NULL, -EINVAL},
		{"{\"a\":1}", "[{\"op\":\"remove\"}]", NULL, -EINVAL},
		{"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"a\"}]", NULL, -EINVAL},
		{"{\"a\":1}", "{}", NULL, -EINVAL},
	};

	(void)state;
	check(x, ELEMENTSOF(x), apply_json);
}

static void test_too_many_operations(void **state)
{
	_cleanup_json_ json_t *target = json_object(), *ops = json_array();
	struct err e = ERR_NULL;

	(void)state;
	for (int i = 0; i <= 10000; i++)
		json_array_append_new(
			ops, json_pack("{s:s,s:s,s:i}", "op", "add", "path", "/a", "value", i));
	assert_int_equal(patch_json(target, ops, &e), -EINVAL);
	assert_int_equal(json_object_size(target), 0);
}

static void test_strategic(void **state)
{
	static const struct example x[] = {
		{"{\"a\":{\"b\":1}}", "{\"a\":{\"c\":2,\"b\":null}}", "{\"a\":{\"c\":2}}", 0},
		{"{\"finalizers\":[\"a\"]}", "{\"finalizers\":[\"b\"]}",
			"{\"finalizers\":[\"b\",\"a\"]}", 0},
		{"{\"finalizers\":[\"a\",\"b\"]}", "{\"finalizers\":[\"b\"]}",
			"{\"finalizers\":[\"a\",\"b\"]}", 0},
		{"{\"finalizers\":[\"a\",\"b\"]}",
			"{\"$deleteFromPrimitiveList/finalizers\":[\"a\"]}",
			"{\"finalizers\":[\"b\"]}", 0},
		{"{\"conditions\":[{\"type\":\"A\",\"status\":\"x\"}]}",
			"{\"conditions\":[{\"type\":\"A\",\"status\":\"y\"},{\"type\":\"B\"}]}",
			"{\"conditions\":[{\"status\":\"y\",\"type\":\"A\"},{\"type\":\"B\"}]}", 0},
		{"{\"conditions\":[{\"type\":\"A\"},{\"type\":\"B\"}]}",
			"{\"conditions\":[{\"$patch\":\"delete\",\"type\":\"A\"}]}",
			"{\"conditions\":[{\"type\":\"B\"}]}", 0},
		{"{\"conditions\":[{\"type\":\"A\"}]}",
			"{\"conditions\":[{\"$patch\":\"replace\"},{\"type\":\"B\"}]}",
			"{\"conditions\":[{\"type\":\"B\"}]}", 0},
		{"{\"conditions\":[{\"type\":\"A\"}]}",
			"{\"$setElementOrder/conditions\":[{\"type\":\"A\"}]}",
			"{\"conditions\":[{\"type\":\"A\"}]}", 0},
		{"{\"accessModes\":[\"A\"]}", "{\"accessModes\":[\"B\"]}",
			"{\"accessModes\":[\"B\"]}", 0},
		{"{\"a\":{\"b\":1}}", "{\"a\":{\"$patch\":\"replace\",\"c\":2}}",
			"{\"a\":{\"c\":2}}", 0},
		{"{\"a\":1}", "3", NULL, -EINVAL},
	};

	(void)state;
	check(x, ELEMENTSOF(x), patch_strategic);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_too_many_operations),
		cmocka_unit_test(test_strategic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
