/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_mountinfo.c: any bytes as a mount table; our own parser of lines against libmount's */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "mount/mounted.h"
#include "mount/mountinfo.h"
#include "mount/nfs_source.h"
#include "mount/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_row(const struct mount_table *t, const struct mount_row *row)
{
	char server[64], value[64];
	const char *path;

	if (!row->root || !row->target || !row->options || !row->fstype || !row->source ||
		!row->fs_options)
		abort();
	/* Somebody is on top of every mount point, and holds what is below it. */
	if (!mount_table_top(t, row->target))
		abort();
	if (row->target[0] == '/' && !mount_table_holder(t, row->target))
		abort();
	if (nfs_source_split(row->source, server, sizeof(server), &path) == 0 && *path != '/')
		abort();
	if (mounted_option(row->fs_options, "vers", value, sizeof(value)) &&
		strlen(value) >= sizeof(value))
		abort();
}

/* libmount reads numbers with sscanf and drops " (deleted)"; the rest has to be the same. */
static void compare(const struct mountinfo *ours, const struct mount_row *theirs)
{
	if (ours->id != theirs->id || ours->parent != theirs->parent)
		return;
	if (ours->major != theirs->major || ours->minor != theirs->minor)
		return;
	if (strstr(ours->target, "(deleted)") || theirs->deleted || theirs->peer != ours->peer)
		return;
	if (!streq(ours->target, theirs->target) || !streq(ours->root, theirs->root) ||
		!streq(ours->fstype, theirs->fstype) || !streq(ours->source, theirs->source))
		abort();
}

/* What the kernel never writes and the two read differently: "\400" and above, which are no bytes,
 * and blanks other than a space, which it escapes. */
static bool is_odd(const char *s)
{
	for (; *s; s++)
		if ((*s > 0 && *s < ' ') || (s[0] == '\\' && s[1] >= '4' && s[1] <= '7'))
			return true;
	return false;
}

/* A line that begins as the kernel's do, alone. */
static void one_line(const char *text)
{
	char *copy = strdup(text);
	struct mount_table *t = NULL;
	struct mountinfo m;

	if (!copy)
		abort();
	copy[strcspn(copy, "\n")] = '\0';
	if (!is_odd(copy) && mount_table_parse(&t, copy, strlen(copy), NULL) == 0 &&
		mount_table_count(t) == 1 && mount_table_skipped(t) == 0 &&
		mountinfo_parse(copy, &m) == 0)
		compare(&m, mount_table_row(t, 0));
	mount_table_free(t);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mount_table *t = NULL;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (mount_table_parse(&t, text, size, NULL) == 0)
		for (size_t i = 0; i < mount_table_count(t); i++)
			check_row(t, mount_table_row(t, i));
	mount_table_free(t);
	one_line(text);
	free(text);
	return 0;
}
