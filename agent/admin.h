/* SPDX-License-Identifier: Apache-2.0 */
/* admin.h: the admin socket: what the agent knows as JSON over HTTP/1.1, and the few orders it
 * takes (docs/ADMIN-API.md) */
#ifndef BERTH_AGENT_ADMIN_H
#define BERTH_AGENT_ADMIN_H

#include <sys/types.h>

#include "agent/doctor.h"
#include "agent/view.h"
#include "event/loop.h"

/* No group may read. */
#define ADMIN_NO_GROUP ((gid_t)-1)

struct admin_options {
	int fd;    /* listening unix stream socket from the broker, non-blocking; consumed always */
	gid_t gid; /* may read, beside uid 0; ADMIN_NO_GROUP for none */
	const struct doctor_kernel *kernel; /* as doctor_kernel() found it; borrowed */
};

/*
 * Every request is judged by SO_PEERCRED: uid 0 may do all, members of gid may GET, others get 403.
 * view is borrowed and must outlive the result; its functions are called from the loop only.
 * At most 64 connections, 8 a uid other than 0; 64 KiB of request body, 256 KiB that wait for a
 * watcher: one that reads too slowly is dropped.
 */
struct admin;
int admin_new(struct admin **ret, struct loop *l, const struct admin_options *o,
	const struct view *view, struct err *e);
struct admin *admin_free(struct admin *a);
DEFINE_CLEANUP(struct admin *, admin_free)

/*
 * Something that the view shows has changed. Cheap, may be called for every event: watchers hear at
 * most every 200 ms. Without a call changes are found within a second, as long as somebody watches.
 */
void admin_changed(struct admin *a);

#endif
