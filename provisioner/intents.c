/* SPDX-License-Identifier: Apache-2.0 */
/* intents.c: drops the finalizer of BerthVolumes that are being deleted, rebuilds those that a PV
 * lacks */
#include "provisioner/intents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "data/decode.h"
#include "provisioner/jobs.h"
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
/* The name of the job that looks at all of them; no object has it. */
#define ALL ""

enum intent_task {
	TASK_NONE,
	TASK_DROP,    /* the finalizer of one that is being deleted */
	TASK_REBUILD, /* from its PV */
	TASK_CLAIM,   /* whose it is now */
	TASK_PHASE,   /* what became of it */
	TASK_LOOK,    /* at all of them, a while after something failed */
};

/* What is to be done to one of them. */
struct intent {
	struct job job; /* by the BerthVolume's name */
	struct provisioner *p;
	struct kube_request *request;
	struct facts facts;
	uint8_t task, next;         /* enum intent_task; next: what came while it waited or ran */
	const char *phase, *reason; /* TASK_PHASE; static */
	char *text;
	bool guessed; /* the finalizer was tried where we put it */
};

/* Idle; NULL where there is one already, or no memory. */
static struct intent *intent_make(struct provisioner *p, const char *name, enum intent_task task)
{
	struct intent *i = jobs_add(p->intents, name);

	if (!i)
		return NULL;
	i->p = p;
	i->task = (uint8_t)task;
	return i;
}

static void begin(struct provisioner *p, const char *name, enum intent_task task);

static void end(struct intent *i)
{
	struct provisioner *p = i->p;
	enum intent_task next = (enum intent_task)i->next;
	_cleanup_free_ char *name = next ? strdup(i->job.name) : NULL;

	job_done(&i->job, JOB_DONE);
	job_drop(&i->job);
	if (name)
		begin(p, name, next);
}

/* after 0: the next back-off, for which the job stays once it was made. */
static void look_again(struct provisioner *p, uint64_t after)
{
	struct intent *all = map_gets(&p->intents->by_name, ALL);

	if (!all)
		all = intent_make(p, ALL, TASK_LOOK);
	if (!all) {
		log_warning("out of memory: BerthVolumes wait for the next scan");
		return;
	}
	if (after == 0)
		after = backoff_next(&all->job.backoff);
	if (!delay_waits(&all->job.delay))
		job_later(&all->job, after);
}

static void failed(struct intent *i)
{
	look_again(i->p, 0);
	end(i);
}

static void succeeded(struct intent *i)
{
	struct intent *all = map_gets(&i->p->intents->by_name, ALL);

	if (all)
		backoff_reset(&all->job.backoff);
	end(i);
}

void intents_missing(struct provisioner *p)
{
	look_again(p, MISSING_PAUSE);
}

static int send(struct intent *i, enum kube_method m, const char *path, json_t *body, kube_fn fn)
{
	return kube_request_json(i->p->client, m, path, body, fn, i, &i->request);
}

/* ---- let go ------------------------------------------------------------------------------ */

static void on_get(struct kube_request *q, const struct kube_response *res, void *userdata);

static void on_drop(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct intent *i = userdata;
	char path[API_PATH_MAX];
	bool elsewhere = res->status == KUBE_E_INVALID || res->status == KUBE_E_CONFLICT;

	(void)q;
	i->request = NULL;
	if (elsewhere && i->guessed &&
		send(i, KUBE_GET, api_path_intent(path, i->job.name, ""), NULL, on_get) >= 0)
		return;
	if (res->status != KUBE_OK && res->status != KUBE_E_NOT_FOUND) {
		log_warning("BerthVolume %s: cannot drop its finalizer: %s", i->job.name,
			res->err.text);
		failed(i);
		return;
	}
	succeeded(i);
}

static void on_get(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct intent *i = userdata;
	json_t *patch = NULL;
	char path[API_PATH_MAX];

	(void)q;
	i->request = NULL;
	i->guessed = false;
	if (res->status != KUBE_OK && res->status != KUBE_E_NOT_FOUND) {
		failed(i);
		return;
	}
	if (res->status == KUBE_OK && json_at(res->object, "metadata", "deletionTimestamp", NULL))
		patch = manifest_drop_finalizer(res->object, FINALIZER_INTENT);
	if (!patch || send(i, KUBE_PATCH_JSON, api_path_intent(path, i->job.name, ""), patch,
			      on_drop) < 0)
		end(i);
}

/* We put one finalizer there: most often it still is the only one. */
static int drop(struct intent *i)
{
	char path[API_PATH_MAX];
	json_t *patch = json_pack("[{s:s,s:s,s:s},{s:s,s:s}]", "op", "test", "path",
		"/metadata/finalizers/0", "value", FINALIZER_INTENT, "op", "remove", "path",
		"/metadata/finalizers/0");

	i->guessed = true;
	if (!patch)
		return -ENOMEM;
	return send(i, KUBE_PATCH_JSON, api_path_intent(path, i->job.name, ""), patch, on_drop);
}

/* ---- rebuild ----------------------------------------------------------------------------- */

static void on_status(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct intent *i = userdata;

	(void)q;
	i->request = NULL;
	if (res->status != KUBE_OK)
		log_warning(
			"BerthVolume %s: cannot write its status: %s", i->job.name, res->err.text);
	end(i);
}

static void on_post(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct intent *i = userdata;
	char path[API_PATH_MAX];
	json_t *body;

	(void)q;
	i->request = NULL;
	if (res->http == 404 || res->http == 405) {
		provisioner_no_intents(i->p);
	} else if (res->status != KUBE_OK && res->status != KUBE_E_EXISTS) {
		log_warning("BerthVolume %s: cannot make it anew: %s", i->job.name, res->err.text);
		failed(i);
		return;
	}
	body = res->status == KUBE_OK ? manifest_intent_status("Ready", "", "", 1) : NULL;
	if (body)
		log_info("BerthVolume %s was made anew from its PersistentVolume", i->job.name);
	if (!body || send(i, KUBE_PATCH_MERGE, api_path_intent(path, i->job.name, "/status"), body,
			     on_status) < 0)
		end(i);
}

static void on_volume(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct intent *i = userdata;
	struct err e = ERR_NULL;
	json_t *body = NULL;
	char path[API_PATH_MAX];

	(void)q;
	i->request = NULL;
	if (res->status != KUBE_OK && res->status != KUBE_E_NOT_FOUND) {
		failed(i);
		return;
	}
	if (res->status == KUBE_OK &&
		!json_at(res->object, "metadata", "deletionTimestamp", NULL)) {
		if (facts_from_volume(&i->facts, res->object, &e) < 0)
			log_warning("BerthVolume %s: %s", i->job.name, e.text);
		else
			body = manifest_intent(&i->facts);
	}
	if (!body || send(i, KUBE_POST, api_path_intent(path, NULL, ""), body, on_post) < 0)
		end(i);
}

/* ---- whose it is ------------------------------------------------------------------------- */

static void on_claim(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct intent *i = userdata;

	(void)q;
	i->request = NULL;
	if (res->status != KUBE_OK && res->status != KUBE_E_NOT_FOUND)
		log_warning(
			"BerthVolume %s: cannot say whose it is: %s", i->job.name, res->err.text);
	end(i);
}

static int name_claim(struct intent *i)
{
	const struct object *o = informer_get(i->p->volumes, "", i->job.name);
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
	return send(i, KUBE_PATCH_MERGE, api_path_intent(path, i->job.name, ""), body, on_claim);
}

/* ---- what became of it ------------------------------------------------------------------- */

static int tell_phase(struct intent *i)
{
	char path[API_PATH_MAX];
	json_t *body = manifest_intent_status(i->phase, i->reason, str_or(i->text, ""), 0);

	if (!body)
		return -ENOMEM;
	return send(i, KUBE_PATCH_MERGE, api_path_intent(path, i->job.name, "/status"), body,
		on_status);
}

/* ---- turns ------------------------------------------------------------------------------- */

static int start(struct intent *i)
{
	char path[API_PATH_MAX];

	switch ((enum intent_task)i->task) {
	case TASK_DROP:
		return drop(i);
	case TASK_REBUILD:
		if (!provisioner_has_intents(i->p))
			return -ENOENT;
		return send(i, KUBE_GET, api_path_volume(path, i->job.name, ""), NULL, on_volume);
	case TASK_CLAIM:
		return name_claim(i);
	case TASK_PHASE:
		return tell_phase(i);
	case TASK_LOOK:
	case TASK_NONE:
		break;
	}
	return -EINVAL;
}

static void intent_turn(void *obj)
{
	if (start(obj) < 0)
		end(obj);
}

static void intent_queue(void *obj)
{
	struct intent *i = obj;

	job_queue(&i->job, LANE, i->task == TASK_REBUILD ? "rebuild" : "change");
}

static void intent_due(void *obj)
{
	struct intent *i = obj;

	if (i->task == TASK_LOOK)
		intents_consider_all(i->p);
	else
		intent_queue(i);
}

static void intent_gone(void *obj)
{
	struct intent *i = obj;

	if (i->request)
		kube_request_cancel(i->request);
	facts_done(&i->facts);
	free(i->text);
}

static void begin(struct provisioner *p, const char *name, enum intent_task task)
{
	struct intent *i = map_gets(&p->intents->by_name, name);

	if (i) {
		/* Whose it is may have changed while we said so; to make it anew says that too. */
		if ((task != i->task || task == TASK_CLAIM) && i->next != TASK_REBUILD)
			i->next = (uint8_t)task;
		return;
	}
	i = intent_make(p, name, task);
	if (i)
		intent_queue(i);
}

/* Told once: the phase changes, later words for the same phase are the events' to tell. */
static void tell(struct provisioner *p, const char *name, enum bvol_phase now, const char *reason,
	const char *text)
{
	const struct object *o = informer_get(p->intents_seen, "", name);
	struct intent *i;

	if (!o || o->deleting || bvol_of(o)->phase == now || !provisioner_active(p))
		return;
	i = intent_make(p, name, TASK_PHASE);
	if (!i)
		return;
	i->phase = now == BVOL_FAILED ? "Failed" : "Ready";
	i->reason = reason;
	/* Without memory the phase alone is told. */
	i->text = strdup(text);
	intent_queue(i);
}

void intents_failed(
	struct provisioner *p, const char *name, const char *reason, const struct err *e)
{
	tell(p, name, BVOL_FAILED, reason, e->text);
}

void intents_mended(struct provisioner *p, const char *name)
{
	tell(p, name, BVOL_READY, "", "");
}

/* ---- what is to do ----------------------------------------------------------------------- */

/* A PV of ours without its BerthVolume, unless it is on its way out. */
static void consider_volume(struct provisioner *p, const struct pv *v)
{
	if (!v->o.deleting && volume_is_ours(p->config, v) &&
		!informer_get(p->intents_seen, "", v->o.name) && provisioner_has_intents(p))
		begin(p, v->o.name, TASK_REBUILD);
}

void intents_changed(struct provisioner *p, const struct bvol *old, const struct bvol *now)
{
	const struct object *v;

	if (now)
		p->intents_gone = 0;
	if (!provisioner_active(p))
		return;
	if (now && now->o.deleting && now->finalizer) {
		begin(p, now->o.name, TASK_DROP);
	} else if (now && !old) {
		releases_consider_intent(p, now);
	} else if (!now) {
		v = informer_get(p->volumes, "", old->o.name);
		if (v && volume_check(p->config, pv_of(v)) != VOLUME_RECLAIM)
			consider_volume(p, pv_of(v));
	}
}

void intents_reclaimed(struct provisioner *p, const struct pv *old, const struct pv *now)
{
	bool same = (old->flags & PV_HAS_CLAIM) == (now->flags & PV_HAS_CLAIM) &&
		    memcmp(&old->claim_uid, &now->claim_uid, sizeof(now->claim_uid)) == 0;

	/* A claimRef without uid is on its way to one, or to nothing. */
	if (same || !volume_is_ours(p->config, now) ||
		(now->flags & (PV_HAS_CLAIM | PV_CLAIM_UID)) == PV_HAS_CLAIM)
		return;
	if (provisioner_active(p) && informer_get(p->intents_seen, "", now->o.name))
		begin(p, now->o.name, TASK_CLAIM);
}

void intents_consider_all(struct provisioner *p)
{
	const struct object *o;
	size_t cursor = 0;

	if (!informer_synced(p->intents_seen))
		return;
	while ((o = informer_next(p->intents_seen, &cursor)) != NULL) {
		if (o->deleting && bvol_of(o)->finalizer)
			begin(p, o->name, TASK_DROP);
		else
			releases_consider_intent(p, bvol_of(o));
	}
	cursor = 0;
	while ((o = informer_next(p->volumes, &cursor)) != NULL)
		if (volume_check(p->config, pv_of(o)) != VOLUME_RECLAIM)
			consider_volume(p, pv_of(o));
}

int intents_new(struct jobs **ret, struct provisioner *p)
{
	static const struct job_kind kind = {
		.size = sizeof(struct intent),
		.turn = intent_turn,
		.due = intent_due,
		.gone = intent_gone,
		.what = "BerthVolume",
		.until = "the next scan",
	};

	return jobs_new(ret, p, &kind, RUNNING_MAX, RUNNING_MAX);
}
