/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_pathat.c: names that are refused, and paths that do not leave their root */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/pathat.h"

static char root_path[] = "/tmp/berth-test-pathat-XXXXXX";
static int root = -1;

static int make_root(void **state)
{
	(void)state;
	umask(022);
	if (!mkdtemp(root_path))
		return -1;
	root = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -1 : 0;
}

/* Everything that the tests put there, innermost first. */
static int remove_root(void **state)
{
	static const char *const files[] = {"file", "link", "up", "dir/link"};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(files); i++)
		unlinkat(root, files[i], 0);
	unlinkat(root, "dir", AT_REMOVEDIR);
	root = fd_close(root);
	return rmdir(root_path);
}

static void components_that_are_fine(void **state)
{
	static const char *const names[] = {"a", "default-www-pvc-1", "...", ".hidden", "..a",
		"a..", "a b", "$x", "${x}", "%2e%2e", "~", "*", "a-",
		"\xc3\xa4\xe6\xbc\xa2\xf0\x9f\x98\x80", ".berth", "a:b", "'", "\"", " a", "a "};
	char longest[256];

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		assert_int_equal(path_component_check(names[i], strlen(names[i]), NULL), 0);
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(path_component_check(longest, 255, NULL), 0);
	assert_int_equal(path_component_check(longest, 256, NULL), -EINVAL);
	/* Only the len bytes count. */
	assert_int_equal(path_component_check("ab/c", 2, NULL), 0);
}

static void components_that_are_refused(void **state)
{
	static const struct {
		const char *name;
		size_t len;
		const char *reason;
	} cases[] = {{"", 0, "is empty"}, {".", 1, "parent's"}, {"..", 2, "parent's"},
		{"a/b", 3, "slash"}, {"/", 1, "slash"}, {"a/", 2, "slash"},
		{"a\\b", 3, "backslash"}, {"..\\x", 4, "backslash"}, {"-rf", 3, "begins with"},
		{"-", 1, "begins with"}, {"a\0b", 3, "control"}, {"\0", 1, "control"},
		{"a\n", 2, "control"}, {"\x1b[31m", 5, "control"}, {"a\x7f", 2, "control"},
		{"\t", 1, "control"}, {"\xc2\x85", 2, "control"}, {"\xff", 1, "UTF-8"},
		{"\xc0\xae\xc0\xae", 4, "UTF-8"}, {"\xc0\xaf", 2, "UTF-8"},
		{"a\xe2\x82", 3, "UTF-8"}, {"\xed\xa0\x80", 3, "UTF-8"}, {"\xc3\xa4", 1, "UTF-8"}};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct err e = ERR_NULL;

		assert_int_equal(path_component_check(cases[i].name, cases[i].len, &e), -EINVAL);
		assert_int_equal(e.code, EINVAL);
		if (!strstr(e.text, cases[i].reason))
			fail_msg("case %zu: \"%s\"", i, e.text);
		/* What people will read has no control byte of the name in it. */
		for (const char *p = e.text; *p; p++)
			assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
	}
}

static void long_names_are_cut_in_the_reason(void **state)
{
	struct err e = ERR_NULL;
	char name[255];

	(void)state;
	memset(name, '\n', sizeof(name));
	assert_int_equal(path_component_check(name, sizeof(name), &e), -EINVAL);
	assert_true(strlen(e.text) < 150);
}

static void paths_that_are_fine(void **state)
{
	static const char *const paths[] = {"a", "a/b", "ns/claim/pv", "a/.berth", ".berth2",
		"a/.../b", "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16"};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(paths); i++)
		assert_int_equal(path_relative_check(paths[i], NULL), 0);
}

static void paths_that_are_refused(void **state)
{
	static const char *const paths[] = {"", "/", "/a", "//a", "a/", "a//b", "a/./b", "./a", ".",
		"..", "../a", "a/..", "a/../b", "a/../../b", "a/b/..", ".berth", ".berth/x",
		".berth/trash/pv", "a/\\..\\b", "a/-b", "-a/b", "a/\xff", "a\n/b", "a/b\n",
		"..//..", "/..", "a/ \x1b", "\xe2\x80\xae/..",
		"1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", "${x${y}}/.."};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
		struct err e = ERR_NULL;

		if (path_relative_check(paths[i], &e) != -EINVAL || e.text[0] == '\0')
			fail_msg("\"%s\" was taken", paths[i]);
	}
}

static void paths_have_a_limit(void **state)
{
	char path[4096];

	(void)state;
	memset(path, 'a', sizeof(path));
	for (size_t i = 200; i < sizeof(path); i += 200)
		path[i] = '/';
	path[PATH_RELATIVE_MAX] = '\0';
	assert_int_equal(path_relative_check(path, NULL), 0);
	path[PATH_RELATIVE_MAX] = 'a';
	path[PATH_RELATIVE_MAX + 1] = '\0';
	assert_int_equal(path_relative_check(path, NULL), -EINVAL);
	path[PATH_RELATIVE_MAX + 1] = 'a';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(path_relative_check(path, NULL), -EINVAL);
}

static void nothing_leads_out(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(root, "dir", 0755), 0);
	assert_int_equal(symlinkat("/etc", root, "link"), 0);
	assert_int_equal(symlinkat("..", root, "up"), 0);
	assert_int_equal(symlinkat("../a", root, "dir/link"), 0);

	assert_int_equal(pathat_open(root, "link/passwd", O_RDONLY, 0), -ELOOP);
	assert_int_equal(pathat_open(root, "link", O_RDONLY, 0), -ELOOP);
	assert_int_equal(pathat_open(root, "up", O_PATH | O_DIRECTORY, 0), -ELOOP);
	/* Not even where it would stay inside. */
	assert_int_equal(pathat_open(root, "dir/link", O_RDONLY, 0), -ELOOP);
	assert_int_equal(pathat_open(root, "..", O_RDONLY, 0), -EXDEV);
	assert_int_equal(pathat_open(root, "dir/../../etc", O_RDONLY, 0), -EXDEV);
	assert_int_equal(pathat_open(root, "/etc/passwd", O_RDONLY, 0), -EXDEV);
	assert_int_equal(pathat_open(root, "missing", O_RDONLY, 0), -ENOENT);
}

static void no_symlink_at_all(void **state)
{
	char path[128];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/dir", root_path);
	fd = pathat_open_plain(path, O_PATH | O_DIRECTORY);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	snprintf(path, sizeof(path), "%s/up/dir", root_path);
	assert_int_equal(pathat_open_plain(path, O_PATH), -ELOOP);
	snprintf(path, sizeof(path), "%s/dir/link", root_path);
	assert_int_equal(pathat_open_plain(path, O_RDONLY), -ELOOP);
	snprintf(path, sizeof(path), "%s/missing/x", root_path);
	assert_int_equal(pathat_open_plain(path, O_PATH), -ENOENT);
	assert_int_equal(pathat_open_plain("tmp", O_PATH), -EINVAL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/dir", root);
	assert_int_equal(pathat_open_plain(path, O_PATH), -ELOOP);
}

static void opening_creates_where_asked(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	fd = pathat_open(root, "file", O_WRONLY | O_CREAT | O_EXCL, 0640);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	assert_int_equal(pathat_open(root, "file", O_WRONLY | O_CREAT | O_EXCL, 0640), -EEXIST);
	assert_int_equal(pathat_open(root, "file", O_RDONLY | O_DIRECTORY, 0), -ENOTDIR);
	/* A mode without a file to create is no error here, as it is none with open(2). */
	fd = pathat_open(root, "file", O_RDONLY, 0640);
	assert_true(fd >= 0);
	close(fd);
}

static void mount_points_are_not_entered(void **state)
{
	_cleanup_close_ int slash = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st, proc;

	(void)state;
	assert_true(slash >= 0);
	if (stat("/", &st) < 0 || stat("/proc", &proc) < 0 || st.st_dev == proc.st_dev) {
		print_message("# /proc is not mounted\n");
		skip();
	}
	assert_int_equal(pathat_open(slash, "proc/self", O_RDONLY, 0), -EXDEV);
	assert_int_equal(pathat_open(slash, "proc", O_RDONLY, 0), -EXDEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(components_that_are_fine),
		cmocka_unit_test(components_that_are_refused),
		cmocka_unit_test(long_names_are_cut_in_the_reason),
		cmocka_unit_test(paths_that_are_fine),
		cmocka_unit_test(paths_that_are_refused),
		cmocka_unit_test(paths_have_a_limit),
		cmocka_unit_test(nothing_leads_out),
		cmocka_unit_test(no_symlink_at_all),
		cmocka_unit_test(opening_creates_where_asked),
		cmocka_unit_test(mount_points_are_not_entered),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
