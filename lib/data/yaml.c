/* SPDX-License-Identifier: Apache-2.0 */
/* yaml.c: libyaml's events become JSON values that remember their lines */
#include "data/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "data/yaml_scalar.h"

/* Where a member of a mapping or an item of a list stood. jansson's true, false and null are shared
 * by all documents, so that a value alone does not name its place. */
struct place {
	const json_t *container;
	const char *key; /* NULL: an item of a list, or the root */
	const json_t *value;
	unsigned line;
};

struct yaml_doc {
	char *file;
	json_t *root;
	struct place *places;
	size_t n_places, cap_places;
};

/* One open mapping or list. */
struct level {
	json_t *container; /* borrowed from the tree under root */
	char *key; /* mapping: the key whose value comes next, NULL where a key comes next */
	unsigned key_line;
};

struct build {
	struct yaml_doc *d;
	yaml_parser_t parser;
	struct level stack[YAML_DEPTH];
	unsigned depth;
	unsigned documents;
	struct err *e;
};

struct yaml_doc *yaml_doc_free(struct yaml_doc *d)
{
	if (!d)
		return NULL;
	free(d->file);
	json_decref(d->root);
	free(d->places);
	free(d);
	return NULL;
}

const json_t *yaml_root(const struct yaml_doc *d)
{
	return d->root;
}

static _printf_(4, 5) int fail(const struct build *b, int code, unsigned line, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(b->e, code, "%s:%u: %s", b->d->file, line, text);
}

static unsigned event_line(const yaml_event_t *ev)
{
	return (unsigned)ev->start_mark.line + 1;
}

static int place_add(struct build *b, const struct place *p)
{
	struct yaml_doc *d = b->d;
	struct place *grown;
	size_t cap;

	if (d->n_places >= YAML_NODES_MAX)
		return fail(b, E2BIG, p->line, "more than %d values", YAML_NODES_MAX);
	if (d->n_places == d->cap_places) {
		cap = d->cap_places ? d->cap_places * 2 : 32;
		grown = reallocarray(d->places, cap, sizeof(*grown));
		if (!grown)
			return fail(b, ENOMEM, p->line, "out of memory");
		d->places = grown;
		d->cap_places = cap;
	}
	d->places[d->n_places++] = *p;
	return 0;
}

/* The key as the tree holds it, which lives as long as the tree. */
static const char *key_in_tree(json_t *object, const char *key)
{
	return json_object_iter_key(json_object_iter_at(object, key));
}

/* Puts value (consumed) where the document says: root, list or under the key that came before. */
static int put(struct build *b, json_t *value, unsigned line)
{
	struct level *top = b->depth > 0 ? &b->stack[b->depth - 1] : NULL;
	struct place p = {.value = value, .line = line};
	int r;

	if (!value)
		return fail(b, ENOMEM, line, "out of memory");
	if (!top) {
		b->d->root = value;
		return place_add(b, &p);
	}
	p.container = top->container;
	if (json_is_array(top->container)) {
		r = json_array_append_new(top->container, value);
	} else {
		r = json_object_set_new(top->container, top->key, value);
		p.line = top->key_line;
		if (r == 0)
			p.key = key_in_tree(top->container, top->key);
		free(TAKE_PTR(top->key));
	}
	return r < 0 ? fail(b, ENOMEM, line, "out of memory") : place_add(b, &p);
}

static bool expects_key(const struct build *b)
{
	const struct level *top = b->depth > 0 ? &b->stack[b->depth - 1] : NULL;

	return top && json_is_object(top->container) && !top->key;
}

static int open_container(struct build *b, json_t *container, unsigned line)
{
	int r;

	if (expects_key(b)) {
		json_decref(container);
		return fail(b, EBADMSG, line, "a key must be a plain word");
	}
	if (b->depth >= YAML_DEPTH) {
		json_decref(container);
		return fail(b, E2BIG, line, "nested deeper than %d", YAML_DEPTH);
	}
	r = put(b, container, line);
	if (r < 0)
		return r;
	b->stack[b->depth++] = (struct level){.container = container};
	return 0;
}

static int take_key(struct build *b, const yaml_event_t *ev)
{
	struct level *top = &b->stack[b->depth - 1];
	const char *text = (const char *)ev->data.scalar.value;
	size_t size = ev->data.scalar.length;
	char shown[64];

	if (memchr(text, '\0', size))
		return fail(b, EBADMSG, event_line(ev), "a key holds a NUL character");
	if (streq(text, "<<") && ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return fail(b, EBADMSG, event_line(ev), "merge keys (<<) are not supported");
	if (json_object_get(top->container, text))
		return fail(b, EBADMSG, event_line(ev), "key '%s' is there twice",
			str_escape(shown, sizeof(shown), text));
	top->key = strdup(text);
	if (!top->key)
		return fail(b, ENOMEM, event_line(ev), "out of memory");
	top->key_line = event_line(ev);
	return 0;
}

static int take_scalar(struct build *b, const yaml_event_t *ev)
{
	const char *tag = (const char *)ev->data.scalar.tag;
	json_t *value;
	int r;

	if (ev->data.scalar.anchor)
		return fail(b, EBADMSG, event_line(ev), "anchors are not supported");
	if (tag)
		return fail(b, EBADMSG, event_line(ev), "tags are not supported");
	if (expects_key(b))
		return take_key(b, ev);
	r = yaml_scalar_to_json((const char *)ev->data.scalar.value, ev->data.scalar.length,
		ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE, &value);
	if (r == -ERANGE)
		return fail(b, ERANGE, event_line(ev), "a number out of range");
	if (r < 0)
		return fail(b, r, event_line(ev), "%s",
			r == -EBADMSG ? "a number that is not finite" : "out of memory");
	return put(b, value, event_line(ev));
}

static int close_container(struct build *b)
{
	b->depth--;
	return 0;
}

static int take_mapping(struct build *b, const yaml_event_t *ev)
{
	if (ev->data.mapping_start.anchor)
		return fail(b, EBADMSG, event_line(ev), "anchors are not supported");
	if (ev->data.mapping_start.tag)
		return fail(b, EBADMSG, event_line(ev), "tags are not supported");
	return open_container(b, json_object(), event_line(ev));
}

static int take_sequence(struct build *b, const yaml_event_t *ev)
{
	if (ev->data.sequence_start.anchor)
		return fail(b, EBADMSG, event_line(ev), "anchors are not supported");
	if (ev->data.sequence_start.tag)
		return fail(b, EBADMSG, event_line(ev), "tags are not supported");
	return open_container(b, json_array(), event_line(ev));
}

/* 1 at the end of the stream. */
static int take_event(struct build *b, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	case YAML_DOCUMENT_START_EVENT:
		if (b->documents++ > 0)
			return fail(b, EBADMSG, event_line(ev), "a second document");
		return 0;
	case YAML_ALIAS_EVENT:
		return fail(b, EBADMSG, event_line(ev), "aliases are not supported");
	case YAML_SCALAR_EVENT:
		return take_scalar(b, ev);
	case YAML_SEQUENCE_START_EVENT:
		return take_sequence(b, ev);
	case YAML_MAPPING_START_EVENT:
		return take_mapping(b, ev);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_container(b);
	}
	return 0;
}

static int fail_parser(const struct build *b)
{
	const yaml_parser_t *p = &b->parser;

	if (p->error == YAML_MEMORY_ERROR)
		return fail(b, ENOMEM, 0, "out of memory");
	return fail(b, EBADMSG, (unsigned)p->problem_mark.line + 1, "%s",
		str_or(p->problem, "not YAML"));
}

static int build_all(struct build *b)
{
	yaml_event_t ev;
	int r;

	do {
		if (!yaml_parser_parse(&b->parser, &ev))
			return fail_parser(b);
		r = take_event(b, &ev);
		yaml_event_delete(&ev);
	} while (r == 0);
	return r < 0 ? r : 0;
}

static int build_run(struct build *b, const char *text, size_t size)
{
	int r;

	if (!yaml_parser_initialize(&b->parser))
		return fail(b, ENOMEM, 0, "out of memory");
	yaml_parser_set_input_string(&b->parser, (const unsigned char *)text, size);
	r = build_all(b);
	for (unsigned i = 0; i < YAML_DEPTH; i++)
		free(b->stack[i].key);
	yaml_parser_delete(&b->parser);
	if (r < 0)
		return r;
	if (!b->d->root)
		return put(b, json_null(), 1);
	return 0;
}

int yaml_load(
	struct yaml_doc **ret, const char *file_name, const char *text, size_t size, struct err *e)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *d = calloc(1, sizeof(*d));
	struct build b = {.d = d, .e = e};
	int r;

	if (!d)
		return err_sys(e, ENOMEM, "%s", file_name);
	d->file = strdup(file_name);
	if (!d->file)
		return err_sys(e, ENOMEM, "%s", file_name);
	if (size > YAML_FILE_MAX)
		return err_set(
			e, E2BIG, "%s: %zu bytes, more than %u", file_name, size, YAML_FILE_MAX);
	r = build_run(&b, text, size);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(d);
	return 0;
}

int yaml_load_file(struct yaml_doc **ret, const char *path, struct err *e)
{
	_cleanup_buf_ struct buf b = BUF_NULL(YAML_FILE_MAX);
	int r = file_read(path, &b, e);

	if (r < 0)
		return r;
	return yaml_load(ret, path, b.data ? b.data : "", b.len, e);
}

unsigned yaml_line(const struct yaml_doc *d, const json_t *value)
{
	for (size_t i = 0; i < d->n_places; i++)
		if (d->places[i].value == value)
			return d->places[i].line;
	return 0;
}

static unsigned member_line(const struct yaml_doc *d, const struct decode_place *at)
{
	for (size_t i = 0; at->key && i < d->n_places; i++)
		if (d->places[i].container == at->object && d->places[i].key &&
			streq(d->places[i].key, at->key))
			return d->places[i].line;
	return yaml_line(d, at->object);
}

int yaml_decode(const struct yaml_doc *d, const struct decode_table *t, void *target, struct err *e)
{
	struct decode_place at = {.object = d->root};
	int r = decode_at(t, d->root, target, &at, e);

	if (r < 0)
		(void)err_prefix(e, "%s:%u", d->file, member_line(d, &at));
	return r;
}
