/* SPDX-License-Identifier: Apache-2.0 */
/* flags.h: the generic mount flags that options give and binds and NFS mounts take */
#ifndef BERTH_MOUNT_FLAGS_H
#define BERTH_MOUNT_FLAGS_H

#include <stdint.h>

/* Stable numbers of our own: they travel in frames between the front and a mount child. */
enum {
	MOUNTF_RDONLY = 1U << 0,
	MOUNTF_NOSUID = 1U << 1,
	MOUNTF_NODEV = 1U << 2,
	MOUNTF_NOEXEC = 1U << 3,
	MOUNTF_NOATIME = 1U << 4,
	MOUNTF_NODIRATIME = 1U << 5,
	MOUNTF_STRICTATIME = 1U << 6,
	MOUNTF_SYNC = 1U << 7,    /* of the file system: an export mount has it, a bind cannot */
	MOUNTF_DIRSYNC = 1U << 8, /* likewise */
	MOUNTF_ALL = (1U << 9) - 1,
};

/* What a single bind can have. */
#define MOUNTF_BIND (MOUNTF_ALL & ~(MOUNTF_SYNC | MOUNTF_DIRSYNC))
/*
 * What an export mount gets of a volume's flags. Read-only makes the kernel keep a second
 * superblock with a second page cache (contracts.md 6.5, 6), so it is for volumes that nobody may
 * write; where one pod may not, its bind alone has it.
 */
#define MOUNTF_EXPORT MOUNTF_ALL
/* Tenants' volumes have these unless their class says otherwise. */
#define MOUNTF_TENANT (MOUNTF_NOSUID | MOUNTF_NODEV)

/* As MOUNT_ATTR_* of mount_setattr(2) and fsmount(2), and as MS_* of mount(2). */
uint64_t mountf_attr(uint32_t flags);
unsigned long mountf_ms(uint32_t flags);

#endif
