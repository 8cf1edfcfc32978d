/* SPDX-License-Identifier: Apache-2.0 */
/* json.c: JSON text in and out, with limits that jansson does not have */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "data/decode.h"

/* A walk over the text that knows strings from structure. */
struct scan {
	bool in_string;
	bool escaped;
	unsigned depth;
	unsigned depth_max;
	size_t values; /* not fewer than the values of the tree */
};

static void scan_structure(struct scan *s, char c)
{
	switch (c) {
	case '"':
		s->in_string = true;
		break;
	case '{':
	case '[':
		s->values++;
		if (++s->depth > s->depth_max)
			s->depth_max = s->depth;
		break;
	case '}':
	case ']':
		if (s->depth > 0)
			s->depth--;
		break;
	case ',':
		s->values++;
		break;
	default:
		break;
	}
}

static void scan_char(struct scan *s, char c)
{
	if (!s->in_string)
		scan_structure(s, c);
	else if (s->escaped)
		s->escaped = false;
	else if (c == '\\')
		s->escaped = true;
	else if (c == '"')
		s->in_string = false;
}

static int check_limits(const char *text, size_t size, struct err *e)
{
	struct scan s = {.depth = 0};

	if (size > DATA_JSON_MAX)
		return err_set(e, E2BIG, "JSON of %zu bytes, more than %u", size, DATA_JSON_MAX);
	for (size_t i = 0; i < size; i++)
		scan_char(&s, text[i]);
	if (s.depth_max > DATA_JSON_DEPTH)
		return err_set(e, E2BIG, "JSON nested deeper than %d", DATA_JSON_DEPTH);
	/* A scalar in a container costs no more than the container's bracket and the commas do. */
	if (s.values > DATA_JSON_VALUES)
		return err_set(e, E2BIG, "JSON of more than %u values", DATA_JSON_VALUES);
	return 0;
}

/* Every escape \u0000 becomes \ufffd; an escaped backslash before u0000 is no such escape. */
static void replace_nul_escapes(char *text, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++) {
		if (text[i] != '\\')
			continue;
		if (size - i >= 6 && memcmp(text + i + 1, "u0000", 5) == 0)
			memcpy(text + i + 2, "fffd", 4);
		i++;
	}
}

static int load_replaced(
	const char *text, size_t size, size_t flags, json_t **ret, json_error_t *error)
{
	_cleanup_free_ char *copy = malloc(size);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, size);
	replace_nul_escapes(copy, size);
	*ret = json_loadb(copy, size, flags, error);
	return 0;
}

static int load(const char *text, size_t size, size_t flags, json_t **ret, struct err *e)
{
	json_error_t error = {.line = 0};
	json_t *j;
	int r = check_limits(text, size, e);

	if (r < 0)
		return r;
	j = json_loadb(text, size, flags, &error);
	if (!j && json_error_code(&error) == json_error_null_byte_in_key) {
		r = load_replaced(text, size, flags, &j, &error);
		if (r < 0)
			return err_sys(e, r, "cannot read JSON");
	}
	if (!j && json_error_code(&error) == json_error_out_of_memory)
		return err_sys(e, ENOMEM, "cannot read JSON");
	if (!j)
		return err_set(e, EBADMSG, "JSON line %d column %d: %s", error.line, error.column,
			error.text);
	*ret = j;
	return 0;
}

int data_json_load(const char *text, size_t size, json_t **ret, struct err *e)
{
	return load(text, size, JSON_ALLOW_NUL, ret, e);
}

int data_json_load_strict(const char *text, size_t size, json_t **ret, struct err *e)
{
	return load(text, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, ret, e);
}

int data_json_dump(const json_t *json, char **ret, size_t *ret_size)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

	if (!text)
		return -ENOMEM;
	*ret = text;
	if (ret_size)
		*ret_size = strlen(text);
	return 0;
}

static const json_t *walk(const json_t *object, va_list ap)
{
	const char *key;

	while (object && (key = va_arg(ap, const char *)))
		object = json_object_get(object, key);
	return object;
}

const json_t *json_at(const json_t *object, ...)
{
	const json_t *found;
	va_list ap;

	va_start(ap, object);
	found = walk(object, ap);
	va_end(ap);
	return found;
}

const char *json_string_at(const json_t *object, ...)
{
	const json_t *found;
	va_list ap;

	va_start(ap, object);
	found = walk(object, ap);
	va_end(ap);
	return json_string_value(found);
}
