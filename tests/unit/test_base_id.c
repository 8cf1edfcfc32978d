/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_id.c: UUIDs and random values */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/id.h"

#define SOME "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"

static void uuid_there_and_back(void **state)
{
	char text[UUID_TEXT_MAX];
	struct uuid u;

	(void)state;
	assert_int_equal(uuid_parse(SOME, &u), 0);
	assert_int_equal(u.b[0], 0x0f);
	assert_int_equal(u.b[15], 0xf0);
	assert_string_equal(uuid_format(&u, text), SOME);
}

static void uuid_refuses(void **state)
{
	static const char *const texts[] = {"", "0f1e2d3c", "0F1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
		"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f00",
		"0f1e2d3c4b5a69788796a5b4c3d2e1f0", "{0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0}",
		"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1fg", "0f1e2d3-c4b5a-6978-8796-a5b4c3d2e1f0",
		"0f1e2d3c-4b5a-6978-8796_a5b4c3d2e1f0", " 0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f",
		"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0 ", "../../../../../../../../../../../../"};
	struct uuid u, before;

	(void)state;
	memset(&u, 0x5a, sizeof(u));
	before = u;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++)
		assert_int_equal(uuid_parse(texts[i], &u), -EINVAL);
	assert_memory_equal(&u, &before, sizeof(u));
}

static void uuid_random_is_version_4(void **state)
{
	char text[UUID_TEXT_MAX], other[UUID_TEXT_MAX];
	struct uuid u;

	(void)state;
	for (int i = 0; i < 100; i++) {
		uuid_random(&u);
		uuid_format(&u, text);
		assert_int_equal(text[14], '4');
		assert_non_null(strchr("89ab", text[19]));
		assert_int_equal(uuid_parse(text, &u), 0);
	}
	uuid_random(&u);
	assert_string_not_equal(uuid_format(&u, other), text);
}

static void tokens(void **state)
{
	char a[TOKEN_TEXT_MAX], b[TOKEN_TEXT_MAX];

	(void)state;
	assert_int_equal(strlen(token_random(a)), 32);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_string_not_equal(token_random(b), a);
}

static void below_is_below_and_everywhere(void **state)
{
	unsigned seen[7] = {0};

	(void)state;
	for (int i = 0; i < 7000; i++)
		seen[random_below(7)]++;
	for (size_t i = 0; i < ELEMENTSOF(seen); i++)
		assert_in_range(seen[i], 700, 1300);
	for (int i = 0; i < 10; i++)
		assert_int_equal(random_below(1), 0);
	for (int i = 0; i < 100; i++)
		assert_true(random_below(UINT64_MAX / 2 + 2) < UINT64_MAX / 2 + 2);
}

static void bytes_fill_all(void **state)
{
	unsigned char bytes[1000];
	uint64_t any = 0;
	bool tail = false;

	(void)state;
	for (int i = 0; i < 20; i++) {
		memset(bytes, 0, sizeof(bytes));
		random_bytes(bytes, sizeof(bytes) - 1);
		tail = tail || bytes[sizeof(bytes) - 2] != 0;
		assert_int_equal(bytes[sizeof(bytes) - 1], 0);
		any |= random_u64();
	}
	assert_true(tail);
	assert_true(any > UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uuid_there_and_back),
		cmocka_unit_test(uuid_refuses),
		cmocka_unit_test(uuid_random_is_version_4),
		cmocka_unit_test(tokens),
		cmocka_unit_test(below_is_below_and_everywhere),
		cmocka_unit_test(bytes_fill_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
