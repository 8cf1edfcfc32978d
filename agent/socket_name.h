/* SPDX-License-Identifier: Apache-2.0 */
/* socket_name.h: which sockets the front may ask the broker for */
#ifndef BERTH_AGENT_SOCKET_NAME_H
#define BERTH_AGENT_SOCKET_NAME_H

#include "agent/broker.h"
#include "base/err.h"

/*
 * The kubelet's root holds sockets of the kubelet and of other drivers, and everything that tenants
 * have mounted: a front that was taken over gets none of it, nor a broker that waits for a server.
 * There are two places there, `plugins_registry/NAME` and `plugins/DRIVER/csi.sock`, and one in the
 * run directory, `NAME`. -EINVAL.
 */
int socket_name_check(enum broker_base base, const char *path, struct err *e) _must_check_;

#endif
