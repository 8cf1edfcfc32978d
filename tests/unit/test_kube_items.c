/* SPDX-License-Identifier: Apache-2.0 */
/* test_kube_items.c: lists and watches are cut up alike, wherever their pieces end */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "kube/items.h"
#include "kube/lines.h"

/* Everything that was found, one after the other. */
struct found {
	struct buf text;
	int result;
};

static int note(struct found *f, char kind, const char *text, size_t n)
{
	assert_int_equal(buf_printf(&f->text, "%c:", kind), 0);
	assert_int_equal(buf_append(&f->text, text, n), 0);
	assert_int_equal(buf_puts(&f->text, "\n"), 0);
	return f->result;
}

static int on_item(void *userdata, const char *text, size_t n)
{
	return note(userdata, 'i', text, n);
}

static int on_metadata(void *userdata, const char *text, size_t n)
{
	return note(userdata, 'm', text, n);
}

static int on_line(void *userdata, const char *text, size_t n)
{
	return note(userdata, 'l', text, n);
}

static const struct items_ops ops = {on_item, on_metadata};

/* Feeds text in two pieces, the first of so many bytes. */
static int scan(struct found *f, const char *text, size_t n, size_t split)
{
	struct items s;
	/* Copies of their own size, for the sanitizer. */
	char *a = malloc(split + 1), *b = malloc(n - split + 1);
	int r;

	memcpy(a, text, split);
	memcpy(b, text + split, n - split);
	*f = (struct found){.text = BUF_NULL(1U << 20)};
	items_init(&s, &ops, f);
	r = items_feed(&s, a, split);
	if (r >= 0)
		r = items_feed(&s, b, n - split);
	if (r >= 0)
		r = items_end(&s);
	items_done(&s);
	free(a);
	free(b);
	return r;
}

static void finds(const char *text, const char *expected)
{
	size_t n = strlen(text);

	for (size_t split = 0; split <= n; split++) {
		struct found f;

		assert_int_equal(scan(&f, text, n, split), 0);
		assert_string_equal(f.text.data ? f.text.data : "", expected);
		buf_done(&f.text);
	}
}

static void refuses(const char *text)
{
	size_t n = strlen(text);

	for (size_t split = 0; split <= n; split++) {
		struct found f;

		assert_int_equal(scan(&f, text, n, split), -EBADMSG);
		buf_done(&f.text);
	}
}

static void items_are_found(void **state)
{
	(void)state;
	finds("{\"kind\":\"L\",\"metadata\":{\"resourceVersion\":\"1\"},"
	      "\"items\":[{\"a\":1},{\"b\":[{}]}]}",
		"m:{\"resourceVersion\":\"1\"}\ni:{\"a\":1}\ni:{\"b\":[{}]}\n");
	finds(" { \"items\" : [ {} , { } ] , \"metadata\" : { \"x\" : { } } } \n",
		"i:{}\ni:{ }\nm:{ \"x\" : { } }\n");
	finds("{\"items\":[]}", "");
	finds("{\"items\":null,\"metadata\":{}}", "m:{}\n");
	finds("{\"metadata\":null,\"items\":[ ]}", "");
}

static void strings_are_no_structure(void **state)
{
	(void)state;
	finds("{\"x\":\"items\\\":[{\",\"items\":[{\"a\":\"}]\\\"{\\\\\"},\"}{\",{\"\\\\\":1}]}",
		"i:{\"a\":\"}]\\\"{\\\\\"}\ni:{\"\\\\\":1}\n");
}

static void only_the_lists_own_keys_count(void **state)
{
	(void)state;
	finds("{\"x\":{\"items\":[{\"no\":1}],\"metadata\":{}},\"y\":[{\"items\":[{}]}],"
	      "\"items\":[{\"items\":[{}],\"metadata\":{\"n\":1}}]}",
		"i:{\"items\":[{}],\"metadata\":{\"n\":1}}\n");
	finds("{\"metadata2\":{\"a\":1},\"itemsandmoreandmore\":[{\"b\":1}],\"items\":[{}]}",
		"i:{}\n");
	finds("{\"a\":true,\"b\":-1.5e3,\"c\":null,\"items\":[1,null,\"x\",true,{}]}", "i:{}\n");
}

static void what_is_no_list_is_refused(void **state)
{
	static const char *const bad[] = {"", "[]", "null", "{}", "{\"items\":[{}]",
		"{\"items\":[{}", "{\"items\"", "{\"items\":[{\"a\":\"", "{\"items\":[[]]}",
		"{\"metadata\":{}}", "{\"items\":[]}{}", "{\"items\":[]}x", "{1:2}", "{\"a\" 1}",
		"{\"x\":{\"items\":[]}}"};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		refuses(bad[i]);
}

static void a_callback_may_stop_it(void **state)
{
	static const char text[] = "{\"items\":[{},{}]}";
	struct found f = {.text = BUF_NULL(1000), .result = -ECANCELED};
	struct items s;

	(void)state;
	items_init(&s, &ops, &f);
	assert_int_equal(items_feed(&s, text, strlen(text)), -ECANCELED);
	assert_string_equal(f.text.data, "i:{}\n");
	items_done(&s);
	buf_done(&f.text);
}

static void huge_items_are_refused(void **state)
{
	struct found f = {.text = BUF_NULL(1000)};
	char *block = malloc(1U << 20);
	struct items s;
	int r = 0;

	(void)state;
	memset(block, ' ', 1U << 20);
	items_init(&s, &ops, &f);
	assert_int_equal(items_feed(&s, "{\"items\":[{", 11), 0);
	for (int i = 0; i < 17 && r >= 0; i++)
		r = items_feed(&s, block, 1U << 20);
	assert_int_equal(r, -E2BIG);
	items_done(&s);
	buf_done(&f.text);
	free(block);
}

static void lines_are_found(void **state)
{
	static const char text[] = "one\n\ntwo \xc3\xa4\nthree\ncut";

	(void)state;
	for (size_t a = 0; a < sizeof(text); a++) {
		for (size_t b = a; b < sizeof(text); b++) {
			struct found f = {.text = BUF_NULL(1000)};
			struct lines l;

			lines_init(&l);
			assert_int_equal(lines_feed(&l, text, a, on_line, &f), 0);
			assert_int_equal(lines_feed(&l, text + a, b - a, on_line, &f), 0);
			assert_int_equal(
				lines_feed(&l, text + b, sizeof(text) - 1 - b, on_line, &f), 0);
			assert_string_equal(f.text.data, "l:one\nl:two \xc3\xa4\nl:three\n");
			/* What was cut is not what the next begins with. */
			lines_reset(&l);
			assert_int_equal(lines_feed(&l, "four\n", 5, on_line, &f), 0);
			assert_true(str_ends_with(f.text.data, "l:three\nl:four\n"));
			lines_done(&l);
			buf_done(&f.text);
		}
	}
}

static void lines_may_stop(void **state)
{
	struct found f = {.text = BUF_NULL(1000), .result = 7};
	struct lines l;

	(void)state;
	lines_init(&l);
	assert_int_equal(lines_feed(&l, "a\nb\n", 4, on_line, &f), 7);
	assert_string_equal(f.text.data, "l:a\n");
	lines_done(&l);
	buf_done(&f.text);
}

static void huge_lines_are_refused(void **state)
{
	struct found f = {.text = BUF_NULL(1000)};
	char *block = malloc(1U << 20);
	struct lines l;
	int r = 0;

	(void)state;
	memset(block, ' ', 1U << 20);
	lines_init(&l);
	for (int i = 0; i < 17 && r >= 0; i++)
		r = lines_feed(&l, block, 1U << 20, on_line, &f);
	assert_int_equal(r, -E2BIG);
	lines_done(&l);
	buf_done(&f.text);
	free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_are_found),
		cmocka_unit_test(strings_are_no_structure),
		cmocka_unit_test(only_the_lists_own_keys_count),
		cmocka_unit_test(what_is_no_list_is_refused),
		cmocka_unit_test(a_callback_may_stop_it),
		cmocka_unit_test(huge_items_are_refused),
		cmocka_unit_test(lines_are_found),
		cmocka_unit_test(lines_may_stop),
		cmocka_unit_test(huge_lines_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
