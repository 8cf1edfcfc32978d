/* SPDX-License-Identifier: Apache-2.0 */
/* nodewatch.h: our own Node and CSINode: whether the kubelet's registration of us still stands
 * there
 */
#ifndef BERTH_AGENT_NODEWATCH_H
#define BERTH_AGENT_NODEWATCH_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "kube/client.h"

/*
 * The kubelet writes the Node's topology label and the CSINode entry only at registration
 * (contracts.md 1.4, binding.md 4): a Node that was deleted and joined again has neither. Each is
 * watched alone (fieldSelector metadata.name), for which RBAC by resourceNames is enough.
 */
#define NODEWATCH_DRIVERS_MAX 4

struct nodewatch_driver {
	const char *name;  /* "nfs.berth.dev" */
	const char *label; /* "topology.berth.dev/nfs", or NULL: no label to look for */
	const char *value; /* the label's, or NULL: any */
};

struct nodewatch;
struct nodewatch_callbacks {
	/*
	 * The driver (index as in setup) should be registered again: its CSINode entry or label was
	 * there and is gone, or is missing though nodewatch_registered() was told. why is a
	 * literal. Told once for each loss; the caller paces its attempts.
	 */
	void (*lost)(struct nodewatch *w, unsigned driver, const char *why, void *userdata);
	/* Anything about the Node or the CSINode changed, the first sight included. May be NULL. */
	void (*changed)(struct nodewatch *w, void *userdata);
};
struct nodewatch_setup {
	struct loop *loop;
	struct kube_client *client;
	const char *node; /* all texts copied */
	const struct nodewatch_driver *drivers;
	unsigned n_drivers; /* at most NODEWATCH_DRIVERS_MAX */
	const struct nodewatch_callbacks *callbacks;
	void *userdata;
};
int nodewatch_new(struct nodewatch **ret, const struct nodewatch_setup *s);
struct nodewatch *nodewatch_free(struct nodewatch *w);
DEFINE_CLEANUP(struct nodewatch *, nodewatch_free)

/* The Node's UID, "" while it is not known or not there. */
const char *nodewatch_uid(const struct nodewatch *w);
/* The API server has told of both objects (perhaps that they are not there). */
bool nodewatch_synced(const struct nodewatch *w);
/* Entry and label are there now. */
bool nodewatch_has(const struct nodewatch *w, unsigned driver);
/*
 * The kubelet said (NotifyRegistrationStatus) that the driver is registered: what is missing then
 * 30 s later, and after that at each change, is a loss.
 */
void nodewatch_registered(struct nodewatch *w, unsigned driver);

#endif
