/* SPDX-License-Identifier: Apache-2.0 */
/* rules.h: defaults, validation and immutability of the served kinds, as far as Berth meets them */
#ifndef BERTH_DEVAPI_RULES_H
#define BERTH_DEVAPI_RULES_H

#include <jansson.h>

#include "tools/devapi/reply.h"
#include "tools/devapi/store.h"

/* All return 0, or negative with the refusal in r. */

/* Before meta_create(): name and labels, defaults, what the kind requires, protection finalizers;
 * status is reset. */
int rules_create(
	struct store *s, const struct kind *k, json_t *object, const char *name, struct reply *r);

enum write_part {
	WRITE_MAIN,   /* the object: status stays as it was */
	WRITE_STATUS, /* /status: spec stays as it was */
};
/* object is what the client wants, old what there is: metadata is checked and completed, the other
 * part is put back, generation counted. */
int rules_update(struct store *s, const struct kind *k, json_t *object, const json_t *old,
	enum write_part part, struct reply *r);

#endif
