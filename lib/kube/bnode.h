/* SPDX-License-Identifier: Apache-2.0 */
/* bnode.h: BerthNode (deploy/crds.yaml): as the provisioner caches it, and its status as an agent
 * writes it */
#ifndef BERTH_KUBE_BNODE_H
#define BERTH_KUBE_BNODE_H

#include "kube/object.h"

/* ---- cached ---- */

/* What reclaim asks: which volumes are mounted there, and whether that can be believed. */
struct bnode {
	struct object o;
	const char *lease; /* name of the agent's Lease: status.lease, else the object's own name */
	const char *volumes;  /* names in strcmp() order, each followed by a newline */
	struct uuid node_uid; /* the Node that it reported for; zero if not told */
	bool truncated;       /* more volumes are mounted than are named */
};

static inline const struct bnode *bnode_of(const struct object *o)
{
	return (const struct bnode *)o;
}

/* Whether that volume is named there. O(log n). */
bool bnode_has_volume(const struct bnode *b, const char *volume);
/* The same of a copy of volumes. */
bool bnode_names_volume(const char *volumes, const char *volume);

/* ---- written ---- */

/* The schema's limits; what is beyond them is left out and counted. */
#define BNODE_MOUNTS_MAX 200
#define BNODE_EXPORTS_MAX 256
#define BNODE_CONDITIONS_MAX 16
/* 4,096 names of 253 bytes stay below etcd's 1.5 MiB. */
#define BNODE_VOLUMES_MAX 4096

struct bnode_mount {
	const char *volume, *target, *source, *options;
	const char *state; /* "Ok", "Hung", "Stale", "Orphaned" */
	unsigned peer_group;
	bool read_only;
};
struct bnode_export {
	const char *server, *export_, *state;
	const char *round_trip; /* "ok", "slow", "down", NULL for unknown */
};
struct bnode_condition {
	const char *type, *reason, *message;
	bool holds;
	uint64_t since; /* clock_real() of the last change of holds */
};

/* Texts and arrays are borrowed; NULL texts are left out. */
struct bnode_status {
	const char *version, *lease, *node_uid;
	const char *kubelet_root;
	const char *propagation;          /* "shared", "slave", "private", "unbindable" */
	const struct bnode_mount *mounts; /* the unhealthy first; any number */
	size_t n_mounts;
	const char *const *volumes; /* in any order, repeated is fine, "" ignored */
	size_t n_volumes;
	const struct bnode_export *exports;
	size_t n_exports;
	const struct bnode_condition *conditions;
	size_t n_conditions;
	json_t *pools; /* borrowed array, or NULL (hostPath's) */
	unsigned counts_mounts, counts_hung, counts_stale, counts_orphaned;
};
/* The status object, deterministic: the same status gives equal JSON. NULL without memory. */
json_t *bnode_status_json(const struct bnode_status *s);

/* "/apis/berth.dev/v1alpha1/berthnodes" */
#define BNODE_PATH "/apis/berth.dev/v1alpha1/berthnodes"

#endif
