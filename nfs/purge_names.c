/* SPDX-License-Identifier: Apache-2.0 */
/* purge_names.c: one name after the other, many in flight: REMOVE, else RMDIR, else for later */
#include <errno.h>

#include "base/clock.h"
#include "nfs/purge.h"
#include "nfs/worker.h"

/* Rounds of REMOVE and RMDIR with one name. */
#define TURNS_MAX 8

static void on_slot(struct call *c, void *userdata);

static void slot_send(struct purge_slot *s, enum call_kind kind)
{
	struct purge *p = s->p;
	struct purge_level *l = purge_top(p);
	struct call *c = &s->call;

	s->busy = true;
	p->busy++;
	c->kind = kind;
	c->dir = l->fh;
	c->name = nfs_page_name(l->page, s->entry);
	c->cred = purge_cred(p, l, s->stage);
	c->deadline = clock_now() + SECONDS(5);
	if (kind == CALL_SETATTR)
		c->set = (struct nfs_set){.what = SET_MODE, .mode = l->mode | 0700};
	server_call(&p->w->server, c, on_slot, s);
}

/* The names of the slot from its entry on. */
static void slot_begin(struct purge_slot *s)
{
	struct purge_level *l = purge_top(s->p);

	s->stage = l->opened ? 2 : l->as_owner ? 1 : 0;
	s->what = CALL_REMOVE;
	s->turns = 0;
	s->first_r = 0;
	s->call.page = l->page;
	s->call.first = s->entry;
	s->call.count = s->end - s->entry;
	slot_send(s, s->call.count > 1 ? CALL_REMOVES : CALL_REMOVE);
}

static void slot_over(struct purge_slot *s, enum purge_entry state)
{
	struct purge_level *l = purge_top(s->p);

	l->page->state[s->entry] = (uint8_t)state;
	if (state == ENTRY_FAILED)
		l->failed++;
	if (state != ENTRY_GONE)
		return;
	l->removed++;
	s->p->removed++;
	if (s->p->slice_left > 0)
		s->p->slice_left--;
}

/* Tries the same name again as somebody who may do more; false where nobody is left. */
static bool slot_escalate(struct purge_slot *s)
{
	struct purge_level *l = purge_top(s->p);

	if (s->stage >= 2)
		return false;
	s->stage++;
	if (s->stage == 2 && !l->opened) {
		slot_send(s, CALL_SETATTR);
		return true;
	}
	slot_send(s, s->what);
	return true;
}

/* A server's answer to REMOVE of a directory: ISDIR by the standard, but EPERM and EINVAL were
 * seen. */
static bool slot_try_rmdir(struct purge_slot *s, int r)
{
	if (s->what == CALL_RMDIR)
		return false;
	s->first_r = r;
	s->first_why = s->call.why;
	s->what = CALL_RMDIR;
	slot_send(s, CALL_RMDIR);
	return true;
}

/*
 * RMDIR found no directory, or a server's REMOVE took what it found for one. Either REMOVE's first
 * answer was the true one, or what has the name was exchanged in between, by a tenant who goes on
 * with that: asked anew a few times, then in the next pass.
 */
static void slot_no_directory(struct purge_slot *s)
{
	if (purge_refused(s->first_r)) {
		s->call.r = s->first_r;
		s->call.why = s->first_why;
		purge_note(s->p, &s->call, "cannot remove");
		slot_over(s, ENTRY_FAILED);
	} else if (++s->turns > TURNS_MAX) {
		slot_over(s, ENTRY_CHANGED);
	} else {
		s->what = CALL_REMOVE;
		slot_send(s, CALL_REMOVE);
	}
}

static bool slot_refused(struct purge_slot *s)
{
	return slot_escalate(s) || (s->call.r == -EPERM && slot_try_rmdir(s, -EPERM));
}

static void slot_answer(struct purge_slot *s)
{
	struct purge_level *l = purge_top(s->p);
	int r = s->call.r;

	if (s->call.kind == CALL_SETATTR) {
		l->opened = true;
		slot_send(s, s->what);
	} else if (r >= 0) {
		if (s->stage > 0)
			l->as_owner = true;
		slot_over(s, ENTRY_GONE);
	} else if (r == -ENOENT) {
		slot_over(s, ENTRY_GONE);
	} else if (r == -EISDIR || r == -EINVAL) {
		if (!slot_try_rmdir(s, r))
			slot_over(s, ENTRY_FAILED);
	} else if (r == -ENOTDIR) {
		slot_no_directory(s);
	} else if (r == -ENOTEMPTY || r == -EEXIST) {
		slot_over(s, ENTRY_DEEP);
	} else if (r == -ESTALE) {
		l->stale = true;
		slot_over(s, ENTRY_FAILED);
	} else if (!purge_refused(r) || !slot_refused(s)) {
		purge_note(s->p, &s->call, "cannot remove");
		slot_over(s, ENTRY_FAILED);
	}
}

/* Those that went; what is left to say is about the one behind them. False: nothing. */
static bool slot_take_removes(struct purge_slot *s)
{
	size_t done = s->call.done;

	for (size_t i = 0; i < done; i++, s->entry++)
		slot_over(s, ENTRY_GONE);
	if (s->entry >= s->end)
		return false;
	s->call.kind = CALL_REMOVE;
	s->call.name = nfs_page_name(purge_top(s->p)->page, s->entry);
	return true;
}

static void on_slot(struct call *c, void *userdata)
{
	struct purge_slot *s = userdata;
	struct purge *p = s->p;

	s->busy = false;
	p->busy--;
	if (c->kind != CALL_REMOVES || slot_take_removes(s))
		slot_answer(s);
	/* With a handle that is stale all names are asked for anew, later. */
	if (!s->busy && s->entry + 1 < s->end && !purge_top(p)->stale) {
		s->entry++;
		slot_begin(s);
	}
	purge_pump(p);
}

void purge_send_names(struct purge *p, struct purge_level *l)
{
	bool alone = p->w->n_ops <= 1;
	size_t window = alone ? PURGE_WINDOW : PURGE_WINDOW_SHARED, batch = 1;

	if (p->w->server.protocol->version == 4)
		batch = alone ? PURGE_BATCH : PURGE_BATCH_SHARED;
	for (size_t i = 0; i < window / batch && l->at < l->page->n; i++) {
		struct purge_slot *s = &p->slots[i];

		if (s->busy)
			continue;
		s->entry = l->at;
		s->end = l->at + nfs_page_removes(l->page, l->at, batch);
		for (; l->at < s->end; l->at++)
			l->page->state[l->at] = ENTRY_SENT;
		slot_begin(s);
	}
}
