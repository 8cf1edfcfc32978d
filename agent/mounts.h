/* SPDX-License-Identifier: Apache-2.0 */
/* mounts.h: the mounts of the host that are ours, and the state of each */
#ifndef BERTH_AGENT_MOUNTS_H
#define BERTH_AGENT_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "agent/health.h"

/* lib/mount/table.h */
struct mount_table;

enum mounts_kind {
	MOUNTS_EXPORT, /* <run dir>/exports/<id>: one NFS mount for all pods */
	MOUNTS_VOLUME, /* <kubelet root>/pods/<uid>/volumes/kubernetes.io~csi/<volume>/mount */
	MOUNTS_SUBPATH /* <kubelet root>/pods/<uid>/volume-subpaths/<volume>/<container>/<n> */
};

/*
 * Hung      its server does not answer (health.h): whoever touches a path there waits.
 * Stale     the directory is gone from the server: a call gave ESTALE, or mountinfo says //deleted.
 * Orphaned  nothing stands behind it: no publication that we know of (we were never asked, or told
 * to unmount and could not), a subPath whose volume is no longer mounted in that pod, or an NFS
 * volume whose export mount is gone from the exports directory. The first that applies, in this
 * order; Orphaned only after it was so for a while, for a publication and its mount come and go one
 * after the other.
 */
#define MOUNTS_ORPHAN_AFTER SECONDS(10)
enum mounts_state { MOUNTS_OK, MOUNTS_HUNG, MOUNTS_STALE, MOUNTS_ORPHANED, _MOUNTS_STATE_MAX };
/* "Ok", "Hung", "Stale", "Orphaned". */
const char *mounts_state_name(enum mounts_state s);

/* Texts are never NULL, "" for none; borrowed until the next mounts_update(). */
struct mounts_entry {
	enum mounts_kind kind;
	enum mounts_state state;
	const char *volume; /* PV name (an inline volume's is not told apart); "" for an export */
	const char *pod_uid;
	const char *target;
	const char *source;  /* "server:/export", a device */
	const char *options; /* of the mount and of the filesystem, as mountinfo has them */
	const char *root;    /* what of the filesystem is mounted there */
	const char *server;  /* numeric address from addr=, "" for no NFS */
	uint16_t port;       /* of NFS */
	unsigned id;         /* of the mount, for as long as it stands */
	unsigned peer_group; /* shared:N, 0 for none */
	unsigned major, minor;
	bool read_only;
	bool deleted;    /* the directory was removed through this very mount */
	const char *why; /* of a state that is not Ok: a literal for people; else "" */
};

/* What is known of a publication (agent/volumes); texts "" for unknown, borrowed for the call. */
struct mounts_publication {
	const char *volume, *driver, *pod_namespace, *pod_name, *pod_uid;
};
struct mounts_ops {
	/* false where nobody asked us to publish there. */
	bool (*publication)(const char *target, struct mounts_publication *ret, void *userdata);
	/* e is new (old == _MOUNTS_STATE_MAX) or its state changed. The table must not be changed
	 * from here. May be NULL. */
	void (*changed)(const struct mounts_entry *e, enum mounts_state old, void *userdata);
	/* Unmounted; old is its last state. May be NULL. */
	void (*gone)(const struct mounts_entry *e, void *userdata);
};

struct mounts_setup {
	const char *kubelet_root; /* "/var/lib/kubelet" */
	const char *exports;      /* "/run/berth/exports" */
	struct health *health;    /* told which servers to watch, asked for states; may be NULL */
	uint64_t orphan_after_ns; /* 0 = MOUNTS_ORPHAN_AFTER */
	const struct mounts_ops *ops;
	void *userdata;
};

/*
 * Ours is what is mounted at one of the three places, where it was published by us or shares its
 * superblock with an export mount (also with one seen earlier); other drivers' volumes are not.
 */
struct mounts;
int mounts_new(struct mounts **ret, const struct mounts_setup *s);
struct mounts *mounts_free(struct mounts *m);
DEFINE_CLEANUP(struct mounts *, mounts_free)

/* The host's table as it is now: level-triggered, O(its rows). -ENOMEM keeps what was known. */
int mounts_update(struct mounts *m, const struct mount_table *t);
/* Health or the publications changed: the states anew, O(our mounts). */
void mounts_judge(struct mounts *m);

/* Volumes and subPaths before exports, in no other order; NULL at the end; cursor starts at 0. */
const struct mounts_entry *mounts_next(const struct mounts *m, size_t *cursor);
/* The uppermost mount at that path, NULL for none. */
const struct mounts_entry *mounts_find(const struct mounts *m, const char *target);

struct mounts_count {
	unsigned state[_MOUNTS_STATE_MAX]; /* volumes and subPaths */
	unsigned all, exports;
	unsigned suspects; /* would be orphaned if it stays so: judge them again in a while */
};
struct mounts_count mounts_count(const struct mounts *m);

/* CSI's VolumeCondition of what is mounted at target, from what is known: never blocks. */
struct mounts_condition {
	bool abnormal;
	char message[256]; /* "volume is healthy" or what is wrong, a sentence for people */
};
void mounts_condition(const struct mounts *m, const char *target, struct mounts_condition *ret);

#endif
