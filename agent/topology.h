/* SPDX-License-Identifier: Apache-2.0 */
/* topology.h: the node's name as a label's value */
#ifndef BERTH_AGENT_TOPOLOGY_H
#define BERTH_AGENT_TOPOLOGY_H

#include "base/cleanup.h"

#define TOPOLOGY_NODE "topology.berth.dev/node"
#define TOPOLOGY_NFS "topology.berth.dev/nfs"
#define TOPOLOGY_VALUE_MAX 64 /* a label's value has at most 63 bytes */

/*
 * The name where it fits, else its first 46 bytes, "-" and 16 hex digits of its hash: node names
 * may have 253 bytes, a longer label is never accepted and the kubelet would not register us
 * (binding.md 4). The same name always gives the same value: CSINode's entry is immutable.
 */
char *topology_value(const char *node, char dst[static TOPOLOGY_VALUE_MAX]);

#endif
