/* SPDX-License-Identifier: Apache-2.0 */
/* heartbeat.h: the agent's Lease: while it is fresh, the node's BerthNode is true */
#ifndef BERTH_AGENT_HEARTBEAT_H
#define BERTH_AGENT_HEARTBEAT_H

#include "base/cleanup.h"
#include "event/loop.h"
#include "kube/lease.h"

/*
 * Lease berth-agent-<node> in the agent's namespace, renewed every 10 s, lasting 40 s: the
 * kubelet's own figures. Others conclude from a fresh Lease that what BerthNode.status says is at
 * most HEARTBEAT_LAG old (provisioner/mounted.h), so it is held back while a report cannot be
 * written.
 */
#define HEARTBEAT_LAG SECONDS(15)
#define HEARTBEAT_NAME_MAX 254

struct heartbeat;
struct heartbeat_setup {
	struct loop *loop;
	const struct kube_config *config; /* this and client: borrowed, outlive the heartbeat */
	struct kube_client *client;       /* whose connection is used */
	const char *namespace_, *node;    /* copied */
};
/* Held back at first. -ENOMEM. */
int heartbeat_new(struct heartbeat **ret, const struct heartbeat_setup *s);
struct heartbeat *heartbeat_free(struct heartbeat *h);
DEFINE_CLEANUP(struct heartbeat *, heartbeat_free)

/* "berth-agent-<node>"; a node's name too long for that is cut and gets a hash. Returns dst. */
char *heartbeat_name(const char *node, char dst[static HEARTBEAT_NAME_MAX]);
/* held: stop renewing (the report is late); false: go on. Idempotent. */
void heartbeat_hold(struct heartbeat *h, bool held);

#endif
