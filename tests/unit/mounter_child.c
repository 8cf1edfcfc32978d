/* SPDX-License-Identifier: Apache-2.0 */
/* mounter_child.c: a mount child and a resolver that do what an order's names say */
#include "tests/unit/mounter_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/mount_order.h"
#include "agent/mounter.h"
#include "base/fd.h"
#include "base/str.h"
#include "mount/unmount.h"
#include "worker/child.h"
#include "worker/frame.h"
static void note(const char *what, const struct mount_order *o)
{
	char line[700];
	int fd = open(getenv("MOUNTER_LOG"), O_WRONLY | O_APPEND | O_CLOEXEC);
	int n = snprintf(line, sizeof(line),
		"%s target=%s id=%s source=%s:%s@%s dir=%s flags=%x rung=%u %s\n", what,
		str_or(o->target, "-"), o->id ? "yes" : "no", str_or(o->server, ""),
		str_or(o->path, ""), str_or(o->address, "-"), str_or(o->directory, "-"), o->flags,
		o->rung, str_or(o->options, ""));

	if (fd < 0 || fd_write_all(fd, line, (size_t)n) < 0)
		_exit(1);
	close(fd);
}

static bool says(const struct mount_order *o, const char *word)
{
	return strstr(str_or(o->directory, ""), word) || strstr(str_or(o->target, ""), word);
}

static int obey(uint32_t kind, const struct mount_order *o, struct buf *reply)
{
	if (says(o, "die"))
		_exit(7);
	if (says(o, "hang") && o->rung == UNMOUNT_NORMAL)
		return 1;
	if (says(o, "fail"))
		return buf_puts(reply, "the mount child says no") < 0 ? -ENOMEM : -EACCES;
	if (says(o, "busy") && kind == MOUNT_ORDER_UNMOUNT && o->rung == UNMOUNT_NORMAL)
		return -EBUSY;
	if (says(o, "late") && kind == MOUNT_ORDER_PUBLISH && !o->address)
		return -ENOMEDIUM;
	if (kind == MOUNT_ORDER_SPACE)
		for (uint64_t i = 1; i <= 5; i++)
			if (pack_u64(reply, i * 100) < 0)
				return -ENOMEM;
	if (kind == MOUNT_ORDER_UNMOUNT || kind == MOUNT_ORDER_DROP)
		return pack_u64(reply, says(o, "nothing") ? 0 : 1);
	if (kind == MOUNT_ORDER_PUBLISH && says(o, "lonely"))
		return pack_str(reply, "locks are kept on this node");
	if (kind == MOUNT_ORDER_CLIENT)
		return buf_puts(reply, "no NFS client here") < 0 ? -ENOMEM : -ENODEV;
	if (kind == MOUNT_ORDER_RSHARED && pack_u64(reply, MOUNTER_REFUSED) >= 0)
		return pack_str(reply, "a pod is mounted below");
	return 0;
}

static int find(const char *body, size_t size, struct buf *reply)
{
	struct unpack u = {.p = body, .end = body + size};
	struct mount_order o = {.server = unpack_str(&u)};
	const char *servers = o.server;

	o.rung = (uint32_t)unpack_u64(&u);
	note("find", &o);
	if (strstr(servers, "dead"))
		return buf_puts(reply, "dead: Connection refused") < 0 ? -ENOMEM : -ECONNREFUSED;
	return pack_str(reply, "filer") < 0 || pack_str(reply, "10.0.0.1") < 0 ? -ENOMEM : 0;
}

static int serve(struct worker_child *c, bool resolves)
{
	static const char *const names[_MOUNT_ORDER_MAX] = {
		"", "publish", "unmount", "drop", "space", "rshared", "client"};
	struct buf reply = BUF_NULL(4096);
	struct frame_header h;
	struct mount_order o;
	const char *body;
	int r;

	while (worker_child_next(c, &h, &body) > 0) {
		if (!resolves &&
			(mount_order_unpack(&o, body, h.size) < 0 || h.kind >= _MOUNT_ORDER_MAX))
			return 1;
		if (!resolves)
			note(names[h.kind], &o);
		buf_reset(&reply);
		r = resolves ? find(body, h.size, &reply) : obey(h.kind, &o, &reply);
		if (r <= 0 && worker_child_reply(c, h.id, h.kind, r, reply.data, reply.len) < 0)
			return 1;
	}
	return 0;
}

int mounter_child_main(void)
{
	struct worker_child c;
	const char *body;
	size_t size;
	bool resolves;

	if (worker_child_init(&c, WORKER_FD) < 0 || worker_child_wait_init(&c, &body, &size) < 0)
		return 1;
	resolves = size == 7;
	if (worker_child_reply(&c, 0, 0, 0, NULL, 0) < 0)
		return 1;
	for (;;) {
		struct pollfd p = {.fd = WORKER_FD, .events = worker_child_events(&c)};

		if (poll(&p, 1, -1) < 0 || worker_child_io(&c, p.revents) < 0)
			return 0;
		if (serve(&c, resolves) != 0)
			return 2;
	}
}
