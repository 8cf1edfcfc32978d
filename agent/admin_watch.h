/* SPDX-License-Identifier: Apache-2.0 */
/* admin_watch.h: GET /v1/watch: a line of JSON for each change of a row */
#ifndef BERTH_AGENT_ADMIN_WATCH_H
#define BERTH_AGENT_ADMIN_WATCH_H

#include "agent/view.h"
#include "event/loop.h"
#include "http/server.h"

/*
 *   {"type": "ADDED|MODIFIED|DELETED", "kind": "mounts", "time": ..., "object": {...},
 *    "was": {"state": "Ok"}}          was: MODIFIED only, what the changed keys had before
 *
 * Rows are compared while somebody watches, and only then. What changes by itself (times of
 * answers, free space) is in no line.
 */
struct admin_watch;
int admin_watch_new(struct admin_watch **ret, struct loop *l, const struct view *view);
/* Ends all streams. */
struct admin_watch *admin_watch_free(struct admin_watch *w);
DEFINE_CLEANUP(struct admin_watch *, admin_watch_free)

/* kinds: names separated by commas, NULL for all. -EINVAL for an unknown one: nothing was answered.
 */
int admin_watch_add(struct admin_watch *w, struct http_exchange *x, const char *kinds);
/* x, which admin_watch_add() took, is no more. */
void admin_watch_gone(struct admin_watch *w, struct http_exchange *x);
/* Has rows compared within 200 ms. */
void admin_watch_changed(struct admin_watch *w);

#endif
