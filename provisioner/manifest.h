/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.h: the bodies that we send to the API server: PV, BerthVolume, binding patches */
#ifndef BERTH_PROVISIONER_MANIFEST_H
#define BERTH_PROVISIONER_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>

#include "provisioner/facts.h"

/* All return a new reference, NULL without memory. */

struct manifest_volume {
	const struct facts *facts;
	const struct class_info *class; /* NULL: gone */
	const char *claim_rv;           /* claimRef.resourceVersion, or NULL */
	const char *identity;           /* csiProvisionerIdentity */
	uint8_t access_modes;           /* enum access_mode */
};
/*
 * The PV of contracts.md 4.3. volumeHandle is the PV's name: it is unique and stays when a server
 * is renamed; what a node needs stands in volumeAttributes. The finalizer only where the policy is
 * Delete, berth.dev/reclaim only for Recycle. Facts without a claim's uid reserve the PV: the next
 * claim of that name gets it.
 */
json_t *manifest_volume(const struct manifest_volume *m);

json_t *manifest_intent(const struct facts *f);
/* Merge patch of a BerthVolume's status; "" clears reason and message. generation 0: left out. */
json_t *manifest_intent_status(
	const char *phase, const char *reason, const char *message, int64_t generation);

/* Merge patch of a BerthVolume whose order was carried out (adoptions.h). */
json_t *manifest_intent_settled(void);

/* Merge patches of binding.md 1, order 2 to 4. */
json_t *manifest_volume_bound(const char *rv);
json_t *manifest_claim_bind(const char *uid, const char *pv, const char *provisioner);
json_t *manifest_claim_bound(const char *rv, uint8_t access_modes, int64_t capacity);

/* {"preconditions":{"uid":…}} for a DELETE. */
json_t *manifest_delete(const char *uid);

/*
 * JSON patches of a live object, guarded by its resourceVersion; NULL also where the object has no
 * such thing to change: see manifest_has_finalizer() first.
 */
bool manifest_has_finalizer(const json_t *object, const char *finalizer);
json_t *manifest_drop_finalizer(const json_t *object, const char *finalizer);
json_t *manifest_add_finalizer(const json_t *object, const char *finalizer);
/* Recycle: no claimRef, no bound-by-controller (binding.md 3). */
json_t *manifest_unbind(const json_t *pv);

#endif
