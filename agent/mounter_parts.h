/* SPDX-License-Identifier: Apache-2.0 */
/* mounter_parts.h: an operation of the mounter, and what it knows (internal to agent/mounter*.c) */
#ifndef BERTH_AGENT_MOUNTER_PARTS_H
#define BERTH_AGENT_MOUNTER_PARTS_H

#include "agent/mount_order.h"
#include "agent/mounter.h"
#include "base/list.h"
#include "base/map.h"
#include "mount/options.h"
#include "worker/pool.h"

#define HASH_TEXT_MAX 17 /* 64 bits in hex */
#define EXPORT_ID_MAX 33 /* 128 bits in hex */
/* Names to addresses: how many servers are remembered, and how long an answer counts. */
#define ADDRESSES_MAX 32
#define ADDRESS_TTL SECONDS(30)
#define SERVER_TEXT_MAX 256
#define ADDRESS_TEXT_MAX 80

/* An export mount below the exports directory. */
struct export
{
	char id[EXPORT_ID_MAX];
	char hash[HASH_TEXT_MAX]; /* of "servers:export": its children's key */
	char *source;
	char *note;          /* nfs_mounted.note of its mount, NULL: none known */
	size_t publications; /* at the last look, and those made since */
	size_t running;      /* operations that need it */
	uint64_t idle_at;    /* since then nobody uses it; 0: in use */
};

/* What is mounted at a target, as far as it says which child may hang with it. */
struct publication {
	char *target;
	char hash[HASH_TEXT_MAX];
	bool found; /* in mountinfo, not published by us: gone with its mount */
};

struct address {
	char servers[SERVER_TEXT_MAX];
	char server[SERVER_TEXT_MAX];
	char address[ADDRESS_TEXT_MAX];
	uint64_t until;
};

struct mounter {
	struct mounter_options o;
	struct worker_pool *pool;
	struct worker_pool *resolvers;
	struct list ops;
	struct map busy;         /* struct op by target: what excludes others */
	struct map exports;      /* struct export by id */
	struct map publications; /* struct publication by target */
	struct address addresses[ADDRESSES_MAX];
	size_t next_address;
	struct timer *idle;
	struct mounter_stats_now stats;
};

/* What a publication is made from, copied. */
struct op_volume {
	enum mounter_kind kind;
	char *servers; /* NULL: hostPath */
	char *path;
	char *directory;
	char *identity;
	char *options; /* NFS data */
	uint32_t flags;
	uint32_t export_flags;
	uint32_t version;
	uint16_t port;
	char id[EXPORT_ID_MAX];
};

struct op {
	struct list link;
	struct mounter *m;
	char *target; /* beneath the kubelet's root; "" for none */
	bool exclusive;
	char hash[HASH_TEXT_MAX];
	struct op_volume volume; /* publish */
	struct export *x;        /* counted in its running; NULL: none */
	bool retried;            /* the export's mount was missing, and is made now */
	uint32_t rung;
	uint32_t kind; /* enum mount_order_kind */
	struct worker_call *call;
	uint64_t deadline_at;
	struct mounter_usage usage;
	enum mounter_sharing sharing;
	/* One of them, by what was asked. */
	mounter_fn fn;
	mounter_usage_fn usage_fn;
	mounter_sharing_fn sharing_fn;
	void *userdata;
};

/* mounter.c */
int op_new(struct op **ret, struct mounter *m, uint32_t kind, uint64_t budget_ns);
/* Sets target, checked; with exclusive it is the only one on it: -EBUSY. */
int op_set_target(struct op *op, const char *target, bool exclusive, struct err *e);
void op_free(struct op *op);
/* Calls back and frees. */
void op_end(struct op *op, const struct err *e);
/* One order to the child of "<prefix>-<hash>" (hash NULL: prefix alone). deadline_ns: at most. */
int op_order(struct op *op, const char *prefix, const struct mount_order *o, uint64_t deadline_ns,
	worker_fn fn);
/* What a reply says, in words; 0 where it is a success. */
int reply_error(const struct op *op, const struct worker_reply *reply, struct err *e);
const char *hash_text(char dst[static HASH_TEXT_MAX], const char *text);

/* mounter_exports.c */
int exports_load(struct mounter *m, struct err *e);
void exports_done(struct mounter *m);
struct export *export_get(struct mounter *m, const char *id, const char *hash, const char *source);
/* Counts op among those that need x (NULL: nothing happens). */
void op_use_export(struct op *op, struct export *x);
/* It failed: an export without publications is forgotten, unless others are at it. Should it be
 * mounted, the next look at mountinfo finds it. */
void op_leave_export(struct op *op);
/* What a child said of the mount that it made, body of its reply; logged where it is new. */
void export_note(struct export *x, const void *body, size_t size);
void publication_set(struct mounter *m, const char *target, const char *hash, bool found);
void publication_drop(struct mounter *m, const char *target);
int exports_watch(struct mounter *m);

/* mounter_unmount.c: it has no publication and no operation */
void export_drop(struct mounter *m, struct export *x);

#endif
