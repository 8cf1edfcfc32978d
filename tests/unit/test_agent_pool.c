/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_pool.c: a directory is a pool only by the id in its identity.json */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/pool.h"
#include "base/cleanup.h"
#include "base/str.h"

static char root[] = "/tmp/berth-pool.XXXXXX";

static int setup(void **state)
{
	char path[64];

	(void)state;
	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/.berth", root);
	return mkdir(path, 0700);
}

static int teardown(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/.berth/identity.json", root);
	unlink(path);
	snprintf(path, sizeof(path), "%s/.berth", root);
	rmdir(path);
	return rmdir(root);
}

static void says(const char *text)
{
	_cleanup_close_ int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "%s/.berth/identity.json", root);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static int opened(const char *identity)
{
	int fd = pool_open(root, identity, NULL);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void by_its_id_alone(void **state)
{
	static const char *const texts[] = {"{\"version\":1,\"id\":\"a-1\",\"made\":\"today\"}",
		"{ \"id\" :\n\t\"a-1\", \"version\": 1, \"made\": \"today\" }"};
	static const char *const others[] = {
		"a-2", "a", "id", "version", "made", "today", "1", "A-1"};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		says(texts[i]);
		assert_int_equal(opened("a-1"), 0);
		assert_int_equal(opened(""), 0);
		for (size_t j = 0; j < ELEMENTSOF(others); j++)
			assert_int_equal(opened(others[j]), -ENODATA);
	}
	says("{\"id\"");
	assert_int_equal(opened("a-1"), -ENODATA);
	says("nothing");
	assert_int_equal(opened(""), -ENODATA);
}

static void nothing_is_asked_without(void **state)
{
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(opened(NULL), 0);
	assert_int_equal(pool_open("/tmp/berth-pool-that-is-not-there", "a", &e), -ENODATA);
	assert_non_null(strstr(e.text, "is its disk mounted?"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_its_id_alone), cmocka_unit_test(nothing_is_asked_without)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
