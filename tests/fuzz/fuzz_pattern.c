/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_pattern.c: whatever pattern and values come, the path stays beneath the root */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "volume/parameters.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *value(const char *key, void *userdata)
{
	(void)key;
	return userdata;
}

/* An oracle of its own: no component is empty, ".", ".." or the control directory. */
static void check(const char *path)
{
	if (path_relative_check(path, NULL) < 0 || path[0] == '/' ||
		strlen(path) >= PATH_RELATIVE_MAX)
		abort();
	for (const char *p = path;; p++) {
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			abort();
		p += n;
		if (!*p)
			return;
	}
}

/* Input: pattern, NUL, value of labels, annotations and names. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 2), path[PATH_RELATIVE_MAX];
	struct pattern_source s = {.label = value, .annotation = value};
	char *second;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = text[size + 1] = '\0';
	second = text + strlen(text) + 1;
	if ((size_t)(second - text) > size)
		second = text + size;
	s.userdata = second;
	s.namespace_ = s.name = s.pv = second;
	if (pattern_expand(text, &s, path, NULL) == 0)
		check(path);
	if (pattern_expand(NULL, &s, path, NULL) == 0)
		check(path);
	if (pattern_check(text, NULL) == 0)
		(void)pattern_needs_claim(text);
	free(text);
	return 0;
}
