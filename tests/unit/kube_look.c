/* SPDX-License-Identifier: Apache-2.0 */
/* kube_look.c: an informer of Nodes on a scripted server, and what it said */
#include "kube_look.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "kube/class.h"

static void on_changed(
	struct informer *i, const struct object *old, const struct object *now, void *userdata)
{
	struct look *l = userdata;
	struct seen_event *e = &l->events[l->n++];

	(void)i;
	assert_true(l->n < ELEMENTSOF(l->events));
	str_copy_cut(e->old, sizeof(e->old), old ? old->name : "");
	str_copy_cut(e->now, sizeof(e->now), now ? now->name : "");
	str_copy_cut(e->rv, sizeof(e->rv), now ? now->rv : "");
	if (l->free_in_changed)
		l->i = informer_free(l->i);
}

static void on_synced(struct informer *i, void *userdata)
{
	struct look *l = userdata;

	(void)i;
	l->synced++;
}

int look_setup(void **state)
{
	struct look *l = calloc(1, sizeof(*l));

	*state = l;
	return l ? kube_world_init(&l->w) : -1;
}

int look_teardown(void **state)
{
	struct look *l = *state;

	informer_free(l->i);
	return kube_world_teardown(state);
}

void look_expect(struct look *l, struct fake_answer a)
{
	fakeapi_answer(l->w.api, &a);
}

void look_start(struct look *l, const struct kind *k)
{
	const struct informer_callbacks cb = {on_changed, on_synced};

	assert_int_equal(informer_new(&l->i, l->w.client, l->w.pool, k, &cb, l), 0);
	assert_int_equal(l->n, 0);
}

struct wait {
	struct look *l;
	const char *match;
	unsigned n;
};

static bool requests_came(void *userdata)
{
	struct wait *v = userdata;

	return fakeapi_count(v->l->w.api, v->match) >= v->n;
}

static bool changes_came(void *userdata)
{
	struct wait *v = userdata;

	return v->l->n >= v->n;
}

void look_await(struct look *l, const char *match, unsigned n)
{
	struct wait v = {l, match, n};

	if (!fake_run(l->w.loop, requests_came, &v, 5000))
		fail_msg("%u of %u requests %s", fakeapi_count(l->w.api, match), n, match);
	/* And what they brought. */
	fake_pass(l->w.loop, 5);
}

void look_await_changes(struct look *l, unsigned n)
{
	struct wait v = {l, NULL, n};

	if (!fake_run(l->w.loop, changes_came, &v, 5000))
		fail_msg("%u of %u changes", l->n, n);
}

const char *look_last_line(const struct look *l)
{
	return fakeapi_request(l->w.api, fakeapi_requests(l->w.api) - 1)->line;
}

bool look_has(const struct look *l, const char *name)
{
	return informer_get(l->i, "", name);
}

void look_change_is(const struct look *l, unsigned n, const char *old, const char *now)
{
	assert_string_equal(l->events[n].old, old);
	assert_string_equal(l->events[n].now, now);
}

void look_usual_start(struct look *l)
{
	look_expect(
		l, (struct fake_answer){.match = LISTS,
			   .body = LIST("10", NODE("a", UID(1), "5") "," NODE("b", UID(2), "6"))});
	look_expect(l, (struct fake_answer){.match = WATCHES, .how = FAKE_STREAM});
	look_start(l, &kind_node);
	look_await(l, WATCHES, 1);
	assert_int_equal(l->n, 2);
}

void look_push(struct look *l, const char *text)
{
	fakeapi_push(l->w.api, text, strlen(text));
}
