/* SPDX-License-Identifier: Apache-2.0 */
/* mount_child.c: orders to system calls, in the host's namespaces */
#include "agent/mount_child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/mount_order.h"
#include "agent/pool.h"
#include "agent/mounter.h"
#include "base/pathat.h"
#include "base/str.h"
#include "mount/bind.h"
#include "mount/mounted.h"
#include "mount/nfs_mount.h"
#include "mount/rshared.h"
#include "mount/unmount.h"
#include "worker/child.h"

struct mount_child {
	const struct child_setup *setup;
	char exports[PATH_MAX];
	struct buf *reply; /* of the current order */
};

/* The resolver has just had an answer from there: one that is silent now froze meanwhile, and is
 * not worth the order's whole deadline. */
#define PROBE_MS 5000
/* The longest is a note or a reason, packed. */
#define REPLY_MAX (ERR_TEXT_MAX * 2)

/* ---- publish ------------------------------------------------------------------------------- */

/*
 * Whatever the front says: the kubelet's own directories beside pods are not mounted over, and of a
 * pod's none but those of CSI volumes; place.h refuses "..".
 */
static bool is_volume_of_pod(const char *path)
{
	static const char *const names[] = {
		"pods", NULL, "volumes", "kubernetes.io~csi", NULL, "mount"};

	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		size_t n = strcspn(path, "/");
		bool last = i + 1 == ELEMENTSOF(names);

		if (names[i] && (strlen(names[i]) != n || memcmp(path, names[i], n) != 0))
			return false;
		if (last != (path[n] == '\0'))
			return false;
		path += n + 1;
	}
	return true;
}

static int target_of(
	const struct mount_child *c, const struct mount_order *o, struct place *ret, struct err *e)
{
	if (!o->target)
		return err_set(e, EPROTO, "incomplete order");
	if (!str_after(o->target, "pods/"))
		return err_set(e, EACCES, "%s is in no pod's directory", o->target);
	*ret = (struct place){.root = c->setup->kubelet_root, .path = o->target};
	return 0;
}

/* One name below the exports directory, whatever the front says. */
static int export_place(struct mount_child *c, const char *id, struct place *ret, struct err *e)
{
	if (path_component_check(id, strlen(id), e) < 0)
		return err_prefix(e, "export mount");
	*ret = (struct place){.root = c->exports, .path = id};
	return 0;
}

static int export_is_mounted(const struct place *p, struct err *e)
{
	_cleanup_place_ struct place_at at = {.parentfd = -1};
	struct mounted m;
	int r = place_open(&at, p, NULL);

	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = mounted_at(&at, &m, e);
	return r < 0 ? r : m.exists && m.is_root;
}

static int export_mount(
	struct mount_child *c, const struct mount_order *o, const struct place *p, struct err *e)
{
	const struct nfs_mount n = {.server = o->server,
		.address = o->address,
		.path = o->path,
		.target = *p,
		.flags = o->export_flags & MOUNTF_EXPORT,
		.version = (int)o->version,
		.options = o->options,
		.probe_ms = PROBE_MS};
	struct nfs_mounted made;
	int r;

	if (mkdirat(AT_FDCWD, c->exports, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "cannot make %s", c->exports);
	r = nfs_mount_make(&n, &made, e);
	if (r < 0)
		return r;
	buf_reset(c->reply);
	return pack_str(c->reply, made.note);
}

/* The volume's source, with its export mounted. */
static int export_source(
	struct mount_child *c, const struct mount_order *o, char root[PATH_MAX], struct err *e)
{
	struct place p;
	int r = export_place(c, o->id, &p, e);

	if (r >= 0)
		r = export_is_mounted(&p, e);
	if (r < 0)
		return r;
	if (r == 0 && !o->address)
		return err_set(e, ENOMEDIUM, "export mount %s is not there", o->id);
	if (r == 0)
		r = export_mount(c, o, &p, e);
	if (r >= 0)
		r = str_format(root, PATH_MAX, "%s/%s", p.root, p.path);
	return r < 0 ? r : 0;
}

/* A descriptor of the pool. */
static int pool_source(const struct mount_child *c, const struct mount_order *o, struct err *e)
{
	for (size_t i = 0; i < c->setup->n_pools; i++)
		if (streq(c->setup->pools[i], o->path))
			return pool_open(o->path, o->identity, e);
	return err_set(e, EACCES, "%s is not among the --pool DIR of berth-agent", o->path);
}

/* The export was made anew on its server, or withdrawn and given back: so is its mount. Without an
 * address the front sends the order again with one. */
static int publish_anew(
	struct mount_child *c, const struct mount_order *o, const struct bind *b, struct err *e)
{
	enum bind_outcome outcome;
	struct place p;
	int r;

	if (!o->address)
		return err_set(e, ENOMEDIUM, "export mount %s is stale", o->id);
	err_clear(e);
	r = export_place(c, o->id, &p, e);
	if (r >= 0)
		r = export_mount(c, o, &p, e);
	return r < 0 ? r : bind_make(b, &outcome, e);
}

static int publish_export(
	struct mount_child *c, const struct mount_order *o, struct bind *b, struct err *e)
{
	char root[PATH_MAX];
	enum bind_outcome outcome;
	int r = export_source(c, o, root, e);

	if (r < 0)
		return r;
	b->source.root = root;
	r = bind_make(b, &outcome, e);
	return r == -ESTALE ? publish_anew(c, o, b, e) : r;
}

/* What proved to be the pool is what is bound. */
static int publish_pool(
	struct mount_child *c, const struct mount_order *o, struct bind *b, struct err *e)
{
	_cleanup_close_ int pool = pool_source(c, o, e);
	enum bind_outcome outcome;

	if (pool < 0)
		return pool;
	b->source.root = o->path;
	b->rootfd = &pool;
	b->same_filesystem = true;
	return bind_make(b, &outcome, e);
}

static int order_publish(struct mount_child *c, const struct mount_order *o, struct err *e)
{
	struct bind b = {.source = {.path = o->directory}, .flags = o->flags & MOUNTF_BIND};
	int r;

	if (!o->path || !o->directory || (o->address && (!o->server || !o->options)))
		return err_set(e, EPROTO, "incomplete order");
	r = target_of(c, o, &b.target, e);
	if (r < 0)
		return r;
	if (!is_volume_of_pod(o->target))
		return err_set(e, EACCES, "%s is no place of a pod's CSI volume", o->target);
	return o->id ? publish_export(c, o, &b, e) : publish_pool(c, o, &b, e);
}

/* ---- the others ---------------------------------------------------------------------------- */

static int take_away(
	struct mount_child *c, const struct place *p, const struct mount_order *o, struct err *e)
{
	unsigned removed = 0;
	int r;

	if (o->rung > UNMOUNT_DETACH)
		return err_set(e, EPROTO, "no such rung");
	r = unmount_rung(p, (enum unmount_rung)o->rung, &removed, e);
	if (r >= 0 && o->rmdir)
		r = unmount_rmdir(p, e);
	return r < 0 ? r : pack_u64(c->reply, removed);
}

static int order_unmount(struct mount_child *c, const struct mount_order *o, struct err *e)
{
	struct place p;
	int r = target_of(c, o, &p, e);

	return r < 0 ? r : take_away(c, &p, o, e);
}

static int order_drop(struct mount_child *c, const struct mount_order *o, struct err *e)
{
	struct place p;
	int r = o->id ? export_place(c, o->id, &p, e) : err_set(e, EPROTO, "incomplete order");

	return r < 0 ? r : take_away(c, &p, o, e);
}

static int pack_space(struct buf *b, const struct mounted_space *s)
{
	const uint64_t numbers[] = {s->total, s->free, s->available, s->files, s->files_free};
	int r = 0;

	for (size_t i = 0; i < ELEMENTSOF(numbers) && r >= 0; i++)
		r = pack_u64(b, numbers[i]);
	return r;
}

static int order_space(struct mount_child *c, const struct mount_order *o, struct err *e)
{
	struct mounted_space s;
	struct place p;
	int r = target_of(c, o, &p, e);

	if (r >= 0)
		r = mounted_space(&p, &s, e);
	return r < 0 ? r : pack_space(c->reply, &s);
}

static int order_rshared(struct mount_child *c, const struct mount_order *o, struct err *e)
{
	enum mounter_sharing sharing = MOUNTER_REFUSED;
	bool changed = false;
	struct rshared state;
	int r = rshared_make(c->setup->kubelet_root, &state, &changed, e);

	(void)o;
	if (r >= 0)
		sharing = changed ? MOUNTER_MADE : MOUNTER_SHARED;
	else if (r != -EBUSY)
		return r;
	if (pack_u64(c->reply, sharing) < 0 || pack_str(c->reply, r < 0 ? e->text : "") < 0)
		return -ENOMEM;
	return 0;
}

static int order_client(struct mount_child *c, const struct mount_order *o, struct err *e)
{
	(void)c;
	(void)o;
	return nfs_mount_available(e);
}

/* ---- the loop ------------------------------------------------------------------------------ */

typedef int (*order_fn)(struct mount_child *c, const struct mount_order *o, struct err *e);
static const order_fn orders[_MOUNT_ORDER_MAX] = {
	[MOUNT_ORDER_PUBLISH] = order_publish,
	[MOUNT_ORDER_UNMOUNT] = order_unmount,
	[MOUNT_ORDER_DROP] = order_drop,
	[MOUNT_ORDER_SPACE] = order_space,
	[MOUNT_ORDER_RSHARED] = order_rshared,
	[MOUNT_ORDER_CLIENT] = order_client,
};

static int obey(const struct frame_header *h, const char *body, struct buf *reply, struct err *e,
	void *userdata)
{
	struct mount_child *c = userdata;
	struct mount_order o;

	c->reply = reply;
	if (h->kind >= _MOUNT_ORDER_MAX || !orders[h->kind] ||
		mount_order_unpack(&o, body, h->size) < 0)
		return err_set(e, EPROTO, "no such order");
	return orders[h->kind](c, &o, e);
}

int mount_child_run(const struct child_setup *s, int fd)
{
	struct mount_child c = {.setup = s};
	int r = str_format(c.exports, sizeof(c.exports), "%s/" MOUNT_CHILD_EXPORTS, s->run_dir);

	return r < 0 ? r : worker_child_serve(fd, REPLY_MAX, obey, &c);
}
