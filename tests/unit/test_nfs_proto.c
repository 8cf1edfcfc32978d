/* SPDX-License-Identifier: Apache-2.0 */
/* test_nfs_proto.c: what goes between parent and worker arrives whole, and what a worker in a
 * server's hands could say is refused */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "nfs/proto.h"

#define ID "607ced92-ce94-4a43-bf5c-ed272bc2dd5d"

static const struct volume_request volume = {
	.driver = "nfs.berth.dev",
	.pv = "pvc-1",
	.token = "0123456789abcdef0123456789abcdef",
	.claim = {"ns", "claim", "uid"},
	.class = "fast",
	.directory = "ns/claim",
	.capacity = 1LL << 40,
	.access_modes = VOLUME_ROX | VOLUME_RWOP,
	.uid = 4294967294U,
	.gid = 7,
	.mode = 02770,
	.flags = VOLUME_UID_SET | VOLUME_MODE_SET,
	.reclaim = RECLAIM_RECYCLE,
};

static void init_round_trip(void **state)
{
	const struct volume_place a = {
		.server = "srv",
		.export_ = "/e",
		.nfs_port = 2050,
		.mount_port = 65535,
		.version = 4,
		.act_as_set = true,
		.act_uid = 4294967294U,
		.act_gid = 1,
	};
	_cleanup_buf_ struct buf b = BUF_NULL(4096);
	struct volume_place r;

	(void)state;
	assert_int_equal(nfs_init_pack(&b, &a), 0);
	assert_int_equal(nfs_init_unpack(&r, b.data, b.len), 0);
	assert_string_equal(r.server, "srv");
	assert_string_equal(r.export_, "/e");
	assert_int_equal(r.nfs_port, 2050);
	assert_int_equal(r.mount_port, 65535);
	assert_int_equal(r.version, 4);
	assert_true(r.act_as_set);
	assert_int_equal(r.act_uid, a.act_uid);
	assert_int_equal(r.act_gid, 1);
	assert_null(r.identity);
}

static struct nfs_request sample_request(void)
{
	return (struct nfs_request){
		.export_ = "/e",
		.identity = ID,
		.budget_ns = 5,
		.attempt = "00ff",
		.earlier = "ff00",
		.volume = volume,
	};
}

static void request_round_trip(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(8192);
	struct nfs_request a = sample_request(), r;

	(void)state;
	assert_int_equal(nfs_request_pack(&b, NFS_TRASH, &a), 0);
	assert_int_equal(nfs_request_unpack(&r, NFS_TRASH, b.data, b.len), 0);
	assert_string_equal(r.export_, "/e");
	assert_string_equal(r.identity, ID);
	assert_int_equal(r.budget_ns, 5);
	assert_string_equal(r.attempt, "00ff");
	assert_string_equal(r.earlier, "ff00");
	assert_null(r.name);
	assert_string_equal(r.volume.pv, "pvc-1");
	assert_string_equal(r.volume.claim.name, "claim");
	assert_string_equal(r.volume.directory, "ns/claim");
	assert_int_equal(r.volume.capacity, volume.capacity);
	assert_int_equal(r.volume.access_modes, VOLUME_ROX | VOLUME_RWOP);
	assert_int_equal(r.volume.uid, volume.uid);
	assert_int_equal(r.volume.mode, 02770);
	assert_int_equal(r.volume.flags, volume.flags);
	assert_int_equal(r.volume.reclaim, RECLAIM_RECYCLE);
}

static void every_cut_is_refused(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(8192);
	struct nfs_request a = sample_request(), r;

	(void)state;
	a.volume.flags |= VOLUME_RESTORE;
	assert_int_equal(nfs_request_pack(&b, NFS_RESTORE, &a), 0);
	assert_int_equal(nfs_request_unpack(&r, NFS_RESTORE, b.data, b.len), 0);
	assert_string_equal(r.volume.token, volume.token);
	assert_true(r.volume.flags & VOLUME_RESTORE);
	buf_reset(&b);
	assert_int_equal(nfs_request_pack(&b, NFS_CREATE, &a), 0);
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(nfs_request_unpack(&r, NFS_CREATE, b.data, n), -EPROTO);
}

static int unpack_changed(void (*change)(struct nfs_request *q), enum nfs_kind kind)
{
	_cleanup_buf_ struct buf b = BUF_NULL(8192);
	struct nfs_request a = sample_request(), r;

	change(&a);
	assert_int_equal(nfs_request_pack(&b, kind, &a), 0);
	return nfs_request_unpack(&r, kind, b.data, b.len);
}

static void bad_directory(struct nfs_request *q)
{
	q->volume.directory = "../x";
}

static void bad_pv(struct nfs_request *q)
{
	q->volume.pv = "a/b";
}

static void bad_attempt(struct nfs_request *q)
{
	q->attempt = "../../x";
}

static void bad_trash_name(struct nfs_request *q)
{
	q->name = "..";
}

static void no_trash_name(struct nfs_request *q)
{
	q->name = NULL;
}

static void requests_are_checked(void **state)
{
	(void)state;
	assert_int_equal(unpack_changed(bad_directory, NFS_CREATE), -EPROTO);
	assert_int_equal(unpack_changed(bad_pv, NFS_CREATE), -EPROTO);
	assert_int_equal(unpack_changed(bad_attempt, NFS_CREATE), -EPROTO);
	assert_int_equal(unpack_changed(bad_trash_name, NFS_PURGE), -EINVAL);
	assert_int_equal(unpack_changed(no_trash_name, NFS_PURGE), -EINVAL);
}

static const struct volume_entry entries[] = {
	{.kind = ENTRY_RECORD,
		.name = "pvc-1.json",
		.record = volume,
		.state = RECORD_TRASHED,
		.published = true,
		.changed = 5,
		.trash = "pvc-1-x"},
	{.kind = ENTRY_DIRECTORY, .name = "odd \x1b name", .trash = ""},
};

static struct volume_result sample_result(void)
{
	return (struct volume_result){
		.flags = RESULT_MORE | RESULT_ADOPTED,
		.text = "words",
		.identity = ID,
		.directory = "ns/claim",
		.uid = 1,
		.gid = 2,
		.mode = 0770,
		.removed = 3,
		.total_bytes = 4,
		.free_files = 5,
		.round_trip_ns = 6,
		.version = 3,
		.entries = entries,
		.n_entries = ELEMENTSOF(entries),
		.cursor = "r:1:2:3",
	};
}

static void result_round_trip(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(8192);
	_cleanup_free_ struct volume_entry *got = NULL;
	struct volume_result a = sample_result(), r;

	(void)state;
	assert_int_equal(nfs_result_pack(&b, &a), 0);
	assert_int_equal(nfs_result_unpack(&r, &got, 0, b.data, b.len), 0);
	assert_int_equal(r.err.code, 0);
	assert_int_equal(r.flags, a.flags);
	assert_string_equal(r.text, "words");
	assert_string_equal(r.identity, ID);
	assert_string_equal(r.directory, "ns/claim");
	assert_int_equal(r.mode, 0770);
	assert_int_equal(r.removed, 3);
	assert_int_equal(r.version, 3);
	assert_string_equal(r.cursor, "r:1:2:3");
	assert_int_equal(r.n_entries, 2);
	assert_int_equal(r.entries[0].kind, ENTRY_RECORD);
	assert_string_equal(r.entries[0].record.directory, "ns/claim");
	assert_int_equal(r.entries[0].state, RECORD_TRASHED);
	assert_string_equal(r.entries[0].trash, "pvc-1-x");
	assert_string_equal(r.entries[1].name, "odd \x1b name");
}

static void errors_are_escaped(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(8192);
	struct volume_entry *got = NULL;
	struct volume_result a = {.text = ""}, r;

	(void)state;
	err_set(&a.err, ENOSPC, "server said \x1b[31m");
	assert_int_equal(nfs_result_pack(&b, &a), 0);
	assert_int_equal(nfs_result_unpack(&r, &got, -ENOSPC, b.data, b.len), 0);
	assert_int_equal(r.err.code, ENOSPC);
	assert_string_equal(r.err.text, "server said \\x1b[31m");
	assert_null(got);
}

static int unpack_result(const struct volume_result *a)
{
	_cleanup_buf_ struct buf b = BUF_NULL(1U << 20);
	_cleanup_free_ struct volume_entry *got = NULL;
	struct volume_result r;

	assert_int_equal(nfs_result_pack(&b, a), 0);
	return nfs_result_unpack(&r, &got, 0, b.data, b.len);
}

static void results_are_checked(void **state)
{
	static const struct volume_entry slash = {.kind = ENTRY_TRASH, .name = "a/b", .trash = ""};
	static const struct volume_entry up = {.kind = ENTRY_TRASH, .name = "a", .trash = "../.."};
	struct volume_result a;

	(void)state;
	a = sample_result();
	a.identity = "not a uuid";
	assert_int_equal(unpack_result(&a), -EPROTO);
	a = sample_result();
	a.directory = "/etc";
	assert_int_equal(unpack_result(&a), -EPROTO);
	a = sample_result();
	a.flags = 1U << 20;
	assert_int_equal(unpack_result(&a), -EPROTO);
	a = sample_result();
	a.mode = 0100000;
	assert_int_equal(unpack_result(&a), -EPROTO);
	a = sample_result();
	a.entries = &slash;
	a.n_entries = 1;
	assert_int_equal(unpack_result(&a), -EPROTO);
	a.entries = &up;
	assert_int_equal(unpack_result(&a), -EPROTO);
}

static void a_full_page_of_entries(void **state)
{
	static struct volume_entry many[NFS_ENTRIES_MAX];
	struct volume_result a = sample_result();

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(many); i++)
		many[i] = (struct volume_entry){.kind = ENTRY_TRASH, .name = "x", .trash = ""};
	a.entries = many;
	a.n_entries = NFS_ENTRIES_MAX;
	assert_int_equal(unpack_result(&a), 0);
}

static void every_cut_result_is_refused(void **state)
{
	_cleanup_buf_ struct buf b = BUF_NULL(8192);
	struct volume_result a = sample_result(), r;
	struct volume_entry *got = NULL;

	(void)state;
	assert_int_equal(nfs_result_pack(&b, &a), 0);
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(nfs_result_unpack(&r, &got, 0, b.data, n), -EPROTO);
	assert_null(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_round_trip),
		cmocka_unit_test(request_round_trip),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(requests_are_checked),
		cmocka_unit_test(result_round_trip),
		cmocka_unit_test(errors_are_escaped),
		cmocka_unit_test(results_are_checked),
		cmocka_unit_test(a_full_page_of_entries),
		cmocka_unit_test(every_cut_result_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
