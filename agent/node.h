/* SPDX-License-Identifier: Apache-2.0 */
/* node.h: the CSI Node service of our drivers: publish, unpublish, statistics */
#ifndef BERTH_AGENT_NODE_H
#define BERTH_AGENT_NODE_H

#include "agent/config.h"
#include "agent/fsgroup.h"
#include "agent/mounter.h"
#include "agent/mounts.h"
#include "agent/publications.h"
#include "csi/service.h"

/*
 * Codes of contracts.md 2.3. A final code is answered only where nothing is left of the publish;
 * what may be half done ends with Unavailable, DeadlineExceeded or Aborted, and the kubelet comes
 * again.
 *
 * One operation a target, and a publish only while nothing else runs on its volume: Aborted at
 * once, never a queue behind a hung mount. Unpublishes of one volume at several targets run beside
 * each other, as the kubelet sends them.
 */
enum node_kind { NODE_NFS, NODE_HOSTPATH, _NODE_KIND_MAX };

struct node_options {
	struct loop *loop;
	const struct agent_config *config; /* borrowed */
	struct mounter *mounter;
	struct publications *publications;
	struct fsgroup *fsgroup; /* NULL: fsGroup on NFS is Unavailable */
	const char *kubelet_root;
	/* What is known of a mounted volume without touching it; may be NULL. */
	void (*condition)(const char *target, struct mounts_condition *ret, void *userdata);
	/* A statfs of what is mounted at target ended with code (health.h); may be NULL. */
	void (*called)(const char *target, int code, void *userdata);
	/* After every publish ("publish") and unpublish ("unpublish"), whatever its end, before the
	 * answer; may be NULL. p is what was asked for (an unpublish has only target and volume).
	 */
	void (*ended)(const char *what, const struct publication *p, const struct rpc_status *end,
		void *userdata);
	/* Of each call to one of our drivers, answered: for metrics. May be NULL. */
	void (*observed)(enum node_kind kind, const char *path, enum rpc_code code, uint64_t ns,
		void *userdata);
	void *userdata;
};

struct node;
int node_new(struct node **ret, const struct node_options *o, struct err *e);
/* After mounter and fsgroup, whose callbacks it waits for. Running calls are answered with
 * Unavailable. */
struct node *node_free(struct node *n);
DEFINE_CLEANUP(struct node *, node_free)

/* For csi_service_new(): the functions, and the userdata that they want for a driver. */
extern const struct csi_node node_functions;
void *node_driver(struct node *n, enum node_kind kind);
/* node_options.userdata, from what node_driver() gave. */
void *node_driver_userdata(const void *driver);
/* NodeServiceCapability bits of a driver (DESIGN.md 5, binding.md 4). */
unsigned node_capabilities(enum node_kind kind);

/* What runs, for view.h. */
struct node_operation {
	const char *what; /* publish, unpublish */
	const char *volume, *target;
	uint64_t started; /* clock_real() */
};
void node_operations(const struct node *n,
	void (*fn)(const struct node_operation *o, void *userdata), void *userdata);

#endif
