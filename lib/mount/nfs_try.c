/* SPDX-License-Identifier: Apache-2.0 */
/* nfs_try.c: one attempt to mount an export with one version */
#include "mount/nfs_try.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"

/* fsconfig(2) takes strings below this size. */
#define FSCONFIG_VALUE_MAX 256
/* Lines of the kernel's that are worth reading. */
#define KERNEL_LINES_MAX 4

const char *nfs_version_text(int version)
{
	switch (version) {
	case NFS_3:
		return "3";
	case NFS_4_0:
		return "4.0";
	case NFS_4_1:
		return "4.1";
	case NFS_4_2:
		return "4.2";
	default:
		return "?";
	}
}

/* ---- the options ------------------------------------------------------------------------------
 */

/* "tcp" or "tcp6", whichever goes with the address. */
static int family_name(char *dst, size_t size, const char *proto, bool ipv6)
{
	size_t n = strlen(proto);

	if (n > 1 && proto[n - 1] == '6')
		n--;
	return str_format(dst, size, "%.*s%s", (int)n, proto, ipv6 ? "6" : "");
}

/* Everything of m->options but proto and mountproto. */
static int add_options(struct buf *b, const char *options)
{
	int r = 0;

	for (const char *s = options; r == 0 && *s;) {
		size_t n = mounted_option_length(s);

		if (n > 0 && !str_after(s, "proto=") && !str_after(s, "mountproto=")) {
			r = buf_puts(b, ",");
			if (r == 0)
				r = buf_append(b, s, n);
		}
		s += n + (s[n] == ',');
	}
	return r;
}

static int build(const struct nfs_try *t, struct buf *b)
{
	const char *options = str_or(t->m->options, "");
	char proto[16] = "tcp", mountproto[16] = "", text[16];
	int r;

	(void)mounted_option(options, "proto", proto, sizeof(proto));
	(void)mounted_option(options, "mountproto", mountproto, sizeof(mountproto));
	r = family_name(text, sizeof(text), proto, t->ipv6);
	if (r == 0)
		r = buf_printf(b, "vers=%s,proto=%s,addr=%s", nfs_version_text(t->version), text,
			t->m->address);
	if (r == 0 && mountproto[0] && t->version == NFS_3) {
		r = family_name(text, sizeof(text), mountproto, t->ipv6);
		if (r == 0)
			r = buf_printf(b, ",mountproto=%s", text);
	}
	if (r == 0 && t->version != NFS_3 && t->clientaddr[0])
		r = buf_printf(b, ",clientaddr=%s", t->clientaddr);
	if (r == 0 && t->add_nolock)
		r = buf_puts(b, ",nolock");
	return r == 0 ? add_options(b, options) : r;
}

int nfs_try_data(const struct nfs_try *t, char dst[static NFS_DATA_MAX])
{
	_cleanup_buf_ struct buf b = BUF_NULL(NFS_DATA_MAX - 1);
	int r = build(t, &b);

	if (r < 0)
		return r == -ENOBUFS ? -ENAMETOOLONG : r;
	memcpy(dst, b.data, b.len + 1);
	return 0;
}

/* ---- the new calls ----------------------------------------------------------------------------
 */

/* What the kernel wrote into the context, "e NFS: text" a read, behind the text of e. */
static int explain(int fs, int code, const char *step, struct err *e)
{
	char text[384] = "", line[256];
	size_t used = 0;

	for (int i = 0; i < KERNEL_LINES_MAX; i++) {
		ssize_t n = read(fs, line, sizeof(line) - 1);
		const char *words = line;
		int put;

		if (n <= 0)
			break;
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (line[0] && line[1] == ' ')
			words = line + 2;
		put = snprintf(text + used, sizeof(text) - used, "%s%s", used ? "; " : "", words);
		if (put < 0 || (size_t)put >= sizeof(text) - used)
			break;
		used += (size_t)put;
	}
	if (!used)
		return err_sys(e, code, "%s", step);
	return err_sys(e, code, "%s: %s", step, text);
}

/* One item of the text, "name" or "name=value", with the quotes around a value off. */
static int configure(int fs, const char *item, size_t n, struct err *e)
{
	char name[64], value[FSCONFIG_VALUE_MAX], step[96];
	const char *equals = memchr(item, '=', n);
	size_t name_len = equals ? (size_t)(equals - item) : n;
	int r;

	if (name_len >= sizeof(name))
		return err_set(e, EINVAL, "option name is too long");
	memcpy(name, item, name_len);
	name[name_len] = '\0';
	if (equals && !mounted_option(item, name, value, sizeof(value)))
		return err_set(e, EINVAL, "value of %s is too long", name);
	r = equals ? fsconfig(fs, FSCONFIG_SET_STRING, name, value, 0)
		   : fsconfig(fs, FSCONFIG_SET_FLAG, name, NULL, 0);
	if (r == 0)
		return 0;
	r = -errno;
	snprintf(step, sizeof(step), "option %s", name);
	return explain(fs, r, step, e);
}

/* *ret_final: what was refused has nothing to do with the version. */
static int configure_all(
	int fs, const struct nfs_try *t, const char *data, bool *ret_final, struct err *e)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} generic[] = {{MOUNTF_RDONLY, "ro"}, {MOUNTF_SYNC, "sync"}, {MOUNTF_DIRSYNC, "dirsync"}};

	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", t->source, 0) < 0)
		return explain(fs, -errno, "source", e);
	for (const char *s = data; *s;) {
		size_t n = mounted_option_length(s);
		int r = configure(fs, s, n, e);

		if (r < 0) {
			*ret_final = !str_after(s, "vers=");
			return r;
		}
		s += n + (s[n] == ',');
	}
	for (size_t i = 0; i < ELEMENTSOF(generic); i++)
		if ((t->m->flags & generic[i].flag) &&
			fsconfig(fs, FSCONFIG_SET_FLAG, generic[i].name, NULL, 0) < 0)
			return explain(fs, -errno, generic[i].name, e);
	return 0;
}

static int attach_new(int fs, const struct nfs_try *t, const struct target *target, bool *ret_final,
	struct err *e)
{
	_cleanup_close_ int tree = -1;

	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		*ret_final = false;
		return explain(fs, -errno, "refused", e);
	}
	tree = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)mountf_attr(t->m->flags));
	if (tree < 0)
		return explain(fs, -errno, "fsmount", e);
	if (move_mount(tree, "", target->at.parentfd, target->at.name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, errno, "cannot mount at %s", target->at.shown);
	return 0;
}

/* ---- mount(2) ---------------------------------------------------------------------------------
 */

static int attach_old(const struct nfs_try *t, const struct target *target, const char *data,
	bool *ret_final, struct err *e)
{
	_cleanup_close_ int under = target_open(target);
	char to[PLACE_PROC_MAX];

	*ret_final = true;
	if (under < 0)
		return err_sys(e, under, "cannot open %s", target->at.shown);
	place_proc(to, under, NULL);
	if (mount(t->source, to, "nfs", mountf_ms(t->m->flags), data) == 0)
		return 0;
	*ret_final = errno == ENODEV || errno == ENOMEM;
	return err_sys(e, errno, "mount");
}

/* Whether each value is short enough for fsconfig(2). */
static bool is_short(const char *source, const char *data)
{
	if (strlen(source) >= FSCONFIG_VALUE_MAX)
		return false;
	for (const char *s = data; *s;) {
		size_t n = mounted_option_length(s);

		if (n >= FSCONFIG_VALUE_MAX)
			return false;
		s += n + (s[n] == ',');
	}
	return true;
}

int nfs_try_attach(
	const struct nfs_try *t, const struct target *target, bool *ret_final, struct err *e)
{
	_cleanup_close_ int fs = -1;
	char data[NFS_DATA_MAX];
	int r;

	*ret_final = true;
	r = nfs_try_data(t, data);
	if (r < 0)
		return err_sys(e, r, "options");
	if (!is_short(t->source, data))
		return attach_old(t, target, data, ret_final, e);
	fs = fsopen("nfs", FSOPEN_CLOEXEC);
	if (fs < 0 && (errno == ENOSYS || errno == EPERM))
		return attach_old(t, target, data, ret_final, e);
	if (fs < 0)
		return err_sys(e, errno, "fsopen");
	r = configure_all(fs, t, data, ret_final, e);
	return r < 0 ? r : attach_new(fs, t, target, ret_final, e);
}
