/* SPDX-License-Identifier: Apache-2.0 */
/* selected.c: whether the node that the scheduler selected still is there; where it is not, the
 * claim is handed back (contracts.md 4.4, Reschedule) */
#include <errno.h>

#include "base/str.h"
#include "data/decode.h"
#include "provisioner/names.h"
#include "provisioner/paths.h"
#include "provisioner/prepare.h"

/* The scheduler polls the claim: without the annotation it selects again, and the claim comes back.
 */
static void on_unselect(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct provision *op = userdata;

	(void)q;
	op->request = NULL;
	if (res->status == KUBE_OK || res->status == KUBE_E_NOT_FOUND)
		provision_end(op, PROVISION_GONE, NULL);
	else
		provision_end_answer(op, "cannot hand the claim back to the scheduler", res);
}

/* Guarded: a node that was selected meanwhile stays. */
int selected_do_drop(void *obj)
{
	struct provision *op = obj;
	const struct pvc *c = provision_claim(op);
	const struct provisioner_object o = provision_object(op);
	char path[API_PATH_MAX];

	if (!c)
		return -ESTALE;
	provisioner_event(op->p, &o, true, "ProvisioningFailed",
		"Node %s, which the scheduler selected, is not there; it is asked to select again",
		op->node);
	return provision_send(op, KUBE_PATCH_MERGE,
		api_path_claim(path, op->namespace_, op->name, ""),
		json_pack("{s:{s:s,s:s,s:{s:n,s:n}}}", "metadata", "uid", op->uid_text,
			"resourceVersion", c->o.rv, "annotations", NOTE_SELECTED_NODE,
			NOTE_SELECTED_NODE_ALPHA),
		on_unselect);
}

static void on_node(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct provision *op = userdata;

	(void)q;
	op->request = NULL;
	provision_timed(op, STEP_READ);
	op->node_seen = res->status == KUBE_OK;
	if (op->node_seen)
		prepare_go(op);
	else if (res->status == KUBE_E_NOT_FOUND)
		provision_go(op, GO_UNSELECT);
	else
		provision_end_answer(op, "cannot read the selected node", res);
}

int selected_do_look(void *obj)
{
	struct provision *op = obj;
	const struct pvc *c = provision_claim(op);
	char path[API_PATH_MAX];

	if (!c)
		return -ESTALE;
	if (str_replace(&op->node, c->selected_node) < 0)
		return -ENOMEM;
	return provision_send(op, KUBE_GET, api_path_node(path, op->node), NULL, on_node);
}
