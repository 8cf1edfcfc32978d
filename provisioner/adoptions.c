/* SPDX-License-Identifier: Apache-2.0 */
/* adoptions.c: which orders there are, whose turn it is, when to try again */
#include "provisioner/adoptions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "provisioner/adopt.h"

/* A lost cluster's volumes come by the thousand; claims go first. */
#define RUNNING_MAX 32
#define LANE "api"
/* So long the answer to a refused order can be read. */
#define REFUSED_FOR SECONDS(15)

struct adoptions {
	struct provisioner *p;
	struct map by_name;
	struct queue *queue;
};

static struct map_key key_of(const void *value)
{
	return map_key_str(((const struct adoption *)value)->name);
}

static void adoption_free(struct adoption *a)
{
	if (a->request)
		kube_request_cancel(a->request);
	delay_stop(a->p->delays, &a->delay);
	queue_remove(a->s->queue, &a->job);
	map_removes(&a->s->by_name, a->name);
	facts_done(&a->facts);
	free(a);
}

static void later(struct adoption *a, uint64_t ns)
{
	if (delay_start(a->p->delays, &a->delay, ns) >= 0)
		return;
	log_warning("out of memory: the order for volume %s waits for the next scan", a->name);
	adoption_free(a);
}

void adopt_end(struct adoption *a, enum adopt_outcome outcome, const struct err *e)
{
	struct provisioner *p = a->p;

	queue_done(a->s->queue, &a->job, outcome == ADOPT_SILENT ? JOB_DONE : JOB_ANSWERED);
	if (e)
		log_warning("order for volume %s: %s", a->name, e->text);
	switch (outcome) {
	case ADOPT_DONE:
		adoption_free(a);
		break;
	case ADOPT_RETRY:
	case ADOPT_SILENT:
		later(a, backoff_next(&a->backoff));
		break;
	case ADOPT_REFUSED:
		a->refused = true;
		later(a, REFUSED_FOR);
		break;
	}
	provisioner_settled(p);
}

static void on_turn(struct turn *t, void *userdata)
{
	struct adoption *a = userdata;
	const struct err e = {ENOMEM, "out of memory"};

	(void)t;
	if (adopt_run(a) < 0)
		adopt_end(a, ADOPT_RETRY, &e);
}

static void enqueue(struct adoption *a)
{
	if (queue_add(a->s->queue, &a->job, LANE, "") < 0)
		later(a, a->backoff.min);
}

static void on_due(struct delay *d, void *userdata)
{
	struct adoption *a = userdata;

	(void)d;
	if (provisioner_active(a->p))
		enqueue(a);
	else
		adoption_free(a);
}

void adoptions_consider(struct adoptions *s, const struct bvol *b)
{
	size_t size = strlen(b->o.name) + 1;
	struct adoption *a = map_gets(&s->by_name, b->o.name);

	if (a || !provisioner_active(s->p))
		return;
	a = calloc(1, sizeof(*a) + size);
	if (!a)
		return;
	memcpy(a->name, b->o.name, size);
	a->s = s;
	a->p = s->p;
	a->job = (struct turn){.taken = on_turn, .userdata = a};
	a->delay = (struct delay){.due = on_due, .userdata = a};
	a->backoff = (struct backoff){.min = s->p->config->retry.min,
		.max = s->p->config->retry.max,
		.jitter_percent = 20};
	if (map_add(&s->by_name, a) < 0)
		free(a);
	else
		enqueue(a);
}

void adoptions_pause(struct adoptions *s, bool paused)
{
	queue_pause(s->queue, paused);
}

size_t adoptions_running(const struct adoptions *s)
{
	return queue_running(s->queue);
}

int adoptions_new(struct adoptions **ret, struct provisioner *p)
{
	_cleanup_(adoptions_freep) struct adoptions *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->p = p;
	s->by_name = MAP_NULL(key_of);
	r = queue_new(&s->queue, p->loop, RUNNING_MAX, RUNNING_MAX);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct adoptions *adoptions_free(struct adoptions *s)
{
	struct adoption *a;

	if (!s)
		return NULL;
	MAP_FOREACH (&s->by_name, a) {
		adoption_free(a);
	}
	map_done(&s->by_name);
	queue_free(s->queue);
	free(s);
	return NULL;
}
