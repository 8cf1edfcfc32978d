/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_topology.c: a node's name as a label's value */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <string.h>

#include "agent/topology.h"

static void a_short_name_is_itself(void **state)
{
	char v[TOPOLOGY_VALUE_MAX], name[64];

	(void)state;
	assert_string_equal(topology_value("n1", v), "n1");
	memset(name, 'a', 63);
	name[63] = '\0';
	assert_string_equal(topology_value(name, v), name);
}

/* CSINode's entry is immutable: the value must be the same in every version. */
static void a_long_one_is_cut_and_hashed(void **state)
{
	char a[TOPOLOGY_VALUE_MAX], b[TOPOLOGY_VALUE_MAX], name[65];

	(void)state;
	memset(name, 'a', 64);
	name[64] = '\0';
	topology_value(name, a);
	assert_string_equal(a, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-db007849f35ebbe5");
	assert_int_equal(strlen(a), 63);
	name[63] = 'b';
	assert_string_not_equal(topology_value(name, b), a);
	assert_memory_equal(a, b, 47);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_name_is_itself),
		cmocka_unit_test(a_long_one_is_cut_and_hashed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
