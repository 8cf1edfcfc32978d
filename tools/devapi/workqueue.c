/* SPDX-License-Identifier: Apache-2.0 */
/* workqueue.c: a first-in first-out queue of keys with a delay and a rate */
#include "tools/devapi/workqueue.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"

/* Keys worked on before requests have their turn. */
#define BATCH 64

struct work {
	struct list item;
	const struct kind *kind;
	uint64_t due;
	size_t size;
	char id[]; /* the kind's plural, a space, the key */
};

struct workqueue {
	struct timer *timer;
	struct workqueue_options options;
	work_fn fn;
	void *userdata;
	struct list queue;
	struct map by_id;
	uint64_t free_at; /* when the rate allows the next write */
};

static struct map_key work_key(const void *value)
{
	const struct work *w = value;

	return (struct map_key){w->id, w->size};
}

static void arm(struct workqueue *q)
{
	const struct work *w = LIST_FIRST(&q->queue, struct work, item);
	uint64_t now = clock_now(), at;

	if (!w)
		return;
	at = w->due > q->free_at ? w->due : q->free_at;
	timer_arm(q->timer, at > now ? at - now : 0);
}

void workqueue_add(struct workqueue *q, const struct kind *k, const char *key)
{
	size_t kind_size = strlen(k->plural), size = kind_size + 1 + strlen(key);
	struct work *w = malloc(sizeof(*w) + size + 1);
	bool first = list_empty(&q->queue);

	if (!w)
		return;
	*w = (struct work){.kind = k, .due = clock_now() + q->options.delay_ns, .size = size};
	memcpy(w->id, k->plural, kind_size);
	w->id[kind_size] = ' ';
	memcpy(w->id + kind_size + 1, key, size - kind_size);
	if (map_add(&q->by_id, w) < 0) {
		free(w);
		return;
	}
	list_append(&q->queue, &w->item);
	if (first)
		arm(q);
}

static void work_one(struct workqueue *q, struct work *w)
{
	unsigned writes;

	list_remove(&w->item);
	(void)map_remove(&q->by_id, w->id, w->size);
	writes = q->fn(w->kind, w->id + strlen(w->kind->plural) + 1, q->userdata);
	free(w);
	if (q->options.writes_per_second > 0)
		q->free_at =
			clock_now() + (uint64_t)((double)writes / q->options.writes_per_second *
						 (double)NSEC_PER_SEC);
}

static void on_timer(struct timer *t, void *userdata)
{
	struct workqueue *q = userdata;

	(void)t;
	for (int i = 0; i < BATCH; i++) {
		struct work *w = LIST_FIRST(&q->queue, struct work, item);
		uint64_t now = clock_now();

		if (!w || w->due > now || q->free_at > now)
			break;
		work_one(q, w);
	}
	arm(q);
}

int workqueue_new(struct workqueue **ret, struct loop *l, const struct workqueue_options *o,
	work_fn fn, void *userdata)
{
	struct workqueue *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	r = timer_new_exact(&q->timer, l, on_timer, q);
	if (r < 0) {
		free(q);
		return r;
	}
	q->options = *o;
	q->fn = fn;
	q->userdata = userdata;
	q->by_id = MAP_NULL(work_key);
	list_init(&q->queue);
	*ret = q;
	return 0;
}

struct workqueue *workqueue_free(struct workqueue *q)
{
	if (!q)
		return NULL;
	LIST_FOREACH (&q->queue, it)
		free(LIST_ENTRY(it, struct work, item));
	map_done(&q->by_id);
	timer_free(q->timer);
	free(q);
	return NULL;
}
