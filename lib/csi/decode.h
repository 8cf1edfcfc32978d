/* SPDX-License-Identifier: Apache-2.0 */
/* decode.h: bytes of a Node request to its struct, with every check that needs no volume; pure */
#ifndef BERTH_CSI_DECODE_H
#define BERTH_CSI_DECODE_H

#include <stddef.h>

#include "base/cleanup.h"
#include "csi/arena.h"
#include "csi/request.h"
#include "rpc/status.h"

/*
 * 0, or -EBADMSG with the answer in ret: Internal for what is no protobuf, InvalidArgument with the
 * field's name, NotFound for a volume_path that no volume can be at, FailedPrecondition for a block
 * volume, ResourceExhausted where memory ends. The texts lie in the arena.
 */
int csi_publish_decode(struct csi_publish *r, struct arena *a, const void *message, size_t size,
	struct rpc_status *ret) _must_check_;
int csi_unpublish_decode(struct csi_unpublish *r, struct arena *a, const void *message, size_t size,
	struct rpc_status *ret) _must_check_;
int csi_stats_decode(struct csi_stats_request *r, struct arena *a, const void *message, size_t size,
	struct rpc_status *ret) _must_check_;
/* A request without fields: whatever it holds, it has to be protobuf. */
int csi_empty_decode(
	struct arena *a, const void *message, size_t size, struct rpc_status *ret) _must_check_;
/* pluginregistration.RegistrationStatus; error is "" where there is none. */
int csi_registration_status_decode(bool *ret_registered, const char **ret_error, struct arena *a,
	const void *message, size_t size) _must_check_;
/* csi.v1.ProbeResponse. */
int csi_probe_decode(
	bool *ret_ready, struct arena *a, const void *message, size_t size) _must_check_;

#endif
