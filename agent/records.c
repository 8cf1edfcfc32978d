/* SPDX-License-Identifier: Apache-2.0 */
/* records.c: one listing an export, all at once, page by page */
#include "agent/records.h"

#include <errno.h>
#include <stdlib.h>

#include "base/str.h"

struct walk;

struct listing {
	struct walk *walk;
	const struct place *at;
	char *cursor;
};

struct walk {
	struct volume_backend *backend;
	const struct records_callbacks *cb;
	void *userdata;
	char *only; /* NULL: all */
	struct places *places;
	struct listing listings[PLACES_MAX];
	size_t running;
	bool enough;
};

static void walk_free(struct walk *w)
{
	for (size_t i = 0; i < PLACES_MAX; i++)
		free(w->listings[i].cursor);
	free(w->only);
	free(w);
}

static void walk_end(struct walk *w)
{
	w->cb->done(w->places, NULL, w->userdata);
	walk_free(w);
}

static void walk_fail(struct walk *w, const struct err *e)
{
	places_free(w->places);
	w->cb->done(NULL, e, w->userdata);
	walk_free(w);
}

static int ask(struct listing *x);

static void on_page(const struct volume_result *res, void *userdata)
{
	struct listing *x = userdata;
	struct walk *w = x->walk;

	for (size_t i = 0; res->err.code == 0 && i < res->n_entries && !w->enough; i++)
		w->enough = !w->cb->entry(w->places, x->at, &res->entries[i], w->userdata);
	if (res->err.code)
		places_note(w->places, "%s", res->err.text);
	else if (res->flags & RESULT_MORE && !w->enough &&
		 str_replace(&x->cursor, res->cursor) == 0 && ask(x) == 0)
		return;
	if (--w->running == 0)
		walk_end(w);
}

static int ask(struct listing *x)
{
	struct volume_backend *b = x->walk->backend;

	return b->ops->list(b, &x->at->at, x->cursor, on_page, x);
}

static bool wanted(const struct walk *w, const struct place *at)
{
	return !w->only || places_get(w->places, w->only) == at;
}

static void on_places(struct places *p, void *userdata)
{
	struct walk *w = userdata;
	struct err e = ERR_NULL;

	w->places = p;
	if (w->only && !places_get(p, w->only)) {
		err_set(&e, ENOENT,
			"%s: no StorageClass and no BerthVolume names it, and it is not mounted "
			"here%s%s",
			w->only, json_array_size(p->incomplete) ? "; " : "",
			str_or(json_string_value(json_array_get(p->incomplete, 0)), ""));
		walk_fail(w, &e);
		return;
	}
	/* One more than there are: no answer ends it before all were asked. */
	w->running = 1;
	for (size_t i = 0; i < p->n; i++) {
		struct listing *x = &w->listings[i];

		*x = (struct listing){.walk = w, .at = &p->place[i]};
		if (!wanted(w, x->at))
			continue;
		if (ask(x) == 0)
			w->running++;
		else
			places_note(p, "%s:%s: out of memory, or too much to do", x->at->server,
				x->at->export_);
	}
	if (--w->running == 0)
		walk_end(w);
}

int records_walk(struct loop *l, const struct view *v, const char *export_,
	const struct records_callbacks *cb, void *userdata, struct err *e)
{
	struct volume_backend *b = v->storage ? v->storage(v->agent) : NULL;
	struct walk *w;

	if (!b)
		return err_set(e, ENOTSUP, "this agent has no NFS worker to look with");
	w = calloc(1, sizeof(*w));
	if (!w)
		return err_set(e, ENOMEM, "out of memory");
	*w = (struct walk){.backend = b, .cb = cb, .userdata = userdata};
	if ((export_ && !(w->only = strdup(export_))) || places_find(l, v, on_places, w) < 0) {
		walk_free(w);
		return err_set(e, ENOMEM, "out of memory");
	}
	return 0;
}
