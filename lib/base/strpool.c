/* SPDX-License-Identifier: Apache-2.0 */
/* strpool.c: interned strings with reference counts */
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "base/map.h"

struct strpool {
	struct map strings; /* text → struct interned */
};

struct interned {
	uint32_t refs;
	uint32_t len;
	char text[];
};

static struct map_key interned_key(const void *value)
{
	const struct interned *i = value;

	return (struct map_key){i->text, i->len};
}

int strpool_new(struct strpool **ret)
{
	struct strpool *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->strings = MAP_NULL(interned_key);
	*ret = p;
	return 0;
}

struct strpool *strpool_free(struct strpool *p)
{
	if (!p)
		return NULL;
	assert(p->strings.size == 0);
	map_done(&p->strings);
	free(p);
	return NULL;
}

int strpool_get(struct strpool *p, const char *s, const char **ret)
{
	_cleanup_free_ struct interned *fresh = NULL;
	struct interned *i;
	size_t len;
	int r;

	if (!s) {
		*ret = NULL;
		return 0;
	}
	len = strlen(s);
	i = map_get(&p->strings, s, len);
	if (i) {
		if (i->refs == UINT32_MAX)
			return -EOVERFLOW;
		i->refs++;
		*ret = i->text;
		return 0;
	}
	if (len >= UINT32_MAX)
		return -EOVERFLOW;
	fresh = malloc(sizeof(*fresh) + len + 1);
	if (!fresh)
		return -ENOMEM;
	fresh->refs = 1;
	fresh->len = (uint32_t)len;
	memcpy(fresh->text, s, len + 1);
	r = map_add(&p->strings, fresh);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(fresh)->text;
	return 0;
}

void strpool_drop(struct strpool *p, const char *s)
{
	struct interned *i;

	if (!s)
		return;
	i = map_gets(&p->strings, s);
	assert(i && i->text == s);
	if (--i->refs > 0)
		return;
	map_removes(&p->strings, s);
	free(i);
}
