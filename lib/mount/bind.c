/* SPDX-License-Identifier: Apache-2.0 */
/* bind.c: a directory bound to a target, built detached and attached once */
#include "mount/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "mount/mounted.h"
#include "mount/target.h"

/* What is compared with a mount that is there: how a file's access time is kept can differ unseen.
 */
#define COMPARED (MOUNTF_RDONLY | MOUNTF_NOSUID | MOUNTF_NODEV | MOUNTF_NOEXEC)
#define TARGET_MODE 0750

struct work {
	const struct bind *b;
	int sourcefd;
};

static int source_open(const struct bind *b, struct err *e)
{
	int fd = place_open_directory(&b->source, b->rootfd, b->same_filesystem, e);

	/* What a client remembers as missing may be there by now. */
	if ((fd == -ENOENT || fd == -ESTALE) && !b->same_filesystem) {
		err_clear(e);
		fd = place_open_asked(&b->source, e);
	}
	if (fd < 0)
		err_prefix(e, "source");
	return fd;
}

/* ---- what is mounted there already ------------------------------------------------------------
 */

/* Whether flags are what a bind of ours with the wanted ones would have now. */
static bool flags_fit(uint32_t flags, uint32_t wanted, uint32_t source)
{
	wanted &= COMPARED;
	if ((flags & wanted) != wanted)
		return false;
	/* Read-only though nobody asked for it is as wrong as the other way round. */
	return !(flags & MOUNTF_RDONLY) || ((wanted | source) & MOUNTF_RDONLY);
}

static int compare_flags(const struct work *w, const struct target *t, struct err *e)
{
	_cleanup_close_ int fd = target_open(t);
	uint32_t flags, source;
	int r;

	if (fd < 0)
		return err_sys(e, fd, "cannot open the mount at %s", t->at.shown);
	r = mounted_flags(fd, t->at.shown, &flags, e);
	if (r >= 0)
		r = mounted_flags(w->sourcefd, "the source", &source, e);
	if (r < 0)
		return r;
	if (flags_fit(flags, w->b->flags, source))
		return 0;
	return err_set(e, EEXIST, "%s is mounted already with other options (%s, wanted %s)",
		t->at.shown, flags & MOUNTF_RDONLY ? "read-only" : "read-write",
		w->b->flags & MOUNTF_RDONLY ? "read-only" : "read-write");
}

/* In the words of the mount table; "something" where it is gone meanwhile. */
static int refuse_other(const struct target *t, const struct mounted *m, struct err *e)
{
	struct mounted_what what;

	if (mounted_describe(m->id, &what, NULL) < 0)
		return err_set(e, EEXIST, "something else is mounted at %s", t->at.shown);
	return err_set(e, EEXIST, "something else is mounted at %s: %s of %s (%s)", t->at.shown,
		what.root, what.source, what.fstype);
}

static int fits(const struct target *t, const struct mounted *m, void *userdata, struct err *e)
{
	const struct work *w = userdata;
	struct mounted source;
	int r = mounted_fd(w->sourcefd, "the source", &source, e);

	if (r < 0)
		return r;
	if (m->dev != source.dev || m->ino != source.ino)
		return refuse_other(t, m, e);
	return compare_flags(w, t, e);
}

/* ---- attaching --------------------------------------------------------------------------------
 */

/* A detached copy of the source's mount with the flags; every failure here leaves nothing behind.
 */
static int clone_tree(int sourcefd, uint32_t flags)
{
	_cleanup_close_ int tree =
		open_tree(sourcefd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct mount_attr attr = {.attr_set = mountf_attr(flags & MOUNTF_BIND)};

	if (tree < 0)
		return -errno;
	if (flags & (MOUNTF_NOATIME | MOUNTF_STRICTATIME))
		attr.attr_clr = MOUNT_ATTR__ATIME;
	if (attr.attr_set && mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	return TAKE_FD(tree);
}

static int attach_tree(const struct target *t, int sourcefd, uint32_t flags)
{
	_cleanup_close_ int tree = clone_tree(sourcefd, flags);

	if (tree < 0)
		return tree;
	/* The last component is not followed where it is a symlink by now. */
	if (move_mount(tree, "", t->at.parentfd, t->at.name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

/* The flags go on in a second step; until then it is seen with those of the source. */
static int remount(const struct target *t, uint32_t wanted)
{
	_cleanup_close_ int fd = target_open(t);
	char path[PLACE_PROC_MAX];
	uint32_t flags;
	int r;

	if (fd < 0)
		return fd;
	r = mounted_flags(fd, t->at.shown, &flags, NULL);
	if (r < 0)
		return r;
	/* What the source's mount has stays, but for one way to keep access times in place of
	 * another. */
	if (wanted & (MOUNTF_NOATIME | MOUNTF_STRICTATIME))
		flags &= ~(uint32_t)(MOUNTF_NOATIME | MOUNTF_STRICTATIME);
	return mount(NULL, place_proc(path, fd, NULL), NULL,
		       MS_REMOUNT | MS_BIND | mountf_ms((flags | wanted) & MOUNTF_BIND), NULL) < 0
		       ? -errno
		       : 0;
}

/* For kernels before 5.12, and where a filter forbids the new calls. */
static int attach_old(const struct target *t, int sourcefd, uint32_t flags)
{
	_cleanup_close_ int under = target_open(t);
	char from[PLACE_PROC_MAX], to[PLACE_PROC_MAX];
	int r;

	if (under < 0)
		return under;
	place_proc(from, sourcefd, NULL);
	if (mount(from, place_proc(to, under, NULL), NULL, MS_BIND, NULL) < 0)
		return -errno;
	r = flags & MOUNTF_BIND ? remount(t, flags) : 0;
	if (r < 0)
		target_detach(t);
	return r;
}

static int attach(const struct target *t, int sourcefd, uint32_t flags, struct err *e)
{
	int r = attach_tree(t, sourcefd, flags);

	if (r == -ENOSYS || r == -EPERM)
		r = attach_old(t, sourcefd, flags);
	return r < 0 ? err_sys(e, r, "cannot mount at %s", t->at.shown) : 0;
}

/*
 * Names are cached for up to a minute: the way there may still lead to a directory that went to the
 * trash meanwhile, the former tenant's, while another one has its name. So what is mounted for the
 * first time is what the server has there now. A disk need not be asked.
 */
static int attach_fresh(const struct bind *b, const struct target *t, int sourcefd, struct err *e)
{
	_cleanup_close_ int fd = -1;

	if (b->same_filesystem)
		return attach(t, sourcefd, b->flags, e);
	fd = place_open_asked(&b->source, e);
	if (fd < 0) {
		err_prefix(e, "source");
		return fd;
	}
	return attach(t, fd, b->flags, e);
}

/* ---- the whole --------------------------------------------------------------------------------
 */

static int make(const struct bind *b, struct target *t, enum bind_outcome *ret, struct err *e)
{
	_cleanup_close_ int sourcefd = source_open(b, e);
	struct work w = {.b = b, .sourcefd = sourcefd};
	enum target_state state;
	int r;

	if (sourcefd < 0)
		return sourcefd;
	r = target_prepare(t, &b->target, TARGET_MODE, e);
	if (r == 0)
		r = target_find(t, fits, &w, &state, e);
	if (r < 0)
		return r;
	*ret = state == TARGET_TAKEN    ? BIND_ALREADY
	       : state == TARGET_MENDED ? BIND_MENDED
					: BIND_MADE;
	if (state == TARGET_TAKEN)
		return 0;
	return attach_fresh(b, t, sourcefd, e);
}

int bind_make(const struct bind *b, enum bind_outcome *ret, struct err *e)
{
	struct target t = {.at = {.parentfd = -1}};
	int r = make(b, &t, ret, e);

	target_close(&t, r < 0);
	return r;
}
