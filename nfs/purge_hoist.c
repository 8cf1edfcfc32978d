/* SPDX-License-Identifier: Apache-2.0 */
/* purge_hoist.c: a directory too deep for the stack moves up beside the entries of the top */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "nfs/purge.h"
#include "nfs/worker.h"

/*
 * A rename wants rights in three directories that may have three owners: where the entry stands,
 * the top, and the entry itself, whose ".." changes. A squashed root has none of them, so where it
 * and the level's owner were refused each is opened to everybody by its own owner. All of it lies
 * in the trash, which nobody else can enter.
 */
enum { AS_FIRST, AS_OWNER, LOOK, OPEN_ENTRY, OPEN_LEVEL, OPEN_TOP, OPENED };

static void on_hoist(struct call *c, void *userdata);

static void hoist_send(struct purge *p, enum call_kind kind, const struct nfs_cred *cred, int stage)
{
	struct call *c = &p->walk;

	p->moving = true;
	p->busy++;
	c->tag = (size_t)stage;
	c->kind = kind;
	c->cred = *cred;
	c->deadline = clock_now() + SECONDS(5);
	server_call(&p->w->server, c, on_hoist, p);
}

static void send_rename(struct purge *p, const struct nfs_cred *cred, int stage)
{
	p->walk.dir = purge_top(p)->fh;
	p->walk.to = p->levels[0]->fh;
	p->walk.to_name = p->hoisted;
	hoist_send(p, CALL_RENAME, cred, stage);
}

static void send_open(
	struct purge *p, const struct nfs_fh *fh, const struct nfs_cred *owner, int stage)
{
	const struct nfs_fh copy = *fh;

	p->walk.dir = copy;
	p->walk.set = (struct nfs_set){.what = SET_MODE, .mode = 0777};
	hoist_send(p, CALL_SETATTR, owner, stage);
}

void purge_hoist(struct purge *p, size_t entry)
{
	const struct purge_level *l = purge_top(p);
	const struct nfs_cred cred = purge_cred(p, l, l->as_owner ? 1 : 0);

	p->walk.name = nfs_page_name(l->page, entry);
	p->slots[0].entry = entry;
	snprintf(
		p->hoisted, sizeof(p->hoisted), ".berth-%016llx", (unsigned long long)random_u64());
	send_rename(p, &cred, l->as_owner ? AS_OWNER : AS_FIRST);
}

static void over(struct purge *p, enum purge_entry how)
{
	struct purge_level *l = purge_top(p);

	l->page->state[p->slots[0].entry] = (uint8_t)how;
	l->failed += how == ENTRY_FAILED;
}

static void renamed(struct purge *p, const struct call *c)
{
	const struct purge_level *l = purge_top(p);

	if (c->r >= 0 || c->r == -ENOENT) {
		p->moved_up = p->moved_up || c->r >= 0;
		over(p, ENTRY_GONE);
	} else if (purge_refused(c->r) && c->tag == AS_FIRST) {
		send_rename(p, &l->owner, AS_OWNER);
	} else if (purge_refused(c->r) && c->tag == AS_OWNER) {
		p->walk.dir = l->fh;
		hoist_send(p, CALL_LOOKUP, &l->owner, LOOK);
	} else {
		purge_note(p, c, "cannot move up");
		over(p, ENTRY_FAILED);
	}
}

static void looked(struct purge *p, const struct call *c)
{
	const struct nfs_cred owner = {c->attr.uid, c->attr.gid};

	if (c->r == -ENOENT) {
		over(p, ENTRY_GONE);
	} else if (c->r < 0) {
		purge_note(p, c, "cannot enter");
		over(p, ENTRY_FAILED);
	} else if (c->attr.type != NFS_TYPE_DIRECTORY) {
		over(p, ENTRY_CHANGED);
	} else if (memcmp(c->attr.fsid, p->x->fsid, sizeof(p->x->fsid)) != 0) {
		p->walk.r = -EXDEV;
		p->walk.why = NULL;
		purge_note(p, &p->walk, "another export or file system is");
		over(p, ENTRY_FAILED);
	} else {
		send_open(p, &c->fh, &owner, OPEN_ENTRY);
	}
}

static void on_hoist(struct call *c, void *userdata)
{
	struct purge *p = userdata;
	const struct purge_level *l = purge_top(p);

	p->busy--;
	p->moving = false;
	/* What could not be opened is seen when the rename is refused again. */
	if (c->tag == LOOK)
		looked(p, c);
	else if (c->tag == OPEN_ENTRY)
		send_open(p, &l->fh, &l->owner, OPEN_LEVEL);
	else if (c->tag == OPEN_LEVEL)
		send_open(p, &p->levels[0]->fh, &p->levels[0]->owner, OPEN_TOP);
	else if (c->tag == OPEN_TOP)
		send_rename(p, &p->x->control_cred, OPENED);
	else
		renamed(p, c);
	purge_pump(p);
}
