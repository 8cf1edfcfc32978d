/* SPDX-License-Identifier: Apache-2.0 */
/* informer.h: a local copy of one kind, by list and watch (contracts.md 5.4, 5.5) */
#ifndef BERTH_KUBE_INFORMER_H
#define BERTH_KUBE_INFORMER_H

#include "kube/client.h"
#include "kube/object.h"

/*
 *  list --ok--> watch --clean end--> watch        410, error event: list (last rv, then "")
 *   ^ error: back-off 0.8 s x2 .. 30 s, jitter     429, refused: watch again at the same rv after
 * back-off
 */
struct informer;

struct informer_callbacks {
	/* old == NULL: new; now == NULL: gone (old is the last state known). Both borrowed for the
	 * call. */
	void (*changed)(struct informer *i, const struct object *old, const struct object *now,
		void *userdata);
	/* After the first complete list, once. */
	void (*synced)(struct informer *i, void *userdata);
};

int informer_new(struct informer **ret, struct kube_client *c, struct strpool *pool,
	const struct kind *k, const struct informer_callbacks *cb, void *userdata);
struct informer *informer_free(struct informer *i);
DEFINE_CLEANUP(struct informer *, informer_free)

bool informer_synced(const struct informer *i);
const struct kind *informer_kind(const struct informer *i);
/* Cached object, borrowed until control returns to the loop. namespace "" for cluster-scoped kinds.
 */
const struct object *informer_get(
	const struct informer *i, const char *namespace_, const char *name);
size_t informer_size(const struct informer *i);
/* Walks all objects; cursor starts at 0. NULL at the end. */
const struct object *informer_next(const struct informer *i, size_t *cursor);
/*
 * Puts the object that a write of ours just returned into the cache, so that our next decision does
 * not miss it; json is borrowed. To be called from that write's kube_fn, not later. Ignored where
 * the watch has shown this state or a later one, the object's end included, and where a list ran
 * since the request was sent: the cache never goes back. changed() is called before the return,
 * and not again for the watch's own event of it.
 */
void informer_observe(struct informer *i, const json_t *json);

struct informer_stats {
	uint64_t lists, watches, events, bookmarks, decode_errors, restarts;
	uint64_t last_event; /* clock_now() of the last byte from the server */
	bool missing;        /* the last list was answered 404: the server has no such kind */
};
void informer_stats(const struct informer *i, struct informer_stats *ret);

#endif
