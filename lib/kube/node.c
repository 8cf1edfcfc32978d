/* SPDX-License-Identifier: Apache-2.0 */
/* node.c: Node, CSINode and Lease from JSON */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "kube/class.h"
#include "kube/pack.h"

#define OUT_OF_SERVICE "node.kubernetes.io/out-of-service"

#define TOPOLOGY "topology.berth.dev/"
/* Drivers of a node, or its labels of ours: a handful. */
#define LINES_MAX 4096

/* Whether lines has one that begins with so many bytes of text and goes on with end; where after
 * that, or NULL. */
static const char *find_line(const char *lines, const char *text, char end)
{
	size_t n = strlen(text);

	for (const char *at = lines; *at; at = strchr(at, '\n') + 1)
		if (strncmp(at, text, n) == 0 && at[n] == end)
			return at + n + 1;
	return NULL;
}

/* ---- Node ---- */

struct raw_lines {
	const char *text;
};

static const struct pack_field node_texts[] = {
	{offsetof(struct raw_lines, text), offsetof(struct node, topology), false},
};
static const struct pack_layout node_layout = {
	sizeof(struct node), node_texts, ELEMENTSOF(node_texts)};

static bool out_of_service(const json_t *item)
{
	size_t i;
	json_t *taint;

	json_array_foreach ((json_t *)json_at(item, "spec", "taints", NULL), i, taint)
		if (streq_null(json_string_at(taint, "key", NULL), OUT_OF_SERVICE))
			return true;
	return false;
}

/* One line; what has no place in one, or no room, is left out. */
static int add_line(struct buf *b, const char *key, const char *value)
{
	int r;

	if (strpbrk(key, "=\n") || (value && strchr(value, '\n')))
		return 0;
	r = value ? buf_printf(b, "%s=%s\n", key, value) : buf_printf(b, "%s\n", key);
	return r == -ENOBUFS ? 0 : r;
}

static int topology_lines(const json_t *item, struct buf *b)
{
	const char *key;
	json_t *value;
	int r = 0;

	json_object_foreach ((json_t *)json_at(item, "metadata", "labels", NULL), key, value) {
		const char *rest = str_after(key, TOPOLOGY);

		if (rest && json_is_string(value) && r >= 0)
			r = add_line(b, rest, json_string_value(value));
	}
	return r;
}

static int node_decode(struct strpool *pool, const json_t *item, struct object **ret)
{
	_cleanup_buf_ struct buf lines = BUF_NULL(LINES_MAX);
	struct meta m;
	int r = pack_meta(item, &m);

	if (r >= 0)
		r = topology_lines(item, &lines);
	if (r >= 0)
		r = pack_new(pool, &node_layout, &m, &(struct raw_lines){lines.data}, ret);
	if (r >= 0)
		((struct node *)*ret)->out_of_service = out_of_service(item);
	return r;
}

static void node_free(struct strpool *pool, struct object *o)
{
	pack_free(pool, &node_layout, o);
}

bool node_topology(const struct node *n, const char *key, char *dst, size_t size)
{
	const char *value = find_line(n->topology, key, '=');
	size_t len = value ? strcspn(value, "\n") : 0;

	if (!value || len >= size)
		return false;
	memcpy(dst, value, len);
	dst[len] = '\0';
	return true;
}

const struct kind kind_node = {
	.name = "Node",
	.api = "v1",
	.list_path = "/api/v1/nodes",
	.decode = node_decode,
	.free = node_free,
};

/* ---- CSINode ---- */

static const struct pack_field csinode_texts[] = {
	{offsetof(struct raw_lines, text), offsetof(struct csinode, drivers), false},
};
static const struct pack_layout csinode_layout = {
	sizeof(struct csinode), csinode_texts, ELEMENTSOF(csinode_texts)};

static int csinode_decode(struct strpool *pool, const json_t *item, struct object **ret)
{
	_cleanup_buf_ struct buf lines = BUF_NULL(LINES_MAX);
	struct meta m;
	size_t i;
	json_t *driver;
	int r = pack_meta(item, &m);

	json_array_foreach ((json_t *)json_at(item, "spec", "drivers", NULL), i, driver) {
		const char *name = json_string_at(driver, "name", NULL);

		if (name && r >= 0)
			r = add_line(&lines, name, NULL);
	}
	return r < 0 ? r
		     : pack_new(pool, &csinode_layout, &m, &(struct raw_lines){lines.data}, ret);
}

static void csinode_free(struct strpool *pool, struct object *o)
{
	pack_free(pool, &csinode_layout, o);
}

bool csinode_has(const struct csinode *n, const char *driver)
{
	return find_line(n->drivers, driver, '\n');
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
