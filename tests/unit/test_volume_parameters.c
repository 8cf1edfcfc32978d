/* SPDX-License-Identifier: Apache-2.0 */
/* test_volume_parameters.c: every parameter, every bad one by its name, and the peers' words */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "data/decode.h"
#include "fault.h"
#include "volume/parameters.h"

#define BASE "\"server\":\"s\",\"export\":\"/e\""

static int parse(
	struct parameters *p, const char *json, const char *options, bool retain, struct err *e)
{
	_cleanup_json_ json_t *j = NULL, *o = NULL;

	if (json)
		assert_int_equal(data_json_load(json, strlen(json), &j, NULL), 0);
	if (options)
		assert_int_equal(data_json_load(options, strlen(options), &o, NULL), 0);
	return parameters_parse(p, j, o, retain, e);
}

static void defaults(void **state)
{
	struct parameters p;

	(void)state;
	assert_int_equal(parse(&p, "{" BASE "}", NULL, false, NULL), 0);
	assert_int_equal(p.n_servers, 1);
	assert_string_equal(p.servers[0], "s");
	assert_string_equal(p.export_, "/e");
	assert_null(p.pattern);
	assert_int_equal(p.flags, 0);
	assert_int_equal(p.reclaim, RECLAIM_DELETE);
	assert_int_equal(p.source, SOURCE_CSI);
	assert_false(p.assist || p.binding_set || p.act_as_set || p.require_node_label);
	assert_int_equal(p.version, 0);
	assert_int_equal(p.trash_ttl_ns, 0);
	parameters_done(&p);
}

static void place_is(const struct parameters *p)
{
	const struct volume_place at = parameters_place(p, p->servers[2]);

	assert_string_equal(at.server, "fd00::1");
	assert_string_equal(at.export_, "/srv/x");
	assert_int_equal(at.nfs_port, 2050);
	assert_int_equal(at.mount_port, 65535);
	assert_int_equal(at.version, 4);
	assert_true(at.act_as_set);
	assert_int_equal(at.act_uid, 65534);
	assert_int_equal(at.act_gid, 0);
	assert_null(at.identity);
}

static void everything(void **state)
{
	struct parameters p;

	(void)state;
	assert_int_equal(
		parse(&p,
			"{\"server\":\"a.example, "
			"10.0.0.1,[fd00::1],fe80::1%eth0\",\"export\":\"/srv/x/\","
			"\"pathPattern\":\"${.PVC.name}\",\"uid\":\"1000\",\"gid\":\"4294967294\","
			"\"mode\":\"2770\",\"adopt\":\"true\",\"shared\":\"t\","
			"\"requireNodeLabel\":\"1\","
			"\"reclaim\":\"Recycle\",\"trashTTL\":\"7d\",\"source\":\"native\","
			"\"actAs\":\"65534:0\",\"binding\":\"assist\",\"nfsPort\":\"2050\","
			"\"mountPort\":\"65535\",\"suid\":\"true\",\"dev\":\"1\",\"csi.storage.k8s."
			"io/fstype\":\"nfs\"}",
			"[\"hard\",\"rw,nfsvers=4.1\"]", false, NULL),
		0);
	assert_int_equal(p.n_servers, 4);
	assert_string_equal(p.servers[1], "10.0.0.1");
	assert_string_equal(p.servers[2], "fd00::1");
	assert_string_equal(p.export_, "/srv/x");
	assert_string_equal(p.pattern, "${.PVC.name}");
	assert_int_equal(p.uid, 1000);
	assert_int_equal(p.gid, 4294967294U);
	assert_int_equal(p.mode, 02770);
	assert_int_equal(p.flags, VOLUME_UID_SET | VOLUME_GID_SET | VOLUME_MODE_SET | VOLUME_ADOPT |
					  VOLUME_SHARED | VOLUME_SUID | VOLUME_DEV);
	assert_true(p.require_node_label && p.assist && p.binding_set && p.act_as_set);
	assert_int_equal(p.reclaim, RECLAIM_RECYCLE);
	assert_int_equal(p.trash_ttl_ns, SECONDS(7 * 86400));
	assert_int_equal(p.source, SOURCE_NATIVE);
	assert_int_equal(p.act_uid, 65534);
	assert_int_equal(p.act_gid, 0);
	assert_int_equal(p.nfs_port, 2050);
	assert_int_equal(p.mount_port, 65535);
	assert_int_equal(p.version, 4);
	place_is(&p);
	parameters_done(&p);
}

static void bad_ones_are_named(void **state)
{
	static const struct {
		const char *json, *name;
	} cases[] = {
		{"{\"export\":\"/e\"}", "server: missing"},
		{"{\"server\":\"s\"}", "export: missing"},
		{"{\"server\":\"\",\"export\":\"/e\"}", "server"},
		{"{\"server\":\"a,,b\",\"export\":\"/e\"}", "server"},
		{"{\"server\":\"a b\",\"export\":\"/e\"}", "server"},
		{"{\"server\":\"-o\",\"export\":\"/e\"}", "server"},
		{"{\"server\":\"a/b\",\"export\":\"/e\"}", "server"},
		{"{\"server\":\"a,b,c,d,e\",\"export\":\"/e\"}", "server"},
		{"{\"server\":\"s\",\"export\":\"e\"}", "export"},
		{"{\"server\":\"s\",\"export\":\"\"}", "export"},
		{"{\"server\":\"s\",\"export\":\"/a/../b\"}", "export"},
		{"{\"server\":\"s\",\"export\":\"/a//b\"}", "export"},
		{"{\"server\":\"s\",\"export\":\"/a\\nb\"}", "export"},
		{"{\"server\":\"s\",\"export\":\"/a/-b\"}", "export"},
		{"{\"server\":\"s\",\"export\":\"/a\\\\b\"}", "export"},
		{"{\"server\":\"s\",\"export\":\"/a/.berth/b\"}", "export"},
		{"{" BASE ",\"pathPattern\":\"\"}", "pathPattern"},
		{"{" BASE ",\"pathPattern\":\"../x\"}", "pathPattern"},
		{"{\"server\":\"s\",\"share\":\"e\"}", "share: must be"},
		{"{" BASE ",\"share\":\"/e\"}", "share: cannot stand beside export"},
		{"{" BASE ",\"subDir\":\"../x\"}", "subDir"},
		{"{" BASE ",\"pathPattern\":\"x\",\"subDir\":\"x\"}",
			"subDir: cannot stand beside pathPattern"},
		{"{" BASE ",\"uid\":\"-1\"}", "uid"},
		{"{" BASE ",\"uid\":\"4294967295\"}", "uid"},
		{"{" BASE ",\"gid\":\"none\"}", "gid"},
		{"{" BASE ",\"mode\":\"rwx\"}", "mode"},
		{"{" BASE ",\"mode\":\"10000\"}", "mode"},
		{"{" BASE ",\"adopt\":\"yes\"}", "adopt"},
		{"{" BASE ",\"shared\":\"2\"}", "shared"},
		{"{" BASE ",\"shared\":\"true\"}", "shared: needs adopt"},
		{"{" BASE ",\"requireNodeLabel\":\"\"}", "requireNodeLabel"},
		{"{" BASE ",\"reclaim\":\"delete\"}", "reclaim"},
		{"{" BASE ",\"trashTTL\":\"-1h\"}", "trashTTL"},
		{"{" BASE ",\"trashTTL\":\"7\"}", "trashTTL"},
		{"{" BASE ",\"onDelete\":\"keep\"}", "onDelete"},
		{"{" BASE ",\"archiveOnDelete\":\"maybe\"}", "archiveOnDelete"},
		{"{" BASE ",\"reclaim\":\"Delete\",\"onDelete\":\"delete\"}", "onDelete"},
		{"{" BASE ",\"reclaim\":\"Delete\",\"archiveOnDelete\":\"true\"}",
			"archiveOnDelete"},
		{"{" BASE ",\"source\":\"CSI\"}", "source"},
		{"{" BASE ",\"actAs\":\"0\"}", "actAs"},
		{"{" BASE ",\"actAs\":\"0:x\"}", "actAs"},
		{"{" BASE ",\"actAs\":\":\"}", "actAs"},
		{"{" BASE ",\"binding\":\"fast\"}", "binding"},
		{"{" BASE ",\"nfsPort\":\"0\"}", "nfsPort"},
		{"{" BASE ",\"mountPort\":\"65536\"}", "mountPort"},
		{"{" BASE ",\"csi.storage.k8s.io/fstype\":\"ext4\"}", "csi.storage.k8s.io/fstype"},
		{"{" BASE ",\"csi.storage.k8s.io/provisioner-secret-name\":\"x\"}", "secrets"},
		{"{" BASE ",\"Server\":\"x\"}", "Server: unknown"},
		{"{" BASE ",\"fsType\":\"x\"}", "fsType: unknown"},
		{"{" BASE ",\"bad\\u001bname\":\"x\"}", "\\x1bname: unknown"},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct parameters p = {.version = 77};
		struct err e = ERR_NULL;

		assert_int_equal(parse(&p, cases[i].json, NULL, false, &e), -EINVAL);
		if (!strstr(e.text, cases[i].name))
			fail_msg("%s: %s", cases[i].json, e.text);
		assert_int_equal(p.version, 77);
	}
}

static void none_at_all(void **state)
{
	struct parameters p;
	struct err e = ERR_NULL;

	(void)state;
	assert_int_equal(parse(&p, NULL, NULL, false, &e), -EINVAL);
	assert_non_null(strstr(e.text, "server"));
}

/* nfs.md 1.2 and 1.4. */
static void peers_words(void **state)
{
	static const struct {
		const char *extra;
		bool retain;
		enum volume_reclaim reclaim;
	} cases[] = {
		{"\"onDelete\":\"delete\"", false, RECLAIM_DELETE},
		{"\"onDelete\":\"retain\"", false, RECLAIM_RETAIN},
		{"\"onDelete\":\"Archive\"", false, RECLAIM_ARCHIVE},
		{"\"archiveOnDelete\":\"true\"", false, RECLAIM_ARCHIVE},
		{"\"archiveOnDelete\":\"false\"", false, RECLAIM_DELETE},
		{"\"archiveOnDelete\":\"true\",\"onDelete\":\"delete\"", false, RECLAIM_DELETE},
		{"\"archiveOnDelete\":\"false\",\"onDelete\":\"retain\"", false, RECLAIM_RETAIN},
		{"\"archiveOnDelete\":\"true\"", true, RECLAIM_RETAIN},
		{"\"onDelete\":\"delete\"", true, RECLAIM_RETAIN},
		{"\"reclaim\":\"Archive\"", false, RECLAIM_ARCHIVE},
		{"\"reclaim\":\"Retain\"", true, RECLAIM_RETAIN},
		{"\"reclaim\":\"Retain\"", false, RECLAIM_RETAIN},
		{"\"uid\":\"0\"", true, RECLAIM_RETAIN},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct parameters p;
		char json[256];

		snprintf(json, sizeof(json), "{" BASE ",%s}", cases[i].extra);
		assert_int_equal(parse(&p, json, NULL, cases[i].retain, NULL), 0);
		assert_int_equal(p.reclaim, cases[i].reclaim);
		parameters_done(&p);
	}
}

/* A StorageClass of csi-driver-nfs. */
static void share_and_sub_dir(void **state)
{
	struct parameters p;

	(void)state;
	assert_int_equal(parse(&p,
				 "{\"server\":\"s\",\"share\":\"/e/\","
				 "\"subDir\":\"${pvc.metadata.namespace}/${pvc.metadata.name}\"}",
				 NULL, false, NULL),
		0);
	assert_string_equal(p.export_, "/e");
	assert_string_equal(p.pattern, "${pvc.metadata.namespace}/${pvc.metadata.name}");
	parameters_done(&p);
}

static void retain_refuses_erasing_reclaim(void **state)
{
	static const char *const words[] = {"Delete", "Archive", "Recycle"};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(words); i++) {
		struct parameters p;
		struct err e = ERR_NULL;
		char json[256];

		snprintf(json, sizeof(json), "{" BASE ",\"reclaim\":\"%s\"}", words[i]);
		assert_int_equal(parse(&p, json, NULL, true, &e), -EINVAL);
		assert_non_null(strstr(e.text, "parameter reclaim"));
		assert_non_null(strstr(e.text, "Retain"));
	}
}

static void versions(void **state)
{
	static const struct {
		const char *options;
		int r, version;
	} cases[] = {
		{"[]", 0, 0},
		{"[\"ro\",\"hard\"]", 0, 0},
		{"[\"vers=3\"]", 0, 3},
		{"[\"nfsvers=3\"]", 0, 3},
		{"[\"vers=4\"]", 0, 4},
		{"[\"vers=4.0\"]", 0, 4},
		{"[\"vers=4.2\"]", 0, 4},
		{"[\"hard,vers=4.1,noatime\"]", 0, 4},
		{"[\"vers=2\"]", -EINVAL, 0},
		{"[\"vers=\"]", -EINVAL, 0},
		{"[\"nfsvers=5\"]", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct parameters p = {.n_servers = 0};
		struct err e = ERR_NULL;

		assert_int_equal(parse(&p, "{" BASE "}", cases[i].options, false, &e), cases[i].r);
		if (cases[i].r < 0)
			assert_non_null(strstr(e.text, "mountOptions"));
		else
			assert_int_equal(p.version, cases[i].version);
		parameters_done(&p);
	}
}

static void root_export(void **state)
{
	struct parameters p;

	(void)state;
	assert_int_equal(parse(&p, "{\"server\":\"s\",\"export\":\"/\"}", NULL, false, NULL), 0);
	assert_string_equal(p.export_, "/");
	parameters_done(&p);
}

static void out_of_memory(void **state)
{
	_cleanup_json_ json_t *j = json_pack(
		"{s:s,s:s,s:s}", "server", "a,b", "export", "/e", "pathPattern", "${.PVC.name}");

	(void)state;
	FAULT_LOOP
	{
		struct parameters p = {.n_servers = 0};
		int r = parameters_parse(&p, j, NULL, false, NULL);

		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
		parameters_done(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(everything),
		cmocka_unit_test(bad_ones_are_named),
		cmocka_unit_test(none_at_all),
		cmocka_unit_test(peers_words),
		cmocka_unit_test(share_and_sub_dir),
		cmocka_unit_test(retain_refuses_erasing_reclaim),
		cmocka_unit_test(versions),
		cmocka_unit_test(root_export),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
