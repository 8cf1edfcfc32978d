/* SPDX-License-Identifier: Apache-2.0 */
/* store.h: objects by key, their revisions, and the recent history that watches resume from */
#ifndef BERTH_DEVAPI_STORE_H
#define BERTH_DEVAPI_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "tools/devapi/kinds.h"

/*
 * One state of one object, serialized once. json begins with {"kind":…,"apiVersion":…, of which
 * the first head bytes can be left out after a "{" (list items of built-in kinds).
 * key is "namespace/name", or the name of a cluster-scoped object.
 */
struct revision {
	unsigned refs;
	const struct kind *kind;
	uint64_t rv;
	const char *key;
	const char *name; /* in key */
	size_t ns_len;    /* of key, 0 if cluster-scoped */
	size_t head;
	size_t size;
	const char *json;
};
struct revision *revision_ref(struct revision *r);
void revision_unref(struct revision *r);
/* Parsed anew; the caller's. NULL without memory. */
json_t *revision_parse(const struct revision *r);

enum change_type { CHANGE_ADDED, CHANGE_MODIFIED, CHANGE_DELETED };
struct change {
	enum change_type type;
	struct revision *now;
	struct revision *before; /* NULL for ADDED */
};

struct store;
/* history: how many changes can be watched from afterwards. */
int store_new(struct store **ret, size_t history);
struct store *store_free(struct store *s);
DEFINE_CLEANUP(struct store *, store_free)

/* Called within store_commit(), in the order of subscription; object is borrowed. May commit
 * nothing itself. */
typedef void (*store_fn)(const struct change *c, const json_t *object, void *userdata);
#define STORE_SUBSCRIBERS 8
int store_subscribe(struct store *s, store_fn fn, void *userdata);

struct revision *store_get(const struct store *s, const struct kind *k, const char *key);
size_t store_count(const struct store *s, const struct kind *k);
/* In the order of keys, i < store_count(). */
struct revision *store_at(const struct store *s, const struct kind *k, size_t i);
/* The index of the first key that is not less. */
size_t store_seek(const struct store *s, const struct kind *k, const char *key);

/*
 * Writes object (borrowed; its metadata.resourceVersion is set) as the new state of key and tells
 * the subscribers. The revision is the store's. -ENOMEM: nothing happened.
 */
int store_commit(struct store *s, enum change_type type, const struct kind *k, const char *key,
	json_t *object);
uint64_t store_rv(const struct store *s);

/* Changes after rv, oldest first: the first of them by index into the history, store_history_n()
 * beyond the last. -ERANGE where some are forgotten. */
int store_history_after(const struct store *s, uint64_t rv, size_t *ret_index);
size_t store_history_n(const struct store *s);
const struct change *store_history_at(const struct store *s, size_t index);
/* Forgets the history: older resourceVersions are expired. */
void store_compact(struct store *s);

#endif
