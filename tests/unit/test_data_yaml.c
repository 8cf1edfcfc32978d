/* SPDX-License-Identifier: Apache-2.0 */
/* test_data_yaml.c: core schema, refused constructs and lines in errors */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "data/yaml.h"
#include "tests/unit/fault.h"

static int load(const char *text, struct yaml_doc **ret, struct err *e)
{
	return yaml_load(ret, "f.yaml", text, strlen(text), e);
}

static void assert_json(const char *yaml, const char *json)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *d = NULL;
	_cleanup_free_ char *text = NULL;
	struct err e = ERR_NULL;

	if (load(yaml, &d, &e) < 0)
		fail_msg("'%s': %s", yaml, e.text);
	assert_int_equal(data_json_dump(yaml_root(d), &text, NULL), 0);
	assert_string_equal(text, json);
}

static void test_core_schema(void **state)
{
	(void)state;
	assert_json("[~, null, Null, NULL, ]", "[null,null,null,null]");
	assert_json("[true, True, FALSE, yes, no, on]", "[true,true,false,\"yes\",\"no\",\"on\"]");
	assert_json("[1, -2, +3, 0x1f, 0o17, 017]", "[1,-2,3,31,15,17]");
	assert_json("[1.5, -.5, 1e3, 2., .]", "[1.5,-0.5,1000.0,2.0,\".\"]");
	assert_json("['1', \"true\", '~', '']", "[\"1\",\"true\",\"~\",\"\"]");
	assert_json("[0x, 0o9, 1_000, 1:30, -, +, e5, 1e, 0xg]",
		"[\"0x\",\"0o9\",\"1_000\",\"1:30\",\"-\",\"+\",\"e5\",\"1e\",\"0xg\"]");
	assert_json("a: 10Gi\nb: 90s\n", "{\"a\":\"10Gi\",\"b\":\"90s\"}");
	assert_json("a:\nb: |\n  x\n  y\n", "{\"a\":null,\"b\":\"x\\ny\\n\"}");
	assert_json("", "null");
	assert_json("# only a comment\n", "null");
	assert_json("--- {a: [b, {c: d}]}\n", "{\"a\":[\"b\",{\"c\":\"d\"}]}");
	assert_json("{\"a\": [1, {\"b\": null}]}", "{\"a\":[1,{\"b\":null}]}");
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
		int r;
	} cases[] = {
		{"a: &x 1\n", "f.yaml:1: anchors", -EBADMSG},
		{"a: 1\nb: &x {}\n", "f.yaml:2: anchors", -EBADMSG},
		{"a: &x []\n", "f.yaml:1: anchors", -EBADMSG},
		{"a: 1\n\nb: *x\n", "f.yaml:3: aliases", -EBADMSG},
		{"a: 1\nb: 2\na: 3\n", "f.yaml:3: key 'a' is there twice", -EBADMSG},
		{"<<: {a: 1}\n", "f.yaml:1: merge keys", -EBADMSG},
		{"a: !!str 1\n", "f.yaml:1: tags", -EBADMSG},
		{"a: !x [1]\n", "f.yaml:1: tags", -EBADMSG},
		{"a: !x {}\n", "f.yaml:1: tags", -EBADMSG},
		{"a: 1\n---\nb: 1\n", "f.yaml:2: a second document", -EBADMSG},
		{"a: 1\n b: 2\n", "f.yaml:2: ", -EBADMSG},
		{"a: [1\n", "f.yaml:2: ", -EBADMSG},
		{"? [a]\n: 1\n", "f.yaml:1: a key must be", -EBADMSG},
		{"\"a\\0b\": 1\n", "f.yaml:1: a key holds a NUL", -EBADMSG},
		{"a: 99999999999999999999\n", "f.yaml:1: a number out of range", -ERANGE},
		{"a: 1e999\n", "f.yaml:1: a number out of range", -ERANGE},
		{"a: .nan\n", "f.yaml:1: a number that is not finite", -EBADMSG},
		{"a: \"\xff\"\n", "f.yaml:1: ", -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct yaml_doc *d = NULL;
		struct err e = ERR_NULL;
		int r = load(cases[i].text, &d, &e);

		if (r != cases[i].r || strncmp(e.text, cases[i].says, strlen(cases[i].says)) != 0)
			fail_msg("'%s' says %d '%s'", cases[i].text, r, e.text);
		assert_null(d);
	}
}

static void test_depth_limit(void **state)
{
	char text[2 * (YAML_DEPTH + 1)];
	struct yaml_doc *d = NULL;
	struct err e = ERR_NULL;

	(void)state;
	memset(text, '[', YAML_DEPTH);
	memset(text + YAML_DEPTH, ']', YAML_DEPTH);
	assert_int_equal(yaml_load(&d, "f", text, 2 * YAML_DEPTH, &e), 0);
	d = yaml_doc_free(d);
	memset(text, '[', YAML_DEPTH + 1);
	memset(text + YAML_DEPTH + 1, ']', YAML_DEPTH + 1);
	assert_int_equal(yaml_load(&d, "f", text, sizeof(text), &e), -E2BIG);
	assert_null(d);
}

static void test_size_limits(void **state)
{
	_cleanup_free_ char *text = malloc(YAML_FILE_MAX + 1);
	struct yaml_doc *d = NULL;
	struct err e = ERR_NULL;

	(void)state;
	assert_non_null(text);
	memset(text, '\n', YAML_FILE_MAX + 1);
	assert_int_equal(yaml_load(&d, "f", text, YAML_FILE_MAX + 1, &e), -E2BIG);
	for (size_t i = 0; i < YAML_NODES_MAX + 1; i++)
		memcpy(text + 3 * i, "- \n", 3);
	assert_int_equal(yaml_load(&d, "f", text, 3 * (YAML_NODES_MAX + 1), &e), -E2BIG);
	assert_null(d);
}

struct config {
	const char *name;
	bool on;
	unsigned count;
};
static const struct decode_field fields[] = {
	{.key = "name",
		.type = DECODE_STRING,
		.offset = offsetof(struct config, name),
		.flags = DECODE_REQUIRED},
	{.key = "on", .type = DECODE_BOOL, .offset = offsetof(struct config, on)},
};
static const struct decode_table table = DECODE_TABLE(fields, true);
static const struct decode_field root_fields[] = {
	{.key = "sub", .type = DECODE_OBJECT, .offset = 0, .sub = &table},
	{.key = "count", .type = DECODE_UNSIGNED, .offset = offsetof(struct config, count)},
};
static const struct decode_table root_table = DECODE_TABLE(root_fields, true);

static void test_decode_errors_have_lines(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"sub:\n  name: x\n  on: 1\n", "f.yaml:3: sub.on: must be true or false"},
		{"sub:\n  name: x\n  count: true\n", "f.yaml:3: sub.count: is not a known key"},
		{"count: 1\nsub:\n  on: true\n", "f.yaml:2: sub.name: is missing"},
		{"\ncount: true\n", "f.yaml:2: count: must be an integer"},
		{"- 1\n", "f.yaml:1: must be an object"},
		{"", "f.yaml:1: must be an object"},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_(yaml_doc_freep) struct yaml_doc *d = NULL;
		struct config c = {.name = NULL};
		struct err e = ERR_NULL;

		assert_int_equal(load(cases[i].text, &d, &e), 0);
		assert_true(yaml_decode(d, &root_table, &c, &e) < 0);
		assert_string_equal(e.text, cases[i].says);
	}
}

static void test_lines_of_values(void **state)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *d = NULL;
	struct config c = {.name = NULL};

	(void)state;
	assert_int_equal(load("count: 3\nsub:\n  name: \"1\"\n  on: yes\n", &d, NULL), 0);
	assert_int_equal(yaml_line(d, yaml_root(d)), 1);
	assert_int_equal(yaml_line(d, json_at(yaml_root(d), "sub", "name", NULL)), 3);
	assert_int_equal(yaml_line(d, json_at(yaml_root(d), "sub", "on", NULL)), 4);
	assert_int_equal(yaml_line(d, NULL), 0);
	assert_true(yaml_decode(d, &root_table, &c, NULL) < 0);
}

static void test_file(void **state)
{
	char path[] = "/tmp/berth-yaml-XXXXXX";
	_cleanup_(yaml_doc_freep) struct yaml_doc *d = NULL;
	struct yaml_doc *none = NULL;
	struct err e = ERR_NULL;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a: 1\n", 5), 5);
	close(fd);
	assert_int_equal(yaml_load_file(&d, path, &e), 0);
	unlink(path);
	assert_int_equal(yaml_load_file(&none, path, &e), -ENOENT);
	assert_null(none);
	assert_non_null(strstr(e.text, path));
}

static void test_memory(void **state)
{
	(void)state;
	json_set_alloc_funcs(malloc, free);
	FAULT_LOOP
	{
		_cleanup_(yaml_doc_freep) struct yaml_doc *d = NULL;
		struct err e = ERR_NULL;
		int r = load("a: {b: [1, 2.5, c, true]}\nd: \"e\"\nf:\n", &d, &e);

		if (fault_fired()) {
			assert_int_equal(r, -ENOMEM);
			assert_null(d);
		} else {
			assert_int_equal(r, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_core_schema),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_depth_limit),
		cmocka_unit_test(test_size_limits),
		cmocka_unit_test(test_decode_errors_have_lines),
		cmocka_unit_test(test_lines_of_values),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
