/* SPDX-License-Identifier: Apache-2.0 */
/* flags.c: the generic mount flags in the kernel's two languages */
#include "mount/flags.h"

#include <stddef.h>
#include <sys/mount.h>

#include "base/cleanup.h"

static const struct {
	uint32_t flag;
	uint64_t attr; /* 0: of the file system, not of the mount */
	unsigned long ms;
} translations[] = {
	{MOUNTF_RDONLY, MOUNT_ATTR_RDONLY, MS_RDONLY},
	{MOUNTF_NOSUID, MOUNT_ATTR_NOSUID, MS_NOSUID},
	{MOUNTF_NODEV, MOUNT_ATTR_NODEV, MS_NODEV},
	{MOUNTF_NOEXEC, MOUNT_ATTR_NOEXEC, MS_NOEXEC},
	{MOUNTF_NOATIME, MOUNT_ATTR_NOATIME, MS_NOATIME},
	{MOUNTF_NODIRATIME, MOUNT_ATTR_NODIRATIME, MS_NODIRATIME},
	{MOUNTF_STRICTATIME, MOUNT_ATTR_STRICTATIME, MS_STRICTATIME},
	{MOUNTF_SYNC, 0, MS_SYNCHRONOUS},
	{MOUNTF_DIRSYNC, 0, MS_DIRSYNC},
};

uint64_t mountf_attr(uint32_t flags)
{
	uint64_t attr = 0;

	/* noatime and strictatime are values of one field: the stricter one of two would be
	 * neither. */
	if (flags & MOUNTF_NOATIME)
		flags &= ~(uint32_t)MOUNTF_STRICTATIME;
	for (size_t i = 0; i < ELEMENTSOF(translations); i++)
		if (flags & translations[i].flag)
			attr |= translations[i].attr;
	return attr;
}

unsigned long mountf_ms(uint32_t flags)
{
	unsigned long ms = 0;

	for (size_t i = 0; i < ELEMENTSOF(translations); i++)
		if (flags & translations[i].flag)
			ms |= translations[i].ms;
	return ms;
}
