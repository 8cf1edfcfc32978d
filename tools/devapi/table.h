/* SPDX-License-Identifier: Apache-2.0 */
/* table.h: meta.k8s.io Table, what `kubectl get` prints */
#ifndef BERTH_DEVAPI_TABLE_H
#define BERTH_DEVAPI_TABLE_H

#include <jansson.h>
#include <stdbool.h>

#include "tools/devapi/store.h"

/* Whether an Accept header asks for a Table. */
bool table_wanted(const char *accept);
/* An empty Table with the kind's columns: the real ones for claims, volumes and classes, a CRD's
 * additionalPrinterColumns, else NAME and AGE. The caller's. */
json_t *table_new(const struct store *s, const struct kind *k);
int table_add(json_t *table, const struct store *s, const struct revision *r);

#endif
