/* SPDX-License-Identifier: Apache-2.0 */
/* releases.h: the ends of volumes: reclaim of Released PVs, undo of what no PV ever showed, losers
 */
#ifndef BERTH_PROVISIONER_RELEASES_H
#define BERTH_PROVISIONER_RELEASES_H

#include <stdbool.h>
#include <stddef.h>

#include "kube/class.h"
#include "kube/pv.h"
#include "provisioner/facts.h"

struct jobs;
struct provisioner;
int releases_new(struct jobs **ret, struct provisioner *p);

/* A PV is new or changed: reclaim, finalizer upkeep, or nothing. */
void releases_consider(struct provisioner *p, const struct pv *v);
/* A BerthVolume without PV and without claim: undo what was begun; an order is carried out. */
void releases_consider_intent(struct provisioner *p, const struct bvol *b);
/* The same for a claim that went while we served it; facts are moved. maybe_made: something may lie
 * on the export, which has to be looked at. */
void releases_undo(struct provisioner *p, struct facts *facts, bool maybe_made);
/* A record on an export without PV, claim and BerthVolume: discarded where it was never used, and
 * with erase ended by its reclaim mode. facts are moved; live reads come first. */
void releases_orphan(struct provisioner *p, struct facts *facts, bool erase);
/* A PV of ours whose claim is bound to another (binding.md 1, loser rule). */
void releases_lost(struct provisioner *p, const char *pv);
/* The claim of that uid is no longer being served: what waited for it goes on. */
void releases_poke(struct provisioner *p, const struct uuid *claim_uid);
/* Whether a volume of that claim is being reclaimed. */
bool releases_busy_with(const struct provisioner *p, const struct uuid *claim_uid);

struct releases_count {
	size_t running, waiting;
	size_t held; /* of those waiting: for a node to unmount */
};
struct releases_count releases_count(const struct provisioner *p);

#endif
