/* SPDX-License-Identifier: Apache-2.0 */
/* rules_storage.h: claims, volumes, classes, events and leases: their defaults and what may not
 * change */
#ifndef BERTH_DEVAPI_RULES_STORAGE_H
#define BERTH_DEVAPI_RULES_STORAGE_H

#include "tools/devapi/rules.h"

#define CLASS_DEFAULT "storageclass.kubernetes.io/is-default-class"

/* For rules.c. */
int rules_storage_create(
	struct store *s, const struct kind *k, json_t *object, const char *name, struct reply *r);
int rules_storage_update(
	struct store *s, const struct kind *k, json_t *object, const json_t *old, struct reply *r);

/* rules_small.c */
int rules_event(const struct kind *k, json_t *object, const char *name, struct reply *r);
int rules_lease(const struct kind *k, const json_t *object, const char *name, struct reply *r);

#endif
