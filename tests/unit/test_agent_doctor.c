/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_doctor.c: tables of what is seen and what is said about it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/doctor.h"
#include "base/clock.h"
#include "base/str.h"
#include "data/decode.h"
#include "tests/unit/view_world.h"

struct heard {
	struct doctor_finding all[64];
	size_t n;
};

static void hear(const struct doctor_finding *f, void *userdata)
{
	struct heard *h = userdata;

	assert_true(h->n < ELEMENTSOF(h->all));
	assert_true(*f->text != '\0');
	/* What is wrong has a cure, what is well needs none. */
	if (f->level == DOCTOR_OK)
		assert_true(*f->cure == '\0');
	if (f->level == DOCTOR_ERROR)
		assert_true(*f->cure != '\0');
	h->all[h->n++] = *f;
}

/* One finding with all of words in its text or cure. */
static void heard_is(struct heard *h, const char *check, enum doctor_level level, const char *word)
{
	assert_int_equal(h->n, 1);
	assert_string_equal(h->all[0].check, check);
	assert_string_equal(doctor_level_text(h->all[0].level), doctor_level_text(level));
	if (!strstr(h->all[0].text, word) && !strstr(h->all[0].cure, word))
		fail_msg("'%s' is not in '%s' nor '%s'", word, h->all[0].text, h->all[0].cure);
	h->n = 0;
}

static void test_kernel(void **state)
{
	struct doctor_kernel k = {.release = "6.1.0", .landlock_abi = 2};
	struct heard h = {.n = 0};

	(void)state;
	doctor_judge_kernel(&k, hear, &h);
	heard_is(&h, "kernel", DOCTOR_OK, "6.1.0");
	k.openat2 = DOCTOR_ABSENT;
	k.open_tree = DOCTOR_BLOCKED;
	k.mount_setattr = DOCTOR_ABSENT;
	k.statmount = DOCTOR_ABSENT;
	k.landlock_abi = 1;
	doctor_judge_kernel(&k, hear, &h);
	assert_int_equal(h.n, 5);
	assert_non_null(strstr(h.all[1].text, "openat2 is not in this kernel"));
	assert_non_null(strstr(h.all[2].text, "open_tree is blocked by a seccomp filter"));
	assert_non_null(strstr(h.all[2].cure, "allows open_tree"));
	assert_int_equal(h.all[4].level, DOCTOR_NOTE);
}

static void test_this_kernel(void **state)
{
	struct doctor_kernel k;

	(void)state;
	doctor_kernel(&k);
	assert_true(*k.release != '\0');
	/* Older kernels than 5.10 are not tested on. */
	assert_int_equal(k.openat2, DOCTOR_THERE);
	assert_int_equal(k.open_tree, DOCTOR_THERE);
}

static void test_nfs_and_propagation(void **state)
{
	static const struct {
		const char *propagation, *why;
		enum doctor_level level;
		const char *word;
	} cases[] = {{"shared", "", DOCTOR_OK, "/k is a shared mount"},
		{"private", "pods/x is mounted below", DOCTOR_ERROR, "pods/x is mounted below"},
		{"slave", "", DOCTOR_ERROR, "make-rshared /k"},
		{"unbindable", "", DOCTOR_ERROR, "unbindable"},
		{"", "not looked yet", DOCTOR_WARNING, "unknown"}};
	struct heard h = {.n = 0};

	(void)state;
	doctor_judge_nfs(true, "", 0, hear, &h);
	heard_is(&h, "nfs", DOCTOR_OK, "has an NFS client");
	doctor_judge_nfs(false, "no module", 0, hear, &h);
	heard_is(&h, "nfs", DOCTOR_NOTE, "no module");
	doctor_judge_nfs(false, "no module", 1, hear, &h);
	heard_is(&h, "nfs", DOCTOR_ERROR, "no module");
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		doctor_judge_propagation("/k", cases[i].propagation, cases[i].why, hear, &h);
		heard_is(&h, "propagation", cases[i].level, cases[i].word);
	}
}

static void test_registration(void **state)
{
	static const struct {
		const char *state, *text;
		enum doctor_level level;
		const char *word;
	} cases[] = {{"Registered", "", DOCTOR_OK, "registered with the kubelet"},
		{"Off", "no NFS client", DOCTOR_NOTE, "no NFS client"},
		{"Waiting", "no GetInfo for 2 m", DOCTOR_ERROR, "no GetInfo for 2 m"},
		{"Waiting", "", DOCTOR_ERROR, "/r/d-reg.sock"},
		{"Failed", "plugin name mismatch", DOCTOR_ERROR, "plugin name mismatch"}};
	struct heard h = {.n = 0};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		const struct view_driver d = {.name = "d",
			.state = cases[i].state,
			.text = cases[i].text,
			.registration_socket = "/r/d-reg.sock"};

		doctor_judge_driver(&d, hear, &h);
		heard_is(&h, "registration", cases[i].level, cases[i].word);
	}
}

static void test_api(void **state)
{
	struct heard h = {.n = 0};

	(void)state;
	doctor_judge_api(&(struct view_api){.server = "", .error = ""}, hear, &h);
	heard_is(&h, "api", DOCTOR_NOTE, "without an API server");
	doctor_judge_api(&(struct view_api){.server = "https://a", .error = ""}, hear, &h);
	heard_is(&h, "api", DOCTOR_WARNING, "not answered yet");
	doctor_judge_api(
		&(struct view_api){.server = "https://a", .error = "", .answered = 1}, hear, &h);
	heard_is(&h, "api", DOCTOR_OK, "https://a answers");
	doctor_judge_api(
		&(struct view_api){.server = "https://a", .error = "timed out", .answered = 1},
		hear, &h);
	heard_is(&h, "api", DOCTOR_ERROR, "timed out");
}

static void test_clock(void **state)
{
	static const struct {
		int64_t seconds;
		enum doctor_level level;
		const char *word;
	} cases[] = {{0, DOCTOR_OK, "agrees"}, {-1, DOCTOR_OK, "agrees"},
		{5, DOCTOR_WARNING, "5 s behind"}, {-59, DOCTOR_WARNING, "59 s ahead"},
		{60, DOCTOR_ERROR, "chrony"}, {-86400, DOCTOR_ERROR, "86400 s ahead"}};
	struct heard h = {.n = 0};

	(void)state;
	doctor_judge_clock(&(struct view_api){.clock_known = false}, hear, &h);
	assert_int_equal(h.n, 0);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		const struct view_api a = {.clock_known = true,
			.clock_ahead_ns = cases[i].seconds * (int64_t)NSEC_PER_SEC};

		doctor_judge_clock(&a, hear, &h);
		heard_is(&h, "clock", cases[i].level, cases[i].word);
	}
}

static void test_exports(void **state)
{
	static const struct {
		const char *state, *round_trip, *text;
		enum doctor_level level;
		const char *word;
	} cases[] = {{"Ok", "ok", "", DOCTOR_OK, "s:/e answers"},
		{"Ok", "slow", "", DOCTOR_WARNING, "700 ms"},
		{"Ok", "down", "refused", DOCTOR_ERROR, "refused"},
		{"Hung", "down", "", DOCTOR_ERROR, "2 volumes on /e"},
		{"Stale", "ok", "ESTALE", DOCTOR_ERROR, "withdrawn"},
		{"Unknown", "", "", DOCTOR_NOTE, "not asked yet"}};
	struct heard h = {.n = 0};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		const struct view_export x = {.server = "s",
			.address = "10.0.0.1",
			.export_ = "/e",
			.options = "vers=4.2",
			.version = 4,
			.state = cases[i].state,
			.round_trip = cases[i].round_trip,
			.round_trip_ns = MILLISECONDS(700),
			.volumes = 2,
			.text = cases[i].text};

		doctor_judge_export(&x, hear, &h);
		heard_is(&h, "exports", cases[i].level, cases[i].word);
	}
}

static void test_locks(void **state)
{
	static const struct {
		unsigned version;
		const char *options;
		size_t findings;
	} cases[] = {{3, "vers=3,nolock,hard", 2}, {3, "nolock", 2},
		{3, "vers=3,local_lock=all", 2}, {3, "vers=3,hard", 1},
		{3, "vers=3,xnolock,nolocks", 1}, {4, "nolock", 1}};
	struct heard h = {.n = 0};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		const struct view_export x = {.server = "s",
			.address = "",
			.export_ = "/e",
			.options = cases[i].options,
			.version = cases[i].version,
			.state = "Ok",
			.round_trip = "ok",
			.text = "no rpc.statd"};

		doctor_judge_export(&x, hear, &h);
		assert_int_equal(h.n, cases[i].findings);
		if (h.n == 2) {
			assert_string_equal(h.all[1].check, "locks");
			assert_non_null(strstr(h.all[1].text, "(no rpc.statd)"));
		}
		h.n = 0;
	}
}

static size_t count(const struct heard *h, const char *check, enum doctor_level level)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		n += streq(h->all[i].check, check) && h->all[i].level == level;
	return n;
}

static void test_a_whole_node(void **state)
{
	struct view_world w;
	struct heard h = {.n = 0};

	(void)state;
	view_world_init(&w, NULL);
	doctor_judge_view(&w.view, hear, &h);
	for (size_t i = 0; i < h.n; i++)
		assert_true(h.all[i].level <= DOCTOR_NOTE);
	assert_int_equal(count(&h, "subPath", DOCTOR_NOTE), 1);
	assert_int_equal(count(&h, "registration", DOCTOR_OK), 2);
	h.n = 0;
	/* Without a client, volumes on NFS are the error. */
	w.node.nfs_client = false;
	w.node.nfs_client_text = "no NFS client";
	doctor_judge_view(&w.view, hear, &h);
	assert_int_equal(count(&h, "nfs", DOCTOR_ERROR), 1);
	h.n = 0;
	w.volumes[0] = w.volumes[2];
	w.n_volumes = 1;
	doctor_judge_view(&w.view, hear, &h);
	assert_int_equal(count(&h, "nfs", DOCTOR_NOTE), 1);
	h.n = 0;
	view_world_init(&w, NULL);
	view_world_hang(&w);
	w.node.children_stuck = 1;
	doctor_judge_view(&w.view, hear, &h);
	assert_int_equal(count(&h, "exports", DOCTOR_ERROR), 1);
	assert_int_equal(count(&h, "exports", DOCTOR_OK), 1);
	assert_int_equal(count(&h, "mounts", DOCTOR_ERROR), 2);
	assert_int_equal(count(&h, "subPath", DOCTOR_ERROR), 1);
	assert_int_equal(count(&h, "operations", DOCTOR_ERROR), 1);
}

/* A view without any function says nothing that it cannot know. */
static void test_an_empty_view(void **state)
{
	struct view v = {.agent = NULL};
	struct heard h = {.n = 0};

	(void)state;
	doctor_judge_view(&v, hear, &h);
	assert_int_equal(h.n, 0);
}

static void test_local(void **state)
{
	struct heard h = {.n = 0};

	(void)state;
	doctor_judge_local("/nonexistent/kubelet", hear, &h);
	assert_int_equal(count(&h, "sockets", DOCTOR_ERROR), 1);
	assert_int_equal(count(&h, "nfs", DOCTOR_OK) + count(&h, "nfs", DOCTOR_NOTE), 1);
	/* What is not there is said once. */
	assert_int_equal(h.n, 2);
}

static void test_json(void **state)
{
	struct view_world w;
	const struct doctor_kernel k = {.release = "6.1.0", .landlock_abi = 5};

	(void)state;
	view_world_init(&w, NULL);
	_cleanup_json_ json_t *well = doctor_json(&k, &w.view);
	assert_true(json_is_true(json_object_get(well, "healthy")));
	view_world_hang(&w);
	_cleanup_json_ json_t *ill = doctor_json(&k, &w.view);
	assert_true(json_is_false(json_object_get(ill, "healthy")));
	assert_true(json_array_size(json_object_get(ill, "findings")) >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_this_kernel),
		cmocka_unit_test(test_nfs_and_propagation),
		cmocka_unit_test(test_registration),
		cmocka_unit_test(test_api),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_exports),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_a_whole_node),
		cmocka_unit_test(test_an_empty_view),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
