/* SPDX-License-Identifier: Apache-2.0 */
/* patch.c: JSON patch and merge patch */
#include "tools/devapi/patch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "data/decode.h"

#define OPERATIONS_MAX 10000 /* apiserver: handlers/patch.go maxJSONPatchOperations */
#define SEGMENT_MAX 512      /* a key of a path: annotation keys have at most 317 bytes */

int patch_merge(json_t *target, const json_t *patch)
{
	const char *key;
	json_t *value;

	if (!json_is_object(patch) || !json_is_object(target))
		return -EINVAL;
	json_object_foreach ((json_t *)patch, key, value) {
		json_t *old = json_object_get(target, key);

		if (json_is_null(value)) {
			(void)json_object_del(target, key);
			continue;
		}
		if (!json_is_object(value)) {
			if (json_object_set(target, key, value) < 0)
				return -ENOMEM;
			continue;
		}
		if (!json_is_object(old)) {
			(void)json_object_set_new(target, key, json_object());
			old = json_object_get(target, key);
		}
		if (!old || patch_merge(old, value) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Where a JSON pointer leads: the container and the last segment in it. */
struct spot {
	json_t *container;
	char key[SEGMENT_MAX];
};

static int next_segment(const char **path, char dst[static SEGMENT_MAX])
{
	const char *p = *path;
	size_t n = 0;

	if (*p++ != '/')
		return -EINVAL;
	for (; *p && *p != '/'; p++) {
		if (n + 1 >= SEGMENT_MAX)
			return -EINVAL;
		if (*p == '~' && (p[1] == '0' || p[1] == '1'))
			dst[n++] = *++p == '0' ? '~' : '/';
		else
			dst[n++] = *p;
	}
	dst[n] = '\0';
	*path = p;
	return 0;
}

static int array_index(const json_t *array, const char *key, size_t *ret)
{
	uint64_t i;

	if (parse_u64(key, 0, json_array_size(array), &i) < 0)
		return -ENOENT;
	*ret = (size_t)i;
	return 0;
}

static json_t *child_at(const json_t *container, const char *key)
{
	size_t i;

	if (json_is_object(container))
		return json_object_get(container, key);
	if (json_is_array(container) && array_index(container, key, &i) == 0)
		return json_array_get(container, i);
	return NULL;
}

static int find_spot(json_t *root, const char *path, struct spot *s)
{
	s->container = root;
	if (next_segment(&path, s->key) < 0)
		return -EINVAL;
	while (*path) {
		s->container = child_at(s->container, s->key);
		if (!s->container)
			return -ENOENT;
		if (next_segment(&path, s->key) < 0)
			return -EINVAL;
	}
	return json_is_object(s->container) || json_is_array(s->container) ? 0 : -ENOENT;
}

static int spot_add(const struct spot *s, json_t *value)
{
	size_t i;

	if (json_is_object(s->container))
		return json_object_set(s->container, s->key, value) < 0 ? -ENOMEM : 0;
	if (streq(s->key, "-"))
		return json_array_append(s->container, value) < 0 ? -ENOMEM : 0;
	if (array_index(s->container, s->key, &i) < 0)
		return -ENOENT;
	return json_array_insert(s->container, i, value) < 0 ? -ENOMEM : 0;
}

static int spot_remove(const struct spot *s)
{
	size_t i;

	if (!child_at(s->container, s->key))
		return -ENOENT;
	if (json_is_object(s->container))
		return json_object_del(s->container, s->key);
	if (array_index(s->container, s->key, &i) < 0)
		return -ENOENT;
	return json_array_remove(s->container, i) < 0 ? -ENOENT : 0;
}

static int spot_replace(const struct spot *s, json_t *value)
{
	size_t i;

	/* The API server's library adds a member that is not there. */
	if (json_is_object(s->container))
		return json_object_set(s->container, s->key, value) < 0 ? -ENOMEM : 0;
	if (!child_at(s->container, s->key))
		return -ENOENT;
	if (array_index(s->container, s->key, &i) < 0)
		return -ENOENT;
	return json_array_set(s->container, i, value) < 0 ? -ENOMEM : 0;
}

/* A missing member equals null, as in the library that the API server uses. */
static int spot_test(const struct spot *s, const json_t *value)
{
	const json_t *there = child_at(s->container, s->key);

	if (!there)
		return json_is_null(value) ? 0 : -ENOENT;
	return json_equal(there, value) ? 0 : -ENOENT;
}

static int copy_or_move(json_t *root, const json_t *op, const struct spot *to, const char *name)
{
	const char *from_path = json_string_at(op, "from", NULL);
	_cleanup_json_ json_t *value = NULL;
	struct spot from;
	int r;

	if (!from_path)
		return -EINVAL;
	r = find_spot(root, from_path, &from);
	if (r < 0)
		return r;
	value = json_deep_copy(child_at(from.container, from.key));
	if (!value)
		return -ENOENT;
	if (streq(name, "move")) {
		r = spot_remove(&from);
		if (r < 0)
			return r;
	}
	return spot_add(to, value);
}

static int operate(json_t *root, const json_t *op)
{
	const char *name = json_string_at(op, "op", NULL);
	const char *path = json_string_at(op, "path", NULL);
	const json_t *given = json_object_get(op, "value");
	_cleanup_json_ json_t *value = given ? json_deep_copy(given) : json_null();
	struct spot s;
	int r;

	if (!name || !path)
		return -EINVAL;
	r = find_spot(root, path, &s);
	if (r == -ENOENT && streq(name, "test") && json_is_null(value))
		return 0;
	if (r < 0)
		return r;
	if (streq(name, "add"))
		return spot_add(&s, value);
	if (streq(name, "remove"))
		return spot_remove(&s);
	if (streq(name, "replace"))
		return spot_replace(&s, value);
	if (streq(name, "test"))
		return spot_test(&s, value);
	if (streq(name, "move") || streq(name, "copy"))
		return copy_or_move(root, op, &s, name);
	return -EINVAL;
}

int patch_json(json_t *target, const json_t *operations, struct err *e)
{
	size_t i;
	json_t *op;
	int r;

	if (!json_is_array(operations) || json_array_size(operations) > OPERATIONS_MAX)
		return err_set(
			e, EINVAL, "not a JSON patch of at most %d operations", OPERATIONS_MAX);
	json_array_foreach (operations, i, op) {
		r = operate(target, op);
		if (r < 0)
			return err_set(e, r, "operation %zu (%s %s) failed", i,
				str_or(json_string_at(op, "op", NULL), "?"),
				str_or(json_string_at(op, "path", NULL), "?"));
	}
	return 0;
}
