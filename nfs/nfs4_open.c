/* SPDX-License-Identifier: Apache-2.0 */
/* nfs4_open.c: writing a file over NFSv4.0: client id, open owner, OPEN, WRITE and CLOSE */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "nfs/nfs4.h"

/*
 * No file stays open between two calls, so a lease that ran out costs nothing but a new client id.
 * An owner has one OPEN at a time, as its sequence numbers demand (RFC 7530 9.1.7); there are as
 * many as operations in flight.
 */
#define OWNERS 64
/* Until an owner is free, or another call has got the client id. */
#define WAIT_NS MILLISECONDS(1)
#define CALLBACK_PROGRAM 0x40000000

struct nfs4_open {
	bool busy;
	char name[TOKEN_TEXT_MAX];
	uint32_t seqid;
	stateid4 stateid;
	int r; /* what went wrong before the CLOSE */
	uint32_t status;
};

struct nfs4_state {
	clientid4 clientid;
	verifier4 confirm; /* of SETCLIENTID */
	verifier4 boot;
	char id[TOKEN_TEXT_MAX + 16];
	bool valid, acquiring;
	struct nfs4_open owners[OWNERS];
};

static struct nfs4_state *state_of(struct server *s)
{
	struct nfs4_state *v = s->v4;

	if (v)
		return v;
	v = calloc(1, sizeof(*v));
	if (!v)
		return NULL;
	/* One of its own for each process: nobody else may renew or take it (C17). */
	memcpy(v->id, "berth-nfs/", 10);
	token_random(v->id + 10);
	random_bytes(v->boot, sizeof(v->boot));
	s->v4 = v;
	return v;
}

static void owner_reset(struct nfs4_open *o)
{
	token_random(o->name);
	o->seqid = 0;
}

static struct nfs4_open *owner_take(struct nfs4_state *v)
{
	for (size_t i = 0; i < OWNERS; i++) {
		struct nfs4_open *o = &v->owners[i];

		if (o->busy)
			continue;
		if (!o->name[0])
			owner_reset(o);
		o->busy = true;
		o->r = 0;
		return o;
	}
	return NULL;
}

static void finish(struct call *c, int r, uint32_t status)
{
	struct nfs4_open *o = c->protocol;

	if (o)
		o->busy = false;
	c->protocol = NULL;
	/* Half-way through there is nothing that could simply be sent again. */
	if (r == -EAGAIN && c->phase != V4_FIRST)
		r = -EBUSY;
	call_done(c, r, status, status ? nfsstat4_to_str((int)status) : NULL);
}

static int wait_turn(struct server *s, struct call *c)
{
	c->again = clock_now() + WAIT_NS;
	list_append(&s->delayed, &c->link);
	return 0;
}

/* ---- requests
 * -------------------------------------------------------------------------------------------- */

static int send_clientid(struct server *s, struct call *c)
{
	struct compound m = {.n = 0};
	SETCLIENTID4args *a = &compound_add(&m, OP_SETCLIENTID)->nfs_argop4_u.opsetclientid;

	memcpy(a->client.verifier, s->v4->boot, sizeof(a->client.verifier));
	a->client.id.id_len = (u_int)strlen(s->v4->id);
	a->client.id.id_val = s->v4->id;
	/* Nobody listens there: no delegations. */
	a->callback.cb_program = CALLBACK_PROGRAM;
	a->callback.cb_location.r_netid = (char *)"tcp";
	a->callback.cb_location.r_addr = (char *)"0.0.0.0.0.0";
	a->callback_ident = 1;
	return compound_send(&m, s, c);
}

static int send_confirm(struct server *s, struct call *c)
{
	struct compound m = {.n = 0};
	SETCLIENTID_CONFIRM4args *a =
		&compound_add(&m, OP_SETCLIENTID_CONFIRM)->nfs_argop4_u.opsetclientid_confirm;

	a->clientid = s->v4->clientid;
	memcpy(a->setclientid_confirm, s->v4->confirm, sizeof(a->setclientid_confirm));
	return compound_send(&m, s, c);
}

static int send_open(struct server *s, struct call *c)
{
	const struct nfs_set mode = {.what = SET_MODE, .mode = 0600};
	const char *name = c->kind == CALL_REPLACE ? c->to_name : c->name;
	struct nfs4_open *o = c->protocol;
	struct compound m = {.n = 0};
	struct nfs4_settable set;
	OPEN4args *a;

	nfs4_settable(&set, &mode);
	compound_fh(&m, &c->dir);
	a = &compound_add(&m, OP_OPEN)->nfs_argop4_u.opopen;
	a->seqid = o->seqid;
	a->share_access = OPEN4_SHARE_ACCESS_WRITE;
	a->owner.clientid = s->v4->clientid;
	a->owner.owner.owner_len = (u_int)strlen(o->name);
	a->owner.owner.owner_val = o->name;
	a->openhow.opentype = OPEN4_CREATE;
	a->openhow.openflag4_u.how.mode = GUARDED4;
	a->openhow.openflag4_u.how.createhow4_u.createattrs = set.attr;
	a->claim.claim = CLAIM_NULL;
	a->claim.open_claim4_u.file.utf8string_len = (u_int)strlen(name);
	a->claim.open_claim4_u.file.utf8string_val = (char *)name;
	(void)compound_add(&m, OP_GETFH);
	return compound_send(&m, s, c);
}

static int send_open_confirm(struct server *s, struct call *c)
{
	struct nfs4_open *o = c->protocol;
	struct compound m = {.n = 0};
	OPEN_CONFIRM4args *a;

	compound_fh(&m, &c->fh);
	a = &compound_add(&m, OP_OPEN_CONFIRM)->nfs_argop4_u.opopen_confirm;
	a->open_stateid = o->stateid;
	a->seqid = o->seqid;
	return compound_send(&m, s, c);
}

static void add_close(struct compound *m, const struct nfs4_open *o)
{
	CLOSE4args *a = &compound_add(m, OP_CLOSE)->nfs_argop4_u.opclose;

	a->seqid = o->seqid;
	a->open_stateid = o->stateid;
}

static int send_write(struct server *s, struct call *c)
{
	size_t left = c->size - c->done, n = left < NFS4_WRITE_MAX ? left : NFS4_WRITE_MAX;
	struct nfs4_open *o = c->protocol;
	struct compound m = {.n = 0};
	WRITE4args *a;

	compound_fh(&m, &c->fh);
	a = &compound_add(&m, OP_WRITE)->nfs_argop4_u.opwrite;
	a->stateid = o->stateid;
	a->offset = c->done;
	a->stable = FILE_SYNC4;
	a->data.data_len = (u_int)n;
	a->data.data_val = (char *)c->data + c->done;
	if (n == left)
		add_close(&m, o);
	return compound_send(&m, s, c);
}

static int send_close(struct server *s, struct call *c)
{
	struct compound m = {.n = 0};

	compound_fh(&m, &c->fh);
	add_close(&m, c->protocol);
	return compound_send(&m, s, c);
}

/* The first RPC: a client id where there is none, then OPEN by a free owner. */
static int begin(struct server *s, struct call *c)
{
	struct nfs4_state *v = state_of(s);

	if (!v)
		return -ENOMEM;
	if (!v->valid && v->acquiring)
		return wait_turn(s, c);
	if (!v->valid) {
		v->acquiring = true;
		c->phase = V4_CLIENTID;
		return send_clientid(s, c);
	}
	c->protocol = owner_take(v);
	if (!c->protocol)
		return wait_turn(s, c);
	c->phase = V4_OPEN;
	return send_open(s, c);
}

int nfs4_send_open_phase(struct server *s, struct call *c)
{
	switch ((enum nfs4_phase)c->phase) {
	case V4_FIRST:
		return begin(s, c);
	case V4_CLIENTID:
		return send_clientid(s, c);
	case V4_CONFIRM:
		return send_confirm(s, c);
	case V4_OPEN:
		return send_open(s, c);
	case V4_OPEN_CONFIRM:
		return send_open_confirm(s, c);
	case V4_WRITE:
		return send_write(s, c);
	case V4_CLOSE:
		return send_close(s, c);
	case V4_RENAME:
	case V4_READ:
		break;
	}
	return -EINVAL;
}

/* ---- replies
 * ------------------------------------------------------------------------------------------------
 */

static void lost_clientid(struct call *c, int r, uint32_t status)
{
	struct nfs4_state *v = c->server->v4;

	v->acquiring = v->valid = false;
	c->phase = V4_FIRST;
	finish(c, r, status);
}

static void got_clientid(struct call *c, const COMPOUND4res *res)
{
	const nfs_resop4 *r = compound_result(res, OP_SETCLIENTID);
	struct nfs4_state *v = c->server->v4;
	const SETCLIENTID4resok *ok;

	if (res->status != NFS4_OK || !r) {
		lost_clientid(
			c, res->status ? nfs_status_errno(res->status) : -EPROTO, res->status);
		return;
	}
	ok = &r->nfs_resop4_u.opsetclientid.SETCLIENTID4res_u.resok4;
	v->clientid = ok->clientid;
	memcpy(v->confirm, ok->setclientid_confirm, sizeof(v->confirm));
	nfs4_next(c, V4_CONFIRM);
}

static void got_confirm(struct call *c, const COMPOUND4res *res)
{
	struct nfs4_state *v = c->server->v4;

	if (res->status != NFS4_OK) {
		lost_clientid(c, nfs_status_errno(res->status), res->status);
		return;
	}
	v->valid = true;
	v->acquiring = false;
	nfs4_next(c, V4_FIRST);
}

/* Errors after which the server did not count the request (RFC 7530 9.1.7). */
static bool uncounted(nfsstat4 s)
{
	switch ((int)s) {
	case NFS4ERR_STALE_CLIENTID:
	case NFS4ERR_STALE_STATEID:
	case NFS4ERR_BAD_STATEID:
	case NFS4ERR_BAD_SEQID:
	case NFS4ERR_BADZDR:
	case NFS4ERR_RESOURCE:
	case NFS4ERR_NOFILEHANDLE:
		return true;
	}
	return false;
}

/* An owner the server and we disagree about gets a new name. */
static void count(struct nfs4_open *o, const COMPOUND4res *res, nfs_opnum4 op)
{
	if (!compound_result(res, op))
		return;
	if (res->status != NFS4_OK && uncounted(res->status))
		owner_reset(o);
	else
		o->seqid++;
}

static bool client_is_gone(nfsstat4 s)
{
	return s == NFS4ERR_STALE_CLIENTID || s == NFS4ERR_EXPIRED;
}

static void open_failed(struct call *c, nfsstat4 status)
{
	struct nfs4_open *o = c->protocol;

	if (client_is_gone(status) || status == NFS4ERR_BAD_SEQID) {
		if (client_is_gone(status))
			c->server->v4->valid = false;
		/* The deadline ends this where the server never agrees. */
		o->busy = false;
		c->protocol = NULL;
		c->phase = V4_FIRST;
		call_done(c, -EAGAIN, status, nfsstat4_to_str((int)status));
		return;
	}
	if (nfs_status_errno(status) == -EAGAIN) {
		/* Tried again from the start, by whichever owner is free then. */
		o->busy = false;
		c->protocol = NULL;
		c->phase = V4_FIRST;
	}
	finish(c, nfs_status_errno(status), status);
}

static void got_open(struct call *c, const COMPOUND4res *res)
{
	const nfs_resop4 *r = compound_result(res, OP_OPEN);
	struct nfs4_open *o = c->protocol;
	const OPEN4resok *ok;

	count(o, res, OP_OPEN);
	if (res->status != NFS4_OK) {
		open_failed(c, res->status);
		return;
	}
	if (!r || !nfs4_take_fh(&c->fh, res)) {
		finish(c, -EPROTO, 0);
		return;
	}
	ok = &r->nfs_resop4_u.opopen.OPEN4res_u.resok4;
	c->created = true;
	o->stateid = ok->stateid;
	nfs4_next(c, ok->rflags & OPEN4_RESULT_CONFIRM ? V4_OPEN_CONFIRM : V4_WRITE);
}

static void got_open_confirm(struct call *c, const COMPOUND4res *res)
{
	const nfs_resop4 *r = compound_result(res, OP_OPEN_CONFIRM);
	struct nfs4_open *o = c->protocol;

	count(o, res, OP_OPEN_CONFIRM);
	if (res->status != NFS4_OK || !r) {
		finish(c, res->status ? nfs_status_errno(res->status) : -EPROTO, res->status);
		return;
	}
	o->stateid = r->nfs_resop4_u.opopen_confirm.OPEN_CONFIRM4res_u.resok4.open_stateid;
	nfs4_next(c, V4_WRITE);
}

static void closed(struct call *c)
{
	struct nfs4_open *o = c->protocol;

	if (o->r < 0) {
		finish(c, o->r, o->status);
	} else if (c->kind == CALL_REPLACE) {
		o->busy = false;
		c->protocol = NULL;
		nfs4_next(c, V4_RENAME);
	} else {
		finish(c, 0, 0);
	}
}

static void got_write(struct call *c, const COMPOUND4res *res)
{
	const nfs_resop4 *r = compound_result(res, OP_WRITE);
	const WRITE4res *w = r ? &r->nfs_resop4_u.opwrite : NULL;
	struct nfs4_open *o = c->protocol;
	const WRITE4resok *ok;

	if (!w || w->status != NFS4_OK) {
		nfsstat4 status = w ? w->status : res->status;

		o->r = status ? nfs_status_errno(status) : -EPROTO;
		o->status = status;
		nfs4_next(c, V4_CLOSE);
		return;
	}
	ok = &w->WRITE4res_u.resok4;
	if (ok->count == 0 || ok->count > c->size - c->done || ok->committed != FILE_SYNC4) {
		o->r = -EPROTO;
		o->status = 0;
	} else {
		c->done += ok->count;
	}
	if (compound_result(res, OP_CLOSE)) {
		count(o, res, OP_CLOSE);
		closed(c);
	} else {
		nfs4_next(c, o->r < 0 ? V4_CLOSE : V4_WRITE);
	}
}

static void got_close(struct call *c, const COMPOUND4res *res)
{
	count(c->protocol, res, OP_CLOSE);
	closed(c);
}

void nfs4_got_open_phase(struct call *c, const COMPOUND4res *res)
{
	switch ((enum nfs4_phase)c->phase) {
	case V4_CLIENTID:
		got_clientid(c, res);
		return;
	case V4_CONFIRM:
		got_confirm(c, res);
		return;
	case V4_OPEN:
		got_open(c, res);
		return;
	case V4_OPEN_CONFIRM:
		got_open_confirm(c, res);
		return;
	case V4_WRITE:
		got_write(c, res);
		return;
	case V4_CLOSE:
		got_close(c, res);
		return;
	case V4_FIRST:
	case V4_RENAME:
	case V4_READ:
		break;
	}
	finish(c, -EPROTO, 0);
}

void nfs4_open_forget(struct call *c)
{
	struct nfs4_open *o = c->protocol;

	if (c->kind != CALL_CREATE && c->kind != CALL_REPLACE)
		return;
	if (c->phase == V4_CLIENTID || c->phase == V4_CONFIRM)
		c->server->v4->acquiring = false;
	c->protocol = NULL;
	if (!o)
		return;
	/* Whether the server counted the request is unknown. */
	owner_reset(o);
	o->busy = false;
}
