/* SPDX-License-Identifier: Apache-2.0 */
/* test_provisioner_tables.c: every state of the machines can be reached and left, every event is
 * used */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdbool.h>
#include <cmocka.h>

#include "provisioner/adopt.h"
#include "provisioner/provision.h"
#include "provisioner/release.h"

#define STATES_MAX 32

/* All states that edges lead to from state 0. */
static void reach(const struct sm_table *t, bool reached[static STATES_MAX])
{
	bool grew = true;

	reached[0] = true;
	while (grew) {
		grew = false;
		for (size_t i = 0; i < t->n_edges; i++) {
			const struct sm_edge *e = &t->edges[i];

			if ((e->from == SM_ANY || reached[e->from]) && !reached[e->to]) {
				reached[e->to] = true;
				grew = true;
			}
		}
	}
}

static void check(const struct sm_table *t, size_t n_states, size_t n_events, uint8_t end)
{
	bool reached[STATES_MAX] = {false};
	bool used[STATES_MAX] = {false};

	reach(t, reached);
	for (size_t i = 0; i < n_states; i++) {
		uint8_t state = (uint8_t)i;

		if (!reached[i])
			fail_msg("%s: %s cannot be reached", t->name, t->states[i]);
		assert_int_equal(sm_fire(t, &state, end, NULL), 0);
		assert_int_equal(state, 0);
	}
	for (size_t i = 0; i < t->n_edges; i++)
		used[t->edges[i].event] = true;
	for (size_t i = 0; i < n_events; i++)
		if (!used[i])
			fail_msg("%s: event %s leads nowhere", t->name, t->events[i]);
}

static bool has_edge(const struct sm_table *t, uint8_t from, uint8_t event)
{
	for (size_t i = 0; i < t->n_edges; i++)
		if (t->edges[i].from == from && t->edges[i].event == event)
			return true;
	return false;
}

static void provision(void **state)
{
	(void)state;
	check(&provision_table, _AT_MAX, _GO_MAX, GO_END);
}

static void release(void **state)
{
	(void)state;
	check(&release_table, _OUT_MAX, _RE_MAX, RE_END);
}

static void adopt(void **state)
{
	(void)state;
	check(&adopt_table, _AD_MAX, _TO_MAX, TO_END);
}

/* No PV before the record and the directory were seen, no BerthVolume removed that was not refused.
 */
static void nothing_is_adopted_unseen(void **state)
{
	(void)state;
	assert_false(has_edge(&adopt_table, AD_IDLE, TO_PUBLISH));
	assert_false(has_edge(&adopt_table, AD_READING, TO_PUBLISH));
	assert_false(has_edge(&adopt_table, AD_READING, TO_DROP));
	assert_false(has_edge(&adopt_table, AD_SETTLING, TO_DROP));
}

/* Nothing destructive without the live reads before it. */
static void nothing_is_destroyed_from_idle(void **state)
{
	(void)state;
	assert_false(has_edge(&release_table, OUT_IDLE, RE_ACT));
	assert_false(has_edge(&release_table, OUT_IDLE, RE_UNBIND));
	assert_false(has_edge(&release_table, OUT_IDLE, RE_FREE));
	assert_false(has_edge(&release_table, OUT_READING_INTENT, RE_ACT));
	assert_false(has_edge(&release_table, OUT_READING_INTENT, RE_WAIT));
}

/* The PV only after the directory, the claim only after the PV's status. */
static void the_order_of_binding(void **state)
{
	(void)state;
	assert_false(has_edge(&provision_table, AT_INTENDING, GO_PUBLISH));
	assert_false(has_edge(&provision_table, AT_RESUMING, GO_PUBLISH));
	assert_false(has_edge(&provision_table, AT_PUBLISHING, GO_BIND_CLAIM));
	assert_false(has_edge(&provision_table, AT_IDLE, GO_BIND_CLAIM));
	assert_false(has_edge(&provision_table, AT_BINDING_VOLUME, GO_BIND_STATUS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(provision),
		cmocka_unit_test(release),
		cmocka_unit_test(adopt),
		cmocka_unit_test(nothing_is_adopted_unseen),
		cmocka_unit_test(nothing_is_destroyed_from_idle),
		cmocka_unit_test(the_order_of_binding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
