/* SPDX-License-Identifier: Apache-2.0 */
/* meta.h: ObjectMeta: identity, finalizers, annotations, and the small JSON helpers around it */
#ifndef BERTH_DEVAPI_META_H
#define BERTH_DEVAPI_META_H

#include <jansson.h>
#include <stdbool.h>

#include "tools/devapi/store.h"

#define META_NAME_MAX 254 /* a DNS subdomain and its NUL */
#define META_NS_MAX 64
#define META_KEY_MAX (META_NS_MAX + META_NAME_MAX)

#define FINALIZER_PVC "kubernetes.io/pvc-protection"
#define FINALIZER_PV "kubernetes.io/pv-protection"

/* The member, made where it is missing or no object. */
json_t *json_child(json_t *object, const char *key);
int json_put_string(json_t *object, const char *key, const char *value);

json_t *meta_of(json_t *object);
const char *meta_string(const json_t *object, const char *key);
const char *meta_annotation(const json_t *object, const char *key);
void meta_annotate(json_t *object, const char *key, const char *value); /* NULL removes */
bool meta_deleting(const json_t *object);
bool meta_has_finalizer(const json_t *object, const char *name);
void meta_add_finalizer(json_t *object, const char *name);
void meta_remove_finalizer(json_t *object, const char *name);

/* "ns/name", or "name" for ns "". */
char *meta_key(char dst[static META_KEY_MAX], const char *ns, const char *name);
/* What the server gives a new object: uid, creationTimestamp, generation; what clients may not set
 * goes. */
void meta_create(const struct kind *k, json_t *object, const char *ns, const char *name);
/* generateName and five random characters. */
void meta_generate_name(char dst[static META_NAME_MAX], const char *prefix);
/* A PV's status.lastPhaseTransitionTime. */
void meta_phase_changed(json_t *volume);

/*
 * Writes a changed object: removes it where it is being deleted and no finalizer is left.
 * Returns 1 if it is gone now, 0, -ENOMEM.
 */
int object_update(struct store *s, const struct kind *k, const char *key, json_t *object);
/* DELETE without preconditions: marks or removes. 1 gone, 0 marked (or already was). */
int object_delete(struct store *s, const struct kind *k, const char *key);

#endif
