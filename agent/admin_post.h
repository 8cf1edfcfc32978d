/* SPDX-License-Identifier: Apache-2.0 */
/* admin_post.h: orders on the admin socket: their bodies, and whether they may be carried out */
#ifndef BERTH_AGENT_ADMIN_POST_H
#define BERTH_AGENT_ADMIN_POST_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/view.h"

#define ADMIN_BODY_MAX (64U << 10)

/* The body of any order; texts are borrowed from what admin_order_parse() keeps. */
struct admin_order {
	void *document; /* for admin_order_done() */
	/* "" where not given */
	const char *target, *name, *export_, *volume;
	bool all, dry_run;
};
/* An empty body is an empty object; keys that the order does not know are refused by name.
 * -EBADMSG, -E2BIG, -ENOMEM with text. */
int admin_order_parse(struct admin_order *ret, const char *body, size_t size, struct err *e);
void admin_order_done(struct admin_order *o);

/* Whether target may be detached by hand: a mount of the listing, a subPath's or orphaned, and not
 * Ok. -EINVAL, -ENOENT, -EBUSY (it is in use and well) with text. */
int admin_may_detach(const struct view *v, const char *target, struct err *e);

#endif
