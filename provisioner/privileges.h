/* SPDX-License-Identifier: Apache-2.0 */
/* privileges.h: giving up root and what else the daemon does not need */
#ifndef BERTH_PROVISIONER_PRIVILEGES_H
#define BERTH_PROVISIONER_PRIVILEGES_H

#include "base/err.h"
#include "kube/config.h"
#include "provisioner/config.h"

/*
 * Started as root: becomes uid 65532; -EACCES where a file that is read again while we run
 * (configuration, token, certificates, the worker) could not be read by it. Anybody else stays who
 * he is. No new privileges, not dumpable, no capabilities.
 */
int privileges_drop(const char *config_path, const struct config *c, const struct kube_config *k,
	struct err *e);
/* The system call filter, once everything is set up. */
int privileges_lock(struct err *e);

#endif
