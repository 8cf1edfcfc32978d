/* SPDX-License-Identifier: Apache-2.0 */
/* lines.h: a watch's body as lines, whatever the pieces it comes in (inside lib/kube) */
#ifndef BERTH_KUBE_LINES_H
#define BERTH_KUBE_LINES_H

#include "base/buf.h"

/* An event is an object and a few bytes; etcd's objects have 1.5 MiB at most. */
#define LINES_MAX (16U << 20)

struct lines {
	struct buf part; /* of a line whose end is still to come */
};

void lines_init(struct lines *l);
void lines_done(struct lines *l);
/* Forgets a line that was cut off. */
void lines_reset(struct lines *l);
/* A whole line without its end, never empty, borrowed for the call. Other than 0 ends the feeding.
 */
typedef int (*lines_fn)(void *userdata, const char *line, size_t n);
/* fn's result where that was not 0; -E2BIG for a line beyond LINES_MAX. */
int lines_feed(struct lines *l, const char *data, size_t n, lines_fn fn, void *userdata);

#endif
