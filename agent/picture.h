/* SPDX-License-Identifier: Apache-2.0 */
/* picture.h: what mounts and health know, in the order and shape of a BerthNode's status */
#ifndef BERTH_AGENT_PICTURE_H
#define BERTH_AGENT_PICTURE_H

#include "agent/health.h"
#include "agent/mounts.h"
#include "kube/bnode.h"

/* Arrays that grow and are used again; texts are those of the mounts. */
struct picture {
	const struct mounts_entry **sorted;
	struct bnode_mount *mounts;
	struct bnode_export *exports;
	const char **volumes;
	char *servers; /* texts of exports */
	size_t room;
};
void picture_done(struct picture *p);

/*
 * Fills mounts (unhealthy first, then by target), volumes (of what is mounted, whatever its state),
 * exports (each server and path once, its worst state) and counts of ret; the same mounts always
 * give the same. Valid until the next mounts_update() or picture_take(). h may be NULL. -ENOMEM:
 * ret is as it was.
 */
int picture_take(struct picture *p, const struct mounts *m, const struct health *h,
	struct bnode_status *ret);

#endif
