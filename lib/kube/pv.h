/* SPDX-License-Identifier: Apache-2.0 */
/* pv.h: PersistentVolume as the cache keeps it; of all drivers, for binding's gates (binding.md 1)
 */
#ifndef BERTH_KUBE_PV_H
#define BERTH_KUBE_PV_H

#include "kube/pvc.h"

enum pv_phase { PV_PENDING, PV_AVAILABLE, PV_BOUND, PV_RELEASED, PV_FAILED };
enum pv_policy { PV_RETAIN, PV_DELETE, PV_RECYCLE };

enum pv_flag {
	PV_HAS_CLAIM = 1U << 0, /* spec.claimRef is set */
	PV_CLAIM_UID = 1U << 1, /* with a uid */
	PV_BLOCK = 1U << 2,
	PV_FINALIZER = 1U << 3, /* external-provisioner.volume.kubernetes.io/finalizer */
	PV_AFFINITY = 1U << 4,  /* spec.nodeAffinity */
	PV_BOUND_BY_CONTROLLER = 1U << 5,
	PV_MIGRATED = 1U << 6,
	PV_NFS = 1U << 7, /* spec.nfs, an in-tree source */
};

struct pv {
	struct object o;
	const char *class;           /* interned */
	const char *driver;          /* spec.csi.driver, "" for other sources; interned */
	const char *provisioned_by;  /* annotation; interned */
	const char *claim_namespace; /* interned */
	const char *claim_name;
	struct uuid claim_uid;
	struct object_token token; /* annotation berth.dev/token */
	const char *reclaim;       /* annotation berth.dev/reclaim; interned */
	int64_t capacity;          /* bytes; 0 where it is no quantity */
	uint8_t access_modes;
	uint8_t phase;  /* enum pv_phase */
	uint8_t policy; /* enum pv_policy */
	uint8_t flags;  /* enum pv_flag */
};

static inline const struct pv *pv_of(const struct object *o)
{
	return (const struct pv *)o;
}

#endif
