/* SPDX-License-Identifier: Apache-2.0 */
/* fsgroup.h: a pod's fsGroup on an NFS volume: the tree gets the group through berth-nfs, as its
 * owner (binding.md 4) */
#ifndef BERTH_AGENT_FSGROUP_H
#define BERTH_AGENT_FSGROUP_H

#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "volume/attributes.h"

struct volume_backend;
struct fsgroup;

/* Trees that are worked on at once; more are EBUSY until their next try. */
#define FSGROUP_MAX 64
/* Who waits for a slice of one tree; more are EBUSY. */
#define FSGROUP_WAITERS_MAX 16
/* backend: nfs_backend_new(), borrowed. */
int fsgroup_new(struct fsgroup **ret, struct volume_backend *backend);
/* After the backend, before who waits. No callback any more. */
struct fsgroup *fsgroup_free(struct fsgroup *f);
DEFINE_CLEANUP(struct fsgroup *, fsgroup_free)

/*
 * Gives the directory and all beneath it the group, files g+rw, directories g+rwx and setgid, the
 * root of the tree last: a root that is right means a tree that is, and costs one request. After 0
 * exactly one callback, never before the return:
 *   0             done
 *   EINPROGRESS   at work, the text says how far; goes on by itself, ask again
 *   EPERM         the server does not do as told: the text names owner, group and what it made
 *   others        as the server or the way to it gave them
 * -EBUSY at once while the tree gets another group, and where there is too much to do: ask again.
 */
typedef void (*fsgroup_fn)(const struct err *e, void *userdata);
int fsgroup_apply(struct fsgroup *f, const struct volume_attributes *a, gid_t group, fsgroup_fn fn,
	void *userdata, struct err *e);

#endif
