/* SPDX-License-Identifier: Apache-2.0 */
/* jobs.c: a map of jobs, the queue of those that wait for their turn, delays for the others */
#include "provisioner/jobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "provisioner/provisioner.h"

static struct map_key key_of(const void *value)
{
	return map_key_str(((const struct job *)value)->name);
}

static void on_turn(struct turn *t, void *userdata)
{
	struct job *j = userdata;

	(void)t;
	j->set->kind->turn(j);
}

static void on_due(struct delay *d, void *userdata)
{
	struct job *j = userdata;

	(void)d;
	if (provisioner_active(j->set->p))
		j->set->kind->due(j);
	else
		job_drop(j);
}

/* ---- one job ----------------------------------------------------------------------------- */

static void rest(struct job *j)
{
	delay_stop(j->set->p->delays, &j->delay);
	queue_remove(j->set->queue, &j->turn);
}

void job_queue(struct job *j, const char *lane, const char *flow)
{
	rest(j);
	if (queue_add(j->set->queue, &j->turn, lane, flow) < 0)
		job_later(j, j->backoff.min);
}

void job_later(struct job *j, uint64_t ns)
{
	const struct job_kind *kind = j->set->kind;

	rest(j);
	if (delay_start(j->set->p->delays, &j->delay, ns) >= 0)
		return;
	log_warning("out of memory: %s %s waits for %s", kind->what, j->name, kind->until);
	job_drop(j);
}

void job_retry(struct job *j)
{
	job_later(j, backoff_next(&j->backoff));
}

void job_done(struct job *j, enum job_outcome outcome)
{
	queue_done(j->set->queue, &j->turn, outcome);
	provisioner_settled(j->set->p);
}

void job_drop(struct job *j)
{
	rest(j);
	map_removes(&j->set->by_name, j->name);
	j->set->kind->gone(j);
	free(j);
}

/* ---- all of them ------------------------------------------------------------------------- */

int jobs_new(struct jobs **ret, struct provisioner *p, const struct job_kind *kind, unsigned max,
	unsigned max_lane)
{
	_cleanup_(jobs_freep) struct jobs *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->p = p;
	s->kind = kind;
	s->by_name = MAP_NULL(key_of);
	r = queue_new(&s->queue, p->loop, max, max_lane);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct jobs *jobs_free(struct jobs *s)
{
	struct job *j;

	if (!s)
		return NULL;
	MAP_FOREACH (&s->by_name, j) {
		job_drop(j);
	}
	map_done(&s->by_name);
	queue_free(s->queue);
	free(s);
	return NULL;
}

void *jobs_add(struct jobs *s, const char *name)
{
	size_t size = strlen(name) + 1;
	struct job *j = map_gets(&s->by_name, name) ? NULL : calloc(1, s->kind->size + size);

	if (!j)
		return NULL;
	j->set = s;
	j->name = memcpy((char *)j + s->kind->size, name, size);
	j->turn = (struct turn){.taken = on_turn, .userdata = j};
	j->delay = (struct delay){.due = on_due, .userdata = j};
	j->backoff = (struct backoff){.min = s->p->config->retry.min,
		.max = s->p->config->retry.max,
		.jitter_percent = 20};
	if (map_add(&s->by_name, j) < 0) {
		free(j);
		return NULL;
	}
	return j;
}
