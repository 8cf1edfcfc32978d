/* SPDX-License-Identifier: Apache-2.0 */
/* human.c: figures in few characters, and edit distance */
#include "tools/berthctl/human.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/str.h"

#define WORD_MAX 32

char *human_age(uint64_t now, uint64_t then, char dst[static HUMAN_MAX])
{
	const uint64_t s = now > then ? (now - then) / NSEC_PER_SEC : 0;
	const unsigned long long m = s / 60, h = m / 60, d = h / 24;

	if (then == 0)
		(void)str_copy_cut(dst, HUMAN_MAX, "-");
	else if (s < 120)
		(void)snprintf(dst, HUMAN_MAX, "%llus", (unsigned long long)s);
	else if (m < 120)
		(void)snprintf(dst, HUMAN_MAX, "%llum", m);
	else if (h < 24 && m % 60)
		(void)snprintf(dst, HUMAN_MAX, "%lluh%llum", h, m % 60);
	else if (h < 48)
		(void)snprintf(dst, HUMAN_MAX, "%lluh", h);
	else if (d < 8 && h % 24)
		(void)snprintf(dst, HUMAN_MAX, "%llud%lluh", d, h % 24);
	else
		(void)snprintf(dst, HUMAN_MAX, "%llud", d);
	return dst;
}

char *human_bytes(uint64_t bytes, char dst[static HUMAN_MAX])
{
	static const char units[][3] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
	double n = (double)bytes;
	size_t u = 0;

	while (n >= 1023.95 && u + 1 < ELEMENTSOF(units)) {
		n /= 1024;
		u++;
	}
	if (n < 9.95 && u > 0 && (uint64_t)(n * 10 + 0.5) % 10)
		(void)snprintf(dst, HUMAN_MAX, "%.1f%s", n, units[u]);
	else
		(void)snprintf(dst, HUMAN_MAX, "%.0f%s", n, units[u]);
	return dst;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	const size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein's distance, a row of the matrix at a time. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1];
	const size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			const size_t above = row[j + 1];

			row[j + 1] = min3(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[n];
}

const char *human_nearest(const char *word, const char *const *words, size_t n)
{
	const char *found = NULL;
	/* A third of the letters wrong is another word. */
	size_t best = strlen(word) / 3 + 2;

	if (strlen(word) > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const size_t d = strlen(words[i]) > WORD_MAX ? best : distance(word, words[i]);

		/* What was begun is meant. */
		if (*word && str_after(words[i], word))
			return words[i];
		if (d < best) {
			best = d;
			found = words[i];
		}
	}
	return found;
}
