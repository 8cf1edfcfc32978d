/* SPDX-License-Identifier: Apache-2.0 */
/* test_berthctl_words.c: figures for people, the nearest word, lines of a watch, status and
 * findings */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/admin_json.h"
#include "base/clock.h"
#include "base/str.h"
#include "data/decode.h"
#include "data/yaml.h"
#include "tests/unit/view_world.h"
#include "tools/berthctl/follow.h"
#include "tools/berthctl/human.h"
#include "tools/berthctl/summary.h"

static void test_age(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *want;
	} ages[] = {{0, "0s"}, {119, "119s"}, {120, "2m"}, {7199, "119m"}, {7200, "2h"},
		{9000, "2h30m"}, {86400, "24h"}, {90000, "25h"}, {172800, "2d"}, {180000, "2d2h"},
		{864000, "10d"}};
	char text[HUMAN_MAX];

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(ages); i++)
		assert_string_equal(
			human_age(SECONDS(1000000 + ages[i].seconds), SECONDS(1000000), text),
			ages[i].want);
	assert_string_equal(human_age(SECONDS(5), 0, text), "-");
	/* A clock that went back. */
	assert_string_equal(human_age(SECONDS(5), SECONDS(9), text), "0s");
}

static void test_bytes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *want;
	} sizes[] = {{0, "0"}, {1023, "1023"}, {1024, "1Ki"}, {1536, "1.5Ki"},
		{700ULL << 30, "700Gi"}, {1ULL << 40, "1Ti"}, {(1ULL << 40) - 1, "1Ti"},
		{UINT64_MAX, "16Ei"}};
	char text[HUMAN_MAX];

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
		assert_string_equal(human_bytes(sizes[i].bytes, text), sizes[i].want);
}

static void test_nearest(void **state)
{
	static const char *const words[] = {"status", "volumes", "mounts", "exports", "trash"};
	static const struct {
		const char *word, *want;
	} cases[] = {{"statsu", "status"}, {"vol", "volumes"}, {"mount", "mounts"},
		{"Trash", "trash"}, {"exprots", "exports"}, {"frobnicate", NULL}, {"xy", NULL},
		{"a-word-that-is-much-longer-than-any-command", NULL}};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		const char *found = human_nearest(cases[i].word, words, ELEMENTSOF(words));

		if (cases[i].want)
			assert_string_equal(found, cases[i].want);
		else
			assert_null(found);
	}
}

static void line_is(const char *line, size_t width, const char *want)
{
	_cleanup_buf_ struct buf out = BUF_NULL(65536);
	const struct cli c = {.style = {.width = width}};

	assert_int_equal(follow_put(line, &c, &out), 0);
	assert_string_equal(out.data, want);
}

static void test_watch_lines(void **state)
{
	_cleanup_buf_ struct buf out = BUF_NULL(65536);
	const struct cli c = {.style = {.width = 80}};
	static const char changed[] =
		"{\"type\":\"MODIFIED\",\"kind\":\"mounts\",\"time\":\"2026-11-26T22:08:46Z\","
		"\"object\":{\"target\":\"/t\",\"state\":\"Hung\",\"text\":\"no answer\"},"
		"\"was\":{\"state\":\"Ok\",\"text\":\"\"}}";

	(void)state;
	line_is(changed, 0, "22:08:46  mounts      Hung, was Ok: no answer  /t\n");
	line_is(changed, 40, "22:08:46  mounts      Hung, wa\u2026nswer  /t\n");
	line_is("{\"type\":\"DELETED\",\"kind\":\"volumes\",\"time\":\"2026-11-26T22:08:46Z\","
		"\"object\":{\"target\":\"/t\",\"state\":\"Ok\",\"text\":\"\"}}",
		0, "22:08:46  volumes     gone  /t\n");
	line_is("{\"type\":\"MODIFIED\",\"kind\":\"node\",\"time\":\"2026-11-26T22:08:46Z\","
		"\"object\":{\"name\":\"n\"},\"was\":{\"propagation\":\"private\",\"a\":1}}",
		0, "22:08:46  node        propagation, a changed  n\n");
	assert_int_equal(follow_put("no JSON", &c, &out), -EBADMSG);
	/* Nothing of it has to be there. */
	line_is("{}", 0, "               changed  ?\n");
}

static void put_all(struct view_world *w, size_t width, struct buf *out)
{
	_cleanup_json_ json_t *status = admin_status(&w->view);
	const struct cli c = {.style = {.width = width}};

	assert_non_null(status);
	assert_int_equal(
		summary_put_status(status, &c, w->node.started + SECONDS(3600 * 30), out), 0);
}

static void test_status(void **state)
{
	_cleanup_buf_ struct buf well = BUF_NULL(65536), ill = BUF_NULL(65536);
	struct view_world w;

	(void)state;
	view_world_init(&w, NULL);
	put_all(&w, 80, &well);
	assert_string_equal(well.data,
		"ok node-a.example.org berth-agent " BERTH_VERSION ", up 30h\n"
		"  kubelet    /var/lib/kubelet (shared)\n"
		"  NFS client in the kernel\n"
		"  drivers    nfs.berth.dev: Registered for 30h\n"
		"             hostpath.berth.dev: Registered for 30h\n"
		"  volumes    3 Ok\n"
		"  mounts     5 Ok\n"
		"  exports    2 Ok\n"
		"  pools      1 Ok\n"
		"  operations 1 Running\n"
		"  API server https://10.96.0.1:443 answers, clock +0 s\n");
	view_world_hang(&w);
	put_all(&w, 60, &ill);
	assert_non_null(strstr(ill.data, "NOT WELL node-a"));
	assert_non_null(strstr(ill.data, "  mounts     5: 2 Ok, 3 Hung\n"));
	assert_non_null(strstr(ill.data, "error    exports"));
	for (const char *p = ill.data; *p; p += strcspn(p, "\n") + 1)
		assert_true(strcspn(p, "\n") <= 60);
}

static void yaml_is(const char *json, const char *want)
{
	_cleanup_json_ json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
	_cleanup_buf_ struct buf out = BUF_NULL(65536);

	assert_non_null(value);
	assert_int_equal(yaml_print(value, &out), 0);
	assert_string_equal(out.data, want);
}

static void test_yaml(void **state)
{
	(void)state;
	yaml_is("{\"a\": [1, 2.5, true, null, \"x\"]}", "a:\n- 1\n- 2.5\n- true\n- null\n- x\n");
	yaml_is("{\"a\": \"yes\", \"b\": \"0777\", \"c\": \"1e3\", \"d\": \"\", \"e\": \"~\"}",
		"a: \"yes\"\nb: \"0777\"\nc: \"1e3\"\nd: \"\"\ne: \"~\"\n");
	yaml_is("{\"a\": \"x: y\", \"b\": \"- z\", \"c\": \"null\", \"d\": \"büro\"}",
		"a: 'x: y'\nb: \"- z\"\nc: \"null\"\nd: büro\n");
	yaml_is("{\"a\": {}, \"b\": []}", "a: {}\nb: []\n");
	yaml_is("{\"a\": \"x\\u001b[2J\"}", "a: \"x\\e[2J\"\n");
}

/* What is printed is read back as it was, by the reader that the daemons have. */
static void test_yaml_comes_back(void **state)
{
	_cleanup_buf_ struct buf out = BUF_NULL(1U << 20);
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = NULL;
	struct view_world w;
	struct err e = ERR_NULL;

	(void)state;
	view_world_init(&w, NULL);
	_cleanup_json_ json_t *rows = admin_rows(ADMIN_VOLUMES, &w.view, 0);
	_cleanup_json_ json_t *list = json_pack("{s:O}", "items", rows);

	assert_int_equal(yaml_print(list, &out), 0);
	assert_int_equal(yaml_load(&doc, "x", out.data, out.len, &e), 0);
	assert_true(json_equal(yaml_root(doc), list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_watch_lines),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_yaml),
		cmocka_unit_test(test_yaml_comes_back),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
