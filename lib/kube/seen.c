/* SPDX-License-Identifier: Apache-2.0 */
/* seen.c: the states of objects that a watch has shown lately, in a ring of hashes */
#include "kube/seen.h"

#include <string.h>

#include "base/map.h"

uint32_t seen_state(const void *key, size_t key_size, const char *rv)
{
	uint64_t pair[2] = {map_hash(key, key_size), map_hash(rv, strlen(rv))};

	return (uint32_t)map_hash(pair, sizeof(pair));
}

void seen_add(struct seen *s, uint32_t state, uint64_t now)
{
	const size_t part = SEEN_MAX / SEEN_PARTS;

	if (s->next % part == 0)
		s->part_since[s->next / part] = now;
	s->states[s->next++] = state;
	if (s->next == SEEN_MAX) {
		s->next = 0;
		s->full = true;
	}
}

bool seen_has(const struct seen *s, uint32_t state)
{
	size_t n = s->full ? SEEN_MAX : s->next;

	for (size_t i = 0; i < n; i++)
		if (s->states[i] == state)
			return true;
	return false;
}

uint64_t seen_since(const struct seen *s)
{
	const size_t part = SEEN_MAX / SEEN_PARTS;

	if (!s->full)
		return 0;
	/* The part at hand is being written over; the one behind it is the oldest that is whole. */
	return s->part_since[(s->next / part + 1) % SEEN_PARTS];
}
