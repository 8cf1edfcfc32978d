/* SPDX-License-Identifier: Apache-2.0 */
/* attributes.h: a PV's csi.volumeAttributes: where the volume lies, frozen there by the provisioner
 * (never the class again) or written by hand for a static PV */
#ifndef BERTH_VOLUME_ATTRIBUTES_H
#define BERTH_VOLUME_ATTRIBUTES_H

#include "volume/request.h"

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
#define ATTR_SOURCE "source" /* "native": spec.nfs instead of spec.csi */
#define ATTR_DRIVER "driver" /* native only: spec.csi.driver of the others */
#define ATTR_SUID "suid"
#define ATTR_DEV "dev"
#define ATTR_POOL "pool"
#define ATTR_POOL_ID "poolID"
#define ATTR_IDENTITY "storage.kubernetes.io/csiProvisionerIdentity"

/* Texts are borrowed from the source. */
struct volume_attributes {
	struct volume_place place; /* nfs.berth.dev; identity: ATTR_EXPORT_ID */
	const char *pool;          /* hostpath.berth.dev */
	const char *pool_id;       /* NULL: any */
	const char *directory;     /* "": the export's or the pool's root (static PVs) */
	unsigned flags;            /* enum volume_flag: uid, gid, mode, suid, dev */
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

/* The text of a key, NULL where there is none. */
typedef const char *(*attribute_fn)(const char *key, void *userdata);

/* All: -EBADMSG, the text begins with the key. Keys that are not ours are not looked at: a newer
 * provisioner may have written them. */
int volume_attributes_nfs(
	struct volume_attributes *ret, attribute_fn get, void *userdata, struct err *e);
int volume_attributes_hostpath(
	struct volume_attributes *ret, attribute_fn get, void *userdata, struct err *e);
/* What classes may give beside server, export and directory: ports, version, actAs, suid, dev. */
int volume_attributes_options(
	struct volume_attributes *ret, attribute_fn get, void *userdata, struct err *e);
/* uid, gid and mode that the directory was made with. */
int volume_attributes_owner(
	struct volume_attributes *ret, attribute_fn get, void *userdata, struct err *e);

/* A name or an address, without brackets. */
int volume_server_check(const char *server, struct err *e);
/* An absolute path of good components, none of them the control directory, or "/". */
int volume_export_check(const char *export_, struct err *e);

#endif
