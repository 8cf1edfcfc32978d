/* SPDX-License-Identifier: Apache-2.0 */
/* registration.h: the kubelet's plugin registration service of one driver on a listening unix
 * socket */
#ifndef BERTH_CSI_REGISTRATION_H
#define BERTH_CSI_REGISTRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "event/loop.h"

/*
 * pluginregistration.Registration (contracts.md 1.2): type CSIPlugin, versions ["1.0.0"].
 * Both functions run from the loop after the answer was queued, so that what they do does not delay
 * it. csi_registration_free() is legal in them but may cut that answer off: arm a timer instead.
 */
struct csi_registration;
struct csi_registration_events {
	/* GetInfo was answered: the kubelet has seen the socket (trap 3). */
	void (*asked)(struct csi_registration *g, void *userdata);
	/*
	 * NotifyRegistrationStatus. registered false: error has the kubelet's words (escaped, cut
	 * at ERR_TEXT_MAX), and the kubelet will never try again by itself (trap 1): publish a new
	 * socket.
	 */
	void (*notified)(
		struct csi_registration *g, bool registered, const char *error, void *userdata);
};

struct csi_registration_options {
	int fd; /* as rpc_server_options.fd: consumed, on failure too */
	const uid_t *uids;
	size_t n_uids;
	const char *name;     /* the driver's */
	const char *endpoint; /* absolute path of the CSI socket as the host's kubelet sees it */
};
int csi_registration_new(struct csi_registration **ret, struct loop *l,
	const struct csi_registration_options *o, const struct csi_registration_events *events,
	void *userdata, struct err *e);
struct csi_registration *csi_registration_free(struct csi_registration *g);
DEFINE_CLEANUP(struct csi_registration *, csi_registration_free)

#endif
