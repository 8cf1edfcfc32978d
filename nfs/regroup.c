/* SPDX-License-Identifier: Apache-2.0 */
/* regroup.c: the walk: pages of names, many questions in flight, one directory at a time, the root
 * at the end */
#include "nfs/regroup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "nfs/worker.h"

#define CALL_WITHIN SECONDS(5)
/* Half-done trees that are remembered. */
#define REGROUPS_MAX 8
/* So many refusals before anything succeeded are the server's way, not one file's. */
#define REFUSALS_MAX 16
/* Of one directory, some millions of names: a server that names more never ends. */
#define PAGES_MAX 10000

enum { NAME_NEW, NAME_DEEP, NAME_DONE };

/* ---- what is right ----------------------------------------------------------------------- */

static mode_t wanted_mode(const struct nfs_attr *a)
{
	return a->type == NFS_TYPE_DIRECTORY ? REGROUP_DIRECTORY_MODE
	       : a->type == NFS_TYPE_LINK    ? 0
					     : REGROUP_FILE_MODE;
}

bool regroup_is_right(const struct nfs_attr *a, gid_t gid)
{
	mode_t want = wanted_mode(a);

	return a->gid == gid && (a->mode & want) == want;
}

static struct nfs_set set_of(const struct nfs_attr *a, gid_t gid)
{
	mode_t want = wanted_mode(a);
	/* Setgid is only given by who is in the group that a directory has already: first that. */
	bool first = a->type == NFS_TYPE_DIRECTORY && a->gid != gid;
	bool second = a->type == NFS_TYPE_DIRECTORY && a->gid == gid;

	return (struct nfs_set){
		.what = (second ? 0U : SET_GID) | (want && !first ? SET_MODE : 0U),
		.mode = (a->mode | want) & 07777,
		.gid = gid,
	};
}

static void note_done(struct nfs_attr *a, const struct nfs_set *set)
{
	/* A change of group may have cost a directory its setgid bit. */
	if (set->what & SET_GID)
		a->mode &= ~(mode_t)02000;
	if (set->what & SET_GID)
		a->gid = set->gid;
	if (set->what & SET_MODE)
		a->mode = set->mode;
}

/* ---- life -------------------------------------------------------------------------------- */

struct regroup *regroup_find(struct nfs_export *x, const char *directory, gid_t gid)
{
	LIST_FOREACH (&x->regroups, it) {
		struct regroup *g = LIST_ENTRY(it, struct regroup, link);

		if (g->gid == gid && streq(g->directory, directory))
			return g;
	}
	return NULL;
}

static void forget_oldest(struct nfs_export *x)
{
	size_t n = 0;

	LIST_FOREACH (&x->regroups, it)
		n++;
	LIST_FOREACH (&x->regroups, it) {
		struct regroup *g = LIST_ENTRY(it, struct regroup, link);

		if (n < REGROUPS_MAX)
			return;
		if (!g->op && g->busy == 0) {
			regroup_free(g);
			n--;
		}
	}
}

static bool level_push(struct regroup *g, const struct nfs_fh *fh, const struct nfs_attr *attr)
{
	struct regroup_level *l = calloc(1, sizeof(*l));

	if (!l)
		return false;
	l->fh = *fh;
	l->owner = (struct nfs_cred){attr->uid, g->gid};
	g->levels[g->depth++] = l;
	return true;
}

static void level_pop(struct regroup *g)
{
	struct regroup_level *l = g->levels[--g->depth];

	free(l->page);
	free(l);
}

struct regroup *regroup_new(struct op *op, const struct nfs_fh *fh, const struct nfs_attr *attr)
{
	struct regroup *g;

	forget_oldest(op->x);
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	list_init(&g->link);
	g->w = op->w;
	g->x = op->x;
	g->gid = op->request.group;
	g->root = *attr;
	g->directory = strdup(str_or(op->request.name, ""));
	if (!g->directory || !level_push(g, fh, attr)) {
		regroup_free(g);
		return NULL;
	}
	for (size_t i = 0; i < REGROUP_WINDOW; i++)
		g->slots[i].g = g;
	list_append(&op->x->regroups, &g->link);
	return g;
}

void regroup_free(struct regroup *g)
{
	list_remove(&g->link);
	while (g->depth > 0)
		level_pop(g);
	free(g->directory);
	free(g);
}

/* ---- failures ---------------------------------------------------------------------------- */

static void fail(struct regroup *g, const struct call *c, const char *what, const char *name)
{
	char shown[128];

	if (g->err.code)
		return;
	call_error(c, &g->err, "%s:%s: %s \"%s\" in %s (as %u:%u)", g->w->server.name, g->x->path,
		what, str_escape(shown, sizeof(shown), name), *g->directory ? g->directory : "/",
		c->cred.uid, c->cred.gid);
	/* Both end the attempt for good: whoever asks gets one code. */
	if (g->err.code == EACCES)
		g->err.code = EPERM;
}

static void fail_ignored(struct regroup *g, const struct call *c)
{
	if (!g->err.code)
		err_set(&g->err, EPERM,
			"%s:%s: the server does not give files the group %u for its owner %u: it "
			"made it %u (exports with all_squash or manage-gids do that)",
			g->w->server.name, g->x->path, g->gid, c->cred.uid, c->attr.gid);
}

static bool is_gone(int r)
{
	return r == -ENOENT || r == -ESTALE;
}

static bool is_refused(int r)
{
	return r == -EACCES || r == -EPERM;
}

/* ---- names ------------------------------------------------------------------------------- */

static void pump(struct regroup *g);
static void on_slot(struct call *c, void *userdata);

static struct regroup_level *top(const struct regroup *g)
{
	return g->levels[g->depth - 1];
}

static const char *name_of(const struct regroup_slot *s)
{
	return nfs_page_name(top(s->g)->page, s->entry);
}

static void slot_send(struct regroup_slot *s, enum call_kind kind, const struct nfs_cred *cred)
{
	s->busy = true;
	s->g->busy++;
	s->call.kind = kind;
	s->call.cred = *cred;
	s->call.deadline = clock_now() + CALL_WITHIN;
	server_call(&s->g->w->server, &s->call, on_slot, s);
}

static void slot_ask(struct regroup_slot *s)
{
	struct regroup_level *l = top(s->g);

	s->call.dir = l->fh;
	s->call.name = name_of(s);
	slot_send(s, CALL_LOOKUP, &l->owner);
}

/* As its owner, who may give it to a group that he is in, as AUTH_SYS says it. */
static void slot_change(struct regroup_slot *s)
{
	const struct nfs_cred owner = {s->attr.uid, s->g->gid};

	s->call.set = set_of(&s->attr, s->g->gid);
	slot_send(s, CALL_SETATTR, &owner);
}

static void slot_looked(struct regroup_slot *s, const struct call *c)
{
	struct regroup *g = s->g;
	uint8_t *state = &top(g)->page->state[s->entry];

	if (c->r < 0 && !is_gone(c->r)) {
		fail(g, c, "cannot look up", name_of(s));
		return;
	}
	*state = NAME_DONE;
	/* Another file system below the volume is another's. */
	if (c->r < 0 || memcmp(c->attr.fsid, g->root.fsid, sizeof(g->root.fsid)) != 0)
		return;
	if (c->attr.type == NFS_TYPE_DIRECTORY)
		*state = NAME_DEEP;
	if (regroup_is_right(&c->attr, g->gid))
		return;
	s->attr = c->attr;
	s->call.dir = c->fh;
	slot_change(s);
}

static void slot_changed(struct regroup_slot *s, const struct call *c)
{
	struct regroup *g = s->g;

	if (is_refused(c->r)) {
		if (++g->refused >= REFUSALS_MAX && g->changed == 0)
			fail(g, c, "the server refuses the group for", name_of(s));
	} else if (c->r < 0 && !is_gone(c->r)) {
		fail(g, c, "cannot change", name_of(s));
	} else if (c->r >= 0) {
		note_done(&s->attr, &c->set);
		g->changed += regroup_is_right(&s->attr, g->gid);
		if (!regroup_is_right(&s->attr, g->gid))
			slot_change(s);
		else if (!g->verified)
			slot_send(s, CALL_GETATTR, &s->call.cred);
	}
}

static void on_slot(struct call *c, void *userdata)
{
	struct regroup_slot *s = userdata;
	struct regroup *g = s->g;

	s->busy = false;
	g->busy--;
	if (c->kind == CALL_LOOKUP)
		slot_looked(s, c);
	else if (c->kind == CALL_SETATTR)
		slot_changed(s, c);
	else if (c->r >= 0 && c->attr.gid != g->gid)
		fail_ignored(g, c);
	else if (c->r >= 0)
		g->verified = true;
	pump(g);
}

static void send_names(struct regroup *g, struct regroup_level *l)
{
	for (size_t i = 0; i < REGROUP_WINDOW && l->at < l->page->n; i++) {
		struct regroup_slot *s = &g->slots[i];

		if (s->busy)
			continue;
		s->entry = l->at++;
		if (g->slice_left > 0)
			g->slice_left--;
		slot_ask(s);
	}
}

/* ---- pages, down and up ------------------------------------------------------------------ */

static void on_one(struct call *c, void *userdata);

static void one_send(struct regroup *g, enum call_kind kind, const struct nfs_cred *cred)
{
	g->moving = true;
	g->busy++;
	g->one.kind = kind;
	g->one.cred = *cred;
	g->one.deadline = clock_now() + CALL_WITHIN;
	server_call(&g->w->server, &g->one, on_one, g);
}

static void page_ask(struct regroup *g, struct regroup_level *l)
{
	l->page = malloc(sizeof(*l->page));
	if (!l->page) {
		err_set(&g->err, ENOMEM, "out of memory");
		return;
	}
	nfs_page_reset(l->page);
	l->at = 0;
	g->one.dir = l->fh;
	g->one.name = "";
	g->one.cookie = l->cookie;
	memcpy(g->one.verf, l->verf, sizeof(g->one.verf));
	g->one.page = l->page;
	one_send(g, CALL_READDIR, &l->owner);
}

static void page_came(struct regroup *g, const struct call *c)
{
	struct regroup_level *l = top(g);

	if (c->r >= 0 && ++l->pages > PAGES_MAX) {
		err_set(&g->err, ELOOP, "%s:%s: the server's list of names in %s does not end",
			g->w->server.name, g->x->path, g->directory);
	} else if (c->r >= 0) {
		l->cookie = l->page->cookie;
		memcpy(l->verf, l->page->verf, sizeof(l->verf));
		l->read_all = l->page->eof;
		memset(l->page->state, NAME_NEW, sizeof(l->page->state));
		return;
	}
	/* A directory that went away meanwhile needs nothing. */
	if (c->r < 0 && (!is_gone(c->r) || g->depth == 1))
		fail(g, c, "cannot read", "a directory");
	free(l->page);
	l->page = NULL;
	l->read_all = true;
}

static void descend(struct regroup *g, struct regroup_level *l, size_t entry)
{
	l->page->state[entry] = NAME_DONE;
	if (g->depth == REGROUP_LEVELS) {
		err_set(&g->err, ENAMETOOLONG, "%s:%s: %s is deeper than %d directories",
			g->w->server.name, g->x->path, g->directory, REGROUP_LEVELS);
		return;
	}
	g->one.dir = l->fh;
	g->one.name = nfs_page_name(l->page, entry);
	one_send(g, CALL_LOOKUP, &l->owner);
}

static void descended(struct regroup *g, const struct call *c)
{
	if (is_gone(c->r) || (c->r >= 0 && c->attr.type != NFS_TYPE_DIRECTORY))
		return;
	if (c->r < 0)
		fail(g, c, "cannot enter", c->name);
	else if (!level_push(g, &c->fh, &c->attr))
		err_set(&g->err, ENOMEM, "out of memory");
}

/* Everything beneath is done: now the root, which says so from now on. */
static void finish_root(struct regroup *g)
{
	const struct nfs_cred owner = {g->root.uid, g->gid};

	g->one.dir = g->levels[0]->fh;
	g->one.name = "";
	g->one.set = set_of(&g->root, g->gid);
	one_send(g, CALL_SETATTR, &owner);
}

static void root_changed(struct regroup *g, const struct call *c)
{
	note_done(&g->root, &c->set);
	if (c->r < 0)
		fail(g, c, "cannot give the group to", "the volume's root");
	else if (!regroup_is_right(&g->root, g->gid))
		finish_root(g);
	else
		one_send(g, CALL_GETATTR, &g->one.cred);
}

static void root_seen(struct regroup *g, const struct call *c)
{
	if (c->r < 0)
		fail(g, c, "cannot look at", "the volume's root");
	else if (c->attr.gid != g->gid)
		fail_ignored(g, c);
	else
		g->over = true;
}

static void on_one(struct call *c, void *userdata)
{
	struct regroup *g = userdata;

	g->busy--;
	g->moving = false;
	switch (c->kind) {
	case CALL_READDIR:
		page_came(g, c);
		break;
	case CALL_LOOKUP:
		descended(g, c);
		break;
	case CALL_SETATTR:
		root_changed(g, c);
		break;
	default:
		root_seen(g, c);
		break;
	}
	pump(g);
}

/* ---- the engine -------------------------------------------------------------------------- */

static size_t find_deep(const struct nfs_page *page)
{
	for (size_t i = 0; i < page->n; i++)
		if (page->state[i] == NAME_DEEP)
			return i;
	return SIZE_MAX;
}

/* The level has no page: the next one, or it is done. */
static void turn_page(struct regroup *g, struct regroup_level *l)
{
	if (!l->read_all)
		page_ask(g, l);
	else if (g->depth == 1)
		finish_root(g);
	else
		level_pop(g);
}

/* One decision; false where a call must be waited for. */
static bool pump_once(struct regroup *g)
{
	struct regroup_level *l = top(g);
	size_t deep;

	if (g->err.code) {
		g->over = g->busy == 0;
		return false;
	}
	if (!l->page) {
		turn_page(g, l);
		return !g->moving;
	}
	send_names(g, l);
	if (l->at < l->page->n || g->busy > 0)
		return false;
	deep = find_deep(l->page);
	if (deep != SIZE_MAX) {
		descend(g, l, deep);
		return !g->moving;
	}
	free(l->page);
	l->page = NULL;
	return true;
}

static bool slice_over(const struct regroup *g)
{
	return g->slice_left == 0 || clock_now() >= g->slice_end;
}

static void go_on(struct regroup *g)
{
	g->pumping = true;
	while (!g->over && !g->moving && (g->err.code || !slice_over(g)))
		if (!pump_once(g))
			break;
	g->pumping = false;
}

static void pump(struct regroup *g)
{
	struct op *op;

	if (g->pumping || !g->op)
		return;
	go_on(g);
	if (!g->over && (g->err.code || !slice_over(g)))
		return;
	op = TAKE_PTR(g->op);
	op->result.removed = g->changed;
	op_enter(op, g->then);
}

int regroup_run(struct regroup *g, struct op *op, int then)
{
	g->op = op;
	g->then = then;
	g->slice_left = REGROUP_SLICE_ENTRIES;
	g->slice_end = clock_now() + REGROUP_SLICE_NS;
	go_on(g);
	if (!g->over)
		return STEP_WAIT;
	g->op = NULL;
	op->result.removed = g->changed;
	return then;
}
