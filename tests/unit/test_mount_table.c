/* SPDX-License-Identifier: Apache-2.0 */
/* test_mount_table.c: mount tables as they are, as they should not be, and as they change (D10,
 * D11) */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "mount/table.h"
#include "tests/unit/fault.h"
#include "tests/unit/mount_world.h"

#define SELF "/proc/self/mountinfo"

static const char text[] =
	"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
	"23 22 0:5 / /proc rw,nosuid shared:2 - proc proc rw\n"
	"50 22 0:40 / /run/berth/exports/e1 rw,nosuid,nodev,relatime shared:9 - nfs4 files:/srv/x "
	"rw,vers=4.2,rsize=1048576,hard,proto=tcp,addr=10.0.0.1\n"
	"60 22 0:40 /default-a /var/lib/kubelet/pods/1/mount ro,nosuid,nodev shared:10 master:3 - "
	"nfs4 "
	"files:/srv/x rw,vers=4.2\n"
	"61 22 0:40 /default-b//deleted /var/lib/kubelet/pods/2/mount rw - nfs [fd00::1]:/srv/x "
	"rw,vers=3\n"
	"70 22 0:50 / /stack rw - tmpfs low rw\n"
	"71 70 0:51 / /stack rw - tmpfs high ro\n"
	"72 71 0:52 / /stack/in\\040side rw unbindable - tmpfs a\\040b rw\n";

static struct mount_table *parse(const char *s)
{
	struct mount_table *t = NULL;
	struct err e = ERR_NULL;

	if (mount_table_parse(&t, s, strlen(s), &e) < 0)
		fail_msg("%s", e.text);
	return t;
}

static void rows(void **state)
{
	struct mount_table *t = parse(text);
	const struct mount_row *row;

	(void)state;
	assert_int_equal(mount_table_count(t), 8);
	assert_int_equal(mount_table_skipped(t), 0);
	assert_false(mount_table_torn(t));
	row = mount_table_row(t, 0);
	assert_int_equal(row->id, 22);
	assert_int_equal(row->parent, 1);
	assert_int_equal(row->major, 8);
	assert_int_equal(row->minor, 1);
	assert_int_equal(row->peer, 1);
	assert_string_equal(row->target, "/");
	assert_string_equal(row->source, "/dev/sda1");
	assert_string_equal(row->options, "rw,relatime");
	assert_string_equal(row->fs_options, "rw,errors=remount-ro");
	assert_false(mount_row_is_nfs(row));
	row = mount_table_row(t, 3);
	assert_true(mount_row_is_nfs(row));
	assert_true(row->read_only);
	assert_int_equal(row->peer, 10);
	assert_int_equal(row->master, 3);
	assert_string_equal(row->root, "/default-a");
	assert_string_equal(row->source, "files:/srv/x");
	row = mount_table_row(t, 4);
	assert_true(row->deleted);
	assert_string_equal(row->root, "/default-b");
	assert_string_equal(row->source, "[fd00::1]:/srv/x");
	assert_true(mount_row_is_nfs(row));
	assert_int_equal(row->peer, 0);
	assert_true(mount_table_row(t, 6)->read_only);
	assert_string_equal(mount_table_row(t, 7)->target, "/stack/in side");
	assert_string_equal(mount_table_row(t, 7)->source, "a b");
	mount_table_free(t);
}

static void tops_and_holders(void **state)
{
	struct mount_table *t = parse(text);
	static const struct {
		const char *path;
		uint32_t id;
	} holders[] = {{"/", 22}, {"/x", 22}, {"/proc", 23}, {"/proc/1/x", 23}, {"/procx", 22},
		{"/stack", 71}, {"/stack/a/b", 71}, {"/stack/in side/x", 72},
		{"/var/lib/kubelet/pods/1", 22}, {"/var/lib/kubelet/pods/1/mount/file", 60}};

	(void)state;
	assert_int_equal(mount_table_top(t, "/stack")->id, 71);
	assert_int_equal(mount_table_top(t, "/")->id, 22);
	assert_null(mount_table_top(t, "/sta"));
	assert_null(mount_table_top(t, ""));
	for (size_t i = 0; i < ELEMENTSOF(holders); i++)
		assert_int_equal(mount_table_holder(t, holders[i].path)->id, holders[i].id);
	mount_table_free(t);
	/* In the other order, as a kernel that sorts by an id reused would give them. */
	t = parse("1 0 0:1 / / rw - t t rw\n71 70 0:51 / /s rw - t high rw\n70 1 0:50 / /s rw - t "
		  "low rw\n");
	assert_int_equal(mount_table_top(t, "/s")->id, 71);
	mount_table_free(t);
	t = parse("5 1 0:50 / /s rw - t low rw\n");
	assert_null(mount_table_holder(t, "/x"));
	assert_null(mount_table_holder(t, ""));
	assert_null(mount_table_holder(t, "relative"));
	mount_table_free(t);
}

static void lines_that_are_none(void **state)
{
	static const char first[] = "1 0 0:1 / / rw - t t rw\n";
	struct mount_table *t;
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(mount_table_parse(&t, "", 0, &e), -EBADMSG);
	assert_int_equal(mount_table_parse(&t, "/dev/sda1 / ext4 rw 0 0\n", 24, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "mountinfo"));
	t = parse("1 0 0:1 / / rw - t t rw\ngarbage\n\n2 1 0:2 / /x rw no dash\n3 1 0:3 / /y rw - "
		  "t s rw\n"
		  "4 1 0:4 / /cut rw -");
	assert_int_equal(mount_table_top(t, "/y")->id, 3);
	assert_true(mount_table_skipped(t) >= 2);
	for (size_t i = 0; i < mount_table_count(t); i++)
		assert_non_null(mount_table_row(t, i)->source);
	mount_table_free(t);
	assert_int_equal(mount_table_parse(&t, first, sizeof(first), &e), 0); /* with its NUL */
	mount_table_free(t);
	assert_int_equal(
		mount_table_parse(&t, first, (size_t)MOUNT_TABLE_BYTES_MAX + 1, &e), -EFBIG);
}

/* 4 KiB names and 10,000 optional fields on one line. */
static void long_lines(void **state)
{
	struct buf b = BUF_NULL(4U << 20);
	struct mount_table *t;
	const struct mount_row *row;

	(void)state;
	assert_int_equal(buf_puts(&b, "1 0 0:1 / / rw - t t rw\n2 1 0:2 / "), 0);
	for (int i = 0; i < 16; i++)
		assert_int_equal(buf_printf(&b, "/%0250d", i), 0);
	assert_int_equal(buf_puts(&b, " rw"), 0);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(buf_printf(&b, " tag%d:%d", i, i), 0);
	assert_int_equal(buf_puts(&b, " shared:77 - tmpfs s rw\n3 2 0:3 / /last rw - t s rw\n"), 0);
	t = parse(b.data);
	assert_int_equal(mount_table_count(t), 3);
	row = mount_table_row(t, 1);
	assert_int_equal(strlen(row->target), 16 * 251);
	assert_int_equal(row->peer, 77);
	assert_int_equal(mount_table_top(t, "/last")->id, 3);
	mount_table_free(t);
	buf_done(&b);
}

static void real_ones(void **state)
{
	static const char *const names[] = {"a b", "tab\tnew\nline", "back\\slash\\040", "#hash",
		"\xff\xfe", "sp  ace ", "quote\"'", "- dash -", "ünï"};
	struct mount_table *t = NULL;
	struct err e = ERR_NULL;
	char path[PATH_MAX];

	(void)state;
	mount_world_need();
	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		snprintf(path, sizeof(path), "names/%s", names[i]);
		mount_world_mkdir(path);
		assert_int_equal(mount(names[i], mount_world_path(path), "tmpfs", 0, NULL), 0);
	}
	/* A bind whose directory was removed. */
	mount_world_mkdir("gone");
	mount_world_mkdir("where");
	assert_int_equal(
		mount(mount_world_path("gone"), mount_world_path("where"), NULL, MS_BIND, NULL), 0);
	assert_int_equal(rmdir(mount_world_path("gone")), 0);
	assert_int_equal(mount_table_read(&t, SELF, &e), 0);
	assert_int_equal(mount_table_skipped(t), 0);
	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		const struct mount_row *row;

		snprintf(path, sizeof(path), "names/%s", names[i]);
		row = mount_table_top(t, mount_world_path(path));
		assert_non_null(row);
		assert_string_equal(row->source, names[i]);
	}
	assert_true(mount_table_top(t, mount_world_path("where"))->deleted);
	assert_string_equal(mount_table_top(t, mount_world_path("where"))->root, "/gone");
	mount_table_free(t);
	umount2(mount_world_path("where"), 0);
}

static void files_that_are_none(void **state)
{
	struct mount_table *t;
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(mount_table_read(&t, "/proc/self/missing", &e), -ENOENT);
	assert_non_null(strstr(e.text, "/proc/self/missing"));
	assert_int_equal(mount_table_read(&t, "/proc", &e), -EISDIR);
	assert_int_equal(mount_table_read(&t, "/dev/null", &e), -EBADMSG);
	assert_non_null(strstr(e.text, "/dev/null"));
	assert_int_equal(mount_table_read(&t, "/dev/zero", &e), -EFBIG);
}

/* D11: what stays mounted is in every reading, whatever happens around it. */
static void readings_in_a_storm(void **state)
{
	struct mount_table *t = NULL;
	char path[64];
	unsigned torn = 0;
	pid_t pid;

	(void)state;
	mount_world_need();
	for (int i = 0; i < 200; i++) {
		snprintf(path, sizeof(path), "storm/stays%d", i);
		mount_world_tmpfs(path, NULL);
	}
	mount_world_mkdir("storm/comes");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char to[PATH_MAX];

		snprintf(to, sizeof(to), "%s", mount_world_path("storm/comes"));
		for (;;) {
			if (mount("s", to, "tmpfs", 0, NULL) < 0 || umount2(to, 0) < 0)
				_exit(1);
		}
	}
	for (int round = 0; round < 50; round++) {
		assert_int_equal(mount_table_read(&t, SELF, NULL), 0);
		torn += mount_table_torn(t);
		for (int i = 0; i < 200; i++) {
			snprintf(path, sizeof(path), "storm/stays%d", i);
			assert_non_null(mount_table_top(t, mount_world_path(path)));
		}
		t = mount_table_free(t);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	mount_world_umount_all("storm/comes");
	printf("# %u of 50 readings torn\n", torn);
	assert_int_equal(mount_table_read(&t, SELF, NULL), 0);
	assert_false(mount_table_torn(t));
	mount_table_free(t);
}

static void memory_runs_out(void **state)
{
	(void)state;
	FAULT_LOOP
	{
		struct mount_table *t = NULL;
		struct err e = ERR_NULL;
		int r = mount_table_parse(&t, text, sizeof(text) - 1, &e);

		if (fault_fired()) {
			assert_int_equal(r, -ENOMEM);
			assert_null(t);
		} else {
			assert_int_equal(r, 0);
		}
		mount_table_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(tops_and_holders),
		cmocka_unit_test(lines_that_are_none),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(real_ones),
		cmocka_unit_test(files_that_are_none),
		cmocka_unit_test(readings_in_a_storm),
		cmocka_unit_test(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, mount_world_setup, mount_world_teardown);
}
