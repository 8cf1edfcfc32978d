/* SPDX-License-Identifier: Apache-2.0 */
/* options.h: PV.spec.mountOptions, allowed word by word, as flags and NFS data */
#ifndef BERTH_MOUNT_OPTIONS_H
#define BERTH_MOUNT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mount/flags.h"

/* mount(2) takes one page; addr, clientaddr, vers and proto are added to it. */
#define MOUNT_OPTIONS_NFS_MAX 3072
/* Of what a PV says, all strings together. */
#define MOUNT_OPTIONS_TEXT_MAX 4096

enum mount_options_kind { MOUNT_OPTIONS_NFS, MOUNT_OPTIONS_BIND };

struct mount_options_input {
	enum mount_options_kind kind;
	const char *const *list; /* each string one option or a comma list, with double quotes
				    around values that have commas */
	size_t n;
	uint32_t relax; /* of MOUNTF_TENANT: what "suid" and "dev" may switch off (class parameter)
			 */
};

struct mount_options {
	uint32_t flags;  /* MOUNTF_*, with MOUNTF_TENANT but for what was relaxed and asked for */
	int nfs_version; /* enum nfs_version, NFS_ANY where none was named */
	char nfs[MOUNT_OPTIONS_NFS_MAX]; /* canonical: sorted by name, one of each, the last said
					    wins;
					    "" mostly. For nfs_mount.options */
};

/*
 * Words of user space (defaults, auto, _netdev, bg, retry=, x-…, comment=, …) are dropped. -EINVAL,
 * with the word and the reason, for: what names an address or source (addr, clientaddr, mountaddr,
 * source), control characters, unknown words, values out of their bounds, suid or dev that were not
 * relaxed, words that contradict vers=, more text than MOUNT_OPTIONS_TEXT_MAX.
 */
int mount_options_parse(
	struct mount_options *ret, const struct mount_options_input *in, struct err *e);

/*
 * What makes two volumes of one export share its mount: flags but for read-only (flags.h), version
 * and data as one text. Goes into the export's id.
 */
#define MOUNT_OPTIONS_KEY_MAX (MOUNT_OPTIONS_NFS_MAX + 128)
const char *mount_options_key(
	const struct mount_options *o, char dst[static MOUNT_OPTIONS_KEY_MAX]);

#endif
