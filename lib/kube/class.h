/* SPDX-License-Identifier: Apache-2.0 */
/* class.h: StorageClass as the cache keeps it; Node, CSINode, Lease and BerthVolume beside it */
#ifndef BERTH_KUBE_CLASS_H
#define BERTH_KUBE_CLASS_H

#include "kube/object.h"

/* parameters, mountOptions and allowedTopologies are few: kept as JSON (owned by the object). */
struct class
{
	struct object o;
	const char *provisioner;
	const json_t *parameters;    /* object of strings, or NULL */
	const json_t *mount_options; /* array, or NULL */
	bool retain;                 /* reclaimPolicy Retain */
	bool wait_for_consumer;
	bool allow_expansion;
};

struct node {
	struct object o;
	const char *topology; /* labels below topology.berth.dev/, "key=value\n" each */
	bool out_of_service;  /* taint node.kubernetes.io/out-of-service */
};
/* The value of label topology.berth.dev/<key> into dst; false where it has none (or dst is small).
 */
bool node_topology(const struct node *n, const char *key, char *dst, size_t size);

struct csinode {
	struct object o;
	const char *drivers; /* registered there, "name\n" each */
};
bool csinode_has(const struct csinode *n, const char *driver);

/* Renewals change only o.rv: when it changed last is for who watches to remember, on his clock. */
struct leaseobj {
	struct object o;
	const char *holder; /* "" for none; interned */
	int64_t duration;   /* seconds, 0 if not told */
};

enum bvol_phase {
	BVOL_NONE,
	BVOL_PENDING,
	BVOL_READY,
	BVOL_RECLAIMING,
	BVOL_RECLAIMED,
	BVOL_FAILED
};
struct bvol {
	struct object o;
	struct object_token token;
	bool reclaim_wanted; /* spec.desired == Reclaimed */
	bool finalizer;      /* berth.dev/reclaim */
	bool ordered;        /* annotation berth.dev/adopt: to be restored or adopted */
	uint8_t phase;       /* enum bvol_phase */
	int64_t generation, observed_generation;
};

static inline const struct class *class_of(const struct object *o)
{
	return (const struct class *)o;
}
static inline const struct bvol *bvol_of(const struct object *o)
{
	return (const struct bvol *)o;
}
static inline const struct node *node_of(const struct object *o)
{
	return (const struct node *)o;
}

static inline const struct csinode *csinode_of(const struct object *o)
{
	return (const struct csinode *)o;
}
static inline const struct leaseobj *leaseobj_of(const struct object *o)
{
	return (const struct leaseobj *)o;
}

#endif
