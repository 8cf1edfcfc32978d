/* SPDX-License-Identifier: Apache-2.0 */
/* follow.h: berthctl watch: changes as they happen */
#ifndef BERTH_BERTHCTL_FOLLOW_H
#define BERTH_BERTHCTL_FOLLOW_H

#include "tools/berthctl/cli.h"

/* GET /v1/watch, of the kinds that the words name (all but operations without words), until the
 * agent ends it (3). */
int follow_run(const struct cli *c);
/* A line of the stream as a line for people; "" for one that tells nothing. -EBADMSG. */
int follow_put(const char *line, const struct cli *c, struct buf *out);

#endif
