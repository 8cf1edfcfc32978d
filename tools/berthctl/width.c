/* SPDX-License-Identifier: Apache-2.0 */
/* width.c: characters one by one: what each takes, what of them fits */
#include "tools/berthctl/width.h"

#include <errno.h>
#include <stdio.h>
#include <wchar.h>

#include "base/str.h"

/* One character as it will be shown. */
struct glyph {
	char text[20];
	size_t bytes; /* of the source */
	size_t columns;
};

static bool is_unicode(void)
{
	/* A locale without UTF-8 has no idea of this one's width. */
	return wcwidth(L'\u2026') == 1;
}

static void escape(struct glyph *g, const char *s, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(
			g->text + len, sizeof(g->text) - len, "\\x%02x", (unsigned char)s[i]);
	g->bytes = n;
	g->columns = len;
}

static void next_glyph(const char *s, struct glyph *g)
{
	uint32_t rune = 0;
	size_t n = str_utf8_next(s, strnlen(s, 4), &rune);
	int columns;

	if (n == 0 || rune_is_control(rune)) {
		escape(g, s, n ? n : 1);
		return;
	}
	columns = n == 1 ? 1 : wcwidth((wchar_t)rune);
	if (columns < 0 || (n > 1 && !is_unicode())) {
		escape(g, s, n);
		return;
	}
	memcpy(g->text, s, n);
	g->text[n] = '\0';
	g->bytes = n;
	g->columns = (size_t)columns;
}

size_t width_of(const char *text)
{
	struct glyph g;
	size_t n = 0;

	for (; *text; text += g.bytes) {
		next_glyph(text, &g);
		n += g.columns;
	}
	return n;
}

/* As much of the beginning as max columns hold; the rest. */
static const char *put_head(struct buf *out, const char *text, size_t max, size_t *used, int *ret)
{
	struct glyph g;
	size_t taken = 0;

	for (; *text && *ret == 0; text += g.bytes) {
		next_glyph(text, &g);
		if (taken + g.columns > max)
			break;
		taken += g.columns;
		*ret = buf_puts(out, g.text);
	}
	*used += taken;
	return text;
}

/* Where the last max columns of text begin. */
static const char *find_tail(const char *text, size_t max)
{
	size_t left = width_of(text);
	struct glyph g;

	for (; left > max; text += g.bytes) {
		next_glyph(text, &g);
		left -= g.columns;
	}
	return text;
}

int width_put(struct buf *out, const char *text, size_t max, enum width_cut cut, size_t *ret)
{
	const char *dots = is_unicode() ? "\u2026" : "...";
	const size_t n_dots = is_unicode() ? 1 : 3;
	size_t head, used = 0;
	int r = 0;

	if (width_of(text) <= max) {
		(void)put_head(out, text, max, &used, &r);
	} else if (max <= n_dots) {
		(void)put_head(out, "...", max, &used, &r);
	} else {
		head = cut == WIDTH_CUT_MIDDLE ? (max - n_dots) / 2 : max - n_dots;
		text = put_head(out, text, head, &used, &r);
		if (r == 0)
			r = buf_puts(out, dots);
		used += n_dots;
		if (r == 0 && cut == WIDTH_CUT_MIDDLE)
			(void)put_head(out, find_tail(text, max - used), max - used, &used, &r);
	}
	if (ret)
		*ret = used;
	return r;
}
