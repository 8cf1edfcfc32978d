/* SPDX-License-Identifier: Apache-2.0 */
/* sm.c: looking up and following the edges of a state machine */
#include "base/sm.h"

#include <errno.h>

#include "base/log.h"

static const struct sm_edge *edge_find(const struct sm_table *t, uint8_t from, uint8_t event)
{
	for (size_t i = 0; i < t->n_edges; i++)
		if (t->edges[i].from == from && t->edges[i].event == event)
			return &t->edges[i];
	return NULL;
}

int sm_fire(const struct sm_table *t, uint8_t *state, uint8_t event, void *obj)
{
	const struct sm_edge *edge = edge_find(t, *state, event);

	if (!edge)
		edge = edge_find(t, SM_ANY, event);
	if (!edge) {
		log_debug("%s: no edge for %s in state %s", t->name, t->events[event],
			t->states[*state]);
		return -EPROTO;
	}
	*state = edge->to;
	return edge->action ? edge->action(obj) : 0;
}
