/* SPDX-License-Identifier: Apache-2.0 */
/* object.h: what every cached Kubernetes object has in common, and the kinds' tables */
#ifndef BERTH_KUBE_OBJECT_H
#define BERTH_KUBE_OBJECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "base/map.h"
#include "base/str.h"

/*
 * A cached object is one allocation that holds only the fields we use; its texts are packed behind
 * it, repeated ones are interned (reliability.md: at most ~400 bytes an object of 20,000 claims and
 * volumes). Objects are immutable: an update is a new object.
 */
struct object {
	const char *namespace_; /* interned; "" for cluster-scoped kinds */
	const char *name;
	struct uuid uid;
	char *rv; /* opaque; equality only. Owned apart where it changes by bookmark-free updates */
	bool deleting; /* metadata.deletionTimestamp is set */
};

/* One per kind; the table of a kind is constant. */
struct kind {
	const char *name;      /* "PersistentVolumeClaim" */
	const char *api;       /* "v1" */
	const char *list_path; /* "/api/v1/persistentvolumeclaims" */
	/* A new cached object from one item; -EBADMSG where it is none (no name, no uid). */
	int (*decode)(struct strpool *pool, const json_t *item, struct object **ret);
	void (*free)(struct strpool *pool, struct object *o);
};

extern const struct kind kind_pvc, kind_pv, kind_class, kind_node, kind_csinode, kind_lease,
	kind_bvol, kind_bnode;

#endif
