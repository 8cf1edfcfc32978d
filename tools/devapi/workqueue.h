/* SPDX-License-Identifier: Apache-2.0 */
/* workqueue.h: objects that changed, each once, worked on after a delay and no faster than a rate
 */
#ifndef BERTH_DEVAPI_WORKQUEUE_H
#define BERTH_DEVAPI_WORKQUEUE_H

#include "event/loop.h"
#include "tools/devapi/kinds.h"

struct workqueue;
/* How many writes the work took; the rate counts them. */
typedef unsigned (*work_fn)(const struct kind *k, const char *key, void *userdata);
struct workqueue_options {
	uint64_t delay_ns;        /* from being queued to being worked on */
	double writes_per_second; /* 0 without limit */
};
int workqueue_new(struct workqueue **ret, struct loop *l, const struct workqueue_options *o,
	work_fn fn, void *userdata);
struct workqueue *workqueue_free(struct workqueue *q);
DEFINE_CLEANUP(struct workqueue *, workqueue_free)
/* No effect where it is queued already. Never calls back itself. */
void workqueue_add(struct workqueue *q, const struct kind *k, const char *key);

#endif
