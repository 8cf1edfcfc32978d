/* SPDX-License-Identifier: Apache-2.0 */
/* table.c: a mount table, read whole and parsed by libmount */
#include "mount/table.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/parse.h"
#include "base/str.h"
#include "mount/mounted.h"

#define READ_CHUNK (64U << 10)
#define READ_TRIES 3
/* A reading that takes longer is not tried again: among so many changes the next would not be whole
 * either, and what stays mounted is in each of them (since Linux 5.8). */
#define READ_AGAIN_WITHIN MILLISECONDS(2)
#define DELETED "//deleted"

struct mount_table {
	struct libmnt_table *parsed; /* owns all strings */
	struct mount_row *rows;
	size_t n;
	unsigned skipped;
	bool torn;
	struct map tops; /* by mount point */
};

static struct map_key row_target(const void *value)
{
	return map_key_str(((const struct mount_row *)value)->target);
}

struct mount_table *mount_table_free(struct mount_table *t)
{
	if (!t)
		return NULL;
	map_done(&t->tops);
	mnt_unref_table(t->parsed);
	free(t->rows);
	free(t);
	return NULL;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

/* The number behind "shared:" or "master:", 0 for none. */
static uint32_t optional_number(const char *fields, const char *tag)
{
	const char *at = fields;
	size_t n;

	for (; *at; at += n + strspn(at + n, " ")) {
		const char *value = str_after(at, tag);
		char text[16];
		uint64_t number;

		n = strcspn(at, " ");
		if (!value)
			continue;
		if (str_format(text, sizeof(text), "%.*s", (int)(at + n - value), value) < 0 ||
			parse_u64(text, 0, UINT32_MAX, &number) < 0)
			return 0;
		return (uint32_t)number;
	}
	return 0;
}

/* "//deleted" is the kernel's, behind the root of a directory that is gone. */
static int strip_deleted(struct libmnt_fs *fs, struct mount_row *row)
{
	char *bare;
	int r;

	if (!str_ends_with(row->root, DELETED))
		return 0;
	bare = strndup(row->root, strlen(row->root) - strlen(DELETED));
	if (!bare)
		return -ENOMEM;
	row->deleted = true;
	r = mnt_fs_set_root(fs, *bare ? bare : "/");
	free(bare);
	row->root = str_or(mnt_fs_get_root(fs), "");
	return r;
}

static int fill(struct mount_row *row, struct libmnt_fs *fs)
{
	const char *optional = str_or(mnt_fs_get_optional_fields(fs), "");
	dev_t dev = mnt_fs_get_devno(fs);

	*row = (struct mount_row){
		.id = (uint32_t)mnt_fs_get_id(fs),
		.parent = (uint32_t)mnt_fs_get_parent_id(fs),
		.major = major(dev),
		.minor = minor(dev),
		.peer = optional_number(optional, "shared:"),
		.master = optional_number(optional, "master:"),
		.root = str_or(mnt_fs_get_root(fs), ""),
		.target = str_or(mnt_fs_get_target(fs), ""),
		.options = str_or(mnt_fs_get_vfs_options(fs), ""),
		.fstype = str_or(mnt_fs_get_fstype(fs), ""),
		.source = str_or(mnt_fs_get_source(fs), ""),
		.fs_options = str_or(mnt_fs_get_fs_options(fs), ""),
	};
	row->read_only = mounted_option(row->options, "ro", NULL, 0) ||
			 mounted_option(row->fs_options, "ro", NULL, 0);
	return strip_deleted(fs, row);
}

/* Of two at one mount point the one that is not the other's parent is on top; else the later. */
static int add_top(struct mount_table *t, struct mount_row *row)
{
	const struct mount_row *other = map_gets(&t->tops, row->target);
	void *old;

	if (other && other->parent == row->id && row->parent != other->id)
		return 0;
	return map_replace(&t->tops, row, &old);
}

static int take_rows(struct mount_table *t)
{
	struct libmnt_iter *it = mnt_new_iter(MNT_ITER_FORWARD);
	int n = mnt_table_get_nents(t->parsed), r = 0;
	struct libmnt_fs *fs;

	t->rows = calloc((size_t)n + 1, sizeof(*t->rows));
	if (!it || !t->rows)
		r = -ENOMEM;
	while (r == 0 && t->n < (size_t)n && mnt_table_next_fs(t->parsed, it, &fs) == 0) {
		struct mount_row *row = &t->rows[t->n];

		r = fill(row, fs);
		if (r == 0)
			r = add_top(t, row);
		t->n++;
	}
	mnt_free_iter(it);
	return r;
}

/* ---- parsing ----------------------------------------------------------------------------------
 */

static int skip_line(struct libmnt_table *parsed, const char *filename, int line)
{
	struct mount_table *t = mnt_table_get_userdata(parsed);

	(void)filename;
	(void)line;
	t->skipped++;
	return 1; /* go on */
}

/* libmount takes what does not begin like a mountinfo for an fstab. */
static bool is_mountinfo(const char *text, size_t size)
{
	unsigned numbers[4];
	char line[64];
	size_t n = size < sizeof(line) - 1 ? size : sizeof(line) - 1;

	memcpy(line, text, n);
	line[n] = '\0';
	return sscanf(line, "%u %u %u:%u ", &numbers[0], &numbers[1], &numbers[2], &numbers[3]) ==
	       4;
}

static int parse(struct mount_table *t, const char *text, size_t size)
{
	FILE *stream;
	int r;

	t->parsed = mnt_new_table();
	stream = t->parsed ? fmemopen((void *)(uintptr_t)text, size, "r") : NULL;
	if (!stream)
		return -ENOMEM;
	mnt_table_set_userdata(t->parsed, t);
	mnt_table_set_parser_errcb(t->parsed, skip_line);
	r = mnt_table_parse_stream(t->parsed, stream, "mountinfo");
	fclose(stream);
	return r < 0 ? r : take_rows(t);
}

int mount_table_parse(struct mount_table **ret, const char *text, size_t size, struct err *e)
{
	_cleanup_(mount_table_freep) struct mount_table *t = NULL;
	int r;

	if (size > MOUNT_TABLE_BYTES_MAX)
		return err_set(
			e, EFBIG, "mount table has more than %u bytes", MOUNT_TABLE_BYTES_MAX);
	if (size == 0 || !is_mountinfo(text, size))
		return err_set(e, EBADMSG, "does not begin like a mountinfo file");
	t = calloc(1, sizeof(*t));
	if (!t)
		return err_sys(e, ENOMEM, "cannot parse mount table");
	t->tops = MAP_NULL(row_target);
	r = parse(t, text, size);
	if (r < 0)
		return err_sys(e, r, "cannot parse mount table");
	*ret = TAKE_PTR(t);
	return 0;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static int read_once(int fd, struct buf *b)
{
	int r;

	buf_reset(b);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	for (;;) {
		char *to = buf_reserve(b, READ_CHUNK, &r);
		ssize_t n;

		if (!to)
			return r == -ENOBUFS ? -EFBIG : r;
		n = read(fd, to, READ_CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		buf_commit(b, (size_t)n);
	}
}

/* The kernel tells a descriptor once that the table has changed since it last told. */
static bool has_changed(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLPRI};

	return poll(&p, 1, 0) > 0 && (p.revents & POLLPRI);
}

static int read_whole(const char *path, struct buf *b, bool *ret_torn, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_sys(e, errno, "cannot open %s", path);
	for (int i = 0; i < READ_TRIES; i++) {
		uint64_t began = clock_now();
		int r = read_once(fd, b);

		if (r < 0)
			return err_sys(e, r, "cannot read %s", path);
		*ret_torn = has_changed(fd);
		if (!*ret_torn || clock_now() - began > READ_AGAIN_WITHIN)
			return 0;
	}
	return 0;
}

int mount_table_read(struct mount_table **ret, const char *path, struct err *e)
{
	/* Room for one chunk more, which tells that there is too much. */
	_cleanup_buf_ struct buf b = BUF_NULL(MOUNT_TABLE_BYTES_MAX + READ_CHUNK);
	bool torn = false;
	int r = read_whole(path, &b, &torn, e);

	if (r < 0)
		return r;
	r = mount_table_parse(ret, b.data ? b.data : "", b.len, e);
	if (r < 0) {
		err_prefix(e, "%s", path);
		return r;
	}
	(*ret)->torn = torn;
	return 0;
}

/* ---- asking -----------------------------------------------------------------------------------
 */

size_t mount_table_count(const struct mount_table *t)
{
	return t->n;
}

unsigned mount_table_skipped(const struct mount_table *t)
{
	return t->skipped;
}

bool mount_table_torn(const struct mount_table *t)
{
	return t->torn;
}

const struct mount_row *mount_table_row(const struct mount_table *t, size_t i)
{
	return &t->rows[i];
}

const struct mount_row *mount_table_top(const struct mount_table *t, const char *target)
{
	return map_gets(&t->tops, target);
}

const struct mount_row *mount_table_holder(const struct mount_table *t, const char *path)
{
	size_t n = strlen(path);

	for (;;) {
		const struct mount_row *row = map_get(&t->tops, path, n);

		if (row)
			return row;
		if (n <= 1)
			return NULL;
		/* The last component goes, and its slash unless that is the root's. */
		while (n > 0 && path[n - 1] != '/')
			n--;
		if (n > 1)
			n--;
	}
}

bool mount_row_is_nfs(const struct mount_row *row)
{
	return streq(row->fstype, "nfs") || streq(row->fstype, "nfs4");
}
