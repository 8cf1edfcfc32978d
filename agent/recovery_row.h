/* SPDX-License-Identifier: Apache-2.0 */
/* recovery_row.h: a record as a row for people, and as the BerthVolume that orders its volume */
#ifndef BERTH_AGENT_RECOVERY_ROW_H
#define BERTH_AGENT_RECOVERY_ROW_H

#include "agent/places.h"
#include "volume/backend.h"

/* {"state", "volume", "claim", "server", "export", "directory", "class", "text"} */
json_t *recovery_row(const struct place *p, const struct volume_entry *entry);
/* order: the tree's name in the trash, or "record". NULL without memory, or for a record that no
 * BerthVolume can stand for. */
json_t *recovery_order_body(
	const struct place *p, const struct volume_entry *entry, const char *order);
void recovery_row_set(json_t *row, const char *state, const char *text);

#endif
