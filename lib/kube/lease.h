/* SPDX-License-Identifier: Apache-2.0 */
/* lease.h: leader election by a Lease, client-go's algorithm (contracts.md 5.10), on a connection
 * of its own */
#ifndef BERTH_KUBE_LEASE_H
#define BERTH_KUBE_LEASE_H

#include "kube/client.h"

struct lease_options {
	const char *namespace_, *name, *identity;
	uint64_t duration_ns;       /* 15 s */
	uint64_t renew_deadline_ns; /* 10 s */
	uint64_t retry_ns;          /* 2 s */
};

struct lease;
struct lease_callbacks {
	void (*acquired)(struct lease *l, void *userdata);
	/* Renewal failed for too long: all work must have stopped when this returns. */
	void (*lost)(struct lease *l, void *userdata);
	/* The end of lease_release(). */
	void (*released)(struct lease *l, void *userdata);
};
/* Makes a client (connection) of its own from c. Starts at once. */
int lease_new(struct lease **ret, struct loop *l, const struct kube_config *c,
	const struct lease_options *o, const struct lease_callbacks *cb, void *userdata,
	struct err *e);
struct lease *lease_free(struct lease *l);
DEFINE_CLEANUP(struct lease *, lease_free)

/* True while we may act: held and last renewed less than renew_deadline ago on the boot clock. Ask
 * before every destructive step. */
bool lease_valid(const struct lease *l);
void lease_release(struct lease *l);
uint64_t lease_renewed_at(const struct lease *l); /* clock_now(), 0 if never */

#endif
