/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.h: what the caches of claims and volumes say together, kept up to date change by change so
 * that each question costs a look-up: who serves a claim, and binding's two gates (binding.md 1) */
#ifndef BERTH_PROVISIONER_LEDGER_H
#define BERTH_PROVISIONER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "kube/pv.h"
#include "kube/pvc.h"

/* Unclaimed volumes of a class that are looked at one by one; with more, gate 1 simply stays shut:
 * the controller's annotation opens the way. */
#define LEDGER_UNCLAIMED_MAX 256

/*
 * Holds pointers into the caches: each change must be told before the old object is freed.
 *   unsettled: the controller has yet to change the PV: its claim is gone or being deleted but the
 * phase is not Released, or it has no claim's uid and the phase is Pending.
 */
struct ledger {
	struct map claims;    /* struct pvc by uid */
	struct map served;    /* struct pv by claimRef.uid */
	struct map unsettled; /* struct pv by uid */
	struct map unclaimed; /* struct pv without claimRef, by uid */
	struct map names;     /* how many PVs name a namespace/name; only with gates */
	struct map ending;    /* claims that are being deleted, by uid */
	uint64_t hangs_after; /* ns that such a claim shuts gate 2 */
	size_t duplicates;    /* PVs that share a claim's uid with one in served */
	uint64_t progress;    /* clock_now() when a volume was settled last */
	bool gates;           /* a class with binding: assist was seen */
};

void ledger_init(struct ledger *g);
void ledger_done(struct ledger *g);

/* old or now may be NULL. 0, or -ENOMEM: the gates then stay shut until all is counted anew. Where
 * duplicates is above 0 (before a volume's change, after a claim's) the caller has all counted
 * anew. */
int ledger_claim(struct ledger *g, const struct pvc *old, const struct pvc *now);
int ledger_volume(struct ledger *g, const struct pv *old, const struct pv *now);
/* After -ENOMEM or for the first class with assist: counts anew; next() walks all PVs. */
int ledger_count_names(struct ledger *g, const struct pv *(*next)(void *userdata), void *userdata);

const struct pvc *ledger_find_claim(const struct ledger *g, const struct uuid *uid);
const struct pv *ledger_server_of(const struct ledger *g, const struct uuid *claim_uid);

/* Gate 1: no foreign PV is or may become this claim's. own: a PV of ours that may name it, or NULL.
 */
bool ledger_gate_foreign(const struct ledger *g, const struct pvc *c, const struct pv *own);
/* Gate 2: the controller has caught up with all PVs. A claim that hangs in its deletion, kept by a
 * pod or a finalizer, shuts it for 30 s and then no more: when it goes its PV is unsettled anew. */
bool ledger_gate_busy(const struct ledger *g);

#endif
