/* SPDX-License-Identifier: Apache-2.0 */
/* releases.c: which volumes are to end, whose turn it is, what failed and when to try again */
#include "provisioner/releases.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "provisioner/adoptions.h"
#include "provisioner/intents.h"
#include "provisioner/names.h"
#include "provisioner/release.h"
#include "provisioner/verdict.h"
#include "provisioner/works.h"

/* A claim that is being served while its volume ends; rare, so asking again is good enough. */
#define BUSY_PAUSE SECONDS(1)
/* The lane of the live reads: the API server's. */
#define LANE_API "api"
/* Live reads older than this when the server's turn comes are done again. */
#define FRESH_FOR SECONDS(1)

struct releases {
	struct provisioner *p;
	struct map by_pv;
	struct queue *queue;
	size_t running; /* not idle */
	size_t waiting; /* of them: for the server's turn */
};

static void on_turn(struct turn *t, void *userdata);
static void on_due(struct delay *d, void *userdata);

static struct map_key key_of(const void *value)
{
	return map_key_str(((const struct release *)value)->pv);
}

static struct release *release_make(struct releases *s, const char *pv, enum release_goal goal)
{
	struct release *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->s = s;
	r->p = s->p;
	r->goal = (uint8_t)goal;
	r->since = clock_now();
	r->job = (struct turn){.taken = on_turn, .userdata = r};
	r->delay = (struct delay){.due = on_due, .userdata = r};
	r->backoff = (struct backoff){.min = s->p->config->retry.min,
		.max = s->p->config->retry.max,
		.jitter_percent = 20};
	r->pv = strdup(pv);
	if (!r->pv || map_add(&s->by_pv, r) < 0) {
		free(r->pv);
		free(r);
		return NULL;
	}
	return r;
}

static void release_free(struct release *r)
{
	if (r->state != OUT_IDLE)
		r->s->running--;
	if (r->state == OUT_WAITING && !r->job.running)
		r->s->waiting--;
	if (r->request)
		kube_request_cancel(r->request);
	delay_stop(r->p->delays, &r->delay);
	queue_remove(r->s->queue, &r->job);
	map_removes(&r->s->by_pv, r->pv);
	json_decref(r->patch);
	facts_done(&r->facts);
	free(r->pv);
	free(r);
}

static void start_again(struct release *r, uint64_t ns)
{
	queue_remove(r->s->queue, &r->job);
	if (delay_start(r->p->delays, &r->delay, ns) < 0) {
		log_warning("out of memory: volume %s waits for the next change of it", r->pv);
		release_free(r);
	}
}

static void enqueue(struct release *r)
{
	const struct object *o = informer_get(r->p->volumes, "", r->pv);

	delay_stop(r->p->delays, &r->delay);
	if (queue_add(r->s->queue, &r->job, LANE_API, o ? pv_of(o)->class : "") < 0)
		start_again(r, r->p->config->retry.min);
}

static void begin(struct releases *s, const char *pv, enum release_goal goal)
{
	struct release *r = map_gets(&s->by_pv, pv);

	if (r) {
		/* A finalizer's upkeep gives way to what is more. */
		r->again = true;
		if (r->goal == GOAL_UPKEEP && r->state == OUT_IDLE)
			r->goal = (uint8_t)goal;
		if (r->refused && r->state == OUT_IDLE && delay_waits(&r->delay))
			enqueue(r);
		return;
	}
	r = release_make(s, pv, goal);
	if (r)
		enqueue(r);
}

/* ---- what is to end ---------------------------------------------------------------------- */

static const struct pvc *claim_named_by(const struct releases *s, const struct pv *v)
{
	const struct object *o =
		v->flags & PV_HAS_CLAIM
			? informer_get(s->p->claims, v->claim_namespace, v->claim_name)
			: NULL;

	return o ? pvc_of(o) : NULL;
}

void releases_consider(struct releases *s, const struct pv *v)
{
	const struct pvc *claim;

	if (!provisioner_active(s->p))
		return;
	switch (volume_check(s->p->config, v)) {
	case VOLUME_RECLAIM:
		begin(s, v->o.name, GOAL_RECLAIM);
		return;
	case VOLUME_ADD_FINALIZER:
	case VOLUME_DROP_FINALIZER:
		begin(s, v->o.name, GOAL_UPKEEP);
		return;
	case VOLUME_LEAVE:
		break;
	}
	claim = claim_named_by(s, v);
	if (claim && volume_has_lost(s->p->config, v, claim))
		begin(s, v->o.name, GOAL_LOSER);
}

void releases_lost(struct releases *s, const char *pv)
{
	begin(s, pv, GOAL_LOSER);
}

void releases_consider_intent(struct releases *s, const struct bvol *b)
{
	const char *text = str_after(b->o.name, VOLUME_PREFIX);
	struct uuid uid;

	if (b->ordered && !b->o.deleting) {
		adoptions_consider(s->p, b);
		return;
	}
	/* Both caches must have been complete: what is in neither is gone or never was. */
	if (!provisioner_active(s->p) || b->o.deleting || !text || uuid_parse(text, &uid) < 0)
		return;
	if (informer_get(s->p->volumes, "", b->o.name) || ledger_find_claim(&s->p->ledger, &uid) ||
		works_busy_with(s->p->works, &uid))
		return;
	begin(s, b->o.name, GOAL_UNDO);
}

static struct release *undo_make(struct releases *s, struct facts *facts)
{
	struct release *r =
		map_gets(&s->by_pv, facts->pv) ? NULL : release_make(s, facts->pv, GOAL_UNDO);

	if (!r)
		return NULL;
	r->facts = *facts;
	*facts = (struct facts){0};
	r->has_facts = true;
	r->maybe_made = true;
	return r;
}

void releases_orphan(struct releases *s, struct facts *facts, bool erase)
{
	struct release *r = undo_make(s, facts);

	if (!r)
		return;
	r->erase = erase;
	enqueue(r);
}

void releases_undo(struct releases *s, struct facts *facts, bool maybe_made)
{
	struct release *r = undo_make(s, facts);

	if (!r)
		return;
	r->maybe_made = maybe_made;
	if (provisioner_active(s->p))
		enqueue(r);
	else
		release_free(r); /* the BerthVolume and the record tell the next leader */
}

/* ---- turns ------------------------------------------------------------------------------- */

static bool claim_is_served(const struct release *r)
{
	const struct object *o = informer_get(r->p->volumes, "", r->pv);
	const char *text = str_after(r->pv, VOLUME_PREFIX);
	struct uuid uid;

	if (text && uuid_parse(text, &uid) == 0 && works_busy_with(r->p->works, &uid))
		return true;
	return o && works_busy_with(r->p->works, &pv_of(o)->claim_uid);
}

/* From the caches alone: what waits for a node for hours costs no request. */
static bool hold(struct release *r)
{
	struct err e = ERR_NULL;
	uint64_t wait = release_held(r, &e);

	r->held = wait > 0;
	if (!wait)
		return false;
	release_tell_held(r, &e);
	start_again(r, wait);
	return true;
}

static void on_turn(struct turn *t, void *userdata)
{
	struct release *r = userdata;

	(void)t;
	if (r->state == OUT_WAITING) {
		r->s->waiting--;
		release_go(r, clock_now() - r->read_at > FRESH_FOR ? RE_VOLUME : RE_ACT);
		return;
	}
	if (claim_is_served(r)) {
		start_again(r, BUSY_PAUSE);
		return;
	}
	if (hold(r))
		return;
	r->again = false;
	r->s->running++;
	if (release_run(r) < 0) {
		r->s->running--;
		start_again(r, r->p->config->retry.min);
	}
}

static void on_due(struct delay *d, void *userdata)
{
	struct release *r = userdata;

	(void)d;
	if (provisioner_active(r->p))
		enqueue(r);
	else
		release_free(r);
}

/* From the API's lane to the server's; on its second way through the reads it has the turn. */
void release_wait(struct release *r)
{
	const char *lane = r->facts.server;

	if (r->job.running && queue_lane_is(&r->job, lane)) {
		release_go(r, RE_ACT);
		return;
	}
	queue_done(r->s->queue, &r->job, JOB_DONE);
	if (queue_add(r->s->queue, &r->job, lane, r->facts.class) < 0) {
		struct err e = ERR_NULL;

		err_set(&e, ENOMEM, "out of memory");
		release_end(r, RELEASE_RETRY, &e);
		return;
	}
	r->s->waiting++;
	provisioner_settled(r->p);
}

void release_acted(struct release *r, enum job_outcome outcome)
{
	queue_done(r->s->queue, &r->job, outcome);
}

/* ---- ends -------------------------------------------------------------------------------- */

static const char *failure_reason(const struct release *r)
{
	if (r->goal == GOAL_UNDO)
		return "ProvisioningCleanupFailed";
	return r->has_facts && r->facts.reclaim == RECLAIM_RECYCLE ? "VolumeFailedRecycle"
								   : "VolumeFailedDelete";
}

/* The same words again only raise the event's count, so a refusal is told once a text. */
static void tell(struct release *r, enum release_outcome outcome, const struct err *e)
{
	const struct provisioner_object o = release_object(r);
	uint64_t text = map_hash(e->text, strlen(e->text));

	log_warning("volume %s: %s", r->pv, e->text);
	if (r->goal == GOAL_RECLAIM)
		stats_delete_failed(r->p->stats, r->has_facts ? r->facts.class : "");
	if (outcome == RELEASE_REFUSED && r->told == text)
		return;
	r->told = text;
	if (*str_or(o.uid, ""))
		provisioner_event(r->p, &o, true, failure_reason(r), "%s", e->text);
	if (outcome == RELEASE_REFUSED && r->goal == GOAL_RECLAIM)
		intents_failed(r->p->intents, r->pv, failure_reason(r), e);
}

static void consider_again(struct releases *s, const char *pv)
{
	const struct object *o = informer_get(s->p->volumes, "", pv);

	if (o) {
		releases_consider(s, pv_of(o));
		return;
	}
	/* The PV was taken away meanwhile: its BerthVolume is all that is left to end. */
	o = informer_get(s->p->intents_seen, "", pv);
	if (o)
		releases_consider_intent(s, bvol_of(o));
}

void release_end(struct release *r, enum release_outcome outcome, const struct err *e)
{
	struct releases *s = r->s;
	struct provisioner *p = r->p;
	_cleanup_free_ char *pv = NULL;

	r->request = NULL;
	sm_fire(&release_table, &r->state, RE_END, r);
	s->running--;
	r->refused = outcome == RELEASE_REFUSED;
	queue_done(s->queue, &r->job, JOB_DONE);
	if (e && outcome != RELEASE_DONE && outcome != RELEASE_HELD)
		tell(r, outcome, e);
	switch (outcome) {
	case RELEASE_DONE:
		if (r->goal == GOAL_RECLAIM && r->facts.reclaim == RECLAIM_RECYCLE)
			intents_mended(p->intents, r->pv);
		pv = r->again ? strdup(r->pv) : NULL;
		release_free(r);
		if (pv)
			consider_again(s, pv);
		break;
	case RELEASE_RETRY:
		start_again(r, backoff_next(&r->backoff));
		break;
	case RELEASE_SILENT:
		/* The queue knows when the server may be asked again; its lane is where we wait. */
		r->backoff.tries = 0;
		start_again(r, backoff_next(&r->backoff));
		break;
	case RELEASE_HELD:
		if (!hold(r))
			enqueue(r);
		break;
	case RELEASE_REFUSED:
		/* The orphan scan comes by again. */
		if (r->goal == GOAL_UNDO)
			release_free(r);
		else
			start_again(r, p->config->retry.max);
		break;
	}
	provisioner_settled(p);
}

void releases_poke(struct releases *s, const struct uuid *claim_uid)
{
	_cleanup_free_ char *pv = NULL;
	struct release *r = NULL;

	if (facts_pv_name(claim_uid, &pv) >= 0)
		r = map_gets(&s->by_pv, pv);
	if (r && r->state == OUT_IDLE && delay_waits(&r->delay) && r->backoff.tries == 0 &&
		!r->told)
		enqueue(r);
}

bool releases_busy_with(const struct releases *s, const struct uuid *claim_uid)
{
	char uid[UUID_TEXT_MAX], pv[sizeof(VOLUME_PREFIX) + UUID_TEXT_MAX];
	const struct release *r = NULL;

	if (str_format(pv, sizeof(pv), VOLUME_PREFIX "%s", uuid_format(claim_uid, uid)) >= 0)
		r = map_gets(&s->by_pv, pv);
	return r && r->state != OUT_IDLE;
}

void releases_pause(struct releases *s, bool paused)
{
	queue_pause(s->queue, paused);
}

void releases_set_limits(struct releases *s)
{
	queue_set_limits(s->queue, s->p->config->limits.reclaims, s->p->config->limits.per_server);
}

size_t releases_running(const struct releases *s)
{
	return s->running - s->waiting;
}

size_t releases_held(const struct releases *s)
{
	const struct release *r;
	size_t n = 0;

	MAP_FOREACH (&s->by_pv, r)
		n += r->held;
	return n;
}

size_t releases_waiting(const struct releases *s)
{
	return s->by_pv.size - releases_running(s);
}

int releases_new(struct releases **ret, struct provisioner *p)
{
	_cleanup_(releases_freep) struct releases *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->p = p;
	s->by_pv = MAP_NULL(key_of);
	r = queue_new(&s->queue, p->loop, p->config->limits.reclaims, p->config->limits.per_server);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct releases *releases_free(struct releases *s)
{
	struct release *r;

	if (!s)
		return NULL;
	MAP_FOREACH (&s->by_pv, r) {
		release_free(r);
	}
	map_done(&s->by_pv);
	queue_free(s->queue);
	free(s);
	return NULL;
}
