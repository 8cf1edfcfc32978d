/* SPDX-License-Identifier: Apache-2.0 */
/* fault.c: allocation functions that fail on demand */
#include "tests/unit/fault.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
	unsigned long at; /* the call that fails, 0 for none */
	unsigned long seen;
	bool armed;
	bool fired;
} fault;

void fault_arm(unsigned long k)
{
	fault.at = k;
	fault.seen = 0;
	fault.fired = false;
	fault.armed = true;
}

void fault_disarm(void)
{
	fault.armed = false;
}

bool fault_fired(void)
{
	return fault.fired;
}

unsigned long fault_seen(void)
{
	return fault.seen;
}

bool fault_round(unsigned long k)
{
	if (k > FAULT_ROUNDS_MAX) {
		fprintf(stderr, "FAULT_LOOP: still failing after %d rounds\n", FAULT_ROUNDS_MAX);
		abort();
	}
	fault_arm(k);
	return true;
}

static bool refuse(void)
{
	if (!fault.armed || ++fault.seen != fault.at)
		return false;
	fault.fired = true;
	errno = ENOMEM;
	return true;
}

/* The linker sends calls of f to __wrap_f and calls of __real_f to the C library. */
#define WRAPPED(type, name, params, args)                    \
	type __real_##name params;                           \
	type __wrap_##name params;                           \
	type __wrap_##name params                            \
	{                                                    \
		return refuse() ? NULL : __real_##name args; \
	}

WRAPPED(void *, malloc, (size_t size), (size))
WRAPPED(void *, calloc, (size_t n, size_t size), (n, size))
WRAPPED(void *, realloc, (void *p, size_t size), (p, size))
WRAPPED(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAPPED(char *, strdup, (const char *s), (s))
WRAPPED(char *, strndup, (const char *s, size_t n), (s, n))
