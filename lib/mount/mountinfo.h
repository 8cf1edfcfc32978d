/* SPDX-License-Identifier: Apache-2.0 */
/* mountinfo.h: the lines of a mountinfo file, one at a time, with libc alone */
#ifndef BERTH_MOUNT_MOUNTINFO_H
#define BERTH_MOUNT_MOUNTINFO_H

#include <stdint.h>

#include "base/err.h"

/* For the mount child, which has no libmount; the front uses table.h. */
struct mountinfo {
	uint64_t id;
	uint64_t parent;
	uint32_t major;
	uint32_t minor;
	uint32_t peer;   /* shared:N, 0: none */
	uint32_t master; /* master:N, 0: none */
	char *root;      /* these with their octal escapes resolved */
	char *target;
	char *options;
	char *fstype;
	char *source;
	char *fs_options;
};

/* Cuts line (without its newline) up in place; *ret points into it. -EBADMSG where it is none. */
int mountinfo_parse(char *line, struct mountinfo *ret);

/* MOUNTF_* of a line: the mount's own and its file system's. */
uint32_t mountinfo_flags(const struct mountinfo *m);

/* Calls fn for each line until it returns something else than 0, which is returned then; lines that
 * are none are skipped. A line may have 128 KiB. */
typedef int (*mountinfo_fn)(const struct mountinfo *m, void *userdata);
int mountinfo_each(const char *path, mountinfo_fn fn, void *userdata, struct err *e);

#endif
