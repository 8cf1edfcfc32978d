/* SPDX-License-Identifier: Apache-2.0 */
/* test_berthctl_grid.c: tables at every width, names that are no ASCII, hostile names */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/admin_json.h"
#include "base/str.h"
#include "data/decode.h"
#include "tests/unit/fault.h"
#include "tests/unit/view_world.h"
#include "tools/berthctl/grid.h"
#include "tools/berthctl/lists.h"
#include "tools/berthctl/paragraph.h"
#include "tools/berthctl/width.h"

#define NOW 1764200000000000000ULL

static void width_is(const char *text, size_t want)
{
	assert_int_equal(width_of(text), want);
}

static void test_width(void **state)
{
	(void)state;
	width_is("", 0);
	width_is("plain", 5);
	width_is("grünkohl", 8);
	width_is("日本語", 6);
	width_is("e\u0301", 1); /* a combining accent */
	width_is("a\tb", 6);    /* \x09 */
	width_is("\033[31m", 8);
	width_is("\xff", 4);
}

static void cut_is(const char *text, size_t max, enum width_cut cut, const char *want)
{
	_cleanup_buf_ struct buf out = BUF_NULL(4096);
	size_t used = 0;

	assert_int_equal(width_put(&out, text, max, cut, &used), 0);
	assert_string_equal(str_or(out.data, ""), want);
	assert_int_equal(used, width_of(want));
	assert_true(used <= max);
}

static void test_cut(void **state)
{
	(void)state;
	cut_is("hello", 5, WIDTH_CUT_END, "hello");
	cut_is("hello", 4, WIDTH_CUT_END, "hel\u2026");
	cut_is("hello", 4, WIDTH_CUT_MIDDLE, "h\u2026lo");
	cut_is("hello", 1, WIDTH_CUT_END, ".");
	cut_is("hello", 0, WIDTH_CUT_END, "");
	/* Half of a wide character is none. */
	cut_is("日本語", 5, WIDTH_CUT_END, "日本\u2026");
	cut_is("日本語", 4, WIDTH_CUT_END, "日\u2026");
	cut_is("日本語", 4, WIDTH_CUT_MIDDLE, "\u2026語");
	/* Nothing that a terminal obeys comes through. */
	cut_is("\033]0;x\007", 40, WIDTH_CUT_END, "\\x1b]0;x\\x07");
	cut_is("a\xc2\x9b"
	       "b",
		40, WIDTH_CUT_END, "a\\xc2\\x9bb");
}

/* No line is wider; the widest of them is returned. */
static size_t widest_line(const char *text)
{
	size_t widest = 0;

	while (*text) {
		const size_t n = strcspn(text, "\n");
		char *line = strndup(text, n);

		assert_non_null(line);
		/* Counted as columns: colours are off. */
		if (width_of(line) > widest)
			widest = width_of(line);
		free(line);
		text += n + (text[n] == '\n');
	}
	return widest;
}

static size_t lines_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void check_kind(struct view_world *w, enum admin_kind kind, enum cli_format format)
{
	_cleanup_json_ json_t *rows = admin_rows(kind, &w->view, 0);
	struct cli c = {.format = format};

	assert_non_null(rows);
	for (size_t width = 20; width <= 220; width++) {
		_cleanup_buf_ struct buf out = BUF_NULL(1U << 20);

		c.style.width = width;
		assert_int_equal(lists_table(admin_kind_name(kind), rows, &c, NOW, &out), 0);
		assert_true(widest_line(out.data) <= width);
		assert_true(lines_of(out.data) >= json_array_size(rows) + 1);
		assert_null(strstr(out.data, " \n"));
	}
}

static void test_every_list_at_every_width(void **state)
{
	struct view_world w;

	(void)state;
	view_world_init(&w, NULL);
	view_world_hang(&w);
	w.pools[0].text = "the disk is not there";
	for (enum admin_kind k = ADMIN_DRIVERS; k < _ADMIN_KIND_MAX; k++) {
		check_kind(&w, k, CLI_TABLE);
		check_kind(&w, k, CLI_WIDE);
	}
}

static void print_volumes(struct view_world *w, size_t width, struct buf *out)
{
	_cleanup_json_ json_t *rows = admin_rows(ADMIN_VOLUMES, &w->view, 0);
	const struct cli c = {.style = {.width = width}};

	assert_int_equal(lists_table("volumes", rows, &c, NOW, out), 0);
}

static void test_volumes_at_three_widths(void **state)
{
	_cleanup_buf_ struct buf narrow = BUF_NULL(65536), usual = BUF_NULL(65536),
				 wide = BUF_NULL(65536);
	struct view_world w;

	(void)state;
	view_world_init(&w, NULL);
	w.n_volumes = 2;
	print_volumes(&w, 40, &narrow);
	assert_string_equal(narrow.data, "STATE  POD              VOLUME\n"
					 "Ok     default/web-0    pvc-6fb\u2026456789ab\n"
					 "Ok     büro/gr\u2026本語-0   pvc-02d\u202676543210\n");
	print_volumes(&w, 80, &usual);
	assert_string_equal(usual.data,
		"STATE  POD                VOLUME             SOURCE                  MODE    AGE\n"
		"Ok     default/web-0      pvc-6fb1\u2026456789ab  nas-1.exam\u2026123456789ab  rw "
		"   2h45m\n"
		"Ok     büro/grü\u2026日本語-0  pvc-02d4\u202676543210  "
		"nas-2.exam\u2026team-b/data  ro    2h44m\n");
	print_volumes(&w, 0, &wide);
	assert_non_null(strstr(wide.data, "nas-2.example.org:/export/k8s/team-b/data"));
	assert_non_null(strstr(wide.data, "büro/grünkohl-zeitung-日本語-0"));
}

static void test_hostile_names(void **state)
{
	_cleanup_buf_ struct buf out = BUF_NULL(65536);
	struct view_world w;

	(void)state;
	view_world_init(&w, NULL);
	w.n_volumes = 1;
	w.volumes[0].pod = "\033[2J\xff\r\n0";
	print_volumes(&w, 200, &out);
	assert_null(strchr(out.data, '\033'));
	assert_null(strchr(out.data, '\r'));
	assert_int_equal(lines_of(out.data), 2);
	assert_non_null(strstr(out.data, "\\x1b[2J"));
}

static void test_colors_are_asked_for(void **state)
{
	_cleanup_buf_ struct buf out = BUF_NULL(65536);
	static const struct grid_column columns[] = {{"STATE", 0, 0, GRID_STATE}, {"N", 0, 0, 0}};
	_cleanup_(grid_freep) struct grid *g = NULL;
	const struct grid_style style = {.width = 80, .color = 1};

	(void)state;
	assert_int_equal(grid_new(&g, columns, 2), 0);
	assert_int_equal(grid_add(g, (const char *[]){"Hung", "Hung"}, "why"), 0);
	assert_int_equal(grid_print(g, &style, &out), 0);
	assert_string_equal(out.data,
		GRID_BOLD "STATE" GRID_PLAIN "  " GRID_BOLD "N" GRID_PLAIN
			  "\n\033[31mHung" GRID_PLAIN "   Hung\n  \033[33mwhy" GRID_PLAIN "\n");
}

static void test_paragraphs(void **state)
{
	static const char text[] = "the quick brown fox jumps over the lazy dog "
				   "/a/path/that/is/longer/than/a/narrow/line/could/ever/be end";

	(void)state;
	for (size_t width = 20; width <= 120; width++) {
		_cleanup_buf_ struct buf out = BUF_NULL(65536);
		const struct paragraph p = {.first = 2, .indent = 4, .width = width};

		assert_int_equal(paragraph_put(&out, &p, "> ", text), 0);
		assert_true(widest_line(out.data) <= width);
		assert_non_null(strstr(out.data, "end\n"));
	}
}

static void test_filter(void **state)
{
	struct view_world w;
	char *words[] = {(char *)"nfs", (char *)"web"};

	(void)state;
	view_world_init(&w, NULL);
	for (size_t n = 0; n <= 2; n++) {
		_cleanup_json_ json_t *rows = admin_rows(ADMIN_VOLUMES, &w.view, 0);
		_cleanup_json_ json_t *chosen = lists_filter(rows, words, n);

		assert_int_equal(json_array_size(chosen), 3 - n);
	}
}

static void test_memory(void **state)
{
	struct view_world w;

	(void)state;
	view_world_init(&w, NULL);
	_cleanup_json_ json_t *rows = admin_rows(ADMIN_MOUNTS, &w.view, 0);
	FAULT_LOOP
	{
		_cleanup_buf_ struct buf out = BUF_NULL(65536);
		const struct cli c = {.style = {.width = 80}};
		int r = lists_table("mounts", rows, &c, NOW, &out);

		assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_every_list_at_every_width),
		cmocka_unit_test(test_volumes_at_three_widths),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_colors_are_asked_for),
		cmocka_unit_test(test_paragraphs),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_memory),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
