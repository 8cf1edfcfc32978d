/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_watch.c: a watch's bytes in any pieces leave the same cache as in one, and every change is
 * told */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "kube/cache.h"
#include "kube/lines.h"
#include "kube/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct cache cache;
	struct lines lines;
	struct strpool *pool;
	size_t told; /* objects that were told and not taken back */
};

static void on_changed(const struct object *old, const struct object *now, void *userdata)
{
	struct run *r = userdata;

	r->told += (now && !old) - (size_t)(old && !now);
}

static int on_line(void *userdata, const char *line, size_t n)
{
	struct run *r = userdata;
	struct watch_event ev;
	struct err e = ERR_NULL;

	if (watch_event_parse(&ev, line, n, &e) < 0)
		return 1;
	switch (ev.type) {
	case WATCH_ADDED:
	case WATCH_MODIFIED:
		(void)cache_put(&r->cache, ev.object);
		break;
	case WATCH_DELETED:
		(void)cache_drop(&r->cache, ev.object);
		break;
	case WATCH_ERROR:
		(void)watch_error_verdict(ev.object, &e);
		break;
	case WATCH_BOOKMARK:
	case WATCH_UNKNOWN:
		break;
	}
	watch_event_done(&ev);
	return 0;
}

static struct run *run_new(const struct kind *k)
{
	struct run *r = calloc(1, sizeof(*r));

	if (!r || strpool_new(&r->pool) < 0)
		abort();
	cache_init(&r->cache, r->pool, k, on_changed, r);
	lines_init(&r->lines);
	return r;
}

static void run_free(struct run *r)
{
	if (r->told != r->cache.objects.size)
		abort();
	lines_done(&r->lines);
	cache_done(&r->cache);
	strpool_free(r->pool);
	free(r);
}

static void same(const struct run *a, const struct run *b)
{
	struct object *o;

	if (a->cache.objects.size != b->cache.objects.size)
		abort();
	MAP_FOREACH (&a->cache.objects, o) {
		const struct object *other = cache_get(&b->cache, o->namespace_, o->name);

		if (!other || !streq(other->rv, o->rv) ||
			memcmp(&other->uid, &o->uid, sizeof(o->uid)) != 0)
			abort();
	}
}

/* The first byte chooses the kind, the second the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct kind *const kinds[] = {
		&kind_pvc, &kind_pv, &kind_class, &kind_bvol, &kind_lease};
	struct run *whole, *pieces;
	size_t piece;
	int r = 0;

	if (size < 2)
		return 0;
	log_set_level(LOG_LEVEL_ERROR);
	piece = data[1] + 1U;
	whole = run_new(kinds[data[0] % ELEMENTSOF(kinds)]);
	pieces = run_new(kinds[data[0] % ELEMENTSOF(kinds)]);
	data += 2;
	size -= 2;
	(void)lines_feed(&whole->lines, (const char *)data, size, on_line, whole);
	while (size > 0 && r == 0) {
		size_t n = size < piece ? size : piece;
		/* A copy of its own, so that reading beyond it is seen. */
		char *copy = malloc(n);

		memcpy(copy, data, n);
		r = lines_feed(&pieces->lines, copy, n, on_line, pieces);
		free(copy);
		data += n;
		size -= n;
	}
	same(whole, pieces);
	run_free(whole);
	run_free(pieces);
	return 0;
}
