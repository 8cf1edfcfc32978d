/* SPDX-License-Identifier: Apache-2.0 */
/* rules_storage.c: pkg/apis/{core,storage}/validation and the storage admission plugins, in short
 */
#include "tools/devapi/rules_storage.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/meta.h"

#define PVC_SPEC_FIXED                                                               \
	"Forbidden: spec is immutable after creation except resources.requests and " \
	"volumeAttributesClassName for bound claims"
#define PVC_RESIZE_REFUSED                                                           \
	"only dynamically provisioned pvc can be resized and the storageclass that " \
	"provisions the pvc must support resize"

static void put_default(json_t *object, const char *key, const char *value)
{
	if (!json_object_get(object, key))
		(void)json_put_string(object, key, value);
}

/* Admission DefaultStorageClass: the newest default class; ours are few, the first will do. */
static void put_default_class(struct store *s, json_t *spec)
{
	const struct kind *k = kind_get(KIND_CLASS);

	if (json_object_get(spec, "storageClassName"))
		return;
	for (size_t i = 0; i < store_count(s, k); i++) {
		const struct revision *rev = store_at(s, k, i);
		_cleanup_json_ json_t *class = revision_parse(rev);

		if (streq_null(meta_annotation(class, CLASS_DEFAULT), "true")) {
			(void)json_put_string(spec, "storageClassName", rev->name);
			return;
		}
	}
}

static int check_size(const struct kind *k, const char *name, const char *field, const char *text,
	struct reply *r)
{
	int64_t bytes;
	int n;

	if (!text)
		return reply_invalid(r, k, name, field, "Required value");
	n = parse_quantity(text, &bytes);
	if (n == -EINVAL)
		return reply_fail(r, 400, "BadRequest",
			"%s in version \"v1\" cannot be handled as a %s: quantities must match the "
			"regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
			k->kind, k->kind);
	if (n < 0 || bytes == 0)
		return reply_invalid(r, k, name, field, "Invalid value: must be greater than zero");
	return 0;
}

static int check_modes(
	const struct kind *k, const json_t *object, const char *name, struct reply *r)
{
	if (json_array_size(json_at(object, "spec", "accessModes", NULL)) > 0)
		return 0;
	return reply_invalid(r, k, name, "spec.accessModes",
		"Required value: at least 1 access mode is required");
}

static int create_claim(
	struct store *s, const struct kind *k, json_t *object, const char *name, struct reply *r)
{
	json_t *spec = json_child(object, "spec");
	int n = check_modes(k, object, name, r);

	if (n == 0)
		n = check_size(k, name, "spec.resources[storage]",
			json_string_at(spec, "resources", "requests", "storage", NULL), r);
	if (n < 0)
		return n;
	put_default(spec, "volumeMode", "Filesystem");
	put_default_class(s, spec);
	meta_add_finalizer(object, FINALIZER_PVC);
	return 0;
}

static bool has_source(const json_t *spec)
{
	static const char *const sources[] = {"csi", "nfs", "hostPath", "local", "iscsi", "fc",
		"awsElasticBlockStore", "gcePersistentDisk", "cephfs", "rbd", "flexVolume"};

	for (size_t i = 0; i < ELEMENTSOF(sources); i++)
		if (json_is_object(json_object_get(spec, sources[i])))
			return true;
	return false;
}

static int check_capacity(
	const struct kind *k, const json_t *object, const char *name, struct reply *r)
{
	const char *size = json_string_at(object, "spec", "capacity", "storage", NULL);
	struct reply also = {.code = 0};

	if (size)
		return check_size(k, name, "spec.capacity[storage]", size, r);
	(void)reply_invalid(r, k, name, "spec.capacity", "Required value");
	(void)reply_invalid(&also, k, name, "spec.capacity",
		"Unsupported value: supported values: \"storage\"");
	reply_add_cause(r, &also);
	reply_done(&also);
	return -EREMOTEIO;
}

static int check_policy(
	const struct kind *k, const json_t *object, const char *name, struct reply *r)
{
	const char *policy = json_string_at(object, "spec", "persistentVolumeReclaimPolicy", NULL);

	if (!policy || streq(policy, "Delete") || streq(policy, "Retain") ||
		streq(policy, "Recycle"))
		return 0;
	return reply_invalid(r, k, name, "spec.persistentVolumeReclaimPolicy",
		"Unsupported value: supported values: \"Delete\", \"Recycle\", \"Retain\"");
}

static int check_csi(const struct kind *k, const json_t *object, const char *name, struct reply *r)
{
	const json_t *csi = json_at(object, "spec", "csi", NULL);

	if (csi && str_empty(json_string_at(csi, "driver", NULL)))
		return reply_invalid(r, k, name, "spec.csi.driver", "Required value");
	if (csi && str_empty(json_string_at(csi, "volumeHandle", NULL)))
		return reply_invalid(r, k, name, "spec.csi.volumeHandle", "Required value");
	return 0;
}

static int create_volume(const struct kind *k, json_t *object, const char *name, struct reply *r)
{
	json_t *spec = json_child(object, "spec");
	int n = check_modes(k, object, name, r);

	if (n == 0)
		n = check_capacity(k, object, name, r);
	if (n == 0)
		n = check_policy(k, object, name, r);
	if (n == 0)
		n = check_csi(k, object, name, r);
	if (n == 0 && !has_source(spec))
		n = reply_invalid(r, k, name, "spec", "Required value: must specify a volume type");
	if (n < 0)
		return n;
	put_default(spec, "volumeMode", "Filesystem");
	put_default(spec, "persistentVolumeReclaimPolicy", "Retain");
	meta_add_finalizer(object, FINALIZER_PV);
	return 0;
}

static bool one_of(const char *s, const char *a, const char *b)
{
	return streq_null(s, a) || streq_null(s, b);
}

static int create_class(const struct kind *k, json_t *object, const char *name, struct reply *r)
{
	if (str_empty(json_string_at(object, "provisioner", NULL)))
		return reply_invalid(r, k, name, "provisioner", "Required value");
	put_default(object, "reclaimPolicy", "Delete");
	if (!one_of(json_string_at(object, "reclaimPolicy", NULL), "Delete", "Retain"))
		return reply_invalid(r, k, name, "reclaimPolicy",
			"Unsupported value: supported values: \"Delete\", \"Retain\"");
	put_default(object, "volumeBindingMode", "Immediate");
	if (!one_of(json_string_at(object, "volumeBindingMode", NULL), "Immediate",
		    "WaitForFirstConsumer"))
		return reply_invalid(r, k, name, "volumeBindingMode",
			"Unsupported value: supported values: \"Immediate\", "
			"\"WaitForFirstConsumer\"");
	return 0;
}

int rules_storage_create(
	struct store *s, const struct kind *k, json_t *object, const char *name, struct reply *r)
{
	if (kind_is(k, KIND_PVC))
		return create_claim(s, k, object, name, r);
	if (kind_is(k, KIND_PV))
		return create_volume(k, object, name, r);
	if (kind_is(k, KIND_CLASS))
		return create_class(k, object, name, r);
	if (kind_is(k, KIND_EVENT))
		return rules_event(k, object, name, r);
	return rules_lease(k, object, name, r);
}

/* Whether a and b agree but for what kind-specific rules let change: those members are made equal
 * in copies first. */
static bool spec_kept(const json_t *now, const json_t *old, const char *const *free_members)
{
	_cleanup_json_ json_t *a = json_deep_copy(now), *b = json_deep_copy(old);

	for (; *free_members; free_members++) {
		(void)json_object_del(a, *free_members);
		(void)json_object_del(b, *free_members);
	}
	return json_equal(a, b);
}

static int check_resize(
	struct store *s, const json_t *object, const json_t *old, int64_t *ret_grown)
{
	const char *now = json_string_at(object, "spec", "resources", "requests", "storage", NULL);
	const char *was = json_string_at(old, "spec", "resources", "requests", "storage", NULL);
	const char *class_name = json_string_at(old, "spec", "storageClassName", NULL);
	_cleanup_json_ json_t *class = NULL;
	const struct revision *rev;
	int64_t a, b;

	*ret_grown = 0;
	if (!now || !was || parse_quantity(now, &a) < 0 || parse_quantity(was, &b) < 0)
		return -EINVAL;
	*ret_grown = a - b;
	if (a <= b)
		return 0;
	rev = class_name ? store_get(s, kind_get(KIND_CLASS), class_name) : NULL;
	class = rev ? revision_parse(rev) : NULL;
	return json_is_true(json_object_get(class, "allowVolumeExpansion")) ? 0 : -EPERM;
}

static int update_size(struct store *s, const struct kind *k, const json_t *object,
	const json_t *old, struct reply *r)
{
	const char *name = meta_string(old, "name");
	const char *has = json_string_at(old, "status", "capacity", "storage", NULL);
	const char *now = json_string_at(object, "spec", "resources", "requests", "storage", NULL);
	int64_t grown, a, b;
	int n = check_resize(s, object, old, &grown);

	if (n == -EINVAL)
		return reply_invalid(r, k, name, "spec.resources.requests.storage",
			"Invalid value: no quantity");
	if (grown == 0)
		return 0;
	if (!streq_null(json_string_at(old, "status", "phase", NULL), "Bound"))
		return reply_invalid(r, k, name, "spec", PVC_SPEC_FIXED);
	if (n == -EPERM)
		return reply_forbidden(r, k, name, PVC_RESIZE_REFUSED);
	if (grown < 0 &&
		(!has || parse_quantity(has, &b) < 0 || parse_quantity(now, &a) < 0 || a < b))
		return reply_invalid(r, k, name, "spec.resources.requests.storage",
			"Forbidden: field can not be less than status.capacity");
	return 0;
}

static int update_claim(
	struct store *s, const struct kind *k, json_t *object, const json_t *old, struct reply *r)
{
	static const char *const all[] = {
		"volumeName", "resources", "storageClassName", "volumeAttributesClassName", NULL};
	json_t *now = json_object_get(object, "spec"), *was = json_object_get(old, "spec");
	const char *name = meta_string(old, "name");
	const char *volume = json_string_at(was, "volumeName", NULL);
	const char *class = json_string_at(was, "storageClassName", NULL);
	int n;

	if (!str_empty(volume) && !streq_null(volume, json_string_at(now, "volumeName", NULL)))
		return reply_invalid(r, k, name, "spec", PVC_SPEC_FIXED);
	if (class && !streq_null(class, json_string_at(now, "storageClassName", NULL)))
		return reply_invalid(r, k, name, "spec", PVC_SPEC_FIXED);
	if (!spec_kept(now, was, all))
		return reply_invalid(r, k, name, "spec", PVC_SPEC_FIXED);
	n = update_size(s, k, object, old, r);
	return n;
}

static int update_volume(const struct kind *k, json_t *object, const json_t *old, struct reply *r)
{
	static const char *const source[] = {"csi", "nfs", "hostPath", "local"};
	json_t *now = json_object_get(object, "spec"), *was = json_object_get(old, "spec");
	const char *name = meta_string(old, "name");

	for (size_t i = 0; i < ELEMENTSOF(source); i++) {
		json_t *a = json_object_get(now, source[i]), *b = json_object_get(was, source[i]);

		if ((a || b) && !(a && b && json_equal(a, b)))
			return reply_invalid(r, k, name, "spec.persistentvolumesource",
				"Forbidden: spec.persistentvolumesource is immutable after "
				"creation");
	}
	if (!streq_null(json_string_at(now, "volumeMode", NULL),
		    json_string_at(was, "volumeMode", NULL)))
		return reply_invalid(r, k, name, "volumeMode", "Invalid value: field is immutable");
	return check_policy(k, object, name, r);
}

static int update_class(const struct kind *k, json_t *object, const json_t *old, struct reply *r)
{
	static const struct {
		const char *field, *why;
	} fixed[] = {{"parameters", "Invalid value: field is immutable"},
		{"provisioner", "Invalid value: field is immutable"},
		{"reclaimPolicy", "Invalid value: field is immutable"},
		{"volumeBindingMode", "Invalid value: field is immutable"}};

	for (size_t i = 0; i < ELEMENTSOF(fixed); i++) {
		json_t *a = json_object_get(object, fixed[i].field);
		json_t *b = json_object_get(old, fixed[i].field);

		if ((a || b) && !(a && b && json_equal(a, b)))
			return reply_invalid(
				r, k, meta_string(old, "name"), fixed[i].field, fixed[i].why);
	}
	return 0;
}

int rules_storage_update(
	struct store *s, const struct kind *k, json_t *object, const json_t *old, struct reply *r)
{
	if (kind_is(k, KIND_PVC))
		return update_claim(s, k, object, old, r);
	if (kind_is(k, KIND_PV))
		return update_volume(k, object, old, r);
	if (kind_is(k, KIND_CLASS))
		return update_class(k, object, old, r);
	return rules_lease(k, object, meta_string(old, "name"), r);
}
