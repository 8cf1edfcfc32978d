/* SPDX-License-Identifier: Apache-2.0 */
/* parameters.h: StorageClass parameters of nfs.berth.dev (DESIGN.md 4), checked once and refused by
 * name */
#ifndef BERTH_VOLUME_PARAMETERS_H
#define BERTH_VOLUME_PARAMETERS_H

#include <jansson.h>

#include "volume/request.h"

enum parameters_source { SOURCE_CSI, SOURCE_NATIVE };

struct parameters {
	char *servers[VOLUME_SERVERS_MAX]; /* first that answers */
	size_t n_servers;
	char *export_;
	char *pattern; /* NULL: <namespace>-<pvcName>-<pvName> */
	uid_t uid;
	gid_t gid;
	mode_t mode;
	unsigned flags; /* enum volume_flag */
	bool require_node_label;
	enum volume_reclaim reclaim;
	uint64_t trash_ttl_ns; /* 0: purge at once */
	enum parameters_source source;
	bool act_as_set;
	uid_t act_uid;
	gid_t act_gid;
	bool assist; /* binding: assist */
	bool binding_set;
	uint16_t nfs_port, mount_port; /* nfsPort, mountPort: servers without portmap */
	int version;                   /* from mountOptions vers=/nfsvers=: 0, 3 or 4 (4.x) */
};

/*
 * json: the class's parameters (object of strings) or NULL; mount_options: its mountOptions or
 * NULL; retain: reclaimPolicy Retain. -EINVAL with the parameter's name and the reason. onDelete,
 * archiveOnDelete, share and subDir are understood as in the peers (nfs.md 1.2, 1.4);
 * reclaimPolicy Retain with an erasing reclaim is refused by name. csi.storage.k8s.io/ keys: fstype
 * must be empty or nfs, secrets are refused, others are unknown.
 */
int parameters_parse(struct parameters *ret, const json_t *json, const json_t *mount_options,
	bool retain, struct err *e);
void parameters_done(struct parameters *p);
/* The class's export on one of its servers; texts are borrowed, identity is unknown. */
struct volume_place parameters_place(const struct parameters *p, const char *server);

/* Where labels and annotations come from; a function gives NULL for what is not there. */
struct pattern_source {
	const char *namespace_, *name, *pv;
	const char *(*label)(const char *key, void *userdata);
	const char *(*annotation)(const char *key, void *userdata);
	void *userdata;
};

/*
 * Expands a pathPattern: ${.PVC.namespace}, .name, .labels.x, .annotations.x, ${.PV.name}, defaults
 * ${x:-y}; the peer's ${pvc.metadata.name} forms too. A value is one component (a '/' inside is
 * refused), the result is checked with path_relative_check(). -EINVAL naming the variable and the
 * reason; -ENAMETOOLONG. Default name: a component over 255 bytes is cut and ends in a hash so that
 * it stays unique.
 */
int pattern_expand(const char *pattern, const struct pattern_source *s,
	char dst[static PATH_RELATIVE_MAX], struct err *e);
/* Whether the pattern uses a label or annotation, so that the live claim must be read. */
bool pattern_needs_claim(const char *pattern);
/* Syntax alone, at class check time. */
int pattern_check(const char *pattern, struct err *e);

#endif
