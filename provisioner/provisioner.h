/* SPDX-License-Identifier: Apache-2.0 */
/* provisioner.h: the daemon: one struct that owns everything, in one loop */
#ifndef BERTH_PROVISIONER_PROVISIONER_H
#define BERTH_PROVISIONER_PROVISIONER_H

#include "http/server.h"
#include "kube/client.h"
#include "kube/event.h"
#include "kube/informer.h"
#include "kube/lease.h"
#include "provisioner/classes.h"
#include "provisioner/config.h"
#include "provisioner/delay.h"
#include "provisioner/ledger.h"
#include "provisioner/queue.h"
#include "provisioner/stats.h"
#include "volume/backend.h"

struct jobs;
struct mounted;
struct orphans;
struct works;

/*
 * Caches feed the ledger and then works (claims to serve), releases (volumes to reclaim),
 * intents (BerthVolumes to keep) and adoptions (orders of admins). Those act only while leading,
 * and stop where they stand when the lease is lost: every step can be taken up again from what the
 * API server and the storage show.
 */
struct provisioner {
	struct loop *loop;
	const char *config_path; /* borrowed from the command line */
	struct config *config;
	struct kube_config kube;
	struct kube_client *client;
	struct kube_events *events;
	struct strpool *pool;
	struct informer *claims, *volumes, *classes_seen, *intents_seen;
	struct volume_backend *nfs;
	struct delays *delays;
	struct lease *lease; /* NULL without leader election */
	struct http_server *http;
	struct stats *stats;
	struct sig *signals[2];
	struct reload *reload;
	struct timer *grace; /* how long a graceful end may take */
	struct classes classes;
	struct ledger ledger;
	struct works *works;
	struct jobs *releases, *intents, *adoptions, *exports;
	struct orphans *orphans;
	struct mounted *mounted;
	char identity[128];    /* csiProvisionerIdentity, and who holds the Lease */
	uint64_t intents_gone; /* clock_now() when the API server last had no BerthVolumes; 0: it
				  has */
	bool synced, leading, stopping;
	uint64_t stopping_since;
};

int provisioner_new(
	struct provisioner **ret, const char *config_path, const char *kubeconfig, struct err *e);
/* Until a signal or the loss of the lease; the exit code of the process. */
int provisioner_run(struct provisioner *p);
struct provisioner *provisioner_free(struct provisioner *p);
DEFINE_CLEANUP(struct provisioner *, provisioner_free)

/* Whether work may be begun: leading, all caches complete, not ending. */
bool provisioner_active(const struct provisioner *p);
/* To be asked before every destructive step: the lease was renewed in time. */
bool provisioner_may_act(const struct provisioner *p);
/* Something that a graceful end waits for may have ended. */
void provisioner_settled(struct provisioner *p);

/* Events about a claim and a volume; uid as text. */
struct provisioner_object {
	const char *kind, *namespace_, *name, *uid;
};
void provisioner_event(struct provisioner *p, const struct provisioner_object *o, bool warning,
	const char *reason, const char *fmt, ...) _printf_(5, 6);

/* The kind is not there (CRD missing or being removed): work goes on without intents for a while.
 */
void provisioner_no_intents(struct provisioner *p);
bool provisioner_has_intents(const struct provisioner *p);

/* Whether a volume may lie there by what config, classes or intents say (reliability.md F4). */
bool provisioner_knows_place(struct provisioner *p, const char *server, const char *export_);

#endif
