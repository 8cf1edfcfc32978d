/* SPDX-License-Identifier: Apache-2.0 */
/* reflect.h: an informer from the inside: its machine, its lists, its watches (inside lib/kube) */
#ifndef BERTH_KUBE_REFLECT_H
#define BERTH_KUBE_REFLECT_H

#include "base/backoff.h"
#include "base/buf.h"
#include "kube/cache.h"
#include "kube/informer.h"
#include "kube/items.h"
#include "kube/lines.h"
#include "kube/pack.h"
#include "kube/request.h"
#include "kube/watch.h"

/* Continue tokens are some 200 bytes; they are opaque. */
#define CONTINUE_MAX 4096
#define PATH_BYTES_MAX (CONTINUE_MAX * 3 + 1024)

/* The events of the machine; informer.c has its table. */
enum reflect_event {
	REFLECT_START,
	REFLECT_PAGE,         /* a page came, more are to follow */
	REFLECT_LISTED,       /* the last page came */
	REFLECT_LIST_EXPIRED, /* 410, or the server is behind */
	REFLECT_LIST_FAILED,
	REFLECT_WATCH_ENDED, /* as it should */
	REFLECT_WATCH_LATER, /* to be tried where it stood */
	REFLECT_RELIST,
	REFLECT_DUE /* the timer */
};

/* Where the next list begins (contracts.md 5.4): any cached state, one not older than the last that
 * we know, or the truth of this moment. */
enum list_from { FROM_CACHE, FROM_LAST, FROM_QUORUM };

struct informer {
	struct kube_client *client;
	const struct kind *kind;
	struct informer_callbacks cb;
	void *userdata;
	struct cache cache;
	struct kube_request *q;
	struct timer *timer;    /* the end of a back-off */
	struct timer *watchdog; /* lazy: of the watch at hand */
	struct backoff backoff;
	uint64_t backoff_at, retry_after, second_ns;
	uint8_t state; /* of the machine */
	char rv[PACK_RV_MAX + 1];

	enum list_from from;
	bool unlimited;  /* the list at hand is in one page */
	bool continuing; /* the page at hand is not the first */
	struct items items;
	char *cont;   /* token of the next page; NULL for the first */
	bool expired; /* restarted after a token expired */

	struct lines lines;
	uint64_t watch_at, watch_ns;
	uint64_t watch_events;
	bool bookmarked, synthetic;
	enum watch_verdict verdict;

	struct informer_stats stats;
	unsigned depth;
	bool synced, dead;
};

/* n milliseconds of the client's second. */
uint64_t informer_ms(const struct informer *i, uint64_t n);
int informer_fire(struct informer *i, enum reflect_event e);
/* Ends a stretch that began with depth++; the informer may be gone afterwards. */
void informer_leave(struct informer *i);
/* The kind's path and the beginning of a query; more of the query. */
int informer_path_begin(const struct informer *i, struct buf *b);
int informer_path_value(struct buf *b, const char *key, const char *value);

/* Actions of the table: list.c. */
int informer_act_list(void *informer);
int informer_act_page(void *informer);
int informer_act_list_expired(void *informer);
/* watches.c */
int informer_act_watch(void *informer);
int informer_act_watch_due(void *informer);
extern const struct items_ops informer_list_ops;

#endif
