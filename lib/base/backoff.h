/* SPDX-License-Identifier: Apache-2.0 */
/* backoff.h: exponential back-off with jitter, and a token bucket */
#ifndef BERTH_BASE_BACKOFF_H
#define BERTH_BASE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

/* min doubles up to max; jitter_percent adds 0 to that share of the delay (client-go: 100). All in
 * ns. */
struct backoff {
	uint64_t min;
	uint64_t max;
	unsigned jitter_percent;
	unsigned tries; /* delays given since the last reset */
};

uint64_t backoff_next(struct backoff *b);
static inline void backoff_reset(struct backoff *b)
{
	b->tries = 0;
}

/* Tokens refill at rate per second up to burst; rate 0 means no limit. */
struct bucket {
	double rate;
	double burst;
	double tokens;
	uint64_t at; /* clock_now() of the last refill */
};

void bucket_init(struct bucket *b, double rate, double burst);
/* Takes a token: 0, or the nanoseconds until one will be there (nothing taken). */
uint64_t bucket_take(struct bucket *b, uint64_t now);

#endif
