/* SPDX-License-Identifier: Apache-2.0 */
/* feed.h: the caches, and who is told what changed in them */
#ifndef BERTH_PROVISIONER_FEED_H
#define BERTH_PROVISIONER_FEED_H

#include "base/err.h"

struct provisioner;
int feed_start(struct provisioner *p, struct err *e);
/* Looks at everything: at the start of leading, and once the caches are complete. */
void feed_begin(struct provisioner *p);

#endif
