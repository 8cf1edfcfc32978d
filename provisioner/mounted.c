/* SPDX-License-Identifier: Apache-2.0 */
/* mounted.c: what BerthNodes, Leases and Nodes say together about where a volume is mounted */
#include "provisioner/mounted.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "kube/bnode.h"
#include "kube/class.h"
#include "provisioner/provisioner.h"

/* A Lease that says less or more is taken for that: nobody may vouch for ever. */
#define DURATION_MIN 10
#define DURATION_MAX 600
#define GHOST_FOR SECONDS(60)
#define LEASES_PATH "/apis/coordination.k8s.io/v1/namespaces/%s/leases"

/* When we saw a Lease change last; the server's times say nothing (contracts.md 5.10). */
struct beat {
	uint64_t at; /* clock_now() */
	char name[];
};

/* What a BerthNode said that somebody deleted while its Node stands. */
struct ghost {
	uint64_t until; /* clock_now() */
	struct uuid node_uid;
	const char *volumes; /* behind name */
	bool truncated;
	char name[];
};

struct mounted {
	struct provisioner *p;
	struct informer *bnodes, *leases, *nodes;
	struct kind lease_kind;
	char lease_path[160], lease_namespace[64];
	struct map beats, ghosts;
};

bool mounted_counts(const struct mounted_facts *f)
{
	if (!f->named)
		return false;
	return f->fresh || (f->node && f->same_node && !f->out_of_service);
}

static struct map_key key_of_beat(const void *value)
{
	return map_key_str(((const struct beat *)value)->name);
}

static struct map_key key_of_ghost(const void *value)
{
	return map_key_str(((const struct ghost *)value)->name);
}

/* ---- Leases ------------------------------------------------------------------------------ */

static void on_lease(
	struct informer *i, const struct object *old, const struct object *now, void *userdata)
{
	struct mounted *m = userdata;
	const char *name = now ? now->name : old->name;
	size_t size = strlen(name) + 1;
	struct beat *b = map_gets(&m->beats, name);

	(void)i;
	if (!now) {
		free(map_removes(&m->beats, name));
		return;
	}
	if (!b) {
		b = calloc(1, sizeof(*b) + size);
		if (!b)
			return; /* it counts as stale until it changes again */
		memcpy(b->name, name, size);
		if (map_add(&m->beats, b) < 0) {
			free(b);
			return;
		}
	}
	b->at = clock_now();
}

static bool is_fresh(const struct mounted *m, const struct bnode *b)
{
	const struct object *o =
		m->leases ? informer_get(m->leases, m->lease_namespace, b->lease) : NULL;
	const struct beat *beat = map_gets(&m->beats, b->lease);
	int64_t s = o ? leaseobj_of(o)->duration : 0;

	if (!o || !beat || !*leaseobj_of(o)->holder)
		return false;
	s = s < DURATION_MIN ? DURATION_MIN : s > DURATION_MAX ? DURATION_MAX : s;
	return clock_now() - beat->at < SECONDS((uint64_t)s);
}

/* ---- Nodes ------------------------------------------------------------------------------- */

static void node_facts(const struct mounted *m, const char *name, const struct uuid *uid,
	struct mounted_facts *ret)
{
	static const struct uuid none;
	const struct object *o = m->nodes ? informer_get(m->nodes, "", name) : NULL;

	/* Without memory to watch them, all are there. */
	ret->node = o || !m->nodes;
	ret->same_node = !m->nodes;
	if (!o)
		return;
	ret->same_node =
		memcmp(uid, &none, sizeof(none)) == 0 || memcmp(uid, &o->uid, sizeof(o->uid)) == 0;
	ret->out_of_service = node_of(o)->out_of_service;
}

/* ---- BerthNodes -------------------------------------------------------------------------- */

static void remember(struct mounted *m, const struct bnode *b)
{
	size_t name = strlen(b->o.name) + 1, volumes = strlen(b->volumes) + 1;
	struct ghost *g;
	void *old;

	if (!*b->volumes && !b->truncated)
		return;
	g = calloc(1, sizeof(*g) + name + volumes);
	if (!g)
		return;
	memcpy(g->name, b->o.name, name);
	memcpy(g->name + name, b->volumes, volumes);
	g->volumes = g->name + name;
	g->truncated = b->truncated;
	g->until = clock_now() + GHOST_FOR;
	g->node_uid = b->node_uid;
	if (map_replace(&m->ghosts, g, &old) < 0) {
		free(g);
		return;
	}
	free(old);
	log_warning("BerthNode %s was deleted: what it had mounted counts for another minute",
		b->o.name);
}

/* The collector takes a BerthNode away with its Node, before or after we hear of the Node. */
static void on_node(
	struct informer *i, const struct object *old, const struct object *now, void *userdata)
{
	struct mounted *m = userdata;
	const struct ghost *g = old ? map_gets(&m->ghosts, old->name) : NULL;

	(void)i;
	if (!g || (now && memcmp(&now->uid, &old->uid, sizeof(old->uid)) == 0))
		return;
	free(map_removes(&m->ghosts, old->name));
}

static int start_others(struct mounted *m)
{
	static const struct informer_callbacks leases = {.changed = on_lease},
					       nodes = {.changed = on_node};
	struct provisioner *p = m->p;
	int r = 0;

	if (!m->leases)
		r = informer_new(&m->leases, p->client, p->pool, &m->lease_kind, &leases, m);
	if (r >= 0 && !m->nodes)
		r = informer_new(&m->nodes, p->client, p->pool, &kind_node, &nodes, m);
	if (r < 0)
		log_error("cannot watch Leases and Nodes: %s", strerror(-r));
	return r;
}

static void on_bnode(
	struct informer *i, const struct object *old, const struct object *now, void *userdata)
{
	struct mounted *m = userdata;

	(void)i;
	(void)start_others(m);
	if (now)
		free(map_removes(&m->ghosts, now->name));
	else if (m->nodes && (!informer_synced(m->nodes) || informer_get(m->nodes, "", old->name)))
		remember(m, bnode_of(old));
}

/* ---- the question ------------------------------------------------------------------------ */

/* Whether what is cached is all there is. */
static bool is_known(const struct mounted *m)
{
	struct informer_stats n;

	informer_stats(m->bnodes, &n);
	if (n.missing)
		return true;
	if (!informer_synced(m->bnodes))
		return false;
	if (informer_size(m->bnodes) == 0 && m->ghosts.size == 0)
		return true;
	return m->leases && m->nodes && informer_synced(m->leases) && informer_synced(m->nodes);
}

static bool on_bnode_of(
	const struct mounted *m, const struct bnode *b, const char *volume, char *text, size_t size)
{
	struct mounted_facts f = {.named = b->truncated || bnode_has_volume(b, volume)};

	if (!f.named)
		return false;
	f.fresh = is_fresh(m, b);
	node_facts(m, b->o.name, &b->node_uid, &f);
	if (!mounted_counts(&f))
		return false;
	if (!f.fresh)
		(void)snprintf(text, size,
			"node %s had it mounted when its agent was last heard of (Lease %s is "
			"stale, the Node is there and not out of service)",
			b->o.name, b->lease);
	else if (b->truncated)
		(void)snprintf(text, size,
			"node %s has more volumes mounted than its BerthNode names", b->o.name);
	else
		(void)snprintf(text, size, "node %s has it mounted", b->o.name);
	return true;
}

static bool on_ghost(
	const struct mounted *m, const struct ghost *g, const char *volume, char *text, size_t size)
{
	struct mounted_facts f = {
		.named = clock_now() < g->until &&
			 (g->truncated || bnode_names_volume(g->volumes, volume))};

	if (!f.named)
		return false;
	node_facts(m, g->name, &g->node_uid, &f);
	if (!mounted_counts(&f))
		return false;
	(void)snprintf(
		text, size, "node %s had it mounted when its BerthNode was deleted", g->name);
	return true;
}

static bool find_node(const struct mounted *m, const char *volume, char *text, size_t size)
{
	const struct object *o;
	const struct ghost *g;
	size_t cursor = 0;

	while ((o = informer_next(m->bnodes, &cursor)) != NULL)
		if (on_bnode_of(m, bnode_of(o), volume, text, size))
			return true;
	MAP_FOREACH (&m->ghosts, g)
		if (on_ghost(m, g, volume, text, size))
			return true;
	return false;
}

void mounted_look(
	const struct mounted *m, const char *volume, uint64_t since_ns, struct mounted_result *ret)
{
	*ret = (struct mounted_result){.answer = MOUNTED_NOWHERE};
	if (!is_known(m)) {
		ret->answer = MOUNTED_UNKNOWN;
		(void)snprintf(ret->text, sizeof(ret->text),
			"BerthNodes, Leases or Nodes cannot be read: no node is known to be rid of "
			"it");
	} else if (find_node(m, volume, ret->text, sizeof(ret->text))) {
		ret->answer = MOUNTED_THERE;
	} else if (informer_size(m->bnodes) > 0 && since_ns < MOUNTED_LAG) {
		ret->answer = MOUNTED_RECENT;
	}
}

const struct informer *mounted_informer(const struct mounted *m, unsigned i)
{
	const struct informer *all[] = {m->bnodes, m->leases, m->nodes};

	return i < ELEMENTSOF(all) ? all[i] : NULL;
}

/* ---- frame ------------------------------------------------------------------------------- */

int mounted_start(struct mounted *m)
{
	static const struct informer_callbacks bnodes = {.changed = on_bnode};
	struct provisioner *p = m->p;
	const char *ns = str_or(p->config->lease.namespace_, p->kube.namespace_);
	int r = str_copy(m->lease_namespace, sizeof(m->lease_namespace), ns);

	if (r >= 0)
		r = str_format(m->lease_path, sizeof(m->lease_path), LEASES_PATH, ns);
	m->lease_kind = kind_lease;
	m->lease_kind.list_path = m->lease_path;
	if (r >= 0)
		r = informer_new(&m->bnodes, p->client, p->pool, &kind_bnode, &bnodes, m);
	return r;
}

int mounted_new(struct mounted **ret, struct provisioner *p)
{
	struct mounted *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->p = p;
	m->beats = MAP_NULL(key_of_beat);
	m->ghosts = MAP_NULL(key_of_ghost);
	*ret = m;
	return 0;
}

struct mounted *mounted_free(struct mounted *m)
{
	struct beat *b;
	struct ghost *g;

	if (!m)
		return NULL;
	informer_free(m->bnodes);
	informer_free(m->leases);
	informer_free(m->nodes);
	MAP_FOREACH (&m->beats, b)
		free(b);
	map_done(&m->beats);
	MAP_FOREACH (&m->ghosts, g)
		free(g);
	map_done(&m->ghosts);
	free(m);
	return NULL;
}
