/* SPDX-License-Identifier: Apache-2.0 */
/* grid.c: natural widths, what is cut or left out, lines */
#include "tools/berthctl/grid.h"

#include <errno.h>

#include "base/list.h"
#include "base/str.h"
#include "tools/berthctl/width.h"

#define GAP 2

struct row {
	struct list item;
	char *note;
	char *cells[GRID_COLUMNS_MAX];
};

struct grid {
	const struct grid_column *columns;
	size_t n;
	size_t natural[GRID_COLUMNS_MAX];
	struct list rows;
};

/* What a printing has room for; 0: left out. */
struct plan {
	size_t widths[GRID_COLUMNS_MAX];
	size_t last;
};

int grid_new(struct grid **ret, const struct grid_column *columns, size_t n)
{
	struct grid *g = n <= GRID_COLUMNS_MAX ? calloc(1, sizeof(*g)) : NULL;

	if (!g)
		return n > GRID_COLUMNS_MAX ? -EINVAL : -ENOMEM;
	g->columns = columns;
	g->n = n;
	list_init(&g->rows);
	for (size_t i = 0; i < n; i++)
		g->natural[i] = width_of(columns[i].title);
	*ret = g;
	return 0;
}

static void row_free(struct row *r)
{
	for (size_t i = 0; i < GRID_COLUMNS_MAX; i++)
		free(r->cells[i]);
	free(r->note);
	free(r);
}

struct grid *grid_free(struct grid *g)
{
	if (!g)
		return NULL;
	LIST_FOREACH (&g->rows, it)
		row_free(LIST_ENTRY(it, struct row, item));
	free(g);
	return NULL;
}

int grid_add(struct grid *g, const char *const *cells, const char *note)
{
	struct row *r = calloc(1, sizeof(*r));
	bool failed = !r;

	for (size_t i = 0; !failed && i < g->n; i++) {
		r->cells[i] = strdup(cells[i]);
		failed = !r->cells[i];
	}
	if (!failed) {
		r->note = strdup(note);
		failed = !r->note;
	}
	if (failed) {
		if (r)
			row_free(r);
		return -ENOMEM;
	}
	for (size_t i = 0; i < g->n; i++) {
		const size_t w = width_of(cells[i]);

		if (w > g->natural[i])
			g->natural[i] = w;
	}
	list_append(&g->rows, &r->item);
	return 0;
}

/* ---- fitting ------------------------------------------------------------------------------ */

static size_t total_of(const struct grid *g, const struct plan *p)
{
	size_t total = 0;

	for (size_t i = 0; i < g->n; i++)
		if (p->widths[i])
			total += p->widths[i] + (total ? GAP : 0);
	return total;
}

/* The widest column that may be narrower; -1 for none. */
static int find_widest(const struct grid *g, const struct plan *p)
{
	int widest = -1;

	for (size_t i = 0; i < g->n; i++) {
		if (g->columns[i].min == 0 || p->widths[i] <= g->columns[i].min)
			continue;
		if (widest < 0 || p->widths[i] > p->widths[widest])
			widest = (int)i;
	}
	return widest;
}

static int find_droppable(const struct grid *g, const struct plan *p)
{
	int found = -1;

	for (size_t i = 0; i < g->n; i++)
		if (p->widths[i] && g->columns[i].drop &&
			(found < 0 || g->columns[i].drop > g->columns[found].drop))
			found = (int)i;
	return found;
}

static void shrink(const struct grid *g, struct plan *p, size_t width)
{
	int i;

	while (total_of(g, p) > width && (i = find_widest(g, p)) >= 0)
		p->widths[i]--;
}

/* What is left of the last column in the end, whatever its minimum. */
static void squeeze(const struct grid *g, struct plan *p, size_t width)
{
	while (total_of(g, p) > width) {
		size_t widest = 0;

		for (size_t i = 1; i < g->n; i++)
			if (p->widths[i] > p->widths[widest])
				widest = i;
		if (p->widths[widest] <= 1)
			return;
		p->widths[widest]--;
	}
}

static void plan_widths(const struct grid *g, size_t width, struct plan *p)
{
	bool dropped[GRID_COLUMNS_MAX] = {false};

	while (true) {
		int i;

		for (size_t k = 0; k < g->n; k++)
			p->widths[k] = dropped[k] ? 0 : g->natural[k];
		if (width > 0)
			shrink(g, p, width);
		if (width == 0 || total_of(g, p) <= width)
			break;
		i = find_droppable(g, p);
		if (i < 0) {
			squeeze(g, p, width);
			break;
		}
		dropped[i] = true;
	}
	for (size_t k = 0; k < g->n; k++)
		if (p->widths[k])
			p->last = k;
}

/* ---- lines -------------------------------------------------------------------------------- */

const char *grid_color(const char *state)
{
	static const struct {
		const char *state, *color;
	} colors[] = {
		{"Ok", "\033[32m"},
		{"ok", "\033[32m"},
		{"Registered", "\033[32m"},
		{"Running", "\033[32m"},
		{"Queued", ""},
		{"Off", GRID_DIM},
		{"note", "\033[36m"},
		{"Unknown", GRID_DIM},
		{"Orphaned", "\033[33m"},
		{"Delayed", "\033[33m"},
		{"Waiting", "\033[33m"},
		{"warning", "\033[33m"},
		{"slow", "\033[33m"},
		{"Busy", "\033[33m"},
		{"Hung", "\033[31m"},
		{"Stale", "\033[31m"},
		{"Failed", "\033[31m"},
		{"Stuck", "\033[31m"},
		{"down", "\033[31m"},
		{"error", "\033[31m"},
	};

	for (size_t i = 0; i < ELEMENTSOF(colors); i++)
		if (streq(colors[i].state, state))
			return colors[i].color;
	return "";
}

static int put_spaces(struct buf *out, size_t n)
{
	return n ? buf_printf(out, "%*s", (int)n, "") : 0;
}

static int put_colored(struct buf *out, const char *before, const char *text, size_t width,
	unsigned flags, size_t *used)
{
	int r = buf_puts(out, before);

	if (r == 0)
		r = width_put(out, text, width,
			flags & GRID_MIDDLE ? WIDTH_CUT_MIDDLE : WIDTH_CUT_END, used);
	if (r == 0 && *before)
		r = buf_puts(out, GRID_PLAIN);
	return r;
}

static int put_cell(struct buf *out, const char *text, const char *color, const struct plan *p,
	const struct grid *g, size_t i)
{
	const unsigned flags = g->columns[i].flags;
	const size_t width = p->widths[i], natural = width_of(text);
	size_t used = 0;
	int r = 0;

	if (flags & GRID_RIGHT && natural < width)
		r = put_spaces(out, width - natural);
	if (r == 0)
		r = put_colored(out, color, text, width, flags, &used);
	if (r == 0 && i != p->last)
		r = put_spaces(out, GAP + (flags & GRID_RIGHT ? 0 : width - used));
	return r;
}

static int put_titles(
	const struct grid *g, const struct plan *p, const struct grid_style *s, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < g->n; i++)
		if (p->widths[i])
			r = put_cell(out, g->columns[i].title, s->color ? GRID_BOLD : "", p, g, i);
	return r < 0 ? r : buf_puts(out, "\n");
}

static int put_note(const char *note, const struct grid_style *s, struct buf *out)
{
	const size_t width = s->width > 4 ? s->width - 2 : 0;
	size_t used;
	int r = buf_puts(out, "  ");

	if (r == 0)
		r = put_colored(
			out, s->color ? "\033[33m" : "", note, width ? width : SIZE_MAX, 0, &used);
	return r < 0 ? r : buf_puts(out, "\n");
}

static int put_row(const struct grid *g, const struct plan *p, const struct grid_style *s,
	const struct row *row, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < g->n; i++) {
		const bool colored = s->color && g->columns[i].flags & GRID_STATE;

		if (p->widths[i])
			r = put_cell(out, row->cells[i], colored ? grid_color(row->cells[i]) : "",
				p, g, i);
	}
	if (r == 0)
		r = buf_puts(out, "\n");
	return r == 0 && *row->note ? put_note(row->note, s, out) : r;
}

int grid_print(const struct grid *g, const struct grid_style *style, struct buf *out)
{
	struct plan p = {.last = 0};
	int r;

	plan_widths(g, style->width, &p);
	r = put_titles(g, &p, style, out);
	LIST_FOREACH (&((struct grid *)g)->rows, it)
		if (r == 0)
			r = put_row(g, &p, style, LIST_ENTRY(it, struct row, item), out);
	return r;
}
