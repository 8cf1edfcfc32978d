/* SPDX-License-Identifier: Apache-2.0 */
/* decode.c: walks a table beside a JSON object and fills a struct */
#include "data/decode.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/parse.h"
#include "base/str.h"

/* Tables may refer to themselves; JSON from data_json_load() is not deeper than this anyway. */
#define DECODE_DEPTH DATA_JSON_DEPTH
/* Longer paths lose their beginning; an err text is bounded too. */
#define DECODE_PATH_MAX 200

/* One object on the way from the root to the value at hand; lives on the stack. */
struct decode_level {
	const struct decode_level *parent;
	const json_t *object;
	const char *key; /* being decoded in object */
	struct decode_place *place;
	unsigned depth;
	struct err *e;
};

static size_t path_write(const struct decode_level *l, char *dst, size_t size)
{
	char key[96];
	size_t used = 0;
	int n;

	if (l->parent)
		used = path_write(l->parent, dst, size);
	if (!l->key)
		return used;
	n = snprintf(dst + used, size - used, "%s%s", used ? "." : "",
		str_escape(key, sizeof(key), l->key));
	return (size_t)n < size - used ? used + (size_t)n : used;
}

/* Remembers the place of a failure, which the innermost level knows best. */
static void place_note(const struct decode_level *l, bool missing)
{
	if (!l->place)
		return;
	l->place->object = l->object;
	l->place->key = missing ? NULL : l->key;
}

static _printf_(3, 4) int fail(const struct decode_level *l, int code, const char *fmt, ...)
{
	char path[DECODE_PATH_MAX] = "", text[128];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	place_note(l, false);
	(void)path_write(l, path, sizeof(path));
	return err_set(l->e, code, "%s%s%s", path, *path ? ": " : "", text);
}

static int fail_missing(const struct decode_level *l)
{
	char path[DECODE_PATH_MAX] = "";

	place_note(l, true);
	(void)path_write(l, path, sizeof(path));
	return err_set(l->e, EBADMSG, "%s: is missing", path);
}

static int get_string(const struct decode_level *l, const json_t *v, const char **ret)
{
	if (!json_is_string(v))
		return fail(l, EBADMSG, "must be a string");
	if (strlen(json_string_value(v)) != json_string_length(v))
		return fail(l, EBADMSG, "holds a NUL character");
	*ret = json_string_value(v);
	return 0;
}

static int get_integer(
	const struct decode_level *l, const json_t *v, int64_t min, int64_t max, int64_t *ret)
{
	int64_t n = json_integer_value(v);

	if (!json_is_integer(v))
		return fail(l, EBADMSG, "must be an integer");
	if (n < min || n > max)
		return fail(
			l, ERANGE, "must be between %lld and %lld", (long long)min, (long long)max);
	*ret = n;
	return 0;
}

static int get_unsigned(const struct decode_level *l, const json_t *v, unsigned *ret)
{
	int64_t n;
	int r = get_integer(l, v, 0, UINT_MAX, &n);

	if (r < 0)
		return r;
	*ret = (unsigned)n;
	return 0;
}

static int get_bool(const struct decode_level *l, const json_t *v, bool *ret)
{
	if (!json_is_boolean(v))
		return fail(l, EBADMSG, "must be true or false");
	*ret = json_is_true(v);
	return 0;
}

static int get_double(const struct decode_level *l, const json_t *v, double *ret)
{
	if (!json_is_number(v))
		return fail(l, EBADMSG, "must be a number");
	*ret = json_number_value(v);
	return 0;
}

static int get_quantity(const struct decode_level *l, const json_t *v, int64_t *ret)
{
	const char *text;
	int64_t n;
	int r;

	if (json_is_integer(v))
		return get_integer(l, v, 0, INT64_MAX, ret);
	r = get_string(l, v, &text);
	if (r < 0)
		return r;
	r = parse_quantity(text, &n);
	if (r == -ERANGE)
		return fail(l, ERANGE, "'%.40s' is negative or too large", text);
	if (r < 0)
		return fail(l, EBADMSG, "'%.40s' is not a quantity", text);
	*ret = n;
	return 0;
}

static int get_duration(const struct decode_level *l, const json_t *v, uint64_t *ret)
{
	const char *text;
	uint64_t ns;
	int r;

	if (!json_is_string(v))
		return fail(l, EBADMSG, "must be a duration such as 90s or 1h30m");
	r = get_string(l, v, &text);
	if (r < 0)
		return r;
	r = parse_duration(text, &ns);
	if (r == -ERANGE)
		return fail(l, ERANGE, "'%.40s' is negative or too long", text);
	if (r < 0)
		return fail(l, EBADMSG, "'%.40s' is not a duration such as 90s or 1h30m", text);
	*ret = ns;
	return 0;
}

static int get_uuid(const struct decode_level *l, const json_t *v, struct uuid *ret)
{
	const char *text;
	int r = get_string(l, v, &text);

	if (r < 0)
		return r;
	r = uuid_parse(text, ret);
	return r < 0 ? fail(l, EBADMSG, "'%.40s' is not a UUID", text) : 0;
}

static int get_custom(
	const struct decode_level *l, const struct decode_field *f, const json_t *v, void *target)
{
	char path[DECODE_PATH_MAX] = "";
	int r = f->custom(v, target, l->e);

	if (r >= 0)
		return 0;
	if (l->e && l->e->code == 0)
		return fail(l, r, "is not valid");
	place_note(l, false);
	(void)path_write(l, path, sizeof(path));
	(void)err_prefix(l->e, "%s", path);
	return r;
}

static int decode_object(const struct decode_level *parent, const struct decode_table *t,
	const json_t *object, void *target);

static int decode_value(
	const struct decode_level *l, const struct decode_field *f, const json_t *v, char *target)
{
	void *p = target + f->offset;

	switch (f->type) {
	case DECODE_STRING:
		return get_string(l, v, p);
	case DECODE_BOOL:
		return get_bool(l, v, p);
	case DECODE_I64:
		return get_integer(l, v, INT64_MIN, INT64_MAX, p);
	case DECODE_UNSIGNED:
		return get_unsigned(l, v, p);
	case DECODE_DOUBLE:
		return get_double(l, v, p);
	case DECODE_QUANTITY:
		return get_quantity(l, v, p);
	case DECODE_DURATION:
		return get_duration(l, v, p);
	case DECODE_UUID:
		return get_uuid(l, v, p);
	case DECODE_PRESENT:
		*(bool *)p = true;
		return 0;
	case DECODE_JSON:
		*(const json_t **)p = v;
		return 0;
	case DECODE_OBJECT:
		return decode_object(l, f->sub, v, p);
	case DECODE_CUSTOM:
		return get_custom(l, f, v, p);
	}
	return fail(l, EINVAL, "has no known type in its table");
}

static bool table_names(const struct decode_table *t, const char *key)
{
	for (size_t i = 0; i < t->n; i++)
		if (streq(t->fields[i].key, key))
			return true;
	return false;
}

static int refuse_unknown(
	struct decode_level *l, const struct decode_table *t, const json_t *object)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)object, key, v) {
		if (table_names(t, key))
			continue;
		l->key = key;
		return fail(l, EBADMSG, "is not a known key");
	}
	return 0;
}

static int decode_object(const struct decode_level *parent, const struct decode_table *t,
	const json_t *object, void *target)
{
	struct decode_level l = *parent;
	int r;

	if (!json_is_object(object))
		return fail(parent, EBADMSG, "must be an object");
	if (parent->depth >= DECODE_DEPTH)
		return fail(parent, E2BIG, "is nested too deeply");
	l.parent = parent;
	l.object = object;
	l.key = NULL;
	l.depth++;
	if (t->strict) {
		r = refuse_unknown(&l, t, object);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < t->n; i++) {
		const struct decode_field *f = &t->fields[i];
		const json_t *v = json_object_get(object, f->key);

		l.key = f->key;
		if (!v || json_is_null(v)) {
			if (f->flags & DECODE_REQUIRED)
				return fail_missing(&l);
			continue;
		}
		r = decode_value(&l, f, v, target);
		if (r < 0)
			return r;
	}
	return 0;
}

int decode_at(const struct decode_table *t, const json_t *object, void *target,
	struct decode_place *ret_place, struct err *e)
{
	struct decode_level root = {.object = object, .place = ret_place, .e = e};

	return decode_object(&root, t, object, target);
}

int decode(const struct decode_table *t, const json_t *object, void *target, struct err *e)
{
	return decode_at(t, object, target, NULL, e);
}
