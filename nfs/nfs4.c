/* SPDX-License-Identifier: Apache-2.0 */
/* nfs4.c: calls as NFSv4.0 compounds (RFC 7530); all but writing files is stateless */
#include <errno.h>
#include <string.h>

#include "nfs/nfs4.h"

#define READDIR_DIRCOUNT 8192U
#define READDIR_MAXCOUNT 32768U

static void on_reply(struct rpc_context *rpc, int status, void *data, void *userdata);

/* ---- compounds
 * ---------------------------------------------------------------------------------------- */

nfs_argop4 *compound_add(struct compound *m, nfs_opnum4 op)
{
	nfs_argop4 *a;

	if (m->n == COMPOUND_OPS)
		return NULL;
	a = &m->ops[m->n++];
	*a = (nfs_argop4){.argop = op};
	return a;
}

void compound_fh(struct compound *m, const struct nfs_fh *fh)
{
	nfs_argop4 *a = compound_add(m, OP_PUTFH);

	if (a)
		a->nfs_argop4_u.opputfh.object = (nfs_fh4){fh->size, (char *)fh->data};
}

static component4 component(const char *name, size_t len)
{
	return (component4){(u_int)len, (char *)name};
}

/* LOOKUP, REMOVE */
static void compound_name(struct compound *m, nfs_opnum4 op, const char *name)
{
	nfs_argop4 *a = compound_add(m, op);

	if (a && op == OP_LOOKUP)
		a->nfs_argop4_u.oplookup.objname = component(name, strlen(name));
	else if (a)
		a->nfs_argop4_u.opremove.target = component(name, strlen(name));
}

static void compound_object(struct compound *m)
{
	nfs_argop4 *a;

	(void)compound_add(m, OP_GETFH);
	a = compound_add(m, OP_GETATTR);
	if (a)
		a->nfs_argop4_u.opgetattr.attr_request = nfs4_wanted;
}

int compound_send(struct compound *m, struct server *s, struct call *c)
{
	COMPOUND4args args = {.argarray = {(u_int)m->n, m->ops}};

	if (rpc_nfs4_compound_async(server_rpc(s, c), on_reply, &args, c) == 0)
		return 0;
	server_answered(s);
	return -EINVAL;
}

const nfs_resop4 *compound_result(const COMPOUND4res *res, nfs_opnum4 op)
{
	for (u_int i = 0; i < res->resarray.resarray_len; i++)
		if (res->resarray.resarray_val[i].resop == op)
			return &res->resarray.resarray_val[i];
	return NULL;
}

/* ---- requests
 * -------------------------------------------------------------------------------------------- */

static int send_root(struct server *s, struct call *c)
{
	struct compound m = {.n = 0};
	const char *p = c->name;

	(void)compound_add(&m, OP_PUTROOTFH);
	while (*p) {
		size_t n;
		nfs_argop4 *a;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 0)
			break;
		a = m.n + 2 < COMPOUND_OPS ? compound_add(&m, OP_LOOKUP) : NULL;
		if (!a)
			return -ENAMETOOLONG;
		a->nfs_argop4_u.oplookup.objname = component(p, n);
		p += n;
	}
	compound_object(&m);
	return compound_send(&m, s, c);
}

static int send_lookup(struct server *s, struct call *c)
{
	struct compound m = {.n = 0};

	compound_fh(&m, &c->dir);
	compound_name(&m, OP_LOOKUP, c->name);
	compound_object(&m);
	return compound_send(&m, s, c);
}

static int send_getattr(struct server *s, struct call *c)
{
	struct compound m = {.n = 0};

	compound_fh(&m, &c->dir);
	compound_add(&m, OP_GETATTR)->nfs_argop4_u.opgetattr.attr_request =
		c->kind == CALL_SPACE ? nfs4_wanted_space : nfs4_wanted;
	return compound_send(&m, s, c);
}

static int send_setattr(struct server *s, struct call *c)
{
	struct compound m = {.n = 0};
	struct nfs4_settable set;

	nfs4_settable(&set, &c->set);
	compound_fh(&m, &c->dir);
	compound_add(&m, OP_SETATTR)->nfs_argop4_u.opsetattr.obj_attributes = set.attr;
	return compound_send(&m, s, c);
}

static int send_mkdir(struct server *s, struct call *c)
{
	struct compound m = {.n = 0};
	struct nfs4_settable set;
	CREATE4args *a;

	nfs4_settable(&set, &c->set);
	compound_fh(&m, &c->dir);
	a = &compound_add(&m, OP_CREATE)->nfs_argop4_u.opcreate;
	a->objtype.type = NF4DIR;
	a->objname = component(c->name, strlen(c->name));
	a->createattrs = set.attr;
	compound_object(&m);
	return compound_send(&m, s, c);
}

static int send_remove(struct server *s, struct call *c)
{
	struct compound m = {.n = 0};

	compound_fh(&m, &c->dir);
	compound_name(&m, OP_REMOVE, c->name);
	return compound_send(&m, s, c);
}

static int send_removes(struct server *s, struct call *c)
{
	struct compound m = {.n = 0};

	if (c->count > COMPOUND_OPS - 1)
		return -EINVAL;
	compound_fh(&m, &c->dir);
	for (size_t i = 0; i < c->count; i++)
		compound_name(&m, OP_REMOVE, nfs_page_name(c->page, c->first + i));
	return compound_send(&m, s, c);
}

/* REMOVE takes anything; a symlink or file that has come in a directory's place is none of ours. */
static int send_rmdir(struct server *s, struct call *c)
{
	static const unsigned char directory[] = {0, 0, 0, NF4DIR};
	uint32_t type = 1U << FATTR4_TYPE;
	struct compound m = {.n = 0};

	compound_fh(&m, &c->dir);
	compound_name(&m, OP_LOOKUP, c->name);
	compound_add(&m, OP_VERIFY)->nfs_argop4_u.opverify.obj_attributes =
		(fattr4){{1, &type}, {sizeof(directory), (char *)directory}};
	compound_fh(&m, &c->dir);
	compound_name(&m, OP_REMOVE, c->name);
	return compound_send(&m, s, c);
}

static int send_rename(struct server *s, struct call *c)
{
	bool replace = c->kind == CALL_REPLACE;
	struct compound m = {.n = 0};
	const char *from = replace ? c->to_name : c->name, *to = replace ? c->name : c->to_name;
	RENAME4args *a;

	compound_fh(&m, &c->dir);
	(void)compound_add(&m, OP_SAVEFH);
	compound_fh(&m, replace ? &c->dir : &c->to);
	a = &compound_add(&m, OP_RENAME)->nfs_argop4_u.oprename;
	a->oldname = component(from, strlen(from));
	a->newname = component(to, strlen(to));
	return compound_send(&m, s, c);
}

static int send_readdir(struct server *s, struct call *c)
{
	struct compound m = {.n = 0};
	READDIR4args *a;

	compound_fh(&m, &c->dir);
	a = &compound_add(&m, OP_READDIR)->nfs_argop4_u.opreaddir;
	a->cookie = c->cookie;
	memcpy(a->cookieverf, c->verf, sizeof(a->cookieverf));
	a->dircount = READDIR_DIRCOUNT;
	a->maxcount = READDIR_MAXCOUNT;
	a->attr_request = nfs4_wanted_names;
	return compound_send(&m, s, c);
}

/* The anonymous stateid reads what nobody has locked against it. */
static int send_read(struct server *s, struct call *c)
{
	struct compound m = {.n = 0};
	READ4args *a;

	if (c->phase == V4_READ) {
		compound_fh(&m, &c->fh);
	} else {
		compound_fh(&m, &c->dir);
		compound_name(&m, OP_LOOKUP, c->name);
		(void)compound_add(&m, OP_GETFH);
	}
	a = &compound_add(&m, OP_READ)->nfs_argop4_u.opread;
	a->offset = c->done;
	a->count = NFS4_READ_MAX;
	return compound_send(&m, s, c);
}

/* ---- replies
 * ------------------------------------------------------------------------------------------------
 */

static void bad_reply(struct call *c)
{
	call_done(c, -EPROTO, 0, "the server's answer makes no sense");
}

static void got_object(struct call *c, const COMPOUND4res *res)
{
	const nfs_resop4 *attr = compound_result(res, OP_GETATTR);

	if (!nfs4_take_fh(&c->fh, res) || !attr ||
		!nfs4_take_attr(&c->attr,
			&attr->nfs_resop4_u.opgetattr.GETATTR4res_u.resok4.obj_attributes))
		bad_reply(c);
	else
		call_done(c, 0, 0, NULL);
}

static void got_getattr(struct call *c, const COMPOUND4res *res)
{
	const nfs_resop4 *r = compound_result(res, OP_GETATTR);
	const fattr4 *a = r ? &r->nfs_resop4_u.opgetattr.GETATTR4res_u.resok4.obj_attributes : NULL;

	if (!a || !(c->kind == CALL_SPACE ? nfs4_take_space(&c->space, a)
					  : nfs4_take_attr(&c->attr, a)))
		bad_reply(c);
	else
		call_done(c, 0, 0, NULL);
}

static void got_nothing(struct call *c, const COMPOUND4res *res)
{
	(void)res;
	call_done(c, 0, 0, NULL);
}

/* The server stops at the first that fails. */
static void count_removes(struct call *c, const COMPOUND4res *res)
{
	c->done = 0;
	for (u_int i = 0; i < res->resarray.resarray_len && c->done < c->count; i++) {
		const nfs_resop4 *r = &res->resarray.resarray_val[i];

		if (r->resop == OP_REMOVE && r->nfs_resop4_u.opremove.status == NFS4_OK)
			c->done++;
	}
}

static void got_removes(struct call *c, const COMPOUND4res *res)
{
	(void)res;
	if (c->done < c->count)
		bad_reply(c);
	else
		call_done(c, 0, 0, NULL);
}

static void got_readdir(struct call *c, const COMPOUND4res *res)
{
	const nfs_resop4 *r = compound_result(res, OP_READDIR);
	const READDIR4resok *ok;
	const void *at;
	entry4 e;

	if (!r) {
		bad_reply(c);
		return;
	}
	ok = &r->nfs_resop4_u.opreaddir.READDIR4res_u.resok4;
	nfs_page_reset(c->page);
	c->page->cookie = c->cookie;
	memcpy(c->page->verf, ok->cookieverf, sizeof(c->page->verf));
	/* libnfs lays decoded entries down one after the other, whatever their alignment. */
	for (at = ok->reply.entries; at; at = e.nextentry) {
		memcpy(&e, at, sizeof(e));
		if (!nfs_page_add(c->page, e.name.utf8string_val, e.name.utf8string_len, e.cookie))
			break;
	}
	c->page->eof = ok->reply.eof && !at;
	if (!c->page->eof && c->page->cookie == c->cookie)
		call_done(c, -EPROTO, 0, "the server repeats a directory's cookie");
	else
		call_done(c, 0, 0, NULL);
}

static void got_read(struct call *c, const COMPOUND4res *res)
{
	const nfs_resop4 *r = compound_result(res, OP_READ);
	const READ4resok *ok = r ? &r->nfs_resop4_u.opread.READ4res_u.resok4 : NULL;
	int e = 0;

	if (!ok || ok->data.data_len > NFS4_READ_MAX ||
		(c->phase == V4_FIRST && !nfs4_take_fh(&c->fh, res))) {
		bad_reply(c);
		return;
	}
	if (ok->data.data_len > 0)
		e = buf_append(c->out, ok->data.data_val, ok->data.data_len);
	c->done += ok->data.data_len;
	if (e < 0)
		call_done(c, e == -ENOBUFS ? -EFBIG : e, 0, "the file is too long");
	else if (!ok->eof && ok->data.data_len > 0)
		nfs4_next(c, V4_READ);
	else
		call_done(c, 0, 0, NULL);
}

struct rpc4 {
	int (*send)(struct server *s, struct call *c);
	void (*got)(struct call *c, const COMPOUND4res *res);
};

static const struct rpc4 table[_CALL_KIND_MAX] = {
	[CALL_ROOT] = {send_root, got_object},
	[CALL_LOOKUP] = {send_lookup, got_object},
	[CALL_GETATTR] = {send_getattr, got_getattr},
	[CALL_SETATTR] = {send_setattr, got_nothing},
	[CALL_MKDIR] = {send_mkdir, got_object},
	[CALL_REMOVE] = {send_remove, got_nothing},
	[CALL_REMOVES] = {send_removes, got_removes},
	[CALL_RMDIR] = {send_rmdir, got_nothing},
	[CALL_RENAME] = {send_rename, got_nothing},
	[CALL_READDIR] = {send_readdir, got_readdir},
	[CALL_SPACE] = {send_getattr, got_getattr},
	[CALL_READ] = {send_read, got_read},
	[CALL_CREATE] = {nfs4_send_open_phase, NULL},
	[CALL_REPLACE] = {nfs4_send_open_phase, NULL},
};
static const struct rpc4 rename_rpc = {send_rename, got_nothing};

static bool opens(const struct call *c)
{
	return (c->kind == CALL_CREATE || c->kind == CALL_REPLACE) && c->phase != V4_RENAME;
}

static const struct rpc4 *rpc_of(const struct call *c)
{
	return c->phase == V4_RENAME ? &rename_rpc : &table[c->kind];
}

static int send_phase(struct server *s, struct call *c)
{
	int r = rpc_of(c)->send(s, c);

	if (r < 0)
		nfs4_open_forget(c);
	return r;
}

void nfs4_next(struct call *c, enum nfs4_phase phase)
{
	int r;

	c->phase = phase;
	r = send_phase(c->server, c);
	if (r < 0)
		call_done(c, r, 0, NULL);
}

static void on_reply(struct rpc_context *rpc, int status, void *data, void *userdata)
{
	struct call *c = userdata;
	const COMPOUND4res *res = data;

	(void)rpc;
	server_answered(c->server);
	if (status == RPC_STATUS_SUCCESS && res && c->kind == CALL_REMOVES)
		count_removes(c, res);
	if (status != RPC_STATUS_SUCCESS || !res) {
		nfs4_open_forget(c);
		call_rejected(c, status, data);
	} else if (opens(c))
		nfs4_got_open_phase(c, res);
	else if (res->status == NFS4ERR_NOT_SAME && c->kind == CALL_RMDIR)
		call_done(c, -ENOTDIR, res->status, "NFS4ERR_NOT_SAME");
	else if (res->status != NFS4_OK)
		call_done(c, nfs_status_errno(res->status), res->status,
			nfsstat4_to_str((int)res->status));
	else
		rpc_of(c)->got(c, res);
}

static const char *status_text(uint32_t status)
{
	return nfsstat4_to_str((int)status);
}

const struct protocol nfs4_protocol = {4, send_phase, status_text};
