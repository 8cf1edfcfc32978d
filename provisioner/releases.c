/* SPDX-License-Identifier: Apache-2.0 */
/* releases.c: which volumes are to end, whose turn it is, what failed and when to try again */
#include "provisioner/releases.h"

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

static struct release *release_make(struct provisioner *p, const char *pv, enum release_goal goal)
{
	struct release *r = jobs_add(p->releases, pv);

	if (!r)
		return NULL;
	r->p = p;
	r->pv = r->job.name;
	r->goal = (uint8_t)goal;
	r->since = clock_now();
	return r;
}

static void release_gone(void *obj)
{
	struct release *r = obj;

	if (r->request)
		kube_request_cancel(r->request);
	json_decref(r->patch);
	facts_done(&r->facts);
}

/* First for the API server's turn, and after the live reads for that of the storage. */
static void enqueue(void *obj)
{
	struct release *r = obj;
	const struct object *o = informer_get(r->p->volumes, "", r->pv);

	if (r->state == OUT_WAITING)
		job_queue(&r->job, r->facts.server, r->facts.class);
	else
		job_queue(&r->job, LANE_API, o ? pv_of(o)->class : "");
}

static void begin(struct provisioner *p, const char *pv, enum release_goal goal)
{
	struct release *r = map_gets(&p->releases->by_name, pv);

	if (r) {
		/* A finalizer's upkeep gives way to what is more. */
		r->again = true;
		if (r->goal == GOAL_UPKEEP && r->state == OUT_IDLE)
			r->goal = (uint8_t)goal;
		if (r->refused && r->state == OUT_IDLE && delay_waits(&r->job.delay))
			enqueue(r);
		return;
	}
	r = release_make(p, pv, goal);
	if (r)
		enqueue(r);
}

/* ---- what is to end ---------------------------------------------------------------------- */

static const struct pvc *claim_named_by(const struct provisioner *p, const struct pv *v)
{
	const struct object *o =
		v->flags & PV_HAS_CLAIM ? informer_get(p->claims, v->claim_namespace, v->claim_name)
					: NULL;

	return o ? pvc_of(o) : NULL;
}

void releases_consider(struct provisioner *p, const struct pv *v)
{
	const struct pvc *claim;

	if (!provisioner_active(p))
		return;
	switch (volume_check(p->config, v)) {
	case VOLUME_RECLAIM:
		begin(p, v->o.name, GOAL_RECLAIM);
		return;
	case VOLUME_ADD_FINALIZER:
	case VOLUME_DROP_FINALIZER:
		begin(p, v->o.name, GOAL_UPKEEP);
		return;
	case VOLUME_LEAVE:
		break;
	}
	claim = claim_named_by(p, v);
	if (claim && volume_has_lost(p->config, v, claim))
		begin(p, v->o.name, GOAL_LOSER);
}

void releases_lost(struct provisioner *p, const char *pv)
{
	begin(p, pv, GOAL_LOSER);
}

void releases_consider_intent(struct provisioner *p, const struct bvol *b)
{
	const char *text = str_after(b->o.name, VOLUME_PREFIX);
	struct uuid uid;

	if (b->ordered && !b->o.deleting) {
		adoptions_consider(p, b);
		return;
	}
	/* Both caches must have been complete: what is in neither is gone or never was. */
	if (!provisioner_active(p) || b->o.deleting || !text || uuid_parse(text, &uid) < 0)
		return;
	if (informer_get(p->volumes, "", b->o.name) || ledger_find_claim(&p->ledger, &uid) ||
		works_busy_with(p->works, &uid))
		return;
	begin(p, b->o.name, GOAL_UNDO);
}

static struct release *undo_make(struct provisioner *p, struct facts *facts)
{
	struct release *r = release_make(p, facts->pv, GOAL_UNDO);

	if (!r)
		return NULL;
	r->facts = *facts;
	*facts = (struct facts){0};
	r->has_facts = true;
	r->maybe_made = true;
	return r;
}

void releases_orphan(struct provisioner *p, struct facts *facts, bool erase)
{
	struct release *r = undo_make(p, facts);

	if (!r)
		return;
	r->erase = erase;
	enqueue(r);
}

void releases_undo(struct provisioner *p, struct facts *facts, bool maybe_made)
{
	/* Else the BerthVolume and the record tell the next leader. */
	struct release *r = provisioner_active(p) ? undo_make(p, facts) : NULL;

	if (!r)
		return;
	r->maybe_made = maybe_made;
	enqueue(r);
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
	job_later(&r->job, wait);
	return true;
}

static void release_turn(void *obj)
{
	struct release *r = obj;

	if (r->state == OUT_WAITING) {
		release_go(r, clock_now() - r->read_at > FRESH_FOR ? RE_VOLUME : RE_ACT);
		return;
	}
	if (claim_is_served(r)) {
		job_later(&r->job, BUSY_PAUSE);
		return;
	}
	if (hold(r))
		return;
	r->again = false;
	if (release_run(r) < 0)
		job_later(&r->job, r->p->config->retry.min);
}

/* From the API's lane to the server's; on its second way through the reads it has the turn. */
void release_wait(struct release *r)
{
	if (r->job.turn.running && queue_lane_is(&r->job.turn, r->facts.server)) {
		release_go(r, RE_ACT);
		return;
	}
	job_done(&r->job, JOB_DONE);
	enqueue(r);
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
		intents_failed(r->p, r->pv, failure_reason(r), e);
}

static void consider_again(struct provisioner *p, const char *pv)
{
	const struct object *o = informer_get(p->volumes, "", pv);

	if (o) {
		releases_consider(p, pv_of(o));
		return;
	}
	/* The PV was taken away meanwhile: its BerthVolume is all that is left to end. */
	o = informer_get(p->intents_seen, "", pv);
	if (o)
		releases_consider_intent(p, bvol_of(o));
}

/* What began for another reason does not see that the PV became Released meanwhile. */
static bool is_unfinished(const struct release *r)
{
	const struct object *o = informer_get(r->p->volumes, "", r->pv);
	bool other = r->goal == GOAL_LOSER || r->goal == GOAL_UNDO;

	return r->again || (other && o && volume_check(r->p->config, pv_of(o)) == VOLUME_RECLAIM);
}

void release_end(struct release *r, enum release_outcome outcome, const struct err *e)
{
	struct provisioner *p = r->p;
	_cleanup_free_ char *pv = NULL;

	r->request = NULL;
	sm_fire(&release_table, &r->state, RE_END, r);
	r->refused = outcome == RELEASE_REFUSED;
	job_done(&r->job, JOB_DONE);
	if (e && outcome != RELEASE_DONE && outcome != RELEASE_HELD)
		tell(r, outcome, e);
	switch (outcome) {
	case RELEASE_DONE:
		if (r->goal == GOAL_RECLAIM && r->facts.reclaim == RECLAIM_RECYCLE)
			intents_mended(p, r->pv);
		pv = is_unfinished(r) ? strdup(r->pv) : NULL;
		job_drop(&r->job);
		if (pv)
			consider_again(p, pv);
		break;
	case RELEASE_RETRY:
		job_retry(&r->job);
		break;
	case RELEASE_SILENT:
		/* The queue knows when the server may be asked again; its lane is where we wait. */
		backoff_reset(&r->job.backoff);
		job_retry(&r->job);
		break;
	case RELEASE_HELD:
		if (!hold(r))
			enqueue(r);
		break;
	case RELEASE_REFUSED:
		/* The orphan scan comes by again. */
		if (r->goal == GOAL_UNDO)
			job_drop(&r->job);
		else
			job_later(&r->job, p->config->retry.max);
		break;
	}
}

void releases_poke(struct provisioner *p, const struct uuid *claim_uid)
{
	_cleanup_free_ char *pv = NULL;
	struct release *r = NULL;

	if (facts_pv_name(claim_uid, &pv) >= 0)
		r = map_gets(&p->releases->by_name, pv);
	if (r && r->state == OUT_IDLE && delay_waits(&r->job.delay) && r->job.backoff.tries == 0 &&
		!r->told)
		enqueue(r);
}

bool releases_busy_with(const struct provisioner *p, const struct uuid *claim_uid)
{
	char uid[UUID_TEXT_MAX], pv[sizeof(VOLUME_PREFIX) + UUID_TEXT_MAX];
	const struct release *r = NULL;

	if (str_format(pv, sizeof(pv), VOLUME_PREFIX "%s", uuid_format(claim_uid, uid)) >= 0)
		r = map_gets(&p->releases->by_name, pv);
	return r && r->state != OUT_IDLE;
}

/* ---- all of them ------------------------------------------------------------------------- */

/* It runs beyond its turn too: what follows the storage's step is the API server's alone. */
static bool runs(const struct release *r)
{
	return r->state == OUT_WAITING ? r->job.turn.running : r->state != OUT_IDLE;
}

struct releases_count releases_count(const struct provisioner *p)
{
	struct releases_count n = {0};
	const struct release *r;

	MAP_FOREACH (&p->releases->by_name, r) {
		n.running += runs(r);
		n.held += r->held;
	}
	n.waiting = p->releases->by_name.size - n.running;
	return n;
}

int releases_new(struct jobs **ret, struct provisioner *p)
{
	static const struct job_kind kind = {
		.size = sizeof(struct release),
		.turn = release_turn,
		.due = enqueue,
		.gone = release_gone,
		.what = "volume",
		.until = "the next change of it",
	};

	return jobs_new(ret, p, &kind, p->config->limits.reclaims, p->config->limits.per_server);
}
