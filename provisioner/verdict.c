/* SPDX-License-Identifier: Apache-2.0 */
/* verdict.c: the decision table over policy, phase, finalizer and deletion of a PV */
#include "provisioner/verdict.h"

#include "provisioner/names.h"

bool volume_is_ours(const struct config *c, const struct pv *v)
{
	bool source = streq(v->driver, c->driver) || (v->flags & PV_NFS);

	return source && config_is_ours(c, v->provisioned_by) && !object_token_none(&v->token) &&
	       !(v->flags & PV_MIGRATED);
}

static bool is_recycled(const struct pv *v)
{
	return streq(v->reclaim, "Recycle");
}

/* Released is the controller's word that the claim is gone; we ask the API server ourselves later.
 * Without a claimRef it was recycled by us or saved by an admin, and is Available in a moment, then
 * somebody else's: its phase is the past. */
static bool may_end(const struct pv *v)
{
	bool held = v->o.deleting && (v->flags & PV_FINALIZER);

	if (v->phase == PV_RELEASED)
		return v->o.deleting ? held : v->flags & PV_HAS_CLAIM;
	/* Recycled and deleted while nobody claimed it: it will never be Released. */
	return held && is_recycled(v) && v->phase == PV_AVAILABLE && !(v->flags & PV_HAS_CLAIM);
}

enum volume_verdict volume_check(const struct config *c, const struct pv *v)
{
	if (!volume_is_ours(c, v))
		return VOLUME_LEAVE;
	if (v->policy != PV_DELETE)
		return v->flags & PV_FINALIZER ? VOLUME_DROP_FINALIZER : VOLUME_LEAVE;
	if (may_end(v))
		return VOLUME_RECLAIM;
	if (v->phase == PV_BOUND && !v->o.deleting && !(v->flags & PV_FINALIZER))
		return VOLUME_ADD_FINALIZER;
	return VOLUME_LEAVE;
}

bool volume_has_lost(const struct config *c, const struct pv *v, const struct pvc *claim)
{
	struct uuid made_for;
	const char *uid = str_after(v->o.name, VOLUME_PREFIX);

	if (!volume_is_ours(c, v) || v->phase == PV_BOUND || !(v->flags & PV_HAS_CLAIM))
		return false;
	if (!uid || uuid_parse(uid, &made_for) < 0)
		return false;
	return memcmp(&made_for, &claim->o.uid, sizeof(made_for)) == 0 && *claim->volume_name &&
	       !streq(claim->volume_name, v->o.name) &&
	       (!(v->flags & PV_CLAIM_UID) ||
		       memcmp(&v->claim_uid, &claim->o.uid, sizeof(made_for)) == 0);
}
