/* SPDX-License-Identifier: Apache-2.0 */
/* intents.c: drops the finalizer of BerthVolumes that are being deleted, rebuilds those that a PV
 * lacks */
#include "provisioner/intents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "data/decode.h"
#include "provisioner/manifest.h"
#include "provisioner/names.h"
#include "provisioner/paths.h"
#include "provisioner/provisioner.h"
#include "provisioner/releases.h"
#include "provisioner/verdict.h"

/* Upkeep never gets in the way of claims. */
#define RUNNING_MAX 16
#define LANE "api"
/* Where the kind is missing: a little longer than that is believed (provisioner.c). */
#define MISSING_PAUSE SECONDS(61)

enum intent_task {
	TASK_DROP,    /* the finalizer of one that is being deleted */
	TASK_REBUILD, /* from its PV */
	TASK_CLAIM,   /* whose it is now */
	TASK_PHASE,   /* what became of it */
};

struct intent_job {
	struct intents *s;
	struct turn job;
	struct kube_request *request;
	struct facts facts;
	uint8_t task;               /* enum intent_task */
	const char *phase, *reason; /* TASK_PHASE; static */
	char *text;
	bool guessed; /* the finalizer was tried where we put it */
	bool again;   /* it went while we let it go: make it anew */
	char name[];
};

struct intents {
	struct provisioner *p;
	struct map by_name;
	struct queue *queue;
	struct delay later; /* something failed: what is still to be done then is done */
	struct backoff backoff;
};

static struct map_key key_of(const void *value)
{
	return map_key_str(((const struct intent_job *)value)->name);
}

static void begin(struct intents *s, const char *name, enum intent_task task);

static void end(struct intent_job *j)
{
	struct intents *s = j->s;
	_cleanup_free_ char *again = j->again ? strdup(j->name) : NULL;

	if (j->request)
		kube_request_cancel(j->request);
	queue_done(s->queue, &j->job, JOB_DONE);
	map_removes(&s->by_name, j->name);
	facts_done(&j->facts);
	free(j->text);
	free(j);
	if (again)
		begin(s, again, TASK_REBUILD);
	provisioner_settled(s->p);
}

static void look_again(struct intents *s, uint64_t after)
{
	if (!delay_waits(&s->later) && delay_start(s->p->delays, &s->later, after) < 0)
		log_warning("out of memory: BerthVolumes wait for the next scan");
}

static void failed(struct intent_job *j)
{
	look_again(j->s, backoff_next(&j->s->backoff));
	end(j);
}

void intents_missing(struct intents *s)
{
	look_again(s, MISSING_PAUSE);
}

static int send(
	struct intent_job *j, enum kube_method m, const char *path, json_t *body, kube_fn fn)
{
	return kube_request_json(j->s->p->client, m, path, body, fn, j, &j->request);
}

/* ---- let go ------------------------------------------------------------------------------ */

static void on_get(struct kube_request *q, const struct kube_response *res, void *userdata);

static void on_drop(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct intent_job *j = userdata;
	char path[API_PATH_MAX];
	bool elsewhere = res->status == KUBE_E_INVALID || res->status == KUBE_E_CONFLICT;

	(void)q;
	j->request = NULL;
	if (elsewhere && j->guessed &&
		send(j, KUBE_GET, api_path_intent(path, j->name, ""), NULL, on_get) >= 0)
		return;
	if (res->status != KUBE_OK && res->status != KUBE_E_NOT_FOUND) {
		log_warning(
			"BerthVolume %s: cannot drop its finalizer: %s", j->name, res->err.text);
		failed(j);
		return;
	}
	backoff_reset(&j->s->backoff);
	end(j);
}

static void on_get(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct intent_job *j = userdata;
	json_t *patch = NULL;
	char path[API_PATH_MAX];

	(void)q;
	j->request = NULL;
	j->guessed = false;
	if (res->status != KUBE_OK && res->status != KUBE_E_NOT_FOUND) {
		failed(j);
		return;
	}
	if (res->status == KUBE_OK && json_at(res->object, "metadata", "deletionTimestamp", NULL))
		patch = manifest_drop_finalizer(res->object, FINALIZER_INTENT);
	if (!patch ||
		send(j, KUBE_PATCH_JSON, api_path_intent(path, j->name, ""), patch, on_drop) < 0)
		end(j);
}

/* We put one finalizer there: most often it still is the only one. */
static int drop(struct intent_job *j)
{
	char path[API_PATH_MAX];
	json_t *patch = json_pack("[{s:s,s:s,s:s},{s:s,s:s}]", "op", "test", "path",
		"/metadata/finalizers/0", "value", FINALIZER_INTENT, "op", "remove", "path",
		"/metadata/finalizers/0");

	j->guessed = true;
	if (!patch)
		return -ENOMEM;
	return send(j, KUBE_PATCH_JSON, api_path_intent(path, j->name, ""), patch, on_drop);
}

/* ---- rebuild ----------------------------------------------------------------------------- */

static void on_status(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct intent_job *j = userdata;

	(void)q;
	j->request = NULL;
	if (res->status != KUBE_OK)
		log_warning("BerthVolume %s: cannot write its status: %s", j->name, res->err.text);
	end(j);
}

static void on_post(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct intent_job *j = userdata;
	char path[API_PATH_MAX];
	json_t *body;

	(void)q;
	j->request = NULL;
	if (res->http == 404 || res->http == 405) {
		provisioner_no_intents(j->s->p);
	} else if (res->status != KUBE_OK && res->status != KUBE_E_EXISTS) {
		log_warning("BerthVolume %s: cannot make it anew: %s", j->name, res->err.text);
		failed(j);
		return;
	}
	body = res->status == KUBE_OK ? manifest_intent_status("Ready", "", "", 1) : NULL;
	if (body)
		log_info("BerthVolume %s was made anew from its PersistentVolume", j->name);
	if (!body || send(j, KUBE_PATCH_MERGE, api_path_intent(path, j->name, "/status"), body,
			     on_status) < 0)
		end(j);
}

static void on_volume(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct intent_job *j = userdata;
	struct err e = ERR_NULL;
	json_t *body = NULL;
	char path[API_PATH_MAX];

	(void)q;
	j->request = NULL;
	if (res->status != KUBE_OK && res->status != KUBE_E_NOT_FOUND) {
		failed(j);
		return;
	}
	if (res->status == KUBE_OK &&
		!json_at(res->object, "metadata", "deletionTimestamp", NULL)) {
		if (facts_from_volume(&j->facts, res->object, &e) < 0)
			log_warning("BerthVolume %s: %s", j->name, e.text);
		else
			body = manifest_intent(&j->facts);
	}
	if (!body || send(j, KUBE_POST, api_path_intent(path, NULL, ""), body, on_post) < 0)
		end(j);
}

/* ---- whose it is ------------------------------------------------------------------------- */

static void on_claim(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct intent_job *j = userdata;

	(void)q;
	j->request = NULL;
	if (res->status != KUBE_OK && res->status != KUBE_E_NOT_FOUND)
		log_warning("BerthVolume %s: cannot say whose it is: %s", j->name, res->err.text);
	end(j);
}

static int name_claim(struct intent_job *j)
{
	const struct object *o = informer_get(j->s->p->volumes, "", j->name);
	const struct pv *v = o ? pv_of(o) : NULL;
	char path[API_PATH_MAX], uid[UUID_TEXT_MAX];
	json_t *body;

	if (!v || !(v->flags & PV_HAS_CLAIM))
		body = json_pack("{s:{s:n}}", "spec", "claim");
	else
		body = json_pack("{s:{s:{s:s,s:s,s:s}}}", "spec", "claim", "namespace",
			v->claim_namespace, "name", v->claim_name, "uid",
			uuid_format(&v->claim_uid, uid));
	if (!body)
		return -ENOMEM;
	return send(j, KUBE_PATCH_MERGE, api_path_intent(path, j->name, ""), body, on_claim);
}

/* ---- what became of it ------------------------------------------------------------------- */

static int tell_phase(struct intent_job *j)
{
	char path[API_PATH_MAX];
	json_t *body = manifest_intent_status(j->phase, j->reason, str_or(j->text, ""), 0);

	if (!body)
		return -ENOMEM;
	return send(
		j, KUBE_PATCH_MERGE, api_path_intent(path, j->name, "/status"), body, on_status);
}

/* ---- turns ------------------------------------------------------------------------------- */

static int start(struct intent_job *j)
{
	char path[API_PATH_MAX];

	switch ((enum intent_task)j->task) {
	case TASK_DROP:
		return drop(j);
	case TASK_REBUILD:
		if (!provisioner_has_intents(j->s->p))
			return -ENOENT;
		return send(j, KUBE_GET, api_path_volume(path, j->name, ""), NULL, on_volume);
	case TASK_CLAIM:
		return name_claim(j);
	case TASK_PHASE:
		return tell_phase(j);
	}
	return -EINVAL;
}

static void on_turn(struct turn *t, void *userdata)
{
	struct intent_job *j = userdata;

	(void)t;
	if (start(j) < 0)
		end(j);
}

/* Not queued yet; NULL where there is one already, or no memory. */
static struct intent_job *job_new(struct intents *s, const char *name, enum intent_task task)
{
	size_t size = strlen(name) + 1;
	struct intent_job *j = map_gets(&s->by_name, name);

	if (j) {
		j->again = task == TASK_REBUILD && j->task == TASK_DROP;
		return NULL;
	}
	j = calloc(1, sizeof(*j) + size);
	if (!j)
		return NULL;
	memcpy(j->name, name, size);
	j->s = s;
	j->task = (uint8_t)task;
	j->job = (struct turn){.taken = on_turn, .userdata = j};
	if (map_add(&s->by_name, j) < 0) {
		free(j);
		return NULL;
	}
	return j;
}

static void job_queue(struct intent_job *j)
{
	const char *group = j->task == TASK_REBUILD ? "rebuild" : "change";

	if (queue_add(j->s->queue, &j->job, LANE, group) < 0)
		end(j);
}

static void begin(struct intents *s, const char *name, enum intent_task task)
{
	struct intent_job *j = job_new(s, name, task);

	if (j)
		job_queue(j);
}

/* Told once: the phase changes, later words for the same phase are the events' to tell. */
static void tell(struct intents *s, const char *name, enum bvol_phase now, const char *reason,
	const char *text)
{
	const struct object *o = informer_get(s->p->intents_seen, "", name);
	struct intent_job *j;

	if (!o || o->deleting || bvol_of(o)->phase == now || !provisioner_active(s->p))
		return;
	j = job_new(s, name, TASK_PHASE);
	if (!j)
		return;
	j->phase = now == BVOL_FAILED ? "Failed" : "Ready";
	j->reason = reason;
	/* Without memory the phase alone is told. */
	j->text = strdup(text);
	job_queue(j);
}

void intents_failed(struct intents *s, const char *name, const char *reason, const struct err *e)
{
	tell(s, name, BVOL_FAILED, reason, e->text);
}

void intents_mended(struct intents *s, const char *name)
{
	tell(s, name, BVOL_READY, "", "");
}

/* ---- what is to do ----------------------------------------------------------------------- */

/* A PV of ours without its BerthVolume, unless it is on its way out. */
static void consider_volume(struct intents *s, const struct pv *v)
{
	if (!v->o.deleting && volume_is_ours(s->p->config, v) &&
		!informer_get(s->p->intents_seen, "", v->o.name) && provisioner_has_intents(s->p))
		begin(s, v->o.name, TASK_REBUILD);
}

void intents_changed(struct intents *s, const struct bvol *old, const struct bvol *now)
{
	const struct object *v;

	if (now)
		s->p->intents_gone = 0;
	if (!provisioner_active(s->p))
		return;
	if (now && now->o.deleting && now->finalizer) {
		begin(s, now->o.name, TASK_DROP);
	} else if (now && !old) {
		releases_consider_intent(s->p, now);
	} else if (!now) {
		v = informer_get(s->p->volumes, "", old->o.name);
		if (v && volume_check(s->p->config, pv_of(v)) != VOLUME_RECLAIM)
			consider_volume(s, pv_of(v));
	}
}

void intents_reclaimed(struct intents *s, const struct pv *old, const struct pv *now)
{
	bool same = (old->flags & PV_HAS_CLAIM) == (now->flags & PV_HAS_CLAIM) &&
		    memcmp(&old->claim_uid, &now->claim_uid, sizeof(now->claim_uid)) == 0;

	/* A claimRef without uid is on its way to one, or to nothing. */
	if (same || !volume_is_ours(s->p->config, now) ||
		(now->flags & (PV_HAS_CLAIM | PV_CLAIM_UID)) == PV_HAS_CLAIM)
		return;
	if (provisioner_active(s->p) && informer_get(s->p->intents_seen, "", now->o.name))
		begin(s, now->o.name, TASK_CLAIM);
}

void intents_consider_all(struct intents *s)
{
	const struct object *o;
	size_t cursor = 0;

	if (!informer_synced(s->p->intents_seen))
		return;
	while ((o = informer_next(s->p->intents_seen, &cursor)) != NULL) {
		if (o->deleting && bvol_of(o)->finalizer)
			begin(s, o->name, TASK_DROP);
		else
			releases_consider_intent(s->p, bvol_of(o));
	}
	cursor = 0;
	while ((o = informer_next(s->p->volumes, &cursor)) != NULL)
		if (volume_check(s->p->config, pv_of(o)) != VOLUME_RECLAIM)
			consider_volume(s, pv_of(o));
}

static void on_later(struct delay *d, void *userdata)
{
	struct intents *s = userdata;

	(void)d;
	if (provisioner_active(s->p))
		intents_consider_all(s);
}

void intents_pause(struct intents *s, bool paused)
{
	queue_pause(s->queue, paused);
}

size_t intents_running(const struct intents *s)
{
	return queue_running(s->queue);
}

int intents_new(struct intents **ret, struct provisioner *p)
{
	_cleanup_(intents_freep) struct intents *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->p = p;
	s->by_name = MAP_NULL(key_of);
	s->later = (struct delay){.due = on_later, .userdata = s};
	s->backoff = (struct backoff){
		.min = p->config->retry.min, .max = p->config->retry.max, .jitter_percent = 20};
	r = queue_new(&s->queue, p->loop, RUNNING_MAX, RUNNING_MAX);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct intents *intents_free(struct intents *s)
{
	struct intent_job *j;

	if (!s)
		return NULL;
	MAP_FOREACH (&s->by_name, j) {
		if (j->request)
			kube_request_cancel(j->request);
		facts_done(&j->facts);
		free(j->text);
		free(j);
	}
	map_done(&s->by_name);
	delay_stop(s->p->delays, &s->later);
	queue_free(s->queue);
	free(s);
	return NULL;
}
