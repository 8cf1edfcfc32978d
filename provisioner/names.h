/* SPDX-License-Identifier: Apache-2.0 */
/* names.h: annotations, finalizers, keys and event reasons as they stand in Kubernetes objects */
#ifndef BERTH_PROVISIONER_NAMES_H
#define BERTH_PROVISIONER_NAMES_H

/* contracts.md 4.1 */
#define NOTE_PROVISIONER "volume.kubernetes.io/storage-provisioner"
#define NOTE_PROVISIONER_BETA "volume.beta.kubernetes.io/storage-provisioner"
#define NOTE_BIND_COMPLETED "pv.kubernetes.io/bind-completed"
#define NOTE_BOUND_BY_CONTROLLER "pv.kubernetes.io/bound-by-controller"
#define NOTE_PROVISIONED_BY "pv.kubernetes.io/provisioned-by"
#define NOTE_TOKEN "berth.dev/token"
#define NOTE_RECLAIM "berth.dev/reclaim"
#define FINALIZER_VOLUME "external-provisioner.volume.kubernetes.io/finalizer"
#define FINALIZER_INTENT "berth.dev/reclaim"

/* Keys of a PV's csi.volumeAttributes: what reclaim needs, frozen there (never the class). */
#define ATTR_SERVER "server"
#define ATTR_EXPORT "export"
#define ATTR_DIRECTORY "directory"
#define ATTR_RECLAIM "reclaim"
#define ATTR_TRASH_TTL "trashTTL"
#define ATTR_EXPORT_ID "exportID"
#define ATTR_NFS_PORT "nfsPort"
#define ATTR_MOUNT_PORT "mountPort"
#define ATTR_VERSION "nfsVersion"
#define ATTR_ACT_AS "actAs"
#define ATTR_UID "uid"
#define ATTR_GID "gid"
#define ATTR_MODE "mode"
#define ATTR_IDENTITY "storage.kubernetes.io/csiProvisionerIdentity"

#define NODE_LABEL_NFS "topology.berth.dev/nfs"
#define VOLUME_PREFIX "pvc-"
#define FIELD_MANAGER "fieldManager=berth-provisioner"

#define PATH_VOLUMES "/api/v1/persistentvolumes"
#define PATH_INTENTS "/apis/berth.dev/v1alpha1/berthvolumes"

#endif
