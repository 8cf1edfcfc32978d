/* SPDX-License-Identifier: Apache-2.0 */
/* test_mount_rshared.c: a kubelet's root made shared, and left alone where that would hide mounts
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "mount/rshared.h"
#include "tests/unit/mount_world.h"

static struct rshared state_of;
static bool changed;
static struct err error;

static int make(const char *path)
{
	err_clear(&error);
	return rshared_make(mount_world_path(path), &state_of, &changed, &error);
}

static void a_plain_directory(void **state)
{
	struct rshared seen;

	(void)state;
	mount_world_need();
	mount_world_mkdir("plain");
	mount_world_write("plain/file", "");
	assert_int_equal(rshared_look(mount_world_path("plain"), &seen, &error), 0);
	assert_false(seen.is_root);
	assert_int_equal(seen.peer, 0);
	assert_string_equal(seen.holder, mount_world_root());
	assert_int_equal(make("plain"), 0);
	assert_true(changed);
	assert_true(state_of.is_root);
	assert_int_not_equal(state_of.peer, 0);
	assert_string_equal(state_of.holder, mount_world_path("plain"));
	assert_int_equal(mount_world_count("plain"), 1);
	assert_true(mount_world_exists("plain/file"));
	/* What is mounted below is shared with it. */
	mount_world_tmpfs("plain/pod", NULL);
	assert_int_equal(rshared_look(mount_world_path("plain/pod"), &seen, &error), 0);
	assert_int_not_equal(seen.peer, 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(make("plain"), 0);
		assert_false(changed);
	}
	assert_int_equal(mount_world_count("plain"), 1);
	assert_int_equal(state_of.below, 1);
	assert_string_equal(state_of.example, mount_world_path("plain/pod"));
}

static void mounts_below_are_not_hidden(void **state)
{
	unsigned before;

	(void)state;
	mount_world_need();
	mount_world_tmpfs("live/pods/a", NULL);
	mount_world_tmpfs("live/pods/b", NULL);
	/* One beside it whose name only begins the same. */
	mount_world_tmpfs("live-not", NULL);
	before = mount_world_count_all();
	assert_int_equal(make("live"), -EBUSY);
	assert_false(changed);
	assert_int_equal(state_of.below, 2);
	assert_non_null(strstr(error.text, "2 mounts are below it"));
	assert_non_null(strstr(error.text, "/live/pods/a"));
	assert_int_equal(mount_world_count_all(), before);
	assert_int_equal(make("live-not"), 0);
	assert_int_equal(state_of.below, 0);
}

static void a_mount_is_shared_in_place(void **state)
{
	struct rshared seen;

	(void)state;
	mount_world_need();
	mount_world_tmpfs("own", NULL);
	mount_world_tmpfs("own/pod", NULL);
	mount_world_write("own/pod/file", "");
	assert_int_equal(make("own"), 0);
	assert_true(changed);
	assert_int_not_equal(state_of.peer, 0);
	assert_int_equal(mount_world_count("own"), 1);
	assert_true(mount_world_exists("own/pod/file"));
	assert_int_equal(rshared_look(mount_world_path("own/pod"), &seen, &error), 0);
	assert_int_not_equal(seen.peer, 0);
}

static void a_symlink_to_the_root(void **state)
{
	(void)state;
	mount_world_need();
	mount_world_mkdir("disk/kubelet");
	assert_int_equal(symlink("disk/kubelet", mount_world_path("kubelet")), 0);
	assert_int_equal(make("kubelet"), 0);
	assert_true(changed);
	assert_int_equal(mount_world_count("disk/kubelet"), 1);
	assert_int_equal(make("kubelet"), 0);
	assert_false(changed);
}

static void what_is_no_directory(void **state)
{
	(void)state;
	mount_world_need();
	mount_world_write("file", "");
	assert_int_equal(make("missing"), -ENOENT);
	assert_non_null(strstr(error.text, "/missing"));
	assert_int_equal(make("file"), -ENOTDIR);
	assert_false(changed);
}

static int make_old(void)
{
	return make("old") == 0 && changed && state_of.peer && mount_world_count("old") == 1 ? 0
											     : 1;
}

static int make_fails(void)
{
	return make("failing") < 0 && !changed && mount_world_count("failing") == 0 ? 0 : 1;
}

static void older_kernels_and_failures(void **state)
{
	static const int modern[] = {SYS_open_tree, SYS_mount_setattr, SYS_move_mount, -1};
	static const int all[] = {SYS_open_tree, SYS_mount, -1};

	(void)state;
	mount_world_need();
	mount_world_mkdir("old");
	mount_world_mkdir("failing");
	assert_int_equal(mount_world_deny(ENOSYS, modern, 0, make_old), 0);
	/* mount(2) binds, and making that shared fails. */
	assert_int_equal(mount_world_deny(EPERM, all, MS_SHARED, make_fails), 0);
	assert_int_equal(mount_world_deny(EPERM, all, 0, make_fails), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_directory),
		cmocka_unit_test(mounts_below_are_not_hidden),
		cmocka_unit_test(a_mount_is_shared_in_place),
		cmocka_unit_test(a_symlink_to_the_root),
		cmocka_unit_test(what_is_no_directory),
		cmocka_unit_test(older_kernels_and_failures),
	};

	return cmocka_run_group_tests(tests, mount_world_setup, mount_world_teardown);
}
