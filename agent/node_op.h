/* SPDX-License-Identifier: Apache-2.0 */
/* node_op.h: one running publish or unpublish, and what node.c, node_publish.c and node_stats.c
 * share */
#ifndef BERTH_AGENT_NODE_OP_H
#define BERTH_AGENT_NODE_OP_H

#include "agent/node.h"
#include "agent/usage.h"
#include "base/list.h"
#include "volume/attributes.h"

struct node_driver {
	struct node *node;
	enum node_kind kind;
};

struct node {
	struct node_options o;
	char *kubelet_root;
	struct node_driver drivers[_NODE_KIND_MAX];
	struct list ops;
	struct usage *usage;
};

struct node_op {
	struct list link;
	struct node *node;
	const struct node_driver *driver;
	struct csi_call *call;
	const char *what;            /* publish, unpublish */
	const char *volume, *target; /* the request's */
	uint64_t started;            /* clock_real() */

	/* publish */
	const struct csi_publish *request;
	struct volume_attributes attributes;
	const struct agent_pool *pool;
	char *options; /* mount flags joined by commas */
	char *source;  /* for people */
	bool readonly;
};

/* NULL: no memory. */
struct node_op *node_op_new(const struct node_driver *d, struct csi_call *call, const char *what,
	const char *volume, const char *target);
/* Which running operation forbids this one: on the same target, and for a publish on its volume. */
const struct node_op *node_busy(
	const struct node *n, bool is_publish, const char *volume, const char *target);
/* Answers and frees. */
void node_op_end(struct node_op *op, enum rpc_code code, const char *fmt, ...) _printf_(3, 4);

/* The code for what a mount or unmount came to (mounter.h). */
enum rpc_code node_code(const struct err *e);

void node_publish(struct csi_call *c, const struct csi_publish *r, void *userdata);
void node_stats(struct csi_call *c, const struct csi_stats_request *r, void *userdata);

#endif
