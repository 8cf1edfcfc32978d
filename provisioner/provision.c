/* SPDX-License-Identifier: Apache-2.0 */
/* provision.c: intent, record and directory of one claim; publish.c and bind.c do the rest */
#include "provisioner/provision.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "data/decode.h"
#include "provisioner/manifest.h"
#include "provisioner/names.h"
#include "provisioner/paths.h"
#include "provisioner/prepare.h"

static const char *const states[_AT_MAX] = {"Idle", "Looking", "Unselecting", "Reading", "Probing",
	"Intending", "Resuming", "Creating", "Reporting", "Gated", "Publishing", "Examining",
	"BindingVolume", "BindingClaim", "Rereading", "BindingStatus"};
static const char *const events[_GO_MAX] = {"look", "unselect", "read", "probe", "intend", "resume",
	"create", "report", "gate", "publish", "examine", "bind", "bindClaim", "reread",
	"bindStatus", "end"};

static int do_intend(void *obj);
static int do_resume(void *obj);
static int do_create(void *obj);
static int do_report(void *obj);

static const struct sm_edge edges[] = {
	{AT_IDLE, GO_LOOK, AT_LOOKING, selected_do_look},
	{AT_LOOKING, GO_UNSELECT, AT_UNSELECTING, selected_do_drop},
	{AT_LOOKING, GO_READ, AT_READING, prepare_do_read},
	{AT_LOOKING, GO_PROBE, AT_PROBING, prepare_do_probe},
	{AT_LOOKING, GO_INTEND, AT_INTENDING, do_intend},
	{AT_LOOKING, GO_CREATE, AT_CREATING, do_create},
	{AT_IDLE, GO_READ, AT_READING, prepare_do_read},
	{AT_IDLE, GO_PROBE, AT_PROBING, prepare_do_probe},
	{AT_IDLE, GO_INTEND, AT_INTENDING, do_intend},
	{AT_IDLE, GO_CREATE, AT_CREATING, do_create},
	{AT_IDLE, GO_REPORT, AT_REPORTING, do_report},
	{AT_IDLE, GO_GATE, AT_GATED, provision_do_gate},
	{AT_IDLE, GO_PUBLISH, AT_PUBLISHING, provision_do_publish},
	{AT_READING, GO_PROBE, AT_PROBING, prepare_do_probe},
	{AT_READING, GO_INTEND, AT_INTENDING, do_intend},
	{AT_READING, GO_CREATE, AT_CREATING, do_create},
	{AT_PROBING, GO_INTEND, AT_INTENDING, do_intend},
	{AT_PROBING, GO_CREATE, AT_CREATING, do_create},
	{AT_INTENDING, GO_CREATE, AT_CREATING, do_create},
	{AT_INTENDING, GO_RESUME, AT_RESUMING, do_resume},
	{AT_RESUMING, GO_CREATE, AT_CREATING, do_create},
	{AT_CREATING, GO_REPORT, AT_REPORTING, do_report},
	{AT_CREATING, GO_GATE, AT_GATED, provision_do_gate},
	{AT_CREATING, GO_PUBLISH, AT_PUBLISHING, provision_do_publish},
	{AT_REPORTING, GO_GATE, AT_GATED, provision_do_gate},
	{AT_REPORTING, GO_PUBLISH, AT_PUBLISHING, provision_do_publish},
	{AT_GATED, GO_PUBLISH, AT_PUBLISHING, provision_do_publish},
	{AT_GATED, GO_BIND_CLAIM, AT_BINDING_CLAIM, bind_do_claim},
	{AT_PUBLISHING, GO_EXAMINE, AT_EXAMINING, provision_do_examine},
	{AT_PUBLISHING, GO_BIND, AT_BINDING_VOLUME, bind_do_volume},
	{AT_EXAMINING, GO_BIND, AT_BINDING_VOLUME, bind_do_volume},
	{AT_BINDING_VOLUME, GO_EXAMINE, AT_EXAMINING, provision_do_examine},
	{AT_BINDING_VOLUME, GO_BIND_CLAIM, AT_BINDING_CLAIM, bind_do_claim},
	{AT_BINDING_VOLUME, GO_GATE, AT_GATED, provision_do_gate},
	{AT_BINDING_CLAIM, GO_REREAD, AT_REREADING, bind_do_reread},
	{AT_BINDING_CLAIM, GO_BIND_STATUS, AT_BINDING_STATUS, bind_do_status},
	{SM_ANY, GO_END, AT_IDLE, NULL},
};
const struct sm_table provision_table = {
	.name = "provision",
	.states = states,
	.events = events,
	.edges = edges,
	.n_edges = ELEMENTSOF(edges),
};

/* ---- frame ------------------------------------------------------------------------------- */

struct provisioner_object provision_object(const struct provision *op)
{
	return (struct provisioner_object){
		"PersistentVolumeClaim", op->namespace_, op->name, op->uid_text};
}

void provision_end(struct provision *op, enum provision_outcome outcome, const struct err *e)
{
	op->request = NULL;
	sm_fire(&provision_table, &op->state, GO_END, op);
	op->cb->done(op, outcome, e, op->userdata);
}

void provision_go(struct provision *op, enum provision_event ev)
{
	struct err e = ERR_NULL;
	int r;

	op->step_at = clock_now();
	r = sm_fire(&provision_table, &op->state, (uint8_t)ev, op);
	if (r >= 0)
		return;
	err_sys(&e, r, "cannot go on with the claim");
	provision_end(op, PROVISION_RETRY, &e);
}

void provision_end_answer(struct provision *op, const char *what, const struct kube_response *res)
{
	struct err e = res->err;

	err_prefix(&e, "%s", what);
	provision_end(op, PROVISION_RETRY, &e);
}

void provision_timed(struct provision *op, enum stats_step step)
{
	stats_step(op->p->stats, step, clock_now() - op->step_at);
}

int provision_send(
	struct provision *op, enum kube_method m, const char *path, json_t *body, kube_fn fn)
{
	return kube_request_json(op->p->client, m, path, body, fn, op, &op->request);
}

const struct pvc *provision_claim(const struct provision *op)
{
	const struct pvc *c = ledger_find_claim(&op->p->ledger, &op->uid);

	if (!c || c->o.deleting || c->phase == CLAIM_LOST)
		return NULL;
	/* Bound by somebody to something: ours only if it is ours. */
	if (*c->volume_name && !(op->has_facts && streq(c->volume_name, op->facts.pv)))
		return NULL;
	return c;
}

int provision_new(struct provision **ret, struct provisioner *p, const struct pvc *c,
	const struct provision_callbacks *cb, void *userdata)
{
	_cleanup_(provision_freep) struct provision *op = calloc(1, sizeof(*op));

	if (!op)
		return -ENOMEM;
	op->p = p;
	op->cb = cb;
	op->userdata = userdata;
	op->uid = c->o.uid;
	uuid_format(&op->uid, op->uid_text);
	op->namespace_ = strdup(c->o.namespace_);
	op->name = strdup(c->o.name);
	if (!op->namespace_ || !op->name)
		return -ENOMEM;
	*ret = TAKE_PTR(op);
	return 0;
}

struct provision *provision_free(struct provision *op)
{
	if (!op)
		return NULL;
	if (op->request)
		kube_request_cancel(op->request);
	prepare_forget_probe(op);
	class_info_unref(op->class);
	facts_done(&op->facts);
	free(op->namespace_);
	free(op->name);
	free(op->node);
	free(op->directory);
	free(op->volume_rv);
	free(op->claim_rv);
	free(op->why);
	free(op);
	return NULL;
}

/* ---- the intent -------------------------------------------------------------------------- */

static void on_intend(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct provision *op = userdata;

	(void)q;
	op->request = NULL;
	provision_timed(op, STEP_INTENT);
	if (res->status == KUBE_OK) {
		op->intent_written = true;
		if (res->object)
			informer_observe(op->p->intents_seen, res->object);
		provision_go(op, GO_CREATE);
	} else if (res->status == KUBE_E_EXISTS || res->status == KUBE_E_TRANSPORT) {
		provision_go(op, GO_RESUME);
	} else if (res->http == 404 || res->http == 405) {
		provisioner_no_intents(op->p);
		prepare_token(op);
		provision_go(op, GO_CREATE);
	} else {
		provision_end_answer(op, "cannot write the BerthVolume", res);
	}
}

static int do_intend(void *obj)
{
	struct provision *op = obj;
	char path[API_PATH_MAX];
	json_t *body = manifest_intent(&op->facts);

	if (!body)
		return -ENOMEM;
	return provision_send(op, KUBE_POST, api_path_intent(path, NULL, ""), body, on_intend);
}

/* What an earlier attempt wrote holds: its token, its server, its directory. */
static int take_intent(struct provision *op, const json_t *intent, struct err *e)
{
	_cleanup_facts_ struct facts f = {0};
	int r = facts_from_intent(&f, intent, e);

	if (r < 0)
		return err_prefix(e, "BerthVolume %s", op->facts.pv);
	if (!streq(f.claim_uid, op->uid_text) || !streq(f.driver, op->facts.driver))
		return err_set(
			e, EEXIST, "BerthVolume %s belongs to another claim or driver", f.pv);
	if (json_at(intent, "metadata", "deletionTimestamp", NULL))
		return err_set(e, EBUSY, "BerthVolume %s is being deleted", f.pv);
	if (str_replace(&f.provisioner, op->facts.provisioner) < 0)
		return err_set(e, ENOMEM, "out of memory");
	/* Only creation asks for these; the intent does not carry them. */
	f.flags |= op->facts.flags & (VOLUME_ADOPT | VOLUME_SHARED);
	facts_done(&op->facts);
	op->facts = f;
	f = (struct facts){0};
	op->intent_written = true;
	op->maybe_made = true;
	return 0;
}

static void on_resume(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct provision *op = userdata;
	struct err e = ERR_NULL;

	(void)q;
	op->request = NULL;
	provision_timed(op, STEP_INTENT);
	if (res->status != KUBE_OK)
		provision_end_answer(op, "cannot read the BerthVolume", res);
	else if (take_intent(op, res->object, &e) < 0)
		provision_end(op, PROVISION_RETRY, &e);
	else
		provision_go(op, GO_CREATE);
}

static int do_resume(void *obj)
{
	struct provision *op = obj;
	char path[API_PATH_MAX];

	return provision_send(
		op, KUBE_GET, api_path_intent(path, op->facts.pv, ""), NULL, on_resume);
}

/* ---- the directory ----------------------------------------------------------------------- */

static void tell_created(struct provision *op, const struct volume_result *res)
{
	const struct provisioner_object o = provision_object(op);

	if (res->flags & RESULT_ADOPTED)
		provisioner_event(op->p, &o, false, "DirectoryAdopted",
			"Directory %s on %s:%s was there before and is used", op->facts.directory,
			op->facts.server, op->facts.export_);
	if (res->flags & (RESULT_OWNER_DIFFERS | RESULT_MODE_DIFFERS))
		provisioner_event(op->p, &o, true, "OwnerDiffers", "%s:%s: %s", op->facts.server,
			op->facts.export_,
			str_or(res->text, "the server made another owner or mode"));
	if (op->class->anyone && !op->class->told) {
		op->class->told = true;
		provisioner_event(op->p, &o, true, "WorldWritable",
			"StorageClass %s sets none of uid, gid and mode: directories are made with "
			"mode "
			"0777, anyone who reaches the export may write there",
			op->class->name);
	}
}

/* Words of the caller or of the server that only a change of the class or the claim can mend. */
static bool is_infeasible(int code)
{
	return code == EINVAL || code == EEXIST || code == ENAMETOOLONG || code == EILSEQ;
}

static bool is_silent(int code)
{
	return code == ETIMEDOUT || errno_is_disconnect(code);
}

static void end_create(struct provision *op, const struct volume_result *res)
{
	enum provision_outcome outcome = PROVISION_RETRY;
	struct err e = res->err;

	/* An error that the server or the worker gave before any change proves that nothing was
	 * made; one that came instead of an answer proves nothing. */
	if (is_silent(e.code) || errno_is_transient(e.code) || e.code == EIO ||
		errno_is_disk_space(e.code))
		op->maybe_made = true;
	if (is_silent(e.code))
		outcome = PROVISION_SILENT;
	else if (is_infeasible(e.code))
		outcome = PROVISION_INFEASIBLE;
	provision_end(op, outcome, &e);
}

static void on_create(const struct volume_result *res, void *userdata)
{
	struct provision *op = userdata;

	provision_timed(op, STEP_CREATE);
	if (res->err.code) {
		end_create(op, res);
		return;
	}
	op->created = true;
	op->maybe_made = true;
	tell_created(op, res);
	if (str_replace(&op->facts.identity, str_or(res->identity, "")) < 0)
		provision_end(op, PROVISION_RETRY, &(struct err){ENOMEM, "out of memory"});
	else if (op->intent_written)
		provision_go(op, GO_REPORT);
	else
		provision_go(op, provision_publish_or_gate(op));
}

static int do_create(void *obj)
{
	struct provision *op = obj;
	const struct volume_place place = facts_place(&op->facts);
	struct volume_request q = facts_request(&op->facts);

	q.access_modes = op->access_modes;
	return op->p->nfs->ops->create(op->p->nfs, &place, &q, on_create, op);
}

static void on_report(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct provision *op = userdata;

	(void)q;
	op->request = NULL;
	provision_timed(op, STEP_STATUS);
	/* A BerthVolume that somebody deleted meanwhile is rebuilt from the PV. */
	if (res->status == KUBE_OK || res->status == KUBE_E_NOT_FOUND) {
		op->reported = true;
		if (res->object && res->status == KUBE_OK)
			informer_observe(op->p->intents_seen, res->object);
		provision_go(op, provision_publish_or_gate(op));
		return;
	}
	provision_end_answer(op, "cannot write the BerthVolume's status", res);
}

static int do_report(void *obj)
{
	struct provision *op = obj;
	char path[API_PATH_MAX];
	json_t *body = manifest_intent_status("Ready", "", "", 1);

	if (!body)
		return -ENOMEM;
	return provision_send(op, KUBE_PATCH_MERGE, api_path_intent(path, op->facts.pv, "/status"),
		body, on_report);
}

/* ---- run --------------------------------------------------------------------------------- */

static int first_step(struct provision *op, enum provision_event *ret, struct err *e)
{
	op->tries = 0;
	if (op->created && op->intent_written && !op->reported)
		*ret = GO_REPORT;
	else if (op->created)
		*ret = provision_publish_or_gate(op);
	else if (op->has_facts && op->intent_written)
		*ret = GO_CREATE;
	else if (op->has_facts && op->maybe_made)
		*ret = provisioner_has_intents(op->p) ? GO_INTEND : GO_CREATE;
	else
		return prepare_next(op, ret, e);
	return 0;
}

int provision_run(struct provision *op, struct class_info *class, struct err *e)
{
	enum provision_event ev = GO_END;
	const struct pvc *c = provision_claim(op);
	int r;

	if (!c)
		return err_set(e, ESTALE, "the claim is gone");
	class_info_ref(class);
	class_info_unref(op->class);
	op->class = class;
	/* The intent does not carry these, so a class that was mended may still give them. */
	op->facts.flags |= class->p.flags & (VOLUME_ADOPT | VOLUME_SHARED);
	op->access_modes = c->access_modes;
	op->node_seen = false;
	op->step_at = clock_now();
	if (!op->began)
		op->began = op->step_at;
	r = first_step(op, &ev, e);
	if (r < 0)
		return r;
	r = sm_fire(&provision_table, &op->state, (uint8_t)ev, op);
	if (r < 0) {
		op->state = AT_IDLE;
		return err_sys(e, r, "cannot begin with the claim");
	}
	return 0;
}
