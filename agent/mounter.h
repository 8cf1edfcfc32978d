/* SPDX-License-Identifier: Apache-2.0 */
/* mounter.h: mounts for the front, done by children of the broker: publish, unpublish, usage, the
 * export mounts */
#ifndef BERTH_AGENT_MOUNTER_H
#define BERTH_AGENT_MOUNTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/orders.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "event/loop.h"

/*
 * Every function that takes a callback: after 0 exactly one callback, never before the return, at
 * the latest when its budget is over; the struct err in it is clear (code 0) on success and names
 * the target, path or server and the system's reason else. -errno with text in *e: refused at
 * once, no callback.
 *
 * What hangs stays with its key: one child per export for mounting, one for its unmounts, one for
 * its statfs, one per pool, one ("node") for what cannot hang. A child is killed at the
 * order's deadline; while the kernel does not let it go no second one is started for its key.
 *
 * Outcomes: an order whose child was killed (-ETIMEDOUT) or died (-ECONNRESET) may have been done:
 * repeat it, or unpublish. All orders can be repeated.
 */

/* Below the kubelet's 2 min for a CSI call, so that its retry never meets ours still at work. */
#define MOUNTER_PUBLISH_BUDGET SECONDS(90)
/* Plain unmount, then lazily; together with waiting for the child. */
#define MOUNTER_UNPUBLISH_BUDGET SECONDS(30)
#define MOUNTER_UMOUNT_RUNG SECONDS(10)
#define MOUNTER_STATS_BUDGET SECONDS(10)

struct mounter;

struct mounter_options {
	struct loop *loop;
	struct orders *orders;    /* outlives the mounter; NULL: workers (tests) */
	const char *kubelet_root; /* absolute; targets lie beneath it */
	const char *exports_dir;  /* absolute, in the host's mount namespace: /run/berth/exports */
	const char *mountinfo;    /* of the host's mount namespace, readable by us */
	uint64_t export_idle_ns;  /* an export mount that nobody uses goes after this (0: 10 min) */
	/* Whether the server of what is mounted at target is known to be silent. May be NULL. */
	bool (*is_hung)(const char *target, void *userdata);
	void *userdata;
	/* Instead of a broker, for tests: processes that are execve'd (lib/worker/pool.h). */
	const struct worker_options *workers;
};

/* Everything is copied. Reads mountinfo for the export mounts and publications that are there. */
int mounter_new(struct mounter **ret, const struct mounter_options *o, struct err *e);
struct mounter *mounter_free(struct mounter *m); /* no callback any more; mounts stay */
DEFINE_CLEANUP(struct mounter *, mounter_free)

typedef void (*mounter_fn)(const struct err *e, void *userdata);

enum mounter_kind { MOUNTER_NFS, MOUNTER_HOSTPATH };

struct mounter_volume {
	enum mounter_kind kind;
	const char *target;    /* absolute, beneath the kubelet root; made 0750 if missing */
	const char *server;    /* NFS: name, IPv4 or IPv6 ([] or not), or several with commas: the
				  first that answers. NULL for hostPath */
	const char *export_;   /* NFS: absolute path on the server; hostPath: the pool's root */
	const char *directory; /* beneath it (path_relative_check), NULL or "": all of it */
	const char *options; /* NFS: PV.mountOptions joined with commas, NULL: none; allow-listed */
	const char *identity; /* of a pool (pool.h), "" any, else ENODATA; NULL: not looked at */
	bool readonly, unwritable; /* here; by anybody: NFS then is read-only below the bind, too */
	bool suid;                 /* default nosuid and nodev */
	bool dev;
};

/*
 * Resolves and probes the server, makes the export mount where it is missing, binds directory at
 * the target, detached and attached once. The same volume published there already: success, and
 * still one mount. Budget MOUNTER_PUBLISH_BUDGET. The callback's codes:
 *   EBUSY      an operation on this target is running (also returned at once)
 *   EEXIST     something else is mounted at the target, or it is no directory
 *   EINVAL     a field or a mount option is refused (returned at once); the text names it
 *   ENOENT     the directory (or the export) is not there, or the target's parent is not
 *   EHOSTUNREACH, ECONNREFUSED, ETIMEDOUT, ECONNRESET   server or child
 *   EACCES, EPERM, ENODEV (no NFS in this kernel), others   as the kernel gave them
 */
int mounter_publish(struct mounter *m, const struct mounter_volume *v, mounter_fn fn,
	void *userdata, struct err *e);

/*
 * Unmounts all that is mounted at the target, also what we never heard of, and removes the empty
 * directory (never more). Nothing there: success. First plainly, MOUNTER_UMOUNT_RUNG; then, where
 * it is busy, or at once where it is known to hang, lazily (MNT_DETACH): a frozen server holds
 * neither. Budget MOUNTER_UNPUBLISH_BUDGET. EBUSY as above. EINVAL: not beneath the kubelet root.
 * ENOTEMPTY: files lie in the directory itself.
 */
int mounter_unpublish(
	struct mounter *m, const char *target, mounter_fn fn, void *userdata, struct err *e);

/*
 * Lazily detaches one mount beneath the kubelet root, such as a hung bind of a subPath under
 * pods/<uid>/volume-subpaths; the directory stays. ENOENT, EINVAL: nothing is mounted there.
 */
int mounter_detach(
	struct mounter *m, const char *path, mounter_fn fn, void *userdata, struct err *e);

struct mounter_usage {
	uint64_t bytes, bytes_free, bytes_available; /* available: to others than root */
	uint64_t inodes, inodes_free;                /* 0: the file system has none to count */
};
typedef void (*mounter_usage_fn)(
	const struct err *e, const struct mounter_usage *u, void *userdata);
/* statfs of what is mounted at the target. ENOENT: nothing is. Budget MOUNTER_STATS_BUDGET:
 * ETIMEDOUT where the server does not answer. Does not conflict with other operations. */
int mounter_stats(
	struct mounter *m, const char *target, mounter_usage_fn fn, void *userdata, struct err *e);

enum mounter_sharing {
	MOUNTER_SHARED,  /* it was */
	MOUNTER_MADE,    /* it is now */
	MOUNTER_REFUSED, /* things are mounted beneath: binding it would hide them (binding.md 4) */
};
typedef void (*mounter_sharing_fn)(
	const struct err *e, enum mounter_sharing sharing, void *userdata);
/* Makes the kubelet root rshared where that is safe. Repeat it to keep it so. */
int mounter_rshared(struct mounter *m, mounter_sharing_fn fn, void *userdata, struct err *e);
/* Asks the kernel for its NFS client, which loads its module where it can. ENODEV: it has none. */
int mounter_nfs_client(struct mounter *m, mounter_fn fn, void *userdata, struct err *e);

struct mounter_export {
	const char *id;     /* name under the exports directory: hash of server, export, options */
	const char *source; /* "server:/export" as in mountinfo */
	const char *note;   /* nfs_mounted.note; "" also where an earlier front mounted it */
	size_t publications;
	uint64_t idle_ns; /* since nobody uses it, 0: in use */
};
/* The export mounts as known now, also an earlier front's. Pointers are valid in fn only. */
void mounter_exports(const struct mounter *m,
	void (*fn)(const struct mounter_export *x, void *userdata), void *userdata);

struct mounter_stats_now {
	size_t children;
	size_t running;  /* operations */
	uint64_t killed; /* children, at their deadline */
	uint64_t lazy;   /* unmounts that needed MNT_DETACH */
	uint64_t published, unpublished, failed;
};
void mounter_stats_now(const struct mounter *m, struct mounter_stats_now *ret);

#endif
