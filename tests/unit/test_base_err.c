/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_err.c: errors keep their code and as much text as fits */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void sets_code_and_text(void **state)
{
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(err_set(&e, EINVAL, "bad %s", "name"), -EINVAL);
	assert_int_equal(e.code, EINVAL);
	assert_string_equal(e.text, "bad name");
	assert_int_equal(err_set(&e, -ENOENT, "gone"), -ENOENT);
	assert_int_equal(e.code, ENOENT);
	err_clear(&e);
	assert_int_equal(e.code, 0);
	assert_string_equal(e.text, "");
}

static void adds_the_systems_reason(void **state)
{
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(err_sys(&e, -ENOSPC, "cannot write %s", "/x"), -ENOSPC);
	assert_string_equal(e.text, "cannot write /x: No space left on device");
}

static void prefixes(void **state)
{
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(err_prefix(&e, "nothing"), -EIO);
	assert_string_equal(e.text, "");
	err_set(&e, EACCES, "denied");
	assert_int_equal(err_prefix(&e, "server %d", 1), -EACCES);
	assert_string_equal(e.text, "server 1: denied");
}

static void null_is_accepted(void **state)
{
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(err_set(NULL, EPERM, "x"), -EPERM);
	assert_int_equal(err_sys(NULL, -EPERM, "x"), -EPERM);
	assert_int_equal(err_prefix(NULL, "x"), -EIO);
	err_clear(NULL);
	assert_int_equal(err_copy(NULL, NULL), 0);
	err_set(&e, EBUSY, "x");
	assert_int_equal(err_copy(NULL, &e), -EBUSY);
	assert_int_equal(err_copy(&e, NULL), 0);
	assert_int_equal(err_copy(&e, &e), -EBUSY);
	assert_string_equal(e.text, "x");
}

static void copies(void **state)
{
	struct err a = ERR_NULL, b = ERR_NULL;

	(void)state;
	err_set(&a, EROFS, "read-only");
	assert_int_equal(err_copy(&b, &a), -EROFS);
	assert_int_equal(b.code, EROFS);
	assert_string_equal(b.text, "read-only");
}

static void long_text_is_cut_and_says_so(void **state)
{
	struct err e = ERR_NULL;
	char text[2 * ERR_TEXT_MAX];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_set(&e, EINVAL, "%s", text);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	assert_string_equal(e.text + ERR_TEXT_MAX - 4, "...");
	assert_int_equal(e.text[ERR_TEXT_MAX - 5], 'x');

	err_sys(&e, EINVAL, "%s", text);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	assert_string_equal(e.text + ERR_TEXT_MAX - 4, "...");

	text[ERR_TEXT_MAX - 1] = '\0';
	err_set(&e, EINVAL, "%s", text);
	assert_string_equal(e.text, text);
	err_prefix(&e, "before");
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	assert_memory_equal(e.text, "before: xxx", 11);
	assert_string_equal(e.text + ERR_TEXT_MAX - 4, "...");
	err_prefix(&e, "%s", text);
	assert_string_equal(e.text + ERR_TEXT_MAX - 4, "...");
}

static void classes(void **state)
{
	(void)state;
	assert_true(errno_is_transient(EAGAIN) && errno_is_transient(-ETIMEDOUT));
	assert_false(errno_is_transient(EINVAL) || errno_is_transient(0));
	assert_true(errno_is_disconnect(-ECONNRESET) && errno_is_disconnect(EPIPE));
	assert_false(errno_is_disconnect(EAGAIN));
	assert_true(errno_is_resource(ENOMEM) && errno_is_resource(-EMFILE));
	assert_false(errno_is_resource(ENOSPC));
	assert_true(errno_is_disk_space(ENOSPC) && errno_is_disk_space(-EDQUOT));
	assert_false(errno_is_disk_space(EFBIG));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_code_and_text),
		cmocka_unit_test(adds_the_systems_reason),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(null_is_accepted),
		cmocka_unit_test(copies),
		cmocka_unit_test(long_text_is_cut_and_says_so),
		cmocka_unit_test(classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
