/* SPDX-License-Identifier: Apache-2.0 */
/* verdict.h: what is to be done with a PV, decided from the PV alone (contracts.md 4.5, binding.md
 * 3) */
#ifndef BERTH_PROVISIONER_VERDICT_H
#define BERTH_PROVISIONER_VERDICT_H

#include "kube/pv.h"
#include "provisioner/config.h"

enum volume_verdict {
	VOLUME_LEAVE,
	VOLUME_RECLAIM, /* by its reclaim mode, after live reads of PV and claim */
	VOLUME_ADD_FINALIZER,
	VOLUME_DROP_FINALIZER, /* policy is Retain (or Recycle) now: nothing holds the PV */
};

/* Ours: our CSI driver, provisioned-by one of our names, a token. Pure. */
bool volume_is_ours(const struct config *c, const struct pv *v);
enum volume_verdict volume_check(const struct config *c, const struct pv *v);
/* Whether the claim it was made for is bound to another volume: the loser rule of binding.md 1. */
bool volume_has_lost(const struct config *c, const struct pv *v, const struct pvc *claim);

#endif
