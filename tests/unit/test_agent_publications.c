/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_publications.c: publications by target and volume, over a restart, from a torn file
 * and from mountinfo */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/publications.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/unit/fault.h"

#define ROOT "/var/lib/kubelet"
#define TARGET(uid, pv) ROOT "/pods/" uid "/volumes/kubernetes.io~csi/" pv "/mount"

struct world {
	struct loop *loop;
	char dir[64], file[96];
};

static int setup(void **state)
{
	static struct world w;

	snprintf(w.dir, sizeof(w.dir), "/tmp/test-publications-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	snprintf(w.file, sizeof(w.file), "%s/volumes.json", w.dir);
	assert_int_equal(loop_new(&w.loop), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	loop_free(w->loop);
	unlink(w->file);
	return rmdir(w->dir);
}

static struct publications *open_file(struct world *w)
{
	struct publications *v = NULL;

	assert_int_equal(publications_new(&v, w->loop, w->file, NULL), 0);
	return v;
}

static struct publication of(const char *volume, const char *target)
{
	return (struct publication){
		.target = target,
		.volume = volume,
		.driver = "nfs.berth.dev",
		.source = "nas:/x/y",
		.namespace_ = "default",
		.pod = "web-0",
		.pod_uid = "u1",
		.mode = CSI_SINGLE_NODE_MULTI_WRITER,
		.readonly = true,
		.published = 1764194096123456789ULL,
	};
}

static void put(struct publications *v, const char *volume, const char *target)
{
	const struct publication p = of(volume, target);

	assert_int_equal(publications_put(v, &p), 0);
}

static void by_target_and_by_volume(void **state)
{
	_cleanup_(publications_freep) struct publications *v = open_file(*state);

	put(v, "a", "/t/1");
	put(v, "a", "/t/2");
	put(v, "b", "/t/3");
	assert_int_equal(publications_count(v), 3);
	assert_string_equal(publications_at(v, "/t/2")->volume, "a");
	assert_null(publications_at(v, "/t/4"));
	assert_string_equal(publications_elsewhere(v, "a", "/t/1")->target, "/t/2");
	assert_string_equal(publications_elsewhere(v, "a", "/t/9")->volume, "a");
	assert_null(publications_elsewhere(v, "b", "/t/3"));
	assert_null(publications_elsewhere(v, "c", "/t/3"));
	/* The first member gives the group its name: it may go first. */
	publications_drop(v, "/t/1");
	assert_null(publications_elsewhere(v, "a", "/t/2"));
	assert_string_equal(publications_elsewhere(v, "a", "/t/1")->target, "/t/2");
	publications_drop(v, "/t/1");
	/* Another volume at the same target. */
	put(v, "b", "/t/2");
	assert_null(publications_elsewhere(v, "a", "/t/1"));
	assert_int_equal(publications_count(v), 2);
	assert_non_null(publications_elsewhere(v, "b", "/t/2"));
	/* Its own texts are given back. */
	assert_int_equal(publications_put(v, publications_at(v, "/t/2")), 0);
	assert_string_equal(publications_at(v, "/t/2")->pod, "web-0");
}

static void kept_over_a_restart(void **state)
{
	struct world *w = *state;
	struct publications *v = open_file(w);
	const struct publication *p;
	struct stat st;

	put(v, "a", "/t/\xc3\xa4 \"x\"");
	publications_free(v);
	assert_int_equal(stat(w->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	v = open_file(w);
	p = publications_at(v, "/t/\xc3\xa4 \"x\"");
	assert_non_null(p);
	assert_string_equal(p->volume, "a");
	assert_string_equal(p->pod, "web-0");
	assert_string_equal(p->namespace_, "default");
	assert_string_equal(p->source, "nas:/x/y");
	assert_int_equal(p->mode, CSI_SINGLE_NODE_MULTI_WRITER);
	assert_true(p->readonly);
	assert_true(p->published == 1764194096123456789ULL);
	publications_free(v);
}

static void stop(struct timer *t, void *userdata)
{
	(void)t;
	loop_exit(userdata, 0);
}

/* A kill -9 later than a second after a change loses nothing. */
static void written_by_itself(void **state)
{
	struct world *w = *state;
	_cleanup_(publications_freep) struct publications *v = open_file(w);
	_cleanup_(timer_freep) struct timer *t = NULL;

	put(v, "a", "/t/1");
	assert_int_equal(access(w->file, F_OK), -1);
	assert_int_equal(timer_new_exact(&t, w->loop, stop, w->loop), 0);
	for (int i = 0; i < 100 && access(w->file, F_OK) < 0; i++) {
		timer_arm(t, 100000000);
		loop_run(w->loop);
	}
	assert_int_equal(access(w->file, F_OK), 0);
}

/* What holds a second writer off is there before the first is told that it may write. */
static void one_writer_is_written_at_once(void **state)
{
	struct world *w = *state;
	_cleanup_(publications_freep) struct publications *v = open_file(w), *next = NULL;
	struct publication p = of("a", "/t/1");

	p.mode = CSI_SINGLE_NODE_SINGLE_WRITER;
	assert_int_equal(publications_put(v, &p), 0);
	next = open_file(w);
	assert_non_null(publications_elsewhere(next, "a", "/t/2"));
}

static const char *const torn[] = {
	"",
	"{",
	"null",
	"[]",
	"{\"version\":1,\"publications\":[{\"target\":\"/t\"",
	"{\"version\":2,\"publications\":[]}",
	"{\"version\":1}",
	"{\"version\":1,\"publications\":{}}",
	"{\"version\":1,\"publications\":[1,{},{\"target\":\"/t\"},{\"target\":\"t\",\"volume\":"
	"\"v\"},{\"target\":\"/t\",\"volume\":\"v\",\"mode\":99}]}",
};

static void a_torn_file_is_begun_anew(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ELEMENTSOF(torn); i++) {
		int fd = open(w->file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		struct publications *v;

		assert_int_equal(fd_write_all(fd, torn[i], strlen(torn[i])), 0);
		fd_close(fd);
		v = open_file(w);
		assert_int_equal(publications_count(v), 0);
		put(v, "a", "/t/1");
		publications_free(v);
		v = open_file(w);
		assert_int_equal(publications_count(v), 1);
		publications_free(v);
	}
}

static void a_good_entry_beside_a_bad_one_is_kept(void **state)
{
	static const char text[] = "{\"version\":1,\"publications\":[7,{\"target\":\"/t\","
				   "\"volume\":\"v\",\"later\":1}]}";
	struct world *w = *state;
	int fd = open(w->file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	struct publications *v;

	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	fd_close(fd);
	v = open_file(w);
	assert_int_equal(publications_count(v), 1);
	assert_string_equal(publications_at(v, "/t")->pod, "");
	publications_free(v);
}

static void a_foreign_file_is_not_read(void **state)
{
	struct world *w = *state;
	struct publications *v = open_file(w);

	put(v, "a", "/t/1");
	publications_free(v);
	assert_int_equal(chmod(w->file, 0666), 0);
	v = open_file(w);
	assert_int_equal(publications_count(v), 0);
	publications_free(v);
	unlink(w->file);
	assert_int_equal(symlink("/etc/passwd", w->file), 0);
	v = open_file(w);
	assert_int_equal(publications_count(v), 0);
	put(v, "a", "/t/1");
	/* The link is replaced, not written through. */
	publications_free(v);
	v = open_file(w);
	assert_int_equal(publications_count(v), 1);
	publications_free(v);
}

static void targets(void **state)
{
	static const struct {
		const char *root, *target;
		bool good;
	} table[] = {
		{ROOT, TARGET("u", "pvc-1"), true},
		{"/k", "/k/pods/u/volumes/kubernetes.io~csi/pv/mount", true},
		{"/k", TARGET("u", "pvc-1"), false},
		{ROOT, TARGET("", "pvc-1"), false},
		{ROOT, TARGET("u", ""), false},
		{ROOT, TARGET("..", "pvc-1"), false},
		{ROOT, TARGET(".x", "pvc-1"), false},
		{ROOT, TARGET("u", ".."), false},
		{ROOT, TARGET("u", "a/b"), false},
		{ROOT, TARGET("u", "pvc-1") "/", false},
		{ROOT, TARGET("u", "pvc-1") "x", false},
		{ROOT, ROOT "/pods/u/volumes/kubernetes.io~csi/pv", false},
		{ROOT, ROOT "/pods/u/volumes/kubernetes.io~nfs/pv/mount", false},
		{ROOT, ROOT "x/pods/u/volumes/kubernetes.io~csi/pv/mount", false},
		{ROOT, ROOT, false},
		{ROOT, "", false},
	};
	char uid[PUBLICATION_PART_MAX], volume[PUBLICATION_PART_MAX];

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(table); i++)
		if ((publication_target(table[i].root, table[i].target, uid, volume) == 0) !=
			table[i].good)
			fail_msg("%s below %s", table[i].target, table[i].root);
	assert_int_equal(publication_target(ROOT, TARGET("u7", "pvc-9"), uid, volume), 0);
	assert_string_equal(uid, "u7");
	assert_string_equal(volume, "pvc-9");
}

static bool is_first(const char *target, void *userdata)
{
	(void)userdata;
	return streq(target, TARGET("u1", "a"));
}

static void rebuilt_from_mountinfo(void **state)
{
	_cleanup_(publications_freep) struct publications *v = open_file(*state);
	const struct publication *p;
	size_t cursor = 0;

	assert_int_equal(publications_found(v, TARGET("u1", "a"), "d", "s:/x"), 0);
	assert_int_equal(
		publications_found(
			v, "/srv/pods/k/pods/u2/volumes/kubernetes.io~csi/b/mount", "d", "s:/x"),
		0);
	assert_int_equal(publications_found(v, "/mnt", "d", "s:/x"), -EINVAL);
	p = publications_at(v, TARGET("u1", "a"));
	assert_string_equal(p->volume, "a");
	assert_string_equal(p->pod_uid, "u1");
	assert_int_equal(p->mode, 0);
	put(v, "handle", TARGET("u1", "a"));
	/* What is known better stays. */
	assert_int_equal(publications_found(v, TARGET("u1", "a"), "d", "s:/x"), 0);
	assert_string_equal(publications_at(v, TARGET("u1", "a"))->volume, "handle");
	publications_sweep(v, is_first, NULL);
	assert_int_equal(publications_count(v), 1);
	assert_string_equal(publications_next(v, &cursor)->volume, "handle");
	assert_null(publications_next(v, &cursor));
}

static void bounded(void **state)
{
	_cleanup_(publications_freep) struct publications *v = NULL;
	struct world *w = *state;
	char target[32];
	struct publication p = of("v", target);
	int r = 0;

	assert_int_equal(publications_new(&v, w->loop, NULL, NULL), 0);
	for (int i = 0; i <= PUBLICATIONS_MAX && r == 0; i++) {
		snprintf(target, sizeof(target), "/t/%d", i);
		r = publications_put(v, &p);
	}
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(publications_count(v), PUBLICATIONS_MAX);
	snprintf(target, sizeof(target), "/t/%d", 5);
	assert_int_equal(publications_put(v, &p), 0);
}

static void no_memory(void **state)
{
	struct world *w = *state;
	struct publications *kept;

	kept = open_file(w);
	put(kept, "a", "/t/1");
	publications_free(kept);
	FAULT_LOOP
	{
		struct publications *v = NULL;
		const struct publication p = of("v", "/t/1"), q = of("v", "/t/2");
		int r = publications_new(&v, w->loop, w->file, NULL);

		if (r >= 0)
			r = publications_put(v, &p);
		if (r >= 0)
			r = publications_put(v, &q);
		if (v && r >= 0)
			assert_int_equal(publications_count(v), 2);
		publications_free(v);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(by_target_and_by_volume),
		TEST(kept_over_a_restart),
		TEST(written_by_itself),
		TEST(one_writer_is_written_at_once),
		TEST(a_torn_file_is_begun_anew),
		TEST(a_good_entry_beside_a_bad_one_is_kept),
		TEST(a_foreign_file_is_not_read),
		TEST(targets),
		TEST(rebuilt_from_mountinfo),
		TEST(bounded),
		TEST(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
