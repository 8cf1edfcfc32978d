/* SPDX-License-Identifier: Apache-2.0 */
/* node_world.h: a node with nothing around it, and requests as the kubelet makes them */
#ifndef BERTH_TESTS_NODE_WORLD_H
#define BERTH_TESTS_NODE_WORLD_H

#include "tests/unit/node_mounter.h"

#define ROOT "/var/lib/kubelet"
#define TARGET(n) ROOT "/pods/u" n "/volumes/kubernetes.io~csi/pv/mount"
#define _unused_ __attribute__((unused))

struct node_world {
	struct loop *loop;
	struct agent_config *config;
	struct publications *known;
	struct node *node;
};

static const char config_text[] = "nfs: {allow: [nas, 'one:/only', 'fd00::1']}\n"
				  "agent:\n"
				  "  pools: [{name: fast, path: /srv/fast}]\n";

static int setup(void **state)
{
	static struct node_world w;
	struct err e = ERR_NULL;

	memset(&world, 0, sizeof(world));
	assert_int_equal(loop_new(&w.loop), 0);
	assert_int_equal(
		agent_config_parse(&w.config, "c", config_text, strlen(config_text), &e), 0);
	assert_int_equal(publications_new(&w.known, w.loop, NULL, NULL), 0);
	const struct node_options o = {
		.loop = w.loop,
		.config = w.config,
		.publications = w.known,
		.fsgroup = (struct fsgroup *)&world,
		.kubelet_root = ROOT,
		.condition = condition,
		.ended = on_ended,
	};
	assert_int_equal(node_new(&w.node, &o, NULL), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct node_world *w = *state;

	node_free(w->node);
	publications_free(w->known);
	agent_config_free(w->config);
	loop_free(w->loop);
	return 0;
}

static const struct csi_pair nfs_pairs[] = {
	{"server", "nas"},
	{"export", "/data"},
	{"directory", "team/web"},
	{CSI_POD_NAME, "web-0"},
	{CSI_POD_NAMESPACE, "default"},
	{CSI_POD_UID, "u1"},
};
#define PAIRS_MAX 16

/* A request as the kubelet makes it; tests change single fields. */
struct request {
	struct csi_publish r;
	struct csi_pair pairs[PAIRS_MAX];
};

/* As the decoder leaves them: by key. */
static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct csi_pair *)a)->key, ((const struct csi_pair *)b)->key);
}

static void sort(struct request *q)
{
	q->r.context.pairs = q->pairs;
	qsort(q->pairs, q->r.context.n, sizeof(*q->pairs), by_key);
}

static void request(struct request *q, const char *volume, const char *target)
{
	memset(q, 0, sizeof(*q));
	memcpy(q->pairs, nfs_pairs, sizeof(nfs_pairs));
	q->r = (struct csi_publish){
		.volume_id = volume,
		.target_path = target,
		.staging_path = "",
		.fs_type = "",
		.mode = CSI_MULTI_NODE_MULTI_WRITER,
		.context = {q->pairs, ELEMENTSOF(nfs_pairs)},
	};
	sort(q);
}

static _unused_ void set(struct request *q, const char *key, const char *value)
{
	for (size_t i = 0; i < q->r.context.n; i++) {
		if (!streq(q->pairs[i].key, key))
			continue;
		if (value)
			q->pairs[i].value = value;
		else
			q->pairs[i] = q->pairs[--q->r.context.n];
		sort(q);
		return;
	}
	if (value)
		q->pairs[q->r.context.n++] = (struct csi_pair){key, value};
	sort(q);
}

static _unused_ void publish(struct node_world *w, struct csi_call *c, const struct request *q)
{
	*c = (struct csi_call){.answered = false};
	node_functions.publish(c, &q->r, node_driver(w->node, NODE_NFS));
}

static _unused_ void unpublish(
	struct node_world *w, struct csi_call *c, const char *v, const char *target)
{
	const struct csi_unpublish r = {v, target};

	*c = (struct csi_call){.answered = false};
	node_functions.unpublish(c, &r, node_driver(w->node, NODE_NFS));
}

/* Published, all the way. */
static _unused_ void published(struct node_world *w, const char *volume, const char *target)
{
	struct request q;
	struct csi_call c;

	request(&q, volume, target);
	publish(w, &c, &q);
	end(0);
	assert_int_equal(c.end.code, RPC_OK);
}

#endif
