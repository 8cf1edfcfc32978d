/* SPDX-License-Identifier: Apache-2.0 */
/* adopt.c: from the order to the volume's record and directory, to its PV, to the order's end */
#include "provisioner/adopt.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "data/decode.h"
#include "provisioner/exports.h"
#include "provisioner/manifest.h"
#include "provisioner/names.h"
#include "provisioner/paths.h"
#include "volume/record.h"

static const char *const states[_AD_MAX] = {"Idle", "Reading", "Restoring", "Publishing",
	"Examining", "Reporting", "Settling", "Refusing", "Dropping"};
static const char *const events[_TO_MAX] = {
	"read", "restore", "publish", "examine", "report", "settle", "refuse", "drop", "end"};

static int do_read(void *obj);
static int do_restore(void *obj);
static int do_publish(void *obj);
static int do_examine(void *obj);
static int do_report(void *obj);
static int do_settle(void *obj);
static int do_refuse(void *obj);
static int do_drop(void *obj);

static const struct sm_edge edges[] = {
	{AD_IDLE, TO_READ, AD_READING, do_read},
	{AD_IDLE, TO_DROP, AD_DROPPING, do_drop},
	{AD_READING, TO_RESTORE, AD_RESTORING, do_restore},
	{AD_READING, TO_REPORT, AD_REPORTING, do_report},
	{AD_READING, TO_REFUSE, AD_REFUSING, do_refuse},
	{AD_RESTORING, TO_PUBLISH, AD_PUBLISHING, do_publish},
	{AD_RESTORING, TO_REFUSE, AD_REFUSING, do_refuse},
	{AD_PUBLISHING, TO_EXAMINE, AD_EXAMINING, do_examine},
	{AD_PUBLISHING, TO_REPORT, AD_REPORTING, do_report},
	{AD_EXAMINING, TO_REPORT, AD_REPORTING, do_report},
	{AD_EXAMINING, TO_REFUSE, AD_REFUSING, do_refuse},
	{AD_REPORTING, TO_SETTLE, AD_SETTLING, do_settle},
	{SM_ANY, TO_END, AD_IDLE, NULL},
};
const struct sm_table adopt_table = {
	.name = "adopt",
	.states = states,
	.events = events,
	.edges = edges,
	.n_edges = ELEMENTSOF(edges),
};

/* ---- frame ------------------------------------------------------------------------------- */

static void end(struct adoption *a, enum adopt_outcome outcome, const struct err *e)
{
	a->request = NULL;
	sm_fire(&adopt_table, &a->state, TO_END, a);
	adopt_end(a, outcome, e);
}

static void go(struct adoption *a, enum adopt_event ev)
{
	struct err e = ERR_NULL;
	int r = sm_fire(&adopt_table, &a->state, (uint8_t)ev, a);

	if (r >= 0)
		return;
	err_sys(&e, r, "cannot go on with the order");
	end(a, ADOPT_RETRY, &e);
}

static void end_answer(struct adoption *a, const char *what, const struct kube_response *res)
{
	struct err e = res->err;

	err_prefix(&e, "%s", what);
	end(a, ADOPT_RETRY, &e);
}

static void refuse(struct adoption *a, const struct err *e)
{
	err_copy(&a->why, e);
	go(a, TO_REFUSE);
}

static int send(struct adoption *a, enum kube_method m, const char *path, json_t *body, kube_fn fn)
{
	return kube_request_json(a->p->client, m, path, body, fn, a, &a->request);
}

int adopt_run(struct adoption *a)
{
	int r = sm_fire(&adopt_table, &a->state, a->refused ? TO_DROP : TO_READ, a);

	if (r < 0)
		a->state = AD_IDLE;
	return r;
}

/* ---- the order --------------------------------------------------------------------------- */

static int take_order(struct adoption *a, const json_t *intent, struct err *e)
{
	const char *order = json_string_at(intent, "metadata", "annotations", NOTE_ADOPT, NULL);
	const char *uid = json_string_at(intent, "metadata", "uid", NULL);

	facts_done(&a->facts);
	if (str_copy(a->uid, sizeof(a->uid), str_or(uid, "")) < 0 ||
		str_copy(a->trash, sizeof(a->trash), streq(order, ADOPT_RECORD) ? "" : order) < 0)
		return err_set(e, EBADMSG, NOTE_ADOPT " is too long");
	if (facts_from_intent(&a->facts, intent, e) < 0)
		return -e->code;
	return *a->facts.claim_namespace ? 0 : err_set(e, EBADMSG, "spec.claim is missing");
}

static void take_verdict(struct adoption *a)
{
	struct err e = ERR_NULL;

	switch (adopt_check(a, &e)) {
	case ADOPT_GO:
		go(a, TO_RESTORE);
		break;
	case ADOPT_THERE:
		go(a, TO_REPORT);
		break;
	case ADOPT_LATER:
		end(a, ADOPT_RETRY, &e);
		break;
	case ADOPT_NEVER:
		refuse(a, &e);
		break;
	}
}

static void on_read(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct adoption *a = userdata;
	const json_t *o = res->object;
	struct err e = ERR_NULL;

	(void)q;
	a->request = NULL;
	if (res->status != KUBE_OK && res->status != KUBE_E_NOT_FOUND) {
		end_answer(a, "cannot read the BerthVolume", res);
		return;
	}
	if (res->status != KUBE_OK || json_at(o, "metadata", "deletionTimestamp", NULL) ||
		!json_string_at(o, "metadata", "annotations", NOTE_ADOPT, NULL)) {
		end(a, ADOPT_DONE, NULL);
		return;
	}
	if (take_order(a, o, &e) < 0)
		refuse(a, &e);
	else if (!streq(a->facts.driver, a->p->config->driver))
		end(a, ADOPT_DONE, NULL); /* another Berth's */
	else if (streq_null(json_string_at(o, "status", "phase", NULL), "Failed"))
		end(a, ADOPT_REFUSED, NULL); /* before a restart */
	else
		take_verdict(a);
}

static int do_read(void *obj)
{
	struct adoption *a = obj;
	char path[API_PATH_MAX];

	return send(a, KUBE_GET, api_path_intent(path, a->job.name, ""), NULL, on_read);
}

/* ---- the storage ------------------------------------------------------------------------- */

/* The purge gets back what it was kept from. */
static void leave_trash(const struct adoption *a)
{
	const struct volume_place place = facts_place(&a->facts);
	char pv[PATH_COMPONENT_MAX + 1];
	uint64_t at;

	if (*a->trash && trash_name_parse(a->trash, pv, &at))
		exports_found_trash(a->p, &place, a->trash, at, a->facts.trash_ttl);
}

static bool may_pass(int code)
{
	return code == EAGAIN || code == ENOMEM || code == EIO || errno_is_transient(code) ||
	       errno_is_disk_space(code);
}

static void not_restored(struct adoption *a, const struct err *e)
{
	leave_trash(a);
	if (e->code == ETIMEDOUT || errno_is_disconnect(e->code))
		end(a, ADOPT_SILENT, e);
	else if (may_pass(e->code))
		end(a, ADOPT_RETRY, e);
	else
		refuse(a, e);
}

static const struct class_info *class_of_facts(const struct adoption *a)
{
	const struct object *o = informer_get(a->p->classes_seen, "", a->facts.class);
	struct class_info *c = NULL;

	if (!o || !config_is_ours(a->p->config, class_of(o)->provisioner) ||
		classes_get(&a->p->classes, a->p->config, class_of(o), &c) < 0)
		return NULL;
	return c;
}

static void on_restored(const struct volume_result *res, void *userdata)
{
	struct adoption *a = userdata;
	const struct class_info *class = class_of_facts(a);
	struct facts *f = &a->facts;
	struct err e = res->err;

	if (!e.code && (res->n_entries != 1 || res->entries[0].kind != ENTRY_RECORD))
		err_set(&e, EPROTO, "the NFS worker's answer makes no sense");
	if (e.code) {
		not_restored(a, &e);
		return;
	}
	if (adopt_compare(f, &res->entries[0].record, &e) < 0) {
		refuse(a, &e);
		return;
	}
	f->access_modes = (uint8_t)res->entries[0].record.access_modes;
	if (str_replace(&f->identity, str_or(res->identity, "")) < 0 ||
		str_replace(&f->provisioner, class ? class->provisioner : f->driver) < 0) {
		err_set(&e, ENOMEM, "out of memory");
		end(a, ADOPT_RETRY, &e);
		return;
	}
	go(a, TO_PUBLISH);
}

static int do_restore(void *obj)
{
	struct adoption *a = obj;
	const struct volume_place place = facts_place(&a->facts);
	struct volume_request q = facts_request(&a->facts);

	if (!provisioner_may_act(a->p))
		return -EAGAIN;
	q.flags |= VOLUME_RESTORE | (*a->trash ? 0U : VOLUME_ADOPT);
	return a->p->nfs->ops->create(a->p->nfs, &place, &q, on_restored, a);
}

/* ---- the PV ------------------------------------------------------------------------------ */

static void published(struct adoption *a, const json_t *pv)
{
	informer_observe(a->p->volumes, pv);
	str_copy_cut(a->pv_uid, sizeof(a->pv_uid),
		str_or(json_string_at(pv, "metadata", "uid", NULL), ""));
	a->announced = true;
	go(a, TO_REPORT);
}

static void on_publish(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct adoption *a = userdata;

	(void)q;
	a->request = NULL;
	if (res->status == KUBE_OK && res->object)
		published(a, res->object);
	else if (res->status == KUBE_E_EXISTS)
		go(a, TO_EXAMINE);
	else
		end_answer(a, "cannot create the PersistentVolume", res);
}

static int do_publish(void *obj)
{
	struct adoption *a = obj;
	const struct class_info *class = class_of_facts(a);
	const uint8_t modes = a->facts.access_modes;
	const struct manifest_volume m = {
		.facts = &a->facts,
		.class = class,
		.identity = a->p->identity,
		/* A record of before they were kept: what NFS can. */
		.access_modes = modes ? modes : ACCESS_RWO | ACCESS_ROX | ACCESS_RWX,
	};
	char path[API_PATH_MAX];
	json_t *body = manifest_volume(&m);

	if (!body)
		return -ENOMEM;
	return send(a, KUBE_POST, api_path_volume(path, NULL, ""), body, on_publish);
}

static void on_examine(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct adoption *a = userdata;
	struct err e = ERR_NULL;

	(void)q;
	a->request = NULL;
	if (res->status != KUBE_OK) {
		end_answer(a, "cannot read the PersistentVolume back", res);
	} else if (!streq_null(
			   json_string_at(res->object, "metadata", "annotations", NOTE_TOKEN, NULL),
			   a->facts.token)) {
		err_set(&e, EEXIST, "PersistentVolume %s is there and is another", a->job.name);
		refuse(a, &e);
	} else {
		published(a, res->object);
	}
}

static int do_examine(void *obj)
{
	struct adoption *a = obj;
	char path[API_PATH_MAX];

	return send(a, KUBE_GET, api_path_volume(path, a->job.name, ""), NULL, on_examine);
}

/* ---- the order's end --------------------------------------------------------------------- */

static void tell(const struct adoption *a)
{
	const struct provisioner_object o = {"PersistentVolume", "", a->job.name, a->pv_uid};
	const struct facts *f = &a->facts;

	log_info("volume %s was %s for claim %s/%s", a->job.name,
		*a->trash ? "restored" : "adopted", f->claim_namespace, f->claim_name);
	if (*a->trash)
		provisioner_event(a->p, &o, false, "VolumeRestored",
			"Back from the trash as %s on %s:%s, for claim %s/%s", f->directory,
			f->server, f->export_, f->claim_namespace, f->claim_name);
	else
		provisioner_event(a->p, &o, false, "VolumeAdopted",
			"Made again from the record of %s on %s:%s, for claim %s/%s", f->directory,
			f->server, f->export_, f->claim_namespace, f->claim_name);
}

static void on_report(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct adoption *a = userdata;

	(void)q;
	a->request = NULL;
	if (res->status == KUBE_OK)
		go(a, TO_SETTLE);
	else if (res->status == KUBE_E_NOT_FOUND)
		end(a, ADOPT_DONE, NULL); /* rebuilt from the PV */
	else
		end_answer(a, "cannot write the BerthVolume's status", res);
}

static int patch_status(struct adoption *a, json_t *body, kube_fn fn)
{
	char path[API_PATH_MAX];

	if (!body)
		return -ENOMEM;
	return send(a, KUBE_PATCH_MERGE, api_path_intent(path, a->job.name, "/status"), body, fn);
}

static int do_report(void *obj)
{
	struct adoption *a = obj;

	if (a->announced)
		tell(a);
	a->announced = false;
	return patch_status(a, manifest_intent_status("Ready", "", "", 1), on_report);
}

static void on_settle(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct adoption *a = userdata;

	(void)q;
	a->request = NULL;
	if (res->status == KUBE_OK && res->object)
		informer_observe(a->p->intents_seen, res->object);
	if (res->status == KUBE_OK || res->status == KUBE_E_NOT_FOUND)
		end(a, ADOPT_DONE, NULL);
	else
		end_answer(a, "cannot end the order", res);
}

static int do_settle(void *obj)
{
	struct adoption *a = obj;
	char path[API_PATH_MAX];
	json_t *body = manifest_intent_settled();

	if (!body)
		return -ENOMEM;
	return send(a, KUBE_PATCH_MERGE, api_path_intent(path, a->job.name, ""), body, on_settle);
}

static void on_refuse(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct adoption *a = userdata;

	(void)q;
	a->request = NULL;
	if (res->status == KUBE_OK || res->status == KUBE_E_NOT_FOUND)
		end(a, res->status == KUBE_OK ? ADOPT_REFUSED : ADOPT_DONE, NULL);
	else
		end_answer(a, "cannot write the BerthVolume's status", res);
}

static int do_refuse(void *obj)
{
	struct adoption *a = obj;

	log_warning("volume %s: not %s: %s", a->job.name, *a->trash ? "restored" : "adopted",
		a->why.text);
	return patch_status(a,
		manifest_intent_status("Failed",
			*a->trash ? "VolumeRestoreRefused" : "VolumeAdoptRefused", a->why.text, 1),
		on_refuse);
}

static void on_drop(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct adoption *a = userdata;

	(void)q;
	a->request = NULL;
	if (res->status == KUBE_OK || res->status == KUBE_E_NOT_FOUND) {
		end(a, ADOPT_DONE, NULL);
	} else if (res->status == KUBE_E_CONFLICT) {
		/* Another order has the name by now. */
		a->refused = false;
		end(a, ADOPT_RETRY, NULL);
	} else {
		end_answer(a, "cannot remove the order", res);
	}
}

static int do_drop(void *obj)
{
	struct adoption *a = obj;
	char path[API_PATH_MAX];
	json_t *body = manifest_delete(a->uid);

	if (!body)
		return -ENOMEM;
	return send(a, KUBE_DELETE, api_path_intent(path, a->job.name, ""), body, on_drop);
}
