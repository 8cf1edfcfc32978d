/* SPDX-License-Identifier: Apache-2.0 */
/* pack.h: from JSON to a cached object in one allocation, by tables (inside lib/kube) */
#ifndef BERTH_KUBE_PACK_H
#define BERTH_KUBE_PACK_H

#include <stddef.h>

#include "data/decode.h"
#include "kube/object.h"

#define PACK_NAME_MAX 253     /* DNS subdomain */
#define PACK_NAMESPACE_MAX 63 /* DNS label */
#define PACK_RV_MAX 128       /* opaque; servers use 20 digits */
#define PACK_TEXT_MAX 1024    /* any other text: a longer one counts as absent */

/* metadata of an item; all borrowed from it. */
struct meta {
	const char *name, *namespace_, *rv, *deletion;
	struct uuid uid;
	int64_t generation;
	const json_t *annotations, *finalizers;
};
/* -EBADMSG without a name or UID, or with one that no API server gives. */
int pack_meta(const json_t *item, struct meta *ret);
bool pack_has_finalizer(const struct meta *m, const char *name);

/*
 * A decode_field's custom: text that a tenant may have written. What is no string, too long or
 * holds a NUL leaves the target alone and fails nothing: one odd value must not hide an object.
 */
int pack_text(const json_t *value, void *target, struct err *e);
#define PACK_TEXT(key, type, member)                                           \
	{                                                                      \
		key, DECODE_CUSTOM, offsetof(type, member), 0, NULL, pack_text \
	}
/* Likewise custom: any value, for a struct's const json_t *; other types than objects stay out. */
int pack_object(const json_t *value, void *target, struct err *e);
#define PACK_OBJECT(key, type, member)                                           \
	{                                                                        \
		key, DECODE_CUSTOM, offsetof(type, member), 0, NULL, pack_object \
	}
/* decode() of an object that may be absent. */
void pack_decode(const struct decode_table *t, const json_t *object, void *target);

/* A text's way from the struct that was decoded to the cached object. */
struct pack_field {
	size_t from, to; /* offsets of a const char * in either */
	bool interned;
};
struct pack_layout {
	size_t size; /* of the cached object's struct */
	const struct pack_field *fields;
	size_t n;
};
/* A zeroed object with its common fields and texts. */
int pack_new(struct strpool *pool, const struct pack_layout *l, const struct meta *m,
	const void *raw, struct object **ret);
void pack_free(struct strpool *pool, const struct pack_layout *l, struct object *o);

/* The key that the cache finds an object by: "namespace\0name", inside the object. */
struct map_key pack_key(const void *object);
/* The same from parts; 0 where it cannot be any object's. */
#define PACK_KEY_MAX (PACK_NAMESPACE_MAX + 1 + PACK_NAME_MAX)
size_t pack_make_key(char dst[static PACK_KEY_MAX], const char *namespace_, const char *name);

/* spec.accessModes and the like to bits of enum access_mode. */
uint8_t pack_access_modes(const json_t *modes);

#endif
