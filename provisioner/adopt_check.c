/* SPDX-License-Identifier: Apache-2.0 */
/* adopt_check.c: whether a volume may get its PV again: never beside another one that serves, or
 * waits for, the same claim */
#include <errno.h>

#include "base/clock.h"
#include "provisioner/adopt.h"
#include "provisioner/exports.h"
#include "provisioner/names.h"
#include "provisioner/releases.h"
#include "provisioner/verdict.h"
#include "provisioner/works.h"
#include "volume/record.h"

#define NEVER(e, ...) (err_set((e), __VA_ARGS__), ADOPT_NEVER)

static enum adopt_verdict check_place(const struct adoption *a, struct err *e)
{
	const struct facts *f = &a->facts;

	if (config_allows(a->p->config, f->server, f->export_) &&
		provisioner_knows_place(a->p, f->server, f->export_))
		return ADOPT_GO;
	return NEVER(e, EPERM,
		"%s:%s is named by no StorageClass and not by nfs.allow: it is not contacted",
		f->server, f->export_);
}

/* Its own PV: there already, or not gone yet. */
static enum adopt_verdict check_volume(const struct adoption *a, struct err *e)
{
	const struct object *o = informer_get(a->p->volumes, "", a->job.name);
	const char *text = str_after(a->job.name, VOLUME_PREFIX);
	char token[TOKEN_TEXT_MAX];
	struct uuid uid;

	if (text && uuid_parse(text, &uid) == 0 && releases_busy_with(a->p, &uid)) {
		err_set(e, EBUSY, "volume %s is just being reclaimed", a->job.name);
		return ADOPT_LATER;
	}
	if (!o)
		return ADOPT_GO;
	if (o->deleting || volume_check(a->p->config, pv_of(o)) == VOLUME_RECLAIM) {
		err_set(e, EBUSY, "PersistentVolume %s is just being reclaimed", a->job.name);
		return ADOPT_LATER;
	}
	if (!streq(object_token_format(&pv_of(o)->token, token), a->facts.token))
		return NEVER(e, EEXIST, "PersistentVolume %s is there and is another", a->job.name);
	return ADOPT_THERE;
}

/* A claim that names the volume gets it back; of any other there may be none that has, or is about
 * to get, a volume. */
static enum adopt_verdict check_claim(struct adoption *a, struct err *e)
{
	struct facts *f = &a->facts;
	const struct object *o = informer_get(a->p->claims, f->claim_namespace, f->claim_name);
	char uid[UUID_TEXT_MAX];
	bool same;

	if (!o) {
		f->claim_uid[0] = '\0';
		return ADOPT_GO;
	}
	same = streq(uuid_format(&o->uid, uid), f->claim_uid);
	if (same && !*pvc_of(o)->volume_name)
		return NEVER(e, EBUSY,
			"the claim that %s was made for is there: it gets it from its class",
			a->job.name);
	if (works_busy_with(a->p->works, &o->uid)) {
		err_set(e, EBUSY, "claim %s/%s is just being served", f->claim_namespace,
			f->claim_name);
		return ADOPT_LATER;
	}
	if (*pvc_of(o)->volume_name && !streq(pvc_of(o)->volume_name, a->job.name)) {
		return NEVER(e, EBUSY,
			"claim %s/%s is there and has volume %s: delete the claim first",
			f->claim_namespace, f->claim_name, pvc_of(o)->volume_name);
	}
	if (!*pvc_of(o)->volume_name)
		f->claim_uid[0] = '\0';
	else if (str_replace(&f->claim_uid, uid) < 0)
		return ADOPT_LATER;
	return ADOPT_GO;
}

static bool waits_for(const struct pv *v, const struct facts *f)
{
	return v->flags & PV_HAS_CLAIM && v->phase != PV_RELEASED && v->phase != PV_FAILED &&
	       streq(v->claim_namespace, f->claim_namespace) &&
	       streq(v->claim_name, f->claim_name) && !streq(v->o.name, f->pv);
}

static enum adopt_verdict check_others(const struct adoption *a, struct err *e)
{
	const struct object *o;
	size_t cursor = 0;

	while ((o = informer_next(a->p->volumes, &cursor)) != NULL) {
		if (!waits_for(pv_of(o), &a->facts))
			continue;
		return NEVER(e, EBUSY, "PersistentVolume %s is for claim %s/%s already", o->name,
			a->facts.claim_namespace, a->facts.claim_name);
	}
	return ADOPT_GO;
}

/* What the purge may have begun with is not whole any more. */
static enum adopt_verdict check_trash(const struct adoption *a, struct err *e)
{
	const struct volume_place place = facts_place(&a->facts);
	char pv[PATH_COMPONENT_MAX + 1];
	uint64_t at;

	if (!*a->trash)
		return ADOPT_GO;
	if (!trash_name_parse(a->trash, pv, &at) || !streq(pv, a->job.name))
		return NEVER(e, EINVAL, "%s is no name in the trash of this volume", a->trash);
	if (clock_real() >= at + a->facts.trash_ttl || exports_spare(a->p, &place, a->trash) < 0)
		return NEVER(e, ENOENT, "%s is being removed: its trashTTL is over", a->trash);
	return ADOPT_GO;
}

enum adopt_verdict adopt_check(struct adoption *a, struct err *e)
{
	enum adopt_verdict v = check_place(a, e);

	if (v == ADOPT_GO)
		v = check_volume(a, e);
	if (v == ADOPT_GO)
		v = check_claim(a, e);
	if (v == ADOPT_GO)
		v = check_others(a, e);
	if (v == ADOPT_GO)
		v = check_trash(a, e);
	return v;
}

int adopt_compare(const struct facts *f, const struct volume_request *record, struct err *e)
{
	const unsigned owner = VOLUME_UID_SET | VOLUME_GID_SET | VOLUME_MODE_SET;
	const struct volume_request q = facts_request(f);
	const char *what = NULL;

	if (!streq(q.claim.namespace_, record->claim.namespace_) ||
		!streq(q.claim.name, record->claim.name))
		what = "claim";
	else if (!streq(str_or(q.class, ""), str_or(record->class, "")))
		what = "class";
	else if (q.capacity != record->capacity)
		what = "capacity";
	else if (q.reclaim != record->reclaim || q.trash_ttl_ns != record->trash_ttl_ns)
		what = "reclaim";
	else if ((q.flags & owner) != (record->flags & owner) || q.uid != record->uid ||
		 q.gid != record->gid || q.mode != record->mode)
		what = "owner or mode";
	if (!what)
		return 0;
	return err_set(e, EPERM, "the record of %s has another %s than the order", f->pv, what);
}
