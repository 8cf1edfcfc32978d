/* SPDX-License-Identifier: Apache-2.0 */
/* test_mount_unmount.c: targets unmounted rung by rung, and nothing removed that is not an empty
 * directory */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mount/unmount.h"
#include "tests/unit/mount_world.h"

static struct err error;
static unsigned removed;

static int rung(const char *path, enum unmount_rung which)
{
	const struct place p = {mount_world_root(), path};

	err_clear(&error);
	return unmount_rung(&p, which, &removed, &error);
}

static int remove_dir(const char *path)
{
	const struct place p = {mount_world_root(), path};

	err_clear(&error);
	return unmount_rmdir(&p, &error);
}

static void what_is_not_mounted(void **state)
{
	(void)state;
	mount_world_need();
	mount_world_mkdir("a/plain");
	mount_world_write("a/file", "kept");
	for (enum unmount_rung i = UNMOUNT_NORMAL; i <= UNMOUNT_DETACH; i++) {
		assert_int_equal(rung("a/plain", i), 0);
		assert_int_equal(rung("a/missing", i), 0);
		assert_int_equal(rung("a/missing/too", i), 0);
		assert_int_equal(rung("a/file", i), 0);
		assert_int_equal(removed, 0);
		assert_int_equal(rung("a/file/below", i), -ENOTDIR);
	}
	assert_int_equal(remove_dir("a/plain"), 0);
	assert_int_equal(remove_dir("a/plain"), 0);
	assert_int_equal(remove_dir("a/missing/too"), 0);
	assert_false(mount_world_exists("a/plain"));
	assert_true(mount_world_exists("a"));
}

static void stacks(void **state)
{
	(void)state;
	mount_world_need();
	for (int i = 0; i < 5; i++)
		mount_world_tmpfs("stack/t", NULL);
	assert_int_equal(mount_world_count("stack/t"), 5);
	assert_int_equal(rung("stack/t", UNMOUNT_NORMAL), 0);
	assert_int_equal(removed, 5);
	assert_int_equal(mount_world_count("stack/t"), 0);
	assert_int_equal(remove_dir("stack/t"), 0);
}

static void busy_then_detached(void **state)
{
	int fd;

	(void)state;
	mount_world_need();
	mount_world_tmpfs("busy/t", NULL);
	mount_world_write("busy/t/file", "data");
	fd = open(mount_world_path("busy/t/file"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(rung("busy/t", UNMOUNT_NORMAL), -EBUSY);
	assert_non_null(strstr(error.text, "cannot unmount "));
	assert_int_equal(removed, 0);
	assert_int_equal(remove_dir("busy/t"), -EBUSY);
	assert_non_null(strstr(error.text, "still mounted"));
	assert_int_equal(rung("busy/t", UNMOUNT_FORCE), -EBUSY);
	assert_int_equal(mount_world_count("busy/t"), 1);
	assert_int_equal(rung("busy/t", UNMOUNT_DETACH), 0);
	assert_int_equal(removed, 1);
	assert_int_equal(remove_dir("busy/t"), 0);
	close(fd);
}

static void nested_is_busy(void **state)
{
	(void)state;
	mount_world_need();
	mount_world_tmpfs("nest/t", NULL);
	mount_world_tmpfs("nest/t/sub", NULL);
	assert_int_equal(rung("nest/t", UNMOUNT_NORMAL), -EBUSY);
	assert_int_equal(rung("nest/t", UNMOUNT_DETACH), 0);
	assert_int_equal(mount_world_count("nest/t/sub"), 0);
	assert_int_equal(remove_dir("nest/t"), 0);
}

static void only_empty_directories_go(void **state)
{
	(void)state;
	mount_world_need();
	mount_world_mkdir("keep/full/of");
	mount_world_write("keep/file", "data");
	mount_world_mkdir("keep/real");
	assert_int_equal(symlink("real", mount_world_path("keep/link")), 0);
	assert_int_equal(remove_dir("keep/full"), -ENOTEMPTY);
	assert_non_null(strstr(error.text, "left alone"));
	assert_int_equal(remove_dir("keep/file"), -ENOTDIR);
	assert_int_equal(remove_dir("keep/link"), -ENOTDIR);
	assert_int_equal(remove_dir("keep/link/x"), -ELOOP);
	assert_int_equal(remove_dir(""), -EINVAL);
	assert_int_equal(remove_dir("keep/.."), -EINVAL);
	assert_true(mount_world_exists("keep/full/of"));
	assert_true(mount_world_exists("keep/file"));
	assert_true(mount_world_exists("keep/real"));
}

static void symlinks_are_not_followed(void **state)
{
	(void)state;
	mount_world_need();
	mount_world_tmpfs("other/mount", NULL);
	mount_world_mkdir("pods");
	assert_int_equal(symlink("../other/mount", mount_world_path("pods/t")), 0);
	assert_int_equal(symlink("../other", mount_world_path("pods/way")), 0);
	for (enum unmount_rung i = UNMOUNT_NORMAL; i <= UNMOUNT_DETACH; i++) {
		assert_int_equal(rung("pods/t", i), 0);
		assert_int_equal(removed, 0);
		assert_int_equal(rung("pods/way/mount", i), -ELOOP);
	}
	assert_int_equal(mount_world_count("other/mount"), 1);
}

static int refused(void)
{
	if (rung("d6/t", UNMOUNT_DETACH) != -EBUSY || removed != 0)
		return 1;
	/* D6: what does not come off keeps its data. */
	if (remove_dir("d6/t") != -EBUSY || !mount_world_exists("d6/t/data"))
		return 2;
	return 0;
}

static void a_failed_unmount_removes_nothing(void **state)
{
	static const int calls[] = {SYS_umount2, -1};

	(void)state;
	mount_world_need();
	mount_world_tmpfs("d6/t", NULL);
	mount_world_write("d6/t/data", "tenant's");
	assert_int_equal(mount_world_deny(EBUSY, calls, 0, refused), 0);
	assert_int_equal(rung("d6/t", UNMOUNT_NORMAL), 0);
}

static void dead_file_systems_come_off(void **state)
{
	(void)state;
	mount_world_need();
	if (!mount_world_dead("dead/t"))
		skip();
	assert_int_equal(rung("dead/t", UNMOUNT_NORMAL), 0);
	assert_int_equal(removed, 1);
	assert_int_equal(remove_dir("dead/t"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_mounted),
		cmocka_unit_test(stacks),
		cmocka_unit_test(busy_then_detached),
		cmocka_unit_test(nested_is_busy),
		cmocka_unit_test(only_empty_directories_go),
		cmocka_unit_test(symlinks_are_not_followed),
		cmocka_unit_test(a_failed_unmount_removes_nothing),
		cmocka_unit_test(dead_file_systems_come_off),
	};

	return cmocka_run_group_tests(tests, mount_world_setup, mount_world_teardown);
}
