/* SPDX-License-Identifier: Apache-2.0 */
/* pack.c: from JSON to a cached object in one allocation, by tables */
#include "kube/pack.h"

#include <errno.h>
#include <string.h>

#include "kube/pvc.h"

static const struct decode_field meta_fields[] = {
	{"name", DECODE_STRING, offsetof(struct meta, name), DECODE_REQUIRED, NULL, NULL},
	{"namespace", DECODE_STRING, offsetof(struct meta, namespace_), 0, NULL, NULL},
	{"uid", DECODE_UUID, offsetof(struct meta, uid), DECODE_REQUIRED, NULL, NULL},
	{"resourceVersion", DECODE_STRING, offsetof(struct meta, rv), 0, NULL, NULL},
	PACK_TEXT("deletionTimestamp", struct meta, deletion),
	PACK_OBJECT("annotations", struct meta, annotations),
	{"finalizers", DECODE_JSON, offsetof(struct meta, finalizers), 0, NULL, NULL},
};
static const struct decode_table meta_table = DECODE_TABLE(meta_fields, false);

int pack_meta(const json_t *item, struct meta *ret)
{
	const json_t *metadata = json_object_get(item, "metadata");
	struct meta m = {.namespace_ = "", .rv = ""};
	size_t len;

	if (!metadata || decode(&meta_table, metadata, &m, NULL) < 0)
		return -EBADMSG;
	len = strlen(m.name);
	if (len == 0 || len > PACK_NAME_MAX || strlen(m.namespace_) > PACK_NAMESPACE_MAX ||
		strlen(m.rv) > PACK_RV_MAX)
		return -EBADMSG;
	m.generation = json_integer_value(json_object_get(metadata, "generation"));
	*ret = m;
	return 0;
}

bool pack_has_finalizer(const struct meta *m, const char *name)
{
	size_t i;
	json_t *v;

	json_array_foreach ((json_t *)m->finalizers, i, v)
		if (json_is_string(v) && streq(json_string_value(v), name))
			return true;
	return false;
}

int pack_text(const json_t *value, void *target, struct err *e)
{
	const char *text = json_string_value(value);

	(void)e;
	if (text && json_string_length(value) <= PACK_TEXT_MAX &&
		strlen(text) == json_string_length(value))
		*(const char **)target = text;
	return 0;
}

int pack_object(const json_t *value, void *target, struct err *e)
{
	(void)e;
	if (json_is_object(value))
		*(const json_t **)target = value;
	return 0;
}

void pack_decode(const struct decode_table *t, const json_t *object, void *target)
{
	/* The tables that come here have nothing that is required or can be of a wrong type. */
	if (json_is_object(object))
		(void)decode(t, object, target, NULL);
}

static const char *raw_text(const void *raw, const struct pack_field *f)
{
	return str_or(*(const char *const *)(const void *)((const char *)raw + f->from), "");
}

static const char **object_text(struct object *o, const struct pack_field *f)
{
	return (const char **)(void *)((char *)o + f->to);
}

static size_t packed_size(const struct pack_layout *l, const struct meta *m, const void *raw)
{
	size_t size = l->size + strlen(m->namespace_) + 1 + strlen(m->name) + 1 + strlen(m->rv) + 1;

	for (size_t i = 0; i < l->n; i++) {
		const char *text = raw_text(raw, &l->fields[i]);

		if (!l->fields[i].interned && *text)
			size += strlen(text) + 1;
	}
	return size;
}

static const char *put(char **at, const char *text)
{
	char *start = *at;
	size_t n = strlen(text) + 1;

	memcpy(start, text, n);
	*at += n;
	return start;
}

int pack_new(struct strpool *pool, const struct pack_layout *l, const struct meta *m,
	const void *raw, struct object **ret)
{
	struct object *o = malloc(packed_size(l, m, raw));
	char *at;
	int r = 0;

	if (!o)
		return -ENOMEM;
	memset(o, 0, l->size);
	at = (char *)o + l->size;
	o->namespace_ = put(&at, m->namespace_);
	o->name = put(&at, m->name);
	o->rv = put(&at, m->rv);
	o->uid = m->uid;
	o->deleting = m->deletion;
	for (size_t i = 0; i < l->n; i++)
		*object_text(o, &l->fields[i]) = "";
	for (size_t i = 0; i < l->n && r >= 0; i++) {
		const char *text = raw_text(raw, &l->fields[i]);

		if (!*text)
			continue;
		if (l->fields[i].interned)
			r = strpool_get(pool, text, object_text(o, &l->fields[i]));
		else
			*object_text(o, &l->fields[i]) = put(&at, text);
	}
	if (r < 0) {
		pack_free(pool, l, o);
		return r;
	}
	*ret = o;
	return 0;
}

void pack_free(struct strpool *pool, const struct pack_layout *l, struct object *o)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->fields[i].interned && **object_text(o, &l->fields[i]))
			strpool_drop(pool, *object_text(o, &l->fields[i]));
	free(o);
}

struct map_key pack_key(const void *object)
{
	const struct object *o = object;

	return (struct map_key){o->namespace_, strlen(o->namespace_) + 1 + strlen(o->name)};
}

size_t pack_make_key(char dst[static PACK_KEY_MAX], const char *namespace_, const char *name)
{
	size_t n = strlen(namespace_), m = strlen(name);

	if (n > PACK_NAMESPACE_MAX || m > PACK_NAME_MAX)
		return 0;
	memcpy(dst, namespace_, n + 1);
	memcpy(dst + n + 1, name, m);
	return n + 1 + m;
}

static const struct {
	enum access_mode mode;
	const char *text;
} mode_names[] = {
	{ACCESS_RWO, "ReadWriteOnce"},
	{ACCESS_ROX, "ReadOnlyMany"},
	{ACCESS_RWX, "ReadWriteMany"},
	{ACCESS_RWOP, "ReadWriteOncePod"},
};

uint8_t pack_access_modes(const json_t *modes)
{
	uint8_t bits = 0;
	size_t i;
	json_t *v;

	json_array_foreach ((json_t *)modes, i, v)
		for (size_t k = 0; k < ELEMENTSOF(mode_names); k++)
			if (json_is_string(v) && streq(json_string_value(v), mode_names[k].text))
				bits |= (uint8_t)mode_names[k].mode;
	return bits;
}

const char *access_mode_text(enum access_mode m)
{
	for (size_t i = 0; i < ELEMENTSOF(mode_names); i++)
		if (mode_names[i].mode == m)
			return mode_names[i].text;
	return NULL;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int object_token_parse(const char *text, struct object_token *ret)
{
	struct object_token t = {{0}};
	uint8_t any = 0;

	if (strlen(text) != 2 * sizeof(t.b))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(t.b); i++) {
		int high = hex(text[2 * i]), low = hex(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		t.b[i] = (uint8_t)(high << 4 | low);
		any |= t.b[i];
	}
	if (!any)
		return -EINVAL;
	*ret = t;
	return 0;
}

bool object_token_none(const struct object_token *t)
{
	static const struct object_token none;

	return memcmp(t, &none, sizeof(none)) == 0;
}

char *object_token_format(const struct object_token *t, char dst[static TOKEN_TEXT_MAX])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	if (!object_token_none(t)) {
		for (size_t i = 0; i < sizeof(t->b); i++) {
			dst[n++] = digits[t->b[i] >> 4];
			dst[n++] = digits[t->b[i] & 15];
		}
	}
	dst[n] = '\0';
	return dst;
}
