/* SPDX-License-Identifier: Apache-2.0 */
/* delay.h: things that wait for their time, thousands of them behind one timer */
#ifndef BERTH_PROVISIONER_DELAY_H
#define BERTH_PROVISIONER_DELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "event/loop.h"

/* Embedded in what waits; all zero is a valid idle one. */
struct delay {
	uint64_t at; /* clock_now() */
	size_t slot; /* its place in the heap plus one; 0 while it does not wait */
	void (*due)(struct delay *d, void *userdata);
	void *userdata;
};

struct delays;
int delays_new(struct delays **ret, struct loop *l);
/* Nothing that still waits is called any more. */
struct delays *delays_free(struct delays *s);
DEFINE_CLEANUP(struct delays *, delays_free)

/* Moves d to after_ns from now; due() is called once then, never before the return. -ENOMEM. */
int delay_start(struct delays *s, struct delay *d, uint64_t after_ns) _must_check_;
/* Legal for one that does not wait. */
void delay_stop(struct delays *s, struct delay *d);
static inline bool delay_waits(const struct delay *d)
{
	return d->slot > 0;
}
size_t delays_size(const struct delays *s);

#endif
