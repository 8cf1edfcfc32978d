/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.c: indexes over claims and volumes, and the gates that follow from them */
#include "provisioner/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* How many PVs have a claimRef with this namespace and name, by the keyed hash of both: two names
 * with one hash only shut the gate for each other. */
struct name_count {
	uint64_t hash;
	size_t n;
};

/* A claim with a deletionTimestamp, since when we know. */
struct ending {
	struct uuid uid;
	uint64_t since;
};

/* What goes at all goes soon: in a storm of deletions the controllers take finalizers and bindings
 * away at 20 claims a second each. Who is there after this is held by a pod that runs, or by
 * somebody's finalizer, maybe for ever. */
#define ENDING_HANGS SECONDS(30)

static struct map_key claim_key(const void *value)
{
	return (struct map_key){&((const struct pvc *)value)->o.uid, sizeof(struct uuid)};
}

static struct map_key served_key(const void *value)
{
	return (struct map_key){&((const struct pv *)value)->claim_uid, sizeof(struct uuid)};
}

static struct map_key volume_key(const void *value)
{
	return (struct map_key){&((const struct pv *)value)->o.uid, sizeof(struct uuid)};
}

static struct map_key name_key(const void *value)
{
	return (struct map_key){&((const struct name_count *)value)->hash, sizeof(uint64_t)};
}

static struct map_key ending_key(const void *value)
{
	return (struct map_key){&((const struct ending *)value)->uid, sizeof(struct uuid)};
}

void ledger_init(struct ledger *g)
{
	*g = (struct ledger){
		.claims = MAP_NULL(claim_key),
		.served = MAP_NULL(served_key),
		.unsettled = MAP_NULL(volume_key),
		.unclaimed = MAP_NULL(volume_key),
		.names = MAP_NULL(name_key),
		.ending = MAP_NULL(ending_key),
		.hangs_after = ENDING_HANGS,
	};
}

static void names_clear(struct ledger *g)
{
	struct name_count *n;

	MAP_FOREACH (&g->names, n) {
		free(n);
	}
	map_done(&g->names);
	g->names = MAP_NULL(name_key);
}

void ledger_done(struct ledger *g)
{
	struct ending *e;

	MAP_FOREACH (&g->ending, e) {
		free(e);
	}
	map_done(&g->ending);
	names_clear(g);
	map_done(&g->claims);
	map_done(&g->served);
	map_done(&g->unsettled);
	map_done(&g->unclaimed);
}

static uint64_t hash_names(const char *namespace_, const char *name)
{
	/* Two hashes, mixed: a namespace's end cannot pass for a name's beginning. */
	return map_hash(namespace_, strlen(namespace_)) * 31 + map_hash(name, strlen(name));
}

static int names_add(struct ledger *g, const struct pv *v)
{
	uint64_t hash = hash_names(v->claim_namespace, v->claim_name);
	struct name_count *n = map_get(&g->names, &hash, sizeof(hash));

	if (!n) {
		n = calloc(1, sizeof(*n));
		if (!n)
			return -ENOMEM;
		n->hash = hash;
		if (map_add(&g->names, n) < 0) {
			free(n);
			return -ENOMEM;
		}
	}
	n->n++;
	return 0;
}

static void names_drop(struct ledger *g, const struct pv *v)
{
	uint64_t hash = hash_names(v->claim_namespace, v->claim_name);
	struct name_count *n = map_get(&g->names, &hash, sizeof(hash));

	if (!n || --n->n > 0)
		return;
	map_remove(&g->names, &hash, sizeof(hash));
	free(n);
}

static bool has_uid(const struct pv *v)
{
	return (v->flags & PV_HAS_CLAIM) && (v->flags & PV_CLAIM_UID);
}

static void ending_note(struct ledger *g, const struct pvc *old, const struct pvc *now)
{
	struct ending *e;

	if (old && (!now || !now->o.deleting ||
			   memcmp(&old->o.uid, &now->o.uid, sizeof(now->o.uid)) != 0))
		free(map_remove(&g->ending, &old->o.uid, sizeof(old->o.uid)));
	if (!now || !now->o.deleting || map_get(&g->ending, &now->o.uid, sizeof(now->o.uid)))
		return;
	/* Without memory it never counts as one that hangs. */
	e = malloc(sizeof(*e));
	if (!e)
		return;
	*e = (struct ending){now->o.uid, clock_now()};
	if (map_add(&g->ending, e) < 0)
		free(e);
}

/* A claim that is being deleted counts as gone: the controller may have seen its end before us, and
 * while its worker stalls on releases it takes new bindings for lost ones. */
static bool is_unsettled(const struct ledger *g, const struct pv *v)
{
	const struct pvc *c;

	if (!has_uid(v))
		return v->phase == PV_PENDING;
	c = map_get(&g->claims, &v->claim_uid, sizeof(v->claim_uid));
	return v->phase != PV_RELEASED && v->phase != PV_FAILED && (!c || c->o.deleting);
}

static void unsettled_out(struct ledger *g, const struct pv *v)
{
	if (map_remove(&g->unsettled, &v->o.uid, sizeof(v->o.uid)))
		g->progress = clock_now();
}

static int settle(struct ledger *g, const struct pv *v)
{
	void *old;

	if (!is_unsettled(g, v)) {
		unsettled_out(g, v);
		return 0;
	}
	return map_replace(&g->unsettled, (void *)v, &old);
}

int ledger_claim(struct ledger *g, const struct pvc *old, const struct pvc *now)
{
	const struct pvc *any = now ? now : old;
	const struct pv *v;
	void *was;
	int r = 0;

	ending_note(g, old, now);
	if (old)
		map_remove(&g->claims, &old->o.uid, sizeof(old->o.uid));
	if (now)
		r = map_replace(&g->claims, (void *)now, &was);
	if (old && now && memcmp(&old->o.uid, &now->o.uid, sizeof(old->o.uid)) == 0 &&
		old->o.deleting == now->o.deleting)
		return r;
	v = ledger_server_of(g, &any->o.uid);
	if (v && settle(g, v) < 0)
		r = -ENOMEM;
	/* Deleted and made again between two lists: the old uid's volume is news too. */
	v = old && now ? ledger_server_of(g, &old->o.uid) : NULL;
	if (v && settle(g, v) < 0)
		r = -ENOMEM;
	return r;
}

static void volume_out(struct ledger *g, const struct pv *v)
{
	unsettled_out(g, v);
	map_remove(&g->unclaimed, &v->o.uid, sizeof(v->o.uid));
	if ((v->flags & PV_HAS_CLAIM) && g->gates)
		names_drop(g, v);
	if (!has_uid(v))
		return;
	if (map_get(&g->served, &v->claim_uid, sizeof(v->claim_uid)) == v)
		map_remove(&g->served, &v->claim_uid, sizeof(v->claim_uid));
	else if (g->duplicates > 0)
		g->duplicates--;
}

static int volume_in(struct ledger *g, const struct pv *v)
{
	void *old;
	int r = 0;

	if (has_uid(v)) {
		r = map_add(&g->served, (void *)v);
		if (r == -EEXIST) {
			g->duplicates++;
			r = 0;
		}
	}
	if (!(v->flags & PV_HAS_CLAIM) && map_replace(&g->unclaimed, (void *)v, &old) < 0)
		r = -ENOMEM;
	if ((v->flags & PV_HAS_CLAIM) && g->gates && names_add(g, v) < 0)
		r = -ENOMEM;
	if (settle(g, v) < 0)
		r = -ENOMEM;
	return r;
}

int ledger_volume(struct ledger *g, const struct pv *old, const struct pv *now)
{
	int r = 0;

	if (old)
		volume_out(g, old);
	if (now)
		r = volume_in(g, now);
	/* A gate that may have missed a volume stays shut until all were counted anew. */
	if (r < 0)
		g->gates = false;
	return r;
}

int ledger_count_names(struct ledger *g, const struct pv *(*next)(void *userdata), void *userdata)
{
	const struct pv *v;

	g->gates = false;
	names_clear(g);
	while ((v = next(userdata)) != NULL) {
		void *old;

		if ((v->flags & PV_HAS_CLAIM) && names_add(g, v) < 0)
			return -ENOMEM;
		if (!(v->flags & PV_HAS_CLAIM) && map_replace(&g->unclaimed, (void *)v, &old) < 0)
			return -ENOMEM;
		if (has_uid(v) && map_add(&g->served, (void *)v) == -ENOMEM)
			return -ENOMEM;
		if (settle(g, v) < 0)
			return -ENOMEM;
	}
	g->gates = true;
	return 0;
}

const struct pvc *ledger_find_claim(const struct ledger *g, const struct uuid *uid)
{
	return map_get(&g->claims, uid, sizeof(*uid));
}

const struct pv *ledger_server_of(const struct ledger *g, const struct uuid *claim_uid)
{
	return map_get(&g->served, claim_uid, sizeof(*claim_uid));
}

/* FindMatchingVolume (ph.go:186-327) without what only opens more: phase and node affinity. */
static bool could_match(const struct pv *v, const struct pvc *c)
{
	return !v->o.deleting && streq(v->class, c->class) && v->capacity >= c->request &&
	       (v->access_modes & c->access_modes) == c->access_modes &&
	       !(v->flags & PV_BLOCK) == !(c->flags & PVC_BLOCK);
}

static bool hangs(const struct ledger *g, const struct pv *v, uint64_t now)
{
	const struct ending *e;

	if (!has_uid(v) || !map_get(&g->claims, &v->claim_uid, sizeof(v->claim_uid)))
		return false;
	e = map_get(&g->ending, &v->claim_uid, sizeof(v->claim_uid));
	return e && now - e->since >= g->hangs_after;
}

bool ledger_gate_busy(const struct ledger *g)
{
	uint64_t now = clock_now();
	const struct pv *v;

	if (!g->gates)
		return false;
	MAP_FOREACH (&g->unsettled, v) {
		if (!hangs(g, v, now))
			return false;
	}
	return true;
}

bool ledger_gate_foreign(const struct ledger *g, const struct pvc *c, const struct pv *own)
{
	uint64_t hash = hash_names(c->o.namespace_, c->o.name);
	const struct name_count *n = map_get(&g->names, &hash, sizeof(hash));
	const struct pv *v;

	if (!g->gates)
		return false;
	if (n && n->n > (own ? 1U : 0U))
		return false;
	if (g->unclaimed.size > LEDGER_UNCLAIMED_MAX)
		return false;
	MAP_FOREACH (&g->unclaimed, v) {
		if (could_match(v, c))
			return false;
	}
	return true;
}
