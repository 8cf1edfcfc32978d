/* SPDX-License-Identifier: Apache-2.0 */
/* rshared.h: the kubelet's root as a shared mount, so that mounts below it reach pods */
#ifndef BERTH_MOUNT_RSHARED_H
#define BERTH_MOUNT_RSHARED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct rshared {
	bool is_root;      /* the directory is the root of a mount */
	uint32_t peer;     /* peer group of the mount that holds it; 0: not shared */
	uint32_t master;   /* 0: no slave */
	unsigned below;    /* mounts below the directory */
	char holder[256];  /* mount point of the mount that holds it, cut */
	char example[256]; /* one of those below, "" for none */
};

/* path: absolute, a directory. */
int rshared_look(const char *path, struct rshared *ret, struct err *e);

/*
 * Shared afterwards (ret shows the state then, also on failure as far as it is known):
 * shared already: nothing is done. A mount root: made shared in place, which hides nothing. Else,
 * with nothing mounted below: bound to itself recursively and shared, as the kubelet does. Else
 * -EBUSY: on a live node the bind would hide the pods' mounts (binding.md 4). *ret_changed:
 * something was done. Takes back what it did where it ends in an error.
 */
int rshared_make(const char *path, struct rshared *ret, bool *ret_changed, struct err *e);

#endif
