/* SPDX-License-Identifier: Apache-2.0 */
/* front_options.h: berth-front's arguments: what berth-agent was given and what it found out */
#ifndef BERTH_AGENT_FRONT_OPTIONS_H
#define BERTH_AGENT_FRONT_OPTIONS_H

#include "agent/child.h"
#include "base/err.h"

#define FRONT_CONFIG_DEFAULT "/etc/berth/config.yaml"

/* Borrowed from argv. */
struct front_options {
	const char *mountinfo; /* of the host's mount namespace */
	const char *host;      /* "self", or where the host's /proc is: mountinfo */
	const char *node;
	const char *config;     /* NULL: the default path if it is there, else defaults */
	const char *kubeconfig; /* NULL: in-cluster, else without an API server */
	const char *kubelet_root;
	const char *run_dir;
	const char
		*pools[CHILD_POOLS_MAX]; /* roots that the broker lets hostPath binds come from */
	size_t n_pools;
};

/* -EINVAL with what is wrong. */
int front_options_parse(struct front_options *ret, int argc, char *const *argv, struct err *e);

#endif
