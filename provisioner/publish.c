/* SPDX-License-Identifier: Apache-2.0 */
/* publish.c: the PV of a claim, once its directory is there, and waiting for binding's gates */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "data/decode.h"
#include "provisioner/manifest.h"
#include "provisioner/names.h"
#include "provisioner/paths.h"
#include "provisioner/provision.h"

/* While the controller works off what gate 2 waits for, waiting is the fastest way. Where it has
 * not got on for longer than its resync (15 s), a claim that it has announced is published without
 * assist: slow, but never wrong. */
#define GATE_PATIENCE SECONDS(20)

/* The controller has announced the claim, so that publishing without assist is allowed. */
static bool announced(const struct provision *op)
{
	const struct pvc *c = provision_claim(op);

	return c && *c->provisioner;
}

static bool wants_assist(const struct provision *op)
{
	const struct pvc *c = provision_claim(op);

	return c && !op->by_controller && claim_may_assist(c, op->class);
}

/* Not announced and not through the gates: the controller may be about to bind the claim to a
 * volume that was there before. */
enum provision_event provision_publish_or_gate(const struct provision *op)
{
	if (wants_assist(op))
		return bind_gates_open(op) ? GO_PUBLISH : GO_GATE;
	return announced(op) ? GO_PUBLISH : GO_GATE;
}

int provision_do_gate(void *obj)
{
	struct provision *op = obj;

	if (!op->gated_at)
		op->gated_at = clock_now();
	op->cb->gated(op, op->userdata);
	return 0;
}

static bool out_of_patience(const struct provision *op)
{
	uint64_t since = op->p->ledger.progress;

	if (since < op->gated_at)
		since = op->gated_at;
	return announced(op) && clock_now() - since >= GATE_PATIENCE;
}

/* What to do now that the gates or the claim moved; GO_GATE: go on waiting. */
static enum provision_event after_gate(struct provision *op)
{
	const struct pvc *c = provision_claim(op);

	if (op->published) {
		/* The controller was faster, or the claim is gone and the PV is its to release. */
		if (!c || *c->volume_name || out_of_patience(op))
			return GO_END;
		return bind_gates_open(op) ? GO_BIND_CLAIM : GO_GATE;
	}
	if (!c)
		return GO_END;
	if (wants_assist(op) && out_of_patience(op))
		op->by_controller = true;
	return provision_publish_or_gate(op);
}

void provision_gate_moved(struct provision *op)
{
	enum provision_event ev = op->state == AT_GATED ? after_gate(op) : GO_GATE;

	if (ev == GO_GATE)
		return;
	op->gated_at = 0;
	op->cb->ungated(op, op->userdata);
	if (ev == GO_END)
		provision_end(op, op->published ? PROVISION_DONE : PROVISION_GONE, NULL);
	else
		provision_go(op, ev);
}

/* ---- the PV ------------------------------------------------------------------------------ */

static void published(struct provision *op, const json_t *pv)
{
	const struct provisioner_object o = provision_object(op);
	bool first = !op->published;

	op->published = true;
	informer_observe(op->p->volumes, pv);
	if (first) {
		stats_provisioned(op->p->stats, op->class->name, clock_now() - op->began);
		provisioner_event(op->p, &o, false, "ProvisioningSucceeded",
			"Successfully provisioned volume %s", op->facts.pv);
	}
	if (!wants_assist(op)) {
		provision_end(op, PROVISION_DONE, NULL);
		return;
	}
	if (str_replace(&op->volume_rv,
		    str_or(json_string_at(pv, "metadata", "resourceVersion", NULL), "")) < 0)
		provision_end(op, PROVISION_DONE, NULL); /* the controller binds it */
	else
		provision_go(op, GO_BIND);
}

/* The PV may be there now, or was before. */
static bool unknown_outcome(enum kube_status s)
{
	return s == KUBE_E_EXISTS || s == KUBE_E_TRANSPORT || s == KUBE_E_SERVER || s == KUBE_OK;
}

static void on_publish(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct provision *op = userdata;

	(void)q;
	op->request = NULL;
	provision_timed(op, STEP_PUBLISH);
	if (res->status == KUBE_OK && res->object)
		published(op, res->object);
	else if (unknown_outcome(res->status) && str_replace(&op->why, res->err.text) >= 0)
		provision_go(op, GO_EXAMINE);
	else
		provision_end_answer(op, "cannot create the PersistentVolume", res);
}

int provision_do_publish(void *obj)
{
	struct provision *op = obj;
	const struct pvc *c = provision_claim(op);
	struct manifest_volume m = {
		.facts = &op->facts,
		.class = op->class,
		.identity = op->p->identity,
		.access_modes = op->access_modes,
	};
	char path[API_PATH_MAX];
	json_t *body;

	if (!c)
		return -ESTALE;
	m.claim_rv = c->o.rv;
	body = manifest_volume(&m);
	if (!body)
		return -ENOMEM;
	return provision_send(op, KUBE_POST, api_path_volume(path, NULL, ""), body, on_publish);
}

/* ---- a PV of that name is there ---------------------------------------------------------- */

static void on_examine(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct provision *op = userdata;
	const char *uid = json_string_at(res->object, "spec", "claimRef", "uid", NULL);
	struct err e = ERR_NULL;

	(void)q;
	op->request = NULL;
	if (res->status == KUBE_E_NOT_FOUND) {
		err_set(&e, EIO, "cannot create the PersistentVolume: %s", str_or(op->why, "?"));
		provision_end(op, PROVISION_RETRY, &e);
		return;
	}
	if (res->status != KUBE_OK) {
		provision_end_answer(op, "cannot read the PersistentVolume back", res);
		return;
	}
	if (!streq_null(uid, op->uid_text)) {
		err_set(&e, EEXIST, "PersistentVolume %s exists and is not this claim's",
			op->facts.pv);
		provision_end(op, PROVISION_INFEASIBLE, &e);
		return;
	}
	if (json_at(res->object, "metadata", "deletionTimestamp", NULL)) {
		err_set(&e, EBUSY, "PersistentVolume %s is being deleted", op->facts.pv);
		provision_end(op, PROVISION_RETRY, &e);
		return;
	}
	if (!streq_null(json_string_at(res->object, "metadata", "annotations", NOTE_TOKEN, NULL),
		    op->facts.token)) {
		/* Somebody else's PV for this claim: the controller's to bind, not ours to assist.
		 */
		log_warning("PersistentVolume %s serves claim %s/%s and does not carry our token",
			op->facts.pv, op->namespace_, op->name);
		provision_end(op, PROVISION_DONE, NULL);
		return;
	}
	published(op, res->object);
}

int provision_do_examine(void *obj)
{
	struct provision *op = obj;
	char path[API_PATH_MAX];

	return provision_send(
		op, KUBE_GET, api_path_volume(path, op->facts.pv, ""), NULL, on_examine);
}
