/* SPDX-License-Identifier: Apache-2.0 */
/* test_volume_record.c: records survive the way to the disk and back, and bad ones are refused */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "volume/record.h"

#define TOKEN "0123456789abcdef0123456789abcdef"
#define GOOD                                                                              \
	"{\"version\":1,\"driver\":\"nfs.berth.dev\",\"pv\":\"pvc-1\",\"token\":\"" TOKEN \
	"\",\"claim\":{\"namespace\":\"n\",\"name\":\"c\",\"uid\":\"u\"},"                \
	"\"directory\":\"a/b\",\"reclaim\":\"Delete\",\"state\":\"Ready\""

static struct record sample(void)
{
	struct record r = RECORD_NULL;

	r.request = (struct volume_request){
		.driver = "nfs.berth.dev",
		.pv = "pvc-1",
		.token = TOKEN,
		.claim = {"ns", "data", "uid-1"},
		.class = "fast",
		.directory = "ns/dir \"quoted\"",
		.capacity = 1LL << 40,
		.access_modes = VOLUME_RWO | VOLUME_RWX,
		.uid = 4294967294U,
		.gid = 0,
		.mode = 02770,
		.flags = VOLUME_UID_SET | VOLUME_GID_SET | VOLUME_MODE_SET | VOLUME_ADOPT,
		.reclaim = RECLAIM_ARCHIVE,
	};
	r.state = RECORD_TRASHED;
	r.published = true;
	r.changed = SECONDS(1700000000);
	r.stored = "pvc-1-20260102T030405Z";
	r.previous_uid = "uid-0";
	return r;
}

static void round_trip(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(RECORD_MAX);
	struct record a = sample(), r = RECORD_NULL;

	(void)state;
	assert_int_equal(record_encode(&a, &b, NULL), 0);
	assert_int_equal(record_decode(&r, b.data, b.len, NULL), 0);
	assert_string_equal(r.request.driver, a.request.driver);
	assert_string_equal(r.request.pv, "pvc-1");
	assert_string_equal(r.request.token, TOKEN);
	assert_string_equal(r.request.claim.namespace_, "ns");
	assert_string_equal(r.request.claim.name, "data");
	assert_string_equal(r.request.claim.uid, "uid-1");
	assert_string_equal(r.request.class, "fast");
	assert_string_equal(r.request.directory, a.request.directory);
	assert_int_equal(r.request.capacity, a.request.capacity);
	assert_int_equal(r.request.access_modes, VOLUME_RWO | VOLUME_RWX);
	assert_int_equal(r.request.uid, a.request.uid);
	assert_int_equal(r.request.gid, 0);
	assert_int_equal(r.request.mode, 02770);
	assert_int_equal(r.request.flags, a.request.flags);
	assert_int_equal(r.request.reclaim, RECLAIM_ARCHIVE);
	assert_int_equal(r.state, RECORD_TRASHED);
	assert_true(r.published);
	assert_int_equal(r.changed, a.changed);
	assert_string_equal(r.stored, a.stored);
	assert_string_equal(r.previous_uid, "uid-0");
	record_done(&r);
}

static void flags_stay_unset(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(RECORD_MAX);
	struct record a = sample(), r = RECORD_NULL;

	(void)state;
	a.request.flags = VOLUME_SHARED;
	assert_int_equal(record_encode(&a, &b, NULL), 0);
	assert_null(strstr(b.data, "\"mode\""));
	assert_int_equal(record_decode(&r, b.data, b.len, NULL), 0);
	assert_int_equal(r.request.flags, VOLUME_SHARED);
	record_done(&r);
}

/* Records of before they were kept have none, and those of a later Kubernetes others. */
static void access_modes(void **state)
{
	static const struct {
		const char *text;
		unsigned modes;
	} cases[] = {
		{GOOD "}", 0},
		{GOOD ",\"accessModes\":[]}", 0},
		{GOOD ",\"accessModes\":[\"ReadWriteOncePod\"]}", VOLUME_RWOP},
		{GOOD ",\"accessModes\":[\"ReadOnlyMany\",\"Later\",7]}", VOLUME_ROX},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_buf_ struct buf b = BUF_NULL(RECORD_MAX);
		struct record r = RECORD_NULL;

		assert_int_equal(record_decode(&r, cases[i].text, strlen(cases[i].text), NULL), 0);
		assert_int_equal(r.request.access_modes, cases[i].modes);
		assert_int_equal(record_encode(&r, &b, NULL), 0);
		assert_int_equal(strstr(b.data, "accessModes") != NULL, cases[i].modes != 0);
		record_done(&r);
	}
}

static void unknown_fields_are_kept(void **state)
{
	static const char text[] = GOOD ",\"later\":{\"x\":[1,2]}}";
	_cleanup_buf_ struct buf b = BUF_NULL(RECORD_MAX);
	struct record r = RECORD_NULL;

	(void)state;
	assert_int_equal(record_decode(&r, text, strlen(text), NULL), 0);
	r.state = RECORD_ARCHIVED;
	assert_int_equal(record_encode(&r, &b, NULL), 0);
	assert_non_null(strstr(b.data, "\"later\":{\"x\":[1,2]}"));
	assert_non_null(strstr(b.data, "\"Archived\""));
	record_done(&r);
}

static void refuses(void **state)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{"", -EBADMSG},
		{"{", -EBADMSG},
		{"[]", -EBADMSG},
		{"{}", -EBADMSG},
		{GOOD, -EBADMSG},
		{"{\"version\":2}", -EPROTONOSUPPORT},
		{"{\"version\":\"1\"}", -EBADMSG},
		{GOOD ",\"token\":\"short\"}", -EBADMSG},
		{GOOD ",\"token\":\"0123456789ABCDEF0123456789abcdef\"}", -EBADMSG},
		{GOOD ",\"pv\":\"../x\"}", -EBADMSG},
		{GOOD ",\"pv\":\"\"}", -EBADMSG},
		{GOOD ",\"directory\":\"../x\"}", -EBADMSG},
		{GOOD ",\"directory\":\"/x\"}", -EBADMSG},
		{GOOD ",\"directory\":\"\"}", -EBADMSG},
		{GOOD ",\"directory\":\".berth/trash\"}", -EBADMSG},
		{GOOD ",\"stored\":\"a/../b\"}", -EBADMSG},
		{GOOD ",\"stored\":\"..\"}", -EBADMSG},
		{GOOD ",\"state\":\"Gone\"}", -EBADMSG},
		{GOOD ",\"reclaim\":\"Burn\"}", -EBADMSG},
		{GOOD ",\"mode\":\"99\"}", -EBADMSG},
		{GOOD ",\"mode\":770}", -EBADMSG},
		{GOOD ",\"uid\":-1}", -EBADMSG},
		{GOOD ",\"uid\":4294967296}", -EBADMSG},
		{GOOD ",\"changed\":\"yesterday\"}", -EBADMSG},
		{GOOD ",\"claim\":{\"namespace\":\"n\"}}", -EBADMSG},
		{GOOD ",\"claim\":\"n/c\"}", -EBADMSG},
		{GOOD ",\"published\":1}", -EBADMSG},
		{GOOD ",\"capacity\":-1}", -EBADMSG},
		{GOOD ",\"accessModes\":\"ReadWriteOnce\"}", -EBADMSG},
		{GOOD "}x", -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct record r = RECORD_NULL;
		struct err e = ERR_NULL;
		int got = record_decode(&r, cases[i].text, strlen(cases[i].text), &e);

		if (got != cases[i].r)
			fail_msg("%s: %d %s", cases[i].text, got, e.text);
		assert_null(r.tree);
	}
}

static void refuses_what_is_too_long(void **state)
{
	static char text[RECORD_MAX + 2];
	struct record r = RECORD_NULL;

	(void)state;
	memset(text, ' ', sizeof(text) - 1);
	memcpy(text, GOOD "}", strlen(GOOD "}"));
	assert_int_equal(record_decode(&r, text, RECORD_MAX, NULL), 0);
	record_done(&r);
	assert_int_equal(record_decode(&r, text, RECORD_MAX + 1, NULL), -EBADMSG);
}

static void every_cut_is_refused(void **state)
{
	static const char text[] = GOOD "}";
	struct record r = RECORD_NULL;

	(void)state;
	for (size_t n = 0; n < strlen(text); n++)
		assert_int_equal(record_decode(&r, text, n, NULL), -EBADMSG);
}

static void longest_fits(void **state)
{
	char name[254], directory[PATH_RELATIVE_MAX];
	_cleanup_buf_ struct buf b = BUF_NULL(4096);
	struct record a = sample(), r = RECORD_NULL;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (size_t i = 0; i < sizeof(directory) - 1; i++)
		directory[i] = i % 200 == 199 ? '/' : 'd';
	directory[sizeof(directory) - 1] = '\0';
	a.request.pv = a.request.claim.name = a.request.class = name;
	a.request.directory = directory;
	a.request.capacity = INT64_MAX;
	assert_int_equal(parse_duration("106751d", &a.request.trash_ttl_ns), 0);
	assert_int_equal(record_encode(&a, &b, NULL), 0);
	assert_int_equal(record_decode(&r, b.data, b.len, NULL), 0);
	assert_int_equal(r.request.trash_ttl_ns, a.request.trash_ttl_ns);
	record_done(&r);
}

static void names(void **state)
{
	char name[PATH_COMPONENT_MAX + 1], pv[PATH_COMPONENT_MAX + 1];

	(void)state;
	assert_int_equal(record_name("pvc-1", name), 0);
	assert_string_equal(name, "pvc-1.json");
	assert_int_equal(record_name_is("pvc-1.json"), 5);
	assert_int_equal(record_name_is(".json"), 0);
	assert_int_equal(record_name_is(".pvc-1.json"), 0);
	assert_int_equal(record_name_is("json"), 0);
	assert_int_equal(record_name_is("x.jsonx"), 0);
	memset(pv, 'p', sizeof(pv) - 1);
	pv[sizeof(pv) - 1] = '\0';
	assert_int_equal(record_name(pv, name), -ENAMETOOLONG);
}

static void states_and_reclaims(void **state)
{
	enum record_state s;
	enum volume_reclaim c;

	(void)state;
	for (int i = RECORD_CREATING; i <= RECORD_RECYCLING; i++) {
		assert_int_equal(
			record_state_parse(record_state_text((enum record_state)i), &s), 0);
		assert_int_equal(s, i);
	}
	for (int i = RECLAIM_DELETE; i <= RECLAIM_RECYCLE; i++) {
		assert_int_equal(
			volume_reclaim_parse(volume_reclaim_text((enum volume_reclaim)i), &c), 0);
		assert_int_equal(c, i);
	}
	assert_int_equal(record_state_parse("ready", &s), -EINVAL);
	assert_int_equal(volume_reclaim_parse("", &c), -EINVAL);
}

static void identities(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(RECORD_MAX);
	struct identity a, c;
	static const char newer[] = "{\"version\":9,\"id\":\"x\"}";
	static const char wrong[] = "{\"version\":1,\"id\":\"x\"}";

	(void)state;
	identity_make(&a);
	assert_int_equal(identity_encode(&a, &b, NULL), 0);
	assert_int_equal(identity_decode(&c, b.data, b.len, NULL), 0);
	assert_string_equal(a.id, c.id);
	assert_int_equal(c.created / NSEC_PER_SEC, a.created / NSEC_PER_SEC);
	assert_int_equal(identity_decode(&c, newer, strlen(newer), NULL), -EPROTONOSUPPORT);
	assert_int_equal(identity_decode(&c, wrong, strlen(wrong), NULL), -EBADMSG);
	assert_int_equal(identity_decode(&c, "", 0, NULL), -EBADMSG);
}

static void modes_and_paths(void **state)
{
	struct volume_request q = {.pv = "pvc-0b7b4c9e-5a3e", .directory = "n-c-pvc-0b7b4c9e-5a3e"};

	(void)state;
	assert_int_equal(volume_request_mode(&q), 0777);
	q.flags = VOLUME_GID_SET;
	assert_int_equal(volume_request_mode(&q), 0770);
	q.flags = VOLUME_MODE_SET;
	q.mode = 0700;
	assert_int_equal(volume_request_mode(&q), 0700);
	assert_true(volume_request_owns_path(&q));
	q.directory = "x/n-c-pvc-0b7b4c9e-5a3e";
	assert_false(volume_request_owns_path(&q));
	q.directory = "n-c";
	assert_false(volume_request_owns_path(&q));
	q.pv = "n-c";
	assert_false(volume_request_owns_path(&q));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(flags_stay_unset),
		cmocka_unit_test(access_modes),
		cmocka_unit_test(unknown_fields_are_kept),
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_what_is_too_long),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(longest_fits),
		cmocka_unit_test(names),
		cmocka_unit_test(states_and_reclaims),
		cmocka_unit_test(identities),
		cmocka_unit_test(modes_and_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
