/* SPDX-License-Identifier: Apache-2.0 */
/* orphans.h: looks through the exports for what no PV and no claim stands for, at start and on a
 * timer: reports it, removes only what the record proves to be ours and was never used, and finds
 * trash */
#ifndef BERTH_PROVISIONER_ORPHANS_H
#define BERTH_PROVISIONER_ORPHANS_H

#include "base/cleanup.h"

struct provisioner;
struct orphans;
int orphans_new(struct orphans **ret, struct provisioner *p);
struct orphans *orphans_free(struct orphans *s);
DEFINE_CLEANUP(struct orphans *, orphans_free)

/* The first scan, soon after the start of leading; then every interval. */
void orphans_start(struct orphans *s);
/* After a new configuration: the interval may be another. */
void orphans_rearm(struct orphans *s);
/* Ends after the page that is being read. */
void orphans_stop(struct orphans *s);

#endif
