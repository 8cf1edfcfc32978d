/* SPDX-License-Identifier: Apache-2.0 */
/* mounts_path.h: what a mount point's path says, as the kubelet makes them (contracts.md 2.6, 6.1)
 */
#ifndef BERTH_AGENT_MOUNTS_PATH_H
#define BERTH_AGENT_MOUNTS_PATH_H

#include "agent/mounts.h"

/* The parts point into the path and are not terminated. */
struct mounts_path {
	enum mounts_kind kind;
	const char *pod, *volume;
	size_t pod_size, volume_size;
};

/* Whether target is one of the three places. Pure; any bytes. */
bool mounts_path_parse(
	struct mounts_path *ret, const char *kubelet_root, const char *exports, const char *target);
bool mounts_path_is_export(const char *exports, const char *target);

#endif
