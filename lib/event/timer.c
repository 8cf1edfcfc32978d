/* SPDX-License-Identifier: Apache-2.0 */
/* timer.c: exact and lazy timers on the boot-time clock */
#include "event/loop.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"

struct timer {
	sd_event_source *source;
	timer_fn fn;
	void *userdata;
};

static int on_time(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct timer *t = userdata;

	(void)s;
	(void)usec;
	/* The last touch: fn may free the timer. */
	t->fn(t, t->userdata);
	return 0;
}

static int timer_new(struct timer **ret, struct loop *l, uint64_t accuracy_us, struct timer init)
{
	struct timer *t = malloc(sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	*t = init;
	r = sd_event_add_time(
		loop_sd(l), &t->source, CLOCK_BOOTTIME, UINT64_MAX, accuracy_us, on_time, t);
	if (r >= 0)
		r = sd_event_source_set_enabled(t->source, SD_EVENT_OFF);
	if (r < 0) {
		timer_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

int timer_new_exact(struct timer **ret, struct loop *l, timer_fn fn, void *userdata)
{
	struct timer *t = NULL;
	int r = timer_new(&t, l, 1, (struct timer){.fn = fn, .userdata = userdata});

	if (r < 0)
		return r;
	sd_event_source_set_description(t->source, "timer-exact");
	*ret = t;
	return 0;
}

int timer_new_lazy(
	struct timer **ret, struct loop *l, uint64_t slack_ns, timer_fn fn, void *userdata)
{
	/* An accuracy of 0 would mean sd-event's own 250 ms (libraries.md 1). */
	uint64_t accuracy_us = slack_ns < NSEC_PER_USEC ? 1 : slack_ns / NSEC_PER_USEC;
	struct timer *t = NULL;
	int r = timer_new(&t, l, accuracy_us, (struct timer){.fn = fn, .userdata = userdata});

	if (r < 0)
		return r;
	sd_event_source_set_description(t->source, "timer-lazy");
	*ret = t;
	return 0;
}

void timer_arm(struct timer *t, uint64_t delay_ns)
{
	uint64_t now = clock_now(), at;

	/* From now and not from the turn's beginning, and never before its time by rounding. */
	at = delay_ns > UINT64_MAX - NSEC_PER_USEC - now ? UINT64_MAX : now + delay_ns;
	at = at == UINT64_MAX ? UINT64_MAX : (at + NSEC_PER_USEC - 1) / NSEC_PER_USEC;
	sd_event_source_set_time(t->source, at);
	sd_event_source_set_enabled(t->source, SD_EVENT_ONESHOT);
}

void timer_disarm(struct timer *t)
{
	sd_event_source_set_enabled(t->source, SD_EVENT_OFF);
}

int timer_armed(const struct timer *t)
{
	return sd_event_source_get_enabled(t->source, NULL) > 0;
}

struct timer *timer_free(struct timer *t)
{
	if (!t)
		return NULL;
	sd_event_source_disable_unref(t->source);
	free(t);
	return NULL;
}
