/* SPDX-License-Identifier: Apache-2.0 */
/* nfs_try.h: one attempt to mount an export with one version */
#ifndef BERTH_MOUNT_NFS_TRY_H
#define BERTH_MOUNT_NFS_TRY_H

#include <stdbool.h>

#include "mount/nfs_mount.h"
#include "mount/target.h"

/* mount(2) takes one page. */
#define NFS_DATA_MAX 4096

struct nfs_try {
	const struct nfs_mount *m;
	const char *source;
	int version;         /* not NFS_ANY */
	bool add_nolock;     /* v3 without a say in the matter, and without rpc.statd */
	bool ipv6;           /* the address's family */
	char clientaddr[64]; /* ours towards the server; "" where it is not known */
};

/*
 * Attached to the target, or nothing is. *ret_final: the error has nothing to do with the version.
 * e has the kernel's own lines where it gives some.
 */
int nfs_try_attach(
	const struct nfs_try *t, const struct target *target, bool *ret_final, struct err *e);

/* All options as text: vers, proto, addr, clientaddr, nolock, and m->options with proto and
 * mountproto in the address's family. -ENAMETOOLONG. */
int nfs_try_data(const struct nfs_try *t, char dst[static NFS_DATA_MAX]);

/* "4.2" */
const char *nfs_version_text(int version);

#endif
