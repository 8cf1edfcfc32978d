/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_sm.c: state machines follow their table and nothing else */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/sm.h"

enum { IDLE, BUSY, DONE, GONE };
enum { START, FINISH, STOP, CHAIN };

static const char *const states[] = {"Idle", "Busy", "Done", "Gone"};
static const char *const events[] = {"start", "finish", "stop", "chain"};

struct machine {
	uint8_t state;
	int actions;
	uint8_t state_seen;
};

static int on_start(void *obj)
{
	struct machine *m = obj;

	m->actions++;
	m->state_seen = m->state;
	return 7;
}

static int on_fail(void *obj)
{
	((struct machine *)obj)->actions++;
	return -EIO;
}

static int on_chain(void *obj);

static const struct sm_edge edges[] = {
	{SM_ANY, STOP, GONE, NULL},
	{IDLE, START, BUSY, on_start},
	{BUSY, FINISH, DONE, on_fail},
	{DONE, STOP, IDLE, NULL},
	{IDLE, CHAIN, IDLE, on_chain},
};

static const struct sm_table table = {"test", states, events, edges, ELEMENTSOF(edges)};

static int on_chain(void *obj)
{
	struct machine *m = obj;

	return sm_fire(&table, &m->state, START, m);
}

static void follows_an_edge(void **state)
{
	struct machine m = {.state = IDLE};

	(void)state;
	assert_int_equal(sm_fire(&table, &m.state, START, &m), 7);
	assert_int_equal(m.state, BUSY);
	assert_int_equal(m.actions, 1);
	/* The action already sees the new state. */
	assert_int_equal(m.state_seen, BUSY);
}

static void an_action_that_fails_does_not_undo_the_edge(void **state)
{
	struct machine m = {.state = BUSY};

	(void)state;
	assert_int_equal(sm_fire(&table, &m.state, FINISH, &m), -EIO);
	assert_int_equal(m.state, DONE);
}

static void refuses_what_the_table_lacks(void **state)
{
	struct machine m = {.state = BUSY};

	(void)state;
	assert_int_equal(sm_fire(&table, &m.state, START, &m), -EPROTO);
	assert_int_equal(m.state, BUSY);
	assert_int_equal(m.actions, 0);
}

static void exact_edges_come_before_any(void **state)
{
	struct machine m = {.state = BUSY};

	(void)state;
	assert_int_equal(sm_fire(&table, &m.state, STOP, &m), 0);
	assert_int_equal(m.state, GONE);
	m.state = DONE;
	assert_int_equal(sm_fire(&table, &m.state, STOP, &m), 0);
	assert_int_equal(m.state, IDLE);
}

static void an_action_may_fire_again(void **state)
{
	struct machine m = {.state = IDLE};

	(void)state;
	assert_int_equal(sm_fire(&table, &m.state, CHAIN, &m), 7);
	assert_int_equal(m.state, BUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_an_edge),
		cmocka_unit_test(an_action_that_fails_does_not_undo_the_edge),
		cmocka_unit_test(refuses_what_the_table_lacks),
		cmocka_unit_test(exact_edges_come_before_any),
		cmocka_unit_test(an_action_may_fire_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
