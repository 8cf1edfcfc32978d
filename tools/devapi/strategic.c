/* SPDX-License-Identifier: Apache-2.0 */
/* strategic.c: strategic merge patch, as far as the served kinds need it */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/patch.h"

/* Lists that are merged (k8s.io/api: patchMergeKey); "" is a list of plain values. Every other list
 * is replaced. */
static const struct {
	const char *field, *key;
} merged[] = {{"conditions", "type"}, {"finalizers", ""}, {"ownerReferences", "uid"},
	{"containers", "name"}, {"initContainers", "name"}, {"volumes", "name"}, {"env", "name"},
	{"volumeMounts", "mountPath"}, {"ports", "containerPort"}, {"imagePullSecrets", "name"},
	{"secrets", "name"}, {"taints", "key"}, {"addresses", "type"}, {"drivers", "name"},
	{"tolerations", "key"}};

static const char *merge_key(const char *field)
{
	for (size_t i = 0; i < ELEMENTSOF(merged); i++)
		if (streq(merged[i].field, field))
			return merged[i].key;
	return NULL;
}

static size_t index_of_value(const json_t *list, const json_t *value)
{
	size_t i;
	json_t *v;

	json_array_foreach (list, i, v)
		if (json_equal(v, value))
			return i;
	return SIZE_MAX;
}

static size_t index_of_item(const json_t *list, const char *key, const json_t *id)
{
	size_t i;
	json_t *v;

	json_array_foreach (list, i, v)
		if (id && json_equal(json_object_get(v, key), id))
			return i;
	return SIZE_MAX;
}

static void remove_values(json_t *list, const json_t *values)
{
	size_t i;
	json_t *v;

	json_array_foreach (values, i, v) {
		size_t at = index_of_value(list, v);

		if (at != SIZE_MAX)
			(void)json_array_remove(list, at);
	}
}

static bool asks(const json_t *item, const char *what)
{
	return streq_null(json_string_at(item, "$patch", NULL), what);
}

static int merge_item(json_t *list, const char *key, const json_t *item)
{
	size_t at = index_of_item(list, key, json_object_get(item, key));
	json_t *fresh;

	if (asks(item, "delete"))
		return at == SIZE_MAX ? 0 : json_array_remove(list, at);
	if (at != SIZE_MAX)
		return patch_strategic(json_array_get(list, at), item);
	fresh = json_object();
	if (json_array_append_new(list, fresh) < 0)
		return -ENOMEM;
	return patch_strategic(fresh, item);
}

static size_t index_of(const json_t *list, const char *key, const json_t *item)
{
	return *key ? index_of_item(list, key, json_object_get(item, key))
		    : index_of_value(list, item);
}

/*
 * normalizeElementOrder(): items of the patch in its order, the others in the order they had; of
 * two that were there before, the earlier stays before the other, else the patch's comes first.
 */
static void order_list(json_t *list, const char *key, const json_t *patch, const json_t *before)
{
	_cleanup_json_ json_t *others = json_array(), *theirs = json_array();
	size_t i, o = 0, t = 0;
	json_t *item;

	json_array_foreach (list, i, item)
		if (index_of(patch, key, item) == SIZE_MAX)
			(void)json_array_append(others, item);
	json_array_foreach (patch, i, item)
		if (index_of(list, key, item) != SIZE_MAX)
			(void)json_array_append(
				theirs, json_array_get(list, index_of(list, key, item)));
	(void)json_array_clear(list);
	while (o < json_array_size(others) || t < json_array_size(theirs)) {
		json_t *a = json_array_get(others, o), *b = json_array_get(theirs, t);
		size_t at_a = a ? index_of(before, key, a) : SIZE_MAX;
		size_t at_b = b ? index_of(before, key, b) : SIZE_MAX;

		if (!b || (a && at_b != SIZE_MAX && at_a < at_b)) {
			(void)json_array_append(list, a);
			o++;
		} else {
			(void)json_array_append(list, b);
			t++;
		}
	}
}

static int merge_list(json_t *list, const char *key, const json_t *patch)
{
	_cleanup_json_ json_t *before = json_copy(list);
	size_t i;
	json_t *item;

	json_array_foreach (patch, i, item) {
		if (asks(item, "replace")) {
			(void)json_array_clear(list);
			continue;
		}
		if (*key && merge_item(list, key, item) < 0)
			return -EINVAL;
		if (!*key && index_of_value(list, item) == SIZE_MAX)
			(void)json_array_append(list, item);
	}
	order_list(list, key, patch, before);
	return 0;
}

static json_t *child_of_type(json_t *target, const char *key, json_type type)
{
	json_t *old = json_object_get(target, key);

	if (old && json_typeof(old) == type)
		return old;
	(void)json_object_set_new(target, key, type == JSON_ARRAY ? json_array() : json_object());
	return json_object_get(target, key);
}

static int take_directive(json_t *target, const char *key, const json_t *value)
{
	const char *list = str_after(key, "$deleteFromPrimitiveList/");

	if (list)
		remove_values(json_object_get(target, list), value);
	return 0;
}

static int take_member(json_t *target, const char *key, json_t *value)
{
	if (*key == '$')
		return take_directive(target, key, value);
	if (json_is_null(value)) {
		(void)json_object_del(target, key);
		return 0;
	}
	if (json_is_object(value))
		return patch_strategic(child_of_type(target, key, JSON_OBJECT), value);
	if (json_is_array(value) && merge_key(key))
		return merge_list(child_of_type(target, key, JSON_ARRAY), merge_key(key), value);
	return json_object_set(target, key, value) < 0 ? -ENOMEM : 0;
}

int patch_strategic(json_t *target, const json_t *patch)
{
	const char *key;
	json_t *value;
	int r;

	if (!json_is_object(patch) || !json_is_object(target))
		return -EINVAL;
	if (asks(patch, "replace") || asks(patch, "delete"))
		(void)json_object_clear(target);
	if (asks(patch, "delete"))
		return 0;
	json_object_foreach ((json_t *)patch, key, value) {
		r = take_member(target, key, value);
		if (r < 0)
			return r;
	}
	return 0;
}
