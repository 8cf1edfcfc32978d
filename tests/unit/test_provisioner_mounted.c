/* SPDX-License-Identifier: Apache-2.0 */
/* test_provisioner_mounted.c: which reports count as mounted, all combinations */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "provisioner/mounted.h"

static struct mounted_facts facts_of(unsigned bits)
{
	return (struct mounted_facts){
		.named = bits & 1,
		.fresh = bits & 2,
		.node = bits & 4,
		.same_node = bits & 8,
		.out_of_service = bits & 16,
	};
}

/* What is not named is not mounted, whatever else; what a fresh Lease vouches for is. */
static void the_report_decides_while_its_lease_is_fresh(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 32; bits++) {
		struct mounted_facts f = facts_of(bits);

		if (!f.named)
			assert_false(mounted_counts(&f));
		else if (f.fresh)
			assert_true(mounted_counts(&f));
	}
}

/* binding.md 3: until its Node is gone, its UID changed, or it carries the out-of-service taint. */
static void a_stale_lease_counts_until_the_node_has_ended(void **state)
{
	static const struct {
		bool node, same, out, counts;
	} cases[] = {
		{true, true, false, true},
		{true, true, true, false},
		{true, false, false, false},
		{true, false, true, false},
		{false, false, false, false},
		{false, true, false, false},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		const struct mounted_facts f = {.named = true,
			.node = cases[i].node,
			.same_node = cases[i].same,
			.out_of_service = cases[i].out};

		if (mounted_counts(&f) != cases[i].counts)
			fail_msg("case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_report_decides_while_its_lease_is_fresh),
		cmocka_unit_test(a_stale_lease_counts_until_the_node_has_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
