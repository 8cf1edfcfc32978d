/* SPDX-License-Identifier: Apache-2.0 */
/* test_csi_messages.c: CSI and registration messages on the wire, their checks and limits */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "csi/csi.pb-c.h"
#include "csi/decode.h"
#include "csi/encode.h"
#include "tests/unit/fault.h"

static int setup(void **state)
{
	struct arena *a = malloc(sizeof(*a));

	assert_non_null(a);
	arena_init(a);
	*state = a;
	return 0;
}

static int teardown(void **state)
{
	arena_done(*state);
	free(*state);
	return 0;
}

/* ---- answers: the vectors of contracts.md, Appendix A, without their prefix -------------------
 */

static void is_bytes(const struct csi_bytes *b, const char *hex)
{
	char got[512] = "";

	assert_true(3 * b->size < sizeof(got));
	for (size_t i = 0; i < b->size; i++)
		(void)snprintf(got + 3 * i, 4, "%02x ", ((const uint8_t *)b->data)[i]);
	assert_string_equal(got, hex);
}

static void answers_are_the_known_bytes(void **state)
{
	const struct csi_pair topology = {"topology.d.io/node", "n1"};
	const struct csi_driver d = {.name = "d.io",
		.version = "1",
		.is_topology_aware = true,
		.capabilities = CSI_CAN_GET_VOLUME_STATS | CSI_CAN_SINGLE_NODE_MULTI_WRITER,
		.node_id = "n1",
		.topology = &topology,
		.n_topology = 1};
	const struct csi_stats stats = {
		.has_bytes = true, .bytes_available = 10, .bytes_total = 100, .bytes_used = 90};
	struct csi_bytes b;

	assert_int_equal(csi_registration_info_encode(&b, *state, "d.io", "/c.sock"), 0);
	is_bytes(&b, "0a 09 43 53 49 50 6c 75 67 69 6e 12 04 64 2e 69 6f 1a 07 2f 63 2e 73 6f 63 6b"
		     " 22 05 31 2e 30 2e 30 ");
	assert_int_equal(csi_node_capabilities_encode(&b, *state, &d), 0);
	is_bytes(&b, "0a 04 0a 02 08 02 0a 04 0a 02 08 05 ");
	assert_int_equal(csi_plugin_capabilities_encode(&b, *state, &d), 0);
	is_bytes(&b, "0a 04 0a 02 08 02 ");
	assert_int_equal(csi_ready_encode(&b, *state, true), 0);
	is_bytes(&b, "0a 02 08 01 ");
	assert_int_equal(csi_ready_encode(&b, *state, false), 0);
	is_bytes(&b, "0a 00 ");
	assert_int_equal(csi_node_info_encode(&b, *state, &d), 0);
	is_bytes(&b, "0a 02 6e 31 1a 1a 0a 18 0a 12 74 6f 70 6f 6c 6f 67 79 2e 64 2e 69 6f 2f 6e 6f"
		     " 64 65 12 02 6e 31 ");
	assert_int_equal(csi_stats_encode(&b, *state, &stats), 0);
	is_bytes(&b, "0a 08 08 0a 10 64 18 5a 20 01 ");
	assert_int_equal(csi_plugin_info_encode(&b, *state, &d), 0);
	is_bytes(&b, "0a 04 64 2e 69 6f 12 01 31 ");
}

static void stats_say_what_there_is(void **state)
{
	const struct csi_stats hung = {.has_inodes = true,
		.inodes_total = 5,
		.inodes_free = -1,
		.has_condition = true,
		.is_abnormal = true,
		.condition = ""};
	struct csi_bytes b;
	Csi__V1__NodeGetVolumeStatsResponse *m;

	assert_int_equal(csi_stats_encode(&b, *state, &hung), 0);
	m = csi__v1__node_get_volume_stats_response__unpack(NULL, b.size, b.data);
	assert_non_null(m);
	assert_int_equal(m->n_usage, 1);
	assert_int_equal(m->usage[0]->unit, 2);
	assert_int_equal(m->usage[0]->available, 0);
	assert_true(m->volume_condition->abnormal);
	assert_string_equal(m->volume_condition->message, "abnormal");
	csi__v1__node_get_volume_stats_response__free_unpacked(m, NULL);
}

/* ---- requests, written by hand ----------------------------------------------------------------
 */

static void put_varint(struct buf *b, uint64_t v)
{
	uint8_t byte;

	do {
		byte = (uint8_t)(v & 0x7f) | (v > 0x7f ? 0x80 : 0);
		assert_int_equal(buf_append(b, &byte, 1), 0);
		v >>= 7;
	} while (v > 0);
}

static void put_bytes(struct buf *b, unsigned field, const void *data, size_t n)
{
	put_varint(b, field << 3 | 2);
	put_varint(b, n);
	if (n > 0)
		assert_int_equal(buf_append(b, data, n), 0);
}

static void put_text(struct buf *b, unsigned field, const char *s)
{
	put_bytes(b, field, s, strlen(s));
}

static void put_number(struct buf *b, unsigned field, uint64_t v)
{
	put_varint(b, field << 3);
	put_varint(b, v);
}

/* NULL leaves the part out. */
static void put_pair(struct buf *b, unsigned field, const char *key, const char *value)
{
	struct buf entry = BUF_NULL(1U << 23);

	if (key)
		put_text(&entry, 1, key);
	if (value)
		put_text(&entry, 2, value);
	put_bytes(b, field, entry.data, entry.len);
	buf_done(&entry);
}

/* What a case changes of a request that is right. */
struct change {
	const char *id, *target, *staging;
	const char *fs_type, *flag, *more, *group;
	int mode; /* 0: no access_mode; -1: an empty one */
	enum { ACCESS_MOUNT, ACCESS_BLOCK, ACCESS_NONE, CAPABILITY_NONE } access;
};
#define TARGET "/var/lib/kubelet/pods/u/volumes/x/mount"
#define RIGHT .id = "pv-1", .target = TARGET, .mode = 1

static void put_capability(struct buf *b, const struct change *c)
{
	struct buf inner = BUF_NULL(1U << 20), cap = BUF_NULL(1U << 20);

	if (c->fs_type)
		put_text(&inner, 1, c->fs_type);
	if (c->flag)
		put_text(&inner, 2, c->flag);
	if (c->more)
		put_text(&inner, 2, c->more);
	if (c->group)
		put_text(&inner, 3, c->group);
	if (c->access == ACCESS_MOUNT)
		put_bytes(&cap, 2, inner.data, inner.len);
	else if (c->access == ACCESS_BLOCK)
		put_bytes(&cap, 1, NULL, 0);
	buf_reset(&inner);
	if (c->mode > 0)
		put_number(&inner, 1, (uint64_t)c->mode);
	if (c->mode != 0)
		put_bytes(&cap, 3, inner.data, inner.len);
	put_bytes(b, 5, cap.data, cap.len);
	buf_done(&inner);
	buf_done(&cap);
}

static struct buf make(const struct change *c)
{
	struct buf b = BUF_NULL(1U << 23);

	if (c->id)
		put_text(&b, 1, c->id);
	if (c->staging)
		put_text(&b, 3, c->staging);
	if (c->target)
		put_text(&b, 4, c->target);
	if (c->access != CAPABILITY_NONE)
		put_capability(&b, c);
	return b;
}

static void a_whole_request_is_read(void **state)
{
	struct buf b = make(&(struct change){RIGHT, .staging = "/stage", .fs_type = "nfs",
		.flag = "context=\"a:b:c1,c2\"", .group = "4294967294"});
	struct csi_publish r;
	struct rpc_status status;

	put_number(&b, 6, 1);
	put_pair(&b, 2, "p", "q");
	put_pair(&b, 7, "password", "hunter2\nsecond line");
	put_pair(&b, 8, "server", "old");
	put_pair(&b, 8, "export", "/data");
	put_pair(&b, 8, "server", "new");
	put_pair(&b, 8, NULL, "no key");
	put_pair(&b, 8, "no value", NULL);
	put_text(&b, 99, "a newer kubelet's");
	put_number(&b, 100, 7);
	assert_int_equal(csi_publish_decode(&r, *state, b.data, b.len, &status), 0);
	buf_done(&b);
	assert_string_equal(r.volume_id, "pv-1");
	assert_string_equal(r.staging_path, "/stage");
	assert_string_equal(r.target_path, "/var/lib/kubelet/pods/u/volumes/x/mount");
	assert_string_equal(r.fs_type, "nfs");
	assert_int_equal(r.n_mount_flags, 1);
	assert_string_equal(r.mount_flags[0], "context=\"a:b:c1,c2\"");
	assert_true(r.has_group);
	assert_int_equal(r.group, 4294967294U);
	assert_int_equal(r.mode, CSI_SINGLE_NODE_WRITER);
	assert_true(r.readonly);
	assert_int_equal(r.context.n, 4);
	assert_string_equal(csi_map_get(&r.context, "server"), "new");
	assert_string_equal(csi_map_get(&r.context, "export"), "/data");
	assert_string_equal(csi_map_get(&r.context, ""), "no key");
	assert_string_equal(csi_map_get(&r.context, "no value"), "");
	assert_null(csi_map_get(&r.context, "nothing"));
	assert_string_equal(csi_map_get(&r.secrets, "password"), "hunter2\nsecond line");
	assert_string_equal(csi_map_get(&r.publish_context, "p"), "q");
}

static void what_is_absent_is_empty(void **state)
{
	struct buf b = make(&(struct change){RIGHT});
	struct csi_publish r;
	struct rpc_status status;

	assert_int_equal(csi_publish_decode(&r, *state, b.data, b.len, &status), 0);
	buf_done(&b);
	assert_string_equal(r.staging_path, "");
	assert_string_equal(r.fs_type, "");
	assert_int_equal(r.n_mount_flags, 0);
	assert_false(r.has_group);
	assert_false(r.readonly);
	assert_int_equal(r.context.n, 0);
	assert_null(csi_map_get(&r.secrets, "x"));
}

struct refused {
	struct change change;
	enum rpc_code code;
	const char *text;
};
static const struct refused refused[] = {
	{{.target = "/t", .mode = 1}, RPC_INVALID_ARGUMENT, "volume_id is missing"},
	{{.id = "a\nb", .target = "/t", .mode = 1}, RPC_INVALID_ARGUMENT,
		"volume_id has a control character in it"},
	{{.id = "\xc3(", .target = "/t", .mode = 1}, RPC_INVALID_ARGUMENT,
		"volume_id is not valid UTF-8"},
	{{.id = "v", .mode = 1}, RPC_INVALID_ARGUMENT, "target_path is missing"},
	{{.id = "v", .target = "t/x", .mode = 1}, RPC_INVALID_ARGUMENT,
		"target_path is not absolute: \"t/x\""},
	{{.id = "v", .target = "/a/../b", .mode = 1}, RPC_INVALID_ARGUMENT,
		"target_path has a component that is \".\" or \"..\": \"/a/../b\""},
	{{.id = "v", .target = "/a/.", .mode = 1}, RPC_INVALID_ARGUMENT,
		"target_path has a component that is \".\" or \"..\": \"/a/.\""},
	{{RIGHT, .staging = "s"}, RPC_INVALID_ARGUMENT,
		"staging_target_path is not absolute: \"s\""},
	{{RIGHT, .access = CAPABILITY_NONE}, RPC_INVALID_ARGUMENT, "volume_capability is missing"},
	{{RIGHT, .access = ACCESS_NONE}, RPC_INVALID_ARGUMENT,
		"volume_capability.access_type is missing"},
	{{RIGHT, .access = ACCESS_BLOCK}, RPC_FAILED_PRECONDITION,
		"volume_capability.access_type is block: only file systems are served"},
	{{.id = "v", .target = "/t", .mode = 0}, RPC_INVALID_ARGUMENT,
		"volume_capability.access_mode is missing"},
	{{.id = "v", .target = "/t", .mode = -1}, RPC_INVALID_ARGUMENT,
		"volume_capability.access_mode.mode 0 is none that is known"},
	{{.id = "v", .target = "/t", .mode = 8}, RPC_INVALID_ARGUMENT,
		"volume_capability.access_mode.mode 8 is none that is known"},
	{{RIGHT, .fs_type = "\xff"}, RPC_INVALID_ARGUMENT, "fs_type is not valid UTF-8"},
	{{RIGHT, .flag = "soft\nhard"}, RPC_INVALID_ARGUMENT,
		"mount_flags has a control character in it"},
	{{RIGHT, .group = "staff"}, RPC_INVALID_ARGUMENT,
		"volume_mount_group is no group id: \"staff\""},
	{{RIGHT, .group = "-1"}, RPC_INVALID_ARGUMENT, "volume_mount_group is no group id: \"-1\""},
	{{RIGHT, .group = "4294967295"}, RPC_INVALID_ARGUMENT,
		"volume_mount_group is no group id: \"4294967295\""},
};

static void every_refusal_names_its_field(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
		struct buf b = make(&refused[i].change);
		struct rpc_status status;
		struct csi_publish r;

		assert_int_not_equal(csi_publish_decode(&r, *state, b.data, b.len, &status), 0);
		assert_string_equal(status.text, refused[i].text);
		assert_int_equal(status.code, refused[i].code);
		buf_done(&b);
	}
}

static int decode(struct arena *a, const struct buf *b, struct rpc_status *status)
{
	struct csi_publish r;

	return csi_publish_decode(&r, a, b->data, b->len, status);
}

static void a_nul_cuts_nothing_off(void **state)
{
	struct buf b = make(&(struct change){.target = TARGET, .mode = 1});
	struct rpc_status status;

	put_bytes(&b, 1, "pv\0-1", 5);
	assert_int_not_equal(decode(*state, &b, &status), 0);
	assert_string_equal(status.text, "volume_id has a NUL in it");
	buf_done(&b);
	b = make(&(struct change){RIGHT});
	put_bytes(&b, 8, "\x0a\x01k\x12\x02\0x", 7);
	assert_int_not_equal(decode(*state, &b, &status), 0);
	assert_string_equal(status.text, "volume_context has a NUL in it");
	assert_int_equal(status.code, RPC_INVALID_ARGUMENT);
	buf_done(&b);
}

static void limits_are_exact(void **state)
{
	char *long_text = malloc(CSI_PATH_MAX + 2);
	struct rpc_status status;

	assert_non_null(long_text);
	for (int over = 0; over < 2; over++) {
		struct buf b;

		memset(long_text, 'v', CSI_PATH_MAX + 1);
		long_text[CSI_VOLUME_ID_MAX + over] = '\0';
		b = make(&(struct change){.id = long_text, .target = TARGET, .mode = 1});
		assert_int_equal(decode(*state, &b, &status) < 0, over);
		buf_done(&b);
		memset(long_text, 'p', CSI_PATH_MAX + 1);
		long_text[0] = '/';
		long_text[CSI_PATH_MAX + over] = '\0';
		b = make(&(struct change){.id = "v", .target = long_text, .mode = 1});
		assert_int_equal(decode(*state, &b, &status) < 0, over);
		buf_done(&b);
		memset(long_text, 'f', CSI_PATH_MAX + 1);
		long_text[CSI_FLAGS_MAX - 1] = '\0';
		b = make(&(struct change){RIGHT, .flag = long_text, .more = over ? "xx" : "x"});
		assert_int_equal(decode(*state, &b, &status) < 0, over);
		buf_done(&b);
	}
	free(long_text);
}

static void what_is_no_protobuf_is_internal(void **state)
{
	static const char *const broken[] = {
		"\x0a\x05\x61\x62\x63", "\x0b", "\xff", "\x0d\x01", "\x0a"};
	struct rpc_status status;

	for (size_t i = 0; i < ELEMENTSOF(broken); i++) {
		struct buf b = {.data = (char *)broken[i], .len = strlen(broken[i])};

		assert_int_not_equal(decode(*state, &b, &status), 0);
		assert_int_equal(status.code, RPC_INTERNAL);
		assert_int_not_equal(
			csi_empty_decode(*state, broken[i], strlen(broken[i]), &status), 0);
	}
}

/* Two bytes each on the wire, and many more decoded. */
static void memory_has_an_end(void **state)
{
	struct buf b = make(&(struct change){RIGHT});
	struct rpc_status status;
	struct arena *a = *state;

	for (int i = 0; i < 1000000; i++)
		assert_int_equal(buf_append(&b, "\x42\0", 2), 0);
	assert_int_not_equal(decode(a, &b, &status), 0);
	assert_int_equal(status.code, RPC_RESOURCE_EXHAUSTED);
	assert_true(a->used <= ARENA_MAX);
	buf_done(&b);
}

static void many_attributes_are_fine(void **state)
{
	struct buf b = make(&(struct change){RIGHT});
	char key[16], *value = malloc(2000001);
	struct rpc_status status;
	struct csi_publish r;

	assert_non_null(value);
	memset(value, 'v', 2000000);
	value[2000000] = '\0';
	put_pair(&b, 8, "large", value);
	for (int i = 0; i < 20000; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i % 10000);
		put_pair(&b, 8, key, i < 10000 ? "first" : "second");
	}
	assert_int_equal(csi_publish_decode(&r, *state, b.data, b.len, &status), 0);
	assert_int_equal(r.context.n, 10001);
	assert_string_equal(csi_map_get(&r.context, "k9999"), "second");
	assert_string_equal(csi_map_get(&r.context, "large"), value);
	free(value);
	buf_done(&b);
}

static void logs_have_no_secret(void **state)
{
	struct buf b = make(&(struct change){RIGHT, .flag = "password=hunter2", .group = "5"});
	struct rpc_status status;
	struct csi_publish r;
	char line[512], little[20];

	put_pair(&b, 7, "key", "hunter2");
	put_pair(&b, 8, CSI_POD_TOKENS, "{\"aud\":{\"token\":\"hunter2\"}}");
	put_pair(&b, 8, "server", "10.0.0.1");
	assert_int_equal(csi_publish_decode(&r, *state, b.data, b.len, &status), 0);
	buf_done(&b);
	assert_null(strstr(csi_publish_format(&r, line, sizeof(line)), "hunter2"));
	assert_string_equal(line,
		"volume_id=pv-1 target_path=/var/lib/kubelet/pods/u/volumes/x/mount"
		" mode=SINGLE_NODE_WRITER volume_mount_group=5 mount_flags=***stripped***(1)"
		" volume_context=csi.storage.k8s.io/serviceAccount.tokens,server"
		" secrets=***stripped***(1)");
	assert_string_equal(csi_publish_format(&r, little, sizeof(little)), "volume_id=pv-1 targ");
}

static void the_other_requests(void **state)
{
	struct buf b = BUF_NULL(1000);
	struct csi_unpublish u;
	struct csi_stats_request s;
	struct rpc_status status;

	put_text(&b, 1, "pv");
	assert_int_not_equal(csi_unpublish_decode(&u, *state, b.data, b.len, &status), 0);
	assert_string_equal(status.text, "target_path is missing");
	assert_int_not_equal(csi_stats_decode(&s, *state, b.data, b.len, &status), 0);
	assert_string_equal(status.text, "volume_path is missing");
	assert_int_equal(status.code, RPC_INVALID_ARGUMENT);
	put_text(&b, 2, "/t");
	assert_int_equal(csi_unpublish_decode(&u, *state, b.data, b.len, &status), 0);
	assert_string_equal(u.volume_id, "pv");
	assert_string_equal(u.target_path, "/t");
	put_text(&b, 3, "/s");
	assert_int_equal(csi_stats_decode(&s, *state, b.data, b.len, &status), 0);
	assert_string_equal(s.volume_path, "/t");
	assert_string_equal(s.staging_path, "/s");
	buf_done(&b);
	assert_int_not_equal(csi_unpublish_decode(&u, *state, "", 0, &status), 0);
	assert_string_equal(status.text, "volume_id is missing");
}

/* What csi-sanity asks after. */
static void statistics_at_no_place(void **state)
{
	static const struct {
		const char *path;
		enum rpc_code code;
	} cases[] = {
		{"some/path", RPC_NOT_FOUND},
		{"/pods/../etc", RPC_NOT_FOUND},
		{"/pods/\n", RPC_INVALID_ARGUMENT},
	};

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct buf b = BUF_NULL(1000);
		struct csi_stats_request s;
		struct rpc_status status;

		put_text(&b, 1, "pv");
		put_text(&b, 2, cases[i].path);
		assert_int_not_equal(csi_stats_decode(&s, *state, b.data, b.len, &status), 0);
		assert_int_equal(status.code, cases[i].code);
		buf_done(&b);
	}
}

static void registration_and_probe(void **state)
{
	const char *error;
	bool yes = false;

	assert_int_equal(csi_registration_status_decode(&yes, &error, *state, "\x08\x01", 2), 0);
	assert_true(yes);
	assert_string_equal(error, "");
	assert_int_equal(csi_registration_status_decode(&yes, &error, *state, "\x12\x02no", 4), 0);
	assert_false(yes);
	assert_string_equal(error, "no");
	assert_int_equal(csi_probe_decode(&yes, *state, "", 0), 0);
	assert_true(yes);
	assert_int_equal(csi_probe_decode(&yes, *state, "\x0a\0", 2), 0);
	assert_false(yes);
	assert_int_equal(csi_probe_decode(&yes, *state, "\x0a\x02\x08\x01", 4), 0);
	assert_true(yes);
}

static void memory_faults(void **state)
{
	struct buf b = make(&(struct change){RIGHT, .flag = "soft"});
	char *value = calloc(1, 10000);

	(void)state;
	assert_non_null(value);
	memset(value, 'x', 9999);
	put_pair(&b, 8, "large", value);
	FAULT_LOOP
	{
		struct rpc_status status;
		struct arena a;
		int r;

		arena_init(&a);
		r = decode(&a, &b, &status);
		assert_int_equal(r < 0, fault_fired());
		if (r < 0)
			assert_int_equal(status.code, RPC_RESOURCE_EXHAUSTED);
		arena_done(&a);
	}
	free(value);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_are_the_known_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(stats_say_what_there_is, setup, teardown),
		cmocka_unit_test_setup_teardown(a_whole_request_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_absent_is_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(every_refusal_names_its_field, setup, teardown),
		cmocka_unit_test_setup_teardown(a_nul_cuts_nothing_off, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_are_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_protobuf_is_internal, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_has_an_end, setup, teardown),
		cmocka_unit_test_setup_teardown(many_attributes_are_fine, setup, teardown),
		cmocka_unit_test_setup_teardown(logs_have_no_secret, setup, teardown),
		cmocka_unit_test_setup_teardown(the_other_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(statistics_at_no_place, setup, teardown),
		cmocka_unit_test_setup_teardown(registration_and_probe, setup, teardown),
		cmocka_unit_test(memory_faults),
	};

	return cmocka_run_group_tests_name("csi messages", tests, NULL, NULL);
}
