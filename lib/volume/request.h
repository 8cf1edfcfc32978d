/* SPDX-License-Identifier: Apache-2.0 */
/* request.h: a volume as the backends see it: where it lies, whose it is, how it is to be made and
 * ended */
#ifndef BERTH_VOLUME_REQUEST_H
#define BERTH_VOLUME_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/id.h"
#include "base/pathat.h"

#define VOLUME_NAME_MAX 254 /* an object's name, DNS subdomain */
#define VOLUME_SERVERS_MAX 4
#define VOLUME_EXPORT_MAX 1024

enum volume_reclaim { RECLAIM_DELETE, RECLAIM_ARCHIVE, RECLAIM_RETAIN, RECLAIM_RECYCLE };
const char *volume_reclaim_text(enum volume_reclaim r);
int volume_reclaim_parse(const char *s, enum volume_reclaim *ret);

/* Texts are borrowed by the struct; backends copy what they keep. */
struct volume_place {
	const char *server;  /* one name or address; a class's list was tried before */
	const char *export_; /* absolute path */
	uint16_t nfs_port;   /* 0: portmap, else 2049 for NFSv4 */
	uint16_t mount_port; /* 0: portmap */
	int version;         /* 0: 3, else 4; 3 or 4 only that */
	bool act_as_set;     /* actAs: identity for the control directory */
	uid_t act_uid;
	gid_t act_gid;
	const char
		*identity; /* export id that the volume's PV names; NULL: unknown yet, learn it */
};

struct volume_claim {
	const char *namespace_, *name, *uid;
};

enum volume_flag {
	VOLUME_ADOPT = 1U << 0,  /* an existing directory may be taken */
	VOLUME_SHARED = 1U << 1, /* …also one that another live volume's record names */
	VOLUME_UID_SET = 1U << 2,
	VOLUME_GID_SET = 1U << 3,
	VOLUME_MODE_SET = 1U << 4,
	VOLUME_SUID = 1U << 5, /* mounted without nosuid */
	VOLUME_DEV = 1U << 6,  /* mounted without nodev */
	/* create: nothing is made. The record must be there, and its directory, or the tree in the
	 * trash that the record names, which comes back (restore, adopt). */
	VOLUME_RESTORE = 1U << 7,
};

/* What claims ask for, as bits. */
enum volume_access {
	VOLUME_RWO = 1U << 0,
	VOLUME_ROX = 1U << 1,
	VOLUME_RWX = 1U << 2,
	VOLUME_RWOP = 1U << 3,
	VOLUME_ACCESS_ALL = 15,
};

struct volume_request {
	const char *driver;
	const char *pv;    /* "pvc-<claim uid>" */
	const char *token; /* 32 hex digits */
	struct volume_claim claim;
	const char *class;
	const char *directory; /* relative, checked with path_relative_check() */
	int64_t capacity;
	unsigned access_modes; /* enum volume_access; 0: not known */
	uid_t uid;
	gid_t gid;
	mode_t mode;
	unsigned flags; /* enum volume_flag */
	enum volume_reclaim reclaim;
	uint64_t trash_ttl_ns; /* how long the trash keeps it; whole seconds in the record */
};

/* The mode a directory is made with: the class's; without one 0770 where it names an owner or
 * group, else 0777 (binding.md 5). */
mode_t volume_request_mode(const struct volume_request *q);

/*
 * Whether the directory lies at the top and carries the volume's own name, so that no other
 * volume's directory can be the same, above it or beneath it unless that one was checked. Where it
 * does not (a pathPattern), the other records must be asked.
 */
bool volume_request_owns_path(const struct volume_request *q);

#endif
