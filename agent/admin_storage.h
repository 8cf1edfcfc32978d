/* SPDX-License-Identifier: Apache-2.0 */
/* admin_storage.h: trash and orphans of the exports that places.h finds, through the NFS worker */
#ifndef BERTH_AGENT_ADMIN_STORAGE_H
#define BERTH_AGENT_ADMIN_STORAGE_H

#include <jansson.h>

#include "agent/view.h"
#include "event/loop.h"

enum admin_storage { ADMIN_TRASH, ADMIN_ORPHANS };

/* Once, later: document {"kind", "items", "incomplete": [text]} is borrowed; NULL with an error. */
typedef void (*admin_storage_fn)(json_t *document, const struct err *e, void *userdata);

/*
 * Asks all exports at once (records.h). At most 10,000 items. Orphans also has the orphaned mounts,
 * without a worker only those, and volumes that the API server knows nothing of. -ENOTSUP without a
 * worker for the trash. fn does not come any more once the worker's backend was freed.
 */
int admin_storage_list(struct loop *l, const struct view *v, enum admin_storage what,
	admin_storage_fn fn, void *userdata, struct err *e);

#endif
