/* SPDX-License-Identifier: Apache-2.0 */
/* test_data_decode.c: every type of a table's field, its errors and their paths */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/id.h"
#include "data/decode.h"
#include "tests/unit/fault.h"

struct inner {
	const char *name;
	unsigned count;
};

struct outer {
	const char *text;
	bool flag;
	int64_t number;
	unsigned count;
	double ratio;
	int64_t size;
	uint64_t wait;
	struct uuid uid;
	bool present;
	const json_t *raw;
	struct inner inner;
	size_t items;
};

static int on_items(const json_t *value, void *target, struct err *e)
{
	if (!json_is_array(value))
		return err_set(e, EBADMSG, "must be a list");
	if (json_array_size(value) == 0)
		return -EINVAL;
	*(size_t *)target = json_array_size(value);
	return 0;
}

static const struct decode_field inner_fields[] = {
	{.key = "name",
		.type = DECODE_STRING,
		.offset = offsetof(struct inner, name),
		.flags = DECODE_REQUIRED},
	{.key = "count", .type = DECODE_UNSIGNED, .offset = offsetof(struct inner, count)},
};
static const struct decode_table inner_table = DECODE_TABLE(inner_fields, true);

static const struct decode_field outer_fields[] = {
	{.key = "text", .type = DECODE_STRING, .offset = offsetof(struct outer, text)},
	{.key = "flag", .type = DECODE_BOOL, .offset = offsetof(struct outer, flag)},
	{.key = "number", .type = DECODE_I64, .offset = offsetof(struct outer, number)},
	{.key = "count", .type = DECODE_UNSIGNED, .offset = offsetof(struct outer, count)},
	{.key = "ratio", .type = DECODE_DOUBLE, .offset = offsetof(struct outer, ratio)},
	{.key = "size", .type = DECODE_QUANTITY, .offset = offsetof(struct outer, size)},
	{.key = "wait", .type = DECODE_DURATION, .offset = offsetof(struct outer, wait)},
	{.key = "uid", .type = DECODE_UUID, .offset = offsetof(struct outer, uid)},
	{.key = "present", .type = DECODE_PRESENT, .offset = offsetof(struct outer, present)},
	{.key = "raw", .type = DECODE_JSON, .offset = offsetof(struct outer, raw)},
	{.key = "inner",
		.type = DECODE_OBJECT,
		.offset = offsetof(struct outer, inner),
		.sub = &inner_table},
	{.key = "items",
		.type = DECODE_CUSTOM,
		.offset = offsetof(struct outer, items),
		.custom = on_items},
};
static const struct decode_table outer_table = DECODE_TABLE(outer_fields, false);

static int run(const char *text, json_t **ret, struct outer *o, struct err *e)
{
	*ret = NULL;
	assert_int_equal(data_json_load(text, strlen(text), ret, NULL), 0);
	return decode(&outer_table, *ret, o, e);
}

static void test_every_type(void **state)
{
	_cleanup_json_ json_t *j = NULL;
	struct outer o = {.text = NULL};
	struct err e = ERR_NULL;
	char uid[UUID_TEXT_MAX];

	(void)state;
	assert_int_equal(run("{\"text\":\"t\",\"flag\":true,\"number\":-5,\"count\":7,\"ratio\":2,"
			     "\"size\":\"1Gi\",\"wait\":\"1m30s\",\"present\":{},\"raw\":[1],"
			     "\"uid\":\"01234567-89ab-cdef-0123-456789abcdef\",\"unknown\":1,"
			     "\"inner\":{\"name\":\"n\",\"count\":3},\"items\":[1,2,3]}",
				 &j, &o, &e),
		0);
	assert_string_equal(o.text, "t");
	assert_true(o.flag);
	assert_int_equal(o.number, -5);
	assert_int_equal(o.count, 7);
	assert_true(o.ratio > 1.9 && o.ratio < 2.1);
	assert_int_equal(o.size, 1 << 30);
	assert_int_equal(o.wait, SECONDS(90));
	assert_string_equal(uuid_format(&o.uid, uid), "01234567-89ab-cdef-0123-456789abcdef");
	assert_true(o.present);
	assert_ptr_equal(o.raw, json_object_get(j, "raw"));
	assert_string_equal(o.inner.name, "n");
	assert_int_equal(o.inner.count, 3);
	assert_int_equal(o.items, 3);
	assert_int_equal(e.code, 0);
}

static void test_absent_and_null_keep_defaults(void **state)
{
	_cleanup_json_ json_t *j = NULL;
	struct outer o = {.text = "default", .count = 9, .flag = true};

	(void)state;
	assert_int_equal(run("{\"text\":null,\"present\":null,\"flag\":null}", &j, &o, NULL), 0);
	assert_string_equal(o.text, "default");
	assert_int_equal(o.count, 9);
	assert_true(o.flag);
	assert_false(o.present);
}

static void test_errors_name_the_path(void **state)
{
	static const struct {
		const char *text, *says;
		int r;
	} cases[] = {
		{"{\"text\":1}", "text: must be a string", -EBADMSG},
		{"{\"text\":\"a\\u0000b\"}", "text: holds a NUL", -EBADMSG},
		{"{\"flag\":\"true\"}", "flag: must be true or false", -EBADMSG},
		{"{\"number\":1.5}", "number: must be an integer", -EBADMSG},
		{"{\"count\":-1}", "count: must be between 0 and 4294967295", -ERANGE},
		{"{\"count\":4294967296}", "count: must be between", -ERANGE},
		{"{\"ratio\":\"1\"}", "ratio: must be a number", -EBADMSG},
		{"{\"size\":-1}", "size: must be between", -ERANGE},
		{"{\"size\":\"-1\"}", "size: '-1' is negative", -ERANGE},
		{"{\"size\":\"1Gb\"}", "size: '1Gb' is not a quantity", -EBADMSG},
		{"{\"size\":true}", "size: must be a string", -EBADMSG},
		{"{\"wait\":\"1x\"}", "wait: '1x' is not a duration", -EBADMSG},
		{"{\"uid\":\"1\"}", "uid: '1' is not a UUID", -EBADMSG},
		{"{\"inner\":[]}", "inner: must be an object", -EBADMSG},
		{"{\"inner\":{}}", "inner.name: is missing", -EBADMSG},
		{"{\"inner\":{\"name\":null}}", "inner.name: is missing", -EBADMSG},
		{"{\"inner\":{\"name\":\"x\",\"count\":\"1\"}}", "inner.count: must be an integer",
			-EBADMSG},
		{"{\"inner\":{\"name\":\"x\",\"\\u001bx\":1}}", "inner.\\x1bx: is not a known key",
			-EBADMSG},
		{"{\"items\":{}}", "items: must be a list", -EBADMSG},
		{"{\"items\":[]}", "items: is not valid", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_json_ json_t *j = NULL;
		struct outer o = {.text = NULL};
		struct err e = ERR_NULL;

		assert_int_equal(run(cases[i].text, &j, &o, &e), cases[i].r);
		if (strncmp(e.text, cases[i].says, strlen(cases[i].says)) != 0)
			fail_msg("'%s' says '%s'", cases[i].text, e.text);
		assert_int_equal(e.code, -cases[i].r);
	}
}

static void test_place_of_an_error(void **state)
{
	_cleanup_json_ json_t *j = json_pack("{s:{s:s,s:s}}", "inner", "name", "x", "count", "1");
	struct decode_place at = {.object = NULL};
	struct outer o = {.text = NULL};

	(void)state;
	assert_int_equal(decode_at(&outer_table, j, &o, &at, NULL), -EBADMSG);
	assert_ptr_equal(at.object, json_object_get(j, "inner"));
	assert_string_equal(at.key, "count");
}

static void test_root_must_be_an_object(void **state)
{
	_cleanup_json_ json_t *j = json_array();
	struct outer o = {.text = NULL};
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(decode(&outer_table, j, &o, &e), -EBADMSG);
	assert_string_equal(e.text, "must be an object");
	assert_int_equal(decode(&outer_table, NULL, &o, &e), -EBADMSG);
}

static void test_no_allocation(void **state)
{
	_cleanup_json_ json_t *j = json_pack("{s:{s:s},s:s}", "inner", "name", "x", "size", "1");
	struct outer o = {.text = NULL};

	(void)state;
	fault_arm(0);
	assert_int_equal(decode(&outer_table, j, &o, NULL), 0);
	assert_int_equal(fault_seen(), 0);
	fault_disarm();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type),
		cmocka_unit_test(test_absent_and_null_keep_defaults),
		cmocka_unit_test(test_errors_name_the_path),
		cmocka_unit_test(test_place_of_an_error),
		cmocka_unit_test(test_root_must_be_an_object),
		cmocka_unit_test(test_no_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
