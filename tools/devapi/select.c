/* SPDX-License-Identifier: Apache-2.0 */
/* select.c: field and label selectors */
#include "tools/devapi/select.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "data/decode.h"

static int copy_part(char *dst, size_t size, const char *from, size_t n)
{
	if (n >= size)
		return -EINVAL;
	memcpy(dst, from, n);
	dst[n] = '\0';
	return 0;
}

static int parse_term(const char *text, size_t n, struct term *t)
{
	const char *eq = memchr(text, '=', n);
	size_t key, skip;

	*t = (struct term){.exists = !eq};
	if (!eq) {
		t->negated = n > 0 && *text == '!';
		return copy_part(t->key, sizeof(t->key), text + t->negated, n - t->negated);
	}
	key = (size_t)(eq - text);
	t->negated = key > 0 && eq[-1] == '!';
	skip = key + 1 < n && eq[1] == '=' ? 2 : 1;
	if (copy_part(t->key, sizeof(t->key), text, key - t->negated) < 0)
		return -EINVAL;
	return copy_part(t->value, sizeof(t->value), eq + skip, n - key - skip);
}

/* "key in (a,b)" and "key notin (a,b)"; the values keep their commas. */
static int parse_set(const char *text, size_t n, struct term *t)
{
	const char *open = memchr(text, '(', n);
	const char *space = memchr(text, ' ', n);

	*t = (struct term){.set = true};
	if (!open || !space || space > open || text[n - 1] != ')')
		return -EINVAL;
	if (copy_part(t->key, sizeof(t->key), text, (size_t)(space - text)) < 0)
		return -EINVAL;
	if (str_after(space, " notin ("))
		t->negated = true;
	else if (!str_after(space, " in ("))
		return -EINVAL;
	return copy_part(t->value, sizeof(t->value), open + 1, n - (size_t)(open + 1 - text) - 1);
}

/* Up to the comma that ends the term, not one within parentheses. */
static size_t term_length(const char *text)
{
	bool inside = false;
	size_t n = 0;

	for (; text[n] && (inside || text[n] != ','); n++) {
		if (text[n] == '(')
			inside = true;
		if (text[n] == ')')
			inside = false;
	}
	return n;
}

static bool is_label_key(const struct term *t)
{
	const char *key = t->key;

	for (; *key; key++)
		if (!isalnum((unsigned char)*key) && !strchr("-_./", *key))
			return false;
	return *t->key && !strpbrk(t->value, t->set ? "=!" : "=! ");
}

static int parse_terms(const char *text, struct term *terms, size_t *n_terms)
{
	while (*text) {
		size_t n = term_length(text);
		struct term *t = &terms[*n_terms];

		if (*n_terms == SELECT_TERMS_MAX)
			return -EINVAL;
		if ((memchr(text, '(', n) ? parse_set(text, n, t) : parse_term(text, n, t)) < 0 ||
			!is_label_key(t))
			return -EINVAL;
		(*n_terms)++;
		text += n;
		while (*text == ',' || *text == ' ')
			text++;
	}
	return 0;
}

static bool field_is_known(const struct kind *k, const char *key)
{
	static const char *const pods[] = {"spec.nodeName", "status.phase", "spec.schedulerName"};
	static const char *const events[] = {"reason", "type", "source", "reportingComponent"};

	if (kind_is(k, KIND_POD))
		for (size_t i = 0; i < ELEMENTSOF(pods); i++)
			if (streq(pods[i], key))
				return true;
	if (kind_is(k, KIND_EVENT))
		for (size_t i = 0; i < ELEMENTSOF(events); i++)
			if (streq(events[i], key))
				return true;
	return kind_is(k, KIND_EVENT) && str_after(key, "involvedObject.");
}

int select_parse_fields(struct selection *s, const char *text)
{
	size_t kept = 0;

	if (parse_terms(text, s->fields, &s->n_fields) < 0)
		return -EINVAL;
	for (size_t i = 0; i < s->n_fields; i++) {
		struct term *t = &s->fields[i];

		if (streq(t->key, "metadata.name") && !t->negated && !*s->name) {
			if (str_copy(s->name, sizeof(s->name), t->value) < 0)
				return -EINVAL;
		} else if (streq(t->key, "metadata.namespace") && !t->negated && !*s->ns) {
			if (str_copy(s->ns, sizeof(s->ns), t->value) < 0)
				return -EINVAL;
		} else if (field_is_known(s->kind, t->key) || str_after(t->key, "metadata.name")) {
			s->fields[kept++] = *t;
		} else {
			return -EINVAL;
		}
	}
	s->n_fields = kept;
	return 0;
}

int select_parse_labels(struct selection *s, const char *text)
{
	return parse_terms(text, s->labels, &s->n_labels);
}

static const char *field_value(const json_t *object, const char *path)
{
	char part[128];

	while (object && *path) {
		size_t n = strcspn(path, ".");

		if (copy_part(part, sizeof(part), path, n) < 0)
			return NULL;
		object = json_object_get(object, part);
		path += n;
		path += *path == '.';
	}
	return json_string_value(object);
}

static bool in_set(const char *set, const char *value)
{
	size_t size = strlen(value);

	while (*set) {
		size_t n = strcspn(set, ",");

		if (n == size && memcmp(set, value, n) == 0)
			return true;
		set += n;
		while (*set == ',' || *set == ' ')
			set++;
	}
	return false;
}

static bool terms_match(const struct selection *s, const json_t *object)
{
	const json_t *labels = json_at(object, "metadata", "labels", NULL);

	for (size_t i = 0; i < s->n_fields; i++)
		if (streq(str_or(field_value(object, s->fields[i].key), ""), s->fields[i].value) ==
			s->fields[i].negated)
			return false;
	for (size_t i = 0; i < s->n_labels; i++) {
		const struct term *t = &s->labels[i];
		const char *v = json_string_at(labels, t->key, NULL);
		bool holds = t->exists ? v != NULL
			     : t->set  ? v && in_set(t->value, v)
				       : streq_null(v, t->value);

		if (holds == t->negated)
			return false;
	}
	return true;
}

bool select_matches(const struct selection *s, const struct revision *r)
{
	_cleanup_json_ json_t *object = NULL;

	if (r->kind != s->kind)
		return false;
	if (*s->ns && (strlen(s->ns) != r->ns_len || memcmp(s->ns, r->key, r->ns_len) != 0))
		return false;
	if (*s->name && !streq(s->name, r->name))
		return false;
	if (s->n_fields + s->n_labels == 0)
		return true;
	object = revision_parse(r);
	return object && terms_match(s, object);
}
