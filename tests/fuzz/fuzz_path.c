/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_path.c: a path that the checks let through stays strictly beneath its root */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pathat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
	if (!ok)
		abort();
}

/* An empty directory that has no name any more: every name beneath it is missing. */
static int empty_root(void)
{
	static int root = -1;
	char template[] = "/tmp/berth-fuzz-XXXXXX";

	if (root < 0) {
		check(mkdtemp(template) != NULL);
		root = open(template, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		check(root >= 0);
		check(rmdir(template) == 0);
	}
	return root;
}

/* Walks the components as a careless reader of the path would: how deep below the root it goes at
 * the least. */
static int lowest_depth(const char *path, int *ret_final)
{
	int depth = 0, lowest = 0;

	for (const char *p = path; *p; p += *p == '/') {
		size_t n = strcspn(p, "/\\");

		if (n == 2 && memcmp(p, "..", 2) == 0)
			depth--;
		else if (n > 0 && !(n == 1 && *p == '.'))
			depth++;
		if (depth < lowest)
			lowest = depth;
		p += n;
		check(*p != '\\');
	}
	*ret_final = depth;
	return lowest;
}

static void check_accepted(const char *path)
{
	size_t len = strlen(path);
	int final;

	check(len > 0 && len <= PATH_RELATIVE_MAX);
	check(path[0] != '/' && path[len - 1] != '/' && !strstr(path, "//"));
	check(lowest_depth(path, &final) == 0);
	check(final >= 1 && final <= PATH_COMPONENTS_MAX);
	check(strncmp(path, ".berth/", 7) != 0 && strcmp(path, ".berth") != 0);
	for (size_t i = 0; i < len; i++)
		check((unsigned char)path[i] >= 0x20 && path[i] != 0x7f);
	/* The kernel agrees: nothing there, rather than a way out. */
	check(pathat_open(empty_root(), path, O_PATH, 0) == -ENOENT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_NULL;
	char *path = malloc(size + 1);
	int r;

	if (!path)
		return 0;
	if (size > 0)
		memcpy(path, data, size);
	path[size] = '\0';

	r = path_component_check(path, size, &e);
	check(r == 0 || (r == -EINVAL && e.code == EINVAL && e.text[0] != '\0'));
	if (r == 0)
		check(!memchr(path, '/', size) && strlen(path) == size &&
			size <= PATH_COMPONENT_MAX);

	err_clear(&e);
	r = path_relative_check(path, &e);
	check(r == 0 || (r == -EINVAL && e.code == EINVAL && e.text[0] != '\0'));
	if (r == 0)
		check_accepted(path);
	free(path);
	return 0;
}
