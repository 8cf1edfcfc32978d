/* SPDX-License-Identifier: Apache-2.0 */
/* test_kube_bnode.c: a BerthNode's status there and back: what is written is what is asked */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "data/decode.h"
#include "kube/bnode.h"
#include "tests/unit/fault.h"

#define UID "0a1b2c3d-0000-4000-8000-000000000001"

static int setup(void **state)
{
	struct strpool *p;
	int r = strpool_new(&p);

	*state = p;
	return r;
}

static int teardown(void **state)
{
	strpool_free(*state);
	return 0;
}

static struct object *cached(struct strpool *pool, json_t *status)
{
	struct object *o = NULL;
	json_t *item = json_pack("{s:{s:s, s:s, s:s}, s:o}", "metadata", "name", "n1", "uid", UID,
		"resourceVersion", "1", "status", status);

	assert_non_null(item);
	assert_int_equal(kind_bnode.decode(pool, item, &o), 0);
	json_decref(item);
	return o;
}

static json_t *written(const char *const *volumes, size_t n)
{
	const struct bnode_status s = {
		.lease = "berth-agent-n1",
		.node_uid = UID,
		.volumes = volumes,
		.n_volumes = n,
	};

	return bnode_status_json(&s);
}

static void volumes_are_found(void **state)
{
	static const char *const names[] = {
		"pvc-b", "a", "", "pvc-b", "pvc-bb", "zz", "pvc-", "static.pv"};
	static const char *const others[] = {"pvc-c", "pvc-bbb", "pvc", "z", "", "b", "zzz", "A"};
	struct object *o = cached(*state, written(names, ELEMENTSOF(names)));
	const struct bnode *b = bnode_of(o);

	assert_string_equal(b->volumes, "a\npvc-\npvc-b\npvc-bb\nstatic.pv\nzz\n");
	assert_string_equal(b->lease, "berth-agent-n1");
	assert_false(b->truncated);
	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		assert_int_equal(bnode_has_volume(b, names[i]), *names[i] != '\0');
	for (size_t i = 0; i < ELEMENTSOF(others); i++)
		assert_false(bnode_has_volume(b, others[i]));
	kind_bnode.free(*state, o);
}

/* Against the slow way, over random sets. */
static void any_set_of_volumes_is_found(void **state)
{
	srand(7);
	for (unsigned round = 0; round < 200; round++) {
		char text[64][8];
		const char *names[64];
		size_t n = (size_t)(rand() % 64);
		struct object *o;

		for (size_t i = 0; i < n; i++) {
			snprintf(text[i], sizeof(text[i]), "%x", (unsigned)rand() % 300);
			names[i] = text[i];
		}
		o = cached(*state, written(names, n));
		for (unsigned v = 0; v < 300; v++) {
			char name[8];
			bool there = false;

			snprintf(name, sizeof(name), "%x", v);
			for (size_t i = 0; i < n; i++)
				there |= strcmp(name, names[i]) == 0;
			assert_int_equal(bnode_has_volume(bnode_of(o), name), there);
		}
		kind_bnode.free(*state, o);
	}
}

/* More than the schema takes is cut, and the count gives it away. */
static void too_many_volumes_are_truncated(void **state)
{
	static char text[BNODE_VOLUMES_MAX + 1][8];
	static const char *names[BNODE_VOLUMES_MAX + 1];
	struct object *o;
	json_t *status;

	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		snprintf(text[i], sizeof(text[i]), "%zu", i);
		names[i] = text[i];
	}
	o = cached(*state, written(names, BNODE_VOLUMES_MAX));
	assert_false(bnode_of(o)->truncated);
	kind_bnode.free(*state, o);
	status = written(names, ELEMENTSOF(names));
	assert_int_equal(json_array_size(json_object_get(status, "volumes")), BNODE_VOLUMES_MAX);
	o = cached(*state, status);
	assert_true(bnode_of(o)->truncated);
	kind_bnode.free(*state, o);
}

/* What the schema or we would never write must neither hide the object nor lose a good name. */
static void odd_volumes(void **state)
{
	static const char *const odd[] = {"{\"volumes\":7}", "{\"volumes\":[7,null,{}]}",
		"{\"volumes\":[\"a\\nb\",\"\"],\"counts\":{\"volumes\":\"x\"}}", "{}", "[]", "7"};

	for (size_t i = 0; i < ELEMENTSOF(odd); i++) {
		json_t *status = json_loads(odd[i], JSON_DECODE_ANY, NULL);
		struct object *o = cached(*state, status);

		assert_string_equal(bnode_of(o)->volumes, "");
		assert_false(bnode_has_volume(bnode_of(o), "a"));
		kind_bnode.free(*state, o);
	}
}

static struct bnode_status full(void)
{
	static const struct bnode_mount mounts[] = {{"pvc-1", "/t", "s:/e", "rw", "Hung", 7, true}};
	static const struct bnode_export exports[] = {{"s", "/e", "Hung", "down"}};
	static const struct bnode_condition conditions[] = {
		{"Ready", "Ready", "all is \x01 well", true, SECONDS(1767225600)}};
	static const char *const volumes[] = {"pvc-1"};

	return (struct bnode_status){
		.version = "1",
		.lease = "l",
		.node_uid = UID,
		.kubelet_root = "/var/lib/kubelet",
		.propagation = "shared",
		.mounts = mounts,
		.n_mounts = 1,
		.volumes = volumes,
		.n_volumes = 1,
		.exports = exports,
		.n_exports = 1,
		.conditions = conditions,
		.n_conditions = 1,
		.counts_mounts = 1,
		.counts_hung = 1,
	};
}

static void a_status_is_written_whole(void **state)
{
	const struct bnode_status s = full();
	json_t *status = bnode_status_json(&s);
	json_t *want = json_loads(
		"{\"version\":\"1\",\"lease\":\"l\",\"nodeUID\":\"" UID "\","
		"\"kubelet\":{\"root\":\"/var/lib/kubelet\",\"propagation\":\"shared\"},"
		"\"counts\":{\"mounts\":1,\"hung\":1,\"stale\":0,\"orphaned\":0,\"volumes\":1},"
		"\"volumes\":[\"pvc-1\"],"
		"\"mounts\":[{\"volume\":\"pvc-1\",\"target\":\"/t\",\"source\":\"s:/e\","
		"\"options\":\"rw\",\"state\":\"Hung\",\"peerGroup\":7,\"readOnly\":true}],"
		"\"exports\":[{\"server\":\"s\",\"export\":\"/e\",\"state\":\"Hung\","
		"\"roundTrip\":\"down\"}],"
		"\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"reason\":\"Ready\","
		"\"message\":\"all is \\\\x01 well\","
		"\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"}]}",
		0, NULL);

	(void)state;
	assert_non_null(want);
	if (!json_equal(status, want)) {
		char *text = json_dumps(status, 0);

		fail_msg("%s", text);
	}
	json_decref(status);
	json_decref(want);
}

static void memory_runs_out(void **state)
{
	(void)state;
	FAULT_LOOP
	{
		const struct bnode_status s = full();
		json_t *status = bnode_status_json(&s);

		assert_int_equal(status == NULL, fault_fired());
		json_decref(status);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(volumes_are_found),
		T(any_set_of_volumes_is_found),
		T(too_many_volumes_are_truncated),
		T(odd_volumes),
		T(a_status_is_written_whole),
		T(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
