/* SPDX-License-Identifier: Apache-2.0 */
/* purge.c: the walk of a purge: pages of names, many REMOVEs in flight, one directory at a time */
#include "nfs/purge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "nfs/worker.h"

/* Read ahead when so few names are left, so that the window never runs dry. */
#define READ_AHEAD 192
/* Passes over a directory that does not get empty, because somebody fills it. */
#define PASSES_MAX 16
/* Half-done trees that are remembered between calls. */
#define PURGES_MAX 8
#define STALES_MAX 8

static void level_free(struct purge_level *l)
{
	free(l->page);
	free(l->next);
	free(l);
}

struct purge *purge_find(struct nfs_export *x, const char *name)
{
	LIST_FOREACH (&x->purges, it) {
		struct purge *p = LIST_ENTRY(it, struct purge, link);

		if (streq(p->name, name))
			return p;
	}
	return NULL;
}

static void forget_oldest(struct nfs_export *x)
{
	size_t n = 0;

	LIST_FOREACH (&x->purges, it)
		n++;
	LIST_FOREACH (&x->purges, it) {
		struct purge *p = LIST_ENTRY(it, struct purge, link);

		if (n < PURGES_MAX)
			return;
		if (!p->op && p->busy == 0) {
			purge_free(p);
			n--;
		}
	}
}

static struct purge_level *level_new(
	const char *name, const struct nfs_fh *fh, const struct nfs_attr *attr)
{
	struct purge_level *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->fh = *fh;
	l->owner = (struct nfs_cred){attr->uid, attr->gid};
	l->mode = attr->mode;
	str_copy_cut(l->name, sizeof(l->name), name);
	return l;
}

struct purge *purge_new(struct worker *w, struct nfs_export *x, const char *name,
	const struct nfs_fh *fh, const struct nfs_attr *attr)
{
	struct purge *p;

	forget_oldest(x);
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->w = w;
	p->x = x;
	str_copy_cut(p->name, sizeof(p->name), name);
	p->levels[0] = level_new(name, fh, attr);
	if (!p->levels[0]) {
		free(p);
		return NULL;
	}
	p->depth = 1;
	for (size_t i = 0; i < PURGE_WINDOW; i++)
		p->slots[i].p = p;
	list_append(&x->purges, &p->link);
	return p;
}

void purge_free(struct purge *p)
{
	list_remove(&p->link);
	while (p->depth > 0)
		level_free(p->levels[--p->depth]);
	free(p->spare);
	free(p);
}

void purge_note(struct purge *p, const struct call *c, const char *what)
{
	char shown[128];

	if (p->err.code)
		return;
	call_error(c, &p->err, "%s:%s: %s \"%s\" below the trash entry %s", p->w->server.name,
		p->x->path, what, str_escape(shown, sizeof(shown), str_or(c->name, "")), p->name);
}

struct nfs_cred purge_cred(const struct purge *p, const struct purge_level *l, unsigned stage)
{
	return stage == 0 ? p->x->control_cred : l->owner;
}

/* ---- pages
 * ----------------------------------------------------------------------------------------------------
 */

static void on_page(struct call *c, void *userdata);

static void page_ask(struct purge *p, unsigned stage)
{
	struct purge_level *l = purge_top(p);
	struct call *c = &p->readdir;

	l->fetching = true;
	p->busy++;
	c->tag = stage;
	c->kind = CALL_READDIR;
	c->dir = l->fh;
	c->cookie = l->cookie;
	memcpy(c->verf, l->verf, sizeof(c->verf));
	c->page = l->next;
	c->name = l->name;
	c->cred = purge_cred(p, l, stage);
	c->deadline = clock_now() + SECONDS(5);
	server_call(&p->w->server, c, on_page, p);
}

static void level_fail(
	struct purge *p, struct purge_level *l, const struct call *c, const char *what)
{
	purge_note(p, c, what);
	l->failed++;
	l->read_all = true;
}

static void page_fetch(struct purge *p)
{
	struct purge_level *l = purge_top(p);

	if (!l->next) {
		l->next = p->spare ? TAKE_PTR(p->spare) : malloc(sizeof(*l->next));
		if (!l->next) {
			p->readdir.r = -ENOMEM;
			p->readdir.why = NULL;
			level_fail(p, l, &p->readdir, "cannot read");
			return;
		}
	}
	nfs_page_reset(l->next);
	page_ask(p, l->opened ? 2 : l->as_owner ? 1 : 0);
}

static void page_take(struct purge_level *l)
{
	const struct nfs_page *page = l->next;

	l->cookie = page->cookie;
	memcpy(l->verf, page->verf, sizeof(l->verf));
	l->read_all = page->eof;
	if (page->refused > 0)
		l->failed++;
}

static void page_drop(struct purge *p, struct nfs_page **page)
{
	if (!p->spare)
		p->spare = *page;
	else
		free(*page);
	*page = NULL;
}

static void page_failed(struct purge *p, struct purge_level *l, const struct call *c)
{
	page_drop(p, &l->next);
	if (c->r == -EBADSLT && l->passes < PASSES_MAX) {
		/* The cookie died with the names behind it: from the beginning again. */
		l->passes++;
		l->cookie = 0;
		memset(l->verf, 0, sizeof(l->verf));
	} else if (c->r == -ESTALE || c->r == -ENOENT) {
		l->stale = l->read_all = true;
	} else {
		level_fail(p, l, c, "cannot read");
	}
}

static void on_page(struct call *c, void *userdata)
{
	struct purge *p = userdata;
	struct purge_level *l = purge_top(p);

	p->busy--;
	if (c->kind == CALL_SETATTR) {
		l->opened = true;
		page_ask(p, 2);
		return;
	}
	if (purge_refused(c->r) && c->tag < 2) {
		if (c->tag == 0) {
			page_ask(p, 1);
			return;
		}
		p->busy++;
		c->kind = CALL_SETATTR;
		c->set = (struct nfs_set){.what = SET_MODE, .mode = l->mode | 0700};
		server_call(&p->w->server, c, on_page, p);
		return;
	}
	l->fetching = false;
	if (c->r < 0)
		page_failed(p, l, c);
	else
		page_take(l);
	purge_pump(p);
}

/* ---- down and up
 * ------------------------------------------------------------------------------------------------
 */

static void on_walk(struct call *c, void *userdata);

static void walk_send(
	struct purge *p, enum call_kind kind, const struct purge_level *l, unsigned stage)
{
	struct call *c = &p->walk;

	p->moving = true;
	p->busy++;
	c->tag = stage;
	c->kind = kind;
	c->dir = l ? l->fh : p->x->trash;
	c->cred = l ? purge_cred(p, l, stage) : p->x->control_cred;
	c->deadline = clock_now() + SECONDS(5);
	server_call(&p->w->server, c, on_walk, p);
}

/* Into a directory that is not empty, unless that is too deep for the stack. */
static void descend(struct purge *p, size_t entry)
{
	struct purge_level *l = purge_top(p);

	if (p->depth == PURGE_LEVELS) {
		purge_hoist(p, entry);
		return;
	}
	p->walk.name = nfs_page_name(l->page, entry);
	p->slots[0].entry = entry;
	walk_send(p, CALL_LOOKUP, l, l->as_owner ? 1 : 0);
}

static void descended(struct purge *p, const struct call *c, size_t entry)
{
	struct purge_level *l = purge_top(p), *deeper;

	if (c->attr.type != NFS_TYPE_DIRECTORY) {
		/* Removed like any file in the next pass. */
		l->page->state[entry] = ENTRY_CHANGED;
		return;
	}
	if (memcmp(c->attr.fsid, p->x->fsid, sizeof(p->x->fsid)) != 0) {
		p->walk.r = -EXDEV;
		p->walk.why = NULL;
		purge_note(p, &p->walk, "another export or file system is");
		l->page->state[entry] = ENTRY_FAILED;
		l->failed++;
		return;
	}
	deeper = level_new(c->name, &c->fh, &c->attr);
	if (!deeper) {
		p->walk.r = -ENOMEM;
		purge_note(p, &p->walk, "cannot enter");
		l->page->state[entry] = ENTRY_FAILED;
		l->failed++;
		return;
	}
	deeper->entry = entry;
	p->levels[p->depth++] = deeper;
}

/* The level is empty, as far as we know: RMDIR says whether it is. */
static void ascend(struct purge *p)
{
	struct purge_level *l = purge_top(p),
			   *above = p->depth > 1 ? p->levels[p->depth - 2] : NULL;

	p->walk.name = l->name;
	walk_send(p, CALL_RMDIR, above, above && above->as_owner ? 1 : 0);
}

/* Leaves the level: GONE, FAILED or CHANGED is what becomes of its name in the one above. */
static void leave(struct purge *p, enum purge_entry how)
{
	struct purge_level *l = p->levels[--p->depth];
	struct purge_level *above = p->depth > 0 ? purge_top(p) : NULL;

	if (how == ENTRY_GONE)
		p->removed++;
	if (above) {
		above->page->state[l->entry] = (uint8_t)how;
		above->removed += how == ENTRY_GONE;
		above->failed += how == ENTRY_FAILED;
	} else {
		p->over = true;
		if (how != ENTRY_GONE && !p->err.code)
			err_set(&p->err, ENOTEMPTY, "%s:%s: trash entry %s does not get empty",
				p->w->server.name, p->x->path, p->name);
	}
	level_free(l);
}

/* Somebody put something in, or the server's cookies skipped names: once more from the start. */
static void again(struct purge *p, struct purge_level *l)
{
	/* What we moved up ourselves is no refill: every such move makes a deep tree shallower. */
	if (p->depth == 1 && p->moved_up)
		l->passes = 0;
	p->moved_up = p->depth == 1 ? false : p->moved_up;
	if (l->failed > 0 || ++l->passes > PASSES_MAX || (l->removed == 0 && l->passes > 2)) {
		leave(p, ENTRY_FAILED);
		return;
	}
	l->read_all = false;
	l->cookie = 0;
	memset(l->verf, 0, sizeof(l->verf));
	l->removed = 0;
}

static void ascended(struct purge *p, const struct call *c)
{
	if (c->r >= 0 || c->r == -ENOENT) {
		leave(p, ENTRY_GONE);
	} else if (c->r == -ENOTEMPTY || c->r == -EEXIST) {
		again(p, purge_top(p));
	} else if (c->r == -ENOTDIR && p->depth > 1) {
		leave(p, ENTRY_CHANGED);
	} else {
		purge_note(p, c, "cannot remove the directory");
		leave(p, ENTRY_FAILED);
	}
}

static void on_walk(struct call *c, void *userdata)
{
	struct purge *p = userdata;
	size_t entry = p->slots[0].entry;
	struct purge_level *l = c->kind != CALL_RMDIR ? purge_top(p)
				: p->depth > 1        ? p->levels[p->depth - 2]
						      : NULL;

	p->busy--;
	p->moving = false;
	if (purge_refused(c->r) && l && c->tag < 1) {
		walk_send(p, c->kind, l, 1);
		return;
	}
	if (c->kind == CALL_RMDIR) {
		ascended(p, c);
	} else if (c->r == -ENOENT) {
		l->page->state[entry] = ENTRY_GONE;
	} else if (c->r >= 0) {
		descended(p, c, entry);
	} else {
		purge_note(p, c, "cannot enter");
		l->page->state[entry] = ENTRY_FAILED;
		l->failed++;
	}
	purge_pump(p);
}

/* ---- the engine
 * -------------------------------------------------------------------------------------------------
 */

static size_t find_deep(const struct nfs_page *page)
{
	for (size_t i = 0; i < page->n; i++)
		if (page->state[i] == ENTRY_DEEP)
			return i;
	return SIZE_MAX;
}

/* The level's handle died: whether its directory did too is seen from above. */
static bool level_stale(struct purge *p, struct purge_level *l)
{
	if (!l->stale || p->busy > 0)
		return l->stale;
	if (++p->stales > STALES_MAX || p->depth == 1) {
		err_set(&p->err, ESTALE, "%s:%s: handles below the trash entry %s go stale",
			p->w->server.name, p->x->path, p->name);
		leave(p, ENTRY_FAILED);
	} else {
		struct purge_level *above = p->levels[p->depth - 2];

		above->page->state[l->entry] = ENTRY_DEEP;
		p->depth--;
		level_free(l);
	}
	return false;
}

/* One decision; false where a call must be waited for. */
static bool pump_once(struct purge *p)
{
	struct purge_level *l = purge_top(p);
	size_t deep;

	if (l->stale && level_stale(p, l))
		return false;
	if (l != (p->depth > 0 ? purge_top(p) : NULL))
		return !p->over;
	if (!l->page && l->next && !l->fetching) {
		l->page = TAKE_PTR(l->next);
		l->at = 0;
	}
	if (!l->page && !l->read_all) {
		if (!l->fetching)
			page_fetch(p);
		return !l->fetching;
	}
	if (!l->page) {
		if (p->busy > 0)
			return false;
		if (l->failed > 0)
			leave(p, ENTRY_FAILED);
		else
			ascend(p);
		return !p->moving && !p->over;
	}
	purge_send_names(p, l);
	if (!l->read_all && !l->next && !l->fetching && l->page->n - l->at < READ_AHEAD)
		page_fetch(p);
	if (l->at < l->page->n || p->busy > 0)
		return false;
	deep = find_deep(l->page);
	if (deep != SIZE_MAX) {
		descend(p, deep);
		return false;
	}
	page_drop(p, &l->page);
	return true;
}

static bool slice_over(const struct purge *p)
{
	return p->slice_left == 0 || clock_now() >= p->slice_end;
}

static void answer(struct purge *p)
{
	struct op *op = TAKE_PTR(p->op);

	op->result.removed = p->removed;
	p->removed = 0;
	op_enter(op, p->then);
}

void purge_pump(struct purge *p)
{
	while (p->op && !p->over && !p->moving && !slice_over(p))
		if (!pump_once(p))
			break;
	if (p->op && (p->over || slice_over(p)))
		answer(p);
}

int purge_run(struct purge *p, struct op *op, int then)
{
	p->op = op;
	p->then = then;
	p->slice_left = PURGE_SLICE_ENTRIES;
	p->slice_end = clock_now() + PURGE_SLICE_NS;
	while (!p->over && !p->moving)
		if (!pump_once(p))
			break;
	if (!p->over)
		return STEP_WAIT;
	p->op = NULL;
	op->result.removed = p->removed;
	p->removed = 0;
	return then;
}
