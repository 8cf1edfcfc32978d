/* SPDX-License-Identifier: Apache-2.0 */
/* host.h: the namespaces in which mounts are made */
#ifndef BERTH_AGENT_HOST_H
#define BERTH_AGENT_HOST_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"

struct host {
	int mnt; /* descriptors of namespaces; -1: ours */
	int net;
	char mountinfo[PATH_MAX]; /* of the mount namespace */
};

#define HOST_NULL ((struct host){.mnt = -1, .net = -1})

/*
 * proc NULL: our own namespaces. Else the /proc of the host (needs CAP_SYS_PTRACE): those of its
 * process 1, but the mount namespace of the kubelet where that has one of its own (binding.md 4): a
 * process named kubelet (k3s-server, k3s-agent, kubelite), of root, in the pid and user namespaces
 * of process 1. That ends with the kubelet, and mountinfo with it. On failure ret is HOST_NULL and
 * e names the file, and the capability that is missing.
 */
int host_open(struct host *ret, const char *proc, struct err *e);
/* Enters the network namespace, and with mounts also the mount namespace: only in a process of one
 * thread, which must never exec after that (the host's loader and libraries). */
int host_enter(const struct host *h, bool mounts, struct err *e);

#endif
