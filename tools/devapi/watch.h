/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h: the open watches: replay, events, bookmarks, time-outs, and faults on them */
#ifndef BERTH_DEVAPI_WATCH_H
#define BERTH_DEVAPI_WATCH_H

#include "event/loop.h"
#include "http/server.h"
#include "tools/devapi/faults.h"
#include "tools/devapi/reply.h"
#include "tools/devapi/select.h"
#include "tools/devapi/session.h"

struct watches;
/* Subscribes to the store. */
int watches_new(struct watches **ret, struct loop *l, struct store *s, struct faults *f);
struct watches *watches_free(struct watches *w); /* after the HTTP server */
DEFINE_CLEANUP(struct watches *, watches_free)
size_t watches_count(const struct watches *w);

enum watch_flag {
	WATCH_BOOKMARKS = 1U << 0,
	WATCH_TABLE = 1U << 1,
	WATCH_INITIAL = 1U << 2, /* all there is first, as ADDED */
	WATCH_MARK = 1U << 3,    /* then a bookmark that says so (sendInitialEvents) */
	WATCH_MUTED = 1U << 4,   /* half-open from the start: headers and nothing else */
};
struct watch_options {
	struct selection selection;
	unsigned flags;
	uint64_t rv; /* to resume from; ignored with WATCH_INITIAL */
	uint64_t timeout_ns;
};
/* Takes the exchange over. Always answers. */
void watch_start(struct watches *w, struct http_exchange *x, const struct watch_options *o);
/* From the server's gone(). */
void watch_gone(struct session *s);

/* Does the action now to every watch that the fault's resource, ns and name fit; how many. */
unsigned watches_hit(struct watches *w, const struct fault *f);

#endif
