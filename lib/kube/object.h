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
 * it, repeated ones are interned (at most 250 bytes an object of 20,000 claims and volumes, the
 * cache's table included). Objects are immutable: an update is a new object. Texts are never NULL.
 */
struct object {
	const char *namespace_; /* "" for cluster-scoped kinds */
	const char *name;       /* at most 253 bytes */
	const char *rv;         /* opaque; equality only */
	struct uuid uid;
	bool deleting; /* metadata.deletionTimestamp is set */
	uint8_t round; /* the informer's: the list that saw it last */
};

/* A volume's ownership token (binding.md 2) in 16 bytes; all zero where an object has none. */
struct object_token {
	uint8_t b[16];
};
/* -EINVAL unless text is 32 hex digits in lower case and not all zero. */
int object_token_parse(const char *text, struct object_token *ret) _must_check_;
/* The 32 digits, "" for none. */
char *object_token_format(const struct object_token *t, char dst[static TOKEN_TEXT_MAX]);
bool object_token_none(const struct object_token *t);

/*
 * One per kind; the table of a kind is constant. A copy with another list_path (one namespace, a
 * selector behind '?') is a kind too; it must outlive its informer.
 */
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
