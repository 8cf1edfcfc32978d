/* SPDX-License-Identifier: Apache-2.0 */
/* options.c: PV.spec.mountOptions, allowed word by word, as flags and NFS data */
#include "mount/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/parse.h"
#include "base/str.h"
#include "mount/mounted.h"
#include "mount/nfs_mount.h"
#include "mount/option_words.h"

/* More different options than the kernel has. */
#define ITEMS_MAX 64
#define NAME_MAX_BYTES 32
#define SHOWN_MAX 80

/* One option in the data; the group is what a later word takes the place of. */
struct item {
	const char *group;
	char *text;
};

struct parsing {
	const struct mount_options_input *in;
	struct mount_options *out;
	int minor; /* of minorversion=, -1: none */
	struct item items[ITEMS_MAX];
	size_t n;
	struct err *e;
};

static int refuse(struct parsing *p, const char *word, const char *reason)
{
	char shown[SHOWN_MAX];

	return err_set(p->e, EINVAL, "mount option \"%s\" %s",
		str_escape(shown, sizeof(shown), word), reason);
}

/* ---- the data ---------------------------------------------------------------------------------
 */

static int put(struct parsing *p, const char *group, const char *text)
{
	struct item *item = p->items;
	char *copy = strdup(text);

	if (!copy)
		return err_sys(p->e, ENOMEM, "mount options");
	while (item < p->items + p->n && !streq(item->group, group))
		item++;
	if (item == p->items + ITEMS_MAX) {
		free(copy);
		return refuse(p, text, "is one too many");
	}
	if (item == p->items + p->n)
		p->n++;
	else
		free(item->text);
	*item = (struct item){group, copy};
	return 0;
}

static int put_value(struct parsing *p, const char *group, const char *name, const char *value)
{
	char text[512];

	if (str_format(text, sizeof(text), strchr(value, ',') ? "%s=\"%s\"" : "%s=%s", name,
		    value) < 0)
		return refuse(p, name, "has a value that is too long");
	return put(p, group, text);
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->text, ((const struct item *)b)->text);
}

static int join(struct parsing *p)
{
	_cleanup_buf_ struct buf b = BUF_NULL(MOUNT_OPTIONS_NFS_MAX - 1);
	int r = 0;

	qsort(p->items, p->n, sizeof(p->items[0]), compare_items);
	for (size_t i = 0; r == 0 && i < p->n; i++)
		r = buf_printf(&b, "%s%s", i ? "," : "", p->items[i].text);
	if (r == -ENOBUFS)
		return err_set(p->e, EINVAL, "mount options are longer than %d bytes",
			MOUNT_OPTIONS_NFS_MAX);
	if (r < 0)
		return err_sys(p->e, r, "mount options");
	return str_copy(p->out->nfs, sizeof(p->out->nfs), b.data ? b.data : "");
}

/* ---- one word ---------------------------------------------------------------------------------
 */

static int take_flag(struct parsing *p, const struct option_word *w)
{
	if (w->clear & MOUNTF_TENANT & ~p->in->relax)
		return refuse(p, w->name, "is not allowed for this volume");
	if (p->in->kind == MOUNT_OPTIONS_BIND && (w->set & ~(uint32_t)MOUNTF_BIND))
		return refuse(p, w->name, "is of a whole file system, not of one directory");
	p->out->flags = (p->out->flags & ~w->clear) | w->set;
	return 0;
}

static int take_number(struct parsing *p, const struct option_word *w, const char *value)
{
	uint64_t n;
	char text[32];

	if (parse_u64(value, w->min, w->max, &n) < 0)
		return err_set(p->e, EINVAL, "mount option %s wants a number from %u to %u",
			w->name, w->min, w->max);
	/* Written anew: "007" and "7" are one option set. */
	if (str_format(text, sizeof(text), "%llu", (unsigned long long)n) < 0)
		return -EINVAL;
	if (w->kind == OPTION_MINOR) {
		p->minor = (int)n;
		return 0;
	}
	if (w->kind != OPTION_ACTIMEO)
		return put_value(p, w->name, w->name, text);
	/* The kernel would have it win over the four whatever their order. */
	for (size_t i = 0; option_actimeo[i]; i++) {
		int r = put_value(p, option_actimeo[i], option_actimeo[i], text);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_choice(const struct option_word *w, const char *value, size_t n)
{
	for (size_t i = 0; w->choices[i]; i++)
		if (strlen(w->choices[i]) == n && memcmp(w->choices[i], value, n) == 0)
			return true;
	return false;
}

static int take_choice(struct parsing *p, const struct option_word *w, const char *value)
{
	const char *separators = w->kind == OPTION_CHOICES ? ":" : "";

	for (const char *s = value;; s++) {
		size_t n = strcspn(s, separators);

		if (!is_choice(w, s, n))
			return refuse(p, w->name, "has a value that is none of its own");
		s += n;
		if (!*s)
			return put_value(p, w->name, w->name, value);
	}
}

/* A label or tag: what an SELinux context is made of, and nothing that the kernel could split. */
static int take_text(struct parsing *p, const struct option_word *w, const char *value)
{
	static const char fine[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:.,-";

	if (!*value || value[strspn(value, fine)])
		return refuse(p, w->name, "has a value with characters that are not allowed");
	return put_value(p, w->group, w->name, value);
}

static int take_version(struct parsing *p, const char *word, const char *value)
{
	static const struct {
		const char *text;
		int version;
	} versions[] = {
		{"3", NFS_3}, {"4", NFS_4}, {"4.0", NFS_4_0}, {"4.1", NFS_4_1}, {"4.2", NFS_4_2}};

	for (size_t i = 0; i < ELEMENTSOF(versions); i++)
		if (streq(value, versions[i].text)) {
			p->out->nfs_version = versions[i].version;
			return 0;
		}
	return refuse(p, word, "has a version other than 3, 4, 4.0, 4.1, 4.2");
}

static int take(struct parsing *p, const struct option_word *w, const char *value)
{
	switch (w->kind) {
	case OPTION_DROP:
		return 0;
	case OPTION_REFUSE:
		return refuse(p, w->name, "is not for a volume to set");
	case OPTION_FLAG:
		return take_flag(p, w);
	case OPTION_WORD:
		return put(p, w->group, w->text ? w->text : w->name);
	case OPTION_VERSION:
		return take_version(p, w->name, value ? value : w->text);
	case OPTION_NUMBER:
	case OPTION_MINOR:
	case OPTION_ACTIMEO:
		return take_number(p, w, value);
	case OPTION_CHOICE:
	case OPTION_CHOICES:
		return take_choice(p, w, value);
	case OPTION_TEXT:
		return take_text(p, w, value);
	}
	return -EINVAL;
}

/* Whether the table's word is the one at hand, and stands with or without a value as it should. */
static const struct option_word *find(struct parsing *p, const char *name, const char *value)
{
	for (size_t i = 0; option_words[i].name; i++) {
		const struct option_word *w = &option_words[i];
		bool any = w->kind == OPTION_DROP || w->kind == OPTION_REFUSE;

		if (w->nfs_only && p->in->kind != MOUNT_OPTIONS_NFS)
			continue;
		if (streq(w->name, name) && (any || w->valued == (value != NULL)))
			return w;
	}
	return NULL;
}

/* An option without the comma behind it: name, or name=value, the value perhaps in quotes. */
static int take_item(struct parsing *p, const char *item, size_t n)
{
	char text[512], *value;
	const struct option_word *w;
	size_t len;

	while (n > 0 && (*item == ' ' || item[n - 1] == ' ')) {
		item += *item == ' ';
		n--;
	}
	if (n == 0)
		return 0;
	if (str_format(text, sizeof(text), "%.*s", (int)n, item) < 0)
		return err_set(
			p->e, EINVAL, "a mount option is longer than %zu bytes", sizeof(text));
	if (str_after(text, "x-") || str_after(text, "X-"))
		return 0;
	value = strchr(text, '=');
	if (value)
		*value++ = '\0';
	len = value ? strlen(value) : 0;
	if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
		value[len - 1] = '\0';
		value++;
	}
	w = find(p, text, value);
	if (!w)
		return refuse(p, text, "is unknown, or wants a value or none");
	return take(p, w, value);
}

static int take_list(struct parsing *p, const char *list)
{
	for (const char *s = list; *s;) {
		size_t n = mounted_option_length(s);
		int r = take_item(p, s, n);

		if (r < 0)
			return r;
		s += n + (s[n] == ',');
	}
	return 0;
}

/* ---- the whole --------------------------------------------------------------------------------
 */

static int check_text(struct parsing *p, const char *s, size_t *total)
{
	size_t quotes = 0, n = strlen(s);

	*total += n + 1;
	if (n >= MOUNT_OPTIONS_TEXT_MAX || *total > MOUNT_OPTIONS_TEXT_MAX)
		return err_set(p->e, EINVAL, "mount options are longer than %d bytes",
			MOUNT_OPTIONS_TEXT_MAX);
	for (const char *c = s; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return refuse(p, s, "has a control character in it");
		quotes += *c == '"';
	}
	return quotes % 2 ? refuse(p, s, "has a quote that is not closed") : 0;
}

static int apply_minor(struct parsing *p)
{
	static const int versions[] = {NFS_4_0, NFS_4_1, NFS_4_2};
	int *version = &p->out->nfs_version;

	if (p->minor < 0)
		return 0;
	if (*version == NFS_3)
		return refuse(p, "minorversion", "goes with version 4 alone");
	if (*version != NFS_ANY && *version != NFS_4 && *version != versions[p->minor])
		return refuse(p, "minorversion", "contradicts vers");
	*version = versions[p->minor];
	return 0;
}

static int parse(struct parsing *p)
{
	size_t total = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->in->n; i++) {
		const char *s = str_or(p->in->list[i], "");

		r = check_text(p, s, &total);
		if (r == 0)
			r = take_list(p, s);
	}
	if (r == 0)
		r = apply_minor(p);
	return r == 0 ? join(p) : r;
}

int mount_options_parse(
	struct mount_options *ret, const struct mount_options_input *in, struct err *e)
{
	struct parsing p = {.in = in, .out = ret, .minor = -1, .e = e};
	int r;

	*ret = (struct mount_options){.flags = MOUNTF_TENANT, .nfs_version = NFS_ANY};
	r = parse(&p);
	for (size_t i = 0; i < p.n; i++)
		free(p.items[i].text);
	return r;
}

const char *mount_options_key(const struct mount_options *o, char dst[static MOUNT_OPTIONS_KEY_MAX])
{
	int r = str_format(dst, MOUNT_OPTIONS_KEY_MAX, "flags=%x;vers=%d;%s",
		o->flags & (uint32_t)MOUNTF_EXPORT, o->nfs_version, o->nfs);

	/* It fits: the data's limit is part of the text's. */
	if (r < 0)
		dst[0] = '\0';
	return dst;
}
