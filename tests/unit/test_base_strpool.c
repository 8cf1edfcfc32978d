/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_strpool.c: equal strings are one string, as long as somebody holds it */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "tests/unit/fault.h"

static void equal_text_is_one_pointer(void **state)
{
	_cleanup_(strpool_freep) struct strpool *p = NULL;
	const char *a = NULL, *b = NULL, *c = NULL;
	char text[] = "default";

	(void)state;
	assert_int_equal(strpool_new(&p), 0);
	assert_int_equal(strpool_get(p, text, &a), 0);
	assert_ptr_not_equal(a, text);
	text[0] = 'D';
	assert_string_equal(a, "default");
	assert_int_equal(strpool_get(p, "default", &b), 0);
	assert_ptr_equal(a, b);
	assert_int_equal(strpool_get(p, "default2", &c), 0);
	assert_ptr_not_equal(a, c);
	strpool_drop(p, a);
	assert_string_equal(b, "default");
	strpool_drop(p, b);
	strpool_drop(p, c);
}

static void null_and_empty(void **state)
{
	_cleanup_(strpool_freep) struct strpool *p = NULL;
	const char *a = "x", *b = NULL;

	(void)state;
	assert_null(strpool_free(NULL));
	assert_int_equal(strpool_new(&p), 0);
	assert_int_equal(strpool_get(p, NULL, &a), 0);
	assert_null(a);
	strpool_drop(p, NULL);
	assert_int_equal(strpool_get(p, "", &b), 0);
	assert_string_equal(b, "");
	strpool_drop(p, b);
}

static void one_allocation_for_thousands(void **state)
{
	_cleanup_(strpool_freep) struct strpool *p = NULL;
	const char *s = NULL;

	(void)state;
	assert_int_equal(strpool_new(&p), 0);
	fault_arm(0);
	for (int i = 0; i < 20000; i++)
		assert_int_equal(strpool_get(p, "nfs.example.org", &s), 0);
	/* The text, and the table. */
	assert_int_equal(fault_seen(), 2);
	fault_disarm();
	for (int i = 0; i < 20000; i++)
		strpool_drop(p, s);
}

static void many_different(void **state)
{
	static const char *held[5000];
	_cleanup_(strpool_freep) struct strpool *p = NULL;
	char text[16];

	(void)state;
	assert_int_equal(strpool_new(&p), 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "ns-%d", i);
		assert_int_equal(strpool_get(p, text, &held[i]), 0);
	}
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "ns-%d", i);
		assert_string_equal(held[i], text);
		strpool_drop(p, held[i]);
	}
}

static void without_memory(void **state)
{
	(void)state;
	FAULT_LOOP
	{
		_cleanup_(strpool_freep) struct strpool *p = NULL;
		const char *s = "untouched";
		int r = strpool_new(&p);

		if (r >= 0)
			r = strpool_get(p, "text", &s);
		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		assert_string_equal(s, r < 0 ? "untouched" : "text");
		if (r >= 0)
			strpool_drop(p, s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_text_is_one_pointer),
		cmocka_unit_test(null_and_empty),
		cmocka_unit_test(one_allocation_for_thousands),
		cmocka_unit_test(many_different),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
