/* SPDX-License-Identifier: Apache-2.0 */
/* map.h: a hash table of pointers whose keys lie inside the values */
#ifndef BERTH_BASE_MAP_H
#define BERTH_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct map_key {
	const void *data;
	size_t size;
};

/* Yields the key that lies inside a value; must stay the same while the value is in a map. */
typedef struct map_key (*map_key_fn)(const void *value);

/*
 * Open addressing, 12 bytes a slot; the hash is keyed with a secret per process (keys come from
 * tenants). Values are borrowed. All zero but key_of is a valid empty map (MAP_NULL).
 */
struct map {
	map_key_fn key_of;
	uint32_t *hashes;
	void **slots;
	size_t size; /* values held */
	size_t used; /* values and tombstones */
	size_t cap;  /* power of two, or 0 */
};

#define MAP_NULL(fn) ((struct map){.key_of = (fn)})

void map_done(struct map *m); /* frees the table, never the values */
void *map_get(const struct map *m, const void *key, size_t size);
void *map_gets(const struct map *m, const char *key); /* key without its NUL */
/* -EEXIST where a value with that key is in already, -ENOMEM. */
int map_add(struct map *m, void *value) _must_check_;
/* Adds or takes the place of the value with that key, which is returned in *ret_old (NULL if none).
 */
int map_replace(struct map *m, void *value, void **ret_old) _must_check_;
/* The removed value, NULL where there was none. */
void *map_remove(struct map *m, const void *key, size_t size);
void *map_removes(struct map *m, const char *key);

/* Walks in no order; removing the current value is allowed while walking, adding is not. */
void *map_next(const struct map *m, size_t *cursor);
#define MAP_FOREACH(m, var) \
	for (size_t _cur_##var = 0; ((var) = map_next((m), &_cur_##var)) != NULL;)

/* Keyed hash of bytes (SipHash-1-3), for others that need one. */
uint64_t map_hash(const void *data, size_t size);

static inline struct map_key map_key_str(const char *s)
{
	return (struct map_key){s, __builtin_strlen(s)};
}

#endif
