/* SPDX-License-Identifier: Apache-2.0 */
/* grid.h: tables that fit a terminal */
#ifndef BERTH_BERTHCTL_GRID_H
#define BERTH_BERTHCTL_GRID_H

#include <stddef.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define GRID_COLUMNS_MAX 16

enum grid_flag {
	GRID_RIGHT = 1U << 0,  /* figures */
	GRID_MIDDLE = 1U << 1, /* cut in the middle: paths and names differ at both ends */
	GRID_STATE = 1U << 2,  /* coloured by what it says */
};

struct grid_column {
	const char *title;
	unsigned min;  /* may be cut down to this many columns; 0: never cut */
	unsigned drop; /* 0: always shown; else left out where space is short, highest first */
	unsigned flags;
};

struct grid_style {
	size_t width; /* of the terminal, 0: no limit */
	int color;    /* escape sequences are welcome */
};

/* The columns are borrowed. */
struct grid;
int grid_new(struct grid **ret, const struct grid_column *columns, size_t n);
struct grid *grid_free(struct grid *g);
DEFINE_CLEANUP(struct grid *, grid_free)

/* One text a column (copied), and one to stand below the row, "" for none. -ENOMEM. */
int grid_add(struct grid *g, const char *const *cells, const char *note);
/*
 * Appends the table: a line of titles, the rows. No line is wider than style->width where that is
 * 20 or more; columns are cut down first, then left out, so that at least one stays.
 */
int grid_print(const struct grid *g, const struct grid_style *style, struct buf *out);

/* Escape sequence for a state word, "" for none. Ends with GRID_PLAIN. */
const char *grid_color(const char *state);
#define GRID_PLAIN "\033[0m"
#define GRID_BOLD "\033[1m"
#define GRID_DIM "\033[2m"

#endif
