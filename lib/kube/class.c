/* SPDX-License-Identifier: Apache-2.0 */
/* class.c: StorageClass from JSON */
#include "kube/class.h"

#include "kube/pack.h"

struct raw_class {
	const char *provisioner, *reclaim, *binding;
	const json_t *parameters, *mount_options, *expansion;
};

#define T(key, member) PACK_TEXT(key, struct raw_class, member)
#define J(key, member)                                                              \
	{                                                                           \
		key, DECODE_JSON, offsetof(struct raw_class, member), 0, NULL, NULL \
	}

static const struct decode_field class_fields[] = {
	T("provisioner", provisioner),
	T("reclaimPolicy", reclaim),
	T("volumeBindingMode", binding),
	PACK_OBJECT("parameters", struct raw_class, parameters),
	J("mountOptions", mount_options),
	J("allowVolumeExpansion", expansion),
};
static const struct decode_table class_table = DECODE_TABLE(class_fields, false);

static const struct pack_field class_texts[] = {
	{offsetof(struct raw_class, provisioner), offsetof(struct class, provisioner), true},
};
static const struct pack_layout class_layout = {
	sizeof(struct class), class_texts, ELEMENTSOF(class_texts)};

static int class_decode(struct strpool *pool, const json_t *item, struct object **ret)
{
	struct raw_class raw = {.provisioner = NULL};
	struct meta m;
	struct object *o;
	struct class *c;
	int r = pack_meta(item, &m);

	if (r < 0)
		return r;
	pack_decode(&class_table, item, &raw);
	r = pack_new(pool, &class_layout, &m, &raw, &o);
	if (r < 0)
		return r;
	c = (struct class *)o;
	c->parameters = json_incref((json_t *)raw.parameters);
	if (json_is_array(raw.mount_options))
		c->mount_options = json_incref((json_t *)raw.mount_options);
	c->retain = streq_null(raw.reclaim, "Retain");
	c->wait_for_consumer = streq_null(raw.binding, "WaitForFirstConsumer");
	c->allow_expansion = json_is_true(raw.expansion);
	*ret = o;
	return 0;
}

static void class_free(struct strpool *pool, struct object *o)
{
	struct class *c = (struct class *)o;

	json_decref((json_t *)c->parameters);
	json_decref((json_t *)c->mount_options);
	pack_free(pool, &class_layout, o);
}

const struct kind kind_class = {
	.name = "StorageClass",
	.api = "storage.k8s.io/v1",
	.list_path = "/apis/storage.k8s.io/v1/storageclasses",
	.decode = class_decode,
	.free = class_free,
};
