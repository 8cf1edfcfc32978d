/* SPDX-License-Identifier: Apache-2.0 */
/* pvc.c: PersistentVolumeClaim from JSON */
#include "kube/pvc.h"

#include "base/parse.h"
#include "kube/pack.h"

/* A quantity that is none is quoted in an event: no more of it than this. */
#define REQUEST_TEXT_MAX 64

struct raw_source {
	const char *kind, *group;
};

struct raw_pvc {
	const char *beta_class, *class;
	const char *provisioner, *beta_provisioner, *selected_node, *alpha_node;
	const json_t *bind_completed, *migrated, *selector, *modes, *storage;
	const json_t *source, *source_ref;
	const char *volume_name, *volume_mode, *attributes_class, *phase;
	const char *request_text;
	char request_buf[REQUEST_TEXT_MAX + 1];
};

#define T(key, member) PACK_TEXT(key, struct raw_pvc, member)
#define J(key, member)                                                            \
	{                                                                         \
		key, DECODE_JSON, offsetof(struct raw_pvc, member), 0, NULL, NULL \
	}

static const struct decode_field annotation_fields[] = {
	T("volume.beta.kubernetes.io/storage-class", beta_class),
	T("volume.kubernetes.io/storage-provisioner", provisioner),
	T("volume.beta.kubernetes.io/storage-provisioner", beta_provisioner),
	T("volume.kubernetes.io/selected-node", selected_node),
	T("volume.alpha.kubernetes.io/selected-node", alpha_node),
	J("pv.kubernetes.io/bind-completed", bind_completed),
	J("pv.kubernetes.io/migrated-to", migrated),
};
static const struct decode_table annotation_table = DECODE_TABLE(annotation_fields, false);

static const struct decode_field spec_fields[] = {
	T("storageClassName", class),
	T("volumeName", volume_name),
	T("volumeMode", volume_mode),
	T("volumeAttributesClassName", attributes_class),
	J("selector", selector),
	J("accessModes", modes),
	PACK_OBJECT("dataSource", struct raw_pvc, source),
	PACK_OBJECT("dataSourceRef", struct raw_pvc, source_ref),
};
static const struct decode_table spec_table = DECODE_TABLE(spec_fields, false);

static const struct decode_field source_fields[] = {
	PACK_TEXT("kind", struct raw_source, kind),
	PACK_TEXT("apiGroup", struct raw_source, group),
};
static const struct decode_table source_table = DECODE_TABLE(source_fields, false);

static const struct pack_field pvc_texts[] = {
	{offsetof(struct raw_pvc, class), offsetof(struct pvc, class), true},
	{offsetof(struct raw_pvc, provisioner), offsetof(struct pvc, provisioner), true},
	{offsetof(struct raw_pvc, selected_node), offsetof(struct pvc, selected_node), true},
	{offsetof(struct raw_pvc, volume_name), offsetof(struct pvc, volume_name), false},
	{offsetof(struct raw_pvc, request_text), offsetof(struct pvc, request_text), false},
};
static const struct pack_layout pvc_layout = {sizeof(struct pvc), pvc_texts, ELEMENTSOF(pvc_texts)};

/* contracts.md 4.11: claims and snapshots are refused, what a populator serves is left alone. */
static unsigned source_flag(const json_t *source)
{
	struct raw_source s = {.kind = "", .group = ""};

	if (!source)
		return 0;
	pack_decode(&source_table, source, &s);
	if (streq(s.kind, "PersistentVolumeClaim") && !*s.group)
		return PVC_DATA_SOURCE;
	if (streq(s.kind, "VolumeSnapshot") && streq(s.group, "snapshot.storage.k8s.io"))
		return PVC_DATA_SOURCE;
	return PVC_FOREIGN_SOURCE;
}

static uint8_t claim_phase(const char *s)
{
	if (streq_null(s, "Bound"))
		return CLAIM_BOUND;
	return streq_null(s, "Lost") ? CLAIM_LOST : CLAIM_PENDING;
}

/* What was asked for; where that is no size, the words for an event. */
static int64_t read_request(struct raw_pvc *raw)
{
	const char *text = json_string_value(raw->storage);
	int64_t bytes;

	if (json_is_integer(raw->storage) && json_integer_value(raw->storage) > 0)
		return json_integer_value(raw->storage);
	if (text && parse_quantity(text, &bytes) >= 0 && bytes > 0)
		return bytes;
	raw->request_text = str_copy_cut(raw->request_buf, sizeof(raw->request_buf),
		text           ? text
		: raw->storage ? "(no text)"
			       : "");
	return -1;
}

static unsigned read_flags(const struct raw_pvc *raw)
{
	unsigned flags = source_flag(raw->source_ref ? raw->source_ref : raw->source);

	if (streq_null(raw->volume_mode, "Block"))
		flags |= PVC_BLOCK;
	if (json_is_object(raw->selector))
		flags |= PVC_SELECTOR;
	if (!str_empty(raw->attributes_class))
		flags |= PVC_ATTRIBUTES_CLASS;
	if (raw->bind_completed)
		flags |= PVC_BIND_COMPLETED;
	if (raw->migrated)
		flags |= PVC_MIGRATED;
	return flags;
}

static void raw_read(struct raw_pvc *raw, const json_t *item, const struct meta *m)
{
	pack_decode(&annotation_table, m->annotations, raw);
	pack_decode(&spec_table, json_object_get(item, "spec"), raw);
	raw->storage = json_at(item, "spec", "resources", "requests", "storage", NULL);
	raw->phase = json_string_at(item, "status", "phase", NULL);
	if (!str_empty(raw->beta_class))
		raw->class = raw->beta_class;
	if (str_empty(raw->provisioner))
		raw->provisioner = raw->beta_provisioner;
	if (str_empty(raw->selected_node))
		raw->selected_node = raw->alpha_node;
}

static int pvc_decode(struct strpool *pool, const json_t *item, struct object **ret)
{
	struct raw_pvc raw = {.class = NULL};
	struct meta m;
	struct object *o;
	struct pvc *p;
	int64_t request;
	int r = pack_meta(item, &m);

	if (r < 0)
		return r;
	raw_read(&raw, item, &m);
	request = read_request(&raw);
	r = pack_new(pool, &pvc_layout, &m, &raw, &o);
	if (r < 0)
		return r;
	p = (struct pvc *)o;
	p->flags = (uint16_t)read_flags(&raw);
	if (request < 0)
		p->flags |= PVC_BAD_CAPACITY;
	else
		p->request = request;
	p->access_modes = pack_access_modes(raw.modes);
	p->phase = claim_phase(raw.phase);
	*ret = o;
	return 0;
}

static void pvc_free(struct strpool *pool, struct object *o)
{
	pack_free(pool, &pvc_layout, o);
}

const struct kind kind_pvc = {
	.name = "PersistentVolumeClaim",
	.api = "v1",
	.list_path = "/api/v1/persistentvolumeclaims",
	.decode = pvc_decode,
	.free = pvc_free,
};
