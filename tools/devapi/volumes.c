/* SPDX-License-Identifier: Apache-2.0 */
/* volumes.c: an index of PVs by name and by claim */
#include "tools/devapi/volumes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/parse.h"
#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/meta.h"

struct fact {
	struct list item; /* among those without claim, or of its claim */
	struct bucket *bucket;
	char name[META_NAME_MAX];
	char class[META_NAME_MAX];
	char claim_uid[40];
	int64_t size;
	unsigned modes; /* bits of mode_names */
	bool block, available, deleting;
};

/* The PVs that name one claim. */
struct bucket {
	char claim[META_KEY_MAX];
	struct list facts;
};

struct volumes {
	struct map by_name, by_claim;
	struct list unclaimed;
};

static struct map_key fact_key(const void *value)
{
	return map_key_str(((const struct fact *)value)->name);
}

static struct map_key bucket_key(const void *value)
{
	return map_key_str(((const struct bucket *)value)->claim);
}

static unsigned modes_of(const json_t *list)
{
	static const char *const mode_names[] = {
		"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"};
	unsigned bits = 0;
	size_t i;
	json_t *v;

	json_array_foreach (list, i, v)
		for (size_t m = 0; m < ELEMENTSOF(mode_names); m++)
			if (streq_null(json_string_value(v), mode_names[m]))
				bits |= 1U << m;
	return bits;
}

static bool is_block(const json_t *object)
{
	return streq_null(json_string_at(object, "spec", "volumeMode", NULL), "Block");
}

static int64_t quantity_at(const char *text)
{
	int64_t n;

	return text && parse_quantity(text, &n) == 0 ? n : 0;
}

static void fact_unlink(struct volumes *v, struct fact *f)
{
	struct bucket *b = f->bucket;

	list_remove(&f->item);
	f->bucket = NULL;
	if (!b || !list_empty(&b->facts))
		return;
	(void)map_removes(&v->by_claim, b->claim);
	free(b);
}

static struct bucket *bucket_get(struct volumes *v, const char *claim)
{
	struct bucket *b = map_gets(&v->by_claim, claim);

	if (b)
		return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	list_init(&b->facts);
	if (str_copy(b->claim, sizeof(b->claim), claim) < 0 || map_add(&v->by_claim, b) < 0) {
		free(b);
		return NULL;
	}
	return b;
}

static void fact_link(struct volumes *v, struct fact *f, const json_t *ref)
{
	char key[META_KEY_MAX];

	if (!json_is_object(ref)) {
		list_append(&v->unclaimed, &f->item);
		return;
	}
	meta_key(key, str_or(json_string_at(ref, "namespace", NULL), ""),
		str_or(json_string_at(ref, "name", NULL), ""));
	f->bucket = bucket_get(v, key);
	if (f->bucket)
		list_append(&f->bucket->facts, &f->item);
}

static void fact_fill(struct volumes *v, struct fact *f, const json_t *object)
{
	const json_t *spec = json_object_get(object, "spec");
	const json_t *ref = json_object_get(spec, "claimRef");

	(void)str_copy_cut(f->class, sizeof(f->class),
		str_or(json_string_at(spec, "storageClassName", NULL), ""));
	(void)str_copy_cut(
		f->claim_uid, sizeof(f->claim_uid), str_or(json_string_at(ref, "uid", NULL), ""));
	f->size = quantity_at(json_string_at(spec, "capacity", "storage", NULL));
	f->modes = modes_of(json_object_get(spec, "accessModes"));
	f->block = is_block(object);
	f->available = streq_null(json_string_at(object, "status", "phase", NULL), "Available");
	f->deleting = meta_deleting(object);
	fact_unlink(v, f);
	fact_link(v, f, ref);
}

static void fact_add(struct volumes *v, const char *name, const json_t *object)
{
	struct fact *f = calloc(1, sizeof(*f));

	if (!f)
		return;
	if (str_copy(f->name, sizeof(f->name), name) < 0 || map_add(&v->by_name, f) < 0) {
		free(f);
		return;
	}
	fact_fill(v, f, object);
}

static void on_change(const struct change *c, const json_t *object, void *userdata)
{
	struct volumes *v = userdata;
	struct fact *f;

	if (!kind_is(c->now->kind, KIND_PV))
		return;
	f = map_gets(&v->by_name, c->now->name);
	if (c->type == CHANGE_DELETED) {
		if (f) {
			(void)map_removes(&v->by_name, f->name);
			fact_unlink(v, f);
			free(f);
		}
	} else if (f) {
		fact_fill(v, f, object);
	} else {
		fact_add(v, c->now->name, object);
	}
}

static bool suits(const struct fact *f, unsigned modes, bool block, int64_t size)
{
	return !f->deleting && f->block == block && (modes & ~f->modes) == 0 && f->size >= size;
}

static const char *match_reserved(
	const struct volumes *v, const json_t *claim, const char *claim_key, int64_t size)
{
	const struct bucket *b = map_gets(&v->by_claim, claim_key);
	const char *uid = meta_string(claim, "uid");

	if (!b)
		return NULL;
	LIST_FOREACH (&b->facts, it) {
		const struct fact *f = LIST_ENTRY(it, struct fact, item);

		/* A reserved one must not suit in class and modes (FindMatchingVolume). */
		if ((!*f->claim_uid || streq_null(uid, f->claim_uid)) &&
			f->block == is_block(claim) && f->size >= size)
			return f->name;
	}
	return NULL;
}

const char *volumes_match(
	const struct volumes *v, const json_t *claim, const char *claim_key, bool only_reserved)
{
	int64_t size = quantity_at(
		json_string_at(claim, "spec", "resources", "requests", "storage", NULL));
	unsigned modes = modes_of(json_at(claim, "spec", "accessModes", NULL));
	const char *class = str_or(json_string_at(claim, "spec", "storageClassName", NULL), "");
	const char *reserved = match_reserved(v, claim, claim_key, size);
	const struct fact *best = NULL;

	if (reserved || only_reserved)
		return reserved;
	LIST_FOREACH (&v->unclaimed, it) {
		const struct fact *f = LIST_ENTRY(it, struct fact, item);

		if (f->available && streq(f->class, class) &&
			suits(f, modes, is_block(claim), size) && (!best || f->size < best->size))
			best = f;
	}
	return best ? best->name : NULL;
}

void volumes_of_claim(const struct volumes *v, const char *claim_key,
	void (*fn)(const char *name, void *userdata), void *userdata)
{
	const struct bucket *b = map_gets(&v->by_claim, claim_key);

	if (!b)
		return;
	LIST_FOREACH (&b->facts, it)
		fn(LIST_ENTRY(it, struct fact, item)->name, userdata);
}

int volumes_new(struct volumes **ret, struct store *s)
{
	struct volumes *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	v->by_name = MAP_NULL(fact_key);
	v->by_claim = MAP_NULL(bucket_key);
	list_init(&v->unclaimed);
	r = store_subscribe(s, on_change, v);
	if (r < 0) {
		free(v);
		return r;
	}
	*ret = v;
	return 0;
}

struct volumes *volumes_free(struct volumes *v)
{
	struct fact *f;

	if (!v)
		return NULL;
	MAP_FOREACH (&v->by_name, f) {
		fact_unlink(v, f);
		free(f);
	}
	map_done(&v->by_name);
	map_done(&v->by_claim);
	free(v);
	return NULL;
}
