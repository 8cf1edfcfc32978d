/* SPDX-License-Identifier: Apache-2.0 */
/* seen.h: the states of objects that a watch has shown lately (inside lib/kube) */
#ifndef BERTH_KUBE_SEEN_H
#define BERTH_KUBE_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than a watch shows while one of our writes is under way. */
#define SEEN_MAX 4096
#define SEEN_PARTS 4

/*
 * Resource versions have no order that one may rely on. But a watch shows the states of an object
 * in order, so a write's answer is newer than the cache if and only if the watch has not shown it
 * yet. A hash stands for a state: mistaking one for another, once in 10^6, only loses an early
 * look.
 */
struct seen {
	uint64_t part_since[SEEN_PARTS]; /* when the filling of each part began */
	size_t next;
	bool full;
	uint32_t states[SEEN_MAX];
};

uint32_t seen_state(const void *key, size_t key_size, const char *rv);
void seen_add(struct seen *s, uint32_t state, uint64_t now);
bool seen_has(const struct seen *s, uint32_t state);
/* Everything shown since then is remembered; 0: everything. */
uint64_t seen_since(const struct seen *s);

#endif
