/* SPDX-License-Identifier: Apache-2.0 */
/* child.h: what becomes of a process that the broker forked */
#ifndef BERTH_AGENT_CHILD_H
#define BERTH_AGENT_CHILD_H

#include <sys/types.h>

#include "agent/broker.h"
#include "agent/host.h"

#define CHILD_POOLS_MAX 64 /* as BerthNode.status.pools holds */

/* What the broker gives all of its children, by memory. */
struct child_setup {
	pid_t broker;
	struct host host;
	const char *kubelet_root;
	const char *run_dir;
	const char *pools[CHILD_POOLS_MAX]; /* roots that hostPath binds may come from */
	size_t n_pools;
	const char *nfs_worker; /* programs */
	const char *front;
	const char **front_argv;
};

/* In the forked process, fd above 3. Exit status 127: it could not become what it should; said on
 * stderr. claim: of claim.h, which a mount child keeps; -1: none. */
_Noreturn void child_run(const struct child_setup *s, enum broker_class what, int fd, int claim);
_Noreturn void child_run_front(const struct child_setup *s, int fd);

#endif
