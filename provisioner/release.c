/* SPDX-License-Identifier: Apache-2.0 */
/* release.c: the live reads that come before anything destructive */
#include "provisioner/release.h"

#include <errno.h>

#include "base/clock.h"
#include "data/decode.h"
#include "provisioner/manifest.h"
#include "provisioner/names.h"
#include "provisioner/paths.h"
#include "provisioner/verdict.h"
#include "provisioner/works.h"

static const char *const states[_OUT_MAX] = {"Idle", "ReadingIntent", "ReadingVolume",
	"ReadingClaim", "Proving", "Waiting", "Acting", "Deleting", "Freeing", "Rereading",
	"Unbinding", "Forgetting"};
static const char *const events[_RE_MAX] = {"intent", "volume", "claim", "prove", "wait", "act",
	"delete", "free", "reread", "unbind", "forget", "end"};

static int do_intent(void *obj);
static int do_volume(void *obj);
static int do_claim(void *obj);
static int do_prove(void *obj);
static int do_wait(void *obj);

static const struct sm_edge edges[] = {
	{OUT_IDLE, RE_INTENT, OUT_READING_INTENT, do_intent},
	{OUT_IDLE, RE_VOLUME, OUT_READING_VOLUME, do_volume},
	{OUT_IDLE, RE_DELETE, OUT_DELETING, remove_do_delete},
	{OUT_IDLE, RE_REREAD, OUT_REREADING, remove_do_reread},
	{OUT_IDLE, RE_FORGET, OUT_FORGETTING, remove_do_forget},
	{OUT_READING_INTENT, RE_VOLUME, OUT_READING_VOLUME, do_volume},
	{OUT_READING_VOLUME, RE_CLAIM, OUT_READING_CLAIM, do_claim},
	{OUT_READING_VOLUME, RE_PROVE, OUT_PROVING, do_prove},
	{OUT_READING_VOLUME, RE_WAIT, OUT_WAITING, do_wait},
	{OUT_READING_VOLUME, RE_ACT, OUT_ACTING, act_do},
	{OUT_READING_VOLUME, RE_FREE, OUT_FREEING, remove_do_free},
	{OUT_READING_VOLUME, RE_FORGET, OUT_FORGETTING, remove_do_forget},
	{OUT_READING_CLAIM, RE_PROVE, OUT_PROVING, do_prove},
	{OUT_READING_CLAIM, RE_WAIT, OUT_WAITING, do_wait},
	{OUT_READING_CLAIM, RE_ACT, OUT_ACTING, act_do},
	{OUT_READING_CLAIM, RE_FORGET, OUT_FORGETTING, remove_do_forget},
	{OUT_PROVING, RE_WAIT, OUT_WAITING, do_wait},
	{OUT_PROVING, RE_ACT, OUT_ACTING, act_do},
	{OUT_WAITING, RE_ACT, OUT_ACTING, act_do},
	{OUT_WAITING, RE_VOLUME, OUT_READING_VOLUME, do_volume},
	{OUT_ACTING, RE_DELETE, OUT_DELETING, remove_do_delete},
	{OUT_ACTING, RE_REREAD, OUT_REREADING, remove_do_reread},
	{OUT_ACTING, RE_FORGET, OUT_FORGETTING, remove_do_forget},
	{OUT_DELETING, RE_FREE, OUT_FREEING, remove_do_free},
	{OUT_DELETING, RE_FORGET, OUT_FORGETTING, remove_do_forget},
	{OUT_FREEING, RE_REREAD, OUT_REREADING, remove_do_reread},
	{OUT_FREEING, RE_FORGET, OUT_FORGETTING, remove_do_forget},
	{OUT_REREADING, RE_FREE, OUT_FREEING, remove_do_free},
	{OUT_REREADING, RE_UNBIND, OUT_UNBINDING, remove_do_unbind},
	{OUT_REREADING, RE_FORGET, OUT_FORGETTING, remove_do_forget},
	{OUT_UNBINDING, RE_REREAD, OUT_REREADING, remove_do_reread},
	{SM_ANY, RE_END, OUT_IDLE, NULL},
};
const struct sm_table release_table = {
	.name = "release",
	.states = states,
	.events = events,
	.edges = edges,
	.n_edges = ELEMENTSOF(edges),
};

/* ---- frame ------------------------------------------------------------------------------- */

struct provisioner_object release_object(const struct release *r)
{
	if (r->goal == GOAL_UNDO)
		return (struct provisioner_object){"PersistentVolumeClaim",
			r->facts.claim_namespace, r->facts.claim_name, r->facts.claim_uid};
	return (struct provisioner_object){"PersistentVolume", "", r->pv, r->pv_uid};
}

void release_go(struct release *r, enum release_event ev)
{
	struct err e = ERR_NULL;
	int res;

	r->step_at = clock_now();
	res = sm_fire(&release_table, &r->state, (uint8_t)ev, r);
	if (res >= 0)
		return;
	err_sys(&e, res, "cannot go on with the volume");
	release_end(r, RELEASE_RETRY, &e);
}

int release_send(struct release *r, enum kube_method m, const char *path, json_t *body, kube_fn fn)
{
	return kube_request_json(r->p->client, m, path, body, fn, r, &r->request);
}

void release_end_answer(struct release *r, const char *what, const struct kube_response *res)
{
	struct err e = res->err;

	err_prefix(&e, "%s", what);
	release_end(r, RELEASE_RETRY, &e);
}

int release_run(struct release *r)
{
	enum release_event ev = RE_VOLUME;
	int res;

	r->tries = 0;
	r->step_at = clock_now();
	r->began = r->began ? r->began : r->step_at;
	if (r->acted && r->goal == GOAL_RECLAIM && r->facts.reclaim == RECLAIM_RECYCLE)
		ev = RE_REREAD;
	else if (r->acted)
		ev = r->goal == GOAL_UNDO ? RE_FORGET : RE_DELETE;
	else if (r->goal == GOAL_UNDO && !r->has_facts)
		ev = RE_INTENT;
	res = sm_fire(&release_table, &r->state, (uint8_t)ev, r);
	if (res < 0)
		r->state = OUT_IDLE;
	return res;
}

/* ---- the intent, for an undo after a restart --------------------------------------------- */

static void on_intent(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct release *r = userdata;
	struct err e = ERR_NULL;

	(void)q;
	r->request = NULL;
	if (res->status == KUBE_E_NOT_FOUND) {
		release_end(r, RELEASE_DONE, NULL);
		return;
	}
	if (res->status != KUBE_OK) {
		release_end_answer(r, "cannot read the BerthVolume", res);
		return;
	}
	facts_done(&r->facts);
	if (facts_from_intent(&r->facts, res->object, &e) < 0) {
		release_end(r, RELEASE_REFUSED, &e);
		return;
	}
	r->has_facts = true;
	/* Its PV may have been there, kept on purpose, and removed by an admin: touch nothing. */
	r->maybe_made = r->facts.reclaim != RECLAIM_RETAIN ||
			!streq_null(json_string_at(res->object, "status", "phase", NULL), "Ready");
	release_go(r, RE_VOLUME);
}

static int do_intent(void *obj)
{
	struct release *r = obj;
	char path[API_PATH_MAX];

	return release_send(r, KUBE_GET, api_path_intent(path, r->pv, ""), NULL, on_intent);
}

/* ---- the PV ------------------------------------------------------------------------------ */

static void go_act(struct release *r)
{
	struct err e = ERR_NULL;

	if (r->goal == GOAL_UNDO && !r->maybe_made)
		release_go(r, RE_FORGET);
	else if (release_held(r, &e))
		release_end(r, RELEASE_HELD, &e);
	else
		release_go(r, RE_WAIT);
}

/* An undo's place comes from ourselves or from a BerthVolume, which only we write. */
static void prove_or_act(struct release *r)
{
	if (r->goal == GOAL_UNDO ||
		provisioner_knows_place(r->p, r->facts.server, r->facts.export_))
		go_act(r);
	else
		release_go(r, RE_PROVE);
}

/* The same decision as from the cache, on what the API server says now. */
static int check_live(struct release *r, const json_t *pv, enum volume_verdict *ret, struct err *e)
{
	struct object *o = NULL;
	int res = kind_pv.decode(r->p->pool, pv, &o);

	if (res < 0)
		return err_set(e, EBADMSG, "the API server's answer is no PersistentVolume");
	*ret = volume_check(r->p->config, pv_of(o));
	if (r->goal == GOAL_LOSER)
		*ret = volume_is_ours(r->p->config, pv_of(o)) && pv_of(o)->phase != PV_BOUND
			       ? VOLUME_RECLAIM
			       : VOLUME_LEAVE;
	uuid_format(&o->uid, r->pv_uid);
	kind_pv.free(r->p->pool, o);
	return 0;
}

/* Also where the cache said Released and an admin has saved the data meanwhile: what was meant to
 * be a reclaim is over, and the volume and its BerthVolume live on. */
static void upkeep(struct release *r, const json_t *pv, enum volume_verdict verdict)
{
	r->goal = GOAL_UPKEEP;
	if (verdict == VOLUME_ADD_FINALIZER)
		r->patch = manifest_add_finalizer(pv, FINALIZER_VOLUME);
	else if (verdict == VOLUME_DROP_FINALIZER)
		r->patch = manifest_drop_finalizer(pv, FINALIZER_VOLUME);
	if (r->patch)
		release_go(r, RE_FREE);
	else
		release_end(r, RELEASE_DONE, NULL);
}

/* Whether the intent that we know, if there is one, is of the same volume. */
static bool intent_agrees(const struct release *r)
{
	const struct object *o = informer_get(r->p->intents_seen, "", r->pv);
	char token[TOKEN_TEXT_MAX];

	if (!o || object_token_none(&bvol_of(o)->token))
		return true;
	return streq(object_token_format(&bvol_of(o)->token, token), r->facts.token);
}

static void reclaim(struct release *r, const json_t *pv)
{
	struct err e = ERR_NULL;

	facts_done(&r->facts);
	r->has_facts = false;
	if (facts_from_volume(&r->facts, pv, &e) < 0) {
		release_end(r, RELEASE_REFUSED, &e);
		return;
	}
	r->has_facts = true;
	/* Recycled or not: a PV that is being deleted goes, and so does its directory. */
	if (r->facts.reclaim == RECLAIM_RECYCLE &&
		json_at(pv, "metadata", "deletionTimestamp", NULL))
		r->facts.reclaim = RECLAIM_DELETE;
	/* There is nothing to retain of what nobody ever had. */
	if (r->facts.reclaim == RECLAIM_RETAIN && r->goal != GOAL_LOSER) {
		release_end(r, RELEASE_DONE, NULL);
	} else if (!intent_agrees(r)) {
		err_set(&e, EPERM,
			"the PV's token is not that of BerthVolume %s: nothing was touched", r->pv);
		release_end(r, RELEASE_REFUSED, &e);
	} else if (*r->facts.claim_namespace) {
		release_go(r, RE_CLAIM);
	} else {
		prove_or_act(r);
	}
}

static void on_volume(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct release *r = userdata;
	enum volume_verdict verdict = VOLUME_LEAVE;
	struct err e = ERR_NULL;

	(void)q;
	r->request = NULL;
	r->read_at = clock_now();
	if (res->status == KUBE_E_NOT_FOUND) {
		/* For an undo this is how it should be. */
		if (r->goal != GOAL_UNDO)
			release_end(r, RELEASE_DONE, NULL);
		else if (*r->facts.claim_namespace)
			release_go(r, RE_CLAIM);
		else
			prove_or_act(r);
		return;
	}
	if (res->status != KUBE_OK) {
		release_end_answer(r, "cannot read the PersistentVolume", res);
		return;
	}
	/* A PV shows the volume: it ends like any other. */
	if (r->goal == GOAL_UNDO) {
		release_end(r, RELEASE_DONE, NULL);
		return;
	}
	if (check_live(r, res->object, &verdict, &e) < 0)
		release_end(r, RELEASE_RETRY, &e);
	else if (verdict == VOLUME_RECLAIM && r->goal != GOAL_UPKEEP)
		reclaim(r, res->object);
	else if (verdict != VOLUME_LEAVE && verdict != VOLUME_RECLAIM)
		upkeep(r, res->object, verdict);
	else
		release_end(r, RELEASE_DONE, NULL);
}

static int do_volume(void *obj)
{
	struct release *r = obj;
	char path[API_PATH_MAX];

	json_decref(r->patch);
	r->patch = NULL;
	return release_send(r, KUBE_GET, api_path_volume(path, r->pv, ""), NULL, on_volume);
}

/* ---- the claim --------------------------------------------------------------------------- */

/* Whether what the API server says now leaves the volume without an owner. */
static bool claim_is_over(const struct release *r, const json_t *claim)
{
	const char *uid = json_string_at(claim, "metadata", "uid", NULL);
	const char *volume = str_or(json_string_at(claim, "spec", "volumeName", NULL), "");
	const char *made_for = str_after(r->pv, VOLUME_PREFIX);
	bool same = streq_null(uid, r->facts.claim_uid);

	switch ((enum release_goal)r->goal) {
	case GOAL_RECLAIM:
		return !same;
	case GOAL_UNDO:
		return !same || json_at(claim, "metadata", "deletionTimestamp", NULL) ||
		       (*volume && !streq(volume, r->pv));
	case GOAL_LOSER:
		return streq_null(uid, made_for) && *volume && !streq(volume, r->pv);
	case GOAL_UPKEEP:
		break;
	}
	return false;
}

static void on_claim(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct release *r = userdata;
	struct err e = ERR_NULL;
	bool over = false;

	(void)q;
	r->request = NULL;
	if (res->status == KUBE_OK)
		over = claim_is_over(r, res->object);
	else if (res->status == KUBE_E_NOT_FOUND)
		over = r->goal != GOAL_LOSER;
	else {
		release_end_answer(r, "cannot read the claim", res);
		return;
	}
	if (over) {
		prove_or_act(r);
		return;
	}
	if (r->goal != GOAL_RECLAIM) {
		release_end(r, RELEASE_DONE, NULL);
		return;
	}
	/* The controller saw it gone, the API server has it: it is the API server that is right. */
	err_set(&e, EBUSY, "the claim %s/%s is still there", r->facts.claim_namespace,
		r->facts.claim_name);
	release_end(r, RELEASE_RETRY, &e);
}

static int do_claim(void *obj)
{
	struct release *r = obj;
	char path[API_PATH_MAX];

	return release_send(r, KUBE_GET,
		api_path_claim(path, r->facts.claim_namespace, r->facts.claim_name, ""), NULL,
		on_claim);
}

/* ---- the place (reliability.md F4) ------------------------------------------------------- */

static void on_prove(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct release *r = userdata;
	_cleanup_facts_ struct facts f = {0};
	struct err e = ERR_NULL;

	(void)q;
	r->request = NULL;
	if (res->status == KUBE_OK && facts_from_intent(&f, res->object, &e) >= 0 &&
		streq(f.token, r->facts.token) && streq(f.server, r->facts.server) &&
		streq(f.export_, r->facts.export_)) {
		go_act(r);
	} else if (res->status == KUBE_OK || res->status == KUBE_E_NOT_FOUND) {
		err_set(&e, EPERM,
			"%s:%s is named by no StorageClass, no BerthVolume of this volume and not "
			"by "
			"nfs.allow: it is not contacted",
			r->facts.server, r->facts.export_);
		release_end(r, RELEASE_REFUSED, &e);
	} else {
		release_end_answer(r, "cannot read the BerthVolume", res);
	}
}

static int do_prove(void *obj)
{
	struct release *r = obj;
	char path[API_PATH_MAX];

	return release_send(r, KUBE_GET, api_path_intent(path, r->pv, ""), NULL, on_prove);
}

static int do_wait(void *obj)
{
	release_wait(obj);
	return 0;
}
