/* SPDX-License-Identifier: Apache-2.0 */
/* test_kube_observe.c: what our own writes returned, and what a watch says beside it */
#include "kube_look.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "kube/class.h"

static void on_write(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct look *l = userdata;

	informer_observe(l->i, res->object);
	kube_world_on_answer(q, res, &l->w);
}

static void write_node(struct look *l, const char *answer)
{
	unsigned before = l->w.answers;

	look_expect(l, (struct fake_answer){.match = "POST /w", .body = answer});
	kube_request(l->w.client, &(struct kube_request_spec){.method = KUBE_POST, .path = "/w"},
		on_write, l, NULL);
	assert_true(kube_world_answers(&l->w, before + 1));
}

static void writes_are_seen_at_once(void **state)
{
	struct look *l = *state;

	look_usual_start(l);
	fake_pass(l->w.loop, 2);
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	write_node(l, NODE("c", UID(3), "11"));
	assert_true(look_has(l, "c"));
	assert_int_equal(l->n, 3);
	look_change_is(l, 2, "", "c");
	/* The watch's own word of it is no news, what comes later is. */
	look_push(l,
		EVENT("ADDED", NODE("c", UID(3), "11")) EVENT("MODIFIED", NODE("c", UID(3), "12")));
	look_await_changes(l, 4);
	assert_string_equal(l->events[3].rv, "12");
}

static void late_answers_change_nothing(void **state)
{
	struct look *l = *state;

	look_usual_start(l);
	fake_pass(l->w.loop, 2);
	/* The watch was faster: our write at 11, then another's at 12. */
	look_push(l, EVENT("MODIFIED", NODE("a", UID(1), "11"))
			     EVENT("MODIFIED", NODE("a", UID(1), "12")));
	look_await_changes(l, 4);
	write_node(l, NODE("a", UID(1), "11"));
	assert_string_equal(informer_get(l->i, "", "a")->rv, "12");
	assert_int_equal(l->n, 4);
}

static void answers_do_not_raise_the_dead(void **state)
{
	struct look *l = *state;

	look_usual_start(l);
	fake_pass(l->w.loop, 2);
	look_push(l, EVENT("MODIFIED", NODE("a", UID(1), "11"))
			     EVENT("DELETED", NODE("a", UID(1), "12")));
	look_await_changes(l, 4);
	write_node(l, NODE("a", UID(1), "11"));
	assert_false(look_has(l, "a"));
	/* Nor by the state that a list had shown. */
	look_push(l, EVENT("DELETED", NODE("b", UID(2), "13")));
	look_await_changes(l, 5);
	write_node(l, NODE("b", UID(2), "6"));
	assert_false(look_has(l, "b"));
}

static void answers_from_before_a_list_do_not_count(void **state)
{
	struct look *l = *state;

	/* The list shows what came after the write, whose answer is later than the list. */
	look_expect(l, (struct fake_answer){.match = "POST /w", .how = FAKE_STREAM});
	kube_request(l->w.client, &(struct kube_request_spec){.method = KUBE_POST, .path = "/w"},
		on_write, l, NULL);
	fake_pass(l->w.loop, 5);
	look_expect(l,
		(struct fake_answer){.match = LISTS, .body = LIST("10", NODE("a", UID(1), "9"))});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_SILENT});
	look_start(l, &kind_node);
	look_await(l, WATCHES, 1);
	look_push(l, NODE("a", UID(1), "8"));
	fakeapi_end(l->w.api, FAKE_ENDED);
	assert_true(kube_world_answers(&l->w, 1));
	assert_int_equal(l->w.status, KUBE_OK);
	assert_string_equal(informer_get(l->i, "", "a")->rv, "9");
}

#define T(name) cmocka_unit_test_setup_teardown(name, look_setup, look_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(writes_are_seen_at_once),
		T(late_answers_change_nothing),
		T(answers_do_not_raise_the_dead),
		T(answers_from_before_a_list_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
