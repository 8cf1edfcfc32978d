/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h: one event of a watch (contracts.md 5.5) (inside lib/kube) */
#ifndef BERTH_KUBE_WATCH_H
#define BERTH_KUBE_WATCH_H

#include <jansson.h>

#include "base/err.h"

enum watch_type {
	WATCH_ADDED,
	WATCH_MODIFIED,
	WATCH_DELETED,
	WATCH_BOOKMARK,
	WATCH_ERROR,
	WATCH_UNKNOWN
};

struct watch_event {
	enum watch_type type;
	const json_t *object; /* in tree */
	const char *rv;       /* metadata.resourceVersion; NULL where there is none */
	json_t *tree;
};

/* One line; -EBADMSG where it is no event. watch_event_done() after success only. */
int watch_event_parse(struct watch_event *ret, const char *line, size_t n, struct err *e);
void watch_event_done(struct watch_event *ev);

/* What to do where a watch ended. */
enum watch_verdict {
	WATCH_AGAIN,  /* at once, where it stood */
	WATCH_RETRY,  /* where it stood, after a back-off */
	WATCH_RELIST, /* after a back-off */
};
/* For an ERROR event: the verdict on its Status, whose words go to e. */
enum watch_verdict watch_error_verdict(const json_t *status, struct err *e);

#endif
