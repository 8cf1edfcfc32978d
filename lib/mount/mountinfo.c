/* SPDX-License-Identifier: Apache-2.0 */
/* mountinfo.c: the lines of a mountinfo file, one at a time, with libc alone */
#include "mount/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/parse.h"
#include "base/str.h"
#include "mount/flags.h"
#include "mount/mounted.h"

/* Root and mount point have up to PATH_MAX bytes, each four on the line where it is escaped. */
#define LINE_MAX_BYTES (128U << 10)
/* seq_file hands out a page at a time. */
#define CHUNK 4096

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* "\040" and friends, three digits always. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && is_octal(s[2]) &&
			is_octal(s[3])) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* The next word of *p, terminated; NULL at the end. */
static char *word(char **p)
{
	char *s = *p;

	while (*s == ' ')
		s++;
	if (!*s)
		return NULL;
	*p = s + strcspn(s, " ");
	if (**p)
		*(*p)++ = '\0';
	return s;
}

static int number(char **p, uint64_t max, uint64_t *ret)
{
	char *w = word(p);

	return w ? parse_u64(w, 0, max, ret) : -EINVAL;
}

static int device(char **p, struct mountinfo *m)
{
	char *w = word(p), *colon = w ? strchr(w, ':') : NULL;
	uint64_t major, minor;

	if (!colon)
		return -EINVAL;
	*colon = '\0';
	if (parse_u64(w, 0, UINT32_MAX, &major) < 0 ||
		parse_u64(colon + 1, 0, UINT32_MAX, &minor) < 0)
		return -EINVAL;
	m->major = (uint32_t)major;
	m->minor = (uint32_t)minor;
	return 0;
}

/* Fields of the form "tag[:value]" up to "-"; those we do not know are passed over. */
static int optional(char **p, struct mountinfo *m)
{
	char *w;

	while ((w = word(p)) && !streq(w, "-")) {
		const char *peer = str_after(w, "shared:"), *master = str_after(w, "master:");
		uint64_t n;

		if (parse_u64(peer ? peer : str_or(master, ""), 0, UINT32_MAX, &n) < 0)
			continue;
		if (peer)
			m->peer = (uint32_t)n;
		else
			m->master = (uint32_t)n;
	}
	return w ? 0 : -EINVAL;
}

int mountinfo_parse(char *line, struct mountinfo *ret)
{
	struct mountinfo m = {.id = 0};
	char *p = line;

	if (number(&p, UINT32_MAX, &m.id) < 0 || number(&p, UINT32_MAX, &m.parent) < 0 ||
		device(&p, &m) < 0)
		return -EBADMSG;
	m.root = word(&p);
	m.target = word(&p);
	m.options = word(&p);
	if (!m.options || optional(&p, &m) < 0)
		return -EBADMSG;
	m.fstype = word(&p);
	/* An empty source is two spaces: then there is one word behind the type, the options. */
	m.source = *p == ' ' ? p++ : word(&p);
	if (m.source && *m.source == ' ')
		*m.source = '\0';
	m.fs_options = m.source ? word(&p) : NULL;
	if (!m.fs_options)
		return -EBADMSG;
	unescape(m.root);
	unescape(m.target);
	unescape(m.fstype);
	unescape(m.source);
	unescape(m.fs_options);
	*ret = m;
	return 0;
}

static uint32_t words_to_flags(const char *options, uint32_t wanted)
{
	static const struct {
		const char *word;
		uint32_t flag;
	} words[] = {
		{"ro", MOUNTF_RDONLY},
		{"nosuid", MOUNTF_NOSUID},
		{"nodev", MOUNTF_NODEV},
		{"noexec", MOUNTF_NOEXEC},
		{"noatime", MOUNTF_NOATIME},
		{"nodiratime", MOUNTF_NODIRATIME},
		{"sync", MOUNTF_SYNC},
		{"dirsync", MOUNTF_DIRSYNC},
	};
	uint32_t flags = 0;

	for (size_t i = 0; i < ELEMENTSOF(words); i++)
		if ((words[i].flag & wanted) && mounted_option(options, words[i].word, NULL, 0))
			flags |= words[i].flag;
	return flags;
}

uint32_t mountinfo_flags(const struct mountinfo *m)
{
	uint32_t flags = words_to_flags(m->options, MOUNTF_BIND);

	if (!(flags & MOUNTF_NOATIME) && !mounted_option(m->options, "relatime", NULL, 0))
		flags |= MOUNTF_STRICTATIME;
	return flags | words_to_flags(m->fs_options, MOUNTF_RDONLY | MOUNTF_SYNC | MOUNTF_DIRSYNC);
}

/* All whole lines of b to fn; what is left stays in b. */
static int lines(struct buf *b, mountinfo_fn fn, void *userdata)
{
	size_t done = 0;
	char *end;
	int r = 0;

	while (r == 0 && (end = memchr(b->data + done, '\n', b->len - done)) != NULL) {
		struct mountinfo m;
		char *line = b->data + done;

		*end = '\0';
		done = (size_t)(end - b->data) + 1;
		if (mountinfo_parse(line, &m) == 0)
			r = fn(&m, userdata);
	}
	buf_consume(b, done);
	return r;
}

int mountinfo_each(const char *path, mountinfo_fn fn, void *userdata, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_buf_ struct buf b = BUF_NULL(LINE_MAX_BYTES);
	int r;

	if (fd < 0)
		return err_sys(e, errno, "cannot open %s", path);
	for (;;) {
		char *to = buf_reserve(&b, CHUNK, &r);
		ssize_t n;

		if (!to)
			return err_sys(e, r, "cannot read %s", path);
		n = read(fd, to, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "cannot read %s", path);
		if (n == 0)
			return 0;
		buf_commit(&b, (size_t)n);
		r = lines(&b, fn, userdata);
		if (r != 0)
			return r;
	}
}
