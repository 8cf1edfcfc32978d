/* SPDX-License-Identifier: Apache-2.0 */
/* run.h: what moves the daemon as a whole: signals, the lease, a changed configuration, the end */
#ifndef BERTH_PROVISIONER_RUN_H
#define BERTH_PROVISIONER_RUN_H

#include "base/err.h"

struct provisioner;
/* SIGTERM, SIGINT: a graceful end, the second at once; SIGHUP and a written file: new
 * configuration. */
int run_signals(struct provisioner *p, struct err *e);
/* Stands for election; without leader election leads at once. */
int run_lease(struct provisioner *p, const char *holder, struct err *e);

#endif
