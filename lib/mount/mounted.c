/* SPDX-License-Identifier: Apache-2.0 */
/* mounted.c: whether something is mounted at a place, what it is, and its space */
#include "mount/mounted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/str.h"
#include "mount/flags.h"
#include "mount/mountinfo.h"

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U
#endif
#ifndef SYS_statmount
#define SYS_statmount 457
#endif
/* uapi/linux/mount.h of 6.8 under names of our own: headers before that lack them. */
#define ASK_SB_BASIC 0x1U
#define ASK_MNT_BASIC 0x2U
#define SB_RDONLY_ 0x1U
#define SB_SYNCHRONOUS_ 0x10U
#define SB_DIRSYNC_ 0x80U
struct statmount_query {
	uint32_t size;
	uint32_t spare;
	uint64_t mnt_id;
	uint64_t param;
};
struct statmount_answer {
	uint32_t size;
	uint32_t mnt_opts;
	uint64_t mask;
	uint32_t sb_dev_major;
	uint32_t sb_dev_minor;
	uint64_t sb_magic;
	uint32_t sb_flags;
	uint32_t fs_type;
	uint64_t mnt_id;
	uint64_t mnt_parent_id;
	uint32_t mnt_id_old;
	uint32_t mnt_parent_id_old;
	uint64_t mnt_attr;
	uint64_t rest[56]; /* it wants 512 bytes at least */
};

#define LOOK_FLAGS (AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC)

/* "mnt_id:" of /proc/self/fdinfo. */
static int fdinfo_id(int fd, uint64_t *ret)
{
	char path[64], text[1024], *at;
	_cleanup_close_ int info = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	n = info < 0 ? -1 : read(info, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	at = strstr(text, "mnt_id:");
	if (!at)
		return -ENODATA;
	at += strlen("mnt_id:");
	at += strspn(at, " \t");
	at[strcspn(at, "\n")] = '\0';
	return parse_u64(at, 0, UINT32_MAX, ret);
}

/* For kernels whose statx knows no mounts: the mount ids of a directory and of what it lies in. */
static int look_by_fdinfo(int parentfd, const char *name, struct mounted *ret)
{
	_cleanup_close_ int fd = openat(parentfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	uint64_t above;
	int r;

	if (fd < 0)
		return -errno;
	r = fdinfo_id(fd, &ret->id);
	if (r < 0)
		return r;
	r = fdinfo_id(parentfd, &above);
	ret->is_root = r == 0 && above != ret->id;
	return r;
}

static void take(const struct statx *x, struct mounted *ret)
{
	*ret = (struct mounted){
		.exists = true,
		.is_root = x->stx_attributes & STATX_ATTR_MOUNT_ROOT,
		.is_directory = S_ISDIR(x->stx_mode),
		.id = x->stx_mnt_id,
		.dev = makedev(x->stx_dev_major, x->stx_dev_minor),
		.ino = x->stx_ino,
	};
}

static bool knows_mounts(const struct statx *x)
{
	return (x->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) && (x->stx_mask & STATX_MNT_ID);
}

/* statx(2), or what there was before it, which tells no mounts and asks the server. */
static int look(int fd, const char *name, int flags, struct statx *x)
{
	struct stat st;

	if (statx(fd, name, LOOK_FLAGS | flags, STATX_TYPE | STATX_INO | STATX_MNT_ID, x) == 0)
		return 0;
	if (errno != ENOSYS && errno != EINVAL)
		return -errno;
	if (fstatat(fd, name, &st, (LOOK_FLAGS & ~AT_STATX_DONT_SYNC) | flags) < 0)
		return -errno;
	*x = (struct statx){.stx_mode = (uint16_t)st.st_mode,
		.stx_ino = st.st_ino,
		.stx_dev_major = major(st.st_dev),
		.stx_dev_minor = minor(st.st_dev)};
	return 0;
}

int mounted_at(const struct place_at *at, struct mounted *ret, struct err *e)
{
	struct statx x;
	int r;

	*ret = (struct mounted){.exists = false};
	r = look(at->parentfd, at->name, 0, &x);
	if (r < 0)
		return r == -ENOENT ? 0 : err_sys(e, r, "cannot look at %s", at->shown);
	take(&x, ret);
	if (knows_mounts(&x))
		return 0;
	r = look_by_fdinfo(at->parentfd, at->name, ret);
	return r < 0 ? err_sys(e, r, "cannot tell what is mounted at %s", at->shown) : 0;
}

int mounted_fd(int fd, const char *shown, struct mounted *ret, struct err *e)
{
	_cleanup_close_ int above = -1;
	struct statx x;
	uint64_t id;
	int r;

	r = look(fd, "", AT_EMPTY_PATH, &x);
	if (r < 0)
		return err_sys(e, r, "cannot look at %s", shown);
	take(&x, ret);
	if (knows_mounts(&x))
		return 0;
	r = fdinfo_id(fd, &ret->id);
	if (r < 0)
		return err_sys(e, r, "cannot tell what is mounted at %s", shown);
	above = openat(fd, "..", O_PATH | O_CLOEXEC);
	ret->is_root = above >= 0 && fdinfo_id(above, &id) == 0 && id != ret->id;
	return 0;
}

struct search {
	uint64_t id;
	struct mounted_what *what;
};

static int compare(const struct mountinfo *m, void *userdata)
{
	struct search *s = userdata;
	struct mounted_what *w = s->what;

	if (m->id != s->id)
		return 0;
	w->id = m->id;
	w->parent = m->parent;
	w->flags = mountinfo_flags(m);
	w->peer = m->peer;
	w->master = m->master;
	str_copy_cut(w->fstype, sizeof(w->fstype), m->fstype);
	str_copy_cut(w->root, sizeof(w->root), m->root);
	str_copy_cut(w->target, sizeof(w->target), m->target);
	str_copy_cut(w->source, sizeof(w->source), m->source);
	str_copy_cut(w->options, sizeof(w->options), m->fs_options);
	return 1;
}

int mounted_describe(uint64_t id, struct mounted_what *ret, struct err *e)
{
	struct search s = {.id = id, .what = ret};
	int r = mountinfo_each("/proc/self/mountinfo", compare, &s, e);

	if (r == 0)
		return err_set(e, ENOENT, "there is no mount with id %llu", (unsigned long long)id);
	return r < 0 ? r : 0;
}

static uint32_t flags_of_kernel(const struct statmount_answer *a)
{
	static const struct {
		uint64_t attr;
		uint32_t flag;
	} attrs[] = {
		{MOUNT_ATTR_RDONLY, MOUNTF_RDONLY},
		{MOUNT_ATTR_NOSUID, MOUNTF_NOSUID},
		{MOUNT_ATTR_NODEV, MOUNTF_NODEV},
		{MOUNT_ATTR_NOEXEC, MOUNTF_NOEXEC},
		{MOUNT_ATTR_NODIRATIME, MOUNTF_NODIRATIME},
		{MOUNT_ATTR_NOATIME, MOUNTF_NOATIME},
		{MOUNT_ATTR_STRICTATIME, MOUNTF_STRICTATIME},
	};
	uint32_t flags = 0;

	for (size_t i = 0; i < ELEMENTSOF(attrs); i++)
		if (a->mnt_attr & attrs[i].attr)
			flags |= attrs[i].flag;
	if (a->sb_flags & SB_RDONLY_)
		flags |= MOUNTF_RDONLY;
	if (a->sb_flags & SB_SYNCHRONOUS_)
		flags |= MOUNTF_SYNC;
	if (a->sb_flags & SB_DIRSYNC_)
		flags |= MOUNTF_DIRSYNC;
	return flags;
}

static int flags_by_statmount(int fd, uint32_t *ret)
{
	const uint64_t wanted = ASK_SB_BASIC | ASK_MNT_BASIC;
	struct statmount_query request = {.size = sizeof(request), .param = wanted};
	struct statmount_answer answer;
	struct statx x;

	if (statx(fd, "", LOOK_FLAGS | AT_EMPTY_PATH, STATX_MNT_ID_UNIQUE, &x) < 0)
		return -errno;
	if (!(x.stx_mask & STATX_MNT_ID_UNIQUE))
		return -ENOSYS;
	request.mnt_id = x.stx_mnt_id;
	if (syscall(SYS_statmount, &request, &answer, sizeof(answer), 0) < 0)
		return -errno;
	if ((answer.mask & wanted) != wanted)
		return -ENOSYS;
	*ret = flags_of_kernel(&answer);
	return 0;
}

struct flag_search {
	uint64_t id;
	uint32_t flags;
};

static int compare_flags(const struct mountinfo *m, void *userdata)
{
	struct flag_search *s = userdata;

	if (m->id != s->id)
		return 0;
	s->flags = mountinfo_flags(m);
	return 1;
}

int mounted_flags(int fd, const char *shown, uint32_t *ret, struct err *e)
{
	struct flag_search s = {.id = 0};
	struct mounted m;
	int r;

	if (flags_by_statmount(fd, ret) == 0)
		return 0;
	r = mounted_fd(fd, shown, &m, e);
	if (r < 0)
		return r;
	s.id = m.id;
	r = mountinfo_each("/proc/self/mountinfo", compare_flags, &s, e);
	if (r == 0)
		return err_set(e, ENOENT, "%s: its mount is in no mount table", shown);
	*ret = s.flags;
	return r < 0 ? r : 0;
}

size_t mounted_option_length(const char *s)
{
	bool quoted = false;
	size_t n = 0;

	for (; s[n] && (quoted || s[n] != ','); n++)
		if (s[n] == '"')
			quoted = !quoted;
	return n;
}

bool mounted_option(const char *options, const char *name, char *dst, size_t size)
{
	size_t len = strlen(name), n;

	for (const char *s = options;; s += n + 1) {
		const char *value = s + len;
		size_t left;

		n = mounted_option_length(s);
		if (n >= len && memcmp(s, name, len) == 0 && (n == len || s[len] == '=')) {
			if (!dst)
				return true;
			left = n == len ? 0 : n - len - 1;
			value += n == len ? 0 : 1;
			if (left >= 2 && value[0] == '"' && value[left - 1] == '"') {
				value++;
				left -= 2;
			}
			if (left >= size)
				return false;
			memcpy(dst, value, left);
			dst[left] = '\0';
			return true;
		}
		if (!s[n])
			return false;
	}
}

bool mounted_errno_is_corrupted(int r)
{
	switch (r < 0 ? -r : r) {
	case ESTALE:
	case EIO:
	case ENOTCONN:
	case ESHUTDOWN:
	case EHOSTDOWN:
	case ENODEV:
	case ENXIO:
		return true;
	default:
		return false;
	}
}

int mounted_space(const struct place *p, struct mounted_space *ret, struct err *e)
{
	_cleanup_place_ struct place_at at = {.parentfd = -1};
	_cleanup_close_ int fd = -1;
	struct mounted m;
	struct statfs s;
	uint64_t unit;
	int r;

	r = place_open(&at, p, e);
	if (r < 0)
		return r;
	r = mounted_at(&at, &m, e);
	if (r < 0)
		return r;
	if (!m.exists)
		return err_set(e, ENOENT, "%s is missing", at.shown);
	if (!m.is_root)
		return err_set(e, EINVAL, "nothing is mounted at %s", at.shown);
	fd = openat(at.parentfd, at.name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &s) < 0)
		return err_sys(e, errno, "cannot get the space of %s", at.shown);
	unit = s.f_frsize > 0 ? (uint64_t)s.f_frsize : (uint64_t)s.f_bsize;
	*ret = (struct mounted_space){
		.total = s.f_blocks * unit,
		.free = s.f_bfree * unit,
		.available = s.f_bavail * unit,
		.files = s.f_files,
		.files_free = s.f_ffree,
		.type = (uint64_t)s.f_type,
	};
	return 0;
}
