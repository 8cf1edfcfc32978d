/* SPDX-License-Identifier: Apache-2.0 */
/* call.h: one thing asked of an NFS server, the same for NFSv3 and NFSv4.0; a call may take several
 * RPCs */
#ifndef BERTH_NFS_CALL_H
#define BERTH_NFS_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"

#define NFS_FH_MAX 128 /* NFS4_FHSIZE; NFSv3 has 64 */

struct nfs_fh {
	uint8_t size; /* 0: none */
	uint8_t data[NFS_FH_MAX];
};

enum nfs_type { NFS_TYPE_NONE, NFS_TYPE_FILE, NFS_TYPE_DIRECTORY, NFS_TYPE_LINK, NFS_TYPE_OTHER };

struct nfs_attr {
	enum nfs_type type;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	uint64_t size;
	uint64_t fsid[2];
	uint64_t mtime; /* seconds */
};

/* AUTH_SYS identity of one request. */
struct nfs_cred {
	uid_t uid;
	gid_t gid;
};

enum { SET_MODE = 1, SET_UID = 2, SET_GID = 4 };
struct nfs_set {
	unsigned what;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/* One READDIR's worth of names. */
#define PAGE_NAMES 1024
#define PAGE_BYTES (32U << 10)
struct nfs_page {
	char text[PAGE_BYTES];
	uint16_t at[PAGE_NAMES];
	uint8_t state[PAGE_NAMES]; /* the reader's own */
	size_t n, used;
	uint64_t cookie; /* behind the last name */
	char verf[8];
	bool eof;
	size_t refused; /* names that no honest server sends */
};

struct nfs_space {
	uint64_t total_bytes, free_bytes, available_bytes, total_files, free_files;
};

enum call_kind {
	CALL_ROOT,    /* name: export path → fh, attr */
	CALL_LOOKUP,  /* dir, name → fh, attr */
	CALL_GETATTR, /* dir → attr */
	CALL_SETATTR, /* dir, set */
	CALL_MKDIR,   /* dir, name, set → fh, attr */
	CALL_REMOVE,  /* dir, name: no directory (NFSv4: an empty one too) */
	CALL_REMOVES, /* NFSv4 alone: dir, page, first, count: these names of the page one after the
		       * other, as REMOVE; done: how many went, r is of the first that did not */
	CALL_RMDIR,   /* dir, name */
	CALL_RENAME,  /* dir, name → to, to_name */
	CALL_READDIR, /* dir, cookie, page → page */
	CALL_SPACE,   /* dir → space */
	CALL_READ,    /* dir, name, out → the file's bytes, at most out->max */
	CALL_CREATE,  /* dir, name, data: a new file with these bytes, durable; -EEXIST */
	CALL_REPLACE, /* dir, to_name (temporary), name, data: CREATE and RENAME over name */
	_CALL_KIND_MAX
};

struct server;
struct call;
typedef void (*call_fn)(struct call *c, void *userdata);

/* Zero all but the arguments before server_call(). Pointers are borrowed until the callback. */
struct call {
	enum call_kind kind;
	struct nfs_cred cred;
	struct nfs_fh dir, to;
	const char *name, *to_name;
	struct nfs_set set;
	const char *data;
	size_t size;
	struct buf *out;
	uint64_t cookie;
	char verf[8];
	struct nfs_page *page;
	size_t first, count; /* names of the page */
	uint64_t wait;       /* ns before it is sent; back to 0 with that */
	uint64_t deadline;   /* clock_now(): no more waiting for a server that asks for patience */
	void *userdata;
	size_t tag; /* the caller's own */

	int r;            /* 0 or -errno */
	uint32_t status;  /* the protocol's own word, 0: none */
	const char *why;  /* its name, or what went wrong below it */
	struct nfs_fh fh; /* results */
	struct nfs_attr attr;
	struct nfs_space space;
	bool created; /* CREATE, REPLACE: the (temporary) file was made, whatever came then */

	/* server.c and the protocols */
	struct server *server;
	call_fn fn;
	struct list link;
	unsigned phase, tries;
	size_t done;
	uint64_t again; /* clock_now() of the next try */
	void *protocol;
};

/* e: "<what>: NFS3ERR_ACCES (Permission denied)"; returns c->r. */
int call_error(const struct call *c, struct err *e, const char *fmt, ...) _printf_(3, 4);

void nfs_fh_set(struct nfs_fh *fh, const void *data, size_t size);
static inline bool nfs_fh_ok(size_t size)
{
	return size > 0 && size <= NFS_FH_MAX;
}
bool nfs_fh_equal(const struct nfs_fh *a, const struct nfs_fh *b);

/* Appends a name the server sent; false where it is none or there is no room. */
bool nfs_page_add(struct nfs_page *p, const char *name, size_t len, uint64_t cookie);
void nfs_page_reset(struct nfs_page *p);
/* How many names from first on fit into one CALL_REMOVES, at most max. */
size_t nfs_page_removes(const struct nfs_page *p, size_t first, size_t max);
static inline const char *nfs_page_name(const struct nfs_page *p, size_t i)
{
	return p->text + p->at[i];
}

/* errno for the numbers that NFSv3 and NFSv4 share (RFC 1813 2.6, RFC 7530 13.1). */
int nfs_status_errno(uint32_t status);

#endif
