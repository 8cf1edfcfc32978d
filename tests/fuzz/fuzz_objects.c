/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_objects.c: lists in any pieces give the same items as in one, and any item decodes as any
 * kind or is refused */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "data/decode.h"
#include "kube/class.h"
#include "kube/items.h"
#include "kube/pack.h"
#include "kube/pv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct buf found;
	struct strpool *pool;
	size_t items;
};

static void decode_as(struct strpool *pool, const struct kind *k, const json_t *j)
{
	struct object *o;
	struct map_key key;

	if (k->decode(pool, j, &o) < 0)
		return;
	key = pack_key(o);
	if (!*o->name || strlen(o->name) > PACK_NAME_MAX || key.size > PACK_KEY_MAX)
		abort();
	if (k == &kind_pvc && (pvc_of(o)->request < 0 || !(pvc_of(o)->flags & PVC_BAD_CAPACITY) !=
								 (pvc_of(o)->request > 0)))
		abort();
	if (k == &kind_pv && pv_of(o)->capacity < 0)
		abort();
	k->free(pool, o);
}

static int on_item(void *userdata, const char *text, size_t n)
{
	static const struct kind *const kinds[] = {&kind_pvc, &kind_pv, &kind_class, &kind_node,
		&kind_csinode, &kind_lease, &kind_bvol, &kind_bnode};
	struct run *r = userdata;
	json_t *j;

	r->items++;
	if (buf_append(&r->found, text, n) < 0)
		abort();
	if (data_json_load(text, n, &j, NULL) < 0)
		return 0;
	for (size_t k = 0; k < ELEMENTSOF(kinds); k++)
		decode_as(r->pool, kinds[k], j);
	json_decref(j);
	return 0;
}

static int on_metadata(void *userdata, const char *text, size_t n)
{
	struct run *r = userdata;

	return buf_append(&r->found, text, n);
}

static int scan(struct run *r, const uint8_t *data, size_t size, size_t piece)
{
	static const struct items_ops ops = {on_item, on_metadata};
	struct items s;
	int result = 0;

	*r = (struct run){.found = BUF_NULL(4U << 20)};
	if (strpool_new(&r->pool) < 0)
		abort();
	items_init(&s, &ops, r);
	for (size_t at = 0; at < size && result >= 0; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		char *copy = malloc(n);

		memcpy(copy, data + at, n);
		result = items_feed(&s, copy, n);
		free(copy);
	}
	if (result >= 0)
		result = items_end(&s);
	items_done(&s);
	return result;
}

/* The first byte is the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole, pieces;
	int a, b;

	if (size < 1)
		return 0;
	a = scan(&whole, data + 1, size - 1, size);
	b = scan(&pieces, data + 1, size - 1, data[0] + 1U);
	if (a != b || whole.items != pieces.items || whole.found.len != pieces.found.len)
		abort();
	if (whole.found.len && memcmp(whole.found.data, pieces.found.data, whole.found.len) != 0)
		abort();
	buf_done(&whole.found);
	buf_done(&pieces.found);
	strpool_free(whole.pool);
	strpool_free(pieces.pool);
	return 0;
}
