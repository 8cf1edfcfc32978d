/* SPDX-License-Identifier: Apache-2.0 */
/* nodewatch.c: one Node, one CSINode, and whether each driver stands in both */
#include "agent/nodewatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "kube/class.h"
#include "kube/informer.h"

/* The kubelet tells us first and writes the Node and the CSINode after (contracts.md 1.4). */
#define GRACE SECONDS(30)
#define TOPOLOGY "topology.berth.dev/"
#define PATH_BYTES 1000
#define VALUE_MAX 64 /* a label's value has at most 63 bytes */

struct driver {
	char *name, *label, *value;
	bool had;     /* it was there, and no loss was told since */
	bool claimed; /* the kubelet says it is registered */
};

struct nodewatch {
	struct nodewatch_callbacks cb;
	void *userdata;
	struct strpool *pool;
	struct kind node_kind, csinode_kind;
	char node_path[PATH_BYTES], csinode_path[PATH_BYTES];
	struct informer *node, *csinode;
	struct timer *grace;
	char *name;
	char uid[UUID_TEXT_MAX];
	struct driver drivers[NODEWATCH_DRIVERS_MAX];
	unsigned n_drivers;
};

static const struct node *our_node(const struct nodewatch *w)
{
	const struct object *o = informer_get(w->node, "", w->name);

	return o ? node_of(o) : NULL;
}

static const struct csinode *our_csinode(const struct nodewatch *w)
{
	const struct object *o = informer_get(w->csinode, "", w->name);

	return o ? csinode_of(o) : NULL;
}

static bool has_label(const struct node *n, const struct driver *d)
{
	char value[VALUE_MAX];

	if (!d->label)
		return true;
	return node_topology(
		       n, str_or(str_after(d->label, TOPOLOGY), d->label), value, sizeof(value)) &&
	       (!d->value || streq(value, d->value));
}

/* What is missing, NULL for nothing; a Node that is not there is nobody's to register at. */
static const char *missing(const struct nodewatch *w, const struct driver *d)
{
	const struct node *n = our_node(w);
	const struct csinode *c = our_csinode(w);

	if (!n)
		return NULL;
	if (!c)
		return "the node has no CSINode";
	if (!csinode_has(c, d->name))
		return "its entry is missing in the CSINode";
	return has_label(n, d) ? NULL : "its topology label is missing on the Node";
}

bool nodewatch_synced(const struct nodewatch *w)
{
	return informer_synced(w->node) && informer_synced(w->csinode);
}

bool nodewatch_has(const struct nodewatch *w, unsigned driver)
{
	return driver < w->n_drivers && our_node(w) && !missing(w, &w->drivers[driver]);
}

const char *nodewatch_uid(const struct nodewatch *w)
{
	return w->uid;
}

static void lose(struct nodewatch *w, unsigned i, const char *why)
{
	struct driver *d = &w->drivers[i];

	d->had = false;
	d->claimed = false;
	log_info("driver %s: %s: it is to be registered again", d->name, why);
	w->cb.lost(w, i, why, w->userdata);
}

static void check(struct nodewatch *w, bool graceless)
{
	if (!nodewatch_synced(w))
		return;
	for (unsigned i = 0; i < w->n_drivers; i++) {
		struct driver *d = &w->drivers[i];
		const char *why = missing(w, d);

		if (why && (d->had || (d->claimed && graceless)))
			lose(w, i, why);
		else if (why && d->claimed)
			timer_arm(w->grace, GRACE);
		else if (nodewatch_has(w, i))
			d->had = true;
	}
}

static void look(struct nodewatch *w)
{
	const struct node *n = our_node(w);

	*w->uid = '\0';
	if (n)
		uuid_format(&n->o.uid, w->uid);
	check(w, false);
	if (w->cb.changed)
		w->cb.changed(w, w->userdata);
}

static void on_changed(
	struct informer *i, const struct object *old, const struct object *now, void *userdata)
{
	struct nodewatch *w = userdata;

	(void)i;
	(void)old;
	(void)now;
	/* The first object may come while the other informer is being made. */
	if (w->node && w->csinode)
		look(w);
}

static void on_synced(struct informer *i, void *userdata)
{
	(void)i;
	on_changed(NULL, NULL, NULL, userdata);
}

static void on_grace(struct timer *t, void *userdata)
{
	(void)t;
	check(userdata, true);
}

void nodewatch_registered(struct nodewatch *w, unsigned driver)
{
	if (driver >= w->n_drivers)
		return;
	w->drivers[driver].claimed = true;
	check(w, false);
}

/* ---- frame ------------------------------------------------------------------------------- */

static int copy_drivers(struct nodewatch *w, const struct nodewatch_setup *s)
{
	if (s->n_drivers > NODEWATCH_DRIVERS_MAX)
		return -E2BIG;
	w->n_drivers = s->n_drivers;
	for (unsigned i = 0; i < s->n_drivers; i++) {
		int r = str_replace(&w->drivers[i].name, s->drivers[i].name);

		if (r >= 0)
			r = str_replace(&w->drivers[i].label, s->drivers[i].label);
		if (r >= 0)
			r = str_replace(&w->drivers[i].value, s->drivers[i].value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_kind(struct kind *ret, const struct kind *of, const char *name, char *path)
{
	char escaped[800];
	int r = kube_escape(escaped, sizeof(escaped), name);

	if (r >= 0)
		r = str_format(path, PATH_BYTES, "%s?fieldSelector=metadata.name%%3D%s",
			of->list_path, escaped);
	*ret = *of;
	ret->list_path = path;
	return r;
}

static int start(struct nodewatch *w, const struct nodewatch_setup *s)
{
	static const struct informer_callbacks callbacks = {
		.changed = on_changed, .synced = on_synced};
	int r = copy_drivers(w, s);

	if (r >= 0)
		r = str_replace(&w->name, s->node);
	if (r >= 0)
		r = make_kind(&w->node_kind, &kind_node, s->node, w->node_path);
	if (r >= 0)
		r = make_kind(&w->csinode_kind, &kind_csinode, s->node, w->csinode_path);
	if (r >= 0)
		r = strpool_new(&w->pool);
	if (r >= 0)
		r = timer_new_lazy(&w->grace, s->loop, SECONDS(1), on_grace, w);
	if (r >= 0)
		r = informer_new(&w->node, s->client, w->pool, &w->node_kind, &callbacks, w);
	if (r >= 0)
		r = informer_new(&w->csinode, s->client, w->pool, &w->csinode_kind, &callbacks, w);
	return r;
}

int nodewatch_new(struct nodewatch **ret, const struct nodewatch_setup *s)
{
	_cleanup_(nodewatch_freep) struct nodewatch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->cb = *s->callbacks;
	w->userdata = s->userdata;
	r = start(w, s);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(w);
	return 0;
}

struct nodewatch *nodewatch_free(struct nodewatch *w)
{
	if (!w)
		return NULL;
	informer_free(w->node);
	informer_free(w->csinode);
	if (w->pool)
		strpool_free(w->pool);
	timer_free(w->grace);
	for (unsigned i = 0; i < w->n_drivers; i++) {
		free(w->drivers[i].name);
		free(w->drivers[i].label);
		free(w->drivers[i].value);
	}
	free(w->name);
	free(w);
	return NULL;
}
