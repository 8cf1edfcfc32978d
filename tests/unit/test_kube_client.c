/* SPDX-License-Identifier: Apache-2.0 */
/* test_kube_client.c: requests against a scripted server: what is sent, retried, limited, told */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "kube_world.h"

#define OK_BODY "{\"kind\":\"X\",\"metadata\":{\"name\":\"a\"}}"

static void expect(struct kube_world *w, struct fake_answer a)
{
	fakeapi_answer(w->api, &a);
}

static void a_get_brings_the_object(void **state)
{
	struct kube_world *w = *state;
	const struct fake_request *q;

	expect(w, (struct fake_answer){.match = "GET /api/v1/x?a=b", .body = OK_BODY});
	kube_world_get(w, "/api/v1/x?a=b");
	assert_int_equal(w->status, KUBE_OK);
	assert_int_equal(w->http, 200);
	assert_string_equal(json_string_value(json_object_get(w->object, "kind")), "X");
	q = fakeapi_request(w->api, 0);
	assert_non_null(strstr(q->head, "Accept: application/json\r\n"));
	assert_non_null(strcasestr(q->head, "Accept-Encoding: gzip\r\n"));
	assert_non_null(strstr(q->head, "User-Agent: test/1\r\n"));
	assert_null(strstr(q->head, "Authorization"));
}

static void the_servers_clock_and_silence_are_known(void **state)
{
	struct kube_world *w = *state;
	int64_t ahead = 0;

	assert_false(kube_client_clock(w->client, &ahead));
	expect(w, (struct fake_answer){.match = "GET /a", .body = OK_BODY});
	kube_world_get(w, "/a");
	assert_false(kube_client_clock(w->client, &ahead));
	expect(w, (struct fake_answer){.match = "GET /b",
			  .headers = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
			  .body = OK_BODY});
	kube_world_get(w, "/b");
	assert_true(kube_client_clock(w->client, &ahead));
	/* RFC 9110's example is 784111777. */
	assert_true(ahead < 0);
	assert_int_equal(
		(uint64_t)((int64_t)clock_real() + ahead) / SECONDS(60), 784111777ULL / 60);
	assert_string_equal(kube_client_trouble(w->client), "");
	expect(w, (struct fake_answer){.match = "POST /c", .how = FAKE_RST});
	kube_world_do(w, &(struct kube_request_spec){.method = KUBE_POST, .path = "/c"});
	assert_int_equal(w->status, KUBE_E_TRANSPORT);
	assert_string_not_equal(kube_client_trouble(w->client), "");
	expect(w, (struct fake_answer){.match = "GET /d", .body = OK_BODY});
	kube_world_get(w, "/d");
	assert_string_equal(kube_client_trouble(w->client), "");
}

static void each_method_has_its_type(void **state)
{
	static const struct {
		enum kube_method m;
		const char *line, *type;
	} cases[] = {
		{KUBE_POST, "POST /p", "application/json"},
		{KUBE_PUT, "PUT /p", "application/json"},
		{KUBE_DELETE, "DELETE /p", "application/json"},
		{KUBE_PATCH_MERGE, "PATCH /p", "application/merge-patch+json"},
		{KUBE_PATCH_JSON, "PATCH /p", "application/json-patch+json"},
		{KUBE_PATCH_STRATEGIC, "PATCH /p", "application/strategic-merge-patch+json"},
	};
	struct kube_world *w = *state;

	for (unsigned i = 0; i < ELEMENTSOF(cases); i++) {
		const struct fake_request *q;
		char type[128];

		expect(w, (struct fake_answer){.match = cases[i].line, .body = OK_BODY});
		kube_world_do(w, &(struct kube_request_spec){.method = cases[i].m,
					 .path = "/p",
					 .body = "{\"a\":1}",
					 .body_size = 7});
		assert_int_equal(w->status, KUBE_OK);
		q = fakeapi_request(w->api, i);
		assert_string_equal(q->body, "{\"a\":1}");
		snprintf(type, sizeof(type), "Content-Type: %s\r\n", cases[i].type);
		assert_non_null(strstr(q->head, type));
	}
	/* A handle that sent a body is used again for a request without one. */
	expect(w, (struct fake_answer){.match = "GET /q", .body = OK_BODY});
	kube_world_get(w, "/q");
	assert_string_equal(fakeapi_request(w->api, 6)->body, "");
	assert_int_equal(fakeapi_connections(w->api), 1);
}

static void json_bodies_are_taken(void **state)
{
	struct kube_world *w = *state;

	expect(w, (struct fake_answer){.match = "POST /p", .body = OK_BODY});
	assert_int_equal(kube_request_json(w->client, KUBE_POST, "/p", json_pack("{s:i}", "n", 7),
				 kube_world_on_answer, w, NULL),
		0);
	assert_true(kube_world_answers(w, 1));
	assert_string_equal(fakeapi_request(w->api, 0)->body, "{\"n\":7}");
}

static void statuses_are_told_apart(void **state)
{
	static const struct {
		int http;
		const char *reason;
		enum kube_status status;
	} cases[] = {
		{400, "BadRequest", KUBE_E_BAD_REQUEST},
		{403, "Forbidden", KUBE_E_FORBIDDEN},
		{404, "NotFound", KUBE_E_NOT_FOUND},
		{409, "AlreadyExists", KUBE_E_EXISTS},
		{409, "Conflict", KUBE_E_CONFLICT},
		{410, "Expired", KUBE_E_GONE},
		{415, "UnsupportedMediaType", KUBE_E_BAD_REQUEST},
		{422, "Invalid", KUBE_E_INVALID},
		{429, "TooManyRequests", KUBE_E_BUSY},
		{500, "InternalError", KUBE_E_SERVER},
		{302, "Found", KUBE_E_SERVER},
	};
	struct kube_world *w = *state;
	char bodies[ELEMENTSOF(cases)][160];

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		snprintf(bodies[i], sizeof(bodies[i]),
			"{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"m%zu\","
			"\"reason\":\"%s\",\"code\":%d}",
			i, cases[i].reason, cases[i].http);
		expect(w, (struct fake_answer){.match = "POST /x",
				  .status = cases[i].http,
				  .headers = "Location: /y\r\n",
				  .body = bodies[i]});
		kube_world_post(w, "/x", "{}");
		assert_int_equal(w->status, cases[i].status);
		assert_int_equal(w->http, cases[i].http);
		assert_int_equal(w->text[0], 'm');
	}
	assert_int_equal(fakeapi_requests(w->api), ELEMENTSOF(cases));
}

static void answers_without_json_are_told_by_code(void **state)
{
	struct kube_world *w = *state;

	expect(w, (struct fake_answer){.match = "/x", .status = 503, .body = "<html>busy</html>"});
	kube_world_get(w, "/x");
	assert_int_equal(w->status, KUBE_E_SERVER);
	assert_null(w->object);
	assert_string_equal(w->text, "HTTP status 503");
	expect(w, (struct fake_answer){.match = "/x", .body = "{\"cut"});
	kube_world_get(w, "/x");
	assert_int_equal(w->status, KUBE_E_SERVER);
	assert_null(w->object);
}

/* TestCheckRetryHandles429And5xx: with Retry-After every verb is tried again, ten times. */
static void retry_after_holds_for_every_verb(void **state)
{
	static const int codes[] = {429, 500, 503, 504};
	struct kube_world *w = *state;
	uint64_t before = clock_now();

	for (size_t i = 0; i < ELEMENTSOF(codes); i++)
		expect(w, (struct fake_answer){.match = "POST /x",
				  .status = codes[i],
				  .headers = "Retry-After: 1\r\n",
				  .body = "{}"});
	expect(w, (struct fake_answer){.match = "POST /x", .body = OK_BODY});
	kube_world_post(w, "/x", "{}");
	assert_int_equal(w->status, KUBE_OK);
	assert_int_equal(fakeapi_requests(w->api), 5);
	assert_true(clock_now() - before >= 4 * WORLD_SECOND);
}

static void retries_end(void **state)
{
	struct kube_world *w = *state;
	struct kube_client_stats s;

	expect(w, (struct fake_answer){.match = "PATCH /x",
			  .status = 429,
			  .headers = "Retry-After: 0\r\n",
			  .body = "{}",
			  .repeat = true});
	kube_world_do(
		w, &(struct kube_request_spec){
			   .method = KUBE_PATCH_MERGE, .path = "/x", .body = "{}", .body_size = 2});
	assert_int_equal(w->status, KUBE_E_BUSY);
	assert_int_equal(fakeapi_requests(w->api), 11);
	kube_client_stats(w->client, &s);
	assert_int_equal(s.requests[KUBE_PATCH_MERGE], 11);
	assert_int_equal(s.retries, 10);
	assert_int_equal(s.throttled, 10);
}

static void without_retry_after_there_is_no_retry(void **state)
{
	struct kube_world *w = *state;

	expect(w, (struct fake_answer){.match = "/x", .status = 429, .body = "{}", .repeat = true});
	kube_world_get(w, "/x");
	assert_int_equal(w->status, KUBE_E_BUSY);
	assert_int_equal(fakeapi_requests(w->api), 1);
}

static void once_is_once(void **state)
{
	struct kube_world *w = *state;

	expect(w, (struct fake_answer){.match = "/x",
			  .status = 503,
			  .headers = "Retry-After: 0\r\n",
			  .body = "{}",
			  .repeat = true});
	kube_world_do(
		w, &(struct kube_request_spec){.method = KUBE_GET, .path = "/x", .once = true});
	assert_int_equal(w->status, KUBE_E_SERVER);
	assert_int_equal(fakeapi_requests(w->api), 1);
}

/* TestConnectionResetByPeerIsRetried, GET only. */
static void a_broken_get_is_retried(void **state)
{
	struct kube_world *w = *state;

	expect(w, (struct fake_answer){.match = "/x", .how = FAKE_RST});
	expect(w, (struct fake_answer){.match = "/x", .how = FAKE_DROP});
	expect(w, (struct fake_answer){.match = "/x", .body = "{\"a\"", .how = FAKE_CUT});
	expect(w, (struct fake_answer){.match = "/x", .body = OK_BODY});
	kube_world_get(w, "/x");
	assert_int_equal(w->status, KUBE_OK);
	assert_int_equal(fakeapi_requests(w->api), 4);
}

static void a_broken_write_is_not(void **state)
{
	struct kube_world *w = *state;

	/* On a connection that was used before, too, where curl itself would try again. */
	expect(w, (struct fake_answer){.match = "/x", .body = OK_BODY});
	kube_world_get(w, "/x");
	expect(w, (struct fake_answer){.match = "POST /x", .how = FAKE_DROP});
	kube_world_post(w, "/x", "{}");
	assert_int_equal(w->status, KUBE_E_TRANSPORT);
	assert_int_equal(w->http, 0);
	assert_true(w->text[0]);
	expect(w, (struct fake_answer){.match = "POST /x", .how = FAKE_RST});
	kube_world_post(w, "/x", "{}");
	assert_int_equal(w->status, KUBE_E_TRANSPORT);
	assert_int_equal(fakeapi_requests(w->api), 3);
	/* The next one works, on a new connection. */
	expect(w, (struct fake_answer){.match = "POST /x", .body = OK_BODY});
	kube_world_post(w, "/x", "{}");
	assert_int_equal(w->status, KUBE_OK);
}

/* TestHTTP1DoNotReuseRequestAfterTimeout */
static void after_a_timeout_the_connection_is_not_used(void **state)
{
	struct kube_world *w = *state;

	expect(w, (struct fake_answer){.match = "PUT /x", .how = FAKE_SILENT});
	kube_world_do(w, &(struct kube_request_spec){.method = KUBE_PUT,
				 .path = "/x",
				 .body = "{}",
				 .body_size = 2,
				 .timeout_ns = MILLISECONDS(50)});
	assert_int_equal(w->status, KUBE_E_TRANSPORT);
	expect(w, (struct fake_answer){.match = "PUT /y", .body = OK_BODY});
	kube_world_do(w, &(struct kube_request_spec){
				 .method = KUBE_PUT, .path = "/y", .body = "{}", .body_size = 2});
	assert_int_equal(w->status, KUBE_OK);
	assert_int_equal(fakeapi_request(w->api, 0)->connection, 1);
	assert_int_equal(fakeapi_request(w->api, 1)->connection, 2);
}

static void the_deadline_covers_retries(void **state)
{
	struct kube_world *w = *state;

	expect(w, (struct fake_answer){.match = "/x",
			  .status = 429,
			  .headers = "Retry-After: 2\r\n",
			  .body = "{}",
			  .repeat = true});
	kube_world_do(w, &(struct kube_request_spec){
				 .method = KUBE_GET, .path = "/x", .timeout_ns = 5 * WORLD_SECOND});
	assert_int_equal(w->status, KUBE_E_BUSY);
	/* Of eleven; on a busy machine the first answer may come as late as the deadline. */
	assert_in_range(fakeapi_requests(w->api), 1, 3);
}

static void a_refused_connection_is_told_at_once(void **state)
{
	struct kube_world *w = *state;

	fakeapi_refuse(w->api);
	kube_world_get(w, "/x");
	assert_int_equal(w->status, KUBE_E_TRANSPORT);
	assert_int_equal(kube_client_last_answer(w->client), 0);
}

static void write_token(const char *path, const char *token)
{
	assert_int_equal(file_write_atomic(path, token, strlen(token), 0600, NULL), 0);
}

static void a_token_rotates(void **state)
{
	struct kube_world *w = *state;
	char path[] = "/tmp/berth-token-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	write_token(path, " one\n");
	w->config.token_file = strdup(path);
	kube_world_client(w, &(struct kube_options){.qps = 0});
	expect(w, (struct fake_answer){.match = "/x", .body = OK_BODY});
	kube_world_get(w, "/x");
	assert_non_null(strstr(fakeapi_request(w->api, 0)->head, "Authorization: Bearer one\r\n"));
	/* 401: read again, tried once more, a POST too. */
	write_token(path, "two");
	expect(w, (struct fake_answer){.match = "/x", .status = 401, .body = "{}"});
	expect(w, (struct fake_answer){.match = "/x", .body = OK_BODY});
	kube_world_post(w, "/x", "{}");
	assert_int_equal(w->status, KUBE_OK);
	assert_non_null(strstr(fakeapi_request(w->api, 1)->head, "Bearer one\r\n"));
	assert_non_null(strstr(fakeapi_request(w->api, 2)->head, "Bearer two\r\n"));
	/* A minute later without being asked; nonsense in the file is not used. */
	write_token(path, "evil\r\nX-Header: 1");
	fake_pass(w->loop, 61 * WORLD_SECOND / NSEC_PER_MSEC);
	expect(w, (struct fake_answer){.match = "/x", .body = OK_BODY});
	kube_world_get(w, "/x");
	assert_non_null(strstr(fakeapi_request(w->api, 3)->head, "Bearer two\r\n"));
	assert_null(strstr(fakeapi_request(w->api, 3)->head, "X-Header"));
	/* A second 401 is the last word. */
	expect(w, (struct fake_answer){.match = "/x", .status = 401, .body = "{}", .repeat = true});
	kube_world_get(w, "/x");
	assert_int_equal(w->status, KUBE_E_UNAUTHORIZED);
	assert_int_equal(fakeapi_requests(w->api), 6);
	unlink(path);
}

static void the_bucket_holds_back(void **state)
{
	struct kube_world *w = *state;
	uint64_t before = clock_now();
	struct kube_client_stats s;

	kube_world_client(w, &(struct kube_options){.qps = 100, .burst = 5});
	expect(w, (struct fake_answer){.match = "/x", .body = OK_BODY, .repeat = true});
	for (int i = 0; i < 15; i++)
		assert_int_equal(kube_request(w->client, &(struct kube_request_spec){.path = "/x"},
					 kube_world_on_answer, w, NULL),
			0);
	assert_true(kube_world_answers(w, 15));
	assert_true(clock_now() - before >= MILLISECONDS(90));
	kube_client_stats(w->client, &s);
	assert_true(s.wait_ns > MILLISECONDS(100));
	assert_int_equal(s.waiting, 0);
}

static void requests_wait_in_order(void **state)
{
	static const char *const paths[] = {"/p0", "/p1", "/p2", "/p3", "/p4", "/p5"};
	struct kube_world *w = *state;
	struct kube_client_stats s;

	kube_world_client(w, &(struct kube_options){.max_in_flight = 1});
	expect(w, (struct fake_answer){.match = "/p", .body = OK_BODY, .repeat = true});
	for (size_t i = 0; i < ELEMENTSOF(paths); i++)
		assert_int_equal(
			kube_request(w->client, &(struct kube_request_spec){.path = paths[i]},
				kube_world_on_answer, w, NULL),
			0);
	kube_client_stats(w->client, &s);
	assert_int_equal(s.in_flight, 1);
	assert_int_equal(s.waiting, 5);
	assert_true(kube_world_answers(w, 6));
	for (unsigned i = 0; i < ELEMENTSOF(paths); i++)
		assert_non_null(strstr(fakeapi_request(w->api, i)->line, paths[i]));
	assert_int_equal(fakeapi_connections(w->api), 1);
}

static void what_waits_has_a_deadline_too(void **state)
{
	struct kube_world *w = *state;

	kube_world_client(w, &(struct kube_options){.max_in_flight = 1});
	expect(w, (struct fake_answer){.match = "/x", .how = FAKE_SILENT, .repeat = true});
	kube_request(w->client, &(struct kube_request_spec){.path = "/x"}, NULL, NULL, NULL);
	assert_int_equal(
		kube_request(w->client,
			&(struct kube_request_spec){.path = "/x", .timeout_ns = MILLISECONDS(20)},
			kube_world_on_answer, w, NULL),
		0);
	assert_true(kube_world_answers(w, 1));
	assert_int_equal(w->status, KUBE_E_TRANSPORT);
	assert_int_equal(fakeapi_requests(w->api), 1);
}

static void the_queue_is_bounded(void **state)
{
	struct kube_world *w = *state;
	unsigned taken = 0;
	int r;

	kube_world_client(w, &(struct kube_options){.max_in_flight = 1});
	expect(w, (struct fake_answer){.match = "/x", .how = FAKE_SILENT, .repeat = true});
	while ((r = kube_request(w->client, &(struct kube_request_spec){.path = "/x"}, NULL, NULL,
			NULL)) == 0)
		taken++;
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(taken, 100001);
}

static void on_never(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	(void)q;
	(void)res;
	(void)userdata;
	fail_msg("a callback after cancel");
}

static void cancelled_requests_say_nothing(void **state)
{
	struct kube_world *w = *state;
	struct kube_request *running, *waiting;

	kube_world_client(w, &(struct kube_options){.max_in_flight = 1});
	expect(w, (struct fake_answer){.match = "/slow", .how = FAKE_SILENT});
	expect(w, (struct fake_answer){.match = "/x", .body = OK_BODY});
	kube_request(
		w->client, &(struct kube_request_spec){.path = "/slow"}, on_never, NULL, &running);
	kube_request(
		w->client, &(struct kube_request_spec){.path = "/gone"}, on_never, NULL, &waiting);
	fake_pass(w->loop, 20);
	kube_request_cancel(waiting);
	kube_request_cancel(running);
	kube_world_get(w, "/x");
	assert_int_equal(w->status, KUBE_OK);
	assert_int_equal(fakeapi_count(w->api, "/gone"), 0);
}

static void on_free_client(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct kube_world *w = userdata;

	kube_world_on_answer(q, res, w);
	kube_request_cancel(q);
	w->client = kube_client_free(w->client);
}

static void the_client_may_end_in_a_callback(void **state)
{
	struct kube_world *w = *state;

	expect(w, (struct fake_answer){.match = "/x", .body = OK_BODY, .repeat = true});
	kube_request(w->client, &(struct kube_request_spec){.path = "/x"}, on_free_client, w, NULL);
	kube_request(w->client, &(struct kube_request_spec){.path = "/x"}, on_never, w, NULL);
	assert_true(kube_world_answers(w, 1));
	fake_pass(w->loop, 20);
	assert_int_equal(w->answers, 1);
}

static void on_chain(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct kube_world *w = userdata;

	kube_world_on_answer(q, res, w);
	if (w->answers < 20)
		assert_int_equal(kube_request(w->client, &(struct kube_request_spec){.path = "/x"},
					 on_chain, w, NULL),
			0);
}

static void callbacks_may_ask_more(void **state)
{
	struct kube_world *w = *state;

	expect(w, (struct fake_answer){.match = "/x", .body = OK_BODY, .repeat = true});
	kube_request(w->client, &(struct kube_request_spec){.path = "/x"}, on_chain, w, NULL);
	assert_true(kube_world_answers(w, 20));
	assert_int_equal(fakeapi_connections(w->api), 1);
}

/* 64 KiB of zeroes, and what gzip makes of 1 GiB of them, are the same few bytes a KiB. */
static void escaping_is_strict(void **state)
{
	char dst[16];

	(void)state;
	assert_int_equal(kube_escape(dst, sizeof(dst), "a-._~Z9"), 0);
	assert_string_equal(dst, "a-._~Z9");
	assert_int_equal(kube_escape(dst, sizeof(dst), "a/b c\xc3\xa4"), 0);
	assert_string_equal(dst, "a%2Fb%20c%C3%A4");
	assert_int_equal(kube_escape(dst, sizeof(dst), "a/b c\xc3\xa4x"), -ENAMETOOLONG);
	assert_int_equal(kube_escape(dst, 1, ""), 0);
	assert_int_equal(kube_escape(dst, 0, ""), -ENAMETOOLONG);
}

#define T(name) cmocka_unit_test_setup_teardown(name, kube_world_setup, kube_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_get_brings_the_object),
		T(the_servers_clock_and_silence_are_known),
		T(each_method_has_its_type),
		T(json_bodies_are_taken),
		T(statuses_are_told_apart),
		T(answers_without_json_are_told_by_code),
		T(retry_after_holds_for_every_verb),
		T(retries_end),
		T(without_retry_after_there_is_no_retry),
		T(once_is_once),
		T(a_broken_get_is_retried),
		T(a_broken_write_is_not),
		T(after_a_timeout_the_connection_is_not_used),
		T(the_deadline_covers_retries),
		T(a_refused_connection_is_told_at_once),
		T(a_token_rotates),
		T(the_bucket_holds_back),
		T(requests_wait_in_order),
		T(what_waits_has_a_deadline_too),
		T(the_queue_is_bounded),
		T(cancelled_requests_say_nothing),
		T(the_client_may_end_in_a_callback),
		T(callbacks_may_ask_more),
		cmocka_unit_test(escaping_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
