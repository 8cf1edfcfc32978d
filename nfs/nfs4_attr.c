/* SPDX-License-Identifier: Apache-2.0 */
/* nfs4_attr.c: NFSv4 attributes to and from the wire (RFC 7530 5, XDR RFC 4506) */
#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "nfs/nfs4.h"

/* Owners that are neither numbers nor root: nobody, which no class asks for. */
#define NOBODY 65534U
#define OWNER_MAX 128
#define BIT(n) (1U << ((n) % 32))

static uint32_t wanted[] = {BIT(FATTR4_TYPE) | BIT(FATTR4_SIZE) | BIT(FATTR4_FSID),
	BIT(FATTR4_MODE) | BIT(FATTR4_OWNER) | BIT(FATTR4_OWNER_GROUP) | BIT(FATTR4_TIME_MODIFY)};
static uint32_t wanted_space[] = {
	BIT(FATTR4_FILES_AVAIL) | BIT(FATTR4_FILES_FREE) | BIT(FATTR4_FILES_TOTAL),
	BIT(FATTR4_SPACE_AVAIL) | BIT(FATTR4_SPACE_FREE) | BIT(FATTR4_SPACE_TOTAL)};
/*
 * Of a directory's entries the names. Asked for an entry's error (RFC 7530 5.8.1.12), a server that
 * stumbles over one says so there; not asked, it refuses the whole directory (16.24; seen with
 * ganesha, for as long as it remembers a symlink as the directory it was exchanged for).
 */
static uint32_t wanted_names[] = {BIT(FATTR4_RDATTR_ERROR)};
bitmap4 nfs4_wanted = {2, wanted};
bitmap4 nfs4_wanted_space = {2, wanted_space};
bitmap4 nfs4_wanted_names = {1, wanted_names};

/* ---- encode
 * ---------------------------------------------------------------------------------------- */

struct writer {
	char *p;
	size_t n;
};

static void put_u32(struct writer *w, uint32_t v)
{
	uint32_t wire = htonl(v);

	memcpy(w->p + w->n, &wire, sizeof(wire));
	w->n += sizeof(wire);
}

/* Ids as decimal text (RFC 7530 5.9): servers take it from AUTH_SYS clients. */
static void put_id(struct writer *w, uint32_t id)
{
	char text[12] = "";
	size_t n = (size_t)snprintf(text, sizeof(text), "%u", id);

	put_u32(w, (uint32_t)n);
	memset(w->p + w->n, 0, 12);
	memcpy(w->p + w->n, text, n);
	w->n += (n + 3) & ~(size_t)3;
}

void nfs4_settable(struct nfs4_settable *ret, const struct nfs_set *set)
{
	struct writer w = {.p = ret->bytes};

	ret->mask[0] = ret->mask[1] = 0;
	if (set->what & SET_MODE) {
		ret->mask[1] |= BIT(FATTR4_MODE);
		put_u32(&w, set->mode);
	}
	if (set->what & SET_UID) {
		ret->mask[1] |= BIT(FATTR4_OWNER);
		put_id(&w, set->uid);
	}
	if (set->what & SET_GID) {
		ret->mask[1] |= BIT(FATTR4_OWNER_GROUP);
		put_id(&w, set->gid);
	}
	ret->attr = (fattr4){{2, ret->mask}, {(u_int)w.n, ret->bytes}};
}

/* ---- decode
 * ------------------------------------------------------------------------------------------ */

struct reader4 {
	const char *p;
	size_t left;
	const bitmap4 *mask;
	bool bad;
};

static struct reader4 reader_of(const fattr4 *a)
{
	return (struct reader4){
		a->attr_vals.attrlist4_val, a->attr_vals.attrlist4_len, &a->attrmask, false};
}

/* The bytes of the next value, NULL where they are not there. */
static const char *take(struct reader4 *r, size_t n)
{
	const char *p = r->p;

	if (r->bad || !p || n > r->left) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

static uint32_t get_u32(struct reader4 *r)
{
	const char *p = take(r, sizeof(uint32_t));
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return ntohl(v);
}

static uint64_t get_u64(struct reader4 *r)
{
	const char *p = take(r, sizeof(uint64_t));
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

static uint32_t get_id(struct reader4 *r)
{
	uint32_t n = get_u32(r);
	char text[OWNER_MAX];
	const char *p = n < sizeof(text) ? take(r, (n + 3) & ~(size_t)3) : take(r, SIZE_MAX);
	uint64_t id;

	if (!p)
		return NOBODY;
	memcpy(text, p, n);
	text[n] = '\0';
	if (parse_u64(text, 0, UINT32_MAX, &id) >= 0)
		return (uint32_t)id;
	text[strcspn(text, "@")] = '\0';
	return streq(text, "root") || streq(text, "wheel") ? 0 : NOBODY;
}

static bool has(const struct reader4 *r, unsigned bit)
{
	return r->mask->bitmap4_len > bit / 32 && r->mask->bitmap4_val[bit / 32] & BIT(bit);
}

/* A server that sends what was not asked for cannot be decoded. */
static bool only(const struct reader4 *r, const bitmap4 *allowed)
{
	for (u_int i = 0; i < r->mask->bitmap4_len; i++)
		if (r->mask->bitmap4_val[i] &
			~(i < allowed->bitmap4_len ? allowed->bitmap4_val[i] : 0U))
			return false;
	return true;
}

static enum nfs_type type_of(uint32_t type)
{
	return type == NF4REG   ? NFS_TYPE_FILE
	       : type == NF4DIR ? NFS_TYPE_DIRECTORY
	       : type == NF4LNK ? NFS_TYPE_LINK
				: NFS_TYPE_OTHER;
}

bool nfs4_take_attr(struct nfs_attr *ret, const fattr4 *a)
{
	struct reader4 r = reader_of(a);
	struct nfs_attr t = {.type = NFS_TYPE_NONE};

	if (!only(&r, &nfs4_wanted) || !has(&r, FATTR4_TYPE) || !has(&r, FATTR4_FSID))
		return false;
	t.type = type_of(get_u32(&r));
	if (has(&r, FATTR4_SIZE))
		t.size = get_u64(&r);
	t.fsid[0] = get_u64(&r);
	t.fsid[1] = get_u64(&r);
	t.mode = has(&r, FATTR4_MODE) ? get_u32(&r) & 07777 : 0;
	t.uid = has(&r, FATTR4_OWNER) ? get_id(&r) : NOBODY;
	t.gid = has(&r, FATTR4_OWNER_GROUP) ? get_id(&r) : NOBODY;
	if (has(&r, FATTR4_TIME_MODIFY)) {
		t.mtime = get_u64(&r);
		(void)get_u32(&r);
	}
	if (r.bad)
		return false;
	*ret = t;
	return true;
}

bool nfs4_take_space(struct nfs_space *ret, const fattr4 *a)
{
	struct reader4 r = reader_of(a);
	struct nfs_space s = {.total_bytes = 0};

	if (!only(&r, &nfs4_wanted_space))
		return false;
	if (has(&r, FATTR4_FILES_AVAIL))
		(void)get_u64(&r);
	s.free_files = has(&r, FATTR4_FILES_FREE) ? get_u64(&r) : 0;
	s.total_files = has(&r, FATTR4_FILES_TOTAL) ? get_u64(&r) : 0;
	s.available_bytes = has(&r, FATTR4_SPACE_AVAIL) ? get_u64(&r) : 0;
	s.free_bytes = has(&r, FATTR4_SPACE_FREE) ? get_u64(&r) : 0;
	s.total_bytes = has(&r, FATTR4_SPACE_TOTAL) ? get_u64(&r) : 0;
	if (r.bad)
		return false;
	*ret = s;
	return true;
}

bool nfs4_take_fh(struct nfs_fh *ret, const COMPOUND4res *res)
{
	const nfs_resop4 *r = compound_result(res, OP_GETFH);
	const nfs_fh4 *fh;

	if (!r)
		return false;
	fh = &r->nfs_resop4_u.opgetfh.GETFH4res_u.resok4.object;
	if (!nfs_fh_ok(fh->nfs_fh4_len))
		return false;
	nfs_fh_set(ret, fh->nfs_fh4_val, fh->nfs_fh4_len);
	return true;
}
