/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.c: builds PVs, BerthVolumes and patches */
#include "provisioner/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/str.h"
#include "data/decode.h"
#include "provisioner/names.h"

#define NUMBER_MAX 48

/* Adds where all went well so far; *ok remembers a failure, so that builders read straight down. */
static void put(json_t *o, const char *key, json_t *value, bool *ok)
{
	if (!value || !o || json_object_set_new(o, key, value) < 0)
		*ok = false;
}

static void put_text(json_t *o, const char *key, const char *text, bool *ok)
{
	put(o, key, json_string(text), ok);
}

static void put_number_text(json_t *o, const char *key, uint64_t n, bool *ok)
{
	char text[NUMBER_MAX];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	put_text(o, key, text, ok);
}

static json_t *finish(json_t *o, bool ok)
{
	if (ok)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *access_modes(uint8_t modes)
{
	json_t *a = json_array();

	for (unsigned bit = ACCESS_RWO; bit <= ACCESS_RWOP; bit <<= 1)
		if ((modes & bit) &&
			json_array_append_new(a, json_string(access_mode_text(bit))) < 0) {
			json_decref(a);
			return NULL;
		}
	return a;
}

static json_t *quantity(int64_t bytes)
{
	char text[24];

	return json_string(format_quantity(bytes, text));
}

/* Optional facts, as texts: in a PV's attributes and in a BerthVolume's spec.nfs. */
static void put_options(json_t *o, const struct facts *f, bool *ok)
{
	char text[NUMBER_MAX];

	if (f->nfs_port)
		put_number_text(o, ATTR_NFS_PORT, f->nfs_port, ok);
	if (f->mount_port)
		put_number_text(o, ATTR_MOUNT_PORT, f->mount_port, ok);
	if (f->version)
		put_number_text(o, ATTR_VERSION, (uint64_t)f->version, ok);
	if (f->native)
		put_text(o, ATTR_SOURCE, "native", ok);
	if (f->act_as_set) {
		snprintf(text, sizeof(text), "%u:%u", f->act_uid, f->act_gid);
		put_text(o, ATTR_ACT_AS, text, ok);
	}
	if (f->flags & VOLUME_SUID)
		put_text(o, ATTR_SUID, "true", ok);
	if (f->flags & VOLUME_DEV)
		put_text(o, ATTR_DEV, "true", ok);
	if (f->trash_ttl) {
		snprintf(text, sizeof(text), "%llus",
			(unsigned long long)(f->trash_ttl / NSEC_PER_SEC));
		put_text(o, ATTR_TRASH_TTL, text, ok);
	}
}

/* ---- PersistentVolume -------------------------------------------------------------------- */

static json_t *attributes(const struct manifest_volume *m)
{
	const struct facts *f = m->facts;
	json_t *o = json_object();
	char mode[8];
	bool ok = o;

	put_text(o, ATTR_SERVER, f->server, &ok);
	put_text(o, ATTR_EXPORT, f->export_, &ok);
	put_text(o, ATTR_DIRECTORY, f->directory, &ok);
	put_text(o, ATTR_RECLAIM, volume_reclaim_text(f->reclaim), &ok);
	put_text(o, ATTR_IDENTITY, m->identity, &ok);
	if (f->native)
		put_text(o, ATTR_DRIVER, f->driver, &ok);
	if (*f->identity)
		put_text(o, ATTR_EXPORT_ID, f->identity, &ok);
	if (f->flags & VOLUME_UID_SET)
		put_number_text(o, ATTR_UID, f->uid, &ok);
	if (f->flags & VOLUME_GID_SET)
		put_number_text(o, ATTR_GID, f->gid, &ok);
	if (f->flags & VOLUME_MODE_SET)
		put_text(o, ATTR_MODE, facts_mode_text(f->mode, mode), &ok);
	put_options(o, f, &ok);
	return finish(o, ok);
}

/* The attributes as text: an annotation holds nothing else. */
static json_t *attributes_text(const struct manifest_volume *m)
{
	_cleanup_json_ json_t *o = attributes(m);
	_cleanup_free_ char *s = NULL;
	size_t size;

	return o && data_json_dump(o, &s, &size) >= 0 ? json_string(s) : NULL;
}

static json_t *volume_metadata(const struct manifest_volume *m)
{
	const struct facts *f = m->facts;
	json_t *o = json_object(), *notes = json_object();
	bool ok = o;

	put_text(notes, NOTE_PROVISIONED_BY, f->provisioner, &ok);
	put_text(notes, NOTE_TOKEN, f->token, &ok);
	if (f->reclaim == RECLAIM_RECYCLE)
		put_text(notes, NOTE_RECLAIM, volume_reclaim_text(f->reclaim), &ok);
	if (f->native)
		put(notes, NOTE_ATTRIBUTES, attributes_text(m), &ok);
	put(o, "annotations", notes, &ok);
	put_text(o, "name", f->pv, &ok);
	if (f->reclaim != RECLAIM_RETAIN)
		put(o, "finalizers", json_pack("[s]", FINALIZER_VOLUME), &ok);
	return finish(o, ok);
}

static json_t *claim_ref(const struct manifest_volume *m)
{
	const struct facts *f = m->facts;
	json_t *o = json_object();
	bool ok = o;

	put_text(o, "apiVersion", "v1", &ok);
	put_text(o, "kind", "PersistentVolumeClaim", &ok);
	put_text(o, "namespace", f->claim_namespace, &ok);
	put_text(o, "name", f->claim_name, &ok);
	if (*f->claim_uid)
		put_text(o, "uid", f->claim_uid, &ok);
	if (m->claim_rv)
		put_text(o, "resourceVersion", m->claim_rv, &ok);
	return finish(o, ok);
}

static json_t *csi_source(const struct manifest_volume *m)
{
	const struct facts *f = m->facts;
	json_t *o = json_object();
	bool ok = o;

	put_text(o, "driver", f->driver, &ok);
	put_text(o, "volumeHandle", f->pv, &ok);
	put(o, "volumeAttributes", attributes(m), &ok);
	return finish(o, ok);
}

/* What nfs-subdir-external-provisioner makes: the kubelet mounts it with the node's mount.nfs. */
static json_t *native_source(const struct facts *f)
{
	_cleanup_free_ char *path = facts_path(f);

	return path ? json_pack("{s:s,s:s}", "server", f->server, "path", path) : NULL;
}

static json_t *volume_spec(const struct manifest_volume *m)
{
	const struct facts *f = m->facts;
	const json_t *options = m->class ? m->class->mount_options : NULL;
	json_t *o = json_object(), *capacity = json_object();
	bool ok = o;

	put(capacity, "storage", quantity(f->capacity), &ok);
	put(o, "capacity", capacity, &ok);
	put(o, "accessModes", access_modes(m->access_modes), &ok);
	put_text(o, "persistentVolumeReclaimPolicy",
		f->reclaim == RECLAIM_RETAIN ? "Retain" : "Delete", &ok);
	put_text(o, "storageClassName", f->class, &ok);
	if (json_array_size(options) > 0)
		put(o, "mountOptions", json_deep_copy(options), &ok);
	put_text(o, "volumeMode", "Filesystem", &ok);
	put(o, "claimRef", claim_ref(m), &ok);
	if (m->class && m->class->p.require_node_label)
		put(o, "nodeAffinity",
			json_pack("{s:{s:[{s:[{s:s,s:s,s:[s]}]}]}}", "required",
				"nodeSelectorTerms", "matchExpressions", "key", NODE_LABEL_NFS,
				"operator", "In", "values", "true"),
			&ok);
	if (f->native)
		put(o, "nfs", native_source(f), &ok);
	else
		put(o, "csi", csi_source(m), &ok);
	return finish(o, ok);
}

json_t *manifest_volume(const struct manifest_volume *m)
{
	json_t *o = json_object();
	bool ok = o;

	put_text(o, "apiVersion", "v1", &ok);
	put_text(o, "kind", "PersistentVolume", &ok);
	put(o, "metadata", volume_metadata(m), &ok);
	put(o, "spec", volume_spec(m), &ok);
	return finish(o, ok);
}

/* ---- BerthVolume ------------------------------------------------------------------------- */

static json_t *permissions(const struct facts *f)
{
	json_t *o = json_object();
	char mode[8];
	bool ok = o;

	if (f->flags & VOLUME_UID_SET)
		put(o, "uid", json_integer(f->uid), &ok);
	if (f->flags & VOLUME_GID_SET)
		put(o, "gid", json_integer(f->gid), &ok);
	if (f->flags & VOLUME_MODE_SET)
		put_text(o, "mode", facts_mode_text(f->mode, mode), &ok);
	return finish(o, ok);
}

static json_t *intent_spec(const struct facts *f)
{
	const unsigned owner = VOLUME_UID_SET | VOLUME_GID_SET | VOLUME_MODE_SET;
	json_t *o = json_object(), *nfs = json_object();
	bool ok = o;

	put_text(o, "driver", f->driver, &ok);
	put_text(o, "token", f->token, &ok);
	if (*f->claim_uid)
		put(o, "claim",
			json_pack("{s:s,s:s,s:s}", "namespace", f->claim_namespace, "name",
				f->claim_name, "uid", f->claim_uid),
			&ok);
	if (*f->class)
		put_text(o, "class", f->class, &ok);
	put_text(o, "directory", f->directory, &ok);
	put_text(nfs, ATTR_SERVER, f->server, &ok);
	put_text(nfs, ATTR_EXPORT, f->export_, &ok);
	put_options(nfs, f, &ok);
	put(o, "nfs", nfs, &ok);
	put(o, "capacity", quantity(f->capacity), &ok);
	if (f->flags & owner)
		put(o, "permissions", permissions(f), &ok);
	put_text(o, "reclaim", volume_reclaim_text(f->reclaim), &ok);
	put_text(o, "desired", "Present", &ok);
	return finish(o, ok);
}

json_t *manifest_intent(const struct facts *f)
{
	json_t *o = json_object(), *meta = json_object();
	bool ok = o;

	put_text(o, "apiVersion", "berth.dev/v1alpha1", &ok);
	put_text(o, "kind", "BerthVolume", &ok);
	put_text(meta, "name", f->pv, &ok);
	put(meta, "finalizers", json_pack("[s]", FINALIZER_INTENT), &ok);
	put(o, "metadata", meta, &ok);
	put(o, "spec", intent_spec(f), &ok);
	return finish(o, ok);
}

json_t *manifest_intent_status(
	const char *phase, const char *reason, const char *message, int64_t generation)
{
	json_t *o = json_object(), *status = json_object();
	bool ok = o;

	put_text(status, "phase", phase, &ok);
	put_text(status, "quota", "None", &ok);
	put(status, "reason", *reason ? json_string(reason) : json_null(), &ok);
	put(status, "message", *message ? json_string(message) : json_null(), &ok);
	if (generation > 0)
		put(status, "observedGeneration", json_integer(generation), &ok);
	put(o, "status", status, &ok);
	return finish(o, ok);
}

json_t *manifest_intent_settled(void)
{
	return json_pack("{s:{s:{s:n},s:[s]}}", "metadata", "annotations", NOTE_ADOPT, "finalizers",
		FINALIZER_INTENT);
}

/* ---- binding ----------------------------------------------------------------------------- */

json_t *manifest_volume_bound(const char *rv)
{
	return json_pack(
		"{s:{s:s},s:{s:s}}", "metadata", "resourceVersion", rv, "status", "phase", "Bound");
}

json_t *manifest_claim_bind(const char *uid, const char *pv, const char *provisioner)
{
	return json_pack("{s:{s:s,s:{s:s,s:s,s:s,s:s}},s:{s:s}}", "metadata", "uid", uid,
		"annotations", NOTE_BIND_COMPLETED, "yes", NOTE_BOUND_BY_CONTROLLER, "yes",
		NOTE_PROVISIONER, provisioner, NOTE_PROVISIONER_BETA, provisioner, "spec",
		"volumeName", pv);
}

json_t *manifest_claim_bound(const char *rv, uint8_t modes, int64_t capacity)
{
	json_t *o = json_object(), *status = json_object(), *size = json_object();
	bool ok = o;

	put(size, "storage", quantity(capacity), &ok);
	put_text(status, "phase", "Bound", &ok);
	put(status, "accessModes", access_modes(modes), &ok);
	put(status, "capacity", size, &ok);
	put(o, "metadata", json_pack("{s:s}", "resourceVersion", rv), &ok);
	put(o, "status", status, &ok);
	return finish(o, ok);
}

json_t *manifest_delete(const char *uid)
{
	return json_pack("{s:s,s:s,s:{s:s}}", "kind", "DeleteOptions", "apiVersion", "v1",
		"preconditions", "uid", uid);
}

/* ---- JSON patches of live objects -------------------------------------------------------- */

static json_t *guarded(const json_t *object)
{
	const char *rv = json_string_at(object, "metadata", "resourceVersion", NULL);

	if (!rv)
		return NULL;
	return json_pack(
		"[{s:s,s:s,s:s}]", "op", "test", "path", "/metadata/resourceVersion", "value", rv);
}

static json_t *append(json_t *patch, json_t *op)
{
	if (patch && op && json_array_append_new(patch, op) == 0)
		return patch;
	if (!patch)
		json_decref(op);
	json_decref(patch);
	return NULL;
}

/* Its index, -1 where there is none. */
static ssize_t find_finalizer(const json_t *object, const char *finalizer)
{
	const json_t *list = json_at(object, "metadata", "finalizers", NULL);
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item) {
		if (streq_null(json_string_value(item), finalizer))
			return (ssize_t)i;
	}
	return -1;
}

bool manifest_has_finalizer(const json_t *object, const char *finalizer)
{
	return find_finalizer(object, finalizer) >= 0;
}

json_t *manifest_drop_finalizer(const json_t *object, const char *finalizer)
{
	ssize_t i = find_finalizer(object, finalizer);
	char path[NUMBER_MAX];

	if (i < 0)
		return NULL;
	snprintf(path, sizeof(path), "/metadata/finalizers/%zd", i);
	return append(guarded(object), json_pack("{s:s,s:s}", "op", "remove", "path", path));
}

json_t *manifest_add_finalizer(const json_t *object, const char *finalizer)
{
	const json_t *list = json_at(object, "metadata", "finalizers", NULL);

	if (json_array_size(list) > 0)
		return append(
			guarded(object), json_pack("{s:s,s:s,s:s}", "op", "add", "path",
						 "/metadata/finalizers/-", "value", finalizer));
	return append(guarded(object), json_pack("{s:s,s:s,s:[s]}", "op", "add", "path",
					       "/metadata/finalizers", "value", finalizer));
}

json_t *manifest_unbind(const json_t *pv)
{
	json_t *patch = append(
		guarded(pv), json_pack("{s:s,s:s}", "op", "remove", "path", "/spec/claimRef"));

	if (!json_at(pv, "metadata", "annotations", NOTE_BOUND_BY_CONTROLLER, NULL))
		return patch;
	return append(
		patch, json_pack("{s:s,s:s}", "op", "remove", "path",
			       "/metadata/annotations/pv.kubernetes.io~1bound-by-controller"));
}
