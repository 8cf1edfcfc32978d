/* SPDX-License-Identifier: Apache-2.0 */
/* node.c: Node, CSINode and Lease from JSON */
#include "kube/class.h"
#include "kube/pack.h"

#define OUT_OF_SERVICE "node.kubernetes.io/out-of-service"

/* ---- Node ---- */

static const struct pack_layout node_layout = {sizeof(struct node), NULL, 0};

static bool out_of_service(const json_t *item)
{
	size_t i;
	json_t *taint;

	json_array_foreach ((json_t *)json_at(item, "spec", "taints", NULL), i, taint)
		if (streq_null(json_string_at(taint, "key", NULL), OUT_OF_SERVICE))
			return true;
	return false;
}

static int node_decode(struct strpool *pool, const json_t *item, struct object **ret)
{
	struct meta m;
	int r = pack_meta(item, &m);

	if (r >= 0)
		r = pack_new(pool, &node_layout, &m, NULL, ret);
	if (r >= 0)
		((struct node *)*ret)->out_of_service = out_of_service(item);
	return r;
}

static void node_free(struct strpool *pool, struct object *o)
{
	pack_free(pool, &node_layout, o);
}

const struct kind kind_node = {
	.name = "Node",
	.api = "v1",
	.list_path = "/api/v1/nodes",
	.decode = node_decode,
	.free = node_free,
};

/* ---- CSINode ---- */

static const struct pack_layout csinode_layout = {sizeof(struct csinode), NULL, 0};

static int csinode_decode(struct strpool *pool, const json_t *item, struct object **ret)
{
	struct csinode *n;
	struct meta m;
	size_t i;
	json_t *driver;
	int r = pack_meta(item, &m);

	if (r >= 0)
		r = pack_new(pool, &csinode_layout, &m, NULL, ret);
	if (r < 0)
		return r;
	n = (struct csinode *)*ret;
	json_array_foreach ((json_t *)json_at(item, "spec", "drivers", NULL), i, driver) {
		const char *name = json_string_at(driver, "name", NULL);

		n->nfs |= streq_null(name, "nfs.berth.dev");
		n->hostpath |= streq_null(name, "hostpath.berth.dev");
	}
	return 0;
}

static void csinode_free(struct strpool *pool, struct object *o)
{
	pack_free(pool, &csinode_layout, o);
}

const struct kind kind_csinode = {
	.name = "CSINode",
	.api = "storage.k8s.io/v1",
	.list_path = "/apis/storage.k8s.io/v1/csinodes",
	.decode = csinode_decode,
	.free = csinode_free,
};

/* ---- Lease ---- */

struct raw_lease {
	const char *holder;
	const json_t *duration;
};

static const struct decode_field lease_fields[] = {
	PACK_TEXT("holderIdentity", struct raw_lease, holder),
	{"leaseDurationSeconds", DECODE_JSON, offsetof(struct raw_lease, duration), 0, NULL, NULL},
};
static const struct decode_table lease_table = DECODE_TABLE(lease_fields, false);

static const struct pack_field lease_texts[] = {
	{offsetof(struct raw_lease, holder), offsetof(struct leaseobj, holder), true},
};
static const struct pack_layout lease_layout = {
	sizeof(struct leaseobj), lease_texts, ELEMENTSOF(lease_texts)};

static int lease_decode(struct strpool *pool, const json_t *item, struct object **ret)
{
	struct raw_lease raw = {.holder = NULL};
	struct meta m;
	int r = pack_meta(item, &m);

	if (r < 0)
		return r;
	pack_decode(&lease_table, json_object_get(item, "spec"), &raw);
	r = pack_new(pool, &lease_layout, &m, &raw, ret);
	if (r >= 0)
		((struct leaseobj *)*ret)->duration = json_integer_value(raw.duration);
	return r;
}

static void lease_free_object(struct strpool *pool, struct object *o)
{
	pack_free(pool, &lease_layout, o);
}

const struct kind kind_lease = {
	.name = "Lease",
	.api = "coordination.k8s.io/v1",
	.list_path = "/apis/coordination.k8s.io/v1/leases",
	.decode = lease_decode,
	.free = lease_free_object,
};
