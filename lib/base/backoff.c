/* SPDX-License-Identifier: Apache-2.0 */
/* backoff.c: how long to wait before the next try */
#include "base/backoff.h"

#include "base/clock.h"
#include "base/id.h"

uint64_t backoff_next(struct backoff *b)
{
	uint64_t delay = b->min, extra;

	for (unsigned i = 0; i < b->tries && delay < b->max; i++) {
		if (delay == 0)
			break;
		delay = delay > UINT64_MAX / 2 ? UINT64_MAX : delay * 2;
	}
	if (delay > b->max)
		delay = b->max;
	if (b->tries < UINT32_MAX)
		b->tries++;

	extra = delay / 100 * b->jitter_percent + delay % 100 * b->jitter_percent / 100;
	if (extra > UINT64_MAX - delay)
		extra = UINT64_MAX - delay;
	return delay + (extra == 0 ? 0 : random_below(extra));
}

void bucket_init(struct bucket *b, double rate, double burst)
{
	/* A bucket that holds less than one token would never give any. */
	if (burst < 1)
		burst = 1;
	*b = (struct bucket){.rate = rate, .burst = burst, .tokens = burst};
}

uint64_t bucket_take(struct bucket *b, uint64_t now)
{
	if (b->rate <= 0)
		return 0;
	if (now > b->at) {
		b->tokens += (double)(now - b->at) / (double)NSEC_PER_SEC * b->rate;
		if (b->tokens > b->burst)
			b->tokens = b->burst;
		b->at = now;
	}
	if (b->tokens >= 1) {
		b->tokens -= 1;
		return 0;
	}
	/* One more nanosecond, so that a caller who waits this long is not turned away by rounding.
	 */
	return (uint64_t)((1 - b->tokens) / b->rate * (double)NSEC_PER_SEC) + 1;
}
