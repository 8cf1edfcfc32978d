/* SPDX-License-Identifier: Apache-2.0 */
/* cache.c: the objects of one kind, and what may change them */
#include "kube/cache.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "kube/pack.h"

void cache_init(struct cache *c, struct strpool *pool, const struct kind *k, cache_fn changed,
	void *userdata)
{
	c->objects = MAP_NULL(pack_key);
	c->pool = pool;
	c->kind = k;
	c->changed = changed;
	c->userdata = userdata;
	c->round = 0;
	c->listed_at = UINT64_MAX;
}

void cache_done(struct cache *c)
{
	struct object *o;

	MAP_FOREACH (&c->objects, o)
		c->kind->free(c->pool, o);
	map_done(&c->objects);
}

const struct object *cache_get(const struct cache *c, const char *namespace_, const char *name)
{
	char key[PACK_KEY_MAX];
	size_t n = pack_make_key(key, namespace_, name);

	return n ? map_get(&c->objects, key, n) : NULL;
}

static void note_seen(struct cache *c, const struct object *o, const char *rv)
{
	struct map_key k = pack_key(o);

	seen_add(&c->seen, seen_state(k.data, k.size, rv), clock_now());
}

static void remove_object(struct cache *c, struct object *o)
{
	struct map_key k = pack_key(o);

	map_remove(&c->objects, k.data, k.size);
	c->changed(o, NULL, c->userdata);
	c->kind->free(c->pool, o);
}

static bool same_uid(const struct object *a, const struct object *b)
{
	return memcmp(&a->uid, &b->uid, sizeof(a->uid)) == 0;
}

/* Takes o in any case. */
static int store(struct cache *c, struct object *o)
{
	struct map_key k = pack_key(o);
	struct object *old = map_get(&c->objects, k.data, k.size);
	void *replaced;
	int r;

	if (old && same_uid(old, o) && *o->rv && streq(old->rv, o->rv)) {
		old->round = o->round;
		c->kind->free(c->pool, o);
		return 0;
	}
	/* Another object of the same name: the end of the first was missed. */
	if (old && !same_uid(old, o))
		remove_object(c, old);
	r = map_replace(&c->objects, o, &replaced);
	if (r < 0) {
		c->kind->free(c->pool, o);
		return r;
	}
	c->changed(replaced, o, c->userdata);
	if (replaced)
		c->kind->free(c->pool, replaced);
	return 1;
}

int cache_put(struct cache *c, const json_t *item)
{
	struct object *o;
	int r = c->kind->decode(c->pool, item, &o);

	if (r < 0)
		return r;
	o->round = c->round;
	note_seen(c, o, o->rv);
	return store(c, o);
}

int cache_drop(struct cache *c, const json_t *item)
{
	struct object *o;
	struct meta m;
	int r = pack_meta(item, &m);

	if (r < 0)
		return r;
	o = (struct object *)cache_get(c, m.namespace_, m.name);
	if (!o)
		return 0;
	/* No answer that is still under way may bring it back. */
	note_seen(c, o, o->rv);
	note_seen(c, o, m.rv);
	remove_object(c, o);
	return 0;
}

int cache_observe(struct cache *c, const json_t *item, uint64_t sent_at)
{
	struct object *o;
	struct map_key k;
	int r;

	/* A list that ran meanwhile may have shown a later state than the answer's. */
	if (!sent_at || c->listed_at >= sent_at || seen_since(&c->seen) >= sent_at)
		return 0;
	r = c->kind->decode(c->pool, item, &o);
	if (r < 0)
		return r;
	k = pack_key(o);
	if (!*o->rv || seen_has(&c->seen, seen_state(k.data, k.size, o->rv))) {
		c->kind->free(c->pool, o);
		return 0;
	}
	o->round = c->round;
	return store(c, o);
}

void cache_list_begin(struct cache *c)
{
	struct object *o;

	c->listed_at = UINT64_MAX;
	if (++c->round != 0)
		return;
	/* The marks of 255 lists are used up. */
	MAP_FOREACH (&c->objects, o)
		o->round = 0;
	c->round = 1;
}

void cache_list_end(struct cache *c, bool keep)
{
	struct object *o;

	if (!keep)
		MAP_FOREACH (&c->objects, o)
			if (o->round != c->round)
				remove_object(c, o);
	c->listed_at = clock_now();
}
