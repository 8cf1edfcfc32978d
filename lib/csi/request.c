/* SPDX-License-Identifier: Apache-2.0 */
/* request.c: looking into a decoded request, and what of it may be logged */
#include "csi/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static int compare_key(const void *key, const void *pair)
{
	return strcmp(key, ((const struct csi_pair *)pair)->key);
}

const char *csi_map_get(const struct csi_map *m, const char *key)
{
	const struct csi_pair *p =
		m->n ? bsearch(key, m->pairs, m->n, sizeof(*m->pairs), compare_key) : NULL;

	return p ? p->value : NULL;
}

const char *csi_mode_name(enum csi_mode mode)
{
	static const char *const names[] = {
		[CSI_SINGLE_NODE_WRITER] = "SINGLE_NODE_WRITER",
		[CSI_SINGLE_NODE_READER_ONLY] = "SINGLE_NODE_READER_ONLY",
		[CSI_MULTI_NODE_READER_ONLY] = "MULTI_NODE_READER_ONLY",
		[CSI_MULTI_NODE_SINGLE_WRITER] = "MULTI_NODE_SINGLE_WRITER",
		[CSI_MULTI_NODE_MULTI_WRITER] = "MULTI_NODE_MULTI_WRITER",
		[CSI_SINGLE_NODE_SINGLE_WRITER] = "SINGLE_NODE_SINGLE_WRITER",
		[CSI_SINGLE_NODE_MULTI_WRITER] = "SINGLE_NODE_MULTI_WRITER",
	};

	return (unsigned)mode < ELEMENTSOF(names) && names[mode] ? names[mode] : "UNKNOWN";
}

/* A bounded text that is being written. */
struct line {
	char *dst;
	size_t size;
	size_t len;
};

static _printf_(2, 3) void put(struct line *l, const char *fmt, ...)
{
	va_list args;
	int n;

	if (l->len + 1 >= l->size)
		return;
	va_start(args, fmt);
	n = vsnprintf(l->dst + l->len, l->size - l->len, fmt, args);
	va_end(args);
	if (n > 0)
		l->len += (size_t)n;
}

static void put_keys(struct line *l, const char *name, const struct csi_map *m)
{
	if (m->n == 0)
		return;
	put(l, " %s=", name);
	for (size_t i = 0; i < m->n && l->len < l->size; i++)
		put(l, "%s%s", i ? "," : "", m->pairs[i].key);
}

char *csi_publish_format(const struct csi_publish *r, char *dst, size_t size)
{
	struct line l = {dst, size, 0};

	if (size > 0)
		dst[0] = '\0';
	put(&l, "volume_id=%s target_path=%s mode=%s%s", r->volume_id, r->target_path,
		csi_mode_name(r->mode), r->readonly ? " readonly" : "");
	if (r->has_group)
		put(&l, " volume_mount_group=%u", (unsigned)r->group);
	if (r->n_mount_flags)
		put(&l, " mount_flags=***stripped***(%zu)", r->n_mount_flags);
	put_keys(&l, "volume_context", &r->context);
	put_keys(&l, "publish_context", &r->publish_context);
	if (r->secrets.n)
		put(&l, " secrets=***stripped***(%zu)", r->secrets.n);
	return dst;
}
