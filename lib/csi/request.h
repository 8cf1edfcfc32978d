/* SPDX-License-Identifier: Apache-2.0 */
/* request.h: what the kubelet asks of the CSI Node service, decoded and checked */
#ifndef BERTH_CSI_REQUEST_H
#define BERTH_CSI_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

/*
 * Every text is terminated, valid UTF-8 without NUL, never NULL ("" where the request has none),
 * and valid until the call is answered. Only values of maps may hold control characters. Secrets,
 * mount flags and the service account's tokens must never be logged: csi_publish_format() says what
 * may.
 */

struct csi_pair {
	const char *key;
	const char *value;
};

/* Sorted by key, which are unique: of duplicates the last one on the wire counts (proto3). */
struct csi_map {
	struct csi_pair *pairs;
	size_t n;
};
/* NULL where there is no such key. */
const char *csi_map_get(const struct csi_map *m, const char *key);

/* csi.v1.VolumeCapability.AccessMode.Mode */
enum csi_mode {
	CSI_SINGLE_NODE_WRITER = 1,
	CSI_SINGLE_NODE_READER_ONLY = 2,
	CSI_MULTI_NODE_READER_ONLY = 3,
	CSI_MULTI_NODE_SINGLE_WRITER = 4,
	CSI_MULTI_NODE_MULTI_WRITER = 5,
	CSI_SINGLE_NODE_SINGLE_WRITER = 6,
	CSI_SINGLE_NODE_MULTI_WRITER = 7,
};
const char *csi_mode_name(enum csi_mode mode);

/* Keys of volume_context that the kubelet adds where CSIDriver.podInfoOnMount is true. */
#define CSI_POD_NAME "csi.storage.k8s.io/pod.name"
#define CSI_POD_NAMESPACE "csi.storage.k8s.io/pod.namespace"
#define CSI_POD_UID "csi.storage.k8s.io/pod.uid"
#define CSI_POD_ACCOUNT "csi.storage.k8s.io/serviceAccount.name"
#define CSI_EPHEMERAL "csi.storage.k8s.io/ephemeral"
#define CSI_POD_TOKENS "csi.storage.k8s.io/serviceAccount.tokens"

/* Limits of a request (contracts.md 2.2); a longer field is InvalidArgument with its name. */
#define CSI_VOLUME_ID_MAX 1024 /* ours are PV names, at most 253; static PVs have their own */
#define CSI_PATH_MAX 4095      /* PATH_MAX without its NUL */
#define CSI_FLAGS_MAX 4096     /* the sum of mount_flags, as the specification has it */

/* NodePublishVolume. A block volume was refused before. */
struct csi_publish {
	const char *volume_id;   /* not empty */
	const char *target_path; /* absolute, no "." or ".." component */
	const char *staging_path;
	const char *fs_type;
	const char *const *mount_flags; /* may hold SELinux's context="a,b" with its quotes */
	size_t n_mount_flags;
	bool has_group; /* volume_mount_group: the pod's fsGroup */
	gid_t group;
	enum csi_mode mode; /* known and not UNKNOWN */
	bool readonly;
	struct csi_map context; /* volume_context: the PV's volumeAttributes and the pod's names */
	struct csi_map publish_context;
	struct csi_map secrets;
};

/* NodeUnpublishVolume, checked like NodePublishVolume. */
struct csi_unpublish {
	const char *volume_id;
	const char *target_path;
};

/* NodeGetVolumeStats, checked likewise. */
struct csi_stats_request {
	const char *volume_id;
	const char *volume_path;
	const char *staging_path;
};

/* One line for a log without anything secret: id, target, mode, readonly, group, and the keys (not
 * the values) of what else was sent. Cut at size, always terminated; returns dst. */
char *csi_publish_format(const struct csi_publish *r, char *dst, size_t size);

#endif
