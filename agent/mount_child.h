/* SPDX-License-Identifier: Apache-2.0 */
/* mount_child.h: a process with CAP_SYS_ADMIN in the host's namespaces, which serves the orders of
 * mount_order.h one after the other and blocks with what it mounts */
#ifndef BERTH_AGENT_MOUNT_CHILD_H
#define BERTH_AGENT_MOUNT_CHILD_H

#include "agent/child.h"

/* The front's directory of export mounts, below the run directory. */
#define MOUNT_CHILD_EXPORTS "exports"

/* Serves until the front closes its end (0), or -errno. Only beneath the roots in s; the front is
 * not trusted with them. */
int mount_child_run(const struct child_setup *s, int fd);

#endif
