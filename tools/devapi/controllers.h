/* SPDX-License-Identifier: Apache-2.0 */
/* controllers.h: the small controllers: storage protection, claims of StatefulSets, namespaces */
#ifndef BERTH_DEVAPI_CONTROLLERS_H
#define BERTH_DEVAPI_CONTROLLERS_H

#include "event/loop.h"
#include "tools/devapi/store.h"

struct controllers;
/* Subscribes to the store. */
int controllers_new(struct controllers **ret, struct loop *l, struct store *s);
struct controllers *controllers_free(struct controllers *c);
DEFINE_CLEANUP(struct controllers *, controllers_free)

/* statefulset.c: makes the claims that a StatefulSet's templates name and that are not there. */
void statefulset_claims(struct store *s, const char *key);

#endif
