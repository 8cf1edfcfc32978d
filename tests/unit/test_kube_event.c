/* SPDX-License-Identifier: Apache-2.0 */
/* test_kube_event.c: events are counted, combined, limited, and never in the way */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kube/event.h"
#include "kube_world.h"

#define EVENTS "POST /api/v1/namespaces/ns/events"
#define REPEAT "PATCH /api/v1/namespaces/ns/events/claim."

static const struct kube_event_target claim = {
	"PersistentVolumeClaim", "v1", "ns", "claim", "00000000-0000-4000-8000-000000000001", "12"};
static const struct kube_event_target volume = {
	"PersistentVolume", "v1", "", "pv", "00000000-0000-4000-8000-000000000002", NULL};

struct recorder {
	struct kube_world w; /* first */
	struct kube_events *ev;
};

static int setup(void **state)
{
	struct recorder *r = calloc(1, sizeof(*r));

	*state = r;
	if (!r || kube_world_init(&r->w) < 0)
		return -1;
	return kube_events_new(&r->ev, r->w.client, "nfs.berth.dev_pod");
}

static int teardown(void **state)
{
	struct recorder *r = *state;

	kube_events_free(r->ev);
	return kube_world_teardown(state);
}

static void expect(struct recorder *r, struct fake_answer a)
{
	fakeapi_answer(r->w.api, &a);
}

static bool nothing_pending(void *userdata)
{
	return kube_events_pending(((struct recorder *)userdata)->ev) == 0;
}

static void settle(struct recorder *r)
{
	assert_true(fake_run(r->w.loop, nothing_pending, r, 5000));
}

static const struct fake_request *request(const struct recorder *r, unsigned i)
{
	return fakeapi_request(r->w.api, i);
}

static void an_event_is_posted(void **state)
{
	struct recorder *r = *state;
	const char *body;
	json_t *j, *o;

	expect(r, (struct fake_answer){.match = EVENTS, .status = 201, .body = "{}"});
	kube_event(r->ev, &claim, true, "ProvisioningFailed", "no \"%s\"", "room");
	settle(r);
	body = request(r, 0)->body;
	j = json_loads(body, 0, NULL);
	assert_non_null(j);
	assert_string_equal(json_string_value(json_object_get(j, "reason")), "ProvisioningFailed");
	assert_string_equal(json_string_value(json_object_get(j, "message")), "no \"room\"");
	assert_string_equal(json_string_value(json_object_get(j, "type")), "Warning");
	assert_int_equal(json_integer_value(json_object_get(j, "count")), 1);
	o = json_object_get(j, "metadata");
	assert_int_equal(strncmp(json_string_value(json_object_get(o, "name")), "claim.", 6), 0);
	assert_string_equal(json_string_value(json_object_get(o, "namespace")), "ns");
	o = json_object_get(j, "involvedObject");
	assert_string_equal(json_string_value(json_object_get(o, "uid")), claim.uid);
	assert_string_equal(json_string_value(json_object_get(o, "resourceVersion")), "12");
	o = json_object_get(j, "source");
	assert_string_equal(
		json_string_value(json_object_get(o, "component")), "nfs.berth.dev_pod");
	json_decref(j);
}

static void cluster_scoped_objects_report_in_default(void **state)
{
	struct recorder *r = *state;
	const char *body;

	expect(r, (struct fake_answer){
			  .match = "POST /api/v1/namespaces/default/events", .body = "{}"});
	kube_event(r->ev, &volume, false, "Reclaimed", "done");
	settle(r);
	body = strstr(request(r, 0)->body, "\"involvedObject\":{");
	assert_non_null(body);
	assert_null(strstr(body, "namespace"));
	assert_null(strstr(body, "resourceVersion"));
	assert_non_null(strstr(body, "\"type\":\"Normal\""));
}

static void repeats_are_counted(void **state)
{
	struct recorder *r = *state;
	char name[64];

	expect(r, (struct fake_answer){.match = EVENTS, .body = "{}"});
	expect(r, (struct fake_answer){.match = REPEAT, .body = "{}", .repeat = true});
	kube_event(r->ev, &claim, true, "Failed", "same");
	settle(r);
	kube_event(r->ev, &claim, true, "Failed", "same");
	settle(r);
	kube_event(r->ev, &claim, true, "Failed", "same");
	settle(r);
	assert_int_equal(fakeapi_requests(r->w.api), 3);
	assert_non_null(strstr(request(r, 1)->body, "\"count\":2"));
	assert_non_null(strstr(request(r, 2)->body, "\"count\":3"));
	/* The same event by name. */
	str_copy_cut(name, sizeof(name), strstr(request(r, 0)->body, "claim."));
	name[strcspn(name, "\"")] = '\0';
	assert_non_null(strstr(request(r, 2)->line, name));
}

static void repeats_in_flight_become_one_request(void **state)
{
	struct recorder *r = *state;

	expect(r, (struct fake_answer){.match = EVENTS, .body = "{}"});
	expect(r, (struct fake_answer){.match = REPEAT, .body = "{}", .repeat = true});
	for (int i = 0; i < 20; i++)
		kube_event(r->ev, &claim, true, "Failed", "same");
	assert_int_equal(kube_events_pending(r->ev), 1);
	settle(r);
	assert_int_equal(fakeapi_requests(r->w.api), 2);
	assert_non_null(strstr(request(r, 1)->body, "\"count\":20"));
}

static void an_expired_event_begins_anew(void **state)
{
	struct recorder *r = *state;

	expect(r, (struct fake_answer){.match = EVENTS, .body = "{}", .repeat = true});
	expect(r, (struct fake_answer){.match = REPEAT, .status = 404, .body = "{}"});
	kube_event(r->ev, &claim, true, "Failed", "same");
	settle(r);
	kube_event(r->ev, &claim, true, "Failed", "same");
	settle(r);
	assert_int_equal(fakeapi_count(r->w.api, EVENTS), 2);
	assert_non_null(strstr(request(r, 2)->body, "\"count\":2"));
}

static void alike_events_are_combined(void **state)
{
	struct recorder *r = *state;
	unsigned combined = 0, n;

	expect(r, (struct fake_answer){.match = EVENTS, .body = "{}", .repeat = true});
	expect(r, (struct fake_answer){.match = REPEAT, .body = "{}", .repeat = true});
	for (int i = 0; i < 14; i++) {
		kube_event(r->ev, &claim, true, "Failed", "message %d", i);
		settle(r);
	}
	n = fakeapi_requests(r->w.api);
	for (unsigned i = 0; i < n; i++)
		combined += strstr(request(r, i)->body, "(combined from similar events): ") != NULL;
	assert_int_equal(n, 14);
	assert_int_equal(combined, 4);
	assert_int_equal(fakeapi_count(r->w.api, EVENTS), 11);
	assert_non_null(strstr(request(r, 13)->body, "\"count\":4"));
}

static void an_object_may_not_flood(void **state)
{
	struct recorder *r = *state;

	expect(r, (struct fake_answer){.match = "events", .body = "{}", .repeat = true});
	for (int i = 0; i < 100; i++) {
		kube_event(r->ev, &claim, true, i % 2 ? "A" : "B", "same");
		settle(r);
	}
	assert_int_equal(fakeapi_requests(r->w.api), 25);
	/* Another object is not concerned. */
	kube_event(r->ev, &volume, true, "A", "same");
	settle(r);
	assert_int_equal(fakeapi_requests(r->w.api), 26);
	/* One more in five minutes of 20 ms a second. */
	fake_pass(r->w.loop, 6100);
	kube_event(r->ev, &claim, true, "A", "same");
	kube_event(r->ev, &claim, true, "B", "same");
	settle(r);
	assert_int_equal(fakeapi_requests(r->w.api), 27);
}

static void events_leave_room_for_work(void **state)
{
	struct recorder *r = *state;
	struct kube_client_stats s;
	char names[40][16];

	expect(r, (struct fake_answer){.match = "events", .how = FAKE_SILENT, .repeat = true});
	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		struct kube_event_target t = claim;

		snprintf(names[i], sizeof(names[i]), "c%zu", i);
		t.name = names[i];
		kube_event(r->ev, &t, false, "R", "m");
	}
	kube_client_stats(r->w.client, &s);
	assert_int_equal(s.in_flight, 16);
	assert_int_equal(kube_events_pending(r->ev), 40);
	expect(r, (struct fake_answer){.match = "GET /work", .body = "{}"});
	kube_world_get(&r->w, "/work");
	assert_int_equal(r->w.status, KUBE_OK);
}

static void on_work(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	(void)q;
	(void)res;
	(void)userdata;
}

/* While the API server is busy with claims, news trickle; afterwards all of them are told. */
static void events_wait_for_the_end_of_a_burst(void **state)
{
	struct recorder *r = *state;
	struct kube_request_spec work = {.method = KUBE_GET, .path = "/work"};
	struct kube_request *works[30];
	struct kube_client_stats s;

	expect(r, (struct fake_answer){.match = "GET /work", .how = FAKE_SILENT, .repeat = true});
	expect(r, (struct fake_answer){.match = EVENTS, .body = "{}", .repeat = true});
	for (size_t i = 0; i < ELEMENTSOF(works); i++)
		assert_int_equal(kube_request(r->w.client, &work, on_work, r, &works[i]), 0);
	for (int i = 0; i < 20; i++) {
		struct kube_event_target t = claim;
		char name[16];

		snprintf(name, sizeof(name), "c%d", i);
		t.name = name;
		kube_event(r->ev, &t, false, "R", "m");
	}
	kube_client_stats(r->w.client, &s);
	assert_int_equal(s.in_flight, ELEMENTSOF(works) + 2);
	fake_pass(r->w.loop, 100);
	assert_int_equal(kube_events_pending(r->ev), 18);
	for (size_t i = 0; i < ELEMENTSOF(works); i++)
		kube_request_cancel(works[i]);
	settle(r);
	assert_int_equal(kube_events_pending(r->ev), 0);
}

static void the_queue_is_bounded(void **state)
{
	struct recorder *r = *state;

	expect(r, (struct fake_answer){.match = "events", .how = FAKE_SILENT, .repeat = true});
	for (int i = 0; i < 6000; i++) {
		struct kube_event_target t = claim;
		char name[16];

		snprintf(name, sizeof(name), "c%d", i);
		t.name = name;
		kube_event(r->ev, &t, false, "R", "m");
	}
	assert_int_equal(kube_events_pending(r->ev), 4016);
}

static void a_server_that_fails_is_tried_again(void **state)
{
	struct recorder *r = *state;
	uint64_t before = clock_now();

	expect(r, (struct fake_answer){.match = EVENTS, .status = 500, .body = "no"});
	expect(r, (struct fake_answer){.match = EVENTS, .how = FAKE_RST});
	expect(r, (struct fake_answer){.match = EVENTS, .body = "{}"});
	kube_event(r->ev, &claim, true, "Failed", "same");
	settle(r);
	assert_int_equal(fakeapi_requests(r->w.api), 3);
	assert_true(clock_now() - before >= 2 * 10 * WORLD_SECOND);
}

static void what_is_refused_is_dropped(void **state)
{
	struct recorder *r = *state;

	expect(r, (struct fake_answer){
			  .match = EVENTS, .status = 403, .body = "{\"message\":\"terminating\"}"});
	kube_event(r->ev, &claim, true, "Failed", "same");
	settle(r);
	assert_int_equal(fakeapi_requests(r->w.api), 1);
}

static void texts_are_cut_and_escaped(void **state)
{
	struct recorder *r = *state;
	struct kube_event_target t = claim;
	char name[300], message[3000];
	json_t *j;

	memset(name, 'n', sizeof(name));
	name[252] = '\0';
	memset(message, 'x', sizeof(message));
	message[0] = '\x1b';
	message[sizeof(message) - 1] = '\0';
	t.name = name;
	expect(r, (struct fake_answer){.match = EVENTS, .body = "{}"});
	kube_event(r->ev, &t, true, "Failed", "%s", message);
	settle(r);
	j = json_loads(request(r, 0)->body, 0, NULL);
	assert_non_null(j);
	assert_true(strlen(json_string_value(json_object_get(j, "message"))) <= 1024);
	assert_int_equal(
		strncmp(json_string_value(json_object_get(j, "message")), "\\x1bxx", 6), 0);
	assert_int_equal(
		strncmp(json_string_value(json_object_get(json_object_get(j, "metadata"), "name")),
			"berth-event.", 12),
		0);
	json_decref(j);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_event_is_posted),
		T(cluster_scoped_objects_report_in_default),
		T(repeats_are_counted),
		T(repeats_in_flight_become_one_request),
		T(an_expired_event_begins_anew),
		T(alike_events_are_combined),
		T(an_object_may_not_flood),
		T(events_leave_room_for_work),
		T(events_wait_for_the_end_of_a_burst),
		T(the_queue_is_bounded),
		T(a_server_that_fails_is_tried_again),
		T(what_is_refused_is_dropped),
		T(texts_are_cut_and_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
