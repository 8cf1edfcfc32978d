/* SPDX-License-Identifier: Apache-2.0 */
/* lists.h: the agent's lists as tables */
#ifndef BERTH_BERTHCTL_LISTS_H
#define BERTH_BERTHCTL_LISTS_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/berthctl/cli.h"

/* GET /v1/<name of the command>, printed as the format asks. 1 where a row is not well. */
/* An answer of that kind as the format asks; the exit code says whether all rows are well. */
int lists_print(const struct cli *c, const char *kind, const json_t *answer);
int lists_run(const struct cli *c);

/* The table of a kind ("volumes", ...) over its items; for lists_run() and tests. */
int lists_table(
	const char *kind, const json_t *items, const struct cli *c, uint64_t now, struct buf *out);
/* Whether a row's state is one of those that need nobody. */
bool lists_is_well(const json_t *row);
/* Items that contain all words, in any of their texts; NULL without memory. */
json_t *lists_filter(const json_t *items, char *const *words, size_t n);

#endif
