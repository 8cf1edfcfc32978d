/* SPDX-License-Identifier: Apache-2.0 */
/* bind.c: `binding: assist`: the three writes that bind claim and PV, in the order of binding.md 1
 */
#include <errno.h>

#include "data/decode.h"
#include "provisioner/manifest.h"
#include "provisioner/paths.h"
#include "provisioner/provision.h"
#include "provisioner/releases.h"

/* A PV whose status changes under our hands: the controller is at work, let it. */
#define TRIES_MAX 3

bool bind_gates_open(const struct provision *op)
{
	const struct pvc *c = provision_claim(op);
	const struct ledger *g = &op->p->ledger;
	const struct pv *own = ledger_server_of(g, &op->uid);

	if (!c || !ledger_gate_busy(g))
		return false;
	/* Annotated means: the controller found no volume that would match. A PV that names the
	 * claim may still have come since. */
	return ledger_gate_foreign(g, c, own);
}

static void end(struct provision *op)
{
	provision_timed(op, STEP_BIND);
	provision_end(op, PROVISION_DONE, NULL);
}

/* ---- 2: PV status ------------------------------------------------------------------------ */

static void on_volume(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct provision *op = userdata;

	(void)q;
	op->request = NULL;
	if (res->status == KUBE_OK && res->object) {
		informer_observe(op->p->volumes, res->object);
		provision_go(op, bind_gates_open(op) ? GO_BIND_CLAIM : GO_GATE);
	} else if (res->status == KUBE_E_CONFLICT && ++op->tries < TRIES_MAX) {
		provision_go(op, GO_EXAMINE);
	} else {
		end(op);
	}
}

int bind_do_volume(void *obj)
{
	struct provision *op = obj;
	char path[API_PATH_MAX];
	json_t *body = manifest_volume_bound(op->volume_rv);

	if (!body)
		return -ENOMEM;
	return provision_send(op, KUBE_PATCH_MERGE, api_path_volume(path, op->facts.pv, "/status"),
		body, on_volume);
}

/* ---- 3: the claim ------------------------------------------------------------------------ */

static void on_claim(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct provision *op = userdata;
	const char *rv = json_string_at(res->object, "metadata", "resourceVersion", NULL);

	(void)q;
	op->request = NULL;
	if (res->status == KUBE_OK && rv && str_replace(&op->claim_rv, rv) >= 0) {
		informer_observe(op->p->claims, res->object);
		provision_go(op, GO_BIND_STATUS);
	} else if (res->status == KUBE_E_FORBIDDEN || res->status == KUBE_E_INVALID ||
		   res->status == KUBE_E_CONFLICT) {
		provision_go(op, GO_REREAD);
	} else {
		/* Gone: the PV becomes Released. Anything else: the controller binds it. */
		end(op);
	}
}

int bind_do_claim(void *obj)
{
	struct provision *op = obj;
	char path[API_PATH_MAX];
	json_t *body = manifest_claim_bind(op->uid_text, op->facts.pv, op->class->provisioner);

	if (!body)
		return -ENOMEM;
	return provision_send(op, KUBE_PATCH_MERGE,
		api_path_claim(path, op->namespace_, op->name, ""), body, on_claim);
}

/* ---- refused: whose claim is it now? ----------------------------------------------------- */

static void on_reread(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct provision *op = userdata;
	const char *uid = json_string_at(res->object, "metadata", "uid", NULL);
	const char *volume = json_string_at(res->object, "spec", "volumeName", NULL);
	bool lost = res->status == KUBE_OK && streq_null(uid, op->uid_text) && !str_empty(volume) &&
		    !streq(volume, op->facts.pv);

	(void)q;
	op->request = NULL;
	if (lost)
		releases_lost(op->p, op->facts.pv);
	end(op);
}

int bind_do_reread(void *obj)
{
	struct provision *op = obj;
	char path[API_PATH_MAX];

	return provision_send(
		op, KUBE_GET, api_path_claim(path, op->namespace_, op->name, ""), NULL, on_reread);
}

/* ---- 4: the claim's status --------------------------------------------------------------- */

static void on_status(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct provision *op = userdata;

	(void)q;
	op->request = NULL;
	if (res->status == KUBE_OK && res->object)
		informer_observe(op->p->claims, res->object);
	/* On a conflict the controller is finishing. */
	end(op);
}

int bind_do_status(void *obj)
{
	struct provision *op = obj;
	char path[API_PATH_MAX];
	json_t *body = manifest_claim_bound(op->claim_rv, op->access_modes, op->facts.capacity);

	if (!body)
		return -ENOMEM;
	return provision_send(op, KUBE_PATCH_MERGE,
		api_path_claim(path, op->namespace_, op->name, "/status"), body, on_status);
}
