/* SPDX-License-Identifier: Apache-2.0 */
/* test_mount_mounted.c: what is mounted at a place, by statx, mountinfo, statmount and fdinfo */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "mount/flags.h"
#include "mount/mounted.h"
#include "mount/mountinfo.h"
#include "tests/unit/mount_world.h"

static struct err error;

static int at(const char *path, struct mounted *ret)
{
	const struct place p = {mount_world_root(), path};
	struct place_at place;
	int r = place_open(&place, &p, &error);

	if (r == 0)
		r = mounted_at(&place, ret, &error);
	place_close(&place);
	return r;
}

static int look_around(void)
{
	struct mounted m;
	struct mounted_what what;

	if (at("dir", &m) < 0 || !m.exists || m.is_root || !m.is_directory || !m.id)
		return 1;
	if (at("link", &m) < 0 || !m.exists || m.is_root || m.is_directory)
		return 2;
	if (at("file", &m) < 0 || !m.exists || m.is_directory)
		return 3;
	if (at("missing", &m) < 0 || m.exists)
		return 4;
	if (at("mount", &m) < 0 || !m.is_root || !m.is_directory)
		return 5;
	if (mounted_describe(m.id, &what, NULL) < 0 ||
		!streq(what.target, mount_world_path("mount")))
		return 6;
	/* A bind within one file system has its device number. */
	if (at("bind", &m) < 0 || !m.is_root)
		return 7;
	if (mounted_describe(m.id, &what, NULL) < 0 || !streq(what.root, "/dir"))
		return 8;
	return 0;
}

static void what_there_is(void **state)
{
	static const int statx_too[] = {SYS_statx, -1};

	(void)state;
	mount_world_need();
	mount_world_mkdir("dir");
	mount_world_mkdir("bind");
	mount_world_write("file", "");
	assert_int_equal(symlink("mount", mount_world_path("link")), 0);
	mount_world_tmpfs("mount", "size=1m");
	assert_int_equal(
		mount(mount_world_path("dir"), mount_world_path("bind"), NULL, MS_BIND, NULL), 0);
	assert_int_equal(look_around(), 0);
	/* Kernels whose statx knows no mounts: by /proc/self/fdinfo. */
	assert_int_equal(mount_world_deny(ENOSYS, statx_too, 0, look_around), 0);
}

static void descriptions(void **state)
{
	struct mounted m;
	struct mounted_what what;

	(void)state;
	mount_world_need();
	mount_world_mkdir("odd \t\n\\name/x");
	assert_int_equal(mount("so urce", mount_world_path("odd \t\n\\name/x"), "tmpfs",
				 MS_NOSUID | MS_NOEXEC | MS_SYNCHRONOUS, "size=64k"),
		0);
	assert_int_equal(
		mount(NULL, mount_world_path("odd \t\n\\name/x"), NULL, MS_SHARED, NULL), 0);
	assert_int_equal(at("odd \t\n\\name/x", &m), 0);
	assert_int_equal(mounted_describe(m.id, &what, &error), 0);
	assert_string_equal(what.target, mount_world_path("odd \t\n\\name/x"));
	assert_string_equal(what.source, "so urce");
	assert_string_equal(what.root, "/");
	assert_string_equal(what.fstype, "tmpfs");
	assert_true(mounted_option(what.options, "size", NULL, 0));
	assert_int_equal(what.flags & (MOUNTF_NOSUID | MOUNTF_NODEV | MOUNTF_NOEXEC | MOUNTF_SYNC |
					      MOUNTF_RDONLY),
		MOUNTF_NOSUID | MOUNTF_NOEXEC | MOUNTF_SYNC);
	assert_int_not_equal(what.peer, 0);
	assert_int_equal(what.master, 0);
	assert_int_equal(mounted_describe(UINT32_MAX, &what, &error), -ENOENT);
}

static uint32_t flags_seen(const char *path)
{
	int fd = open(mount_world_path(path), O_PATH | O_CLOEXEC);
	uint32_t flags = 0;

	if (fd < 0 || mounted_flags(fd, path, &flags, NULL) < 0)
		flags = UINT32_MAX;
	close(fd);
	return flags;
}

static const struct {
	unsigned long ms;
	uint32_t flags;
} translations[] = {
	{0, 0},
	{MS_RDONLY, MOUNTF_RDONLY},
	{MS_NOSUID | MS_NODEV, MOUNTF_TENANT},
	{MS_NOEXEC, MOUNTF_NOEXEC},
	{MS_NOATIME, MOUNTF_NOATIME},
	{MS_NODIRATIME, MOUNTF_NODIRATIME},
	{MS_STRICTATIME, MOUNTF_STRICTATIME},
	{MS_SYNCHRONOUS | MS_DIRSYNC, MOUNTF_SYNC | MOUNTF_DIRSYNC},
};

static int look_at_flags(void)
{
	char path[32];

	for (size_t i = 0; i < ELEMENTSOF(translations); i++) {
		snprintf(path, sizeof(path), "flags%zu", i);
		if (flags_seen(path) != translations[i].flags)
			return (int)i + 1;
	}
	return 0;
}

static void flags_both_ways(void **state)
{
	static const int statmount_too[] = {457, -1};
	char path[32];

	(void)state;
	mount_world_need();
	for (size_t i = 0; i < ELEMENTSOF(translations); i++) {
		snprintf(path, sizeof(path), "flags%zu", i);
		mount_world_mkdir(path);
		assert_int_equal(
			mount("f", mount_world_path(path), "tmpfs", translations[i].ms, NULL), 0);
		assert_int_equal(mountf_ms(translations[i].flags), translations[i].ms);
	}
	assert_int_equal(look_at_flags(), 0);
	assert_int_equal(mount_world_deny(ENOSYS, statmount_too, 0, look_at_flags), 0);
}

static void spaces(void **state)
{
	struct place p = {mount_world_root(), "space"};
	struct mounted_space s;

	(void)state;
	mount_world_need();
	assert_int_equal(mounted_space(&p, &s, &error), -ENOENT);
	mount_world_mkdir("space");
	assert_int_equal(mounted_space(&p, &s, &error), -EINVAL);
	assert_non_null(strstr(error.text, "nothing is mounted at"));
	mount_world_tmpfs("space", "size=1m,nr_inodes=100");
	assert_int_equal(mounted_space(&p, &s, &error), 0);
	assert_int_equal(s.total, 1 << 20);
	assert_int_equal(s.files, 100);
	assert_in_range(s.available, 1, s.total);
	if (mount_world_dead("dead")) {
		p.path = "dead";
		assert_true(mounted_errno_is_corrupted(mounted_space(&p, &s, &error)));
	}
}

static void options(void **state)
{
	static const char list[] = "rw,vers=4.2,context=\"a:b,c\",soft,x=,sof";
	char dst[16];

	(void)state;
	assert_true(mounted_option(list, "vers", dst, sizeof(dst)));
	assert_string_equal(dst, "4.2");
	assert_true(mounted_option(list, "context", dst, sizeof(dst)));
	assert_string_equal(dst, "a:b,c");
	assert_true(mounted_option(list, "soft", dst, sizeof(dst)));
	assert_string_equal(dst, "");
	assert_true(mounted_option(list, "x", dst, sizeof(dst)));
	assert_string_equal(dst, "");
	assert_true(mounted_option(list, "sof", NULL, 0));
	assert_false(mounted_option(list, "so", NULL, 0));
	assert_false(mounted_option(list, "c", NULL, 0));
	assert_false(mounted_option("", "rw", NULL, 0));
	assert_false(mounted_option(list, "context", dst, 5));
	assert_int_equal(mounted_option_length("a=\"1,2\",b"), 7);
	assert_int_equal(mounted_option_length(",b"), 0);
}

static void lines(void **state)
{
	static const char *const wrong[] = {"", " ", "1", "1 2", "1 2 3:4", "1 2 3 / /t rw - t s o",
		"x 2 3:4 / /t rw - t s o", "1 2 3:4 / /t rw t s o", "1 2 3:4 / /t rw -",
		"1 2 3:4 / /t rw - t", "1 2 3:4 / /t rw - t s", "1 2 3:y / /t rw - t s o",
		"99999999999 2 3:4 / /t rw - t s o"};
	char line[256];
	struct mountinfo m;

	(void)state;
	assert_int_equal(
		str_copy(line, sizeof(line),
			"36 35 98:7 /ro\\040ot /mnt\\011a\\012b\\134c\\400 rw,noatime shared:11 "
			"master:22 new_one:x unbindable - ext3 /dev/ro\\040ot rw,errors=continue"),
		0);
	assert_int_equal(mountinfo_parse(line, &m), 0);
	assert_int_equal(m.id, 36);
	assert_int_equal(m.parent, 35);
	assert_int_equal(m.major, 98);
	assert_int_equal(m.minor, 7);
	assert_int_equal(m.peer, 11);
	assert_int_equal(m.master, 22);
	assert_string_equal(m.root, "/ro ot");
	assert_string_equal(m.target, "/mnt\ta\nb\\c\\400");
	assert_string_equal(m.fstype, "ext3");
	assert_string_equal(m.source, "/dev/ro ot");
	assert_string_equal(m.fs_options, "rw,errors=continue");
	assert_int_equal(mountinfo_flags(&m), MOUNTF_NOATIME);
	assert_int_equal(
		str_copy(line, sizeof(line), "1 2 3:4 / /t ro,relatime - tmpfs  rw,sync"), 0);
	assert_int_equal(mountinfo_parse(line, &m), 0);
	assert_string_equal(m.source, "");
	assert_int_equal(mountinfo_flags(&m), MOUNTF_RDONLY | MOUNTF_SYNC);
	for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
		assert_int_equal(str_copy(line, sizeof(line), wrong[i]), 0);
		assert_int_equal(mountinfo_parse(line, &m), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_there_is),
		cmocka_unit_test(descriptions),
		cmocka_unit_test(flags_both_ways),
		cmocka_unit_test(spaces),
		cmocka_unit_test(options),
		cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests(tests, mount_world_setup, mount_world_teardown);
}
