/* SPDX-License-Identifier: Apache-2.0 */
/* usage.c: figures by target, and who waits for them */
#include "agent/usage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"

struct waiter {
	usage_fn fn;
	void *userdata;
};

struct entry {
	struct usage *usage;
	bool running, known;
	bool forgotten; /* while it runs: gone with the answer */
	uint64_t at;    /* clock_now() of figures */
	struct mounter_usage figures;
	struct waiter waiters[USAGE_WAITERS_MAX];
	size_t n_waiters;
	char target[];
};

struct usage {
	struct usage_options o;
	struct map entries;
};

static struct map_key key_of(const void *value)
{
	return map_key_str(((const struct entry *)value)->target);
}

static struct entry *entry_get(struct usage *u, const char *target)
{
	struct entry *x = map_gets(&u->entries, target);
	size_t n = strlen(target) + 1;

	if (x)
		return x;
	x = calloc(1, sizeof(*x) + n);
	if (!x)
		return NULL;
	x->usage = u;
	memcpy(x->target, target, n);
	if (map_add(&u->entries, x) >= 0)
		return x;
	free(x);
	return NULL;
}

static void entry_free(struct entry *x)
{
	map_removes(&x->usage->entries, x->target);
	free(x);
}

static void on_figures(const struct err *e, const struct mounter_usage *figures, void *userdata)
{
	struct entry *x = userdata;
	struct waiter waiters[USAGE_WAITERS_MAX];
	const struct usage *u = x->usage;
	struct mounter_usage last;
	size_t n = x->n_waiters;
	bool known;

	x->running = false;
	x->n_waiters = 0;
	memcpy(waiters, x->waiters, sizeof(waiters));
	if (e->code == 0) {
		x->figures = *figures;
		x->at = clock_now();
		x->known = true;
	}
	last = x->figures;
	known = x->known;
	if (u->o.called)
		u->o.called(x->target, e->code, u->o.userdata);
	/* Nothing is mounted there, or something else by now: not a thing to remember. */
	if (x->forgotten || e->code == ENOENT)
		entry_free(x);
	for (size_t i = 0; i < n; i++)
		waiters[i].fn(e, known ? &last : NULL, waiters[i].userdata);
}

int usage_get(struct usage *u, const char *target, usage_fn fn, void *userdata, struct err *e)
{
	struct entry *x = entry_get(u, target);
	int r;

	if (!x)
		return err_set(e, ENOMEM, "out of memory");
	if (x->known && !x->running && clock_now() - x->at < u->o.cache_ns) {
		fn(&ERR_NULL, &x->figures, userdata);
		return 0;
	}
	if (x->n_waiters == USAGE_WAITERS_MAX)
		return err_set(e, EBUSY, "%s: %d calls wait for its figures already", target,
			USAGE_WAITERS_MAX);
	if (!x->running) {
		r = mounter_stats(u->o.mounter, target, on_figures, x, e);
		if (r < 0) {
			if (!x->known)
				entry_free(x);
			return r;
		}
		x->running = true;
		x->forgotten = false;
	}
	x->waiters[x->n_waiters++] = (struct waiter){fn, userdata};
	return 0;
}

void usage_forget(struct usage *u, const char *target)
{
	struct entry *x = map_gets(&u->entries, target);

	if (!x)
		return;
	x->known = false;
	if (x->running)
		x->forgotten = true;
	else
		entry_free(x);
}

int usage_new(struct usage **ret, const struct usage_options *o)
{
	struct usage *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->o = *o;
	u->entries = MAP_NULL(key_of);
	*ret = u;
	return 0;
}

struct usage *usage_free(struct usage *u)
{
	const struct err e = {.code = ECANCELED, .text = "the agent is ending"};
	struct entry *x;

	if (!u)
		return NULL;
	MAP_FOREACH (&u->entries, x) {
		for (size_t i = 0; i < x->n_waiters; i++)
			x->waiters[i].fn(&e, NULL, x->waiters[i].userdata);
		entry_free(x);
	}
	map_done(&u->entries);
	free(u);
	return NULL;
}
