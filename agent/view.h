/* SPDX-License-Identifier: Apache-2.0 */
/* view.h: what the agent shows of itself and does on request; read by admin.c, probes.c, doctor.c
 */
#ifndef BERTH_AGENT_VIEW_H
#define BERTH_AGENT_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * The front fills a struct view with functions over its modules (mounts, health, volumes, mounter,
 * registration). Rows are built on the caller's stack: texts are borrowed for the callback only,
 * "" where there is nothing to say, never NULL. Nothing in here blocks or touches a mounted path.
 * Times are clock_real(), 0 for never. Sizes are bytes.
 */

struct view_api {
	const char *server; /* URL, "" where the agent runs without an API server */
	const char *error;  /* of the last request that got no answer, "" since the last answer */
	uint64_t answered;  /* last answer */
	bool clock_known;
	int64_t clock_ahead_ns; /* server's Date minus our clock; exact to a second */
};

struct view_node {
	const char *name;
	const char *host; /* "self", or the --host-proc path */
	const char *kubelet_root;
	const char *propagation;      /* shared, slave, private, unbindable; "" unknown */
	const char *propagation_text; /* why it could not be made shared, "" if it is */
	uint64_t started;
	bool nfs_client;                   /* of the node's kernel */
	const char *nfs_client_text;       /* why not, "" if it is there */
	unsigned children, children_stuck; /* mount children, of them beyond their deadline */
	bool stopping;
	struct view_api api;
};

/* A CSI driver of ours at the kubelet. */
struct view_driver {
	const char *name;
	const char *state; /* Registered, Waiting (for the kubelet), Failed, Off (on purpose) */
	const char *text;  /* the kubelet's or the system's own words where not Registered */
	const char *socket, *registration_socket;
	uint64_t since; /* of state */
};

/* A publication: a volume in a pod. */
struct view_volume {
	const char *volume; /* volumeHandle, a PV's name for volumes of ours */
	const char *driver;
	const char *namespace_, *pod, *pod_uid; /* "" where the kubelet did not say */
	const char *target;
	const char *source; /* "server:/export/directory", or a path below a pool */
	bool read_only;
	uint64_t published;
	const char *state; /* Ok, Hung, Stale, Orphaned (nothing mounted, or no pod), Busy */
	const char *text;  /* why, where not Ok */
};

/* A mount on the node that is ours or of our volumes. */
struct view_mount {
	const char *kind;   /* export, publication, subPath, other */
	const char *volume; /* "" for exports */
	const char *target, *source, *options, *filesystem;
	uint64_t peer_group; /* 0: none */
	const char *state;   /* Ok, Hung, Stale, Orphaned */
	const char *text;
};

struct view_pool {
	const char *name, *path, *filesystem;
	uint64_t capacity, free, promised;
	const char *quota;    /* Enforced, Counted, None */
	const char *identity; /* "" none yet */
	const char *text;     /* what is wrong, "" for nothing */
};

/* An export that volumes of this node come from, with one option set. */
struct view_export {
	const char *id; /* below /run/berth/exports */
	const char *server, *address, *export_;
	const char *options;     /* as the kernel has them */
	unsigned version, minor; /* NFS, 0 unknown */
	const char *state;       /* Ok, Hung, Stale, Unknown */
	const char *round_trip;  /* ok, slow, down, "" unknown */
	uint64_t round_trip_ns;  /* of the last answer, 0 for none */
	uint64_t answered;       /* last answer of the server */
	unsigned volumes;        /* publications on it */
	const char *text;        /* why, where not Ok; else what is worth knowing: local locks */
};

/* What is being done or waits. */
struct view_operation {
	const char *what;   /* publish, unpublish, mount, stats, fsGroup, ... */
	const char *object; /* volume, target or server:/export */
	const char *state;  /* Running, Queued, Stuck (beyond its deadline), Delayed (a pause) */
	uint64_t started, deadline;
	const char *text;
};

typedef void (*view_driver_fn)(const struct view_driver *row, void *userdata);
typedef void (*view_volume_fn)(const struct view_volume *row, void *userdata);
typedef void (*view_mount_fn)(const struct view_mount *row, void *userdata);
typedef void (*view_pool_fn)(const struct view_pool *row, void *userdata);
typedef void (*view_export_fn)(const struct view_export *row, void *userdata);
typedef void (*view_operation_fn)(const struct view_operation *row, void *userdata);
/* The end of something asked for: e->code 0 where it was done. */
typedef void (*view_done_fn)(const struct err *e, void *userdata);
/* fd is the callee's; -1 where e says why there is none. */
typedef void (*view_fd_fn)(int fd, const struct err *e, void *userdata);

struct kube_client;
struct volume_backend;

/* A function that is NULL: the agent has no such thing, and says so (501). */
struct view {
	void *agent; /* first argument of all */
	void (*node)(void *agent, struct view_node *ret);
	void (*drivers)(void *agent, view_driver_fn fn, void *userdata);
	void (*volumes)(void *agent, view_volume_fn fn, void *userdata);
	void (*mounts)(void *agent, view_mount_fn fn, void *userdata);
	void (*pools)(void *agent, view_pool_fn fn, void *userdata);
	void (*exports)(void *agent, view_export_fn fn, void *userdata);
	void (*operations)(void *agent, view_operation_fn fn, void *userdata);
	/*
	 * Takes one mount of the listing away (the ladder of contracts.md 6.7, lazily in the end).
	 * admin.c has checked that it is a subPath or orphaned bind that is not Ok. 0, then done
	 * exactly once and later; negative with text, then never. done does not come any more once
	 * the agent is being taken down.
	 */
	int (*detach)(
		void *agent, const char *target, view_done_fn done, void *userdata, struct err *e);
	/* Ends every pause now: registration, server probes, reports. Returns how many. */
	unsigned (*retry)(void *agent);
	/* The NFS worker of this node, NULL where it is not to be had. */
	struct volume_backend *(*storage)(void *agent);
	const char *(*nfs_driver)(void *agent);
	struct kube_client *(*api)(void *agent); /* NULL without an API server */
	/* A connected stream socket to a driver's CSI socket, as the kubelet gets one (orders.h).
	 * 0, then done once and later; negative with text, then never. */
	int (*connect)(
		void *agent, const char *driver, view_fd_fn done, void *userdata, struct err *e);
};

#endif
