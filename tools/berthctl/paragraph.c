/* SPDX-License-Identifier: Apache-2.0 */
/* paragraph.c: words put into lines */
#include "tools/berthctl/paragraph.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tools/berthctl/width.h"

/* Below, indenting would leave no room. */
#define ROOM_MIN 12

struct line {
	struct buf *out;
	size_t width, indent, at;
	int begun; /* a word stands on it */
};

static int put_spaces(struct buf *out, size_t n)
{
	return n ? buf_printf(out, "%*s", (int)n, "") : 0;
}

static int next_line(struct line *l)
{
	int r = buf_puts(l->out, "\n");

	l->at = l->indent;
	l->begun = 0;
	return r < 0 ? r : put_spaces(l->out, l->indent);
}

static int put_word(struct line *l, const char *word)
{
	const size_t n = width_of(word);
	size_t used = 0;
	int r = 0;

	if (l->begun && l->at + 1 + n > l->width) {
		r = next_line(l);
	} else if (l->begun) {
		r = buf_puts(l->out, " ");
		l->at++;
	}
	/* Wider than the rest of an empty line: the terminal's edge, not its middle. */
	if (r == 0)
		r = width_put(l->out, word, SIZE_MAX, WIDTH_CUT_END, &used);
	l->at += used;
	l->begun = 1;
	return r;
}

/* How many bytes of word fit into max columns, ending at a character. */
static size_t piece_of(const char *word, size_t max)
{
	char piece[512];
	size_t good = 0;

	for (size_t n = 1; word[n - 1] && n < sizeof(piece); n++) {
		if ((word[n] & 0xc0) == 0x80)
			continue;
		memcpy(piece, word, n);
		piece[n] = '\0';
		if (width_of(piece) > max)
			break;
		good = n;
	}
	return good;
}

static int put_broken(struct line *l, const char *word)
{
	const size_t room = l->width - l->indent;
	int r = 0;

	while (r == 0 && *word) {
		char piece[512];
		size_t n = width_of(word) > room ? piece_of(word, room) : strlen(word);

		if (n == 0 || n >= sizeof(piece))
			n = strnlen(word, 1);
		memcpy(piece, word, n);
		piece[n] = '\0';
		r = put_word(l, piece);
		word += n;
		if (r == 0 && *word)
			r = next_line(l);
	}
	return r;
}

static int put_words(struct line *l, const char *text)
{
	int r = 0;

	while (r == 0 && *text) {
		const size_t n = strcspn(text, " ");
		char *word = strndup(text, n);

		if (!word)
			return -ENOMEM;
		if (n > 0)
			r = width_of(word) > l->width - l->indent ? put_broken(l, word)
								  : put_word(l, word);
		free(word);
		text += n + (text[n] == ' ');
	}
	return r;
}

int paragraph_put(struct buf *out, const struct paragraph *p, const char *head, const char *text)
{
	struct line l = {.out = out, .width = p->width ? p->width : SIZE_MAX / 2};
	int r = put_spaces(out, p->first);

	l.indent = l.width > p->indent + ROOM_MIN ? p->indent : 2;
	l.at = p->used + p->first + width_of(head);
	if (r == 0)
		r = buf_puts(out, head);
	/* What stands before has left no room for a word. */
	if (r == 0 && l.at + ROOM_MIN / 2 > l.width)
		r = next_line(&l);
	if (r == 0)
		r = put_words(&l, text);
	return r < 0 ? r : buf_puts(out, "\n");
}
