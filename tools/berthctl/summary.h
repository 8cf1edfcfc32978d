/* SPDX-License-Identifier: Apache-2.0 */
/* summary.h: a node at a glance, and doctor's findings */
#ifndef BERTH_BERTHCTL_SUMMARY_H
#define BERTH_BERTHCTL_SUMMARY_H

#include <stdint.h>

#include "tools/berthctl/cli.h"

/* GET /v1/status; 1 where the agent says that something is wrong. */
int summary_status(const struct cli *c);
/* GET /v1/doctor, or without an agent what can be seen from here (then 3). */
int summary_doctor(const struct cli *c);

/* The text of the first, for tests. -ENOMEM, -ENOBUFS. */
int summary_put_status(const json_t *status, const struct cli *c, uint64_t now, struct buf *out);

#endif
