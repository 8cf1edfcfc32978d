/* SPDX-License-Identifier: Apache-2.0 */
/* procedures.c: the procedures of MOUNT 3, NFS 3 (RFC 1813) and PORTMAP 2 that hostilenfs answers
 */
#include <string.h>

#include "hostile.h"

enum {
	OK = 0,
	ERR_NOENT = 2,
	ERR_IO = 5,
	ERR_EXIST = 17,
	ERR_NOTDIR = 20,
	ERR_NOSPC = 28,
	ERR_ROFS = 30,
	ERR_NAMETOOLONG = 63,
	ERR_NOTEMPTY = 66,
	ERR_STALE = 70,
	ERR_NOTSUPP = 10004
};

/* Entries of one READDIR reply when the directory has no end. */
#define ENDLESS_PAGE 100

struct call {
	struct xdr_in in;
	struct xdr_out *out;
	uint32_t xid, prog, vers, proc;
	enum evil evil;
};

static const char *const nfs_names[] = {"NULL", "GETATTR", "SETATTR", "LOOKUP", "ACCESS",
	"READLINK", "READ", "WRITE", "CREATE", "MKDIR", "SYMLINK", "MKNOD", "REMOVE", "RMDIR",
	"RENAME", "LINK", "READDIR", "READDIRPLUS", "FSSTAT", "FSINFO", "PATHCONF", "COMMIT"};

static bool parse(const uint8_t *data, size_t size, struct call *ret)
{
	struct call c = {.in = {data, size, false}};
	uint32_t n;

	c.xid = get32(&c.in);
	if (get32(&c.in) != 0 || get32(&c.in) != 2)
		return false;
	c.prog = get32(&c.in);
	c.vers = get32(&c.in);
	c.proc = get32(&c.in);
	for (int i = 0; i < 2; i++) {
		get32(&c.in);
		get_opaque(&c.in, &n);
	}
	*ret = c;
	return !c.in.bad;
}

const char *procedure_name(const uint8_t *call, size_t size)
{
	struct call c;

	if (!parse(call, size, &c))
		return "?";
	if (c.prog == 100003)
		return c.proc < 22 ? nfs_names[c.proc] : "?";
	if (c.prog == 100005)
		return c.proc == 1 ? "MNT" : "MOUNT";
	return "PORTMAP";
}

unsigned long foreign_names;

static const uint8_t *get_name(struct xdr_in *in, uint32_t *ret_size)
{
	const uint8_t *name = get_opaque(in, ret_size);
	uint32_t n = *ret_size;

	if (n == 0 || n > NAME_LEN_MAX || memchr(name, '/', n) || memchr(name, 0, n) ||
		(n <= 2 && !memcmp(name, "..", n)))
		foreign_names++;
	return name;
}

static void put_handle(struct xdr_out *out, uint32_t i)
{
	uint32_t handle[2] = {i, nodes[i].generation};

	put_opaque(out, handle, sizeof handle);
}

static int get_node(struct xdr_in *in)
{
	uint32_t handle[2], n;
	const uint8_t *p = get_opaque(in, &n);

	if (n != sizeof handle)
		return -1;
	memcpy(handle, p, n);
	if (handle[0] >= NODES_MAX || !nodes[handle[0]].used ||
		nodes[handle[0]].generation != handle[1])
		return -1;
	return (int)handle[0];
}

static void put_attributes(struct xdr_out *out, uint32_t i)
{
	const struct node *n = &nodes[i];

	put32(out, n->dir ? 2 : 1);
	put32(out, n->mode);
	put32(out, n->dir ? 2 : 1);
	put32(out, n->uid);
	put32(out, n->gid);
	put64(out, n->size);
	put64(out, n->size);
	put64(out, 0);  /* rdev */
	put64(out, 77); /* fsid */
	put64(out, i + 1);
	for (int t = 0; t < 3; t++)
		put64(out, (uint64_t)1700000000 << 32);
}

static void put_post_op(struct xdr_out *out, int i)
{
	put32(out, i >= 0);
	if (i >= 0)
		put_attributes(out, (uint32_t)i);
}

static void put_wcc(struct xdr_out *out, int i)
{
	put32(out, 0);
	put_post_op(out, i);
}

static void get_sattr(struct xdr_in *in, struct node *n)
{
	uint64_t size;

	if (get32(in))
		n->mode = get32(in) & 07777;
	if (get32(in))
		n->uid = get32(in);
	if (get32(in))
		n->gid = get32(in);
	if (get32(in)) {
		size = get64(in);
		n->size = size > DATA_MAX ? DATA_MAX : (uint32_t)size;
	}
	for (int t = 0; t < 2; t++)
		if (get32(in) == 2)
			get64(in);
}

static void do_lookup(struct call *c, int dir)
{
	uint32_t size;
	const uint8_t *name = get_name(&c->in, &size);
	int i = tree_find((uint32_t)dir, name, size);

	put32(c->out, i < 0 ? ERR_NOENT : OK);
	if (i >= 0) {
		put_handle(c->out, (uint32_t)i);
		put_post_op(c->out, i);
	}
	put_post_op(c->out, dir);
}

static void do_read(struct call *c, int i)
{
	uint64_t offset = get64(&c->in);
	uint32_t count = get32(&c->in), size = nodes[i].size;

	if (offset > size)
		offset = size;
	if (count > size - offset)
		count = (uint32_t)(size - offset);
	put32(c->out, OK);
	put_post_op(c->out, i);
	put32(c->out, count);
	put32(c->out, offset + count == size);
	put_opaque(c->out, nodes[i].data + offset, count);
}

static void do_write(struct call *c, int i)
{
	uint64_t offset = get64(&c->in);
	uint32_t size;
	const uint8_t *data;

	get64(&c->in); /* count, stable */
	data = get_opaque(&c->in, &size);
	if (c->in.bad || offset > DATA_MAX || size > DATA_MAX - offset) {
		put32(c->out, ERR_NOSPC);
		put_wcc(c->out, i);
		return;
	}
	memcpy(nodes[i].data + offset, data, size);
	if (offset + size > nodes[i].size)
		nodes[i].size = (uint32_t)(offset + size);
	put32(c->out, OK);
	put_wcc(c->out, i);
	put32(c->out, size);
	put32(c->out, 2); /* FILE_SYNC */
	put64(c->out, 1);
}

static uint32_t make(struct call *c, int dir, bool is_dir, int *ret)
{
	uint32_t size, how = 1;
	const uint8_t *name = get_name(&c->in, &size);
	int i = tree_find((uint32_t)dir, name, size);

	if (!size || size > NAME_LEN_MAX)
		return ERR_NAMETOOLONG;
	if (!is_dir)
		how = get32(&c->in);
	if (i >= 0 && how != 0)
		return ERR_EXIST;
	if (i < 0)
		i = tree_add((uint32_t)dir, name, size, is_dir);
	if (i < 0)
		return ERR_NOSPC;
	if (how != 2)
		get_sattr(&c->in, &nodes[i]);
	*ret = i;
	return OK;
}

static void do_make(struct call *c, int dir, bool is_dir)
{
	int i = -1;
	uint32_t status = make(c, dir, is_dir, &i);

	put32(c->out, status);
	if (status == OK) {
		put32(c->out, 1);
		put_handle(c->out, (uint32_t)i);
		put_post_op(c->out, i);
	}
	put_wcc(c->out, dir);
}

static void do_remove(struct call *c, int dir)
{
	uint32_t size, status = OK;
	const uint8_t *name = get_name(&c->in, &size);
	int i = tree_find((uint32_t)dir, name, size);

	if (i < 0)
		status = ERR_NOENT;
	else if (c->evil == EVIL_READ_ONLY)
		status = ERR_ROFS;
	else if (tree_has_children((uint32_t)i))
		status = ERR_NOTEMPTY;
	else
		nodes[i].used = false;
	put32(c->out, status);
	put_wcc(c->out, dir);
}

static void do_rename(struct call *c, int from)
{
	uint32_t from_size, to_size, status = OK;
	const uint8_t *from_name = get_name(&c->in, &from_size), *to_name;
	int to = get_node(&c->in), i, old;

	to_name = get_name(&c->in, &to_size);
	i = tree_find((uint32_t)from, from_name, from_size);
	old = to < 0 ? -1 : tree_find((uint32_t)to, to_name, to_size);
	if (to < 0)
		status = ERR_STALE;
	else if (i < 0)
		status = ERR_NOENT;
	else if (to_size > NAME_LEN_MAX)
		status = ERR_NAMETOOLONG;
	else if (old >= 0 && tree_has_children((uint32_t)old))
		status = ERR_NOTEMPTY;
	if (status == OK) {
		if (old >= 0 && old != i)
			nodes[old].used = false;
		nodes[i].parent = (uint32_t)to;
		memset(nodes[i].name, 0, sizeof nodes[i].name);
		memcpy(nodes[i].name, to_name, to_size);
	}
	put32(c->out, status);
	put_wcc(c->out, from);
	put_wcc(c->out, to);
}

static void put_entry(
	struct call *c, uint64_t fileid, const void *name, size_t size, uint64_t cookie)
{
	put32(c->out, 1);
	put64(c->out, fileid);
	put_opaque(c->out, name, size);
	put64(c->out, cookie);
	if (c->proc == 17) {
		put_post_op(c->out, 0);
		put32(c->out, 1);
		put_handle(c->out, 0);
	}
}

/* The names that no directory has; returns whether it put one. */
static bool put_evil_name(struct call *c, uint64_t cookie)
{
	char name[300];

	memset(name, 'x', sizeof name);
	switch (c->evil) {
	case EVIL_NAME_DOTDOT:
		put_entry(c, 9, "..", 2, cookie);
		return true;
	case EVIL_NAME_SLASH:
		put_entry(c, 9, "a/b", 3, cookie);
		return true;
	case EVIL_NAME_EMPTY:
		put_entry(c, 9, "", 0, cookie);
		return true;
	case EVIL_NAME_LONG:
		put_entry(c, 9, name, sizeof name, cookie);
		return true;
	case EVIL_NAME_NUL:
		put_entry(c, 9, "a\0b", 3, cookie);
		return true;
	default:
		return false;
	}
}

static void do_readdir(struct call *c, int dir)
{
	uint64_t cookie = get64(&c->in);
	bool endless = c->evil == EVIL_STUCK || c->evil == EVIL_LOOP || c->evil == EVIL_ENDLESS;
	uint64_t start = c->evil == EVIL_LOOP || c->evil == EVIL_STUCK ? 0 : cookie;
	char name[32];

	put32(c->out, OK);
	put_post_op(c->out, dir);
	put64(c->out, 1); /* verifier */
	if (c->evil == EVIL_ENDLESS) {
		for (uint64_t i = 1; i <= ENDLESS_PAGE; i++) {
			size_t n = 0;

			for (uint64_t v = cookie + i; v; v /= 10)
				name[n++] = (char)('0' + v % 10);
			put_entry(c, cookie + i, name, n, cookie + i);
		}
	} else {
		if (!start && !put_evil_name(c, 1) && endless)
			put_entry(c, 9, "again", 5, c->evil == EVIL_STUCK ? cookie : 1);
		for (uint64_t i = start ? start : 1; i < NODES_MAX; i++)
			if (nodes[i].used && nodes[i].parent == (uint32_t)dir &&
				i + 1 > start + (start > 0))
				put_entry(c, i + 1, nodes[i].name, strlen(nodes[i].name),
					c->evil == EVIL_STUCK ? cookie : i + 1);
	}
	put32(c->out, 0);
	put32(c->out, !endless);
}

static void do_fsinfo(struct call *c, int i)
{
	put32(c->out, OK);
	put_post_op(c->out, i);
	for (int n = 0; n < 7; n++)
		put32(c->out, 8192);
	put64(c->out, DATA_MAX);
	put64(c->out, 1); /* time_delta */
	put32(c->out, 0x1b);
}

static void do_fsstat(struct call *c, int i)
{
	put32(c->out, OK);
	put_post_op(c->out, i);
	for (int n = 0; n < 6; n++)
		put64(c->out, 1 << 30);
	put32(c->out, 0);
}

static void do_pathconf(struct call *c, int i)
{
	put32(c->out, OK);
	put_post_op(c->out, i);
	put32(c->out, 32);
	put32(c->out, NAME_LEN_MAX);
	for (int n = 0; n < 4; n++)
		put32(c->out, n != 2);
}

static void do_plain(struct call *c, int i)
{
	switch (c->proc) {
	case 1:
		put32(c->out, OK);
		put_attributes(c->out, (uint32_t)i);
		break;
	case 2:
		get_sattr(&c->in, &nodes[i]);
		put32(c->out, OK);
		put_wcc(c->out, i);
		break;
	case 4:
		put32(c->out, OK);
		put_post_op(c->out, i);
		put32(c->out, get32(&c->in));
		break;
	case 21:
		put32(c->out, OK);
		put_wcc(c->out, i);
		put64(c->out, 1);
		break;
	default:
		put32(c->out, ERR_NOTSUPP);
		put_post_op(c->out, -1);
		put_post_op(c->out, -1);
		break;
	}
}

static void do_nfs(struct call *c)
{
	int i;

	if (c->proc == 0)
		return;
	i = get_node(&c->in);
	if (i < 0) {
		put32(c->out, ERR_STALE);
		for (int n = 0; n < 4; n++)
			put32(c->out, 0);
		return;
	}
	switch (c->proc) {
	case 3:
		do_lookup(c, i);
		break;
	case 6:
		do_read(c, i);
		break;
	case 7:
		do_write(c, i);
		break;
	case 8:
		do_make(c, i, false);
		break;
	case 9:
		do_make(c, i, true);
		break;
	case 12:
	case 13:
		do_remove(c, i);
		break;
	case 14:
		do_rename(c, i);
		break;
	case 16:
	case 17:
		do_readdir(c, i);
		break;
	case 18:
		do_fsstat(c, i);
		break;
	case 19:
		do_fsinfo(c, i);
		break;
	case 20:
		do_pathconf(c, i);
		break;
	default:
		do_plain(c, i);
		break;
	}
}

size_t answer(const uint8_t *call, size_t size, uint16_t port, enum evil evil, struct xdr_out *out)
{
	struct call c;

	if (!parse(call, size, &c))
		return 0;
	c.out = out;
	c.evil = evil;
	put32(out, c.xid);
	for (int i = 0; i < 5; i++) /* REPLY, accepted, empty verifier, success */
		put32(out, i == 0);
	if (c.prog == 100003 && c.vers == 3) {
		do_nfs(&c);
	} else if (c.prog == 100005 && c.proc == 1) {
		put32(out, OK);
		put_handle(out, 0);
		put32(out, 1);
		put32(out, 1); /* AUTH_SYS */
	} else if (c.prog == 100005 && c.proc) {
		put32(out, 0);
	} else if (c.prog == 100000 && c.proc) {
		put32(out, port);
	} else if (c.proc) {
		out->len -= 4;
		put32(out, 1); /* program unavailable */
	}
	return out->len;
}
