/* SPDX-License-Identifier: Apache-2.0 */
/* patch.h: the three patch formats of the API */
#ifndef BERTH_DEVAPI_PATCH_H
#define BERTH_DEVAPI_PATCH_H

#include <jansson.h>

#include "base/err.h"

/* All change target in place, which on failure is left in any state. */

/* RFC 7386; patch must be an object (-EINVAL). */
int patch_merge(json_t *target, const json_t *patch);
/*
 * RFC 6902. -EINVAL: not a patch document (400); -ENOENT: a path that is not there or a test that
 * failed (422, contracts.md 5.6). At most 10,000 operations as in the API server.
 */
int patch_json(json_t *target, const json_t *operations, struct err *e);
/* Strategic merge for what kubectl and controllers send: lists with merge keys, primitive lists,
 * $patch, $deleteFromPrimitiveList, $setElementOrder (ignored), $retainKeys (ignored). */
int patch_strategic(json_t *target, const json_t *patch);

#endif
