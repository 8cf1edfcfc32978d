/* SPDX-License-Identifier: Apache-2.0 */
/* recovery.h: restore and adopt: finds the records on the exports and writes a BerthVolume for each
 * as an order; the provisioner that leads carries them out (provisioner/adoptions.h) */
#ifndef BERTH_AGENT_RECOVERY_H
#define BERTH_AGENT_RECOVERY_H

#include <jansson.h>

#include "agent/view.h"
#include "event/loop.h"

/* Orders of one call; the rest is told as incomplete. */
#define RECOVERY_MAX 10000

/* Texts are copied. */
struct recovery_order {
	const char *name;    /* restore: a tree in the trash, or its volume; NULL: adopt */
	const char *export_; /* adopt: "server:/path"; NULL: all */
	const char *volume;  /* adopt: this one; NULL: all whose BerthVolume and PV are gone */
	bool dry_run;
};

/*
 * Once, later: document {"kind": "adoptions", "items", "incomplete"} is borrowed; NULL with e.
 * A row's state: Restored, Adopted, Present (has its PV), Adoptable (dry run), Refused (text), or
 * Ordered where the provisioner did not come to it within 45 s.
 */
typedef void (*recovery_fn)(json_t *document, const struct err *e, void *userdata);
/* -ENOTSUP without worker or API server, -ENOMEM, with text. fn does not come any more once the
 * worker's backend or the API client was freed. */
int recovery_run(struct loop *l, const struct view *v, const struct recovery_order *o,
	recovery_fn fn, void *userdata, struct err *e);

#endif
