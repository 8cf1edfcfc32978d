/* SPDX-License-Identifier: Apache-2.0 */
/* map.c: a hash table with open addressing, linear probing and tombstones */
#include "base/map.h"

#include <errno.h>
#include <string.h>

#include "base/id.h"

#define MAP_FIRST_CAP 8

/* What hashes[] says of a slot without a value; hashes of values begin at 2. */
enum { SLOT_EMPTY, SLOT_TOMBSTONE, SLOT_HASH_MIN };

static inline uint64_t rotl(uint64_t v, int n)
{
	return v << n | v >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* Drawn at the first use: nobody who names things for us may know it. */
static const uint64_t *map_secret(void)
{
	static uint64_t secret[2];

	while (secret[0] == 0)
		random_bytes(secret, sizeof(secret));
	return secret;
}

/* SipHash (Aumasson, Bernstein 2012) with one round a word and three at the end. */
uint64_t map_hash(const void *data, size_t size)
{
	const uint64_t *key = map_secret();
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
		key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
	const unsigned char *p = data;
	uint64_t last = (uint64_t)size << 56, word;

	for (; size >= sizeof(word); size -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	for (size_t i = 0; i < size; i++)
		last |= (uint64_t)p[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint32_t slot_hash(const void *key, size_t size)
{
	uint32_t h = (uint32_t)map_hash(key, size);

	return h < SLOT_HASH_MIN ? h + SLOT_HASH_MIN : h;
}

void map_done(struct map *m)
{
	free(m->slots);
	*m = MAP_NULL(m->key_of);
}

/* The slot that holds key, or SIZE_MAX. */
static size_t slot_find(const struct map *m, uint32_t hash, const void *key, size_t size)
{
	if (m->cap == 0)
		return SIZE_MAX;
	for (size_t i = hash & (m->cap - 1); m->hashes[i] != SLOT_EMPTY;
		i = (i + 1) & (m->cap - 1)) {
		struct map_key k;

		if (m->hashes[i] != hash)
			continue;
		k = m->key_of(m->slots[i]);
		if (k.size == size && (size == 0 || memcmp(k.data, key, size) == 0))
			return i;
	}
	return SIZE_MAX;
}

static void slot_fill(struct map *m, uint32_t hash, void *value)
{
	size_t i = hash & (m->cap - 1);

	while (m->hashes[i] >= SLOT_HASH_MIN)
		i = (i + 1) & (m->cap - 1);
	if (m->hashes[i] == SLOT_EMPTY)
		m->used++;
	m->hashes[i] = hash;
	m->slots[i] = value;
	m->size++;
}

/* A table of its own in one block: the pointers, then the hashes. */
static int map_resize(struct map *m, size_t cap)
{
	struct map bigger = {.key_of = m->key_of, .cap = cap};

	bigger.slots = calloc(cap, sizeof(void *) + sizeof(uint32_t));
	if (!bigger.slots)
		return -ENOMEM;
	bigger.hashes = (uint32_t *)(void *)(bigger.slots + cap);
	for (size_t i = 0; i < m->cap; i++)
		if (m->hashes[i] >= SLOT_HASH_MIN)
			slot_fill(&bigger, m->hashes[i], m->slots[i]);
	map_done(m);
	*m = bigger;
	return 0;
}

/* Room for one more, at most three of four slots used so that probes end soon. */
static int map_make_room(struct map *m)
{
	size_t cap = MAP_FIRST_CAP;

	if (m->used + 1 <= m->cap / 4 * 3)
		return 0;
	/* Counted from the values: where tombstones filled the table it stays or gets smaller. */
	while (m->size + 1 > cap / 8 * 5)
		cap *= 2;
	return map_resize(m, cap);
}

static void *map_find(const struct map *m, uint32_t hash, const void *key, size_t size)
{
	size_t i = slot_find(m, hash, key, size);

	return i == SIZE_MAX ? NULL : m->slots[i];
}

void *map_get(const struct map *m, const void *key, size_t size)
{
	return m->size == 0 ? NULL : map_find(m, slot_hash(key, size), key, size);
}

void *map_gets(const struct map *m, const char *key)
{
	return map_get(m, key, strlen(key));
}

int map_add(struct map *m, void *value)
{
	struct map_key k = m->key_of(value);
	uint32_t hash = slot_hash(k.data, k.size);
	int r;

	if (slot_find(m, hash, k.data, k.size) != SIZE_MAX)
		return -EEXIST;
	r = map_make_room(m);
	if (r < 0)
		return r;
	slot_fill(m, hash, value);
	return 0;
}

int map_replace(struct map *m, void *value, void **ret_old)
{
	struct map_key k = m->key_of(value);
	uint32_t hash = slot_hash(k.data, k.size);
	size_t i = slot_find(m, hash, k.data, k.size);
	int r;

	if (i != SIZE_MAX) {
		*ret_old = m->slots[i];
		m->slots[i] = value;
		return 0;
	}
	r = map_make_room(m);
	if (r < 0)
		return r;
	slot_fill(m, hash, value);
	*ret_old = NULL;
	return 0;
}

void *map_remove(struct map *m, const void *key, size_t size)
{
	size_t i = slot_find(m, slot_hash(key, size), key, size);
	void *value;

	if (i == SIZE_MAX)
		return NULL;
	value = m->slots[i];
	m->slots[i] = NULL;
	m->hashes[i] = SLOT_TOMBSTONE;
	m->size--;
	/* Tombstones at the end of a run of slots hold nothing together. */
	if (m->hashes[(i + 1) & (m->cap - 1)] == SLOT_EMPTY) {
		for (; m->hashes[i] == SLOT_TOMBSTONE; i = (i - 1) & (m->cap - 1)) {
			m->hashes[i] = SLOT_EMPTY;
			m->used--;
		}
	}
	return value;
}

void *map_removes(struct map *m, const char *key)
{
	return map_remove(m, key, strlen(key));
}

void *map_next(const struct map *m, size_t *cursor)
{
	while (*cursor < m->cap) {
		size_t i = (*cursor)++;

		if (m->hashes[i] >= SLOT_HASH_MIN)
			return m->slots[i];
	}
	return NULL;
}
