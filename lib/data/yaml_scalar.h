/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_scalar.h: what a YAML scalar means by the core schema (YAML 1.2, section 10.3.2) */
#ifndef BERTH_DATA_YAML_SCALAR_H
#define BERTH_DATA_YAML_SCALAR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * text is terminated and holds size bytes of UTF-8. Only a plain scalar can be null, a boolean or a
 * number; hex (0x), octal (0o) and .inf are understood, .inf and .nan refused as no JSON has them.
 * -ERANGE for a number that does not fit, -EBADMSG for .inf and .nan, -ENOMEM.
 */
int yaml_scalar_to_json(const char *text, size_t size, bool plain, json_t **ret);

#endif
