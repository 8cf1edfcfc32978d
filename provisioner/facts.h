/* SPDX-License-Identifier: Apache-2.0 */
/* facts.h: everything about one volume that must not change after it was made: from the class and
 * the claim once, then only from its BerthVolume or its PV */
#ifndef BERTH_PROVISIONER_FACTS_H
#define BERTH_PROVISIONER_FACTS_H

#include <jansson.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/id.h"
#include "kube/pvc.h"
#include "provisioner/classes.h"
#include "volume/request.h"

/* Texts are owned and never NULL once one of the functions below filled them in; "" for none. */
struct facts {
	char *pv, *driver, *provisioner, *class;
	char *server, *export_, *directory, *identity;
	char *claim_namespace, *claim_name, *claim_uid;
	char token[TOKEN_TEXT_MAX];
	int64_t capacity;
	uint8_t access_modes; /* enum access_mode; 0: the claim's or the record's to say */
	uid_t uid;
	gid_t gid;
	mode_t mode;
	unsigned flags; /* enum volume_flag */
	enum volume_reclaim reclaim;
	uint64_t trash_ttl;
	uint16_t nfs_port, mount_port;
	int version;
	bool native; /* the PV is an in-tree nfs: one, mounted by the kubelet itself */
	bool act_as_set;
	uid_t act_uid;
	gid_t act_gid;
};

void facts_done(struct facts *f);
#define _cleanup_facts_ _cleanup_(facts_done)

/* "pvc-<uid>". */
int facts_pv_name(const struct uuid *claim_uid, char **ret);

/* A new volume of the class for the claim: a fresh token, no directory yet. -ENOMEM. */
int facts_from_class(struct facts *ret, const char *driver, const struct class_info *class,
	const char *server, const struct pvc *claim);
/*
 * From a live PV, csi or native. -EBADMSG naming the field where it is none of ours or lacks what
 * reclaim needs; whatever stands there is checked as input from outside.
 */
int facts_from_volume(struct facts *ret, const json_t *pv, struct err *e);
/* From a live BerthVolume, likewise. */
int facts_from_intent(struct facts *ret, const json_t *intent, struct err *e);

/* Where the directory lies in the server's name space: the path of a native PV. */
char *facts_path(const struct facts *f); /* NULL without memory */

/* Views for a backend; valid as long as f. */
struct volume_place facts_place(const struct facts *f);
struct volume_request facts_request(const struct facts *f);

/* "0770". */
char *facts_mode_text(mode_t mode, char dst[static 8]);

#endif
