/* SPDX-License-Identifier: Apache-2.0 */
/* sm.h: a state machine as a table of allowed edges */
#ifndef BERTH_BASE_SM_H
#define BERTH_BASE_SM_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* An edge with from == SM_ANY leaves every state; exact edges are looked at first. */
#define SM_ANY 0xff

struct sm_edge {
	uint8_t from;
	uint8_t event;
	uint8_t to;
	/* Runs after the state was changed; may be NULL. Its result is sm_fire()'s. May fire again.
	 */
	int (*action)(void *obj);
};

struct sm_table {
	const char *name;
	const char *const *states;
	const char *const *events;
	const struct sm_edge *edges;
	size_t n_edges;
};

/* Follows the edge for event; -EPROTO (state untouched, logged at debug) where the table has none.
 */
int sm_fire(const struct sm_table *t, uint8_t *state, uint8_t event, void *obj);

#endif
