/* SPDX-License-Identifier: Apache-2.0 */
/* request.c: the words of a volume request, and what follows from one */
#include "volume/request.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

/* Shorter names than "pvc-" and a UID prove nothing about who made a directory. */
#define OWN_NAME_MIN 16

#define MODE_OWNED 0770
#define MODE_ANYONE 0777

static const char *const reclaim_texts[] = {
	[RECLAIM_DELETE] = "Delete",
	[RECLAIM_ARCHIVE] = "Archive",
	[RECLAIM_RETAIN] = "Retain",
	[RECLAIM_RECYCLE] = "Recycle",
};

const char *volume_reclaim_text(enum volume_reclaim r)
{
	return (size_t)r < ELEMENTSOF(reclaim_texts) ? reclaim_texts[r] : "?";
}

int volume_reclaim_parse(const char *s, enum volume_reclaim *ret)
{
	for (size_t i = 0; i < ELEMENTSOF(reclaim_texts); i++) {
		if (streq(s, reclaim_texts[i])) {
			*ret = (enum volume_reclaim)i;
			return 0;
		}
	}
	return -EINVAL;
}

mode_t volume_request_mode(const struct volume_request *q)
{
	if (q->flags & VOLUME_MODE_SET)
		return q->mode;
	return q->flags & (VOLUME_UID_SET | VOLUME_GID_SET) ? MODE_OWNED : MODE_ANYONE;
}

bool volume_request_owns_path(const struct volume_request *q)
{
	return strlen(q->pv) >= OWN_NAME_MIN && strstr(q->directory, q->pv) != NULL &&
	       !strchr(q->directory, '/');
}
