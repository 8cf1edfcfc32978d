/* SPDX-License-Identifier: Apache-2.0 */
/* store.c: one sorted array of revisions a kind, and a ring of changes */
#include "tools/devapi/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

struct shelf {
	struct revision **items; /* by key */
	size_t n, cap;
};

struct store {
	struct shelf *shelves; /* as kinds[] */
	struct change *ring;
	size_t ring_cap, ring_first, ring_n;
	uint64_t rv;
	uint64_t forgotten; /* the newest resourceVersion that is not in the ring any more */
	struct {
		store_fn fn;
		void *userdata;
	} subscribers[STORE_SUBSCRIBERS];
	size_t n_subscribers;
};

struct revision *revision_ref(struct revision *r)
{
	if (r)
		r->refs++;
	return r;
}

void revision_unref(struct revision *r)
{
	if (r && --r->refs == 0)
		free(r);
}

json_t *revision_parse(const struct revision *r)
{
	return json_loadb(r->json, r->size, JSON_ALLOW_NUL, NULL);
}

int store_new(struct store **ret, size_t history)
{
	_cleanup_(store_freep) struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->shelves = calloc(kinds_n, sizeof(*s->shelves));
	s->ring = calloc(history, sizeof(*s->ring));
	if (!s->shelves || !s->ring)
		return -ENOMEM;
	s->ring_cap = history;
	*ret = TAKE_PTR(s);
	return 0;
}

static void change_done(struct change *c)
{
	revision_unref(c->now);
	revision_unref(c->before);
}

static void ring_drop_first(struct store *s)
{
	struct change *c = &s->ring[s->ring_first];

	s->forgotten = c->now->rv;
	change_done(c);
	s->ring_first = (s->ring_first + 1) % s->ring_cap;
	s->ring_n--;
}

void store_compact(struct store *s)
{
	while (s->ring_n > 0)
		ring_drop_first(s);
	s->forgotten = s->rv;
}

struct store *store_free(struct store *s)
{
	if (!s)
		return NULL;
	while (s->ring && s->ring_n > 0)
		ring_drop_first(s);
	for (size_t k = 0; s->shelves && k < kinds_n; k++) {
		for (size_t i = 0; i < s->shelves[k].n; i++)
			revision_unref(s->shelves[k].items[i]);
		free(s->shelves[k].items);
	}
	free(s->shelves);
	free(s->ring);
	free(s);
	return NULL;
}

int store_subscribe(struct store *s, store_fn fn, void *userdata)
{
	if (s->n_subscribers == STORE_SUBSCRIBERS)
		return -ENOBUFS;
	s->subscribers[s->n_subscribers].fn = fn;
	s->subscribers[s->n_subscribers++].userdata = userdata;
	return 0;
}

static struct shelf *shelf_of(const struct store *s, const struct kind *k)
{
	return &s->shelves[k - kinds];
}

static size_t shelf_seek(const struct shelf *f, const char *key)
{
	size_t low = 0, high = f->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(f->items[mid]->key, key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct revision *store_get(const struct store *s, const struct kind *k, const char *key)
{
	const struct shelf *f = shelf_of(s, k);
	size_t i = shelf_seek(f, key);

	return i < f->n && streq(f->items[i]->key, key) ? f->items[i] : NULL;
}

size_t store_count(const struct store *s, const struct kind *k)
{
	return shelf_of(s, k)->n;
}

struct revision *store_at(const struct store *s, const struct kind *k, size_t i)
{
	return shelf_of(s, k)->items[i];
}

size_t store_seek(const struct store *s, const struct kind *k, const char *key)
{
	return shelf_seek(shelf_of(s, k), key);
}

uint64_t store_rv(const struct store *s)
{
	return s->rv;
}

static int set_rv(json_t *object, uint64_t rv)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, rv);
	return json_object_set_new(
		json_object_get(object, "metadata"), "resourceVersion", json_string(text));
}

/* kind and apiVersion first, so that a list can leave them out. */
static size_t write_head(const struct kind *k, char *dst, size_t size)
{
	char version[128];
	int n = snprintf(dst, size, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",", k->kind,
		kind_api_version(k, version, sizeof(version)));

	return (size_t)n;
}

static struct revision *revision_new(
	const struct kind *k, const char *key, uint64_t rv, json_t *object)
{
	_cleanup_free_ char *text = NULL;
	char head[256], *p;
	const char *slash = strchr(key, '/');
	size_t head_size, size, key_size = strlen(key) + 1;
	struct revision *r;

	(void)json_object_del(object, "kind");
	(void)json_object_del(object, "apiVersion");
	if (set_rv(object, rv) < 0 || !(text = json_dumps(object, JSON_COMPACT)))
		return NULL;
	head_size = write_head(k, head, sizeof(head));
	size = strlen(text);
	r = malloc(sizeof(*r) + head_size + size + key_size);
	if (!r)
		return NULL;
	p = (char *)(r + 1);
	memcpy(p, head, head_size);
	memcpy(p + head_size, text + 1, size); /* with its NUL, without its "{" */
	memcpy(p + head_size + size, key, key_size);
	*r = (struct revision){.refs = 1, .kind = k, .rv = rv, .head = head_size, .json = p};
	r->size = head_size + size - 1;
	r->key = p + head_size + size;
	r->ns_len = slash ? (size_t)(slash - key) : 0;
	r->name = slash ? r->key + r->ns_len + 1 : r->key;
	return r;
}

static int shelf_grow(struct shelf *f)
{
	size_t cap = f->cap ? f->cap * 2 : 64;
	struct revision **items;

	if (f->n < f->cap)
		return 0;
	items = reallocarray(f->items, cap, sizeof(struct revision *));
	if (!items)
		return -ENOMEM;
	f->items = items;
	f->cap = cap;
	return 0;
}

/* Puts r (its reference is given away) on the shelf, or takes its key off; the one before it. */
static struct revision *shelf_change(struct shelf *f, enum change_type type, struct revision *r)
{
	size_t i = shelf_seek(f, r->key);
	bool there = i < f->n && streq(f->items[i]->key, r->key);
	struct revision *before = there ? f->items[i] : NULL;

	if (type == CHANGE_DELETED) {
		if (there)
			memmove(&f->items[i], &f->items[i + 1],
				(--f->n - i) * sizeof(struct revision *));
		return before;
	}
	if (!there)
		memmove(&f->items[i + 1], &f->items[i], (f->n++ - i) * sizeof(struct revision *));
	f->items[i] = revision_ref(r);
	return before;
}

static const struct change *ring_push(
	struct store *s, enum change_type type, struct revision *now, struct revision *before)
{
	struct change *c;

	if (s->ring_n == s->ring_cap)
		ring_drop_first(s);
	c = &s->ring[(s->ring_first + s->ring_n++) % s->ring_cap];
	*c = (struct change){.type = type, .now = now, .before = before};
	return c;
}

int store_commit(struct store *s, enum change_type type, const struct kind *k, const char *key,
	json_t *object)
{
	struct shelf *f = shelf_of(s, k);
	struct revision *now;
	const struct change *c;

	if (shelf_grow(f) < 0)
		return -ENOMEM;
	now = revision_new(k, key, s->rv + 1, object);
	if (!now)
		return -ENOMEM;
	s->rv++;
	c = ring_push(s, type, now, shelf_change(f, type, now));
	for (size_t i = 0; i < s->n_subscribers; i++)
		s->subscribers[i].fn(c, object, s->subscribers[i].userdata);
	return 0;
}

size_t store_history_n(const struct store *s)
{
	return s->ring_n;
}

const struct change *store_history_at(const struct store *s, size_t index)
{
	return &s->ring[(s->ring_first + index) % s->ring_cap];
}

int store_history_after(const struct store *s, uint64_t rv, size_t *ret_index)
{
	size_t low = 0, high = s->ring_n;

	if (rv < s->forgotten)
		return -ERANGE;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (store_history_at(s, mid)->now->rv <= rv)
			low = mid + 1;
		else
			high = mid;
	}
	*ret_index = low;
	return 0;
}
