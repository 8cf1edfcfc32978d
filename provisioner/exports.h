/* SPDX-License-Identifier: Apache-2.0 */
/* exports.h: the exports that we know of, and what is in the trash of each: removed in slices, one
 * slice at a time on a server */
#ifndef BERTH_PROVISIONER_EXPORTS_H
#define BERTH_PROVISIONER_EXPORTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "provisioner/facts.h"

struct provisioner;
struct exports;
int exports_new(struct exports **ret, struct provisioner *p);
struct exports *exports_free(struct exports *s);
DEFINE_CLEANUP(struct exports *, exports_free)

/* Something was renamed to trash/<name> just now. */
void exports_trashed(struct exports *s, const struct facts *f, const char *name);
/* The same, seen in a listing; at: clock_real() of its rename; ttl: how long it is kept. */
void exports_found_trash(struct exports *s, const struct volume_place *place, const char *name,
	uint64_t at, uint64_t ttl);
/* A tree that still waits for its time is not to be purged: it is about to be restored. -EBUSY: the
 * purge has begun, or is about to. */
int exports_spare(struct exports *s, const struct volume_place *place, const char *name);
/* Nothing new is begun; purges go on at the next start. */
void exports_pause(struct exports *s, bool paused);
/* Trees waiting for their time or their turn, and slices that run. */
size_t exports_waiting(const struct exports *s);
size_t exports_running(const struct exports *s);

#endif
