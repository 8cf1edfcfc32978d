/* SPDX-License-Identifier: Apache-2.0 */
/* records.h: all that lies on the exports of places.h: records, trash, directories without a
 * record, through the NFS worker */
#ifndef BERTH_AGENT_RECORDS_H
#define BERTH_AGENT_RECORDS_H

#include "agent/places.h"
#include "volume/backend.h"

struct records_callbacks {
	/* Each entry, borrowed for the call; false: no more of them are wanted. */
	bool (*entry)(const struct places *p, const struct place *at,
		const struct volume_entry *entry, void *userdata);
	/* Once, at the end: p is the callee's. NULL with e where nothing could be looked at. */
	void (*done)(struct places *p, const struct err *e, void *userdata);
};

/*
 * Looks through one export ("server:/path") or, with NULL, all of them at once: one that does not
 * answer is named in p->incomplete and costs no more than the worker's own deadline. done() comes
 * later, but not any more once the worker's backend or the API client was freed. -ENOENT from
 * done(): nothing names that export. -ENOTSUP, -ENOMEM at once, with text.
 */
int records_walk(struct loop *l, const struct view *v, const char *export_,
	const struct records_callbacks *cb, void *userdata, struct err *e);

#endif
