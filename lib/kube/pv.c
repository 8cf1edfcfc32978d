/* SPDX-License-Identifier: Apache-2.0 */
/* pv.c: PersistentVolume from JSON */
#include "kube/pv.h"

#include "base/parse.h"
#include "kube/pack.h"

#define PV_FINALIZER_NAME "external-provisioner.volume.kubernetes.io/finalizer"

struct raw_pv {
	const char *provisioned_by, *beta_class, *class, *token, *reclaim;
	const json_t *by_controller, *migrated, *modes, *claim, *affinity, *csi, *nfs;
	const char *policy, *volume_mode, *phase;
	const char *driver, *claim_namespace, *claim_name, *claim_uid;
};

#define T(key, member) PACK_TEXT(key, struct raw_pv, member)
#define J(key, member)                                                           \
	{                                                                        \
		key, DECODE_JSON, offsetof(struct raw_pv, member), 0, NULL, NULL \
	}

static const struct decode_field annotation_fields[] = {
	T("pv.kubernetes.io/provisioned-by", provisioned_by),
	T("volume.beta.kubernetes.io/storage-class", beta_class),
	T("berth.dev/token", token),
	T("berth.dev/reclaim", reclaim),
	J("pv.kubernetes.io/bound-by-controller", by_controller),
	J("pv.kubernetes.io/migrated-to", migrated),
};
static const struct decode_table annotation_table = DECODE_TABLE(annotation_fields, false);

static const struct decode_field spec_fields[] = {
	T("storageClassName", class),
	T("persistentVolumeReclaimPolicy", policy),
	T("volumeMode", volume_mode),
	J("accessModes", modes),
	J("nodeAffinity", affinity),
	PACK_OBJECT("claimRef", struct raw_pv, claim),
	PACK_OBJECT("csi", struct raw_pv, csi),
	PACK_OBJECT("nfs", struct raw_pv, nfs),
};
static const struct decode_table spec_table = DECODE_TABLE(spec_fields, false);

static const struct decode_field claim_fields[] = {
	T("namespace", claim_namespace),
	T("name", claim_name),
	T("uid", claim_uid),
};
static const struct decode_table claim_table = DECODE_TABLE(claim_fields, false);

static const struct decode_field csi_fields[] = {T("driver", driver)};
static const struct decode_table csi_table = DECODE_TABLE(csi_fields, false);

static const struct pack_field pv_texts[] = {
	{offsetof(struct raw_pv, class), offsetof(struct pv, class), true},
	{offsetof(struct raw_pv, driver), offsetof(struct pv, driver), true},
	{offsetof(struct raw_pv, provisioned_by), offsetof(struct pv, provisioned_by), true},
	{offsetof(struct raw_pv, claim_namespace), offsetof(struct pv, claim_namespace), true},
	{offsetof(struct raw_pv, claim_name), offsetof(struct pv, claim_name), false},
	{offsetof(struct raw_pv, reclaim), offsetof(struct pv, reclaim), true},
};
static const struct pack_layout pv_layout = {sizeof(struct pv), pv_texts, ELEMENTSOF(pv_texts)};

static void raw_read(struct raw_pv *raw, const json_t *item, const struct meta *m)
{
	pack_decode(&annotation_table, m->annotations, raw);
	pack_decode(&spec_table, json_object_get(item, "spec"), raw);
	pack_decode(&claim_table, raw->claim, raw);
	pack_decode(&csi_table, raw->csi, raw);
	raw->phase = json_string_at(item, "status", "phase", NULL);
	if (!str_empty(raw->beta_class))
		raw->class = raw->beta_class;
}

/* Without a status a PV is pending, as the API server's defaults have it. */
static uint8_t pv_phase(const char *s)
{
	static const char *const names[] = {[PV_PENDING] = "Pending",
		[PV_AVAILABLE] = "Available",
		[PV_BOUND] = "Bound",
		[PV_RELEASED] = "Released",
		[PV_FAILED] = "Failed"};

	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		if (streq_null(s, names[i]))
			return (uint8_t)i;
	return PV_PENDING;
}

/* Retain is what touches nothing: so is whatever we do not know. */
static uint8_t pv_policy(const char *s)
{
	if (streq_null(s, "Delete"))
		return PV_DELETE;
	return streq_null(s, "Recycle") ? PV_RECYCLE : PV_RETAIN;
}

static int64_t read_capacity(const json_t *item)
{
	const json_t *v = json_at(item, "spec", "capacity", "storage", NULL);
	int64_t bytes;

	if (json_is_integer(v))
		return json_integer_value(v) > 0 ? json_integer_value(v) : 0;
	return json_is_string(v) && parse_quantity(json_string_value(v), &bytes) >= 0 ? bytes : 0;
}

static unsigned read_flags(const struct raw_pv *raw, const struct meta *m)
{
	unsigned flags = 0;

	if (raw->claim)
		flags |= PV_HAS_CLAIM;
	if (streq_null(raw->volume_mode, "Block"))
		flags |= PV_BLOCK;
	if (pack_has_finalizer(m, PV_FINALIZER_NAME))
		flags |= PV_FINALIZER;
	if (raw->affinity)
		flags |= PV_AFFINITY;
	if (raw->by_controller)
		flags |= PV_BOUND_BY_CONTROLLER;
	if (raw->migrated)
		flags |= PV_MIGRATED;
	if (raw->nfs)
		flags |= PV_NFS;
	return flags;
}

static int pv_decode(struct strpool *pool, const json_t *item, struct object **ret)
{
	struct raw_pv raw = {.class = NULL};
	struct meta m;
	struct object *o;
	struct pv *p;
	int r = pack_meta(item, &m);

	if (r < 0)
		return r;
	raw_read(&raw, item, &m);
	r = pack_new(pool, &pv_layout, &m, &raw, &o);
	if (r < 0)
		return r;
	p = (struct pv *)o;
	p->flags = (uint8_t)read_flags(&raw, &m);
	if (raw.claim_uid && uuid_parse(raw.claim_uid, &p->claim_uid) >= 0)
		p->flags |= PV_CLAIM_UID;
	/* No token, or another's idea of one, leaves zeroes: then nothing is ours to erase. */
	if (raw.token && object_token_parse(raw.token, &p->token) < 0)
		p->token = (struct object_token){{0}};
	p->capacity = read_capacity(item);
	p->access_modes = pack_access_modes(raw.modes);
	p->phase = pv_phase(raw.phase);
	p->policy = pv_policy(raw.policy);
	*ret = o;
	return 0;
}

static void pv_free(struct strpool *pool, struct object *o)
{
	pack_free(pool, &pv_layout, o);
}

const struct kind kind_pv = {
	.name = "PersistentVolume",
	.api = "v1",
	.list_path = "/api/v1/persistentvolumes",
	.decode = pv_decode,
	.free = pv_free,
};
