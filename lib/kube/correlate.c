/* SPDX-License-Identifier: Apache-2.0 */
/* correlate.c: which events are the same, which are alike, which are too many (client-go
 * tools/record/events_cache.go) */
#include "kube/correlate.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

/* Events that differ in nothing but the message. */
struct alike {
	uint64_t key;
	struct list lru;
	uint64_t at;
	unsigned n_messages;
	uint64_t messages[CORRELATE_SIMILAR_MAX]; /* hashes */
};

/* All events of one object. */
struct object_limit {
	uint64_t key;
	struct list lru;
	struct bucket bucket;
};

static struct map_key key_of(const void *entry)
{
	/* Every entry begins with its key. */
	return (struct map_key){entry, sizeof(uint64_t)};
}

static void lru_init(struct lru *l)
{
	l->map = MAP_NULL(key_of);
	list_init(&l->list);
}

static void lru_done(struct lru *l)
{
	void *entry;

	MAP_FOREACH (&l->map, entry)
		free(entry);
	map_done(&l->map);
}

/* Makes room for one more; entries for which something is under way stay. */
static void lru_evict(struct lru *l, size_t lru_offset, bool (*busy)(const void *))
{
	if (l->map.size < CORRELATE_MAX)
		return;
	LIST_FOREACH (&l->list, it) {
		void *entry = (char *)it - lru_offset;

		if (busy && busy(entry))
			continue;
		list_remove(it);
		map_remove(&l->map, entry, sizeof(uint64_t));
		free(entry);
		return;
	}
}

/* The entry with that key, moved to the end, or a fresh one of size bytes; NULL without memory. */
static void *lru_get(
	struct lru *l, uint64_t key, size_t size, size_t lru_offset, bool (*busy)(const void *))
{
	void *entry = map_get(&l->map, &key, sizeof(key));
	struct list *link;

	if (!entry) {
		lru_evict(l, lru_offset, busy);
		entry = calloc(1, size);
		if (!entry)
			return NULL;
		memcpy(entry, &key, sizeof(key));
		if (map_add(&l->map, entry) < 0) {
			free(entry);
			return NULL;
		}
	}
	link = (struct list *)(void *)((char *)entry + lru_offset);
	list_remove(link);
	list_append(&l->list, link);
	return entry;
}

void correlate_init(struct correlate *c, uint64_t second_ns)
{
	lru_init(&c->same);
	lru_init(&c->alike);
	lru_init(&c->object);
	c->second_ns = second_ns;
}

void correlate_done(struct correlate *c)
{
	lru_done(&c->same);
	lru_done(&c->alike);
	lru_done(&c->object);
}

/* One hash over several texts, their borders included. */
static uint64_t hash_texts(const char *const *texts, size_t n)
{
	uint64_t h[2] = {0, 0};

	for (size_t i = 0; i < n; i++) {
		h[1] = map_hash(str_or(texts[i], ""), strlen(str_or(texts[i], "")));
		h[0] = map_hash(h, sizeof(h));
	}
	return h[0];
}

/* Whether the event is one of too many that differ only in their message. */
static bool is_combined(struct correlate *c, uint64_t alike_key, const char *message, uint64_t now)
{
	uint64_t hash = map_hash(message, strlen(message));
	struct alike *a =
		lru_get(&c->alike, alike_key, sizeof(*a), offsetof(struct alike, lru), NULL);

	if (!a)
		return false;
	if (now - a->at > CORRELATE_WINDOW_S * c->second_ns)
		a->n_messages = 0;
	a->at = now;
	for (unsigned i = 0; i < a->n_messages; i++)
		if (a->messages[i] == hash)
			return false;
	if (a->n_messages >= CORRELATE_SIMILAR_MAX)
		return true;
	a->messages[a->n_messages++] = hash;
	return false;
}

static bool object_allows(struct correlate *c, uint64_t object_key, uint64_t now)
{
	struct object_limit *o = lru_get(
		&c->object, object_key, sizeof(*o), offsetof(struct object_limit, lru), NULL);

	if (!o)
		return false;
	if (o->bucket.burst <= 0)
		bucket_init(&o->bucket,
			(double)NSEC_PER_SEC / (double)c->second_ns / CORRELATE_REFILL_S,
			CORRELATE_BURST);
	return bucket_take(&o->bucket, now) == 0;
}

static bool same_busy(const void *entry)
{
	return ((const struct same *)entry)->send;
}

struct same *correlate_event(
	struct correlate *c, const struct correlate_event *ev, uint64_t now, bool *ret_combined)
{
	const struct kube_event_target *t = ev->target;
	const char *const texts[] = {t->kind, t->api, t->namespace_, t->name, t->uid,
		ev->warning ? "Warning" : "Normal", ev->reason};
	uint64_t object_key = hash_texts(texts, 5), key = hash_texts(texts, ELEMENTSOF(texts));
	bool combined = is_combined(c, key, ev->message, now);
	struct same *s;

	if (!object_allows(c, object_key, now))
		return NULL;
	/* What was combined counts as one event, whatever its messages. */
	if (!combined) {
		uint64_t pair[2] = {key, map_hash(ev->message, strlen(ev->message))};

		key = map_hash(pair, sizeof(pair));
	}
	s = lru_get(&c->same, key, sizeof(*s), offsetof(struct same, lru), same_busy);
	if (!s)
		return NULL;
	s->count++;
	*ret_combined = combined;
	return s;
}
