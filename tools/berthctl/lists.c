/* SPDX-License-Identifier: Apache-2.0 */
/* lists.c: columns of each kind, cells of each row */
#include "tools/berthctl/lists.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/str.h"
#include "data/decode.h"
#include "tools/berthctl/human.h"

#define CELL_MAX 8192
#define OUTPUT_MAX (64U << 20)

enum cell {
	CELL_TEXT,
	CELL_AGE,
	CELL_BYTES,
	CELL_NUMBER,
	CELL_MILLISECONDS,
	CELL_POD,    /* namespace/pod */
	CELL_SOURCE, /* server:export */
	CELL_ACCESS, /* ro or rw */
	CELL_UNTIL,  /* how long till then */
};

/* A column: how it is shown, and what of the row it shows. */
struct list_column {
	struct grid_column grid;
	enum cell cell;
	const char *key;
	bool wide; /* -o wide only */
};

#define STATE                                                          \
	{                                                              \
		{"STATE", 0, 0, GRID_STATE}, CELL_TEXT, "state", false \
	}

static const struct list_column drivers[] = {STATE,
	{{"DRIVER", 12, 0, GRID_MIDDLE}, CELL_TEXT, "name", false},
	{{"SINCE", 0, 2, GRID_RIGHT}, CELL_AGE, "since", false},
	{{"SOCKET", 20, 1, GRID_MIDDLE}, CELL_TEXT, "socket", false},
	{{"REGISTRATION", 0, 0, 0}, CELL_TEXT, "registrationSocket", true}};
static const struct list_column volumes[] = {STATE,
	{{"POD", 14, 0, GRID_MIDDLE}, CELL_POD, "pod", false},
	{{"VOLUME", 16, 2, GRID_MIDDLE}, CELL_TEXT, "volume", false},
	{{"SOURCE", 22, 3, GRID_MIDDLE}, CELL_TEXT, "source", false},
	{{"MODE", 0, 5, 0}, CELL_ACCESS, "readOnly", false},
	{{"AGE", 0, 4, GRID_RIGHT}, CELL_AGE, "published", false},
	{{"DRIVER", 0, 0, 0}, CELL_TEXT, "driver", true},
	{{"TARGET", 0, 0, 0}, CELL_TEXT, "target", true}};
static const struct list_column mounts[] = {STATE, {{"KIND", 0, 3, 0}, CELL_TEXT, "kind", false},
	{{"VOLUME", 16, 2, GRID_MIDDLE}, CELL_TEXT, "volume", false},
	{{"TARGET", 22, 0, GRID_MIDDLE}, CELL_TEXT, "target", false},
	{{"SOURCE", 20, 4, GRID_MIDDLE}, CELL_TEXT, "source", false},
	{{"TYPE", 0, 0, 0}, CELL_TEXT, "filesystem", true},
	{{"PEER", 0, 0, GRID_RIGHT}, CELL_NUMBER, "peerGroup", true},
	{{"OPTIONS", 0, 0, 0}, CELL_TEXT, "options", true}};
static const struct list_column pools[] = {STATE,
	{{"POOL", 8, 0, GRID_MIDDLE}, CELL_TEXT, "name", false},
	{{"SIZE", 0, 1, GRID_RIGHT}, CELL_BYTES, "capacity", false},
	{{"FREE", 0, 0, GRID_RIGHT}, CELL_BYTES, "free", false},
	{{"PROMISED", 0, 2, GRID_RIGHT}, CELL_BYTES, "promised", false},
	{{"QUOTA", 0, 3, 0}, CELL_TEXT, "quota", false},
	{{"TYPE", 0, 4, 0}, CELL_TEXT, "filesystem", false},
	{{"PATH", 16, 5, GRID_MIDDLE}, CELL_TEXT, "path", false},
	{{"IDENTITY", 0, 0, 0}, CELL_TEXT, "identity", true}};
static const struct list_column exports[] = {STATE,
	{{"EXPORT", 20, 0, GRID_MIDDLE}, CELL_SOURCE, "export", false},
	{{"NFS", 0, 3, 0}, CELL_TEXT, "version", false},
	{{"ANSWER", 0, 2, GRID_RIGHT}, CELL_MILLISECONDS, "roundTripMilliseconds", false},
	{{"VOLUMES", 0, 4, GRID_RIGHT}, CELL_NUMBER, "volumes", false},
	{{"ADDRESS", 0, 5, 0}, CELL_TEXT, "address", false},
	{{"LAST", 0, 0, GRID_RIGHT}, CELL_AGE, "answered", true},
	{{"ID", 0, 0, 0}, CELL_TEXT, "id", true},
	{{"OPTIONS", 0, 0, 0}, CELL_TEXT, "options", true}};
static const struct list_column operations[] = {STATE,
	{{"WHAT", 0, 0, 0}, CELL_TEXT, "what", false},
	{{"OBJECT", 20, 1, GRID_MIDDLE}, CELL_TEXT, "object", false},
	{{"SINCE", 0, 2, GRID_RIGHT}, CELL_AGE, "started", false},
	{{"DEADLINE", 0, 0, 0}, CELL_TEXT, "deadline", true}};
static const struct list_column trash[] = {{{"NAME", 20, 0, GRID_MIDDLE}, CELL_TEXT, "name", false},
	{{"CLAIM", 12, 1, GRID_MIDDLE}, CELL_TEXT, "claim", false},
	{{"AGE", 0, 2, GRID_RIGHT}, CELL_AGE, "changed", false},
	{{"STAYS", 0, 3, GRID_RIGHT}, CELL_UNTIL, "removed", false},
	{{"EXPORT", 18, 4, GRID_MIDDLE}, CELL_SOURCE, "export", false},
	{{"CLASS", 0, 0, 0}, CELL_TEXT, "class", true},
	{{"DIRECTORY", 0, 0, 0}, CELL_TEXT, "directory", true}};
static const struct list_column adoptions[] = {STATE,
	{{"VOLUME", 16, 0, GRID_MIDDLE}, CELL_TEXT, "volume", false},
	{{"CLAIM", 12, 1, GRID_MIDDLE}, CELL_TEXT, "claim", false},
	{{"EXPORT", 18, 2, GRID_MIDDLE}, CELL_SOURCE, "export", false},
	{{"CLASS", 0, 0, 0}, CELL_TEXT, "class", true},
	{{"DIRECTORY", 0, 0, 0}, CELL_TEXT, "directory", true}};
static const struct list_column orphans[] = {{{"KIND", 0, 0, 0}, CELL_TEXT, "kind", false},
	{{"NAME", 20, 0, GRID_MIDDLE}, CELL_TEXT, "name", false},
	{{"CLAIM", 12, 1, GRID_MIDDLE}, CELL_TEXT, "claim", false},
	{{"AGE", 0, 2, GRID_RIGHT}, CELL_AGE, "changed", false},
	{{"EXPORT", 18, 3, GRID_MIDDLE}, CELL_SOURCE, "export", false}};

#define LIST(kind)                            \
	{                                     \
#kind, kind, ELEMENTSOF(kind) \
	}
static const struct list {
	const char *name;
	const struct list_column *columns;
	size_t n;
} lists[] = {LIST(drivers), LIST(volumes), LIST(mounts), LIST(pools), LIST(exports),
	LIST(operations), LIST(trash), LIST(orphans), LIST(adoptions)};

/* ---- cells -------------------------------------------------------------------------------- */

static const char *text_of(const json_t *row, const char *key)
{
	return str_or(json_string_at(row, key, NULL), "");
}

static void put_age(const json_t *row, const char *key, uint64_t now, char dst[CELL_MAX])
{
	char text[HUMAN_MAX];
	uint64_t then = 0;

	if (clock_parse(text_of(row, key), &then) < 0)
		then = 0;
	(void)str_copy_cut(dst, CELL_MAX, human_age(now, then, text));
}

static void put_until(const json_t *row, const char *key, uint64_t now, char dst[CELL_MAX])
{
	char text[HUMAN_MAX];
	uint64_t then = 0;

	if (clock_parse(text_of(row, key), &then) < 0)
		(void)str_copy_cut(dst, CELL_MAX, "-");
	else
		(void)str_copy_cut(
			dst, CELL_MAX, then > now ? human_age(then, now, text) : "going");
}

static void put_number(const json_t *row, const struct list_column *c, char dst[CELL_MAX])
{
	const json_t *value = json_object_get(row, c->key);
	char text[HUMAN_MAX];

	/* A pool of no size is one that nobody has measured. */
	if (!json_is_number(value) || (c->cell == CELL_BYTES && json_integer_value(json_object_get(
									row, "capacity")) == 0))
		(void)str_copy_cut(dst, CELL_MAX, "-");
	else if (c->cell == CELL_BYTES)
		(void)str_copy_cut(
			dst, CELL_MAX, human_bytes((uint64_t)json_integer_value(value), text));
	else if (c->cell == CELL_MILLISECONDS)
		(void)snprintf(dst, CELL_MAX, "%.1fms", json_number_value(value));
	else
		(void)snprintf(dst, CELL_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

/* Two texts with something between, where both are there. */
static void put_pair(const char *a, const char *between, const char *b, char dst[CELL_MAX])
{
	(void)snprintf(dst, CELL_MAX, "%s%s%s", a, *a && *b ? between : "", b);
}

static void put_cell(
	const json_t *row, const struct list_column *c, uint64_t now, char dst[CELL_MAX])
{
	switch (c->cell) {
	case CELL_TEXT:
		(void)str_copy_cut(dst, CELL_MAX, text_of(row, c->key));
		break;
	case CELL_AGE:
		put_age(row, c->key, now, dst);
		break;
	case CELL_UNTIL:
		put_until(row, c->key, now, dst);
		break;
	case CELL_BYTES:
	case CELL_NUMBER:
	case CELL_MILLISECONDS:
		put_number(row, c, dst);
		break;
	case CELL_POD:
		put_pair(text_of(row, "namespace"), "/", text_of(row, "pod"), dst);
		break;
	case CELL_SOURCE:
		put_pair(text_of(row, "server"), ":", text_of(row, "export"), dst);
		break;
	case CELL_ACCESS:
		(void)str_copy_cut(
			dst, CELL_MAX, json_is_true(json_object_get(row, c->key)) ? "ro" : "rw");
		break;
	}
	if (!*dst)
		(void)str_copy_cut(dst, CELL_MAX, "-");
}

bool lists_is_well(const json_t *row)
{
	static const char *const well[] = {"", "Ok", "Registered", "Off", "Running", "Queued",
		"Unknown", "Busy", "Adopted", "Restored", "Adoptable", "Present"};

	for (size_t i = 0; i < ELEMENTSOF(well); i++)
		if (streq(well[i], text_of(row, "state")))
			return true;
	return false;
}

/* ---- tables ------------------------------------------------------------------------------- */

static int add_row(
	struct grid *g, const struct list *list, const json_t *row, bool wide, uint64_t now)
{
	char(*cells)[CELL_MAX] = calloc(GRID_COLUMNS_MAX, CELL_MAX);
	const char *shown[GRID_COLUMNS_MAX];
	size_t n = 0;
	int r;

	if (!cells)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		if (list->columns[i].wide && !wide)
			continue;
		put_cell(row, &list->columns[i], now, cells[n]);
		shown[n] = cells[n];
		n++;
	}
	r = grid_add(g, shown, text_of(row, "text"));
	free(cells);
	return r;
}

static size_t choose_columns(const struct list *list, bool wide, struct grid_column *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++)
		if (wide || !list->columns[i].wide)
			ret[n++] = list->columns[i].grid;
	return n;
}

static const struct list *find_list(const char *kind)
{
	for (size_t i = 0; i < ELEMENTSOF(lists); i++)
		if (streq(lists[i].name, kind))
			return &lists[i];
	return NULL;
}

int lists_table(
	const char *kind, const json_t *items, const struct cli *c, uint64_t now, struct buf *out)
{
	const struct list *list = find_list(kind);
	const bool wide = c->format == CLI_WIDE;
	struct grid_column columns[GRID_COLUMNS_MAX];
	_cleanup_(grid_freep) struct grid *g = NULL;
	size_t i;
	json_t *row;
	int r;

	if (!list)
		return -ENOENT;
	r = grid_new(&g, columns, choose_columns(list, wide, columns));
	json_array_foreach (items, i, row)
		if (r == 0)
			r = add_row(g, list, row, wide, now);
	return r < 0 ? r : grid_print(g, &c->style, out);
}

static bool contains(const json_t *row, const char *word)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)row, key, value)
		if (json_is_string(value) && strstr(json_string_value(value), word))
			return true;
	return false;
}

json_t *lists_filter(const json_t *items, char *const *words, size_t n)
{
	json_t *chosen = json_array(), *row;
	size_t i;

	json_array_foreach (items, i, row) {
		size_t found = 0;

		while (found < n && contains(row, words[found]))
			found++;
		if (chosen && found == n)
			(void)json_array_append(chosen, row);
	}
	return chosen;
}

/* What an answer could not say stands on standard error, so that tables stay tables. */
static void say_incomplete(const json_t *answer)
{
	size_t i;
	json_t *text;

	json_array_foreach (json_object_get(answer, "incomplete"), i, text)
		(void)cli_fail(0, "incomplete: %s", str_or(json_string_value(text), ""));
}

static int health_of(const json_t *answer)
{
	size_t i;
	json_t *row;

	json_array_foreach (json_object_get(answer, "items"), i, row)
		if (!lists_is_well(row))
			return CLI_UNHEALTHY;
	return CLI_FINE;
}

static int print_table(const struct cli *c, const char *kind, const json_t *answer)
{
	_cleanup_buf_ struct buf out = BUF_NULL(OUTPUT_MAX);
	const json_t *items = json_object_get(answer, "items");
	int r;

	say_incomplete(answer);
	if (json_array_size(items) == 0)
		return cli_fail(CLI_FINE, "no %s%s", kind, c->n_words ? " of that name" : " here");
	r = lists_table(kind, items, c, clock_real(), &out);
	if (r < 0)
		return cli_fail(CLI_UNHEALTHY, "cannot print: %s", strerror(-r));
	return cli_write(&out, health_of(answer));
}

int lists_print(const struct cli *c, const char *kind, const json_t *answer)
{
	if (c->format == CLI_JSON || c->format == CLI_YAML)
		return cli_print_json(c, answer, health_of(answer));
	return print_table(c, kind, answer);
}

int lists_run(const struct cli *c)
{
	_cleanup_json_ json_t *answer = NULL;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/v1/%s", c->command->name);
	r = cli_ask(c, path, NULL, &answer);
	if (r != CLI_FINE)
		return r;
	if (c->n_words > 0 &&
		json_object_set_new(answer, "items",
			lists_filter(json_object_get(answer, "items"), c->words, c->n_words)) < 0)
		return cli_fail(CLI_UNHEALTHY, "out of memory");
	return lists_print(c, c->command->name, answer);
}
