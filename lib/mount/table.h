/* SPDX-License-Identifier: Apache-2.0 */
/* table.h: a mount table, read whole and parsed by libmount */
#ifndef BERTH_MOUNT_TABLE_H
#define BERTH_MOUNT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* fs.mount-max is 100,000 mounts a namespace, a line some 100 to 400 bytes. */
#define MOUNT_TABLE_BYTES_MAX (64U << 20)

/* One mount; strings belong to the table, are never NULL and have their escapes resolved. */
struct mount_row {
	uint32_t id; /* reused by the kernel after an unmount */
	uint32_t parent;
	uint32_t major;
	uint32_t minor;
	uint32_t peer;      /* shared:N, 0: not shared */
	uint32_t master;    /* master:N, 0: no slave */
	bool deleted;       /* the mounted directory is gone ("//deleted", not in root) */
	bool read_only;     /* by the mount or by its file system */
	const char *root;   /* path inside the file system */
	const char *target; /* mount point */
	const char *options;
	const char *fstype;
	const char *source;
	const char *fs_options; /* "super options": mounted_option() finds one */
};

struct mount_table;

/*
 * Reads path (/proc/self/mountinfo, /host/proc/1/mountinfo, or a file) through a descriptor of its
 * own and parses it. A short table that changed while it was read is read again, at most three
 * times: the last reading is taken (mount_table_torn() is true, and a monitor fires anyway). Lines
 * that are none are skipped and counted. -EFBIG above MOUNT_TABLE_BYTES_MAX, -EBADMSG where the
 * first line is no mountinfo, -ENOMEM, open(2)'s. Costs about 3 us and 0.6 KiB a mount: free it
 * soon.
 */
int mount_table_read(struct mount_table **ret, const char *path, struct err *e);
/* The same of text that is there already. */
int mount_table_parse(struct mount_table **ret, const char *text, size_t size, struct err *e);
struct mount_table *mount_table_free(struct mount_table *t);
DEFINE_CLEANUP(struct mount_table *, mount_table_free)

size_t mount_table_count(const struct mount_table *t);
unsigned mount_table_skipped(const struct mount_table *t);
bool mount_table_torn(const struct mount_table *t);
/* Rows in the file's order, i < count. */
const struct mount_row *mount_table_row(const struct mount_table *t, size_t i);
/* The mount on top at that mount point, NULL for none. Nobody sees the others. */
const struct mount_row *mount_table_top(const struct mount_table *t, const char *target);
/* The mount that holds an absolute path: the top of the longest mount point above it. NULL only
 * where
 * "/" itself is missing. */
const struct mount_row *mount_table_holder(const struct mount_table *t, const char *path);

bool mount_row_is_nfs(const struct mount_row *row);

#endif
