/* SPDX-License-Identifier: Apache-2.0 */
/* mounted.h: whether a volume may be mounted on some node, by what the agents report (binding.md 3)
 */
#ifndef BERTH_PROVISIONER_MOUNTED_H
#define BERTH_PROVISIONER_MOUNTED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/clock.h"

struct provisioner;

/*
 * A node has a volume mounted where its BerthNode names it, or names not all that it has. A fresh
 * Lease vouches for the report. With a stale one the last report still counts, until the node's end
 * is certain: its Node object is gone, has another UID, or the taint out-of-service.
 * A BerthNode that somebody deleted counts as it was for a minute: an agent that lives writes it
 * again at once, and for a node that is known to be rid of everything this is the admin's way to
 * say so.
 */
struct mounted_facts {
	bool named;     /* the BerthNode names the volume, or is truncated */
	bool fresh;     /* the agent's Lease changed within its duration, by our clock */
	bool node;      /* the Node is there, ... */
	bool same_node; /* ... with the UID that was reported for, or none was told, ... */
	bool out_of_service;
};
bool mounted_counts(const struct mounted_facts *f);

/* A report may lag behind by the agent's interval and the watch: so long after the end of a claim a
 * volume that no node names may still be mounted. */
#define MOUNTED_LAG SECONDS(10)
/* What waits for a node looks again so often, and a purge waits no longer than that. */
#define MOUNTED_LOOK SECONDS(5)
#define MOUNTED_MAX SECONDS(24ULL * 3600)

enum mounted_answer {
	MOUNTED_NOWHERE, /* also where there are no agents: no BerthNode, or no such kind */
	MOUNTED_UNKNOWN, /* the caches are being filled: ask again */
	MOUNTED_RECENT,  /* within MOUNTED_LAG */
	MOUNTED_THERE    /* on the node in text */
};
struct mounted_result {
	enum mounted_answer answer;
	char text[400]; /* "node n1 has it mounted", or why that is assumed or not known */
};

/* Its caches: BerthNodes always; Leases and Nodes only from the first BerthNode on. */
struct mounted;
int mounted_new(struct mounted **ret, struct provisioner *p);
struct mounted *mounted_free(struct mounted *m);
DEFINE_CLEANUP(struct mounted *, mounted_free)
int mounted_start(struct mounted *m);

/* since_ns: how long ago the volume lost its claim. O(nodes). */
void mounted_look(
	const struct mounted *m, const char *volume, uint64_t since_ns, struct mounted_result *ret);

/* Cached objects by kind, for metrics. */
struct informer;
const struct informer *mounted_informer(const struct mounted *m, unsigned i); /* 0..2, or NULL */

#endif
