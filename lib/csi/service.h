/* SPDX-License-Identifier: Apache-2.0 */
/* service.h: the CSI Identity and Node services of one driver on a listening unix socket */
#ifndef BERTH_CSI_SERVICE_H
#define BERTH_CSI_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "csi/request.h"
#include "event/loop.h"
#include "rpc/server.h"
#include "rpc/status.h"

struct csi_service;
struct csi_call; /* one Node request */

/* Bits of csi_driver.capabilities, NodeServiceCapability.RPC.Type. */
enum csi_capability {
	CSI_CAN_GET_VOLUME_STATS = 1 << 2,
	CSI_CAN_VOLUME_CONDITION = 1 << 4,
	CSI_CAN_SINGLE_NODE_MULTI_WRITER = 1 << 5,
	CSI_CAN_VOLUME_MOUNT_GROUP = 1 << 6,
};

/* What Identity, NodeGetCapabilities and NodeGetInfo answer, at once and from memory. Copied. */
struct csi_driver {
	const char *name;       /* lower-case DNS-1123 subdomain of at most 63 characters */
	const char *version;    /* vendor_version */
	bool is_topology_aware; /* VOLUME_ACCESSIBILITY_CONSTRAINTS */
	unsigned capabilities;  /* enum csi_capability */
	const char *node_id;    /* constant for the node's life: its name; at most 192 bytes */
	int64_t max_volumes;    /* 0: no limit */
	const struct csi_pair *topology; /* accessible_topology's segments */
	size_t n_topology;
};

/* NodeGetVolumeStats: a group with has_… false is left out. Figures that are negative are sent as
 * 0. */
struct csi_stats {
	bool has_bytes;
	int64_t bytes_total, bytes_used, bytes_available;
	bool has_inodes;
	int64_t inodes_total, inodes_used, inodes_free;
	bool has_condition; /* only with CSI_CAN_VOLUME_CONDITION */
	bool is_abnormal;
	const char *condition; /* for people, never empty in what is sent */
};

/*
 * The Node service. Each function answers its call, at once or later, exactly once, with one of
 * csi_answer…() or csi_fail(); the request is valid until then, and the call too, even if the
 * kubelet or the service is gone (the answer is dropped then). They run from the loop;
 * csi_service_free() is legal in them.
 */
struct csi_node {
	void (*publish)(struct csi_call *c, const struct csi_publish *r, void *userdata);
	void (*unpublish)(struct csi_call *c, const struct csi_unpublish *r, void *userdata);
	/* NULL without CSI_CAN_GET_VOLUME_STATS. */
	void (*stats)(struct csi_call *c, const struct csi_stats_request *r, void *userdata);
	/* Nobody waits for this call any more; it is to be answered all the same. May be NULL. */
	void (*cancelled)(struct csi_call *c, void *userdata);
	/*
	 * Probe, at once: 1 ready, 0 still initialising (ready=false), -errno with the reason in e
	 * (FailedPrecondition). Touches no volume and no server. NULL: ready.
	 */
	int (*probe)(struct err *e, void *userdata);
	/* As rpc_server_options.observe. May be NULL. */
	void (*observe)(const char *path, enum rpc_code code, uint64_t ns, void *userdata);
};

void csi_answer(struct csi_call *c); /* publish, unpublish: done */
void csi_answer_stats(struct csi_call *c, const struct csi_stats *s);
/* The text is what the pod's FailedMount event says: name path or server and the system's own
 * reason. A final code (rpc_code_is_final) promises that nothing is left mounted. */
void csi_fail(struct csi_call *c, enum rpc_code code, const char *fmt, ...) _printf_(3, 4);
void csi_fail_status(struct csi_call *c, const struct rpc_status *s);

struct csi_service_options {
	int fd; /* as rpc_server_options.fd: consumed, on failure too */
	const uid_t *uids;
	size_t n_uids;
	const struct csi_driver *driver;
	const struct csi_node *node; /* copied */
};
/* -EINVAL with the field's name where the driver is not one that Kubernetes takes. */
int csi_service_new(struct csi_service **ret, struct loop *l, const struct csi_service_options *o,
	void *userdata, struct err *e);
/* Running calls are told through cancelled() during this call, and stay to be answered. */
struct csi_service *csi_service_free(struct csi_service *s);
DEFINE_CLEANUP(struct csi_service *, csi_service_free)

/* As rpc_server_drain(). */
typedef void (*csi_drained_fn)(struct csi_service *s, void *userdata);
void csi_service_drain(struct csi_service *s, uint64_t timeout_ns, csi_drained_fn done);
/* Borrowed: counts, and rpc_server_adopt(). */
struct rpc_server *csi_service_server(const struct csi_service *s);

#endif
