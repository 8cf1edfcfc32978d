/* SPDX-License-Identifier: Apache-2.0 */
/* feed.c: brings each change of a claim, volume, class or BerthVolume to the ledger and to who acts
 */
#include "provisioner/feed.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "provisioner/intents.h"
#include "provisioner/mounted.h"
#include "provisioner/names.h"
#include "provisioner/orphans.h"
#include "provisioner/provisioner.h"
#include "provisioner/releases.h"
#include "provisioner/works.h"

/* ---- the ledger -------------------------------------------------------------------------- */

struct walk {
	struct informer *i;
	size_t cursor;
};

static const struct pv *next_volume(void *userdata)
{
	struct walk *w = userdata;

	return (const struct pv *)informer_next(w->i, &w->cursor);
}

/* Where two PVs claim one claim, the ledger's look-ups know one of them: all are looked at. */
static void check_ledger(struct provisioner *p, int r, bool shared)
{
	struct walk walk = {p->volumes, 0};

	if (shared)
		r = ledger_count_names(&p->ledger, next_volume, &walk);
	if (r < 0)
		log_warning("out of memory: binding is left to the controller");
}

/* ---- claims ------------------------------------------------------------------------------ */

/* A claim is gone: what was begun for it, by us or by a process before us, is undone. */
static void claim_gone(struct provisioner *p, const struct pvc *c)
{
	char uid[UUID_TEXT_MAX], name[sizeof(VOLUME_PREFIX) + UUID_TEXT_MAX];
	const struct object *o;

	works_gone(p->works, c);
	snprintf(name, sizeof(name), VOLUME_PREFIX "%s", uuid_format(&c->o.uid, uid));
	o = informer_get(p->intents_seen, "", name);
	if (o)
		releases_consider_intent(p, bvol_of(o));
}

static bool same_uid(const struct object *a, const struct object *b)
{
	return memcmp(&a->uid, &b->uid, sizeof(a->uid)) == 0;
}

static void on_claim(
	struct informer *i, const struct object *old, const struct object *now, void *userdata)
{
	struct provisioner *p = userdata;
	const struct pv *v;
	int r;

	(void)i;
	r = ledger_claim(&p->ledger, old ? pvc_of(old) : NULL, now ? pvc_of(now) : NULL);
	check_ledger(p, r, p->ledger.duplicates > 0 && !(old && now && same_uid(old, now)));
	works_gates_moved(p->works);
	if (old && (!now || !same_uid(old, now)))
		claim_gone(p, pvc_of(old));
	if (!now)
		return;
	works_consider(p->works, pvc_of(now));
	v = ledger_server_of(&p->ledger, &now->uid);
	if (v && *pvc_of(now)->volume_name && !streq(pvc_of(now)->volume_name, v->o.name))
		releases_consider(p, v);
}

/* ---- volumes ----------------------------------------------------------------------------- */

static void consider_claim_of(struct provisioner *p, const struct object *o)
{
	const struct pvc *c = ledger_find_claim(&p->ledger, &pv_of(o)->claim_uid);

	if (c)
		works_consider(p->works, c);
}

static void on_volume(
	struct informer *i, const struct object *old, const struct object *now, void *userdata)
{
	struct provisioner *p = userdata;
	const struct object *intent;
	bool shared = old && p->ledger.duplicates > 0;
	int r;

	(void)i;
	r = ledger_volume(&p->ledger, old ? pv_of(old) : NULL, now ? pv_of(now) : NULL);
	check_ledger(p, r, shared);
	works_gates_moved(p->works);
	if (old && now)
		intents_reclaimed(p, pv_of(old), pv_of(now));
	if (now) {
		releases_consider(p, pv_of(now));
		consider_claim_of(p, now);
		return;
	}
	consider_claim_of(p, old);
	intent = informer_get(p->intents_seen, "", old->name);
	if (intent)
		releases_consider_intent(p, bvol_of(intent));
}

/* ---- classes and intents ----------------------------------------------------------------- */

static void on_class(
	struct informer *i, const struct object *old, const struct object *now, void *userdata)
{
	struct provisioner *p = userdata;
	const char *name = now ? now->name : old->name;

	(void)i;
	classes_forget(&p->classes, name);
	works_class_changed(p->works, name);
}

static void on_intent(
	struct informer *i, const struct object *old, const struct object *now, void *userdata)
{
	struct provisioner *p = userdata;

	(void)i;
	intents_changed(p, old ? bvol_of(old) : NULL, now ? bvol_of(now) : NULL);
}

/* ---- complete ---------------------------------------------------------------------------- */

void feed_begin(struct provisioner *p)
{
	const struct object *o;
	size_t cursor = 0;

	if (!provisioner_active(p))
		return;
	works_consider_all(p->works);
	while ((o = informer_next(p->volumes, &cursor)) != NULL)
		releases_consider(p, pv_of(o));
	intents_consider_all(p);
	orphans_start(p->orphans);
}

static void on_synced(struct informer *i, void *userdata)
{
	struct provisioner *p = userdata;

	if (i == p->intents_seen && provisioner_active(p)) {
		p->intents_gone = 0;
		intents_consider_all(p);
	}
	if (p->synced || !informer_synced(p->claims) || !informer_synced(p->volumes) ||
		!informer_synced(p->classes_seen))
		return;
	p->synced = true;
	log_info("caches are complete: %zu claims, %zu volumes, %zu classes",
		informer_size(p->claims), informer_size(p->volumes),
		informer_size(p->classes_seen));
	feed_begin(p);
}

int feed_start(struct provisioner *p, struct err *e)
{
	static const struct informer_callbacks claims = {on_claim, on_synced},
					       volumes = {on_volume, on_synced},
					       classes = {on_class, on_synced},
					       intents = {on_intent, on_synced};
	int r = informer_new(&p->classes_seen, p->client, p->pool, &kind_class, &classes, p);

	if (r >= 0)
		r = informer_new(&p->volumes, p->client, p->pool, &kind_pv, &volumes, p);
	if (r >= 0)
		r = informer_new(&p->claims, p->client, p->pool, &kind_pvc, &claims, p);
	if (r >= 0)
		r = informer_new(&p->intents_seen, p->client, p->pool, &kind_bvol, &intents, p);
	if (r >= 0)
		r = mounted_start(p->mounted);
	return r < 0 ? err_sys(e, r, "cannot watch") : 0;
}
