/* SPDX-License-Identifier: Apache-2.0 */
/* cache.h: the objects of one kind, and what may change them (inside lib/kube) */
#ifndef BERTH_KUBE_CACHE_H
#define BERTH_KUBE_CACHE_H

#include "kube/object.h"
#include "kube/seen.h"

typedef void (*cache_fn)(const struct object *old, const struct object *now, void *userdata);

struct cache {
	struct map objects;
	struct strpool *pool;
	const struct kind *kind;
	cache_fn changed;
	void *userdata;
	uint8_t round;      /* of the list that runs or ran last */
	uint64_t listed_at; /* when it ended, UINT64_MAX while one runs */
	struct seen seen;
};

void cache_init(struct cache *c, struct strpool *pool, const struct kind *k, cache_fn changed,
	void *userdata);
/* Frees all objects, without a word to changed(). */
void cache_done(struct cache *c);
const struct object *cache_get(const struct cache *c, const char *namespace_, const char *name);

/* An object that a list or a watch showed. -EBADMSG where item is none, -ENOMEM. */
int cache_put(struct cache *c, const json_t *item);
/* The end of an object, as a watch tells it. */
int cache_drop(struct cache *c, const json_t *item);
/* What a write returned that was sent then; see informer_observe(). 1 where it was taken. */
int cache_observe(struct cache *c, const json_t *item, uint64_t sent_at);

/* Around a list: what it did not show is dropped at its end. keep: it broke off, drop nothing. */
void cache_list_begin(struct cache *c);
void cache_list_end(struct cache *c, bool keep);

#endif
