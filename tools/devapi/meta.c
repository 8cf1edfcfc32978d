/* SPDX-License-Identifier: Apache-2.0 */
/* meta.c: ObjectMeta as the API server keeps it */
#include "tools/devapi/meta.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/str.h"
#include "data/decode.h"

json_t *json_child(json_t *object, const char *key)
{
	json_t *child = json_object_get(object, key);

	if (json_is_object(child))
		return child;
	(void)json_object_set_new(object, key, json_object());
	return json_object_get(object, key);
}

int json_put_string(json_t *object, const char *key, const char *value)
{
	return json_object_set_new(object, key, json_string(value));
}

json_t *meta_of(json_t *object)
{
	return json_child(object, "metadata");
}

const char *meta_string(const json_t *object, const char *key)
{
	return json_string_at(object, "metadata", key, NULL);
}

const char *meta_annotation(const json_t *object, const char *key)
{
	return json_string_at(object, "metadata", "annotations", key, NULL);
}

void meta_annotate(json_t *object, const char *key, const char *value)
{
	json_t *annotations = json_child(meta_of(object), "annotations");

	if (value)
		(void)json_put_string(annotations, key, value);
	else
		(void)json_object_del(annotations, key);
	if (json_object_size(annotations) == 0)
		(void)json_object_del(meta_of(object), "annotations");
}

bool meta_deleting(const json_t *object)
{
	return meta_string(object, "deletionTimestamp") != NULL;
}

static json_t *finalizers(const json_t *object)
{
	return json_object_get(json_object_get(object, "metadata"), "finalizers");
}

static bool has_finalizers(const json_t *object)
{
	return json_array_size(finalizers(object)) > 0;
}

static size_t finalizer_index(const json_t *object, const char *name)
{
	size_t i;
	json_t *v;

	json_array_foreach (finalizers(object), i, v)
		if (streq_null(json_string_value(v), name))
			return i;
	return SIZE_MAX;
}

bool meta_has_finalizer(const json_t *object, const char *name)
{
	return finalizer_index(object, name) != SIZE_MAX;
}

void meta_add_finalizer(json_t *object, const char *name)
{
	if (meta_has_finalizer(object, name))
		return;
	if (!json_is_array(finalizers(object)))
		(void)json_object_set_new(meta_of(object), "finalizers", json_array());
	(void)json_array_append_new(finalizers(object), json_string(name));
}

void meta_remove_finalizer(json_t *object, const char *name)
{
	size_t i = finalizer_index(object, name);

	if (i == SIZE_MAX)
		return;
	(void)json_array_remove(finalizers(object), i);
	if (!has_finalizers(object))
		(void)json_object_del(meta_of(object), "finalizers");
}

char *meta_key(char dst[static META_KEY_MAX], const char *ns, const char *name)
{
	(void)snprintf(dst, META_KEY_MAX, "%s%s%s", ns, *ns ? "/" : "", name);
	return dst;
}

static void put_time(json_t *meta, const char *key)
{
	char text[CLOCK_TEXT_MAX];

	(void)json_put_string(meta, key, clock_format(clock_real(), text));
}

/* Go's omitempty. */
static void drop_empty(json_t *object)
{
	static const char *const maps[] = {"labels", "annotations"};

	for (size_t i = 0; i < ELEMENTSOF(maps); i++) {
		const json_t *v = json_object_get(meta_of(object), maps[i]);

		if (v && json_object_size(v) == 0)
			(void)json_object_del(meta_of(object), maps[i]);
	}
	if (json_object_get(meta_of(object), "finalizers") && !has_finalizers(object))
		(void)json_object_del(meta_of(object), "finalizers");
}

void meta_create(const struct kind *k, json_t *object, const char *ns, const char *name)
{
	static const char *const not_theirs[] = {"resourceVersion", "selfLink", "managedFields",
		"deletionTimestamp", "deletionGracePeriodSeconds", "generation"};
	json_t *meta = meta_of(object);
	char text[UUID_TEXT_MAX];
	struct uuid uid;

	for (size_t i = 0; i < ELEMENTSOF(not_theirs); i++)
		(void)json_object_del(meta, not_theirs[i]);
	(void)json_put_string(meta, "name", name);
	if (*ns)
		(void)json_put_string(meta, "namespace", ns);
	else
		(void)json_object_del(meta, "namespace");
	drop_empty(object);
	uuid_random(&uid);
	(void)json_put_string(meta, "uid", uuid_format(&uid, text));
	put_time(meta, "creationTimestamp");
	if (k->flags & KIND_GENERATION)
		(void)json_object_set_new(meta, "generation", json_integer(1));
}

void meta_generate_name(char dst[static META_NAME_MAX], const char *prefix)
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	char tail[6];

	for (size_t i = 0; i < 5; i++)
		tail[i] = letters[random_below(sizeof(letters) - 1)];
	tail[5] = '\0';
	(void)snprintf(dst, META_NAME_MAX, "%.240s%s", prefix, tail);
}

void meta_phase_changed(json_t *volume)
{
	put_time(json_child(volume, "status"), "lastPhaseTransitionTime");
}

static void mark_deleted(json_t *object)
{
	json_t *meta = meta_of(object);
	json_t *generation = json_object_get(meta, "generation");

	if (generation)
		(void)json_integer_set(generation, json_integer_value(generation) + 1);
	put_time(meta, "deletionTimestamp");
	(void)json_object_set_new(meta, "deletionGracePeriodSeconds", json_integer(0));
}

/* A namespace is held by spec.finalizers until it is empty. */
static bool is_held(const struct kind *k, const json_t *object)
{
	return has_finalizers(object) ||
	       (kind_is(k, KIND_NAMESPACE) &&
		       json_array_size(json_at(object, "spec", "finalizers", NULL)) > 0);
}

int object_update(struct store *s, const struct kind *k, const char *key, json_t *object)
{
	_cleanup_json_ json_t *last = NULL;
	int r;

	drop_empty(object);
	if (!meta_deleting(object) || is_held(k, object))
		return store_commit(s, CHANGE_MODIFIED, k, key, object);
	/* The API server deletes what it has; the write that let go is never stored. */
	last = revision_parse(store_get(s, k, key));
	r = last ? store_commit(s, CHANGE_DELETED, k, key, last) : -ENOMEM;
	return r < 0 ? r : 1;
}

int object_delete(struct store *s, const struct kind *k, const char *key)
{
	const struct revision *rev = store_get(s, k, key);
	_cleanup_json_ json_t *object = rev ? revision_parse(rev) : NULL;
	int r;

	if (!object)
		return rev ? -ENOMEM : -ENOENT;
	if (!is_held(k, object)) {
		r = store_commit(s, CHANGE_DELETED, k, key, object);
		return r < 0 ? r : 1;
	}
	if (meta_deleting(object))
		return 0;
	mark_deleted(object);
	if (kind_is(k, KIND_NAMESPACE))
		(void)json_put_string(json_child(object, "status"), "phase", "Terminating");
	return object_update(s, k, key, object);
}
