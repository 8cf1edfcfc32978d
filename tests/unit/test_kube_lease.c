/* SPDX-License-Identifier: Apache-2.0 */
/* test_kube_lease.c: leader election against a scripted server (client-go tools/leaderelection) */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/lease.h"
#include "kube_world.h"

#define LEASE(holder, rv)                                                                         \
	"{\"metadata\":{\"name\":\"l\",\"resourceVersion\":\"" rv "\",\"labels\":{\"x\":\"y\"}}," \
	"\"spec\":{\"holderIdentity\":\"" holder "\",\"leaseDurationSeconds\":1,"                 \
	"\"leaseTransitions\":4,\"acquireTime\":\"2020-01-01T00:00:00.000000Z\","                 \
	"\"renewTime\":\"2020-01-01T00:00:00.000000Z\",\"strategy\":\"new\"}}"
#define GET "GET /apis/coordination.k8s.io/v1/namespaces/ns/leases/l"
#define PUT "PUT /apis/coordination.k8s.io/v1/namespaces/ns/leases/l"
#define POST "POST /apis/coordination.k8s.io/v1/namespaces/ns/leases"
#define NOT_FOUND "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"code\":404}"
#define CONFLICT "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"code\":409}"

struct election {
	struct kube_world w; /* first */
	struct lease *lease;
	unsigned acquired, lost, released;
	bool free_in_lost, valid_in_lost;
};

static void on_acquired(struct lease *l, void *userdata)
{
	struct election *e = userdata;

	assert_true(lease_valid(l));
	e->acquired++;
}

static void on_lost(struct lease *l, void *userdata)
{
	struct election *e = userdata;

	e->lost++;
	e->valid_in_lost = lease_valid(l);
	if (e->free_in_lost)
		e->lease = lease_free(e->lease);
}

static void on_released(struct lease *l, void *userdata)
{
	struct election *e = userdata;

	assert_false(lease_valid(l));
	e->released++;
}

static int setup(void **state)
{
	struct election *e = calloc(1, sizeof(*e));

	*state = e;
	return e ? kube_world_init(&e->w) : -1;
}

static int teardown(void **state)
{
	struct election *e = *state;

	lease_free(e->lease);
	return kube_world_teardown(state);
}

static void expect(struct election *e, struct fake_answer a)
{
	fakeapi_answer(e->w.api, &a);
}

/* A duration of 300 ms, a deadline of 200 ms, a try each 40 ms. */
static void start(struct election *e)
{
	const struct lease_options o = {
		"ns", "l", "me", MILLISECONDS(300), MILLISECONDS(200), MILLISECONDS(40), false};
	const struct lease_callbacks cb = {on_acquired, on_lost, on_released};

	assert_int_equal(lease_new(&e->lease, e->w.loop, &e->w.config, &o, &cb, e, NULL), 0);
	assert_false(lease_valid(e->lease));
}

static bool is_held(void *userdata)
{
	return ((struct election *)userdata)->acquired > 0;
}

static bool is_lost(void *userdata)
{
	return ((struct election *)userdata)->lost > 0;
}

static bool is_released(void *userdata)
{
	return ((struct election *)userdata)->released > 0;
}

static bool wait_for(struct election *e, bool (*what)(void *userdata))
{
	return fake_run(e->w.loop, what, e, 5000);
}

static const struct fake_request *request(const struct election *e, unsigned i)
{
	return fakeapi_request(e->w.api, i);
}

static void an_absent_lease_is_created(void **state)
{
	struct election *e = *state;

	expect(e, (struct fake_answer){.match = GET, .status = 404, .body = NOT_FOUND});
	expect(e, (struct fake_answer){.match = POST, .status = 201, .body = LEASE("me", "1")});
	expect(e, (struct fake_answer){.match = PUT, .body = LEASE("me", "2"), .repeat = true});
	start(e);
	assert_true(wait_for(e, is_held));
	assert_non_null(strstr(request(e, 1)->body, "\"holderIdentity\":\"me\""));
	assert_non_null(strstr(request(e, 1)->body, "\"leaseTransitions\":0"));
	assert_non_null(strstr(request(e, 1)->body, "\"leaseDurationSeconds\":1"));
	assert_true(lease_valid(e->lease));
	assert_true(lease_renewed_at(e->lease) > 0);
}

/* TestFastPathLeaderElection: the holder renews without a GET. */
static void the_holder_renews_in_one_request(void **state)
{
	struct election *e = *state;

	expect(e, (struct fake_answer){.match = GET, .body = LEASE("", "1")});
	expect(e, (struct fake_answer){.match = PUT, .body = LEASE("me", "2")});
	expect(e, (struct fake_answer){.match = PUT, .body = LEASE("me", "3")});
	expect(e, (struct fake_answer){.match = PUT, .body = LEASE("me", "4"), .repeat = true});
	start(e);
	assert_true(wait_for(e, is_held));
	fake_pass(e->w.loop, 150);
	assert_int_equal(fakeapi_count(e->w.api, GET), 1);
	assert_in_range(fakeapi_count(e->w.api, PUT), 3, 5);
	/* Taken over: transitions + 1, what we do not know is kept; renewed: as it was. */
	assert_non_null(strstr(request(e, 1)->body, "\"resourceVersion\":\"1\""));
	assert_non_null(strstr(request(e, 1)->body, "\"leaseTransitions\":5"));
	assert_null(strstr(request(e, 1)->body, "\"acquireTime\":\"2020"));
	assert_non_null(strstr(request(e, 2)->body, "\"resourceVersion\":\"2\""));
	assert_non_null(strstr(request(e, 2)->body, "\"leaseTransitions\":4"));
	assert_non_null(strstr(request(e, 2)->body, "\"acquireTime\":\"2020"));
	assert_null(strstr(request(e, 2)->body, "\"renewTime\":\"2020"));
	assert_non_null(strstr(request(e, 2)->body, "\"strategy\":\"new\""));
	assert_non_null(strstr(request(e, 2)->body, "\"labels\":{\"x\":\"y\"}"));
	assert_int_equal(e->acquired, 1);
	assert_int_equal(e->lost, 0);
}

/* Where renewTime is of 2020: only what is seen here counts, for a whole duration. */
static void anothers_lease_is_waited_for(void **state)
{
	struct election *e = *state;
	uint64_t before = clock_now();

	expect(e, (struct fake_answer){.match = GET, .body = LEASE("you", "1"), .repeat = true});
	expect(e, (struct fake_answer){.match = PUT, .body = LEASE("me", "2"), .repeat = true});
	start(e);
	assert_true(wait_for(e, is_held));
	assert_true(clock_now() - before >= SECONDS(1));
}

static void a_renewed_lease_is_waited_for_longer(void **state)
{
	struct election *e = *state;

	for (int i = 0; i < 8; i++)
		expect(e, (struct fake_answer){.match = GET, .body = LEASE("you", "1")});
	expect(e, (struct fake_answer){.match = GET, .body = LEASE("they", "2"), .repeat = true});
	start(e);
	fake_pass(e->w.loop, 1050);
	assert_int_equal(e->acquired, 0);
	assert_int_equal(fakeapi_count(e->w.api, PUT), 0);
}

static void a_conflict_loses_the_race(void **state)
{
	struct election *e = *state;

	expect(e, (struct fake_answer){.match = GET, .body = LEASE("", "1")});
	expect(e, (struct fake_answer){.match = PUT, .status = 409, .body = CONFLICT});
	expect(e, (struct fake_answer){.match = GET, .body = LEASE("you", "2"), .repeat = true});
	start(e);
	fake_pass(e->w.loop, 100);
	assert_int_equal(e->acquired, 0);
	assert_int_equal(fakeapi_count(e->w.api, PUT), 1);
}

static void take_it(struct election *e)
{
	expect(e, (struct fake_answer){.match = GET, .body = LEASE("", "1")});
	expect(e, (struct fake_answer){.match = PUT, .body = LEASE("me", "2")});
	start(e);
	assert_true(wait_for(e, is_held));
}

static void a_server_that_fails_ends_it_in_time(void **state)
{
	struct election *e = *state;
	uint64_t since;

	take_it(e);
	expect(e, (struct fake_answer){
			  .match = "leases", .status = 500, .body = "no", .repeat = true});
	assert_true(wait_for(e, is_lost));
	since = clock_now() - lease_renewed_at(e->lease);
	assert_in_range(since, MILLISECONDS(200), MILLISECONDS(300));
	assert_false(e->valid_in_lost);
	assert_false(lease_valid(e->lease));
}

static void a_silent_server_ends_it_in_time(void **state)
{
	struct election *e = *state;
	uint64_t since;

	take_it(e);
	expect(e, (struct fake_answer){.match = "leases", .how = FAKE_SILENT, .repeat = true});
	assert_true(wait_for(e, is_lost));
	since = clock_now() - lease_renewed_at(e->lease);
	assert_in_range(since, MILLISECONDS(200), MILLISECONDS(300));
}

static void one_failure_is_survived(void **state)
{
	struct election *e = *state;

	take_it(e);
	expect(e, (struct fake_answer){.match = PUT, .how = FAKE_RST});
	expect(e, (struct fake_answer){.match = GET, .status = 503, .body = "no"});
	expect(e, (struct fake_answer){.match = PUT, .status = 409, .body = CONFLICT});
	expect(e, (struct fake_answer){.match = GET, .body = LEASE("me", "7")});
	expect(e, (struct fake_answer){.match = PUT, .body = LEASE("me", "8"), .repeat = true});
	fake_pass(e->w.loop, 250);
	assert_int_equal(e->lost, 0);
	assert_true(lease_valid(e->lease));
	assert_int_equal(e->acquired, 1);
}

static void who_sees_another_holder_stops_at_once(void **state)
{
	struct election *e = *state;

	take_it(e);
	expect(e, (struct fake_answer){.match = PUT, .status = 409, .body = CONFLICT});
	expect(e, (struct fake_answer){.match = GET, .body = LEASE("you", "9"), .repeat = true});
	assert_true(wait_for(e, is_lost));
	/* Until its deadline it would have asked again and again. */
	assert_int_equal(fakeapi_count(e->w.api, GET), 2);
}

/* B8: the loop stood still; what was queued meanwhile must not bring the lease back to life. */
static void a_pause_ends_validity_by_itself(void **state)
{
	struct election *e = *state;
	uint64_t until;

	take_it(e);
	until = clock_now() + MILLISECONDS(210);
	while (clock_now() < until)
		;
	assert_false(lease_valid(e->lease));
	assert_int_equal(e->lost, 0);
	expect(e, (struct fake_answer){.match = GET, .body = LEASE("you", "9"), .repeat = true});
	expect(e, (struct fake_answer){.match = PUT, .status = 409, .body = CONFLICT});
	assert_true(wait_for(e, is_lost));
}

static void may_be_freed_when_lost(void **state)
{
	struct election *e = *state;

	take_it(e);
	e->free_in_lost = true;
	expect(e, (struct fake_answer){.match = PUT, .status = 409, .body = CONFLICT});
	expect(e, (struct fake_answer){.match = GET, .body = LEASE("you", "9"), .repeat = true});
	assert_true(wait_for(e, is_lost));
	fake_pass(e->w.loop, 50);
	assert_null(e->lease);
}

/* TestReleaseRetriesOnConflict */
static void release_tries_again_after_a_conflict(void **state)
{
	struct election *e = *state;
	const struct fake_request *q;

	take_it(e);
	expect(e, (struct fake_answer){.match = GET, .body = LEASE("me", "5")});
	expect(e, (struct fake_answer){.match = PUT, .status = 409, .body = CONFLICT});
	expect(e, (struct fake_answer){.match = GET, .body = LEASE("me", "6")});
	expect(e, (struct fake_answer){.match = PUT, .body = LEASE("", "7")});
	lease_release(e->lease);
	assert_false(lease_valid(e->lease));
	assert_true(wait_for(e, is_released));
	q = request(e, fakeapi_requests(e->w.api) - 1);
	assert_non_null(strstr(q->body, "\"holderIdentity\":\"\""));
	assert_non_null(strstr(q->body, "\"resourceVersion\":\"6\""));
	assert_non_null(strstr(q->body, "\"leaseDurationSeconds\":1"));
	assert_non_null(strstr(q->body, "\"leaseTransitions\":4"));
	assert_int_equal(e->lost, 0);
	fake_pass(e->w.loop, 100);
	assert_int_equal(e->released, 1);
}

static void release_leaves_anothers_alone(void **state)
{
	struct election *e = *state;

	take_it(e);
	expect(e, (struct fake_answer){.match = GET, .body = LEASE("you", "5")});
	lease_release(e->lease);
	assert_true(wait_for(e, is_released));
	assert_int_equal(fakeapi_count(e->w.api, PUT), 1);
}

static void release_without_a_lease_ends(void **state)
{
	struct election *e = *state;

	expect(e, (struct fake_answer){.match = GET, .how = FAKE_SILENT});
	start(e);
	fake_pass(e->w.loop, 20);
	lease_release(e->lease);
	assert_int_equal(e->released, 0);
	assert_true(wait_for(e, is_released));
}

static void options_are_checked(void **state)
{
	struct election *e = *state;
	const struct lease_options bad[] = {
		{"ns", "l", "me", SECONDS(10), SECONDS(10), SECONDS(2), false},
		{"ns", "l", "me", SECONDS(15), SECONDS(2), SECONDS(2), false},
		{"ns", "l", "", SECONDS(15), SECONDS(10), SECONDS(2), false},
	};
	const struct lease_callbacks cb = {on_acquired, on_lost, on_released};

	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		struct err err = ERR_NULL;

		assert_int_equal(
			lease_new(&e->lease, e->w.loop, &e->w.config, &bad[i], &cb, e, &err),
			-EINVAL);
		assert_true(err.text[0]);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_absent_lease_is_created),
		T(the_holder_renews_in_one_request),
		T(anothers_lease_is_waited_for),
		T(a_renewed_lease_is_waited_for_longer),
		T(a_conflict_loses_the_race),
		T(a_server_that_fails_ends_it_in_time),
		T(a_silent_server_ends_it_in_time),
		T(one_failure_is_survived),
		T(who_sees_another_holder_stops_at_once),
		T(a_pause_ends_validity_by_itself),
		T(may_be_freed_when_lost),
		T(release_tries_again_after_a_conflict),
		T(release_leaves_anothers_alone),
		T(release_without_a_lease_ends),
		T(options_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
