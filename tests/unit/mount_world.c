/* SPDX-License-Identifier: Apache-2.0 */
/* mount_world.c: a private mount namespace with a tmpfs to play in, for the tests of lib/mount */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "mount/mountinfo.h"
#include "tests/unit/mount_world.h"

static char root[] = "/tmp/berth-test-mount-XXXXXX";
static const char *missing; /* why there is no namespace */

int mount_world_setup(void **state)
{
	(void)state;
	umask(022);
	if (geteuid() != 0) {
		missing = "needs root";
		return 0;
	}
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0) {
		missing = "no mount namespace to be had";
		return 0;
	}
	if (!mkdtemp(root) || mount("world", root, "tmpfs", 0, "mode=0755") < 0)
		return -1;
	return 0;
}

int mount_world_teardown(void **state)
{
	(void)state;
	if (missing)
		return 0;
	if (chdir("/") < 0)
		return -1;
	umount2(root, MNT_DETACH);
	return rmdir(root);
}

void mount_world_need(void)
{
	if (missing) {
		printf("# %s\n", missing);
		skip();
	}
}

const char *mount_world_root(void)
{
	return root;
}

const char *mount_world_path(const char *path)
{
	static char buffers[4][PATH_MAX];
	static unsigned turn;
	char *dst = buffers[turn++ % 4];

	snprintf(dst, PATH_MAX, "%s/%s", root, path);
	return dst;
}

void mount_world_mkdir(const char *path)
{
	char whole[PATH_MAX];

	assert_int_equal(str_copy(whole, sizeof(whole), mount_world_path(path)), 0);
	for (char *p = whole + strlen(root) + 1;; p++) {
		p += strcspn(p, "/");
		if (*p) {
			*p = '\0';
			assert_true(mkdir(whole, 0755) == 0 || errno == EEXIST);
			*p = '/';
			continue;
		}
		assert_true(mkdir(whole, 0755) == 0 || errno == EEXIST);
		return;
	}
}

void mount_world_write(const char *path, const char *text)
{
	FILE *f = fopen(mount_world_path(path), "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

void mount_world_tmpfs(const char *path, const char *options)
{
	mount_world_mkdir(path);
	assert_int_equal(mount("other", mount_world_path(path), "tmpfs", 0, options), 0);
}

void mount_world_umount_all(const char *path)
{
	while (umount2(mount_world_path(path), MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		;
}

int mount_world_try_write(const char *path)
{
	int fd = open(mount_world_path(path), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

bool mount_world_exists(const char *path)
{
	struct stat st;

	return lstat(mount_world_path(path), &st) == 0;
}

struct count {
	const char *target;
	unsigned n;
};

static int count_one(const struct mountinfo *m, void *userdata)
{
	struct count *c = userdata;

	c->n += streq(m->target, c->target);
	return 0;
}

static int count_below(const struct mountinfo *m, void *userdata)
{
	struct count *c = userdata;
	const char *rest = str_after(m->target, c->target);

	c->n += rest && *rest == '/';
	return 0;
}

unsigned mount_world_count(const char *path)
{
	struct count c = {.target = *path ? mount_world_path(path) : root};

	assert_int_equal(mountinfo_each("/proc/self/mountinfo", count_one, &c, NULL), 0);
	return c.n;
}

unsigned mount_world_count_all(void)
{
	struct count c = {.target = root};

	assert_int_equal(mountinfo_each("/proc/self/mountinfo", count_below, &c, NULL), 0);
	return c.n;
}

static bool forbid(int errnum, const int *calls, unsigned long mask)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	bool fine = ctx != NULL;

	for (; fine && *calls >= 0; calls++) {
		struct scmp_arg_cmp flags = SCMP_A3(SCMP_CMP_MASKED_EQ, mask, mask);

		fine = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO((uint16_t)errnum), *calls,
			       mask && *calls == SYS_mount ? 1 : 0, &flags) == 0;
	}
	fine = fine && seccomp_load(ctx) == 0;
	seccomp_release(ctx);
	return fine;
}

int mount_world_deny(int errnum, const int *calls, unsigned long mask, int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(forbid(errnum, calls, mask) ? fn() : 100);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

bool mount_world_dead(const char *path)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char data[128];
	bool done;

	mount_world_mkdir(path);
	snprintf(data, sizeof(data), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	done = fd >= 0 && mount("dead", mount_world_path(path), "fuse", 0, data) == 0;
	if (fd >= 0)
		close(fd);
	return done;
}
