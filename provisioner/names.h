/* SPDX-License-Identifier: Apache-2.0 */
/* names.h: annotations, finalizers, keys and event reasons as they stand in Kubernetes objects */
#ifndef BERTH_PROVISIONER_NAMES_H
#define BERTH_PROVISIONER_NAMES_H

#include "volume/attributes.h" /* ATTR_ */

/* contracts.md 4.1 */
#define NOTE_PROVISIONER "volume.kubernetes.io/storage-provisioner"
#define NOTE_PROVISIONER_BETA "volume.beta.kubernetes.io/storage-provisioner"
#define NOTE_SELECTED_NODE "volume.kubernetes.io/selected-node"
#define NOTE_SELECTED_NODE_ALPHA "volume.alpha.kubernetes.io/selected-node"
#define NOTE_BIND_COMPLETED "pv.kubernetes.io/bind-completed"
#define NOTE_BOUND_BY_CONTROLLER "pv.kubernetes.io/bound-by-controller"
#define NOTE_PROVISIONED_BY "pv.kubernetes.io/provisioned-by"
#define NOTE_TOKEN "berth.dev/token"
#define NOTE_RECLAIM "berth.dev/reclaim"
/* On a BerthVolume: an admin's order (adoptions.h). */
#define NOTE_ADOPT "berth.dev/adopt"
#define ADOPT_RECORD "record"
/* A native PV has no volumeAttributes: the same keys as JSON text. */
#define NOTE_ATTRIBUTES "berth.dev/attributes"
#define FINALIZER_VOLUME "external-provisioner.volume.kubernetes.io/finalizer"
#define FINALIZER_INTENT "berth.dev/reclaim"

#define NODE_LABEL_NFS "topology.berth.dev/nfs"
#define VOLUME_PREFIX "pvc-"
#define FIELD_MANAGER "fieldManager=berth-provisioner"

#define PATH_VOLUMES "/api/v1/persistentvolumes"
#define PATH_INTENTS "/apis/berth.dev/v1alpha1/berthvolumes"

#endif
