/* SPDX-License-Identifier: Apache-2.0 */
/* nfs_mount.h: an NFS export mounted by system calls alone, as contracts.md 6.5 says */
#ifndef BERTH_MOUNT_NFS_MOUNT_H
#define BERTH_MOUNT_NFS_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "mount/flags.h"
#include "mount/place.h"

enum nfs_version {
	NFS_ANY = 0, /* 4.2, 4.1, 4.0, 3 in turn */
	NFS_4 = 4,   /* 4.2, 4.1, 4.0 in turn */
	NFS_3 = 30,
	NFS_4_0 = 40,
	NFS_4_1 = 41,
	NFS_4_2 = 42,
};

struct nfs_mount {
	const char *server;  /* as the volume names it: name, IPv4, IPv6 without brackets */
	const char *address; /* numeric: IPv4 or IPv6 (with %scope where it needs one) */
	const char *path;    /* of the export, absolute */
	struct place target; /* made with mode 0700; its parent is there already */
	uint32_t flags;      /* MOUNTF_EXPORT */
	int version;         /* enum nfs_version; one of the exact ones never falls back */
	const char
		*options;  /* mount_options.nfs of options.h: no addr, vers or generic word in it */
	unsigned probe_ms; /* connect and RPC NULL first, within this time; 0: not (3000 is a fair
			      time) */
};

enum nfs_lock { NFS_LOCK_SERVER, NFS_LOCK_LOCAL };

struct nfs_mounted {
	int version;        /* what was mounted */
	bool already;       /* it was mounted before */
	enum nfs_lock lock; /* LOCAL: v3 without rpc.statd on this node, or nolock asked for */
	char source[512];   /* as mountinfo shows it, cut */
	char note[256]; /* for people: why not the first version, why locks are local; "" mostly */
};

/*
 * Afterwards the export is mounted at the target, once. Walks the versions only on errors that say
 * "not this version": EPROTONOSUPPORT and EINVAL go one down; EACCES goes down as far as 4.0 and
 * never to 3 (a passing refusal must not end in other locking); ENOENT, EPERM and ECONNREFUSED go
 * to 3 at once; everything else ends it. The error text has every version's own reason and the
 * kernel's lines.
 *
 * -ENODEV: no NFS client in this kernel. -EEXIST: something else is mounted there. -ENOLCK: v3 with
 * "lock" asked for and no rpc.statd. -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH: the probe's or
 * kernel's. On failure nothing is mounted and the directory is gone again.
 */
int nfs_mount_make(const struct nfs_mount *m, struct nfs_mounted *ret, struct err *e);

/*
 * 0 where this kernel has an NFS client; asking makes it load its module where it can. -ENODEV: it
 * has none. Needs CAP_SYS_ADMIN.
 */
int nfs_mount_available(struct err *e);

#endif
