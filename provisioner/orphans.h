/* SPDX-License-Identifier: Apache-2.0 */
/* orphans.h: looks through the exports for what no PV and no claim stands for, at start and on a
 * timer: reports it, removes only what the record proves to be ours and was never used, and finds
 * trash */
#ifndef BERTH_PROVISIONER_ORPHANS_H
#define BERTH_PROVISIONER_ORPHANS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct provisioner;
struct orphans;
int orphans_new(struct orphans **ret, struct provisioner *p);
struct orphans *orphans_free(struct orphans *s);
DEFINE_CLEANUP(struct orphans *, orphans_free)

/* The first scan, soon after the start of leading. */
void orphans_start(struct orphans *s);
/* Begins a scan, or has the one that runs go over all exports again; then every interval. */
void orphans_scan(struct orphans *s);
/* After a new configuration: the interval may be another. */
void orphans_rearm(struct orphans *s);
bool orphans_running(const struct orphans *s);
/* Ends after the page that is being read. */
void orphans_stop(struct orphans *s);

#endif
