/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_buf.c: the byte buffer grows within its limit and stays terminated */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tests/unit/fault.h"

static void starts_empty(void **state)
{
	struct buf b = BUF_NULL(10);

	(void)state;
	assert_null(b.data);
	buf_reset(&b);
	buf_consume(&b, 0);
	buf_shrink(&b);
	buf_done(&b);
	buf_done(&b);
}

static void appends_and_terminates(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(1000);

	(void)state;
	assert_int_equal(buf_puts(&b, "abc"), 0);
	assert_int_equal(buf_append(&b, "d\0e", 3), 0);
	assert_int_equal(b.len, 6);
	assert_memory_equal(b.data, "abcd\0e", 7);
	assert_int_equal(buf_printf(&b, "%d-%s", 42, "x"), 0);
	assert_string_equal(b.data + 6, "42-x");
	assert_int_equal(b.len, 10);
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, "");
}

static void limit_is_exact(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(5);
	int r = 0;

	(void)state;
	assert_int_equal(buf_puts(&b, "abcde"), 0);
	assert_int_equal(buf_puts(&b, "f"), -ENOBUFS);
	assert_int_equal(buf_printf(&b, "%s", "f"), -ENOBUFS);
	assert_null(buf_reserve(&b, 1, &r));
	assert_int_equal(r, -ENOBUFS);
	assert_null(buf_reserve(&b, SIZE_MAX, NULL));
	assert_int_equal(buf_append(&b, "x", SIZE_MAX), -ENOBUFS);
	assert_string_equal(b.data, "abcde");
	assert_int_equal(b.len, 5);
	assert_int_equal(buf_puts(&b, ""), 0);
	assert_non_null(buf_reserve(&b, 0, NULL));
	assert_true(b.cap <= 6);
}

static void limit_of_nothing(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(0);

	(void)state;
	assert_int_equal(buf_puts(&b, ""), 0);
	assert_int_equal(buf_puts(&b, "a"), -ENOBUFS);
}

static void no_limit(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(SIZE_MAX);

	(void)state;
	assert_int_equal(buf_puts(&b, "abc"), 0);
	assert_int_equal(buf_append(&b, "x", SIZE_MAX - 2), -ENOBUFS);
	assert_string_equal(b.data, "abc");
}

static void grows_by_doubling(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(1 << 20);
	unsigned long allocations;

	(void)state;
	fault_arm(0);
	for (int i = 0; i < 1 << 20; i++)
		assert_int_equal(buf_append(&b, "x", 1), 0);
	allocations = fault_seen();
	fault_disarm();
	assert_in_range(allocations, 2, 16);
	assert_int_equal(b.cap, (1 << 20) + 1);
	assert_int_equal(strlen(b.data), 1 << 20);
}

static void reserve_then_commit(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(100);
	char *p;
	int r = 7;

	(void)state;
	assert_int_equal(buf_puts(&b, "ab"), 0);
	p = buf_reserve(&b, 50, &r);
	assert_int_equal(r, 0);
	assert_ptr_equal(p, b.data + 2);
	assert_int_equal(p[50], '\0');
	memset(p, 'x', 50);
	buf_commit(&b, 3);
	assert_string_equal(b.data, "abxxx");
	assert_int_equal(b.len, 5);
}

static void consume_from_the_front(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(100);

	(void)state;
	assert_int_equal(buf_puts(&b, "abcdef"), 0);
	buf_consume(&b, 2);
	assert_string_equal(b.data, "cdef");
	buf_consume(&b, 0);
	assert_int_equal(b.len, 4);
	buf_consume(&b, 4);
	assert_string_equal(b.data, "");
	assert_int_equal(b.len, 0);
}

static void take_leaves_it_empty(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(100);
	_cleanup_free_ char *text = NULL, *fresh = NULL;

	(void)state;
	assert_int_equal(buf_puts(&b, "abc"), 0);
	text = buf_take(&b);
	assert_string_equal(text, "abc");
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	fresh = buf_take(&b);
	assert_string_equal(fresh, "");
	assert_int_equal(buf_puts(&b, "again"), 0);
	assert_string_equal(b.data, "again");
}

static void shrink_gives_memory_back(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(10000);

	(void)state;
	assert_non_null(buf_reserve(&b, 5000, NULL));
	assert_int_equal(buf_puts(&b, "abc"), 0);
	fault_arm(1);
	buf_shrink(&b);
	fault_disarm();
	assert_string_equal(b.data, "abc");
	buf_shrink(&b);
	assert_int_equal(b.cap, 4);
	assert_string_equal(b.data, "abc");
	buf_reset(&b);
	buf_shrink(&b);
	assert_null(b.data);
}

static int fill(struct buf *b)
{
	int r = buf_puts(
		b, "some text that takes more than the first sixty-four bytes of the buffer");

	if (r >= 0)
		r = buf_printf(b, "%0200d", 7);
	return r < 0 ? r : buf_append(b, "0123456789", 10);
}

static void without_memory_nothing_changes(void **state)
{
	(void)state;
	FAULT_LOOP
	{
		_cleanup_buf_ struct buf b = BUF_NULL(10000);
		int r = fill(&b);

		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		if (b.data)
			assert_int_equal(strlen(b.data), b.len);
		else
			assert_int_equal(b.len, 0);
	}
}

static void reserve_and_take_tell_of_missing_memory(void **state)
{
	struct buf b = BUF_NULL(1);
	int r = 0;

	(void)state;
	fault_arm(1);
	assert_null(buf_reserve(&b, 1, &r));
	assert_int_equal(r, -ENOMEM);
	fault_arm(1);
	assert_null(buf_take(&b));
	fault_disarm();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_empty),
		cmocka_unit_test(appends_and_terminates),
		cmocka_unit_test(limit_is_exact),
		cmocka_unit_test(limit_of_nothing),
		cmocka_unit_test(no_limit),
		cmocka_unit_test(grows_by_doubling),
		cmocka_unit_test(reserve_then_commit),
		cmocka_unit_test(consume_from_the_front),
		cmocka_unit_test(take_leaves_it_empty),
		cmocka_unit_test(shrink_gives_memory_back),
		cmocka_unit_test(without_memory_nothing_changes),
		cmocka_unit_test(reserve_and_take_tell_of_missing_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
