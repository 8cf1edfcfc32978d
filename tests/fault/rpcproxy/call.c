/* SPDX-License-Identifier: Apache-2.0 */
/* call.c: names an ONC RPC call: NFSv3 and MOUNT by procedure, an NFSv4 compound by its first
 * mutating operation */
#include <arpa/inet.h>
#include <string.h>

#include "proxy.h"

enum { PROG_PORTMAP = 100000, PROG_NFS = 100003, PROG_MOUNT = 100005 };

struct cursor {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static uint32_t u32(struct cursor *c)
{
	uint32_t v;

	if (c->left < 4) {
		c->bad = true;
		return 0;
	}
	memcpy(&v, c->p, 4);
	c->p += 4;
	c->left -= 4;
	return ntohl(v);
}

static void skip(struct cursor *c, size_t n)
{
	if (n > c->left) {
		c->bad = true;
		n = c->left;
	}
	c->p += n;
	c->left -= n;
}

static void skip_opaque(struct cursor *c)
{
	size_t n = u32(c);

	skip(c, (n + 3) & ~(size_t)3);
}

static void skip_bitmap(struct cursor *c)
{
	skip(c, (size_t)u32(c) * 4);
}

/* RFC 1813 section 3 */
static const char *const nfs3_names[] = {
	"NULL",
	"GETATTR",
	"SETATTR",
	"LOOKUP",
	"ACCESS",
	"READLINK",
	"READ",
	"WRITE",
	"CREATE",
	"MKDIR",
	"SYMLINK",
	"MKNOD",
	"REMOVE",
	"RMDIR",
	"RENAME",
	"LINK",
	"READDIR",
	"READDIRPLUS",
	"FSSTAT",
	"FSINFO",
	"PATHCONF",
	"COMMIT",
};
/* RFC 1813 appendix I, RFC 1833 */
static const char *const mount_names[] = {"MNT_NULL", "MNT", "DUMP", "UMNT", "UMNTALL", "EXPORT"};
static const char *const portmap_names[] = {"PMAP_NULL", "SET", "UNSET", "GETPORT", "PMAP_DUMP"};
/* RFC 7530 section 16, from operation 3 on */
static const char *const nfs4_names[] = {
	"ACCESS",
	"CLOSE",
	"COMMIT",
	"CREATE",
	"DELEGPURGE",
	"DELEGRETURN",
	"GETATTR",
	"GETFH",
	"LINK",
	"LOCK",
	"LOCKT",
	"LOCKU",
	"LOOKUP",
	"LOOKUPP",
	"NVERIFY",
	"OPEN",
	"OPENATTR",
	"OPEN_CONFIRM",
	"OPEN_DOWNGRADE",
	"PUTFH",
	"PUTPUBFH",
	"PUTROOTFH",
	"READ",
	"READDIR",
	"READLINK",
	"REMOVE",
	"RENAME",
	"RENEW",
	"RESTOREFH",
	"SAVEFH",
	"SECINFO",
	"SETATTR",
	"SETCLIENTID",
	"SETCLIENTID_CONFIRM",
	"VERIFY",
	"WRITE",
	"RELEASE_LOCKOWNER",
};
static const uint64_t nfs3_mutating = 1 << 2 | 1 << 7 | 0x3f << 8 | 1 << 14 | 1 << 15 | 1 << 21;

#define NAMES(a) (a), sizeof(a) / sizeof *(a)

static const char *name_of(const char *const *names, size_t n, uint32_t i)
{
	return i < n ? names[i] : "?";
}

static bool op_mutates(uint32_t op)
{
	switch (op) {
	case 5:
	case 6:
	case 11:
	case 18:
	case 28:
	case 29:
	case 34:
	case 38:
		return true;
	default:
		return false;
	}
}

/* Passes over the arguments of an operation that changes nothing; false: not known how. */
static bool skip_op(struct cursor *c, uint32_t op)
{
	switch (op) {
	case 10:
	case 16:
	case 23:
	case 24:
	case 27:
	case 31:
	case 32:
		return true;
	case 3:
		skip(c, 4);
		return true;
	case 9:
		skip_bitmap(c);
		return true;
	case 15:
	case 22:
		skip_opaque(c);
		return true;
	case 25:
		skip(c, 28);
		return true;
	case 26:
		skip(c, 24);
		skip_bitmap(c);
		return true;
	case 30:
		skip(c, 8);
		return true;
	case 53: /* SEQUENCE of 4.1 */
		skip(c, 32);
		return true;
	default:
		return false;
	}
}

/* Named by the first operation that mutates or that we cannot pass, else by the last that is more
 * than moving handles about. */
static void parse_compound(struct cursor *c, struct call *call)
{
	uint32_t n, op;

	skip_opaque(c); /* tag */
	u32(c);         /* minor version */
	n = u32(c);
	call->name = "COMPOUND";
	for (uint32_t i = 0; i < n && !c->bad; i++) {
		op = u32(c);
		if (c->bad)
			return;
		if (op_mutates(op) || (op != 9 && op != 10 && op != 22 && op != 24))
			call->name = op < 3 ? "?" : name_of(NAMES(nfs4_names), op - 3);
		else if (op == 9 && !strcmp(call->name, "COMPOUND"))
			call->name = "GETATTR";
		call->mutating = op_mutates(op);
		if (call->mutating || !skip_op(c, op))
			return;
	}
}

bool call_parse(const uint8_t *body, size_t size, struct call *ret)
{
	struct cursor c = {body, size, false};
	struct call call = {.xid = u32(&c), .name = "?"};

	if (u32(&c) != 0 || u32(&c) != 2) /* CALL, RPC version 2 */
		return false;
	call.prog = u32(&c);
	call.vers = u32(&c);
	call.proc = u32(&c);
	for (int i = 0; i < 2; i++) { /* credential, verifier */
		u32(&c);
		skip_opaque(&c);
	}
	if (c.bad)
		return false;
	if (call.prog == PROG_NFS && call.vers == 3) {
		call.name = name_of(NAMES(nfs3_names), call.proc);
		call.mutating = call.proc < 22 && (nfs3_mutating >> call.proc & 1);
	} else if (call.prog == PROG_NFS && call.vers == 4) {
		if (call.proc == 1)
			parse_compound(&c, &call);
		else
			call.name = "NULL";
	} else if (call.prog == PROG_MOUNT) {
		call.name = name_of(NAMES(mount_names), call.proc);
	} else if (call.prog == PROG_PORTMAP) {
		call.name = name_of(NAMES(portmap_names), call.proc);
	}
	*ret = call;
	return true;
}
