/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_list.c: the intrusive list keeps order and lets members go */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/list.h"

struct item {
	int number;
	struct list link;
};

static void sums(const struct list *head, int *ret_count, int *ret_digits)
{
	*ret_count = 0;
	*ret_digits = 0;
	LIST_FOREACH (head, it) {
		(*ret_count)++;
		*ret_digits = *ret_digits * 10 + LIST_ENTRY(it, struct item, link)->number;
	}
}

static void assert_holds(struct list *head, int count, int digits)
{
	int c, d;

	sums(head, &c, &d);
	assert_int_equal(c, count);
	assert_int_equal(d, digits);
}

static void empty_lists(void **state)
{
	struct list head = LIST_INIT(head), zero = {0};

	(void)state;
	assert_true(list_empty(&head));
	assert_true(list_empty(&zero));
	assert_null(LIST_FIRST(&head, struct item, link));
	assert_holds(&head, 0, 0);
	list_remove(&zero);
	list_remove(&head);
	assert_true(list_empty(&head));
}

static void keeps_the_order(void **state)
{
	struct list head = LIST_INIT(head);
	struct item items[] = {{.number = 1}, {.number = 2}, {.number = 3}};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(items); i++)
		list_append(&head, &items[i].link);
	assert_false(list_empty(&head));
	assert_ptr_equal(LIST_FIRST(&head, struct item, link), &items[0]);
	assert_holds(&head, 3, 123);
}

static void removes_anywhere_and_twice(void **state)
{
	struct list head = LIST_INIT(head);
	struct item items[] = {{.number = 1}, {.number = 2}, {.number = 3}};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(items); i++)
		list_append(&head, &items[i].link);
	list_remove(&items[1].link);
	list_remove(&items[1].link);
	assert_holds(&head, 2, 13);
	list_remove(&items[0].link);
	assert_holds(&head, 1, 3);
	list_append(&head, &items[0].link);
	assert_holds(&head, 2, 31);
	list_remove(&items[0].link);
	list_remove(&items[2].link);
	assert_true(list_empty(&head));
	assert_true(list_empty(&items[2].link));
}

static void removes_while_walking(void **state)
{
	struct list head = LIST_INIT(head);
	struct item items[5] = {{0}};

	(void)state;
	for (int i = 0; i < 5; i++) {
		items[i].number = i + 1;
		list_append(&head, &items[i].link);
	}
	LIST_FOREACH (&head, it) {
		if (LIST_ENTRY(it, struct item, link)->number % 2 == 1)
			list_remove(it);
	}
	assert_holds(&head, 2, 24);
	LIST_FOREACH (&head, it)
		list_remove(it);
	assert_true(list_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_lists),
		cmocka_unit_test(keeps_the_order),
		cmocka_unit_test(removes_anywhere_and_twice),
		cmocka_unit_test(removes_while_walking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
