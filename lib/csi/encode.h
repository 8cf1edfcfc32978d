/* SPDX-License-Identifier: Apache-2.0 */
/* encode.h: answers to bytes; pure */
#ifndef BERTH_CSI_ENCODE_H
#define BERTH_CSI_ENCODE_H

#include <stddef.h>

#include "base/cleanup.h"
#include "csi/arena.h"
#include "csi/service.h"

/* An encoded message; an empty one has size 0. data lies in the arena. */
struct csi_bytes {
	const void *data;
	size_t size;
};

/* All: 0 or -ENOMEM. */
int csi_plugin_info_encode(
	struct csi_bytes *ret, struct arena *a, const struct csi_driver *d) _must_check_;
int csi_plugin_capabilities_encode(
	struct csi_bytes *ret, struct arena *a, const struct csi_driver *d) _must_check_;
int csi_node_capabilities_encode(
	struct csi_bytes *ret, struct arena *a, const struct csi_driver *d) _must_check_;
int csi_node_info_encode(
	struct csi_bytes *ret, struct arena *a, const struct csi_driver *d) _must_check_;
int csi_stats_encode(
	struct csi_bytes *ret, struct arena *a, const struct csi_stats *s) _must_check_;
int csi_ready_encode(struct csi_bytes *ret, struct arena *a, bool is_ready) _must_check_;
int csi_registration_info_encode(struct csi_bytes *ret, struct arena *a, const char *name,
	const char *endpoint) _must_check_;

#endif
