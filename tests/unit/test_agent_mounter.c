/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_mounter.c: the mounter against children that do what the test says */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/mounter_parts.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/unit/fault.h"
#include "tests/unit/mounter_child.h"

#define ROOT "/var/lib/kubelet"
#define TARGET ROOT "/pods/p1/volumes/kubernetes.io~csi/v1/mount"
#define EXPORTS "/run/berth/exports"

/* ---- the world ----------------------------------------------------------------------------- */

static struct {
	struct loop *loop;
	struct timer *guard;
	struct mounter *m;
	char dir[64];
	char log[96];
	char mountinfo[96];
	unsigned done, wanted;
} w;

struct shot {
	unsigned calls;
	struct err e;
	struct mounter_usage usage;
	enum mounter_sharing sharing;
};

static void on_guard(struct timer *t, void *userdata)
{
	(void)t;
	(void)userdata;
	loop_exit(w.loop, -ETIME);
}

static void write_mountinfo(const char *text)
{
	int fd = open(w.mountinfo, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && fd_write_all(fd, text, strlen(text)) >= 0);
	close(fd);
}

#define BASE_TABLE "1 0 8:1 / / rw - ext4 /dev/x rw\n"

static bool is_hung(const char *target, void *userdata)
{
	assert_ptr_equal(userdata, &w);
	return strstr(target, "silent") != NULL;
}

static void start(uint64_t idle_ns)
{
	static const char *const argv[] = {"child", "--worker", NULL};
	static const struct worker_options workers = {.program = "/proc/self/exe",
		.argv = argv,
		.backoff_min_ns = MILLISECONDS(5),
		.backoff_max_ns = MILLISECONDS(50)};
	struct err e = ERR_NULL;

	assert_int_equal(mounter_new(&w.m,
				 &(struct mounter_options){.loop = w.loop,
					 .workers = &workers,
					 .kubelet_root = ROOT,
					 .exports_dir = EXPORTS,
					 .mountinfo = w.mountinfo,
					 .export_idle_ns = idle_ns,
					 .is_hung = is_hung,
					 .userdata = &w},
				 &e),
		0);
}

static int set_up(void **state)
{
	int fd;

	(void)state;
	memset(&w, 0, sizeof(w));
	str_copy_cut(w.dir, sizeof(w.dir), "/tmp/berth-mounter.XXXXXX");
	if (!mkdtemp(w.dir))
		return -1;
	snprintf(w.log, sizeof(w.log), "%s/log", w.dir);
	snprintf(w.mountinfo, sizeof(w.mountinfo), "%s/mountinfo", w.dir);
	setenv("MOUNTER_LOG", w.log, 1);
	fd = open(w.log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	write_mountinfo(BASE_TABLE);
	if (loop_new(&w.loop) < 0 || timer_new_exact(&w.guard, w.loop, on_guard, NULL) < 0)
		return -1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	w.m = mounter_free(w.m);
	timer_free(w.guard);
	loop_free(w.loop);
	unlink(w.log);
	unlink(w.mountinfo);
	return rmdir(w.dir);
}

static void ended(struct shot *s, const struct err *e)
{
	s->calls++;
	s->e = *e;
	if (++w.done == w.wanted)
		loop_exit(w.loop, 0);
}

static void on_done(const struct err *e, void *userdata)
{
	ended(userdata, e);
}

static void on_usage(const struct err *e, const struct mounter_usage *u, void *userdata)
{
	((struct shot *)userdata)->usage = *u;
	ended(userdata, e);
}

static void on_sharing(const struct err *e, enum mounter_sharing sharing, void *userdata)
{
	((struct shot *)userdata)->sharing = sharing;
	ended(userdata, e);
}

static void wait_for(unsigned n)
{
	w.wanted = w.done + n;
	timer_arm(w.guard, SECONDS(40));
	assert_int_equal(loop_run(w.loop), 0);
	timer_disarm(w.guard);
}

static void run(unsigned ms)
{
	w.wanted = 0;
	timer_arm(w.guard, MILLISECONDS(ms));
	assert_int_equal(loop_run(w.loop), -ETIME);
}

static struct mounter_volume volume(const char *directory)
{
	return (struct mounter_volume){.kind = MOUNTER_NFS,
		.target = TARGET,
		.server = "nas",
		.export_ = "/data",
		.directory = directory};
}

static int publish(struct shot *s, const struct mounter_volume *v)
{
	return mounter_publish(w.m, v, on_done, s, &s->e);
}

/* The lines of the log that begin with word. */
static unsigned orders(const char *word)
{
	_cleanup_buf_ struct buf b = BUF_NULL(1U << 20);
	unsigned n = 0;

	assert_int_equal(file_read(w.log, &b, NULL), 0);
	for (const char *p = b.data; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		n += strncmp(p, word, strlen(word)) == 0;
	return n;
}

static bool logged(const char *text)
{
	_cleanup_buf_ struct buf b = BUF_NULL(1U << 20);

	assert_int_equal(file_read(w.log, &b, NULL), 0);
	return b.data && strstr(b.data, text);
}

/* ---- publish ------------------------------------------------------------------------------- */

static void nfs_volume_is_published(void **state)
{
	struct mounter_volume v = volume("default-a");
	struct shot s = {.calls = 0};

	(void)state;
	start(0);
	v.readonly = true;
	v.options = "vers=4.1,noatime,timeo=50";
	assert_int_equal(publish(&s, &v), 0);
	assert_int_equal(s.calls, 0);
	wait_for(1);
	assert_int_equal(s.e.code, 0);
	assert_int_equal(orders("find"), 1);
	assert_true(logged("publish target=pods/p1/volumes/kubernetes.io~csi/v1/mount id=yes "
			   "source=filer:/data@10.0.0.1 dir=default-a"));
	assert_true(logged("timeo=50"));
}

/* The export is known: nobody is asked again. */
static void second_one_needs_no_server(void **state)
{
	struct mounter_volume v = volume("a");
	struct shot a = {.calls = 0}, b = {.calls = 0};

	(void)state;
	start(0);
	assert_int_equal(publish(&a, &v), 0);
	wait_for(1);
	v.target = TARGET "2";
	assert_int_equal(publish(&b, &v), 0);
	wait_for(1);
	assert_int_equal(b.e.code, 0);
	assert_int_equal(orders("find"), 1);
	assert_true(logged("@- dir=a"));
}

static void missing_export_mount_is_made_again(void **state)
{
	struct mounter_volume v = volume("late");
	struct shot a = {.calls = 0}, b = {.calls = 0};

	(void)state;
	start(0);
	assert_int_equal(publish(&a, &v), 0);
	wait_for(1);
	assert_int_equal(publish(&b, &v), 0);
	wait_for(1);
	assert_int_equal(b.e.code, 0);
	assert_int_equal(orders("publish"), 3);
}

static void refusals_at_once(void **state)
{
	static const char *const targets[] = {"/etc/passwd", ROOT, ROOT "/", ROOT "/../x",
		ROOT "/a//b", "/var/lib/kubeletx/a", "relative"};
	struct mounter_volume v = volume("a");
	struct shot s = {.calls = 0};

	(void)state;
	start(0);
	for (size_t i = 0; i < ELEMENTSOF(targets); i++) {
		v.target = targets[i];
		assert_int_equal(publish(&s, &v), -EINVAL);
		assert_int_equal(mounter_unpublish(w.m, targets[i], on_done, &s, NULL), -EINVAL);
	}
	v = volume("../a");
	assert_int_equal(publish(&s, &v), -EINVAL);
	v = volume("a");
	v.export_ = "data";
	assert_int_equal(publish(&s, &v), -EINVAL);
	v = volume("a");
	v.server = "";
	assert_int_equal(publish(&s, &v), -EINVAL);
	v = volume("a");
	v.options = "addr=1.2.3.4";
	assert_int_equal(publish(&s, &v), -EINVAL);
	assert_non_null(strstr(s.e.text, "addr"));
	run(50);
	assert_int_equal(s.calls, 0);
	assert_int_equal(orders(""), 0);
}

static void one_operation_a_target(void **state)
{
	struct mounter_volume v = volume("a");
	struct shot a = {.calls = 0}, b = {.calls = 0};

	(void)state;
	start(0);
	assert_int_equal(publish(&a, &v), 0);
	assert_int_equal(publish(&b, &v), -EBUSY);
	assert_int_equal(mounter_unpublish(w.m, TARGET, on_done, &b, NULL), -EBUSY);
	assert_int_equal(mounter_stats(w.m, TARGET, on_usage, &b, NULL), 0);
	wait_for(2);
	assert_int_equal(a.calls, 1);
	assert_int_equal(mounter_unpublish(w.m, TARGET, on_done, &a, NULL), 0);
	wait_for(1);
	assert_int_equal(a.e.code, 0);
}

static void errors_come_through(void **state)
{
	struct mounter_volume v = volume("fail");
	struct shot s = {.calls = 0};

	(void)state;
	start(0);
	assert_int_equal(publish(&s, &v), 0);
	wait_for(1);
	assert_int_equal(s.e.code, EACCES);
	assert_string_equal(s.e.text, "the mount child says no");
	v = volume("die");
	assert_int_equal(publish(&s, &v), 0);
	wait_for(1);
	assert_int_equal(s.e.code, ECONNRESET);
	v = volume("a");
	v.server = "dead";
	assert_int_equal(publish(&s, &v), 0);
	wait_for(1);
	assert_int_equal(s.e.code, ECONNREFUSED);
	assert_non_null(strstr(s.e.text, "dead: Connection refused"));
}

static void hostpath_asks_nobody(void **state)
{
	const struct mounter_volume v = {.kind = MOUNTER_HOSTPATH,
		.target = TARGET,
		.export_ = "/pool",
		.directory = "d",
		.suid = true};
	struct shot s = {.calls = 0};

	(void)state;
	start(0);
	assert_int_equal(publish(&s, &v), 0);
	wait_for(1);
	assert_int_equal(s.e.code, 0);
	assert_int_equal(orders("find"), 0);
	/* nodev alone. */
	assert_true(logged("id=no source=:/pool@- dir=d flags=4 "));
}

/* ---- unpublish ----------------------------------------------------------------------------- */

static void busy_and_hung_ones_are_detached(void **state)
{
	struct shot busy = {.calls = 0}, hung = {.calls = 0}, gone = {.calls = 0};
	struct mounter_stats_now now;

	(void)state;
	start(0);
	assert_int_equal(mounter_unpublish(w.m, ROOT "/pods/busy", on_done, &busy, NULL), 0);
	wait_for(1);
	assert_int_equal(busy.e.code, 0);
	assert_true(logged("unmount target=pods/busy id=no source=:@- dir=- flags=0 rung=0"));
	assert_true(logged("unmount target=pods/busy id=no source=:@- dir=- flags=0 rung=2"));
	assert_int_equal(mounter_unpublish(w.m, ROOT "/pods/hang", on_done, &hung, NULL), 0);
	wait_for(1);
	assert_int_equal(hung.e.code, 0);
	mounter_stats_now(w.m, &now);
	assert_int_equal(now.lazy, 2);
	assert_int_equal(now.killed, 1);
	assert_int_equal(now.running, 0);
	assert_int_equal(mounter_unpublish(w.m, ROOT "/pods/fail", on_done, &gone, NULL), 0);
	wait_for(1);
	assert_int_equal(gone.e.code, EACCES);
}

/* Of a server that is known to be silent nothing is asked plainly. */
static void known_to_hang_is_detached_at_once(void **state)
{
	struct shot s = {.calls = 0};

	(void)state;
	start(0);
	assert_int_equal(mounter_unpublish(w.m, ROOT "/pods/silent", on_done, &s, NULL), 0);
	wait_for(1);
	assert_int_equal(s.e.code, 0);
	assert_int_equal(orders("unmount"), 1);
	assert_true(logged("unmount target=pods/silent id=no source=:@- dir=- flags=0 rung=2"));
}

static void detached_on_request(void **state)
{
	struct shot s = {.calls = 0};

	(void)state;
	start(0);
	assert_int_equal(mounter_detach(w.m, ROOT "/pods/sub", on_done, &s, NULL), 0);
	wait_for(1);
	assert_int_equal(s.e.code, 0);
	assert_int_equal(mounter_detach(w.m, ROOT "/pods/nothing", on_done, &s, NULL), 0);
	wait_for(1);
	assert_int_equal(s.e.code, ENOENT);
}

/* ---- the rest ------------------------------------------------------------------------------ */

static void usage_and_sharing(void **state)
{
	struct shot s = {.calls = 0};

	(void)state;
	start(0);
	assert_int_equal(mounter_stats(w.m, TARGET, on_usage, &s, NULL), 0);
	wait_for(1);
	assert_int_equal(s.usage.bytes, 100);
	assert_int_equal(s.usage.inodes_free, 500);
	assert_int_equal(mounter_rshared(w.m, on_sharing, &s, NULL), 0);
	wait_for(1);
	assert_int_equal(s.sharing, MOUNTER_REFUSED);
	assert_string_equal(s.e.text, "a pod is mounted below");
	assert_int_equal(mounter_nfs_client(w.m, on_done, &s, NULL), 0);
	wait_for(1);
	assert_int_equal(s.e.code, ENODEV);
	assert_string_equal(s.e.text, "no NFS client here");
}

#define EXPORT_LINE(id) \
	"50 1 0:40 / " EXPORTS "/" id " rw - nfs4 nas:/data rw,vers=4.2,addr=10.0.0.1\n"
#define USER_LINE "60 1 0:40 /a " TARGET " rw - nfs4 nas:/data rw,vers=4.2,addr=10.0.0.1\n"

static void on_export(const struct mounter_export *x, void *userdata)
{
	struct buf *b = userdata;

	assert_true(buf_printf(b, "%s %s %zu %s;", x->id, x->source, x->publications,
			    x->idle_ns ? "idle" : "used") >= 0);
}

static void exports_come_from_mountinfo(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(1000);

	(void)state;
	write_mountinfo(BASE_TABLE EXPORT_LINE("0123") USER_LINE);
	start(0);
	mounter_exports(w.m, on_export, &b);
	assert_string_equal(b.data, "0123 nas:/data 1 used;");
}

static void on_note(const struct mounter_export *x, void *userdata)
{
	struct buf *b = userdata;

	assert_true(buf_puts(b, x->note) >= 0);
}

/* What the child said of the mount stays with it; orders that mounted nothing do not take it away.
 */
static void exports_have_notes(void **state)
{
	_cleanup_buf_ struct buf before = BUF_NULL(1000), b = BUF_NULL(1000);
	struct mounter_volume v = volume("a");
	struct shot s = {.calls = 0};

	(void)state;
	start(0);
	assert_int_equal(publish(&s, &v), 0);
	wait_for(1);
	mounter_exports(w.m, on_note, &before);
	assert_int_equal(before.len, 0);
	v.directory = "lonely";
	assert_int_equal(publish(&s, &v), 0);
	wait_for(1);
	v.directory = "b";
	assert_int_equal(publish(&s, &v), 0);
	wait_for(1);
	mounter_exports(w.m, on_note, &b);
	assert_string_equal(b.data, "locks are kept on this node");
}

static void idle_exports_go(void **state)
{
	(void)state;
	write_mountinfo(BASE_TABLE EXPORT_LINE("0123"));
	start(MILLISECONDS(80));
	while (orders("drop") == 0)
		run(20);
	assert_true(logged("drop target=- id=yes"));
}

static void used_exports_stay(void **state)
{
	(void)state;
	write_mountinfo(BASE_TABLE EXPORT_LINE("0123") USER_LINE);
	start(MILLISECONDS(40));
	run(300);
	assert_int_equal(orders("drop"), 0);
}

/* Binds of subPaths come and go without a word to us; ours end with their unpublish. */
static void others_are_forgotten(void **state)
{
	struct mounter_volume v = volume("a");
	struct shot s = {.calls = 0};

	(void)state;
	write_mountinfo(BASE_TABLE USER_LINE);
	start(MILLISECONDS(40));
	v.target = ROOT "/pods/p2/volumes/kubernetes.io~csi/v2/mount";
	assert_int_equal(publish(&s, &v), 0);
	wait_for(1);
	write_mountinfo(BASE_TABLE);
	run(300);
	assert_int_equal(w.m->publications.size, 1);
}

static void missing_mountinfo_is_said(void **state)
{
	struct err e = ERR_NULL;
	struct mounter *m;

	(void)state;
	assert_int_equal(mounter_new(&m,
				 &(struct mounter_options){.loop = w.loop,
					 .workers = &(struct worker_options){.program = "x",
						 .argv = (const char *const[]){NULL}},
					 .kubelet_root = ROOT,
					 .exports_dir = EXPORTS,
					 .mountinfo = "/nonexistent/mountinfo"},
				 &e),
		-ENOENT);
	assert_non_null(strstr(e.text, "/nonexistent/mountinfo"));
}

/* Freed with everything under way: no callback any more, and nothing leaks. */
static void freed_in_the_middle(void **state)
{
	struct mounter_volume v = volume("a");
	struct shot s = {.calls = 0};

	(void)state;
	start(0);
	assert_int_equal(publish(&s, &v), 0);
	assert_int_equal(mounter_unpublish(w.m, ROOT "/pods/hang", on_done, &s, NULL), 0);
	assert_int_equal(mounter_rshared(w.m, on_sharing, &s, NULL), 0);
	w.m = mounter_free(w.m);
	run(30);
	assert_int_equal(s.calls, 0);
}

static void memory_may_run_out(void **state)
{
	struct mounter_volume v = volume("a");

	(void)state;
	start(0);
	FAULT_LOOP
	{
		struct shot s = {.calls = 0};
		int r;

		v.target = TARGET;
		r = publish(&s, &v);
		if (r >= 0)
			wait_for(1);
		else
			assert_int_equal(r, -ENOMEM);
		assert_int_equal(s.calls, r >= 0);
		/* What the last round left known would make the next one shorter. */
		fault_disarm();
		fault_arm(_fault_k);
		r = mounter_unpublish(w.m, TARGET, on_done, &s, NULL);
		if (r >= 0)
			wait_for(1);
		else
			assert_int_equal(r, -ENOMEM);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(nfs_volume_is_published),
		TEST(second_one_needs_no_server),
		TEST(missing_export_mount_is_made_again),
		TEST(refusals_at_once),
		TEST(one_operation_a_target),
		TEST(errors_come_through),
		TEST(hostpath_asks_nobody),
		TEST(busy_and_hung_ones_are_detached),
		TEST(known_to_hang_is_detached_at_once),
		TEST(detached_on_request),
		TEST(usage_and_sharing),
		TEST(exports_come_from_mountinfo),
		TEST(exports_have_notes),
		TEST(idle_exports_go),
		TEST(used_exports_stay),
		TEST(others_are_forgotten),
		TEST(missing_mountinfo_is_said),
		TEST(freed_in_the_middle),
		TEST(memory_may_run_out),
	};

	(void)argv;
	if (argc > 1)
		return mounter_child_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
