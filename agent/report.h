/* SPDX-License-Identifier: Apache-2.0 */
/* report.h: keeps the node's BerthNode in the API server as the node is */
#ifndef BERTH_AGENT_REPORT_H
#define BERTH_AGENT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "kube/bnode.h"
#include "kube/client.h"

/*
 * The BerthNode is made on start, owned by the Node (so that a node that leaves leaves nothing; not
 * blocking its deletion), and its status is written only where it differs from what stands there,
 * at most every 5 s. Without an API server the agent works on: writes are tried again with a
 * back-off of 1 s to 60 s and one line in the log. Deleted or changed by others, it is written
 * again.
 */
#define REPORT_INTERVAL SECONDS(5)

struct report;
struct report_ops {
	/*
	 * What the node is like now, all of it, for others conclude from what is missing. The texts
	 * that ret borrows must live until control returns to the loop; conditions are the report's
	 * own (report_condition). Negative: not known now, ask again later; nothing is written.
	 */
	int (*fill)(struct bnode_status *ret, void *userdata);
	/* The report is late (true: not written for HEARTBEAT_LAG since something changed), or no
	 * longer. May be NULL. */
	void (*late)(bool late, void *userdata);
};
struct report_setup {
	struct loop *loop;
	struct kube_client *client;
	const char *node;     /* copied */
	uint64_t interval_ns; /* 0 = REPORT_INTERVAL */
	const struct report_ops *ops;
	void *userdata;
};
/* Writes nothing before report_begin(): when fill can tell. */
int report_new(struct report **ret, const struct report_setup *s);
void report_begin(struct report *r);
struct report *report_free(struct report *r);
DEFINE_CLEANUP(struct report *, report_free)

/* Something may have changed: looks and writes, at once where the last write is long ago enough. */
void report_changed(struct report *r);
/* The Node's UID as text, "" for none: owner and status.nodeUID. */
void report_set_node(struct report *r, const char *uid);
/*
 * One of at most 16 conditions, kept until it is set anew. type, reason: CamelCase literals;
 * message is copied and cut at 512 bytes. lastTransitionTime moves only with status, also across
 * restarts of the agent. Calls report_changed().
 */
void report_condition(struct report *r, const char *type, bool holds, const char *reason,
	const char *fmt, ...) _printf_(5, 6);

struct report_count {
	uint64_t writes, failures;
	uint64_t written_at; /* clock_now(), 0 if never */
	bool late;
};
struct report_count report_count(const struct report *r);

#endif
