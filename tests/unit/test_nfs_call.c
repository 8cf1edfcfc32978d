/* SPDX-License-Identifier: Apache-2.0 */
/* test_nfs_call.c: names and attributes from the wire, and errors in words */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nfs/nfs4.h"

static void pages_take_any_honest_name(void **state)
{
	struct nfs_page *p = calloc(1, sizeof(*p));
	char longest[255];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_true(nfs_page_add(p, "a\nb", 3, 1));
	assert_true(nfs_page_add(p, "\xff\xfe", 2, 2));
	assert_true(nfs_page_add(p, longest, sizeof(longest), 3));
	assert_true(nfs_page_add(p, "...", 3, 4));
	assert_int_equal(p->n, 4);
	assert_int_equal(p->refused, 0);
	assert_string_equal(nfs_page_name(p, 1), "\xff\xfe");
	assert_int_equal(strlen(nfs_page_name(p, 2)), 255);
	assert_int_equal(p->cookie, 4);
	free(p);
}

static void pages_refuse_what_could_lead_away(void **state)
{
	struct nfs_page *p = calloc(1, sizeof(*p));
	char long_name[256];

	(void)state;
	memset(long_name, 'x', sizeof(long_name));
	assert_true(nfs_page_add(p, ".", 1, 1));
	assert_true(nfs_page_add(p, "..", 2, 2));
	assert_int_equal(p->refused, 0);
	assert_true(nfs_page_add(p, "a/b", 3, 3));
	assert_true(nfs_page_add(p, "../x", 4, 4));
	assert_true(nfs_page_add(p, "a\0b", 3, 5));
	assert_true(nfs_page_add(p, "", 0, 6));
	assert_true(nfs_page_add(p, long_name, sizeof(long_name), 7));
	assert_int_equal(p->n, 0);
	assert_int_equal(p->refused, 5);
	free(p);
}

static void pages_are_bounded(void **state)
{
	struct nfs_page *p = calloc(1, sizeof(*p));
	char name[255];
	size_t n = 0;

	(void)state;
	memset(name, 'n', sizeof(name));
	while (nfs_page_add(p, name, sizeof(name), n + 1))
		n++;
	assert_in_range(n, 100, PAGE_NAMES);
	assert_int_equal(p->cookie, n);
	nfs_page_reset(p);
	for (n = 0; nfs_page_add(p, "x", 1, n + 1);)
		n++;
	assert_int_equal(n, PAGE_NAMES);
	free(p);
}

/* What libnfs encodes a compound into, and what of it is not REMOVEs: the call's header with the
 * longest AUTH_SYS (RFC 5531), the compound's own, PUTFH with the longest handle (RFC 7530). */
#define COMPOUND_BYTES 4096U
#define OTHER_BYTES (40U + 400U + 20U + 8U + 128U)

static size_t encoded(const struct nfs_page *p, size_t first, size_t n)
{
	size_t bytes = OTHER_BYTES;

	for (size_t i = first; i < first + n; i++)
		bytes += 8 + (strlen(nfs_page_name(p, i)) + 3) / 4 * 4;
	return bytes;
}

static void removes_fit_into_a_compound(void **state)
{
	struct nfs_page *p = calloc(1, sizeof(*p));
	char name[255];
	size_t all = 0;

	(void)state;
	assert_non_null(p);
	memset(name, 'n', sizeof(name));
	for (size_t len = 1; nfs_page_add(p, name, len, len); len = len % 255 + 1)
		;
	assert_in_range(p->n, 40, PAGE_NAMES);
	for (size_t first = 0; first < p->n; first++) {
		size_t n = nfs_page_removes(p, first, 32);

		assert_in_range(n, 1, 32);
		assert_true(encoded(p, first, n) <= COMPOUND_BYTES);
		all += n;
	}
	/* Many at a time, not one each. */
	assert_true(all > 10 * p->n);
	assert_int_equal(nfs_page_removes(p, 0, 32), 32);
	assert_int_equal(nfs_page_removes(p, 0, 5), 5);
	assert_int_equal(nfs_page_removes(p, p->n - 1, 32), 1);
	assert_int_equal(nfs_page_removes(p, p->n, 32), 0);
	free(p);
}

static void statuses(void **state)
{
	(void)state;
	assert_int_equal(nfs_status_errno(NFS3ERR_ACCES), -EACCES);
	assert_int_equal(nfs_status_errno(NFS3ERR_ROFS), -EROFS);
	assert_int_equal(nfs_status_errno(NFS3ERR_NOTEMPTY), -ENOTEMPTY);
	assert_int_equal(nfs_status_errno(NFS3ERR_DQUOT), -EDQUOT);
	assert_int_equal(nfs_status_errno(NFS3ERR_STALE), -ESTALE);
	assert_int_equal(nfs_status_errno(NFS3ERR_JUKEBOX), -EAGAIN);
	assert_int_equal(nfs_status_errno(NFS4ERR_GRACE), -EAGAIN);
	assert_int_equal(nfs_status_errno(NFS4ERR_MINOR_VERS_MISMATCH), -EPROTONOSUPPORT);
	assert_int_equal(nfs_status_errno(4711), -EREMOTEIO);
}

static void errors_in_words(void **state)
{
	struct call c = {.r = -EROFS, .why = "NFS3ERR_ROFS"};
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(call_error(&c, &e, "srv:/e: make %s", "x"), -EROFS);
	assert_string_equal(e.text, "srv:/e: make x: NFS3ERR_ROFS (Read-only file system)");
	c.why = NULL;
	assert_int_equal(call_error(&c, &e, "srv:/e"), -EROFS);
	assert_string_equal(e.text, "srv:/e: Read-only file system");
}

/* ---- NFSv4 attributes -------------------------------------------------------------------------
 */

#define TYPE_DIR "\0\0\0\2"
#define SIZE_0 "\0\0\0\0\0\0\0\0"
#define FSID "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2"
#define MODE "\0\0\1\xf8"
#define OWNER "\0\0\0\4\x31\x30\x30\x30"
#define GROUP "\0\0\0\5root@\0\0\0"
#define MTIME "\0\0\0\0\0\0\0\5\0\0\0\1"

static fattr4 attr_of(const char *bytes, size_t n)
{
	return (fattr4){nfs4_wanted, {(u_int)n, (char *)bytes}};
}

static void attributes(void **state)
{
	static const char bytes[] = TYPE_DIR SIZE_0 FSID MODE OWNER GROUP MTIME;
	fattr4 a = attr_of(bytes, sizeof(bytes) - 1);
	struct nfs_attr r;

	(void)state;
	assert_true(nfs4_take_attr(&r, &a));
	assert_int_equal(r.type, NFS_TYPE_DIRECTORY);
	assert_int_equal(r.mode, 0770);
	assert_int_equal(r.uid, 1000);
	assert_int_equal(r.gid, 0);
	assert_int_equal(r.fsid[0], 1);
	assert_int_equal(r.fsid[1], 2);
	assert_int_equal(r.mtime, 5);
	for (size_t n = 0; n < sizeof(bytes) - 1; n++) {
		a = attr_of(bytes, n);
		assert_false(nfs4_take_attr(&r, &a));
	}
}

static void odd_owners(void **state)
{
	static const char huge[] = TYPE_DIR SIZE_0 FSID MODE "\xff\xff\xff\xf0";
	static const char name[] = TYPE_DIR SIZE_0 FSID MODE "\0\0\0\6nob@dx\0\0" OWNER MTIME;
	fattr4 a = attr_of(huge, sizeof(huge) - 1);
	struct nfs_attr r;

	(void)state;
	assert_false(nfs4_take_attr(&r, &a));
	a = attr_of(name, sizeof(name) - 1);
	assert_true(nfs4_take_attr(&r, &a));
	assert_int_equal(r.uid, 65534);
	assert_int_equal(r.gid, 1000);
}

static void unasked_attributes_are_refused(void **state)
{
	uint32_t mask[] = {0xffffffff, 0};
	static const char bytes[256];
	fattr4 a = {{2, mask}, {sizeof(bytes), (char *)bytes}};
	struct nfs_space s;
	struct nfs_attr r;

	(void)state;
	assert_false(nfs4_take_attr(&r, &a));
	assert_false(nfs4_take_space(&s, &a));
}

static void settable(void **state)
{
	const struct nfs_set set = {
		.what = SET_MODE | SET_UID | SET_GID, .mode = 02770, .uid = 4294967294U, .gid = 0};
	struct nfs4_settable s;

	(void)state;
	nfs4_settable(&s, &set);
	assert_int_equal(s.attr.attr_vals.attrlist4_len, 4 + 4 + 12 + 4 + 4);
	assert_memory_equal(s.bytes,
		"\0\0\5\xf8\0\0\0\12"
		"4294967294\0\0\0\0\0\1"
		"0\0\0\0",
		28);
	assert_int_equal(s.mask[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_take_any_honest_name),
		cmocka_unit_test(pages_refuse_what_could_lead_away),
		cmocka_unit_test(pages_are_bounded),
		cmocka_unit_test(removes_fit_into_a_compound),
		cmocka_unit_test(statuses),
		cmocka_unit_test(errors_in_words),
		cmocka_unit_test(attributes),
		cmocka_unit_test(odd_owners),
		cmocka_unit_test(unasked_attributes_are_refused),
		cmocka_unit_test(settable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
