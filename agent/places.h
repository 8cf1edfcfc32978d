/* SPDX-License-Identifier: Apache-2.0 */
/* places.h: the exports that volumes of the cluster lie on: those that StorageClasses and
 * BerthVolumes name, with ports and actAs, and those that are mounted here */
#ifndef BERTH_AGENT_PLACES_H
#define BERTH_AGENT_PLACES_H

#include <jansson.h>

#include "agent/view.h"
#include "event/loop.h"
#include "volume/request.h"

#define PLACES_MAX 64

struct place {
	char *server, *export_;
	struct volume_place at; /* its texts are those above */
	json_t *nfs;            /* a BerthVolume's spec.nfs for a volume there */
	uint64_t trash_ttl;     /* of trees in the trash without a record: the class's */
};

struct places {
	struct place place[PLACES_MAX];
	size_t n;
	json_t *known; /* names of all BerthVolumes that are no orders, as keys; NULL: nobody said
			*/
	json_t *incomplete; /* array of texts */
};

/* Once, later; p is the callee's: places_free(). NULL without memory. */
typedef void (*places_fn)(struct places *p, void *userdata);
/* Where the API server does not answer, what is mounted is what there is. -ENOMEM. */
int places_find(struct loop *l, const struct view *v, places_fn fn, void *userdata);
void places_free(struct places *p);
/* "server:/export"; NULL where none is that. */
const struct place *places_get(const struct places *p, const char *name);
/* Adds a text to incomplete. */
void places_note(struct places *p, const char *fmt, ...) _printf_(2, 3);

#endif
