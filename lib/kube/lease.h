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
	/* One holder alone, for whom it says that he lives: nothing is led, and the log says so. */
	bool heartbeat;
};

struct lease;
struct lease_callbacks {
	void (*acquired)(struct lease *l, void *userdata);
	/* Renewal failed for too long: all work must have stopped when this returns. */
	void (*lost)(struct lease *l, void *userdata);
	/* The end of lease_release(). */
	void (*released)(struct lease *l, void *userdata);
};
/* All borrowed; config must outlive the lease, the rest is copied. */
struct lease_setup {
	const struct kube_config *config;
	const struct lease_options *options;
	const struct lease_callbacks *callbacks;
	void *userdata;
	/* Outlives the lease; NULL: a client (connection) of its own, which no other request holds
	 * up. */
	struct kube_client *client;
};
/* Starts at once; the first callback runs later. */
int lease_start(struct lease **ret, struct loop *l, const struct lease_setup *setup, struct err *e);
/* The same with its parts named one by one. */
#define lease_new(ret, l, config, options, callbacks, userdata, e) \
	lease_start((ret), (l),                                    \
		&(struct lease_setup){(config), (options), (callbacks), (userdata), NULL}, (e))
/* Legal in any callback. Does not release: others wait for the lease to run out. */
struct lease *lease_free(struct lease *l);
DEFINE_CLEANUP(struct lease *, lease_free)

/* True while we may act: held and last renewed less than renew_deadline ago on the boot clock. Ask
 * before every destructive step. */
bool lease_valid(const struct lease *l);
/* Gives it up so that another may take it at once: all work must have stopped. Ends in released(),
 * also where the server could not be told. */
void lease_release(struct lease *l);
uint64_t lease_renewed_at(const struct lease *l); /* clock_now(), 0 if never */

#endif
