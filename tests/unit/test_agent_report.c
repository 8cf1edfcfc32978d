/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_report.c: the BerthNode is read, made, owned and written, each only where it is needed
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "agent/heartbeat.h"
#include "agent/report.h"
#include "data/decode.h"
#include "kube_world.h"

#define NODE_UID "00000000-0000-4000-8000-000000000001"
#define UID "00000000-0000-4000-8000-0000000000aa"
#define OWNERS                                                                                    \
	",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"name\":\"n1\",\"uid\":" \
	"\"" NODE_UID "\"}]"
#define BNODE(rv, more, status)                                                        \
	"{\"apiVersion\":\"berth.dev/v1alpha1\",\"kind\":\"BerthNode\",\"metadata\":{" \
	"\"name\":\"n1\",\"uid\":\"" UID "\",\"resourceVersion\":\"" rv "\"" more "}" status "}"
#define MISSING "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"no\",\"code\":404}"
#define CONFLICT "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"no\",\"code\":409}"
#define EMPTY_LIST "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[]}"
#define READ "GET /apis/berth.dev/v1alpha1/berthnodes/n1"
#define MADE "POST /apis/berth.dev/v1alpha1/berthnodes"
#define OWNED "PATCH /apis/berth.dev/v1alpha1/berthnodes/n1"
#define WRITTEN "PUT /apis/berth.dev/v1alpha1/berthnodes/n1/status"
#define LISTED "GET /apis/berth.dev/v1alpha1/berthnodes?fieldSelector=metadata.name%3Dn1&limit"
#define WATCHED "GET /apis/berth.dev/v1alpha1/berthnodes?fieldSelector=metadata.name%3Dn1&watch"

struct world {
	struct kube_world w; /* first */
	struct report *report;
	unsigned hung; /* what fill() says */
	unsigned late_told;
	bool late, unknown;
	unsigned want;
	const char *match;
};

static int fill(struct bnode_status *ret, void *userdata)
{
	struct world *w = userdata;

	if (w->unknown)
		return -ENOMEM;
	ret->lease = "berth-agent-n1";
	ret->counts_hung = w->hung;
	return 0;
}

static void on_late(bool late, void *userdata)
{
	struct world *w = userdata;

	w->late = late;
	w->late_told++;
}

static void answer(struct world *w, const char *match, int status, const char *body)
{
	fakeapi_answer(
		w->w.api, &(struct fake_answer){.match = match, .status = status, .body = body});
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	if (!w || kube_world_init(&w->w) < 0)
		return -1;
	answer(w, LISTED, 200, EMPTY_LIST);
	fakeapi_answer(w->w.api, &(struct fake_answer){.match = WATCHED, .how = FAKE_STREAM});
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	report_free(w->report);
	return kube_world_teardown(state);
}

static void start(struct world *w)
{
	static const struct report_ops ops = {fill, on_late};
	const struct report_setup s = {.loop = w->w.loop,
		.client = w->w.client,
		.node = "n1",
		.interval_ns = MILLISECONDS(1),
		.ops = &ops,
		.userdata = w};

	assert_int_equal(report_new(&w->report, &s), 0);
}

static bool came(void *userdata)
{
	struct world *w = userdata;

	return fakeapi_count(w->w.api, w->match) >= w->want;
}

static void await(struct world *w, const char *match, unsigned n)
{
	w->match = match;
	w->want = n;
	if (!fake_run(w->w.loop, came, w, 20000))
		fail_msg("%u of %u requests %s", fakeapi_count(w->w.api, match), n, match);
}

static bool in_time(void *userdata)
{
	struct world *w = userdata;

	return !report_count(w->report).late;
}

/* The JSON of the last request that matches. */
static json_t *sent(struct world *w, const char *match)
{
	json_t *json = NULL;

	for (unsigned i = 0; i < fakeapi_requests(w->w.api); i++) {
		const struct fake_request *q = fakeapi_request(w->w.api, i);

		if (!strstr(q->line, match))
			continue;
		json_decref(json);
		json = json_loads(q->body, 0, NULL);
	}
	assert_non_null(json);
	return json;
}

/* What the API server answers to a PUT: what was put. */
static const char *echo(struct world *w, char *dst, size_t size)
{
	json_t *json = sent(w, WRITTEN);
	char *text = json_dumps(json, 0);

	assert_true(strlen(text) < size);
	memcpy(dst, text, strlen(text) + 1);
	free(text);
	json_decref(json);
	return dst;
}

static void nothing_before_it_is_known(void **state)
{
	struct world *w = *state;

	start(w);
	report_condition(w->report, "NFSClient", true, "There", "nfs is there");
	await(w, WATCHED, 1);
	fake_pass(w->w.loop, 50);
	assert_int_equal(fakeapi_requests(w->w.api), 2);
	assert_true(report_count(w->report).late);
}

static void a_missing_one_is_made(void **state)
{
	struct world *w = *state;
	json_t *json;

	start(w);
	report_set_node(w->report, NODE_UID);
	report_condition(w->report, "NFSClient", false, "Missing", "no nfs in %s", "6.1");
	answer(w, READ, 404, MISSING);
	answer(w, MADE, 201, BNODE("7", OWNERS, ""));
	answer(w, WRITTEN, 200, BNODE("8", OWNERS, ",\"status\":{\"pruned\":true}"));
	report_begin(w->report);
	await(w, WRITTEN, 1);
	json = sent(w, MADE);
	assert_string_equal(json_string_at(json, "metadata", "name", NULL), "n1");
	assert_string_equal(
		json_string_at(
			json_array_get(json_at(json, "metadata", "ownerReferences", NULL), 0),
			"uid", NULL),
		NODE_UID);
	json_decref(json);
	json = sent(w, WRITTEN);
	assert_string_equal(json_string_at(json, "metadata", "resourceVersion", NULL), "7");
	assert_string_equal(json_string_at(json, "status", "nodeUID", NULL), NODE_UID);
	assert_string_equal(
		json_string_at(json_array_get(json_at(json, "status", "conditions", NULL), 0),
			"message", NULL),
		"no nfs in 6.1");
	json_decref(json);
	/* An older schema pruned it: not written for ever. */
	assert_true(fake_run(w->w.loop, in_time, w, 20000));
	assert_false(w->late);
	report_changed(w->report);
	fake_pass(w->w.loop, 1500);
	assert_int_equal(fakeapi_count(w->w.api, WRITTEN), 1);
	assert_int_equal(report_count(w->report).writes, 1);
}

static void only_changes_are_written(void **state)
{
	struct world *w = *state;
	char text[4096];
	json_t *json;

	start(w);
	answer(w, READ, 200, BNODE("7", "", ""));
	answer(w, WRITTEN, 409, CONFLICT);
	report_begin(w->report);
	await(w, WRITTEN, 1);
	/* Somebody was faster: read again, and what stands there is what we would write. */
	answer(w, READ, 200, echo(w, text, sizeof(text)));
	await(w, READ, 2);
	assert_true(fake_run(w->w.loop, in_time, w, 20000));
	assert_int_equal(fakeapi_count(w->w.api, WRITTEN), 1);
	w->hung = 3;
	answer(w, WRITTEN, 200, BNODE("9", "", ""));
	report_changed(w->report);
	await(w, WRITTEN, 2);
	json = sent(w, WRITTEN);
	assert_int_equal(json_integer_value(json_at(json, "status", "counts", "hung", NULL)), 3);
	json_decref(json);
}

static void a_node_of_another_uid_becomes_the_owner(void **state)
{
	struct world *w = *state;
	json_t *json;

	start(w);
	answer(w, READ, 200, BNODE("7", "", ""));
	answer(w, OWNED, 200, BNODE("8", OWNERS, ""));
	answer(w, WRITTEN, 200, BNODE("9", OWNERS, ""));
	report_set_node(w->report, NODE_UID);
	report_begin(w->report);
	await(w, WRITTEN, 1);
	assert_int_equal(fakeapi_count(w->w.api, OWNED), 1);
	/* The Node is gone: so is the owner, or the collector would come. */
	answer(w, OWNED, 200, BNODE("10", "", ""));
	answer(w, WRITTEN, 200, BNODE("11", "", ""));
	report_set_node(w->report, "");
	await(w, OWNED, 2);
	json = sent(w, OWNED);
	assert_int_equal(json_array_size(json_at(json, "metadata", "ownerReferences", NULL)), 0);
	json_decref(json);
	await(w, WRITTEN, 2);
}

/* An agent before us saw the same state since last year. */
static void times_outlive_the_agent(void **state)
{
	struct world *w = *state;
	static const char old[] = BNODE("7", "",
		",\"status\":{\"conditions\":["
		"{\"type\":\"A\",\"status\":\"True\",\"lastTransitionTime\":\"2025-01-02T03:04:"
		"05Z\"},"
		"{\"type\":\"B\",\"status\":\"True\",\"lastTransitionTime\":\"2025-01-02T03:04:"
		"05Z\"}]}");
	const char *since;
	json_t *json, *all;

	start(w);
	report_condition(w->report, "A", true, "R", "m");
	report_condition(w->report, "B", false, "R", "m");
	answer(w, READ, 200, old);
	answer(w, WRITTEN, 200, BNODE("8", "", ""));
	report_begin(w->report);
	await(w, WRITTEN, 1);
	json = sent(w, WRITTEN);
	all = (json_t *)json_at(json, "status", "conditions", NULL);
	assert_int_equal(json_array_size(all), 2);
	since = json_string_at(json_array_get(all, 0), "lastTransitionTime", NULL);
	assert_string_equal(since, "2025-01-02T03:04:05Z");
	since = json_string_at(json_array_get(all, 1), "lastTransitionTime", NULL);
	assert_string_not_equal(since, "2025-01-02T03:04:05Z");
	json_decref(json);
}

static void a_deleted_one_is_made_again(void **state)
{
	struct world *w = *state;
	static const char gone[] = "{\"type\":\"ADDED\",\"object\":" BNODE(
		"8", "", "") "}\n{\"type\":\"DELETED\",\"object\":" BNODE("9", "", "") "}\n";

	start(w);
	answer(w, READ, 200, BNODE("7", "", ""));
	answer(w, WRITTEN, 200, BNODE("8", "", ""));
	report_begin(w->report);
	await(w, WATCHED, 1);
	await(w, WRITTEN, 1);
	assert_true(fake_run(w->w.loop, in_time, w, 20000));
	answer(w, READ, 404, MISSING);
	answer(w, MADE, 201, BNODE("10", "", ""));
	answer(w, WRITTEN, 200, BNODE("11", "", ""));
	fakeapi_push(w->w.api, gone, sizeof(gone) - 1);
	await(w, MADE, 1);
	await(w, WRITTEN, 2);
}

/* What is not known is not written: others would conclude from it. */
static void nothing_is_written_that_is_not_known(void **state)
{
	struct world *w = *state;

	w->unknown = true;
	start(w);
	answer(w, READ, 200, BNODE("7", "", ""));
	report_begin(w->report);
	await(w, READ, 1);
	fake_pass(w->w.loop, 100);
	assert_int_equal(fakeapi_count(w->w.api, WRITTEN), 0);
	w->unknown = false;
	answer(w, WRITTEN, 200, BNODE("8", "", ""));
	await(w, WRITTEN, 1);
}

static void names_of_leases(void **state)
{
	char name[HEARTBEAT_NAME_MAX], other[HEARTBEAT_NAME_MAX], node[254];

	(void)state;
	assert_string_equal(heartbeat_name("n1", name), "berth-agent-n1");
	memset(node, 'a', 241);
	node[241] = '\0';
	assert_int_equal(strlen(heartbeat_name(node, name)), 253);
	memset(node, 'a', 253);
	node[253] = '\0';
	assert_true(strlen(heartbeat_name(node, name)) <= 253);
	node[252] = 'b';
	assert_string_not_equal(heartbeat_name(node, other), name);
	assert_memory_equal(other, "berth-agent-aaaa", 16);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(nothing_before_it_is_known),
		T(a_missing_one_is_made),
		T(only_changes_are_written),
		T(a_node_of_another_uid_becomes_the_owner),
		T(times_outlive_the_agent),
		T(a_deleted_one_is_made_again),
		T(nothing_is_written_that_is_not_known),
		cmocka_unit_test(names_of_leases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
