/* SPDX-License-Identifier: Apache-2.0 */
/* test_data_json.c: limits, NUL characters and errors of JSON text */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "data/decode.h"
#include "tests/unit/fault.h"

static int load(const char *text, json_t **ret, struct err *e)
{
	return data_json_load(text, strlen(text), ret, e);
}

static void test_object_and_array(void **state)
{
	_cleanup_json_ json_t *o = NULL, *a = NULL;

	(void)state;
	assert_int_equal(load("{\"a\":{\"b\":\"c\"},\"n\":1}", &o, NULL), 0);
	assert_string_equal(json_string_at(o, "a", "b", NULL), "c");
	assert_null(json_string_at(o, "a", "x", NULL));
	assert_null(json_string_at(o, "n", NULL));
	assert_null(json_string_at(NULL, "n", NULL));
	assert_int_equal(json_integer_value(json_at(o, "n", NULL)), 1);
	assert_int_equal(load(" [1, 2] ", &a, NULL), 0);
	assert_int_equal(json_array_size(a), 2);
}

static void test_bad_text_is_named(void **state)
{
	static const char *const bad[] = {"", "{", "{\"a\":}", "[1,]", "1", "\"x\"", "{} {}",
		"{\"a\":99999999999999999999}", "{\"a\":\"\xff\"}", "{\"a\":1e999999}",
		"\xef\xbb\xbf{}", "{\"a\":\"\\ud800\"}", "{\"a\":1}x"};
	json_t *j = NULL;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		struct err e = ERR_NULL;

		assert_int_equal(load(bad[i], &j, &e), -EBADMSG);
		assert_null(j);
		assert_non_null(strstr(e.text, "line"));
	}
}

static void test_keys_that_come_twice(void **state)
{
	static const char text[] = "{\"a\":1,\"b\":{\"c\":2,\"c\":3}}";
	struct err e = ERR_NULL;
	json_t *j = NULL;

	(void)state;
	assert_int_equal(load(text, &j, &e), 0);
	assert_int_equal(json_integer_value(json_at(j, "b", "c", NULL)), 3);
	json_decref(j);
	j = NULL;
	assert_int_equal(data_json_load_strict(text, sizeof(text) - 1, &j, &e), -EBADMSG);
	assert_null(j);
	assert_non_null(strstr(e.text, "duplicate"));
	assert_int_equal(data_json_load_strict("{\"a\":1}", 7, &j, &e), 0);
	json_decref(j);
}

/* depth opening brackets and as many closing ones, within strings too where they do not count. */
static void test_depth_limit(void **state)
{
	char text[2 * DATA_JSON_DEPTH + 16];
	struct err e = ERR_NULL;
	json_t *j = NULL;

	(void)state;
	memset(text, '[', DATA_JSON_DEPTH);
	memset(text + DATA_JSON_DEPTH, ']', DATA_JSON_DEPTH);
	assert_int_equal(data_json_load(text, 2 * DATA_JSON_DEPTH, &j, &e), 0);
	json_decref(j);
	j = NULL;
	memset(text, '[', DATA_JSON_DEPTH + 1);
	memset(text + DATA_JSON_DEPTH + 1, ']', DATA_JSON_DEPTH + 1);
	assert_int_equal(data_json_load(text, 2 * DATA_JSON_DEPTH + 2, &j, &e), -E2BIG);
	assert_null(j);
	memset(text, '[', sizeof(text));
	memcpy(text, "[\"\\\"", 4);
	memcpy(text + sizeof(text) - 2, "\"]", 2);
	assert_int_equal(data_json_load(text, sizeof(text), &j, &e), 0);
	json_decref(j);
}

static void test_size_limit(void **state)
{
	_cleanup_free_ char *text = malloc(DATA_JSON_MAX + 1);
	struct err e = ERR_NULL;
	json_t *j = NULL;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', DATA_JSON_MAX + 1);
	memcpy(text, "[]", 2);
	assert_int_equal(data_json_load(text, DATA_JSON_MAX + 1, &j, &e), -E2BIG);
	assert_null(j);
	assert_int_equal(data_json_load(text, DATA_JSON_MAX, &j, &e), 0);
	json_decref(j);
}

static void test_value_limit(void **state)
{
	_cleanup_free_ char *text = malloc(2 * DATA_JSON_VALUES + 4);
	struct err e = ERR_NULL;
	json_t *j = NULL;
	size_t n = 0;

	(void)state;
	assert_non_null(text);
	text[n++] = '[';
	for (unsigned i = 0; i < DATA_JSON_VALUES; i++) {
		text[n++] = '1';
		text[n++] = ',';
	}
	text[n++] = '1';
	text[n++] = ']';
	assert_int_equal(data_json_load(text, n, &j, &e), -E2BIG);
	assert_null(j);
}

static void test_nul_in_value_is_kept(void **state)
{
	_cleanup_json_ json_t *j = NULL;

	(void)state;
	assert_int_equal(load("{\"a\":\"x\\u0000y\"}", &j, NULL), 0);
	assert_int_equal(json_string_length(json_object_get(j, "a")), 3);
}

static void test_nul_in_key_is_replaced(void **state)
{
	_cleanup_json_ json_t *j = NULL;

	(void)state;
	assert_int_equal(load("{\"a\\u0000b\":\"x\",\"c\":\"\\\\u0000\"}", &j, NULL), 0);
	assert_string_equal(json_string_at(j,
				    "a\xef\xbf\xbd"
				    "b",
				    NULL),
		"x");
	assert_string_equal(json_string_at(j, "c", NULL), "\\u0000");
}

static void test_dump(void **state)
{
	_cleanup_json_ json_t *j = json_pack("{s:[i,b,n]}", "a", 1, 1);
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	(void)state;
	assert_int_equal(data_json_dump(j, &text, &size), 0);
	assert_string_equal(text, "{\"a\":[1,true,null]}");
	assert_int_equal(size, strlen(text));
}

static void test_memory(void **state)
{
	static const char text[] = "{\"a\\u0000\":{\"b\":[1,2.5,\"c\",true,null]}}";

	(void)state;
	json_set_alloc_funcs(malloc, free);
	FAULT_LOOP
	{
		_cleanup_json_ json_t *j = NULL;
		_cleanup_free_ char *out = NULL;
		struct err e = ERR_NULL;
		int r = data_json_load(text, sizeof(text) - 1, &j, &e);

		if (r == 0)
			r = data_json_dump(j, &out, NULL);
		if (fault_fired()) {
			assert_true(r == -ENOMEM || r == -EBADMSG);
			assert_null(out);
		} else {
			assert_int_equal(r, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_object_and_array),
		cmocka_unit_test(test_bad_text_is_named),
		cmocka_unit_test(test_keys_that_come_twice),
		cmocka_unit_test(test_depth_limit),
		cmocka_unit_test(test_size_limit),
		cmocka_unit_test(test_value_limit),
		cmocka_unit_test(test_nul_in_value_is_kept),
		cmocka_unit_test(test_nul_in_key_is_replaced),
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
