/* SPDX-License-Identifier: Apache-2.0 */
/* test_mount_options.c: mount options as flags and data, in one form, and all that is refused (D16)
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "mount/nfs_mount.h"
#include "mount/options.h"
#include "tests/unit/fault.h"

static struct err error;

static int parse(struct mount_options *o, const char *list, uint32_t relax)
{
	const struct mount_options_input in = {
		.kind = MOUNT_OPTIONS_NFS, .list = &list, .n = 1, .relax = relax};

	err_clear(&error);
	return mount_options_parse(o, &in, &error);
}

static void nothing_said(void **state)
{
	const struct mount_options_input in = {.kind = MOUNT_OPTIONS_NFS};
	struct mount_options o;

	(void)state;
	assert_int_equal(mount_options_parse(&o, &in, &error), 0);
	assert_int_equal(o.flags, MOUNTF_TENANT);
	assert_int_equal(o.nfs_version, NFS_ANY);
	assert_string_equal(o.nfs, "");
}

static void data(void **state)
{
	static const struct {
		const char *list, *nfs;
	} cases[] = {
		{"", ""},
		{",,", ""},
		{" hard , nconnect=4 ", "hard,nconnect=4"},
		{"nconnect=4,hard", "hard,nconnect=4"},
		{"soft,hard,softerr,timeo=50", "softerr,timeo=50"},
		{"nolock,lock", "lock"},
		{"rsize=1048576,rsize=65536", "rsize=65536"},
		{"retrans=007", "retrans=7"},
		{"noac,ac", "ac"},
		{"actimeo=3", "acdirmax=3,acdirmin=3,acregmax=3,acregmin=3"},
		{"actimeo=3,acregmin=1", "acdirmax=3,acdirmin=3,acregmax=3,acregmin=1"},
		{"tcp", "proto=tcp"},
		{"proto=udp,tcp", "proto=tcp"},
		{"sec=krb5p:sys", "sec=krb5p:sys"},
		{"fsc=tag-1,fsc", "fsc"},
		{"context=\"system_u:object_r:container_file_t:s0:c1,c2\",noresvport",
			"context=\"system_u:object_r:container_file_t:s0:c1,c2\",noresvport"},
		{"context=a:b", "context=a:b"},
		{"defaults,auto,_netdev,bg,fg,retry=5,x-systemd.automount,x-foo=bar,comment=hello,"
		 "intr,"
		 "mounthost=h,nofail,sloppy",
			""},
		{"lookupcache=pos,local_lock=flock,write=eager,xprtsec=tls,mountport=20048,"
		 "mountproto=tcp,"
		 "port=2049,nocto,noacl,nordirplus,nosharecache,max_connect=2,namlen=255",
			"local_lock=flock,lookupcache=pos,max_connect=2,mountport=20048,mountproto="
			"tcp,"
			"namlen=255,noacl,nocto,nordirplus,nosharecache,port=2049,write=eager,"
			"xprtsec=tls"},
	};
	struct mount_options o;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		if (parse(&o, cases[i].list, 0) < 0)
			fail_msg("%s: %s", cases[i].list, error.text);
		assert_string_equal(o.nfs, cases[i].nfs);
		assert_int_equal(o.flags, MOUNTF_TENANT);
		assert_int_equal(o.nfs_version, NFS_ANY);
	}
}

static void flags(void **state)
{
	static const struct {
		const char *list;
		uint32_t relax, flags;
	} cases[] = {
		{"ro", 0, MOUNTF_TENANT | MOUNTF_RDONLY},
		{"ro,rw", 0, MOUNTF_TENANT},
		{"nosuid,nodev,noexec", 0, MOUNTF_TENANT | MOUNTF_NOEXEC},
		{"noexec,exec", 0, MOUNTF_TENANT},
		{"noatime", 0, MOUNTF_TENANT | MOUNTF_NOATIME},
		{"noatime,strictatime", 0, MOUNTF_TENANT | MOUNTF_STRICTATIME},
		{"noatime,relatime,nodiratime", 0, MOUNTF_TENANT | MOUNTF_NODIRATIME},
		{"sync,dirsync", 0, MOUNTF_TENANT | MOUNTF_SYNC | MOUNTF_DIRSYNC},
		{"sync,async", 0, MOUNTF_TENANT},
		{"suid", MOUNTF_NOSUID, MOUNTF_NODEV},
		{"suid,dev", MOUNTF_TENANT, 0},
		{"", MOUNTF_TENANT, MOUNTF_TENANT},
		{"suid,nosuid", MOUNTF_TENANT, MOUNTF_TENANT},
	};
	struct mount_options o;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		assert_int_equal(parse(&o, cases[i].list, cases[i].relax), 0);
		assert_int_equal(o.flags, cases[i].flags);
		assert_string_equal(o.nfs, "");
	}
}

static void versions(void **state)
{
	static const struct {
		const char *list;
		int version;
	} cases[] = {
		{"vers=3", NFS_3},
		{"nfsvers=4", NFS_4},
		{"vers=4.0", NFS_4_0},
		{"nfsvers=4.1", NFS_4_1},
		{"vers=4.2", NFS_4_2},
		{"v3", NFS_3},
		{"v4", NFS_4},
		{"v4.2", NFS_4_2},
		{"vers=3,vers=4.1", NFS_4_1},
		{"vers=4,minorversion=1", NFS_4_1},
		{"minorversion=0", NFS_4_0},
		{"minorversion=2,vers=4.2", NFS_4_2},
	};
	struct mount_options o;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		if (parse(&o, cases[i].list, 0) < 0)
			fail_msg("%s: %s", cases[i].list, error.text);
		assert_int_equal(o.nfs_version, cases[i].version);
		assert_string_equal(o.nfs, "");
	}
}

static void refused_by_name(void **state)
{
	static const struct {
		const char *list, *named;
	} cases[] = {
		{"addr=10.0.0.1", "\"addr\" is not for a volume"},
		{"hard,clientaddr=1.2.3.4", "\"clientaddr\""},
		{"mountaddr=1.2.3.4", "\"mountaddr\""},
		{"source=evil:/x", "\"source\""},
		{"addr", "\"addr\""},
		{"suid", "\"suid\" is not allowed"},
		{"ro,exec,suid,dev", "\"suid\""},
		{"dev", "\"dev\""},
		{"bind", "\"bind\" is unknown"},
		{"remount", "\"remount\""},
		{"hard=1", "\"hard\""},
		{"timeo", "\"timeo\""},
		{"HARD", "\"HARD\""},
		{"vers=2", "vers"},
		{"vers=4.3", "vers"},
		{"vers=", "vers"},
		{"vers", "vers"},
		{"vers=3,minorversion=1", "minorversion"},
		{"vers=4.1,minorversion=2", "minorversion"},
		{"minorversion=3", "minorversion"},
		{"nconnect=0", "nconnect wants a number from 1 to 16"},
		{"nconnect=17", "nconnect"},
		{"nconnect=-1", "nconnect"},
		{"nconnect= 4", "nconnect"},
		{"nconnect=4x", "nconnect"},
		{"rsize=99999999999999999999", "rsize"},
		{"port=0", "port"},
		{"proto=sctp", "\"proto\" has a value"},
		{"proto=", "\"proto\""},
		{"sec=sys:evil", "\"sec\""},
		{"sec=", "\"sec\""},
		{"sec=sys:", "\"sec\""},
		{"lookupcache=no\\x", "\"lookupcache\""},
		{"context=a b", "\"context\""},
		{"context=", "\"context\""},
		{"fsc=\"a\\b\"", "\"fsc\""},
		{"context=\"a", "quote that is not closed"},
		{"hard\nsoft", "control character"},
		{"ha\x1brd", "control character"},
		{"\x7f", "control character"},
		{"=", "\"\" is unknown"},
		{"=x", "\"\" is unknown"},
		{"\"hard\"", "is unknown"},
	};
	struct mount_options o;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		if (parse(&o, cases[i].list, 0) != -EINVAL)
			fail_msg("%s is accepted", cases[i].list);
		if (!strstr(error.text, cases[i].named))
			fail_msg("%s: %s", cases[i].list, error.text);
		/* What goes to events and terminals has no control characters. */
		assert_null(strpbrk(error.text, "\n\x1b"));
	}
}

static void too_long(void **state)
{
	static char big[MOUNT_OPTIONS_TEXT_MAX + 2], item[600];
	const char *many[600];
	struct mount_options_input in = {.kind = MOUNT_OPTIONS_NFS, .list = many, .n = 600};
	struct mount_options o;

	(void)state;
	memset(big, 'a', sizeof(big) - 1);
	assert_int_equal(parse(&o, big, 0), -EINVAL);
	for (size_t i = 0; i < 600; i++)
		many[i] = "nolock,x-a";
	assert_int_equal(mount_options_parse(&o, &in, &error), -EINVAL);
	assert_non_null(strstr(error.text, "longer than"));
	memset(item, 'a', sizeof(item) - 1);
	memcpy(item, "fsc=", 4);
	assert_int_equal(parse(&o, item, 0), -EINVAL);
}

static void binds(void **state)
{
	static const char *const fine[] = {"ro,noexec", "noatime", "defaults", "x-a=b"};
	static const char *const wrong[] = {
		"hard", "vers=3", "sync", "dirsync", "addr=1", "dev", "size=1"};
	struct mount_options_input in = {
		.kind = MOUNT_OPTIONS_BIND, .list = fine, .n = ELEMENTSOF(fine)};
	struct mount_options o;

	(void)state;
	assert_int_equal(mount_options_parse(&o, &in, &error), 0);
	assert_int_equal(o.flags, MOUNTF_TENANT | MOUNTF_RDONLY | MOUNTF_NOEXEC | MOUNTF_NOATIME);
	in.n = 1;
	for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
		in.list = &wrong[i];
		assert_int_equal(mount_options_parse(&o, &in, &error), -EINVAL);
	}
}

/* Equal options however they are said, and only those, share a mount. */
static void keys(void **state)
{
	static const char *const same[] = {"hard,nconnect=4,nosuid,vers=4.1",
		"vers=4.1,nconnect=4,hard",
		"nconnect=2,soft,nconnect=04,hard,minorversion=1,defaults"};
	static const char *const other[] = {"hard,nconnect=4,vers=4.2", "hard,nconnect=5,vers=4.1",
		"nconnect=4,vers=4.1", "hard,nconnect=4,vers=4.1,noexec",
		"hard,nconnect=4,vers=4.1,sync", "hard,nconnect=4,vers=4.1,ro"};
	char first[MOUNT_OPTIONS_KEY_MAX], key[MOUNT_OPTIONS_KEY_MAX];
	struct mount_options o;

	(void)state;
	assert_int_equal(parse(&o, same[0], 0), 0);
	mount_options_key(&o, first);
	for (size_t i = 1; i < ELEMENTSOF(same); i++) {
		assert_int_equal(parse(&o, same[i], 0), 0);
		assert_string_equal(mount_options_key(&o, key), first);
	}
	for (size_t i = 0; i < ELEMENTSOF(other); i++) {
		assert_int_equal(parse(&o, other[i], 0), 0);
		assert_string_not_equal(mount_options_key(&o, key), first);
	}
}

static void memory_runs_out(void **state)
{
	struct mount_options o;

	(void)state;
	FAULT_LOOP
	{
		int r = parse(&o, "hard,soft,nconnect=3,actimeo=9,context=\"a,b\",sec=sys", 0);

		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_said),
		cmocka_unit_test(data),
		cmocka_unit_test(flags),
		cmocka_unit_test(versions),
		cmocka_unit_test(refused_by_name),
		cmocka_unit_test(too_long),
		cmocka_unit_test(binds),
		cmocka_unit_test(keys),
		cmocka_unit_test(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
