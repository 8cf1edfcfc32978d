/* SPDX-License-Identifier: Apache-2.0 */
/* test_mount_bind.c: binds that are made once, read-only where asked, and refused for what is in
 * the way */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "mount/bind.h"
#include "mount/mounted.h"
#include "mount/unmount.h"
#include "tests/unit/mount_world.h"

#define TARGET "pods/uid/volumes/kubernetes.io~csi/pv/mount"

static enum bind_outcome outcome;
static struct err error;

static int make(const char *source, const char *target, uint32_t flags)
{
	char pool[256], kubelet[256];
	struct bind b = {.source = {.root = pool, .path = source},
		.target = {.root = kubelet, .path = target},
		.flags = flags};

	snprintf(pool, sizeof(pool), "%s/pool", mount_world_root());
	snprintf(kubelet, sizeof(kubelet), "%s/kubelet", mount_world_root());
	err_clear(&error);
	return bind_make(&b, &outcome, &error);
}

static uint32_t flags_at(const char *path)
{
	int fd = open(mount_world_path(path), O_PATH | O_CLOEXEC);
	uint32_t flags = 0;

	assert_true(fd >= 0);
	assert_int_equal(mounted_flags(fd, path, &flags, NULL), 0);
	close(fd);
	return flags;
}

static int fresh(void **state)
{
	(void)state;
	if (geteuid() != 0)
		return 0;
	mount_world_umount_all("kubelet");
	mount_world_umount_all("pool");
	mount_world_tmpfs("pool", NULL);
	mount_world_tmpfs("kubelet", NULL);
	mount_world_mkdir("pool/vol/deep");
	mount_world_mkdir("pool/other");
	mount_world_write("pool/vol/file", "bytes");
	mount_world_mkdir("kubelet/pods/uid/volumes/kubernetes.io~csi/pv");
	return 0;
}

static void shows_the_source(void **state)
{
	struct stat st;

	(void)state;
	mount_world_need();
	assert_int_equal(make("vol", TARGET, MOUNTF_TENANT), 0);
	assert_int_equal(outcome, BIND_MADE);
	assert_true(mount_world_exists("kubelet/" TARGET "/file"));
	assert_int_equal(mount_world_count("kubelet/" TARGET), 1);
	assert_int_equal(
		flags_at("kubelet/" TARGET) & (MOUNTF_TENANT | MOUNTF_RDONLY), MOUNTF_TENANT);
	assert_int_equal(mount_world_try_write("kubelet/" TARGET "/new"), 0);
	assert_true(mount_world_exists("pool/vol/new"));
	umount2(mount_world_path("kubelet/" TARGET), 0);
	assert_int_equal(stat(mount_world_path("kubelet/" TARGET), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
}

static void read_only_is_read_only(void **state)
{
	(void)state;
	mount_world_need();
	assert_int_equal(make("vol", TARGET, MOUNTF_RDONLY | MOUNTF_NOEXEC | MOUNTF_NOATIME), 0);
	assert_int_equal(mount_world_try_write("kubelet/" TARGET "/new"), -EROFS);
	assert_int_equal(mount_world_try_write("pool/vol/new"), 0);
	assert_int_equal(
		flags_at("kubelet/" TARGET) & (MOUNTF_RDONLY | MOUNTF_NOEXEC | MOUNTF_NOATIME),
		MOUNTF_RDONLY | MOUNTF_NOEXEC | MOUNTF_NOATIME);
	/* The same file system bound read-write elsewhere stays so. */
	assert_int_equal(make("vol", "second", 0), 0);
	assert_int_equal(mount_world_try_write("kubelet/second/new2"), 0);
}

static void a_thousand_times(void **state)
{
	unsigned before;

	(void)state;
	mount_world_need();
	assert_int_equal(make("vol", TARGET, MOUNTF_TENANT | MOUNTF_RDONLY), 0);
	before = mount_world_count_all();
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(make("vol", TARGET, MOUNTF_TENANT | MOUNTF_RDONLY), 0);
		assert_int_equal(outcome, BIND_ALREADY);
	}
	assert_int_equal(mount_world_count_all(), before);
	assert_int_equal(mount_world_count("kubelet/" TARGET), 1);
}

static void something_else_is_there(void **state)
{
	(void)state;
	mount_world_need();
	assert_int_equal(make("vol", TARGET, MOUNTF_TENANT), 0);
	assert_int_equal(make("other", TARGET, MOUNTF_TENANT), -EEXIST);
	assert_non_null(strstr(error.text, "/vol of other (tmpfs)"));
	assert_int_equal(make("vol/deep", TARGET, MOUNTF_TENANT), -EEXIST);
	assert_int_equal(make("vol", TARGET, MOUNTF_TENANT | MOUNTF_RDONLY), -EEXIST);
	assert_non_null(strstr(error.text, "read-write, wanted read-only"));
	assert_true(mount_world_exists("kubelet/" TARGET "/file"));
	assert_int_equal(mount_world_count("kubelet/" TARGET), 1);
	assert_int_equal(make("vol", "readonly", MOUNTF_RDONLY), 0);
	assert_int_equal(make("vol", "readonly", 0), -EEXIST);
	mount_world_tmpfs("kubelet/foreign", NULL);
	assert_int_equal(make("vol", "foreign", 0), -EEXIST);
	assert_int_equal(mount_world_count("kubelet/foreign"), 1);
	assert_false(mount_world_exists("kubelet/foreign/file"));
}

static void targets_that_are_none(void **state)
{
	(void)state;
	mount_world_need();
	mount_world_write("kubelet/file", "");
	mount_world_mkdir("kubelet/full/of");
	mount_world_mkdir("kubelet/real");
	assert_int_equal(symlink("real", mount_world_path("kubelet/link")), 0);
	assert_int_equal(make("vol", "file", 0), -ENOTDIR);
	assert_non_null(strstr(error.text, "/kubelet/file is a file or a symbolic link"));
	assert_int_equal(make("vol", "link", 0), -ENOTDIR);
	assert_int_equal(make("vol", "full", 0), -ENOTEMPTY);
	assert_non_null(strstr(error.text, "/kubelet/full is not empty"));
	assert_int_equal(make("vol", "link/below", 0), -ELOOP);
	assert_int_equal(make("vol", "missing/below", 0), -ENOENT);
	assert_non_null(strstr(error.text, "target: cannot open"));
	assert_int_equal(make("vol", "file/below", 0), -ENOTDIR);
	assert_int_equal(make("vol", "../out", 0), -EINVAL);
	assert_int_equal(make("vol", "real/../out", 0), -EINVAL);
	assert_int_equal(make("vol", "/real", 0), -EINVAL);
	assert_int_equal(make("vol", "real//x", 0), -EINVAL);
	assert_int_equal(make("vol", "real/.", 0), -EINVAL);
	assert_int_equal(make("vol", "", 0), -EINVAL);
	/* pool and kubelet themselves. */
	assert_int_equal(mount_world_count_all(), 2);
	assert_false(mount_world_exists("kubelet/real/below"));
}

static void sources_that_are_none(void **state)
{
	(void)state;
	mount_world_need();
	assert_int_equal(symlink("../../kubelet", mount_world_path("pool/vol/out")), 0);
	assert_int_equal(symlink("vol", mount_world_path("pool/in")), 0);
	assert_int_equal(make("gone", TARGET, 0), -ENOENT);
	assert_non_null(strstr(error.text, "source: "));
	assert_int_equal(make("vol/file", TARGET, 0), -ENOTDIR);
	assert_int_equal(make("vol/out", TARGET, 0), -ELOOP);
	assert_int_equal(make("in", TARGET, 0), -ELOOP);
	assert_int_equal(make("vol/../other", TARGET, 0), -EINVAL);
	assert_int_equal(make("/etc", TARGET, 0), -EINVAL);
	assert_false(mount_world_exists("kubelet/" TARGET));
	assert_int_equal(mount_world_count_all(), 2);
}

/* The administrator may have moved the pool and the kubelet's root elsewhere. */
static void roots_behind_symlinks(void **state)
{
	char pool[256], kubelet[256];
	struct bind b = {.source = {.root = pool, .path = "vol"},
		.target = {.root = kubelet, .path = TARGET}};

	(void)state;
	mount_world_need();
	assert_int_equal(symlink("pool", mount_world_path("pool-link")), 0);
	assert_int_equal(symlink("kubelet", mount_world_path("kubelet-link")), 0);
	snprintf(pool, sizeof(pool), "%s/pool-link", mount_world_root());
	snprintf(kubelet, sizeof(kubelet), "%s/kubelet-link", mount_world_root());
	assert_int_equal(bind_make(&b, &outcome, &error), 0);
	assert_true(mount_world_exists("kubelet/" TARGET "/file"));
	b.target.path = "t";
	b.same_filesystem = true;
	assert_int_equal(bind_make(&b, &outcome, &error), 0);
	assert_true(mount_world_exists("kubelet/t/file"));
}

/* What was opened is what is bound, whatever is called so by now. */
static void opened_root(void **state)
{
	char kubelet[256];
	_cleanup_close_ int fd = -1;
	struct bind b = {.source = {.root = "/the/pool", .path = "vol"},
		.rootfd = &fd,
		.target = {.root = kubelet, .path = "t"},
		.same_filesystem = true};

	(void)state;
	mount_world_need();
	snprintf(kubelet, sizeof(kubelet), "%s/kubelet", mount_world_root());
	fd = open(mount_world_path("pool"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(bind_make(&b, &outcome, &error), 0);
	assert_true(mount_world_exists("kubelet/t/file"));
	b.source.path = "";
	b.target.path = "whole";
	assert_int_equal(bind_make(&b, &outcome, &error), 0);
	assert_true(mount_world_exists("kubelet/whole/vol/file"));
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	b.source.path = "gone";
	b.target.path = "none";
	assert_int_equal(bind_make(&b, &outcome, &error), -ENOENT);
	assert_non_null(strstr(error.text, "/the/pool/gone"));
}

static void mounts_below_the_pool(void **state)
{
	char pool[256], kubelet[256];
	struct bind b = {.source = {pool, "vol/disk"}, .target = {kubelet, "t"}};

	(void)state;
	mount_world_need();
	snprintf(pool, sizeof(pool), "%s/pool", mount_world_root());
	snprintf(kubelet, sizeof(kubelet), "%s/kubelet", mount_world_root());
	mount_world_tmpfs("pool/vol/disk", NULL);
	b.same_filesystem = true;
	assert_int_equal(bind_make(&b, &outcome, &error), -EXDEV);
	assert_false(mount_world_exists("kubelet/t"));
	b.same_filesystem = false;
	assert_int_equal(bind_make(&b, &outcome, &error), 0);
	assert_int_equal(mount_world_try_write("kubelet/t/on-disk"), 0);
	assert_true(mount_world_exists("pool/vol/disk/on-disk"));
	/* The root of a place may itself be what is bound. */
	b.source.path = "";
	b.target.path = "whole";
	assert_int_equal(bind_make(&b, &outcome, &error), 0);
	assert_true(mount_world_exists("kubelet/whole/vol/file"));
	/* And what is mounted below a source does not come along. */
	assert_false(mount_world_exists("kubelet/whole/vol/disk/on-disk"));
}

static void flags_of_the_source_stay(void **state)
{
	(void)state;
	mount_world_need();
	assert_int_equal(mount(NULL, mount_world_path("pool"), NULL,
				 MS_REMOUNT | MS_BIND | MS_NOEXEC | MS_NOSUID | MS_RDONLY, NULL),
		0);
	assert_int_equal(make("vol", TARGET, MOUNTF_NODEV), 0);
	assert_int_equal(flags_at("kubelet/" TARGET) &
				 (MOUNTF_NOEXEC | MOUNTF_NOSUID | MOUNTF_RDONLY | MOUNTF_NODEV),
		MOUNTF_NOEXEC | MOUNTF_NOSUID | MOUNTF_RDONLY | MOUNTF_NODEV);
	/* It is what we would make again. */
	assert_int_equal(make("vol", TARGET, MOUNTF_NODEV), 0);
	assert_int_equal(outcome, BIND_ALREADY);
}

static void a_dead_mount_is_taken_away(void **state)
{
	(void)state;
	mount_world_need();
	if (!mount_world_dead("kubelet/" TARGET) || !mount_world_dead("kubelet/" TARGET)) {
		printf("# no FUSE here\n");
		skip();
	}
	assert_int_equal(make("vol", TARGET, MOUNTF_TENANT), 0);
	assert_int_equal(outcome, BIND_MENDED);
	assert_int_equal(mount_world_count("kubelet/" TARGET), 1);
	assert_true(mount_world_exists("kubelet/" TARGET "/file"));
}

/* ---- older kernels, and failures --------------------------------------------------------------
 */

#define CHECK(condition)                          \
	do {                                      \
		if (!(condition))                 \
			return __LINE__ % 97 + 1; \
	} while (0)

static int bind_read_only(void)
{
	CHECK(make("vol", TARGET, MOUNTF_RDONLY | MOUNTF_TENANT | MOUNTF_STRICTATIME) == 0);
	CHECK(outcome == BIND_MADE);
	CHECK(mount_world_try_write("kubelet/" TARGET "/new") == -EROFS);
	CHECK(mount_world_try_write("pool/vol/new") == 0);
	CHECK(mount_world_count("kubelet/" TARGET) == 1);
	CHECK((flags_at("kubelet/" TARGET) & MOUNTF_TENANT) == MOUNTF_TENANT);
	CHECK(flags_at("kubelet/" TARGET) & MOUNTF_STRICTATIME);
	CHECK(make("vol", TARGET, MOUNTF_RDONLY | MOUNTF_TENANT) == 0);
	CHECK(outcome == BIND_ALREADY);
	CHECK(make("vol", "plain", 0) == 0);
	CHECK(mount_world_try_write("kubelet/plain/new") == 0);
	return 0;
}

static int fails_and_leaves_nothing(void)
{
	CHECK(make("vol", TARGET, MOUNTF_RDONLY) < 0);
	CHECK(strstr(error.text, "cannot mount at ") != NULL);
	CHECK(!mount_world_exists("kubelet/" TARGET));
	CHECK(mount_world_count_all() == 2);
	mount_world_mkdir("kubelet/" TARGET);
	CHECK(make("vol", TARGET, MOUNTF_RDONLY) < 0);
	CHECK(mount_world_exists("kubelet/" TARGET));
	CHECK(mount_world_count_all() == 2);
	return 0;
}

static void older_kernels(void **state)
{
	static const int five_eleven[] = {SYS_mount_setattr, 457, -1};
	static const int five_one[] = {
		SYS_open_tree, SYS_move_mount, SYS_mount_setattr, SYS_openat2, 457, -1};
	static const int none[] = {
		SYS_open_tree, SYS_move_mount, SYS_mount_setattr, SYS_openat2, SYS_statx, 457, -1};

	mount_world_need();
	assert_int_equal(mount_world_deny(ENOSYS, five_eleven, 0, bind_read_only), 0);
	assert_int_equal(fresh(state), 0);
	assert_int_equal(mount_world_deny(ENOSYS, five_one, 0, bind_read_only), 0);
	assert_int_equal(fresh(state), 0);
	assert_int_equal(mount_world_deny(ENOSYS, none, 0, bind_read_only), 0);
	assert_int_equal(fresh(state), 0);
	assert_int_equal(mount_world_deny(EPERM, five_eleven, 0, bind_read_only), 0);
}

static void failures_are_undone(void **state)
{
	static const int attaching[] = {SYS_move_mount, -1};
	static const int setting[] = {SYS_mount_setattr, -1};
	static const int all[] = {SYS_mount, SYS_open_tree, -1};
	static const int old_remount[] = {SYS_mount, SYS_open_tree, -1};

	mount_world_need();
	assert_int_equal(mount_world_deny(ENOSPC, attaching, 0, fails_and_leaves_nothing), 0);
	assert_int_equal(fresh(state), 0);
	assert_int_equal(mount_world_deny(ENOMEM, setting, 0, fails_and_leaves_nothing), 0);
	assert_int_equal(fresh(state), 0);
	assert_int_equal(mount_world_deny(EPERM, all, 0, fails_and_leaves_nothing), 0);
	assert_int_equal(fresh(state), 0);
	/* The second step of mount(2) fails: what the first made goes. */
	assert_int_equal(
		mount_world_deny(EPERM, old_remount, MS_REMOUNT, fails_and_leaves_nothing), 0);
}

static int cannot_be_read(void)
{
	/* For one that tries for ever. */
	alarm(10);
	CHECK(make("vol", TARGET, 0) == -EIO);
	CHECK(strstr(error.text, "cannot read target ") != NULL);
	return 0;
}

/* The kubelet's disk is broken, and not a mount on it: there is nothing to take away. */
static void a_broken_disk_is_no_dead_mount(void **state)
{
	static const int reading[] = {SYS_openat, -1};

	(void)state;
	mount_world_need();
	mount_world_mkdir("kubelet/" TARGET);
	assert_int_equal(mount_world_deny(EIO, reading, 0, cannot_be_read), 0);
	assert_true(mount_world_exists("kubelet/" TARGET));
	assert_int_equal(mount_world_count_all(), 2);
}

/* ---- D12: the way to the target changes under our hands ---------------------------------------
 */

static void swap_for_ever(void)
{
	int dir = open(mount_world_path("kubelet"), O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (;;)
		syscall(SYS_renameat2, dir, "way", dir, "trap", 2 /* RENAME_EXCHANGE */);
}

static void symlink_games(void **state)
{
	struct place target = {.path = "way/mount"};
	char kubelet[256];
	unsigned made = 0;
	pid_t pid;

	(void)state;
	mount_world_need();
	snprintf(kubelet, sizeof(kubelet), "%s/kubelet", mount_world_root());
	target.root = kubelet;
	mount_world_mkdir("outside/mount");
	mount_world_mkdir("kubelet/way");
	assert_int_equal(symlink("../outside", mount_world_path("kubelet/trap")), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		swap_for_ever();
	for (int i = 0; i < 3000; i++) {
		int r = make("vol", "way/mount", 0);

		made += r == 0;
		if (r != 0)
			assert_true(r == -ELOOP || r == -ENOTDIR || r == -ENOENT || r == -EAGAIN);
		assert_int_equal(mount_world_exists("outside/mount/file"), false);
		unmount_rung(&target, UNMOUNT_DETACH, NULL, NULL);
		unmount_rmdir(&target, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(mount_world_exists("outside/mount"));
	assert_int_equal(mount_world_count("outside/mount"), 0);
	assert_true(made > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(shows_the_source, fresh),
		cmocka_unit_test_setup(read_only_is_read_only, fresh),
		cmocka_unit_test_setup(a_thousand_times, fresh),
		cmocka_unit_test_setup(something_else_is_there, fresh),
		cmocka_unit_test_setup(targets_that_are_none, fresh),
		cmocka_unit_test_setup(sources_that_are_none, fresh),
		cmocka_unit_test_setup(roots_behind_symlinks, fresh),
		cmocka_unit_test_setup(opened_root, fresh),
		cmocka_unit_test_setup(mounts_below_the_pool, fresh),
		cmocka_unit_test_setup(flags_of_the_source_stay, fresh),
		cmocka_unit_test_setup(a_dead_mount_is_taken_away, fresh),
		cmocka_unit_test_setup(older_kernels, fresh),
		cmocka_unit_test_setup(failures_are_undone, fresh),
		cmocka_unit_test_setup(a_broken_disk_is_no_dead_mount, fresh),
		cmocka_unit_test_setup(symlink_games, fresh),
	};

	return cmocka_run_group_tests(tests, mount_world_setup, mount_world_teardown);
}
