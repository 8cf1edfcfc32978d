/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c: the event loop over sd-event, and the deferred calls at the end of its turns */
#include "event/loop.h"

#include <errno.h>
#include <stdbool.h>

#include "base/list.h"

/* sd-event dispatches one source at a time; after this many in a row deferred calls run even though
 * more is pending, so that a flood on one descriptor cannot starve them. */
#define TURN_MAX 64

struct loop {
	sd_event *sd;
	struct list armed;   /* struct defer, for the end of this turn */
	struct list running; /* struct defer, of the turn that just ended */
	uint64_t turn;
	unsigned dispatched; /* in this turn */
	bool ending;         /* the turn: deferred calls are running */
	bool exiting;
	int code;
};

struct defer {
	struct list link;
	struct loop *loop;
	uint64_t turn; /* at whose end it ran last */
	defer_fn fn;
	void *userdata;
};

int loop_new(struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	list_init(&l->armed);
	list_init(&l->running);
	r = sd_event_new(&l->sd);
	if (r < 0) {
		free(l);
		return r;
	}
	*ret = l;
	return 0;
}

struct loop *loop_free(struct loop *l)
{
	if (!l)
		return NULL;
	sd_event_unref(l->sd);
	free(l);
	return NULL;
}

sd_event *loop_sd(struct loop *l)
{
	return l->sd;
}

void loop_exit(struct loop *l, int code)
{
	l->exiting = true;
	l->code = code;
}

/* Each at most once, those that they arm too: what has run and is armed again waits for the next
 * turn, after descriptors had their chance. */
static void loop_run_deferred(struct loop *l)
{
	l->dispatched = 0;
	l->turn++;
	l->ending = true;
	LIST_FOREACH (&l->armed, it) {
		list_remove(it);
		list_append(&l->running, it);
	}
	while (!l->exiting && !list_empty(&l->running)) {
		struct defer *d = LIST_FIRST(&l->running, struct defer, link);

		list_remove(&d->link);
		d->turn = l->turn;
		d->fn(d, d->userdata);
	}
	l->ending = false;
}

static bool loop_has_deferred(const struct loop *l)
{
	return !list_empty(&l->armed) || !list_empty(&l->running);
}

/* Dispatches one source, or ends the turn where nothing is pending. */
static int loop_step(struct loop *l)
{
	int r = sd_event_prepare(l->sd);

	if (r == 0)
		r = sd_event_wait(l->sd, loop_has_deferred(l) ? 0 : UINT64_MAX);
	if (r < 0)
		return r;
	if (r > 0) {
		r = sd_event_dispatch(l->sd);
		if (r < 0)
			return r;
		if (++l->dispatched < TURN_MAX)
			return 0;
	}
	if (!l->exiting)
		loop_run_deferred(l);
	return 0;
}

int loop_run(struct loop *l)
{
	int r;

	/* Not sd_event_exit(): it would finish the sd_event for ever, and a loop may run again. */
	while (!l->exiting) {
		if (sd_event_get_state(l->sd) == SD_EVENT_FINISHED)
			return -ESTALE;
		r = loop_step(l);
		if (r < 0)
			return r;
	}
	l->exiting = false;
	return l->code;
}

int defer_new(struct defer **ret, struct loop *l, defer_fn fn, void *userdata)
{
	struct defer *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	list_init(&d->link);
	d->loop = l;
	d->fn = fn;
	d->userdata = userdata;
	*ret = d;
	return 0;
}

void defer_arm(struct defer *d)
{
	struct loop *l = d->loop;

	if (list_empty(&d->link))
		list_append(l->ending && d->turn != l->turn ? &l->running : &l->armed, &d->link);
}

struct defer *defer_free(struct defer *d)
{
	if (!d)
		return NULL;
	list_remove(&d->link);
	free(d);
	return NULL;
}
