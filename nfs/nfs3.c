/* SPDX-License-Identifier: Apache-2.0 */
/* nfs3.c: calls as NFSv3 procedures (RFC 1813) */
#include <errno.h>
#include <string.h>

#include "nfs/server.h"

/* One WRITE or READ; a record is under 4 KiB. */
#define IO_MAX 8192U
/* Answer to one READDIR. The library decodes entries by recursion, so this is kept small. */
#define READDIR_COUNT 16384U

/* Where a call of several RPCs stands. */
enum phase { PHASE_FIRST, PHASE_LOOKUP, PHASE_GETATTR, PHASE_READ, PHASE_WRITE, PHASE_RENAME };

static int send_phase(struct server *s, struct call *c);
static void on_reply(struct rpc_context *rpc, int status, void *data, void *userdata);

static nfs_fh3 fh3(const struct nfs_fh *fh)
{
	return (nfs_fh3){.data = {fh->size, (char *)fh->data}};
}

static diropargs3 where3(const struct nfs_fh *dir, const char *name)
{
	return (diropargs3){.dir = fh3(dir), .name = (char *)name};
}

static sattr3 sattr(const struct nfs_set *set)
{
	sattr3 a = {.mode = {.set_it = FALSE}};

	a.mode.set_it = !!(set->what & SET_MODE);
	a.mode.set_mode3_u.mode = set->mode;
	a.uid.set_it = !!(set->what & SET_UID);
	a.uid.set_uid3_u.uid = set->uid;
	a.gid.set_it = !!(set->what & SET_GID);
	a.gid.set_gid3_u.gid = set->gid;
	return a;
}

static void take_attr(struct nfs_attr *ret, const fattr3 *a)
{
	static const enum nfs_type types[] = {
		[NF3REG] = NFS_TYPE_FILE, [NF3DIR] = NFS_TYPE_DIRECTORY, [NF3LNK] = NFS_TYPE_LINK};
	enum nfs_type type = (size_t)a->type < ELEMENTSOF(types) ? types[a->type] : NFS_TYPE_OTHER;

	*ret = (struct nfs_attr){
		.type = type == NFS_TYPE_NONE ? NFS_TYPE_OTHER : type,
		.mode = a->mode & 07777,
		.uid = a->uid,
		.gid = a->gid,
		.size = a->size,
		.fsid = {a->fsid, 0},
		.mtime = a->mtime.seconds,
	};
}

static bool take_fh(struct nfs_fh *ret, const nfs_fh3 *fh)
{
	if (!nfs_fh_ok(fh->data.data_len))
		return false;
	nfs_fh_set(ret, fh->data.data_val, fh->data.data_len);
	return true;
}

static void next_phase(struct call *c, enum phase phase)
{
	int r;

	c->phase = phase;
	r = send_phase(c->server, c);
	if (r < 0)
		call_done(c, r, 0, NULL);
}

static void bad_reply(struct call *c)
{
	call_done(c, -EPROTO, 0, "the server's answer makes no sense");
}

/* ---- one function for each RPC sent ------------------------------------------------------------
 */

static int send_lookup(struct rpc_context *rpc, struct call *c)
{
	LOOKUP3args a = {.what = where3(&c->dir, c->name)};

	return rpc_nfs3_lookup_async(rpc, on_reply, &a, c);
}

static int send_getattr(struct rpc_context *rpc, struct call *c)
{
	GETATTR3args a = {.object = fh3(c->kind == CALL_GETATTR ? &c->dir : &c->fh)};

	return rpc_nfs3_getattr_async(rpc, on_reply, &a, c);
}

static int send_setattr(struct rpc_context *rpc, struct call *c)
{
	SETATTR3args a = {.object = fh3(&c->dir), .new_attributes = sattr(&c->set)};

	return rpc_nfs3_setattr_async(rpc, on_reply, &a, c);
}

static int send_mkdir(struct rpc_context *rpc, struct call *c)
{
	MKDIR3args a = {.where = where3(&c->dir, c->name), .attributes = sattr(&c->set)};

	return rpc_nfs3_mkdir_async(rpc, on_reply, &a, c);
}

static int send_remove(struct rpc_context *rpc, struct call *c)
{
	REMOVE3args a = {.object = where3(&c->dir, c->name)};

	return rpc_nfs3_remove_async(rpc, on_reply, &a, c);
}

static int send_rmdir(struct rpc_context *rpc, struct call *c)
{
	RMDIR3args a = {.object = where3(&c->dir, c->name)};

	return rpc_nfs3_rmdir_async(rpc, on_reply, &a, c);
}

static int send_rename(struct rpc_context *rpc, struct call *c)
{
	RENAME3args a = {.from = where3(&c->dir, c->name), .to = where3(&c->to, c->to_name)};

	if (c->kind == CALL_REPLACE) {
		a.from = where3(&c->dir, c->to_name);
		a.to = where3(&c->dir, c->name);
	}
	return rpc_nfs3_rename_async(rpc, on_reply, &a, c);
}

static int send_readdir(struct rpc_context *rpc, struct call *c)
{
	READDIR3args a = {.dir = fh3(&c->dir), .cookie = c->cookie, .count = READDIR_COUNT};

	memcpy(a.cookieverf, c->verf, sizeof(a.cookieverf));
	return rpc_nfs3_readdir_async(rpc, on_reply, &a, c);
}

static int send_space(struct rpc_context *rpc, struct call *c)
{
	FSSTAT3args a = {.fsroot = fh3(&c->dir)};

	return rpc_nfs3_fsstat_async(rpc, on_reply, &a, c);
}

static int send_read(struct rpc_context *rpc, struct call *c)
{
	READ3args a = {.file = fh3(&c->fh), .offset = c->done, .count = IO_MAX};

	return rpc_nfs3_read_async(rpc, on_reply, &a, c);
}

static int send_create(struct rpc_context *rpc, struct call *c)
{
	const struct nfs_set mode = {.what = SET_MODE, .mode = 0600};
	CREATE3args a = {.where = where3(&c->dir, c->kind == CALL_REPLACE ? c->to_name : c->name)};

	a.how.mode = GUARDED;
	a.how.createhow3_u.g_obj_attributes = sattr(&mode);
	return rpc_nfs3_create_async(rpc, on_reply, &a, c);
}

static int send_write(struct rpc_context *rpc, struct call *c)
{
	size_t n = c->size - c->done < IO_MAX ? c->size - c->done : IO_MAX;
	WRITE3args a = {.file = fh3(&c->fh),
		.offset = c->done,
		.count = (count3)n,
		.stable = FILE_SYNC,
		.data = {(u_int)n, (char *)c->data + c->done}};

	return rpc_nfs3_write_async(rpc, on_reply, &a, c);
}

/* ---- one function for each reply ----------------------------------------------------------------
 */

static void got_object(struct call *c, const post_op_attr *attr)
{
	if (!attr->attributes_follow) {
		next_phase(c, PHASE_GETATTR);
		return;
	}
	take_attr(&c->attr, &attr->post_op_attr_u.attributes);
	call_done(c, 0, 0, NULL);
}

static void got_lookup(struct call *c, const void *data)
{
	const LOOKUP3resok *ok = &((const LOOKUP3res *)data)->LOOKUP3res_u.resok;

	if (!take_fh(&c->fh, &ok->object))
		bad_reply(c);
	else if (c->kind == CALL_READ)
		next_phase(c, PHASE_READ);
	else if (c->kind == CALL_CREATE || c->kind == CALL_REPLACE)
		next_phase(c, PHASE_WRITE);
	else
		got_object(c, &ok->obj_attributes);
}

static void got_getattr(struct call *c, const void *data)
{
	take_attr(&c->attr, &((const GETATTR3res *)data)->GETATTR3res_u.resok.obj_attributes);
	call_done(c, 0, 0, NULL);
}

static void got_nothing(struct call *c, const void *data)
{
	(void)data;
	call_done(c, 0, 0, NULL);
}

static void got_mkdir(struct call *c, const void *data)
{
	const MKDIR3resok *ok = &((const MKDIR3res *)data)->MKDIR3res_u.resok;

	if (!ok->obj.handle_follows)
		next_phase(c, PHASE_LOOKUP);
	else if (!take_fh(&c->fh, &ok->obj.post_op_fh3_u.handle))
		bad_reply(c);
	else
		got_object(c, &ok->obj_attributes);
}

static void got_create(struct call *c, const void *data)
{
	const CREATE3resok *ok = &((const CREATE3res *)data)->CREATE3res_u.resok;

	c->created = true;
	if (ok->obj.handle_follows && take_fh(&c->fh, &ok->obj.post_op_fh3_u.handle)) {
		next_phase(c, PHASE_WRITE);
	} else if (c->kind == CALL_CREATE) {
		next_phase(c, PHASE_LOOKUP);
	} else {
		call_done(c, -EOPNOTSUPP, 0, "the server gives no handle for a new file");
	}
}

static void got_write(struct call *c, const void *data)
{
	const WRITE3resok *ok = &((const WRITE3res *)data)->WRITE3res_u.resok;

	if (ok->count == 0 || ok->count > c->size - c->done || ok->committed != FILE_SYNC) {
		bad_reply(c);
		return;
	}
	c->done += ok->count;
	if (c->done < c->size)
		next_phase(c, PHASE_WRITE);
	else if (c->kind == CALL_REPLACE)
		next_phase(c, PHASE_RENAME);
	else
		call_done(c, 0, 0, NULL);
}

static void got_read(struct call *c, const void *data)
{
	const READ3resok *ok = &((const READ3res *)data)->READ3res_u.resok;
	int r = 0;

	if (ok->data.data_len > IO_MAX) {
		bad_reply(c);
		return;
	}
	if (ok->data.data_len > 0)
		r = buf_append(c->out, ok->data.data_val, ok->data.data_len);
	c->done += ok->data.data_len;
	if (r < 0)
		call_done(c, r == -ENOBUFS ? -EFBIG : r, 0, "the file is too long");
	else if (!ok->eof && ok->data.data_len > 0)
		next_phase(c, PHASE_READ);
	else
		call_done(c, 0, 0, NULL);
}

static void got_readdir(struct call *c, const void *data)
{
	const READDIR3resok *ok = &((const READDIR3res *)data)->READDIR3res_u.resok;
	const void *at = ok->reply.entries;
	entry3 e;

	nfs_page_reset(c->page);
	c->page->cookie = c->cookie;
	memcpy(c->page->verf, ok->cookieverf, sizeof(c->page->verf));
	/* libnfs lays decoded entries down one after the other, whatever their alignment. */
	for (; at; at = e.nextentry) {
		memcpy(&e, at, sizeof(e));
		if (!e.name || !nfs_page_add(c->page, e.name, strlen(e.name), e.cookie))
			break;
	}
	c->page->eof = ok->reply.eof && !at;
	/* A server that neither ends nor goes on would be asked for ever. */
	if (!c->page->eof && c->page->cookie == c->cookie)
		call_done(c, -EPROTO, 0, "the server repeats a directory's cookie");
	else
		call_done(c, 0, 0, NULL);
}

static void got_space(struct call *c, const void *data)
{
	const FSSTAT3resok *ok = &((const FSSTAT3res *)data)->FSSTAT3res_u.resok;

	c->space = (struct nfs_space){
		.total_bytes = ok->tbytes,
		.free_bytes = ok->fbytes,
		.available_bytes = ok->abytes,
		.total_files = ok->tfiles,
		.free_files = ok->ffiles,
	};
	call_done(c, 0, 0, NULL);
}

struct rpc3 {
	int (*send)(struct rpc_context *rpc, struct call *c);
	void (*got)(struct call *c, const void *data);
};

static const struct rpc3 first[_CALL_KIND_MAX] = {
	[CALL_LOOKUP] = {send_lookup, got_lookup},
	[CALL_GETATTR] = {send_getattr, got_getattr},
	[CALL_SETATTR] = {send_setattr, got_nothing},
	[CALL_MKDIR] = {send_mkdir, got_mkdir},
	[CALL_REMOVE] = {send_remove, got_nothing},
	[CALL_RMDIR] = {send_rmdir, got_nothing},
	[CALL_RENAME] = {send_rename, got_nothing},
	[CALL_READDIR] = {send_readdir, got_readdir},
	[CALL_SPACE] = {send_space, got_space},
	[CALL_READ] = {send_lookup, got_lookup},
	[CALL_CREATE] = {send_create, got_create},
	[CALL_REPLACE] = {send_create, got_create},
};
static const struct rpc3 later[] = {
	[PHASE_LOOKUP] = {send_lookup, got_lookup},
	[PHASE_GETATTR] = {send_getattr, got_getattr},
	[PHASE_READ] = {send_read, got_read},
	[PHASE_WRITE] = {send_write, got_write},
	[PHASE_RENAME] = {send_rename, got_nothing},
};

static const struct rpc3 *rpc_of(const struct call *c)
{
	return c->phase == PHASE_FIRST ? &first[c->kind] : &later[c->phase];
}

static int send_phase(struct server *s, struct call *c)
{
	if (rpc_of(c)->send(server_rpc(s, c), c) == 0)
		return 0;
	server_answered(s);
	return -EINVAL;
}

static void on_reply(struct rpc_context *rpc, int status, void *data, void *userdata)
{
	struct call *c = userdata;
	nfsstat3 stat;

	(void)rpc;
	server_answered(c->server);
	if (status != RPC_STATUS_SUCCESS || !data) {
		call_rejected(c, status, data);
		return;
	}
	/* Every reply of the protocol begins with its status. */
	memcpy(&stat, data, sizeof(stat));
	if (stat != NFS3_OK)
		call_done(c, nfs_status_errno(stat), stat, nfsstat3_to_str((int)stat));
	else
		rpc_of(c)->got(c, data);
}

/* ---- the mount protocol -------------------------------------------------------------------------
 */

static void on_mount(struct rpc_context *rpc, int status, void *data, void *userdata)
{
	struct call *c = userdata;
	const mountres3 *res = data;
	const fhandle3 *fh;

	(void)rpc;
	if (status != RPC_STATUS_SUCCESS || !res) {
		call_rejected(c, status, data);
		return;
	}
	if (res->fhs_status != MNT3_OK) {
		call_done(c, nfs_status_errno(res->fhs_status), res->fhs_status,
			mountstat3_to_str((int)res->fhs_status));
		return;
	}
	fh = &res->mountres3_u.mountinfo.fhandle;
	if (!nfs_fh_ok(fh->fhandle3_len)) {
		bad_reply(c);
		return;
	}
	nfs_fh_set(&c->fh, fh->fhandle3_val, fh->fhandle3_len);
	next_phase(c, PHASE_GETATTR);
}

static int start(struct server *s, struct call *c)
{
	if (c->kind != CALL_ROOT || c->phase != PHASE_FIRST)
		return send_phase(s, c);
	if (!s->mount) {
		s->again = true;
		return -ENOTCONN;
	}
	return rpc_mount_mnt_async(s->mount, on_mount, (char *)c->name, c) == 0 ? 0 : -EINVAL;
}

static const char *status_text(uint32_t status)
{
	return nfsstat3_to_str((int)status);
}

const struct protocol nfs3_protocol = {3, start, status_text};
