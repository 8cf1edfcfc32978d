/* SPDX-License-Identifier: Apache-2.0 */
/* remove.c: what is left in the API server after a volume's end: PV, finalizer, claimRef,
 * BerthVolume */
#include <errno.h>

#include "base/clock.h"
#include "data/decode.h"
#include "provisioner/manifest.h"
#include "provisioner/names.h"
#include "provisioner/paths.h"
#include "provisioner/release.h"

/* Conflicts with the controller's own writes end by themselves; this many in a row do not. */
#define TRIES_MAX 5

static bool recycles(const struct release *r)
{
	return r->goal == GOAL_RECLAIM && r->facts.reclaim == RECLAIM_RECYCLE;
}

static bool is_conflict(const struct kube_response *res)
{
	return res->status == KUBE_E_CONFLICT || res->status == KUBE_E_INVALID;
}

static void set_patch(struct release *r, json_t *patch)
{
	json_decref(r->patch);
	r->patch = patch;
}

static void finished(struct release *r)
{
	if (r->goal == GOAL_RECLAIM) {
		stats_step(r->p->stats, STEP_REMOVE, clock_now() - r->step_at);
		stats_deleted(r->p->stats, r->facts.class, clock_now() - r->began);
	}
	release_end(r, RELEASE_DONE, NULL);
}

/* FREE, FORGET or the end: what is left for this goal once the PV is as it should be. */
static void go_on(struct release *r, const json_t *pv)
{
	if (pv && manifest_has_finalizer(pv, FINALIZER_VOLUME)) {
		set_patch(r, manifest_drop_finalizer(pv, FINALIZER_VOLUME));
		release_go(r, RE_FREE);
	} else {
		release_go(r, RE_FORGET);
	}
}

/* ---- DELETE ------------------------------------------------------------------------------ */

static void on_delete(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct release *r = userdata;
	const char *kind = json_string_at(res->object, "kind", NULL);

	(void)q;
	r->request = NULL;
	if (res->status == KUBE_OK && streq_null(kind, "PersistentVolume")) {
		informer_observe(r->p->volumes, res->object);
		go_on(r, res->object);
	} else if (res->status == KUBE_OK || res->status == KUBE_E_NOT_FOUND ||
		   res->status == KUBE_E_CONFLICT) {
		/* Gone at once, gone before, or another PV of that name: not ours to delete. */
		release_go(r, RE_FORGET);
	} else {
		release_end_answer(r, "cannot delete the PersistentVolume", res);
	}
}

int remove_do_delete(void *obj)
{
	struct release *r = obj;
	char path[API_PATH_MAX];
	json_t *body;

	if (!provisioner_may_act(r->p))
		return -EAGAIN;
	body = manifest_delete(r->pv_uid);
	if (!body)
		return -ENOMEM;
	return release_send(r, KUBE_DELETE, api_path_volume(path, r->pv, ""), body, on_delete);
}

/* ---- the finalizer ----------------------------------------------------------------------- */

/* Sends the patch that was prepared, and with it its reference, to the PV. */
static int send_patch(struct release *r, kube_fn fn)
{
	char path[API_PATH_MAX];
	json_t *patch = r->patch;

	r->patch = NULL;
	if (!patch)
		return -ENOMEM;
	return release_send(r, KUBE_PATCH_JSON, api_path_volume(path, r->pv, ""), patch, fn);
}

static void on_free(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct release *r = userdata;

	(void)q;
	r->request = NULL;
	if (res->status == KUBE_OK || res->status == KUBE_E_NOT_FOUND) {
		if (res->status == KUBE_OK && res->object && r->goal == GOAL_UPKEEP)
			informer_observe(r->p->volumes, res->object);
		if (r->goal == GOAL_UPKEEP)
			release_end(r, RELEASE_DONE, NULL);
		else
			release_go(r, RE_FORGET);
	} else if (is_conflict(res) && ++r->tries < TRIES_MAX && r->goal != GOAL_UPKEEP) {
		release_go(r, RE_REREAD);
	} else {
		release_end_answer(r, "cannot change the PersistentVolume's finalizers", res);
	}
}

int remove_do_free(void *obj)
{
	return send_patch(obj, on_free);
}

/* ---- once more, live --------------------------------------------------------------------- */

/* Recycled: only a PV that still is what we recycled it as is given back. */
static void unbind_or_leave(struct release *r, const json_t *pv)
{
	const char *uid = json_string_at(pv, "spec", "claimRef", "uid", NULL);
	const char *phase = json_string_at(pv, "status", "phase", NULL);

	if (json_at(pv, "metadata", "deletionTimestamp", NULL)) {
		go_on(r, pv);
		return;
	}
	if (!streq_null(uid, r->facts.claim_uid) || !streq_null(phase, "Released")) {
		finished(r);
		return;
	}
	set_patch(r, manifest_unbind(pv));
	release_go(r, RE_UNBIND);
}

static void on_reread(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct release *r = userdata;

	(void)q;
	r->request = NULL;
	if (res->status == KUBE_E_NOT_FOUND)
		release_go(r, RE_FORGET);
	else if (res->status != KUBE_OK)
		release_end_answer(r, "cannot read the PersistentVolume", res);
	else if (!streq_null(json_string_at(res->object, "metadata", "uid", NULL), r->pv_uid))
		release_end(r, RELEASE_DONE, NULL);
	else if (recycles(r))
		unbind_or_leave(r, res->object);
	else
		go_on(r, res->object);
}

int remove_do_reread(void *obj)
{
	struct release *r = obj;
	char path[API_PATH_MAX];

	return release_send(r, KUBE_GET, api_path_volume(path, r->pv, ""), NULL, on_reread);
}

/* ---- claimRef ---------------------------------------------------------------------------- */

static void on_unbind(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct release *r = userdata;
	const struct provisioner_object o = release_object(r);

	(void)q;
	r->request = NULL;
	if (res->status == KUBE_OK) {
		if (res->object)
			informer_observe(r->p->volumes, res->object);
		provisioner_event(r->p, &o, false, "VolumeRecycled", "Volume recycled");
		finished(r);
	} else if (res->status == KUBE_E_NOT_FOUND ||
		   (is_conflict(res) && ++r->tries < TRIES_MAX)) {
		release_go(r, RE_REREAD);
	} else {
		release_end_answer(r, "cannot clear the PersistentVolume's claimRef", res);
	}
}

int remove_do_unbind(void *obj)
{
	return send_patch(obj, on_unbind);
}

/* ---- BerthVolume ------------------------------------------------------------------------- */

static void on_forget(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct release *r = userdata;

	(void)q;
	r->request = NULL;
	if (res->status == KUBE_OK || res->status == KUBE_E_NOT_FOUND) {
		/* With its finalizer it stays until intents.c has dropped that. */
		if (res->status == KUBE_OK &&
			streq_null(json_string_at(res->object, "kind", NULL), "BerthVolume"))
			informer_observe(r->p->intents_seen, res->object);
		finished(r);
	} else {
		release_end_answer(r, "cannot delete the BerthVolume", res);
	}
}

int remove_do_forget(void *obj)
{
	struct release *r = obj;
	char path[API_PATH_MAX];

	r->acted = true;
	return release_send(r, KUBE_DELETE, api_path_intent(path, r->pv, ""), NULL, on_forget);
}
