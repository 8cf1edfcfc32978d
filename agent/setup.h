/* SPDX-License-Identifier: Apache-2.0 */
/* setup.h: what berth-agent is told and what it finds when it starts */
#ifndef BERTH_AGENT_SETUP_H
#define BERTH_AGENT_SETUP_H

#include <limits.h>
#include <stdbool.h>

#include "agent/broker.h"
#include "agent/child.h"
#include "base/err.h"
#include "base/listen.h"

#define SETUP_KUBELET_ROOT "/var/lib/kubelet"
#define SETUP_RUN_DIR "/run/berth"

struct setup {
	struct child_setup child;
	struct listen_base bases[_BROKER_BASE_MAX];
	const char *host_proc; /* NULL: --host self */
	int cwd;               /* O_PATH: where it was started */
	int lock;              /* held while this process lives */
	char front[PATH_MAX];
	char nfs_worker[PATH_MAX];
};

/* 1: go on. 0: --help or --version was answered. -EINVAL: said on stderr. argv outlives it. */
int setup_parse(struct setup *ret, int argc, char **argv);
/*
 * Directories, lock, namespaces, and then no power that the broker does not need:
 * CAP_SYS_ADMIN and CAP_SYS_CHROOT (children enter the host's namespaces), CAP_SETUID,
 * CAP_SETGID and CAP_SETPCAP (others become uid 65532 without capabilities), CAP_NET_BIND_SERVICE
 * (sockets for berth-nfs), CAP_KILL.
 */
int setup_prepare(struct setup *s, struct err *e);

/* broker.c: serves until SIGTERM or SIGINT (0) or until the front gave up (its status). -errno. */
int broker_run(const struct setup *s);

#endif
