/* SPDX-License-Identifier: Apache-2.0 */
/* exports.h: the exports that we know of, and what is in the trash of each: removed in slices, one
 * slice at a time on a server */
#ifndef BERTH_PROVISIONER_EXPORTS_H
#define BERTH_PROVISIONER_EXPORTS_H

#include <stddef.h>

#include "provisioner/facts.h"

struct jobs;
struct provisioner;
int exports_new(struct jobs **ret, struct provisioner *p);

/* Something was renamed to trash/<name> just now. */
void exports_trashed(struct provisioner *p, const struct facts *f, const char *name);
/* The same, seen in a listing; at: clock_real() of its rename; ttl: how long it is kept. */
void exports_found_trash(struct provisioner *p, const struct volume_place *place, const char *name,
	uint64_t at, uint64_t ttl);
/* A tree that still waits for its time is not to be purged: it is about to be restored. -EBUSY: the
 * purge has begun, or is about to. */
int exports_spare(struct provisioner *p, const struct volume_place *place, const char *name);
/* Trees waiting for their time or their turn, and the one that is being removed. */
size_t exports_waiting(const struct provisioner *p);

#endif
