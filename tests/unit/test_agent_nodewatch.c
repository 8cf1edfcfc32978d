/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_nodewatch.c: entries and labels that vanish, never come, and nodes that are made anew
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "agent/nodewatch.h"
#include "kube_world.h"
#include "tests/unit/fault.h"

#define UID1 "00000000-0000-4000-8000-000000000001"
#define UID2 "00000000-0000-4000-8000-000000000002"
#define LABEL ",\"labels\":{\"topology.berth.dev/nfs\":\"true\"}"
#define NODE(uid, rv, labels)                                                                      \
	"{\"metadata\":{\"name\":\"n1\",\"uid\":\"" uid "\",\"resourceVersion\":\"" rv "\"" labels \
	"}}"
#define CSINODE(rv, drivers)                                                            \
	"{\"metadata\":{\"name\":\"n1\",\"uid\":\"" UID1 "\",\"resourceVersion\":\"" rv \
	"\"},\"spec"                                                                    \
	"\":{\"drivers\":[" drivers "]}}"
#define NFS "{\"name\":\"nfs.berth.dev\"}"
#define DISK "{\"name\":\"hostpath.berth.dev\"}"
#define LIST(items) "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define NODES "GET /api/v1/nodes?fieldSelector=metadata.name%3Dn1&"
#define CSINODES "GET /apis/storage.k8s.io/v1/csinodes?fieldSelector=metadata.name%3Dn1&"

struct world {
	struct kube_world w; /* first */
	struct nodewatch *watch;
	unsigned lost[2], changes;
	const char *why;
	unsigned want;
};

static void on_lost(struct nodewatch *n, unsigned driver, const char *why, void *userdata)
{
	struct world *w = userdata;

	(void)n;
	w->lost[driver]++;
	w->why = why;
}

static void on_changed(struct nodewatch *n, void *userdata)
{
	struct world *w = userdata;

	(void)n;
	w->changes++;
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct world));
	return *state ? kube_world_init(*state) : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;

	nodewatch_free(w->watch);
	return kube_world_teardown(state);
}

static const struct nodewatch_driver drivers[] = {
	{"nfs.berth.dev", "topology.berth.dev/nfs", "true"}, {"hostpath.berth.dev", NULL, NULL}};
static const struct nodewatch_callbacks callbacks = {on_lost, on_changed};

static bool is_synced(void *userdata)
{
	return nodewatch_synced(((struct world *)userdata)->watch);
}

static bool has_changed(void *userdata)
{
	struct world *w = userdata;

	return w->changes >= w->want;
}

static void start(struct world *w, const char *nodes, const char *csinodes)
{
	const struct nodewatch_setup s = {.loop = w->w.loop,
		.client = w->w.client,
		.node = "n1",
		.drivers = drivers,
		.n_drivers = 2,
		.callbacks = &callbacks,
		.userdata = w};

	fakeapi_answer(w->w.api, &(struct fake_answer){.match = NODES "limit", .body = nodes});
	fakeapi_answer(
		w->w.api, &(struct fake_answer){.match = CSINODES "limit", .body = csinodes});
	fakeapi_answer(w->w.api,
		&(struct fake_answer){.match = NODES "watch", .how = FAKE_SILENT, .repeat = true});
	fakeapi_answer(
		w->w.api, &(struct fake_answer){
				  .match = CSINODES "watch", .how = FAKE_SILENT, .repeat = true});
	assert_int_equal(nodewatch_new(&w->watch, &s), 0);
	assert_true(fake_run(w->w.loop, is_synced, w, 20000));
}

/* The same with one watch left open to be pushed into. */
static void start_streaming(struct world *w, const char *which)
{
	fakeapi_answer(w->w.api, &(struct fake_answer){.match = which, .how = FAKE_STREAM});
	start(w, LIST(NODE(UID1, "4", LABEL)), LIST(CSINODE("4", NFS "," DISK)));
	fake_pass(w->w.loop, 50);
	assert_int_equal(w->lost[0] + w->lost[1], 0);
	assert_true(nodewatch_has(w->watch, 0) && nodewatch_has(w->watch, 1));
	assert_string_equal(nodewatch_uid(w->watch), UID1);
}

static void push(struct world *w, const char *text)
{
	w->want = w->changes + 1;
	fakeapi_push(w->w.api, text, strlen(text));
	assert_true(fake_run(w->w.loop, has_changed, w, 20000));
}

static void a_vanished_label(void **state)
{
	struct world *w = *state;

	start_streaming(w, NODES "watch");
	push(w, EVENT("MODIFIED", NODE(UID1, "6", ",\"labels\":{\"a\":\"b\"}")));
	assert_int_equal(w->lost[0], 1);
	assert_int_equal(w->lost[1], 0);
	assert_non_null(strstr(w->why, "label"));
	assert_false(nodewatch_has(w->watch, 0));
	/* Told once. */
	push(w, EVENT("MODIFIED", NODE(UID1, "7", "")));
	assert_int_equal(w->lost[0], 1);
	push(w, EVENT("MODIFIED", NODE(UID1, "8", LABEL)));
	push(w, EVENT("MODIFIED", NODE(UID1, "9", "")));
	assert_int_equal(w->lost[0], 2);
}

static void a_vanished_entry(void **state)
{
	struct world *w = *state;

	start_streaming(w, CSINODES "watch");
	push(w, EVENT("MODIFIED", CSINODE("6", NFS)));
	assert_int_equal(w->lost[0], 0);
	assert_int_equal(w->lost[1], 1);
	assert_non_null(strstr(w->why, "entry"));
	push(w, EVENT("DELETED", CSINODE("7", NFS)));
	assert_int_equal(w->lost[0], 1);
}

/* Deleted: nobody to register at. Joined again, without what the kubelet wrote once. */
static void a_node_that_is_made_anew(void **state)
{
	struct world *w = *state;

	start_streaming(w, NODES "watch");
	push(w, EVENT("DELETED", NODE(UID1, "6", LABEL)));
	assert_int_equal(w->lost[0] + w->lost[1], 0);
	assert_string_equal(nodewatch_uid(w->watch), "");
	assert_false(nodewatch_has(w->watch, 1));
	push(w, EVENT("ADDED", NODE(UID2, "7", "")));
	assert_int_equal(w->lost[0], 1);
	assert_int_equal(w->lost[1], 0);
	assert_string_equal(nodewatch_uid(w->watch), UID2);
}

/* What was never there is no loss, but for what the kubelet claims, and then not at once. */
static void what_never_came(void **state)
{
	struct world *w = *state;

	start(w, LIST(NODE(UID1, "4", "")), LIST(""));
	fake_pass(w->w.loop, 20);
	assert_false(nodewatch_has(w->watch, 0));
	nodewatch_registered(w->watch, 0);
	nodewatch_registered(w->watch, 7);
	fake_pass(w->w.loop, 20);
	assert_int_equal(w->lost[0] + w->lost[1], 0);
}

static void a_node_that_is_not_there(void **state)
{
	struct world *w = *state;

	start(w, LIST(""), LIST(""));
	assert_string_equal(nodewatch_uid(w->watch), "");
	assert_false(nodewatch_has(w->watch, 0));
	assert_int_equal(w->lost[0] + w->lost[1], 0);
	assert_true(w->changes > 0);
}

static void memory_runs_out(void **state)
{
	struct world *w = *state;
	const struct nodewatch_setup s = {.loop = w->w.loop,
		.client = w->w.client,
		.node = "n1",
		.drivers = drivers,
		.n_drivers = 2,
		.callbacks = &callbacks,
		.userdata = w};

	FAULT_LOOP
	{
		struct nodewatch *n = NULL;
		int r = nodewatch_new(&n, &s);

		/* An informer whose first list cannot be begun tries again later. */
		if (r < 0)
			assert_true(fault_fired());
		nodewatch_free(n);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_vanished_label),
		T(a_vanished_entry),
		T(a_node_that_is_made_anew),
		T(what_never_came),
		T(a_node_that_is_not_there),
		T(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
