/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h: asks a CSI socket whether its driver is ready, as kubernetes-csi/livenessprobe does */
#ifndef BERTH_CSI_PROBE_H
#define BERTH_CSI_PROBE_H

#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "event/loop.h"

struct csi_probe;
/*
 * Once, from the loop: e->code 0 where the driver is ready, else the reason: the RPC's error, or
 * "driver responded but is not ready" (an absent answer to ready counts as ready).
 */
typedef void (*csi_probe_fn)(struct csi_probe *p, const struct err *e, void *userdata);
/* csi.v1.Identity/Probe on the unix socket at path; livenessprobe's timeout is 3 s. -errno as
 * rpc_client_call(). */
int csi_probe_new(struct csi_probe **ret, struct loop *l, const char *path, uint64_t timeout_ns,
	csi_probe_fn fn, void *userdata);
/* The same on a connection that somebody else has made: fd is consumed, on failure too; 3 s. */
int csi_probe_on(struct csi_probe **ret, struct loop *l, int fd, const char *name, csi_probe_fn fn,
	void *userdata);
/* Needed after fn, too, and legal in it. */
struct csi_probe *csi_probe_free(struct csi_probe *p);
DEFINE_CLEANUP(struct csi_probe *, csi_probe_free)

#endif
