/* SPDX-License-Identifier: Apache-2.0 */
/* fault.h: makes the k-th allocation from now fail, to walk every path that memory can cut short */
#ifndef BERTH_TESTS_FAULT_H
#define BERTH_TESTS_FAULT_H

#include <stdbool.h>

/*
 * Counts malloc, calloc, realloc, reallocarray, strdup and strndup called from our own code (the
 * linker's --wrap, see the Makefile); libraries have memory. The k-th call (1 is the next one)
 * returns NULL with ENOMEM, once; k == 0 only counts.
 */
void fault_arm(unsigned long k);
void fault_disarm(void);
/* Whether the k-th call since fault_arm() was reached. */
bool fault_fired(void);
/* Allocations seen since fault_arm(). */
unsigned long fault_seen(void);

/*
 * Runs the statement behind it with the 1st, 2nd, ... allocation failing, the last time with none.
 * fault_fired() says inside, after the call under test, whether this one should have failed.
 * Give memory back in it: fault_disarm() is called between the rounds, not before the clean-up.
 */
#define FAULT_LOOP                                                                          \
	for (unsigned long _fault_k = 1, _fault_on = 1; _fault_on && fault_round(_fault_k); \
		_fault_on = fault_fired(), fault_disarm(), _fault_k++)

/* For FAULT_LOOP: arms; aborts the test where a body allocates more than FAULT_ROUNDS_MAX times. */
#define FAULT_ROUNDS_MAX 100000
bool fault_round(unsigned long k);

#endif
