/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_str.c: string helpers, escaping and the interning pool */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "tests/unit/fault.h"

static void comparisons(void **state)
{
	(void)state;
	assert_true(streq("a", "a"));
	assert_false(streq("a", "b"));
	assert_true(streq_null(NULL, NULL));
	assert_false(streq_null(NULL, ""));
	assert_false(streq_null("", NULL));
	assert_true(streq_null("x", "x"));
	assert_true(str_empty(NULL));
	assert_true(str_empty(""));
	assert_false(str_empty(" "));
	assert_string_equal(str_or(NULL, "b"), "b");
	assert_string_equal(str_or("a", "b"), "a");
}

static void beginnings_and_ends(void **state)
{
	(void)state;
	assert_string_equal(str_after("prefix-rest", "prefix-"), "rest");
	assert_string_equal(str_after("abc", "abc"), "");
	assert_string_equal(str_after("abc", ""), "abc");
	assert_null(str_after("ab", "abc"));
	assert_true(str_ends_with("file.json", ".json"));
	assert_true(str_ends_with("x", ""));
	assert_true(str_ends_with("x", "x"));
	assert_false(str_ends_with("x", "xx"));
	assert_false(str_ends_with("file.json~", ".json"));
}

static void copies_that_fit(void **state)
{
	char dst[4] = "old";

	(void)state;
	assert_int_equal(str_copy(dst, sizeof(dst), "toolong"), -ENAMETOOLONG);
	assert_int_equal(str_copy(dst, sizeof(dst), "four"), -ENAMETOOLONG);
	assert_int_equal(str_copy(dst, 0, ""), -ENAMETOOLONG);
	assert_string_equal(dst, "old");
	assert_int_equal(str_copy(dst, sizeof(dst), "new"), 0);
	assert_string_equal(dst, "new");
	assert_int_equal(str_copy(dst, sizeof(dst), dst + 1), 0);
	assert_string_equal(dst, "ew");
}

static void copies_that_are_cut(void **state)
{
	char dst[6];

	(void)state;
	assert_string_equal(str_copy_cut(dst, sizeof(dst), "abc"), "abc");
	assert_string_equal(str_copy_cut(dst, sizeof(dst), "abcdefgh"), "abcde");
	/* Never half a character. */
	assert_string_equal(str_copy_cut(dst, sizeof(dst), "abcd\xc3\xa4"), "abcd");
	assert_string_equal(str_copy_cut(dst, sizeof(dst), "abc\xc3\xa4"), "abc\xc3\xa4");
	assert_string_equal(str_copy_cut(dst, sizeof(dst), "ab\xf0\x9f\x98\x80"), "ab");
	assert_string_equal(str_copy_cut(dst, 1, "abc"), "");
	assert_ptr_equal(str_copy_cut(dst, 0, "abc"), dst);
	/* What is no UTF-8 does not take all with it. */
	assert_int_equal(strlen(str_copy_cut(dst, sizeof(dst), "\x80\x80\x80\x80\x80\x80\x80")), 2);
}

static void formats(void **state)
{
	char dst[6];

	(void)state;
	assert_int_equal(str_format(dst, sizeof(dst), "%d", 12345), 0);
	assert_string_equal(dst, "12345");
	assert_int_equal(str_format(dst, sizeof(dst), "%d", 123456), -ENAMETOOLONG);
}

static void replacing(void **state)
{
	char *p = NULL;

	(void)state;
	assert_int_equal(str_replace(&p, "one"), 0);
	assert_string_equal(p, "one");
	assert_int_equal(str_replace(&p, p + 1), 0);
	assert_string_equal(p, "ne");
	fault_arm(1);
	assert_int_equal(str_replace(&p, "other"), -ENOMEM);
	fault_disarm();
	assert_string_equal(p, "ne");
	assert_int_equal(str_replace(&p, NULL), 0);
	assert_null(p);
}

static void utf8(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		uint32_t rune;
	} cases[] = {{"a", 1, 'a'}, {"\x7f", 1, 0x7f}, {"\xc2\x80", 2, 0x80},
		{"\xdf\xbf", 2, 0x7ff}, {"\xe0\xa0\x80", 3, 0x800}, {"\xed\x9f\xbf", 3, 0xd7ff},
		{"\xee\x80\x80", 3, 0xe000}, {"\xef\xbf\xbf", 3, 0xffff},
		{"\xf0\x90\x80\x80", 4, 0x10000}, {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
		/* Overlong, surrogates, too high, alone, cut. */
		{"\xc0\x80", 0, 0}, {"\xc1\xbf", 0, 0}, {"\xe0\x9f\xbf", 0, 0},
		{"\xf0\x8f\xbf\xbf", 0, 0}, {"\xed\xa0\x80", 0, 0}, {"\xed\xbf\xbf", 0, 0},
		{"\xf4\x90\x80\x80", 0, 0}, {"\xf8\x88\x80\x80\x80", 0, 0}, {"\xff", 0, 0},
		{"\x80", 0, 0}, {"\xbf", 0, 0}, {"\xc3", 0, 0}, {"\xe2\x82", 0, 0},
		{"\xf0\x9f\x98", 0, 0}, {"\xc3(", 0, 0}};
	uint32_t rune;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		rune = 0;
		assert_int_equal(str_utf8_next(cases[i].text, 4, &rune), cases[i].len);
		assert_int_equal(rune, cases[i].rune);
	}
	assert_int_equal(str_utf8_next("", 4, &rune), 1);
	assert_int_equal(str_utf8_next("a", 0, &rune), 0);
	assert_int_equal(str_utf8_next("\xc3\xa4", 1, &rune), 0);
}

static void escaping(void **state)
{
	char dst[64];

	(void)state;
	assert_string_equal(str_escape(dst, sizeof(dst), "plain \xc3\xa4 \\"), "plain \xc3\xa4 \\");
	assert_string_equal(str_escape(dst, sizeof(dst), "a\nb\tc\x7f"), "a\\x0ab\\x09c\\x7f");
	assert_string_equal(str_escape(dst, sizeof(dst), "\x1b[31mred"), "\\x1b[31mred");
	assert_string_equal(str_escape(dst, sizeof(dst), "\xff\xc3("), "\\xff\\xc3(");
	/* U+009B begins a control sequence as ESC [ does. */
	assert_string_equal(str_escape(dst, sizeof(dst),
				    "\xc2\x9b"
				    "31m"),
		"\\xc2\\x9b31m");
}

static void escaping_is_cut_between_characters(void **state)
{
	char dst[8];

	(void)state;
	assert_string_equal(str_escape(dst, 8, "abcd\n"), "abcd");
	assert_string_equal(str_escape(dst, 8, "abc\n"), "abc\\x0a");
	assert_string_equal(str_escape(dst, 8, "abcdef\xc3\xa4"), "abcdef");
	assert_string_equal(str_escape(dst, 8, "abcdefghij"), "abcdefg");
	assert_string_equal(str_escape(dst, 1, "abc"), "");
	assert_ptr_equal(str_escape(dst, 0, "abc"), dst);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparisons),
		cmocka_unit_test(beginnings_and_ends),
		cmocka_unit_test(copies_that_fit),
		cmocka_unit_test(copies_that_are_cut),
		cmocka_unit_test(formats),
		cmocka_unit_test(replacing),
		cmocka_unit_test(utf8),
		cmocka_unit_test(escaping),
		cmocka_unit_test(escaping_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
