/* SPDX-License-Identifier: Apache-2.0 */
/* pvc.h: PersistentVolumeClaim as the cache keeps it */
#ifndef BERTH_KUBE_PVC_H
#define BERTH_KUBE_PVC_H

#include "kube/object.h"

enum access_mode {
	ACCESS_RWO = 1U << 0,
	ACCESS_ROX = 1U << 1,
	ACCESS_RWX = 1U << 2,
	ACCESS_RWOP = 1U << 3
};
enum claim_phase { CLAIM_PENDING, CLAIM_BOUND, CLAIM_LOST };

enum pvc_flag {
	PVC_BLOCK = 1U << 0,       /* volumeMode Block */
	PVC_SELECTOR = 1U << 1,    /* spec.selector */
	PVC_DATA_SOURCE = 1U << 2, /* dataSource or dataSourceRef of a kind we must refuse
				      (VolumeSnapshot, PVC) */
	PVC_FOREIGN_SOURCE =
		1U
		<< 3, /* of any other kind: a populator's, ignore the claim (contracts.md 4.11) */
	PVC_ATTRIBUTES_CLASS = 1U << 4, /* volumeAttributesClassName */
	PVC_BIND_COMPLETED = 1U << 5,
	PVC_MIGRATED = 1U << 6,
	PVC_BAD_CAPACITY =
		1U << 7, /* requests.storage missing or no quantity of bytes: see request_text */
};

/* Texts are "" where the object has none. */
struct pvc {
	struct object o;
	const char *class;         /* beta annotation, else spec.storageClassName; interned */
	const char *provisioner;   /* storage-provisioner annotation, else the beta one; interned */
	const char *selected_node; /* interned */
	const char *volume_name;
	const char *request_text; /* as written, only with PVC_BAD_CAPACITY */
	int64_t request;          /* bytes */
	uint8_t access_modes;     /* enum access_mode */
	uint8_t phase;            /* enum claim_phase */
	uint16_t flags;           /* enum pvc_flag */
};

/* labels and annotations for a pathPattern are not cached: they are read from the live claim. */
static inline const struct pvc *pvc_of(const struct object *o)
{
	return (const struct pvc *)o;
}

/* "ReadWriteOnce" and so on; NULL for no single mode. */
const char *access_mode_text(enum access_mode m);

#endif
