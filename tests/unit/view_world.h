/* SPDX-License-Identifier: Apache-2.0 */
/* view_world.h: an agent that is nothing but a filled view: for tests of what people see */
#ifndef BERTH_TESTS_VIEW_WORLD_H
#define BERTH_TESTS_VIEW_WORLD_H

#include "agent/view.h"
#include "event/loop.h"

struct view_world {
	struct view view;
	struct loop *loop;
	struct view_node node;
	struct view_driver drivers[4];
	struct view_volume volumes[8];
	struct view_mount mounts[8];
	struct view_pool pools[2];
	struct view_export exports[4];
	struct view_operation operations[4];
	size_t n_drivers, n_volumes, n_mounts, n_pools, n_exports, n_operations;
	unsigned more_mounts; /* made up, beside those */
	unsigned retried;
	char detached[256];
	int detach_result;
	/* The detach that is running. */
	struct timer *detaching;
	view_done_fn done;
	void *done_userdata;
};

/* A node with two drivers, three volumes and two exports, all well; one of the pods has a name that
 * is no ASCII. loop is needed for detach. */
void view_world_init(struct view_world *w, struct loop *loop);
void view_world_done(struct view_world *w);
/* Its second server does not answer any more: export, volume, mounts; a subPath bind hangs. */
void view_world_hang(struct view_world *w);

#endif
