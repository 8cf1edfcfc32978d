/* SPDX-License-Identifier: Apache-2.0 */
/* nfs4.h: NFSv4.0 inside: attributes in their own encoding, and the little state that writing a
 * file needs */
#ifndef BERTH_NFS_NFS4_H
#define BERTH_NFS_NFS4_H

#include "nfs/server.h"

/* Operations in one compound: an export's path is the longest. */
#define COMPOUND_OPS 40
/* The library encodes into 4,096 bytes with the RPC header; a WRITE takes no more than this. */
#define NFS4_WRITE_MAX 2800U
#define NFS4_READ_MAX 8192U

/* A compound being put together on the stack; the library copies it when it is sent. */
struct compound {
	nfs_argop4 ops[COMPOUND_OPS];
	size_t n;
};
nfs_argop4 *compound_add(struct compound *m, nfs_opnum4 op); /* NULL: no room */
void compound_fh(struct compound *m, const struct nfs_fh *fh);
int compound_send(struct compound *m, struct server *s, struct call *c);

/* The n-th result if it is that operation's and succeeded, else NULL. */
const nfs_resop4 *compound_result(const COMPOUND4res *res, nfs_opnum4 op);

/* ---- attributes (RFC 7530 5) */
#define NFS4_SETTABLE_MAX 64
struct nfs4_settable {
	uint32_t mask[2];
	char bytes[NFS4_SETTABLE_MAX];
	fattr4 attr; /* points into the two above */
};
void nfs4_settable(struct nfs4_settable *ret, const struct nfs_set *set);
extern bitmap4 nfs4_wanted, nfs4_wanted_space, nfs4_wanted_names;
/* false for what does not decode. */
bool nfs4_take_attr(struct nfs_attr *ret, const fattr4 *a);
bool nfs4_take_space(struct nfs_space *ret, const fattr4 *a);
bool nfs4_take_fh(struct nfs_fh *ret, const COMPOUND4res *res);

/* ---- opening files */
enum nfs4_phase {
	V4_FIRST,
	V4_CLIENTID,
	V4_CONFIRM,
	V4_OPEN,
	V4_OPEN_CONFIRM,
	V4_WRITE,
	V4_CLOSE,
	V4_RENAME,
	V4_READ
};

void nfs4_next(struct call *c, enum nfs4_phase phase);
int nfs4_send_open_phase(struct server *s, struct call *c);
void nfs4_got_open_phase(struct call *c, const COMPOUND4res *res);
/* The RPC itself failed: gives back what the call has of client id and owners, if anything. */
void nfs4_open_forget(struct call *c);

#endif
