/* SPDX-License-Identifier: Apache-2.0 */
/* test_kube_informer.c: client-go's reflector tests, and ours, against a scripted server */
#include "kube_look.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "kube/class.h"

static void lists_then_watches(void **state)
{
	struct look *l = *state;

	look_usual_start(l);
	assert_string_equal(fakeapi_request(l->w.api, 0)->line,
		"GET /api/v1/nodes?limit=500&resourceVersion=0");
	assert_non_null(strstr(look_last_line(l), "allowWatchBookmarks=true"));
	assert_non_null(strstr(look_last_line(l), "&resourceVersion=10"));
	assert_non_null(strstr(look_last_line(l), "timeoutSeconds="));
	assert_int_equal(l->synced, 1);
	assert_true(informer_synced(l->i));
	assert_int_equal(informer_size(l->i), 2);
	look_change_is(l, 0, "", "a");
	look_push(l, EVENT("ADDED", NODE("c", UID(3), "11")) EVENT("MODIFIED",
			     NODE("a", UID(1), "12")) EVENT("DELETED", NODE("b", UID(2), "13")));
	look_await_changes(l, 5);
	look_change_is(l, 2, "", "c");
	look_change_is(l, 3, "a", "a");
	look_change_is(l, 4, "b", "");
	assert_string_equal(informer_get(l->i, "", "a")->rv, "12");
	assert_false(look_has(l, "b"));
}

static void pages_are_followed(void **state)
{
	struct look *l = *state;

	look_expect(l, (struct fake_answer){.match = LISTS,
			       .body = "{\"items\":[" NODE("a", UID(1),
				       "5") "],\"metadata\":{"
					    "\"resourceVersion\":\"10\",\"continue\":\"t/1=\"}}"});
	look_expect(l, (struct fake_answer){.match = "continue=t%2F1%3D",
			       .body = LIST("10", NODE("b", UID(2), "6"))});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_start(l, &kind_node);
	look_await(l, WATCHES, 1);
	assert_int_equal(informer_size(l->i), 2);
	assert_null(strstr(fakeapi_request(l->w.api, 1)->line, "resourceVersion"));
	assert_non_null(strstr(fakeapi_request(l->w.api, 1)->line, "limit=500"));
}

static void empty_lists_are_lists(void **state)
{
	struct look *l = *state;

	look_expect(
		l, (struct fake_answer){.match = LISTS,
			   .body = "{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":null}"});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_start(l, &kind_node);
	look_await(l, WATCHES, 1);
	assert_int_equal(l->synced, 1);
	assert_int_equal(informer_size(l->i), 0);
}

/* TestReflectorFullListIfExpired: a token that expired leads to one list without pages. */
static void an_expired_token_means_a_full_list(void **state)
{
	struct look *l = *state;

	look_expect(
		l, (struct fake_answer){.match = LISTS,
			   .body = "{\"metadata\":{\"resourceVersion\":\"10\",\"continue\":\"t\"},"
				   "\"items\":[" NODE("a", UID(1), "5") "]}"});
	look_expect(
		l, (struct fake_answer){
			   .match = "continue=t", .status = 410, .body = STATUS(410, "Expired")});
	look_expect(l, (struct fake_answer){.match = "limit=0&resourceVersion=0",
			       .body = LIST("11", NODE("b", UID(2), "6"))});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_start(l, &kind_node);
	look_await(l, WATCHES, 1);
	assert_int_equal(informer_size(l->i), 1);
	assert_true(look_has(l, "b"));
	assert_int_equal(l->synced, 1);
	assert_int_equal(fakeapi_unexpected(l->w.api), 0);
}

/* TestReflectorExpiredExactResourceVersion, TestReflectorFullListIfTooLarge: last, then "". */
static void relists_begin_where_they_were(struct look *l, int status, const char *body)
{
	look_usual_start(l);
	look_expect(
		l, (struct fake_answer){
			   .match = "limit=0&resourceVersion=12", .status = status, .body = body});
	look_expect(l,
		(struct fake_answer){.match = LISTS, .body = LIST("20", NODE("a", UID(1), "5"))});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_push(l, BOOKMARK("12") EVENT("ERROR", STATUS(410, "Expired")));
	look_await(l, WATCHES, 2);
	assert_string_equal(fakeapi_request(l->w.api, 3)->line, "GET /api/v1/nodes?limit=500");
	assert_non_null(strstr(look_last_line(l), "resourceVersion=20"));
	look_change_is(l, 2, "b", "");
	assert_int_equal(l->synced, 1);
	assert_int_equal(l->n, 3);
}

static void expired_versions_lead_to_the_truth(void **state)
{
	relists_begin_where_they_were(*state, 410, STATUS(410, "Expired"));
}

static void versions_from_the_future_do_too(void **state)
{
	relists_begin_where_they_were(*state, 504,
		"{\"kind\":\"Status\",\"message\":\"Too large resource version: 12, current: 10\","
		"\"reason\":\"Timeout\",\"code\":504}");
}

/* 410 as the answer to the watch itself. */
static void gone_at_the_start_means_a_list(void **state)
{
	struct look *l = *state;

	look_expect(l,
		(struct fake_answer){.match = LISTS, .body = LIST("10", NODE("a", UID(1), "5"))});
	look_expect(l,
		(struct fake_answer){.match = WATCHES, .status = 410, .body = STATUS(410, "Gone")});
	look_expect(l, (struct fake_answer){.match = "limit=0&resourceVersion=10",
			       .body = LIST("20", NODE("b", UID(2), "6"))});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_start(l, &kind_node);
	look_await(l, WATCHES, 2);
	assert_int_equal(informer_size(l->i), 1);
	assert_true(look_has(l, "b"));
}

/* TestNoRelistOnTooManyRequests, TestBackoffOnTooManyRequests */
static void too_many_requests_mean_patience(void **state)
{
	struct look *l = *state;
	uint64_t before = clock_now();

	look_expect(l,
		(struct fake_answer){.match = LISTS, .body = LIST("10", NODE("a", UID(1), "5"))});
	look_expect(l,
		(struct fake_answer){
			.match = WATCHES, .status = 429, .body = STATUS(429, "TooManyRequests")});
	look_expect(l, (struct fake_answer){.match = WATCHES,
			       .status = 429,
			       .headers = "Retry-After: 3\r\n",
			       .body = STATUS(429, "TooManyRequests")});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_start(l, &kind_node);
	look_await(l, WATCHES, 3);
	assert_int_equal(fakeapi_count(l->w.api, LISTS), 1);
	assert_non_null(strstr(look_last_line(l), "resourceVersion=10"));
	assert_true(clock_now() - before >= (800 + 3000) * (WORLD_SECOND / 1000));
}

static void busy_events_do_not_relist(struct look *l, const char *event)
{
	look_usual_start(l);
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_push(l, EVENT("MODIFIED", NODE("a", UID(1), "11")));
	look_push(l, event);
	look_await(l, WATCHES, 2);
	assert_int_equal(fakeapi_count(l->w.api, LISTS), 1);
	assert_non_null(strstr(look_last_line(l), "resourceVersion=11"));
}

static void busy_in_the_stream(void **state)
{
	busy_events_do_not_relist(*state, EVENT("ERROR", STATUS(429, "TooManyRequests")));
}

/* TestRetryInternalError */
static void an_internal_error_in_the_stream(void **state)
{
	busy_events_do_not_relist(*state, EVENT("ERROR", STATUS(500, "InternalError")));
}

static void other_errors_mean_a_list(void **state)
{
	struct look *l = *state;

	look_usual_start(l);
	look_expect(l, (struct fake_answer){.match = LISTS, .body = LIST("20", "")});
	look_expect(l, (struct fake_answer){
			       .match = WATCHES, .status = 403, .body = STATUS(403, "Forbidden")});
	look_expect(l, (struct fake_answer){.match = LISTS, .body = LIST("21", "")});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_push(l, EVENT("ERROR", STATUS(400, "BadRequest")));
	look_await(l, WATCHES, 3);
	assert_int_equal(fakeapi_count(l->w.api, LISTS), 3);
	assert_int_equal(informer_size(l->i), 0);
}

static void a_clean_end_goes_on_at_once(void **state)
{
	struct look *l = *state;
	struct informer_stats s;

	look_usual_start(l);
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_push(l, EVENT("MODIFIED", NODE("a", UID(1), "11")));
	look_await_changes(l, 3);
	fakeapi_end(l->w.api, FAKE_ENDED);
	look_await(l, WATCHES, 2);
	assert_non_null(strstr(look_last_line(l), "resourceVersion=11"));
	informer_stats(l->i, &s);
	assert_int_equal(s.restarts, 0);
	assert_int_equal(s.lists, 1);
}

/* A watch that ends within a second without an event is none. */
static void a_short_watch_is_an_error(void **state)
{
	struct look *l = *state;
	uint64_t before = clock_now();

	look_expect(
		l, (struct fake_answer){.match = LISTS, .body = LIST("10", ""), .repeat = true});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_ENDED, .repeat = true});
	look_start(l, &kind_node);
	look_await(l, WATCHES, 3);
	assert_true(clock_now() - before >= (800 + 1600) * (WORLD_SECOND / 1000));
	assert_in_range(fakeapi_count(l->w.api, LISTS), 3, 4);
}

/* TestWatchTimeout: the server's own end of a watch, without an event, after its time. */
static void a_quiet_watch_may_end(void **state)
{
	struct look *l = *state;

	look_usual_start(l);
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	fake_pass(l->w.loop, 25);
	fakeapi_end(l->w.api, FAKE_ENDED);
	look_await(l, WATCHES, 2);
	assert_int_equal(fakeapi_count(l->w.api, LISTS), 1);
}

static void cut_lines_are_dropped(struct look *l, enum fake_how how)
{
	look_usual_start(l);
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_push(
		l, EVENT("MODIFIED", NODE("a", UID(1), "11")) "{\"type\":\"DELETED\",\"object\":{");
	look_await_changes(l, 3);
	fakeapi_end(l->w.api, how);
	look_await(l, WATCHES, 2);
	assert_non_null(strstr(look_last_line(l), "resourceVersion=11"));
	look_push(l, EVENT("MODIFIED", NODE("a", UID(1), "12")));
	look_await_changes(l, 4);
	assert_int_equal(fakeapi_count(l->w.api, LISTS), 1);
	assert_true(look_has(l, "b"));
}

static void a_line_cut_by_the_end(void **state)
{
	cut_lines_are_dropped(*state, FAKE_ENDED);
}

static void a_line_cut_by_a_close(void **state)
{
	cut_lines_are_dropped(*state, FAKE_CUT);
}

static void a_line_cut_by_a_reset(void **state)
{
	cut_lines_are_dropped(*state, FAKE_RESET);
}

static void lines_may_come_in_any_pieces(void **state)
{
	static const char text[] =
		EVENT("MODIFIED", NODE("a", UID(1), "11")) EVENT("ADDED", NODE("c", UID(3), "12"));
	struct look *l = *state;

	look_usual_start(l);
	for (size_t i = 0; i + 1 < sizeof(text); i++) {
		fakeapi_push(l->w.api, text + i, 1);
		if (i % 16 == 0)
			fake_pass(l->w.loop, 1);
	}
	look_await_changes(l, 4);
	look_change_is(l, 3, "", "c");
}

static void bookmarks_move_the_watch_on(void **state)
{
	struct look *l = *state;
	struct informer_stats s;

	look_usual_start(l);
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_push(l, BOOKMARK("99"));
	fake_pass(l->w.loop, 10);
	assert_int_equal(l->n, 2);
	fakeapi_end(l->w.api, FAKE_ENDED);
	look_await(l, WATCHES, 2);
	assert_non_null(strstr(look_last_line(l), "resourceVersion=99"));
	informer_stats(l->i, &s);
	assert_int_equal(s.bookmarks, 1);
}

static void bookmarks_that_stop_mean_a_dead_watch(void **state)
{
	struct look *l = *state;

	look_usual_start(l);
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_push(l, BOOKMARK("99"));
	/* Three minutes of 20 ms a second. */
	look_await(l, WATCHES, 2);
	assert_int_equal(fakeapi_count(l->w.api, LISTS), 1);
}

static void a_watch_without_an_answer_is_given_up(void **state)
{
	struct look *l = *state;

	look_expect(l, (struct fake_answer){.match = LISTS, .body = LIST("10", "")});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_SILENT});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_start(l, &kind_node);
	look_await(l, WATCHES, 2);
	assert_int_equal(fakeapi_count(l->w.api, LISTS), 1);
}

/* Synthetic events of a watch that begins at 0 come in no order. */
static void versions_from_nowhere_are_not_kept(void **state)
{
	struct look *l = *state;

	look_expect(l, (struct fake_answer){.match = LISTS, .body = LIST("0", "")});
	look_expect(l, (struct fake_answer){.match = WATCHES,
			       .body = EVENT("ADDED", NODE("a", UID(1), "50"))
				       EVENT("ADDED", NODE("b", UID(2), "40")),
			       .how = FAKE_ENDED});
	look_expect(l, (struct fake_answer){.match = WATCHES,
			       .body = EVENT("ADDED", NODE("c", UID(3), "30")) BOOKMARK("60")
				       EVENT("ADDED", NODE("d", UID(4), "61")),
			       .how = FAKE_ENDED});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_start(l, &kind_node);
	look_await(l, WATCHES, 3);
	assert_non_null(strstr(fakeapi_request(l->w.api, 2)->line, "&resourceVersion=0"));
	assert_non_null(strstr(look_last_line(l), "&resourceVersion=61"));
	assert_int_equal(informer_size(l->i), 4);
}

/* TestReflectorReplacesStoreOnUnsafeDelete: what a list no longer has is gone, told as such. */
static void lists_replace_the_store(void **state)
{
	struct look *l = *state;

	look_usual_start(l);
	/* b is another object of the same name now, a is unchanged, c is new. */
	look_expect(l, (struct fake_answer){.match = LISTS,
			       .body = LIST("20", NODE("a", UID(1), "5") "," NODE("b", UID(9),
							  "18") "," NODE("c", UID(3), "19"))});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_push(l, EVENT("ERROR", STATUS(410, "Gone")));
	look_await(l, WATCHES, 2);
	assert_int_equal(l->n, 5);
	look_change_is(l, 2, "b", "");
	look_change_is(l, 3, "", "b");
	look_change_is(l, 4, "", "c");
}

static void half_a_list_removes_nothing(void **state)
{
	struct look *l = *state;

	look_usual_start(l);
	look_expect(
		l, (struct fake_answer){.match = LISTS,
			   .body = "{\"metadata\":{\"resourceVersion\":\"20\"},\"items\":[" NODE(
				   "a", UID(1), "15") ",",
			   .how = FAKE_ENDED});
	look_expect(l, (struct fake_answer){.match = LISTS, .status = 503, .body = "starting"});
	look_expect(l, (struct fake_answer){.match = LISTS, .how = FAKE_SILENT});
	look_push(l, EVENT("ERROR", STATUS(410, "Gone")));
	look_await(l, LISTS, 4);
	assert_true(look_has(l, "b"));
	assert_string_equal(informer_get(l->i, "", "a")->rv, "15");
	assert_int_equal(l->n, 3);
}

static void odd_items_are_passed_over(void **state)
{
	struct look *l = *state;
	struct informer_stats s;

	look_expect(
		l, (struct fake_answer){.match = LISTS,
			   .body = LIST("10", "null,7,\"x{\",{},{\"metadata\":{\"name\":\"n\"}},"
					      "{\"metadata\":7}," NODE("a", UID(1), "5"))});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_start(l, &kind_node);
	look_await(l, WATCHES, 1);
	assert_int_equal(informer_size(l->i), 1);
	look_push(l, EVENT("SURPRISE", "{}") EVENT("ADDED", "{\"metadata\":{}}")
			     EVENT("ADDED", STATUS(200, "x")) "\n" EVENT("DELETED", "{}")
				     EVENT("DELETED", NODE("zz", UID(8), "11"))
					     EVENT("ADDED", NODE("b", UID(2), "12")));
	look_await_changes(l, 2);
	informer_stats(l->i, &s);
	assert_int_equal(s.decode_errors, 3 + 4);
	assert_int_equal(fakeapi_count(l->w.api, LISTS), 1);
}

static void garbage_in_a_watch_means_a_list(void **state)
{
	struct look *l = *state;

	look_usual_start(l);
	look_expect(l, (struct fake_answer){.match = LISTS, .body = LIST("20", "")});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_push(l, "<html>\n");
	look_await(l, WATCHES, 2);
	assert_int_equal(informer_size(l->i), 0);
}

static void duplicates_change_nothing(void **state)
{
	struct look *l = *state;

	look_usual_start(l);
	look_push(l,
		EVENT("ADDED", NODE("a", UID(1), "5")) EVENT("MODIFIED", NODE("a", UID(1), "5"))
			EVENT("MODIFIED", NODE("c", UID(3), "11")) EVENT("DELETED",
				NODE("c", UID(3), "12")) EVENT("DELETED", NODE("c", UID(3), "12"))
				EVENT("MODIFIED", NODE("a", UID(1), "3")));
	look_await_changes(l, 5);
	look_change_is(l, 2, "", "c");
	look_change_is(l, 3, "c", "");
	look_change_is(l, 4, "a", "a");
}

static void failing_lists_back_off(void **state)
{
	struct look *l = *state;
	uint64_t before = clock_now();

	look_expect(l,
		(struct fake_answer){.match = LISTS, .status = 500, .body = "no", .repeat = true});
	look_start(l, &kind_node);
	look_await(l, LISTS, 3);
	assert_true(clock_now() - before >= (800 + 1600) * (WORLD_SECOND / 1000));
	assert_false(informer_synced(l->i));
}

static void may_end_in_its_callbacks(void **state)
{
	struct look *l = *state;

	look_usual_start(l);
	l->free_in_changed = true;
	look_push(l, EVENT("MODIFIED", NODE("a", UID(1), "11"))
			     EVENT("MODIFIED", NODE("a", UID(1), "12")));
	look_await_changes(l, 3);
	fake_pass(l->w.loop, 10);
	assert_int_equal(l->n, 3);
	assert_null(l->i);
}

static void may_end_while_it_lists(void **state)
{
	struct look *l = *state;

	l->free_in_changed = true;
	look_expect(
		l, (struct fake_answer){.match = LISTS,
			   .body = LIST("10", NODE("a", UID(1), "5") "," NODE("b", UID(2), "6"))});
	look_start(l, &kind_node);
	look_await_changes(l, 1);
	fake_pass(l->w.loop, 10);
	assert_int_equal(l->n, 1);
	assert_int_equal(fakeapi_requests(l->w.api), 1);
}

static void selectors_keep_their_place(void **state)
{
	struct look *l = *state;
	struct kind k = kind_node;

	k.list_path = "/api/v1/nodes?labelSelector=a%3Db";
	look_expect(l, (struct fake_answer){
			       .match = "labelSelector=a%3Db&limit=500", .body = LIST("10", "")});
	look_expect(l,
		(struct fake_answer){.match = "labelSelector=a%3Db&watch=1", .how = FAKE_STREAM});
	look_start(l, &k);
	look_await(l, "watch=1", 1);
	l->i = informer_free(l->i);
	assert_int_equal(fakeapi_unexpected(l->w.api), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, look_setup, look_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(lists_then_watches),
		T(pages_are_followed),
		T(empty_lists_are_lists),
		T(an_expired_token_means_a_full_list),
		T(expired_versions_lead_to_the_truth),
		T(versions_from_the_future_do_too),
		T(gone_at_the_start_means_a_list),
		T(too_many_requests_mean_patience),
		T(busy_in_the_stream),
		T(an_internal_error_in_the_stream),
		T(other_errors_mean_a_list),
		T(a_clean_end_goes_on_at_once),
		T(a_short_watch_is_an_error),
		T(a_quiet_watch_may_end),
		T(a_line_cut_by_the_end),
		T(a_line_cut_by_a_close),
		T(a_line_cut_by_a_reset),
		T(lines_may_come_in_any_pieces),
		T(bookmarks_move_the_watch_on),
		T(bookmarks_that_stop_mean_a_dead_watch),
		T(a_watch_without_an_answer_is_given_up),
		T(versions_from_nowhere_are_not_kept),
		T(lists_replace_the_store),
		T(half_a_list_removes_nothing),
		T(odd_items_are_passed_over),
		T(garbage_in_a_watch_means_a_list),
		T(duplicates_change_nothing),
		T(failing_lists_back_off),
		T(may_end_in_its_callbacks),
		T(may_end_while_it_lists),
		T(selectors_keep_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
