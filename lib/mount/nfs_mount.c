/* SPDX-License-Identifier: Apache-2.0 */
/* nfs_mount.c: an NFS export mounted by system calls alone: checks, probe, and the walk over
 * versions */
#include "mount/nfs_mount.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "mount/nfs_source.h"
#include "mount/nfs_try.h"
#include "mount/rpcping.h"

#define NFS_PORT 2049
#define TARGET_MODE 0700
#define FILESYSTEMS_MAX (64U << 10)

/* One call of nfs_mount_make() on its way. */
struct walk {
	const struct nfs_mount *m;
	struct nfs_mounted *ret;
	char source[NFS_SOURCE_MAX];
	struct sockaddr_storage address;
	socklen_t address_size;
	struct target target;
	bool statd_asked;
	bool statd;
	/* What went wrong so far: the first error that says more than "not this version". */
	int code;
	char text[ERR_TEXT_MAX];
};

static bool has_option(const struct nfs_mount *m, const char *name)
{
	return m->options && mounted_option(m->options, name, NULL, 0);
}

static bool is_v4(int version)
{
	return version >= NFS_4_0;
}

/* Whether a volume that asks for a version may have that one. */
static bool allows(int asked, int version)
{
	return asked == NFS_ANY || asked == version || (asked == NFS_4 && is_v4(version));
}

static const char *asked_text(int asked)
{
	return asked == NFS_4 ? "4" : nfs_version_text(asked);
}

/* ---- what is mounted there already ------------------------------------------------------------
 */

static int version_mounted(const char *options)
{
	static const int versions[] = {NFS_3, NFS_4_0, NFS_4_1, NFS_4_2};
	char text[16];

	if (!mounted_option(options, "vers", text, sizeof(text)))
		return NFS_ANY;
	for (size_t i = 0; i < ELEMENTSOF(versions); i++)
		if (streq(text, nfs_version_text(versions[i])))
			return versions[i];
	return NFS_ANY;
}

static enum nfs_lock lock_mounted(const char *options)
{
	char text[16] = "";

	(void)mounted_option(options, "local_lock", text, sizeof(text));
	return mounted_option(options, "nolock", NULL, 0) || streq(text, "all") ? NFS_LOCK_LOCAL
										: NFS_LOCK_SERVER;
}

static int fits(const struct target *t, const struct mounted *m, void *userdata, struct err *e)
{
	struct walk *w = userdata;
	struct mounted_what what;
	int r = mounted_describe(m->id, &what, e);

	if (r < 0)
		return r;
	if (!str_after(what.fstype, "nfs") || !streq(what.source, w->source))
		return err_set(e, EEXIST, "something else is mounted at %s: %s (%s)", t->at.shown,
			what.source, what.fstype);
	w->ret->version = version_mounted(what.options);
	w->ret->lock = lock_mounted(what.options);
	if (!allows(w->m->version, w->ret->version))
		return err_set(e, EEXIST, "%s is mounted already at %s, with NFS %s", what.source,
			t->at.shown, nfs_version_text(w->ret->version));
	return 0;
}

/* ---- before mounting --------------------------------------------------------------------------
 */

static int check(struct walk *w, struct err *e)
{
	const struct nfs_mount *m = w->m;
	int r = nfs_source_format(w->source, sizeof(w->source), m->server, m->path, e);

	if (r < 0)
		return r;
	str_copy_cut(w->ret->source, sizeof(w->ret->source), w->source);
	if (m->version != NFS_ANY && streq(asked_text(m->version), "?"))
		return err_set(e, EINVAL, "%d is no NFS version", m->version);
	if (rpcping_address(m->address, NFS_PORT, &w->address, &w->address_size) < 0)
		return err_set(e, EINVAL, "\"%s\" is no numeric address", m->address);
	return 0;
}

static uint16_t nfs_port(const struct nfs_mount *m)
{
	char text[8];
	uint64_t port;

	if (!m->options || !mounted_option(m->options, "port", text, sizeof(text)) ||
		parse_u64(text, 1, UINT16_MAX, &port) < 0)
		return NFS_PORT;
	return (uint16_t)port;
}

static bool speaks_tcp(const struct nfs_mount *m)
{
	char proto[16] = "tcp";

	if (m->options)
		(void)mounted_option(m->options, "proto", proto, sizeof(proto));
	return str_after(proto, "tcp") != NULL;
}

/*
 * The version to begin with, or the reason why there is none. Whether v3 answers on another port is
 * for the kernel to ask the server's rpcbind.
 */
static int probe(const struct walk *w, struct err *e)
{
	const struct nfs_mount *m = w->m;
	int first = allows(m->version, NFS_4_2) ? NFS_4_2 : m->version;
	uint16_t port = nfs_port(m);
	struct sockaddr_storage to;
	socklen_t size;
	int r;

	if (!m->probe_ms || !speaks_tcp(m) || rpcping_address(m->address, port, &to, &size) < 0)
		return first;
	r = rpcping_null(&to, size, RPC_PROGRAM_NFS, is_v4(first) ? 4 : 3, m->probe_ms);
	switch (r) {
	case -EPROTONOSUPPORT:
	case -ECONNREFUSED:
		if (m->version == NFS_ANY || (m->version == NFS_3 && r == -ECONNREFUSED))
			return NFS_3;
		break;
	case -ETIMEDOUT:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
	case -EADDRNOTAVAIL:
		break;
	default:
		return first;
	}
	if (r == -EPROTONOSUPPORT)
		return err_set(e, -r, "server %s (%s) does not offer NFS %s", m->server, m->address,
			asked_text(m->version));
	return err_sys(e, r, "NFS server %s (%s port %u) does not answer", m->server, m->address,
		(unsigned)port);
}

/* Ours towards the server, as 4.0 servers call back; "" where there is no way to it. */
static void find_clientaddr(const struct walk *w, char *dst, size_t size)
{
	_cleanup_close_ int fd = socket(w->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage own;
	socklen_t n = sizeof(own);
	const void *bytes;

	dst[0] = '\0';
	if (fd < 0 || connect(fd, (const struct sockaddr *)&w->address, w->address_size) < 0 ||
		getsockname(fd, (struct sockaddr *)&own, &n) < 0)
		return;
	bytes = own.ss_family == AF_INET6 ? (const void *)&((struct sockaddr_in6 *)&own)->sin6_addr
					  : (const void *)&((struct sockaddr_in *)&own)->sin_addr;
	if (!inet_ntop(own.ss_family, bytes, dst, (socklen_t)size))
		dst[0] = '\0';
}

/* v3 locks need rpc.statd on this side, or they are kept on this node alone. */
static int decide_locks(struct walk *w, struct nfs_try *t, struct err *e)
{
	w->ret->lock = NFS_LOCK_SERVER;
	t->add_nolock = false;
	if (is_v4(t->version))
		return 0;
	if (has_option(w->m, "nolock")) {
		w->ret->lock = NFS_LOCK_LOCAL;
		return 0;
	}
	if (!w->statd_asked) {
		w->statd = rpcping_statd();
		w->statd_asked = true;
	}
	if (w->statd)
		return 0;
	if (has_option(w->m, "lock"))
		return err_set(e, ENOLCK,
			"option lock needs rpc.statd on this node, which is not running");
	t->add_nolock = true;
	w->ret->lock = NFS_LOCK_LOCAL;
	return 0;
}

/* ---- the walk ---------------------------------------------------------------------------------
 */

/* The version to try after one failed, NFS_ANY for none. */
static int next_version(int version, int code)
{
	switch (-code) {
	case EPROTONOSUPPORT:
	case EINVAL:
		return version == NFS_4_2   ? NFS_4_1
		       : version == NFS_4_1 ? NFS_4_0
		       : version == NFS_4_0 ? NFS_3
					    : NFS_ANY;
	case EACCES:
		return version == NFS_4_2 ? NFS_4_1 : version == NFS_4_1 ? NFS_4_0 : NFS_ANY;
	case ENOENT:
	case EPERM:
	case ECONNREFUSED:
		return is_v4(version) ? NFS_3 : NFS_ANY;
	default:
		return NFS_ANY;
	}
}

static void remember(struct walk *w, int version, int code, const char *text)
{
	size_t used = strlen(w->text);

	if (w->code == 0 || w->code == -EPROTONOSUPPORT || w->code == -EINVAL)
		w->code = code;
	snprintf(w->text + used, sizeof(w->text) - used, "%sNFS %s: %s", used ? "; " : "",
		nfs_version_text(version), text);
}

static void note(struct walk *w)
{
	const char *locks = "";

	if (w->ret->version == NFS_3 && w->ret->lock == NFS_LOCK_LOCAL &&
		!has_option(w->m, "nolock"))
		locks = "no rpc.statd on this node: file locks are kept on this node alone "
			"(nolock)";
	if (w->text[0])
		snprintf(w->ret->note, sizeof(w->ret->note), "NFS %s, for %.120s%s%s",
			nfs_version_text(w->ret->version), w->text, *locks ? "; " : "", locks);
	else
		str_copy_cut(w->ret->note, sizeof(w->ret->note), locks);
}

static int walk(struct walk *w, int first, struct err *e)
{
	struct nfs_try t = {.m = w->m, .source = w->source, .version = first};
	struct err one = ERR_NULL;
	bool final;
	int r;

	t.ipv6 = w->address.ss_family == AF_INET6;
	find_clientaddr(w, t.clientaddr, sizeof(t.clientaddr));
	for (;;) {
		err_clear(&one);
		final = true;
		r = decide_locks(w, &t, &one);
		if (r == 0)
			r = nfs_try_attach(&t, &w->target, &final, &one);
		if (r == 0) {
			w->ret->version = t.version;
			note(w);
			return 0;
		}
		remember(w, t.version, r, one.text);
		if (r == -ENODEV)
			return err_set(
				e, ENODEV, "this node's kernel has no NFS client (module nfs)");
		t.version =
			w->m->version == NFS_ANY && !final ? next_version(t.version, r) : NFS_ANY;
		if (t.version == NFS_ANY)
			return err_set(e, w->code, "cannot mount %s: %s", w->source, w->text);
	}
}

static int make(struct walk *w, struct err *e)
{
	enum target_state state;
	int r = check(w, e);

	if (r < 0)
		return r;
	r = target_prepare(&w->target, &w->m->target, TARGET_MODE, e);
	if (r == 0)
		r = target_find(&w->target, fits, w, &state, e);
	if (r < 0)
		return r;
	w->ret->already = state == TARGET_TAKEN;
	if (w->ret->already)
		return 0;
	r = probe(w, e);
	if (r < 0)
		return r;
	if (w->m->version == NFS_ANY && r == NFS_3)
		str_copy_cut(w->text, sizeof(w->text), "NFS 4: not offered");
	return walk(w, r, e);
}

int nfs_mount_make(const struct nfs_mount *m, struct nfs_mounted *ret, struct err *e)
{
	struct walk w = {.m = m, .ret = ret, .target = {.at = {.parentfd = -1}}};
	int r;

	*ret = (struct nfs_mounted){.version = NFS_ANY};
	r = make(&w, e);
	target_close(&w.target, r < 0);
	return r;
}

int nfs_mount_available(struct err *e)
{
	_cleanup_close_ int fs = fsopen("nfs", FSOPEN_CLOEXEC);
	_cleanup_buf_ struct buf b = BUF_NULL(FILESYSTEMS_MAX);
	int r;

	if (fs >= 0)
		return 0;
	if (errno == ENODEV)
		return err_set(e, ENODEV, "this node's kernel has no NFS client (module nfs)");
	/* An old kernel, or no right to ask: what is loaded can be seen. */
	r = file_read("/proc/filesystems", &b, e);
	if (r < 0)
		return r;
	if (b.data && strstr(b.data, "\tnfs\n"))
		return 0;
	return err_set(e, ENODEV, "this node's kernel has no NFS client (module nfs)");
}
