/* SPDX-License-Identifier: Apache-2.0 */
/* admin_json.h: rows of the view as JSON: lists for GET, keyed objects for watchers */
#ifndef BERTH_AGENT_ADMIN_JSON_H
#define BERTH_AGENT_ADMIN_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "agent/view.h"

/* The order is the order of the state lines of a watch. */
enum admin_kind {
	ADMIN_NODE,
	ADMIN_DRIVERS,
	ADMIN_VOLUMES,
	ADMIN_MOUNTS,
	ADMIN_POOLS,
	ADMIN_EXPORTS,
	ADMIN_OPERATIONS,
	_ADMIN_KIND_MAX
};
const char *admin_kind_name(enum admin_kind k); /* "node", "drivers", "volumes", ... */
bool admin_kind_there(enum admin_kind k, const struct view *v);

enum admin_flag {
	/* Without what changes by itself (times of answers, free space): rows that are equal mean
	 * that nothing happened. */
	ADMIN_STABLE = 1U << 0,
};

/* An array of rows; NULL without memory. */
json_t *admin_rows(enum admin_kind k, const struct view *v, unsigned flags);
/* What tells a row from others of its kind, borrowed from it; "" for a row that has none. */
const char *admin_row_key(enum admin_kind k, const json_t *row);

/* {"node", "drivers", "counts", "healthy", "problems"} of GET /v1/status; NULL without memory. */
json_t *admin_status(const struct view *v);

/* Text as JSON; what is no UTF-8 is written as \xNN. NULL without memory. */
json_t *admin_text(const char *s);
/* RFC 3339, null for 0. */
json_t *admin_time(uint64_t real_ns);

#endif
