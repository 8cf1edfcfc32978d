/* SPDX-License-Identifier: Apache-2.0 */
/* delay.c: a binary heap of waiting things and the timer of the first */
#include "provisioner/delay.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

/* Back-off is measured in seconds: firing a little later lets an idle process sleep. */
#define SLACK MILLISECONDS(20)
#define SIZE_FIRST 16

struct delays {
	struct timer *timer;
	struct delay **heap;
	size_t n, cap;
};

static void put(struct delays *s, size_t i, struct delay *d)
{
	s->heap[i] = d;
	d->slot = i + 1;
}

static void sift_up(struct delays *s, size_t i, struct delay *d)
{
	while (i > 0 && s->heap[(i - 1) / 2]->at > d->at) {
		put(s, i, s->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(s, i, d);
}

static void sift_down(struct delays *s, size_t i, struct delay *d)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= s->n)
			break;
		if (child + 1 < s->n && s->heap[child + 1]->at < s->heap[child]->at)
			child++;
		if (s->heap[child]->at >= d->at)
			break;
		put(s, i, s->heap[child]);
		i = child;
	}
	put(s, i, d);
}

static void arm(struct delays *s)
{
	uint64_t now = clock_now();

	if (s->n == 0)
		timer_disarm(s->timer);
	else
		timer_arm(s->timer, s->heap[0]->at > now ? s->heap[0]->at - now : 0);
}

static void take_out(struct delays *s, struct delay *d)
{
	size_t i = d->slot - 1;
	struct delay *last = s->heap[--s->n];

	d->slot = 0;
	if (last == d)
		return;
	if (i > 0 && s->heap[(i - 1) / 2]->at > last->at)
		sift_up(s, i, last);
	else
		sift_down(s, i, last);
}

static void on_timer(struct timer *t, void *userdata)
{
	struct delays *s = userdata;
	uint64_t now = clock_now();

	(void)t;
	while (s->n > 0 && s->heap[0]->at <= now) {
		struct delay *d = s->heap[0];

		take_out(s, d);
		d->due(d, d->userdata);
	}
	arm(s);
}

int delays_new(struct delays **ret, struct loop *l)
{
	_cleanup_(delays_freep) struct delays *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	r = timer_new_lazy(&s->timer, l, SLACK, on_timer, s);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct delays *delays_free(struct delays *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n; i++)
		s->heap[i]->slot = 0;
	timer_free(s->timer);
	free(s->heap);
	free(s);
	return NULL;
}

int delay_start(struct delays *s, struct delay *d, uint64_t after_ns)
{
	if (delay_waits(d))
		take_out(s, d);
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : SIZE_FIRST;
		struct delay **heap = reallocarray(s->heap, cap, sizeof(struct delay *));

		if (!heap) {
			arm(s);
			return -ENOMEM;
		}
		s->heap = heap;
		s->cap = cap;
	}
	d->at = clock_now() + after_ns;
	sift_up(s, s->n++, d);
	arm(s);
	return 0;
}

void delay_stop(struct delays *s, struct delay *d)
{
	if (!delay_waits(d))
		return;
	take_out(s, d);
	arm(s);
}

size_t delays_size(const struct delays *s)
{
	return s->n;
}
