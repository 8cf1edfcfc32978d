/* SPDX-License-Identifier: Apache-2.0 */
/* backend.h: what storage must be able to do; nfs/ implements it through worker processes,
 * hostpath/ on node disks */
#ifndef BERTH_VOLUME_BACKEND_H
#define BERTH_VOLUME_BACKEND_H

#include "base/err.h"
#include "volume/request.h"

/*
 *            create                 trash / archive                purge (until no more)
 *   nothing ───────► record+directory ───────────► record, tree in trash ───────► nothing
 *                        │  ▲ recycle (new directory, old one in trash)
 *                        └──┴ discard: never published and empty ────────────────► nothing
 *   record, tree in trash ── create with VOLUME_RESTORE ──► record+directory
 *
 * Every operation is asynchronous, idempotent and may be repeated after any crash or unknown
 * outcome; each proves by record and token that it touches what is ours. After a 0 return exactly
 * one callback follows, never before the return. No operation blocks the caller; a dead server ends
 * them with -ETIMEDOUT, -ECONNREFUSED and the like, and stalls only its own queue.
 */
struct volume_backend;

enum volume_result_flag {
	RESULT_ADOPTED = 1U << 0, /* create: the directory was there before */
	RESULT_OWNER_DIFFERS =
		1U << 1, /* create: the server did not apply the wished uid or gid: see text */
	RESULT_MODE_DIFFERS = 1U << 2,
	RESULT_MORE = 1U << 3,   /* purge, list: call again */
	RESULT_ABSENT = 1U << 4, /* trash, archive, discard: nothing was there any more (success) */
};

/* Record states as they stand in volumes/<pv>.json. */
enum record_state {
	RECORD_CREATING,
	RECORD_READY,
	RECORD_TRASHED,
	RECORD_ARCHIVED,
	RECORD_RECYCLING
};

/* One entry of a list: a record, or something without one. Borrowed for the callback. */
struct volume_entry {
	enum { ENTRY_RECORD, ENTRY_TRASH, ENTRY_DIRECTORY, ENTRY_BAD_RECORD } kind;
	const char *name; /* file name of the record, name in trash/, or directory (top level only)
			     without record */
	struct volume_request record; /* kind == ENTRY_RECORD */
	enum record_state state;
	bool published;
	uint64_t changed;  /* clock_real() when the record or the trash entry was written */
	const char *trash; /* name below trash/ of a trashed volume, or the archive's directory; ""
			      for none */
};

struct volume_result {
	struct err err;        /* code 0: done */
	unsigned flags;        /* enum volume_result_flag */
	const char *text;      /* words about flags for a Warning event, or "" */
	const char *identity;  /* the export's id, "" if not learned */
	const char *directory; /* create: where it lies; archive: the new name; trash, recycle: the
				  name below trash/, "" where nothing was there */
	uid_t uid;             /* create: what the server really made */
	gid_t gid;
	mode_t mode;
	uint64_t removed;                                  /* purge: entries removed by this call */
	uint64_t total_bytes, free_bytes, available_bytes; /* space */
	uint64_t total_files, free_files;
	uint64_t round_trip_ns;             /* space: of one small request */
	int version;                        /* space: NFS version in use, 3 or 4 */
	const struct volume_entry *entries; /* list */
	size_t n_entries;
	const char *cursor; /* list: for the next call */
};
typedef void (*volume_fn)(const struct volume_result *res, void *userdata);

/* Eight functions; purge and list do a bounded slice (some 10,000 entries or 200 ms) a call. */
struct volume_backend_ops {
	const char *name;
	/* With VOLUME_RESTORE nothing new is made: -ENOENT where record, directory or tree is not
	 * there, -EEXIST where another directory has the place. With VOLUME_ADOPT as well what lies
	 * in the trash stays there (-ENOENT). The first entry of the result is the record. */
	int (*create)(struct volume_backend *b, const struct volume_place *p,
		const struct volume_request *q, volume_fn fn, void *userdata);
	/* Renames the directory to .berth/trash/<pv>-<time>, atomically, record state Trashed. */
	int (*trash)(struct volume_backend *b, const struct volume_place *p,
		const struct volume_request *q, volume_fn fn, void *userdata);
	/* Renames it to archived-<directory>-<time> beside it, state Archived. */
	int (*archive)(struct volume_backend *b, const struct volume_place *p,
		const struct volume_request *q, volume_fn fn, void *userdata);
	/* The old directory to trash, a new empty one with the recorded owner and mode; never a
	 * scrub in place (binding.md 3). */
	int (*recycle)(struct volume_backend *b, const struct volume_place *p,
		const struct volume_request *q, volume_fn fn, void *userdata);
	/* Removes record and directory if the record says never published and the directory is
	 * empty; -ENOTEMPTY, -EBUSY (published). */
	int (*discard)(struct volume_backend *b, const struct volume_place *p,
		const struct volume_request *q, volume_fn fn, void *userdata);
	/* Removes a slice of trash/<name>; the last call removes the trashed record too. q may be
	 * NULL: only the tree. */
	int (*purge)(struct volume_backend *b, const struct volume_place *p, const char *trash_name,
		volume_fn fn, void *userdata);
	/* A page of what is on the export: records, trash, and top-level directories without a
	 * record. cursor NULL: from the beginning. */
	int (*list)(struct volume_backend *b, const struct volume_place *p, const char *cursor,
		volume_fn fn, void *userdata);
	/* Free space and health. */
	int (*space)(struct volume_backend *b, const struct volume_place *p, volume_fn fn,
		void *userdata);
};

/* First member of every implementation. */
struct volume_backend {
	const struct volume_backend_ops *ops;
};

#endif
