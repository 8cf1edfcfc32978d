/* SPDX-License-Identifier: Apache-2.0 */
/* rules.c: what holds for every kind: names, labels, metadata, the two parts of an object */
#include "tools/devapi/rules.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/meta.h"
#include "tools/devapi/rules_storage.h"

static bool is_dns(const char *s, bool dots)
{
	size_t n = strlen(s);

	if (n == 0 || n > (dots ? 253 : 63) || !isalnum((unsigned char)s[0]) ||
		!isalnum((unsigned char)s[n - 1]))
		return false;
	for (; *s; s++)
		if (!(islower((unsigned char)*s) || isdigit((unsigned char)*s) || *s == '-' ||
			    (dots && *s == '.')))
			return false;
	return true;
}

static bool is_label_value(const char *s)
{
	size_t n = strlen(s);

	if (n == 0)
		return true;
	if (n > 63 || !isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[n - 1]))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("-_.", *s))
			return false;
	return true;
}

static bool name_is_free(const struct kind *k)
{
	return streq(k->group, "rbac.authorization.k8s.io");
}

static int check_name(const struct kind *k, const char *name, struct reply *r)
{
	char why[512];

	if (name_is_free(k) || is_dns(name, !kind_is(k, KIND_NAMESPACE)))
		return 0;
	(void)snprintf(why, sizeof(why),
		"Invalid value: \"%.256s\": a lowercase RFC 1123 subdomain must consist of lower "
		"case alphanumeric characters, '-' or '.', and must start and end with an "
		"alphanumeric character",
		name);
	return reply_invalid(r, k, name, "metadata.name", why);
}

static int check_labels(
	const struct kind *k, const json_t *object, const char *name, struct reply *r)
{
	json_t *labels = json_object_get(json_object_get(object, "metadata"), "labels"), *v;
	const char *key;
	char why[512];

	json_object_foreach (labels, key, v) {
		if (json_is_string(v) && is_label_value(json_string_value(v)))
			continue;
		(void)snprintf(why, sizeof(why),
			"Invalid value: \"%.256s\": a valid label must be an empty string or "
			"consist of alphanumeric characters, '-', '_' or '.', and must start and "
			"end with an alphanumeric character",
			str_or(json_string_value(v), ""));
		return reply_invalid(r, k, name, "metadata.labels", why);
	}
	return 0;
}

static void reset_status(const struct kind *k, json_t *object)
{
	if (!(k->flags & KIND_STATUS) || streq(k->plural, "nodes"))
		return;
	(void)json_object_del(object, "status");
	if (kind_is(k, KIND_PVC) || kind_is(k, KIND_PV) || kind_is(k, KIND_POD))
		(void)json_put_string(json_child(object, "status"), "phase", "Pending");
	if (kind_is(k, KIND_PV))
		meta_phase_changed(object);
	if (kind_is(k, KIND_NAMESPACE)) {
		(void)json_put_string(json_child(object, "status"), "phase", "Active");
		(void)json_object_set_new(
			json_child(object, "spec"), "finalizers", json_pack("[s]", "kubernetes"));
	}
	if (kind_is(k, KIND_CRD))
		(void)json_object_set_new(json_child(object, "status"), "conditions",
			json_pack("[{s:s,s:s},{s:s,s:s}]", "type", "NamesAccepted", "status",
				"True", "type", "Established", "status", "True"));
}

/* validateKubeFinalizerName: built-in kinds take qualified names and Kubernetes' own. */
static int check_finalizer_names(
	const struct kind *k, const json_t *object, const char *name, struct reply *r)
{
	const json_t *list = json_at(object, "metadata", "finalizers", NULL);
	char field[64];
	size_t i;
	json_t *v;

	json_array_foreach (list, i, v) {
		const char *text = str_or(json_string_value(v), "");

		if ((k->flags & KIND_CUSTOM) || strchr(text, '/') || streq(text, "kubernetes") ||
			streq(text, "orphan") || streq(text, "foregroundDeletion"))
			continue;
		(void)snprintf(field, sizeof(field), "metadata.finalizers[%zu]", i);
		return reply_invalid(r, k, name, field,
			"Invalid value: name is neither a standard finalizer name nor is it fully "
			"qualified");
	}
	return 0;
}

int rules_create(
	struct store *s, const struct kind *k, json_t *object, const char *name, struct reply *r)
{
	int n = check_name(k, name, r);

	if (n == 0)
		n = check_labels(k, object, name, r);
	if (n == 0)
		n = check_finalizer_names(k, object, name, r);
	if (n < 0)
		return n;
	reset_status(k, object);
	return rules_storage_create(s, k, object, name, r);
}

/* metadata of a write: absent identity is filled in, another is refused (ValidateObjectMetaUpdate).
 */
static int keep_identity(const struct kind *k, json_t *object, const json_t *old, struct reply *r)
{
	static const char *const fixed[] = {"uid", "name", "namespace", "creationTimestamp"};
	const char *name = meta_string(old, "name");
	json_t *meta = meta_of(object);
	char field[64], why[256];

	for (size_t i = 0; i < ELEMENTSOF(fixed); i++) {
		const char *was = meta_string(old, fixed[i]), *is = meta_string(object, fixed[i]);

		if (!was || streq_null(was, is))
			continue;
		if (is && *is && !streq(fixed[i], "creationTimestamp")) {
			(void)snprintf(field, sizeof(field), "metadata.%s", fixed[i]);
			(void)snprintf(why, sizeof(why),
				"Invalid value: \"%.128s\": field is immutable", is);
			return reply_invalid(r, k, name, field, why);
		}
		(void)json_put_string(meta, fixed[i], was);
	}
	return 0;
}

static void keep_member(json_t *object, const json_t *old, const char *key)
{
	json_t *was = json_object_get(old, key);

	if (was)
		(void)json_object_set(object, key, was);
	else
		(void)json_object_del(object, key);
}

static int check_finalizers(
	const struct kind *k, json_t *object, const json_t *old, struct reply *r)
{
	json_t *now = json_object_get(meta_of(object), "finalizers"), *v;
	size_t i;

	if (meta_deleting(old))
		json_array_foreach (now, i, v)
			if (!meta_has_finalizer(old, str_or(json_string_value(v), "")))
				return reply_invalid(r, k, meta_string(old, "name"),
					"metadata.finalizers",
					"Forbidden: no new finalizers can be added if the object "
					"is being deleted");
	if (json_is_array(now) && json_array_size(now) == 0)
		(void)json_object_del(meta_of(object), "finalizers");
	return check_finalizer_names(k, object, meta_string(old, "name"), r);
}

static int keep_metadata(const struct kind *k, json_t *object, const json_t *old, struct reply *r)
{
	json_t *meta = meta_of(object), *was = json_object_get(old, "metadata");
	int n = keep_identity(k, object, old, r);

	if (n < 0)
		return n;
	keep_member(meta, was, "deletionTimestamp");
	keep_member(meta, was, "deletionGracePeriodSeconds");
	keep_member(meta, was, "generation");
	keep_member(meta, was, "generateName");
	(void)json_object_del(meta, "managedFields");
	n = check_finalizers(k, object, old, r);
	return n < 0 ? n : check_labels(k, object, meta_string(old, "name"), r);
}

static bool spec_differs(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *v;

	if (json_object_size(a) != json_object_size(b))
		return true;
	json_object_foreach ((json_t *)a, key, v)
		if (!streq(key, "metadata") && !streq(key, "status") && !streq(key, "kind") &&
			!streq(key, "apiVersion") && !json_equal(v, json_object_get(b, key)))
			return true;
	return false;
}

static void count_generation(const struct kind *k, json_t *object, const json_t *old)
{
	json_t *was = json_object_get(json_object_get(old, "metadata"), "generation");

	if ((k->flags & KIND_GENERATION) && spec_differs(object, old))
		(void)json_object_set_new(
			meta_of(object), "generation", json_integer(json_integer_value(was) + 1));
}

/* /status of a custom resource takes nothing but status; of built-in kinds metadata too. */
static void keep_all_but_status(const struct kind *k, json_t *object, const json_t *old)
{
	const char *key;
	json_t *v;
	void *next;

	json_object_foreach_safe (object, next, key, v)
		if (!streq(key, "metadata") && !streq(key, "status"))
			(void)json_object_del(object, key);
	json_object_foreach ((json_t *)old, key, v)
		if (!streq(key, "metadata") && !streq(key, "status"))
			(void)json_object_set(object, key, v);
	if (k->flags & KIND_CUSTOM)
		keep_member(object, old, "metadata");
}

static void note_phase(const struct kind *k, json_t *object, const json_t *old)
{
	if (kind_is(k, KIND_PV) && !streq_null(json_string_at(object, "status", "phase", NULL),
					   json_string_at(old, "status", "phase", NULL)))
		meta_phase_changed(object);
}

int rules_update(struct store *s, const struct kind *k, json_t *object, const json_t *old,
	enum write_part part, struct reply *r)
{
	struct reply also = {.code = 0};
	int n = keep_metadata(k, object, old, r);

	/* A claim's validation goes on to its spec. */
	if (n < 0 && kind_is(k, KIND_PVC) && part == WRITE_MAIN && r->code == 422 &&
		rules_storage_update(s, k, object, old, &also) < 0)
		reply_add_cause(r, &also);
	reply_done(&also);
	if (n < 0)
		return n;
	switch (part) {
	case WRITE_STATUS:
		keep_all_but_status(k, object, old);
		note_phase(k, object, old);
		return 0;
	case WRITE_MAIN:
		if (k->flags & KIND_STATUS)
			keep_member(object, old, "status");
		count_generation(k, object, old);
		return rules_storage_update(s, k, object, old, r);
	}
	return -EINVAL;
}
