/* SPDX-License-Identifier: Apache-2.0 */
/* held.c: whether the end of a volume has to wait for nodes that may have it mounted */
#include "provisioner/release.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "provisioner/mounted.h"

/* Caches fill in less; what takes longer is told. */
#define PATIENCE SECONDS(60)
#define LOOK_SOON MILLISECONDS(500)

/* Archive and Recycle give the place away; Delete renames at once, and only its purge waits
 * (exports.c). A recycled PV that is being deleted is trashed. */
static bool gives_place_away(const struct release *r)
{
	const struct object *o = informer_get(r->p->volumes, "", r->pv);
	const struct pv *v = o ? pv_of(o) : NULL;

	if (r->goal != GOAL_RECLAIM || r->acted)
		return false;
	if (r->has_facts)
		return r->facts.reclaim == RECLAIM_ARCHIVE || r->facts.reclaim == RECLAIM_RECYCLE;
	return v &&
	       (streq(v->reclaim, "Archive") || (streq(v->reclaim, "Recycle") && !o->deleting));
}

static uint64_t waits_since(const struct release *r)
{
	return clock_now() - r->since;
}

uint64_t release_held(const struct release *r, struct err *ret)
{
	struct mounted_result res;

	err_clear(ret);
	if (!gives_place_away(r))
		return 0;
	mounted_look(r->p->mounted, r->pv, waits_since(r), &res);
	switch (res.answer) {
	case MOUNTED_NOWHERE:
		return 0;
	case MOUNTED_UNKNOWN:
		if (waits_since(r) > PATIENCE)
			err_set(ret, EBUSY, "waits: %s", res.text);
		return LOOK_SOON;
	case MOUNTED_RECENT:
		return MOUNTED_LAG - waits_since(r) % MOUNTED_LAG;
	case MOUNTED_THERE:
		err_set(ret, EBUSY, "waits: %s", res.text);
		break;
	}
	return MOUNTED_LOOK;
}

void release_tell_held(struct release *r, const struct err *e)
{
	const struct object *o = informer_get(r->p->volumes, "", r->pv);
	uint64_t text = map_hash(e->text, strlen(e->text));
	char uid[UUID_TEXT_MAX];

	if (!e->code || r->told == text || !o)
		return;
	r->told = text;
	log_info("volume %s: %s", r->pv, e->text);
	provisioner_event(r->p,
		&(struct provisioner_object){
			"PersistentVolume", "", r->pv, uuid_format(&o->uid, uid)},
		false, "VolumeStillMounted", "reclaim %s", e->text);
}

void release_tell_trash(struct release *r)
{
	const struct provisioner_object o = release_object(r);
	struct mounted_result res;

	if (r->goal != GOAL_RECLAIM || r->facts.reclaim != RECLAIM_DELETE)
		return;
	mounted_look(r->p->mounted, r->pv, MOUNTED_LAG, &res);
	if (res.answer != MOUNTED_THERE)
		return;
	log_info("volume %s: in the trash, not purged yet: %s", r->pv, res.text);
	provisioner_event(r->p, &o, false, "VolumeStillMounted",
		"the data lies in the trash and is not purged yet: %s; at most 24 h", res.text);
}
