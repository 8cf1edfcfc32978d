/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_mounts.c: which rows of a mount table are ours, and the state of each */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "agent/mounts.h"
#include "agent/mounts_path.h"
#include "agent/picture.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "mount/table.h"
#include "tests/unit/fault.h"

#define ROOT "/var/lib/kubelet"
#define EXPORTS "/run/berth/exports"
#define POD(n) ROOT "/pods/00000000-0000-4000-8000-00000000000" #n
#define VOLUME(n, pv) POD(n) "/volumes/kubernetes.io~csi/" pv "/mount"
#define SUBPATH(n, pv) POD(n) "/volume-subpaths/" pv "/main/0"
#define NFS_OPTIONS "rw,vers=4.2,port=2050,addr=192.0.2.7"
/* id, peer group, minor, root, target */
#define NFS(id, peer, minor, root, target)                                 \
#id " 30 0:" #minor " " root " " target " rw,nosuid shared:" #peer \
	    " - nfs4 nas:/export " NFS_OPTIONS "\n"
#define DISK(id, root, target) #id " 30 8:1 " root " " target " ro - ext4 /dev/sda1 rw\n"
#define BASE "30 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
#define EXPORT BASE NFS(40, 5, 50, "/", EXPORTS "/x1")

struct world {
	struct loop *loop;
	struct health *health;
	struct mounts *mounts;
	char published[256]; /* the one target, "" for none, "*" for all */
	unsigned changes, gone;
	enum mounts_state old, now;
	char target[256];
};

static bool publication(const char *target, struct mounts_publication *ret, void *userdata)
{
	struct world *w = userdata;

	*ret = (struct mounts_publication){.volume = "v"};
	return streq(w->published, "*") || streq(w->published, target);
}

static void on_changed(const struct mounts_entry *e, enum mounts_state old, void *userdata)
{
	struct world *w = userdata;

	w->changes++;
	w->old = old;
	w->now = e->state;
	str_copy_cut(w->target, sizeof(w->target), e->target);
	/* What is told can be looked up. */
	assert_ptr_equal(mounts_find(w->mounts, e->target), e);
}

static void on_gone(const struct mounts_entry *e, void *userdata)
{
	struct world *w = userdata;

	w->gone++;
	str_copy_cut(w->target, sizeof(w->target), e->target);
}

static int setup(void **state)
{
	static const struct mounts_ops ops = {publication, on_changed, on_gone};
	struct world *w = calloc(1, sizeof(*w));
	struct mounts_setup s = {.kubelet_root = ROOT,
		.exports = EXPORTS,
		.ops = &ops,
		.userdata = w,
		.orphan_after_ns = 1};

	*state = w;
	if (!w || loop_new(&w->loop) < 0 || health_new(&w->health, w->loop, NULL, NULL, NULL) < 0)
		return -1;
	s.health = w->health;
	return mounts_new(&w->mounts, &s);
}

static int teardown(void **state)
{
	struct world *w = *state;

	mounts_free(w->mounts);
	health_free(w->health);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void show(struct world *w, const char *text)
{
	struct mount_table *t = NULL;
	struct err e = ERR_NULL;

	if (mount_table_parse(&t, text, strlen(text), &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(mounts_update(w->mounts, t), 0);
	mount_table_free(t);
}

static const struct mounts_entry *at(struct world *w, const char *target)
{
	const struct mounts_entry *e = mounts_find(w->mounts, target);

	if (!e)
		fail_msg("nothing at %s", target);
	return e;
}

static void state_is(struct world *w, const char *target, enum mounts_state state)
{
	const struct mounts_entry *e;

	mounts_judge(w->mounts); /* a nanosecond later */
	e = at(w, target);
	if (e->state != state)
		fail_msg("%s is %s: %s", target, mounts_state_name(e->state), e->why);
}

static void paths(void **state)
{
	static const struct {
		const char *path;
		int kind; /* -1: none of ours */
	} cases[] = {
		{EXPORTS "/x", MOUNTS_EXPORT},
		{EXPORTS, -1},
		{EXPORTS "/", -1},
		{EXPORTS "/x/y", -1},
		{EXPORTS "2/x", -1},
		{VOLUME(1, "pvc-1"), MOUNTS_VOLUME},
		{POD(1) "/volumes/kubernetes.io~csi/pvc-1", -1},
		{POD(1) "/volumes/kubernetes.io~csi/pvc-1/mount/x", -1},
		{POD(1) "/volumes/kubernetes.io~csi//mount", -1},
		{POD(1) "/volumes/kubernetes.io~nfs/pvc-1", -1},
		{POD(1) "/volumes/kubernetes.io~csi/pvc-1/mounts", -1},
		{SUBPATH(1, "pvc-1"), MOUNTS_SUBPATH},
		{POD(1) "/volume-subpaths/pvc-1/main", -1},
		{POD(1) "/volume-subpaths/pvc-1/main/", -1},
		{POD(1) "/volume-subpaths/pvc-1/main/0/1", -1},
		{ROOT "/pods//volumes/kubernetes.io~csi/pvc-1/mount", -1},
		{ROOT "/plugins/x", -1},
		{"/", -1},
		{"", -1},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct mounts_path p;
		bool ours = mounts_path_parse(&p, ROOT, EXPORTS, cases[i].path);

		if (ours != (cases[i].kind >= 0) || (ours && (int)p.kind != cases[i].kind))
			fail_msg("%s", cases[i].path);
		if (ours && p.kind != MOUNTS_EXPORT)
			assert_memory_equal(p.volume, "pvc-1", p.volume_size);
	}
}

static void what_a_row_says(void **state)
{
	struct world *w = *state;
	const struct mounts_entry *e;

	str_copy_cut(w->published, sizeof(w->published), "*");
	show(w, EXPORT NFS(41, 6, 50, "/dir\\040a", VOLUME(1, "pvc-1")));
	e = at(w, VOLUME(1, "pvc-1"));
	assert_int_equal(e->kind, MOUNTS_VOLUME);
	assert_string_equal(e->volume, "pvc-1");
	assert_string_equal(e->pod_uid, "00000000-0000-4000-8000-000000000001");
	assert_string_equal(e->root, "/dir a");
	assert_string_equal(e->source, "nas:/export");
	assert_string_equal(e->server, "192.0.2.7");
	assert_int_equal(e->port, 2050);
	assert_int_equal(e->id, 41);
	assert_int_equal(e->peer_group, 6);
	assert_string_equal(e->options, "rw,nosuid," NFS_OPTIONS);
	assert_false(e->read_only);
	assert_int_equal(e->state, MOUNTS_OK);
	assert_string_equal(e->why, "");
	e = at(w, EXPORTS "/x1");
	assert_int_equal(e->kind, MOUNTS_EXPORT);
	assert_string_equal(e->volume, "");
	assert_int_equal(health_count(w->health).servers, 1);
}

/* Other drivers use the kubelet's directories and NFS too. */
static void others_are_left_alone(void **state)
{
	struct world *w = *state;

	show(w, EXPORT NFS(41, 6, 51, "/", VOLUME(1, "theirs"))
			NFS(42, 6, 51, "/s", SUBPATH(1, "theirs")) DISK(43, "/d", VOLUME(2, "disk"))
				NFS(44, 6, 52, "/", "/mnt"));
	assert_int_equal(mounts_count(w->mounts).all, 0);
	assert_int_equal(mounts_count(w->mounts).exports, 1);
	str_copy_cut(w->published, sizeof(w->published), VOLUME(2, "disk"));
	show(w, EXPORT DISK(43, "/d", VOLUME(2, "disk")) DISK(44, "/d/s", SUBPATH(2, "disk"))
			DISK(45, "/d", VOLUME(3, "disk")));
	assert_int_equal(mounts_count(w->mounts).all, 2);
	state_is(w, VOLUME(2, "disk"), MOUNTS_OK);
	state_is(w, SUBPATH(2, "disk"), MOUNTS_OK);
	assert_true(at(w, VOLUME(2, "disk"))->read_only);
}

static void orphans(void **state)
{
	struct world *w = *state;

	/* Of our superblock, and nobody asked us. */
	show(w, EXPORT NFS(41, 6, 50, "/d", VOLUME(1, "pvc-1")));
	state_is(w, VOLUME(1, "pvc-1"), MOUNTS_ORPHANED);
	assert_int_equal(w->old, MOUNTS_OK);
	assert_int_equal(w->now, MOUNTS_ORPHANED);
	str_copy_cut(w->published, sizeof(w->published), VOLUME(1, "pvc-1"));
	state_is(w, VOLUME(1, "pvc-1"), MOUNTS_OK);
	/* The export mount is taken away by hand: known by what was there a moment ago. */
	show(w, BASE NFS(41, 6, 50, "/d", VOLUME(1, "pvc-1")));
	state_is(w, VOLUME(1, "pvc-1"), MOUNTS_ORPHANED);
	assert_non_null(strstr(at(w, VOLUME(1, "pvc-1"))->why, "export mount"));
	*w->published = '\0';
	show(w, BASE NFS(41, 6, 50, "/d", VOLUME(1, "pvc-1")));
	state_is(w, VOLUME(1, "pvc-1"), MOUNTS_ORPHANED);
	/* A subPath that the kubelet left behind. */
	show(w, EXPORT NFS(42, 6, 50, "/d/s", SUBPATH(1, "pvc-1")));
	state_is(w, SUBPATH(1, "pvc-1"), MOUNTS_ORPHANED);
	assert_null(mounts_find(w->mounts, VOLUME(1, "pvc-1")));
}

/* A publication and its mount come one after the other. */
static void orphans_are_given_time(void **state)
{
	struct world *w = *state;
	static const struct mounts_ops ops = {publication, NULL, NULL};
	const struct mounts_setup s = {
		.kubelet_root = ROOT, .exports = EXPORTS, .ops = &ops, .userdata = w};

	mounts_free(w->mounts);
	assert_int_equal(mounts_new(&w->mounts, &s), 0);
	show(w, EXPORT NFS(41, 6, 50, "/d", VOLUME(1, "pvc-1")));
	state_is(w, VOLUME(1, "pvc-1"), MOUNTS_OK);
	assert_int_equal(mounts_count(w->mounts).suspects, 1);
	str_copy_cut(w->published, sizeof(w->published), "*");
	state_is(w, VOLUME(1, "pvc-1"), MOUNTS_OK);
	assert_int_equal(mounts_count(w->mounts).suspects, 0);
}

static void stale_directories(void **state)
{
	struct world *w = *state;
	struct mounts_condition c;

	str_copy_cut(w->published, sizeof(w->published), "*");
	show(w, EXPORT NFS(41, 6, 50, "/d//deleted", VOLUME(1, "pvc-1"))
			NFS(42, 6, 50, "/e", VOLUME(2, "pvc-2")));
	state_is(w, VOLUME(1, "pvc-1"), MOUNTS_STALE);
	state_is(w, VOLUME(2, "pvc-2"), MOUNTS_OK);
	health_called(w->health, VOLUME(2, "pvc-2"), "192.0.2.7", 2050, ESTALE);
	state_is(w, VOLUME(2, "pvc-2"), MOUNTS_STALE);
	mounts_condition(w->mounts, VOLUME(2, "pvc-2"), &c);
	assert_true(c.abnormal);
	assert_non_null(strstr(c.message, "stale file handle"));
	health_called(w->health, VOLUME(2, "pvc-2"), "192.0.2.7", 2050, 0);
	state_is(w, VOLUME(2, "pvc-2"), MOUNTS_OK);
	mounts_condition(w->mounts, VOLUME(2, "pvc-2"), &c);
	assert_false(c.abnormal);
	assert_string_equal(c.message, "volume is healthy");
	mounts_condition(w->mounts, "/nowhere", &c);
	assert_false(c.abnormal);
	/* A mount that ends takes its mark along. */
	health_called(w->health, VOLUME(2, "pvc-2"), NULL, 0, ESTALE);
	show(w, EXPORT);
	assert_false(health_is_stale(w->health, VOLUME(2, "pvc-2")));
}

/* One on another: nobody sees those below. */
static void stacked_mounts(void **state)
{
	struct world *w = *state;

	str_copy_cut(w->published, sizeof(w->published), "*");
	show(w, EXPORT NFS(41, 6, 50, "/a", VOLUME(1, "pvc-1"))
			NFS(42, 7, 50, "/b", VOLUME(1, "pvc-1")));
	assert_int_equal(mounts_count(w->mounts).all, 1);
	assert_string_equal(at(w, VOLUME(1, "pvc-1"))->root, "/b");
	show(w, EXPORT NFS(41, 6, 50, "/a", VOLUME(1, "pvc-1")));
	assert_string_equal(at(w, VOLUME(1, "pvc-1"))->root, "/a");
}

static void changes_are_told_once(void **state)
{
	struct world *w = *state;

	str_copy_cut(w->published, sizeof(w->published), "*");
	show(w, EXPORT NFS(41, 6, 50, "/d", VOLUME(1, "pvc-1")));
	assert_int_equal(w->changes, 2);
	assert_int_equal(w->old, _MOUNTS_STATE_MAX);
	show(w, EXPORT NFS(41, 6, 50, "/d", VOLUME(1, "pvc-1")));
	mounts_judge(w->mounts);
	/* Mounted anew in between, and remounted: still the same place in the same state. */
	show(w, EXPORT NFS(77, 9, 50, "/d", VOLUME(1, "pvc-1")));
	assert_int_equal(w->changes, 2);
	assert_int_equal(at(w, VOLUME(1, "pvc-1"))->id, 77);
	show(w, EXPORT);
	assert_int_equal(w->gone, 1);
	assert_string_equal(w->target, VOLUME(1, "pvc-1"));
	show(w, BASE);
	assert_int_equal(w->gone, 2);
	assert_int_equal(health_count(w->health).servers, 0);
}

/* 20,000 rows, half of them ours, all in one walk each. */
static void a_large_table(void **state)
{
	enum { N = 10000 };
	struct world *w = *state;
	_cleanup_buf_ struct buf b = BUF_NULL(32U << 20);
	struct picture p = {.room = 0};
	struct bnode_status s = {.version = NULL};
	const struct mounts_entry *e;
	size_t cursor = 0, seen = 0;
	bool exports = false;

	str_copy_cut(w->published, sizeof(w->published), "*");
	assert_int_equal(buf_puts(&b, EXPORT), 0);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(
			buf_printf(&b,
				"%u 30 0:50 /d%u " POD(
					1) "/volumes/kubernetes.io~csi/pvc-%u/mount rw shared:9 - "
					   "nfs4 nas:/export " NFS_OPTIONS "\n"
					   "%u 30 0:60 / /run/x/%u rw - tmpfs tmpfs rw\n",
				100 + i, i, i, 50000 + i, i),
			0);
	show(w, b.data);
	assert_int_equal(mounts_count(w->mounts).all, N);
	while ((e = mounts_next(w->mounts, &cursor)) != NULL) {
		seen++;
		assert_false(exports && e->kind != MOUNTS_EXPORT);
		exports |= e->kind == MOUNTS_EXPORT;
	}
	assert_int_equal(seen, N + 1);
	assert_int_equal(picture_take(&p, w->mounts, w->health, &s), 0);
	assert_int_equal(s.n_mounts, N);
	assert_int_equal(s.n_volumes, N);
	assert_int_equal(s.n_exports, 1);
	picture_done(&p);
}

/* Unhealthy first, then by target; exports of one path are one. */
static void the_picture_is_sorted(void **state)
{
	struct world *w = *state;
	struct picture p = {.room = 0};
	struct bnode_status s = {.version = NULL};

	str_copy_cut(w->published, sizeof(w->published), "*");
	show(w, EXPORT NFS(45, 5, 53, "/", EXPORTS "/x0") NFS(41, 6, 50, "/d", VOLUME(3, "pvc-3"))
			NFS(42, 6, 50, "/d//deleted", VOLUME(2, "pvc-2"))
				NFS(43, 6, 50, "/d", VOLUME(1, "pvc-1")));
	assert_int_equal(picture_take(&p, w->mounts, w->health, &s), 0);
	assert_int_equal(s.n_mounts, 3);
	assert_string_equal(s.mounts[0].target, VOLUME(2, "pvc-2"));
	assert_string_equal(s.mounts[0].state, "Stale");
	assert_string_equal(s.mounts[1].target, VOLUME(1, "pvc-1"));
	assert_string_equal(s.mounts[2].target, VOLUME(3, "pvc-3"));
	assert_int_equal(s.n_exports, 1);
	assert_string_equal(s.exports[0].server, "nas");
	assert_string_equal(s.exports[0].export_, "/export");
	assert_int_equal(s.counts_mounts, 3);
	assert_int_equal(s.counts_stale, 1);
	picture_done(&p);
}

static void memory_runs_out(void **state)
{
	struct world *w = *state;
	static const char text[] =
		EXPORT NFS(41, 6, 50, "/d", VOLUME(1, "pvc-1")) DISK(42, "/x", VOLUME(2, "pvc-2"));
	struct mount_table *t = NULL;

	str_copy_cut(w->published, sizeof(w->published), "*");
	assert_int_equal(mount_table_parse(&t, text, sizeof(text) - 1, NULL), 0);
	FAULT_LOOP
	{
		int r = mounts_update(w->mounts, t);

		if (r < 0)
			assert_true(fault_fired());
	}
	assert_int_equal(mounts_update(w->mounts, t), 0);
	assert_int_equal(mounts_count(w->mounts).all, 2);
	mount_table_free(t);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(paths),
		T(what_a_row_says),
		T(others_are_left_alone),
		T(orphans),
		T(orphans_are_given_time),
		T(stale_directories),
		T(stacked_mounts),
		T(changes_are_told_once),
		T(a_large_table),
		T(the_picture_is_sorted),
		T(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
