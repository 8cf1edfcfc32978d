/* SPDX-License-Identifier: Apache-2.0 */
/* types.h: the JSON types of members that clients get wrong: what Go's decoder would refuse */
#ifndef BERTH_DEVAPI_TYPES_H
#define BERTH_DEVAPI_TYPES_H

#include <jansson.h>

#include "tools/devapi/kinds.h"

/* The path of the first member of a wrong type, NULL if none. */
const char *types_check(const struct kind *k, const json_t *object);

#endif
