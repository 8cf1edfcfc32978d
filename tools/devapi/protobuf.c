/* SPDX-License-Identifier: Apache-2.0 */
/* protobuf.c: just enough of the wire format to find a name */
#include "tools/devapi/protobuf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tools/devapi/meta.h"

struct span {
	const unsigned char *p;
	size_t n;
};

static int read_varint(struct span *s, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && s->n > 0; shift += 7) {
		unsigned char c = *s->p++;

		s->n--;
		v |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80)) {
			*ret = v;
			return 0;
		}
	}
	return -EBADMSG;
}

static int skip(struct span *s, uint64_t n)
{
	if (n > s->n)
		return -EBADMSG;
	s->p += n;
	s->n -= n;
	return 0;
}

/* The next field: its number, and its bytes where it has any (wire type 2). */
static int next_field(struct span *s, uint64_t *ret_number, struct span *ret)
{
	uint64_t tag, n = 0;

	*ret = (struct span){NULL, 0};
	if (read_varint(s, &tag) < 0)
		return -EBADMSG;
	*ret_number = tag >> 3;
	switch (tag & 7) {
	case 0:
		return read_varint(s, &n);
	case 1:
		return skip(s, 8);
	case 2:
		if (read_varint(s, &n) < 0 || n > s->n)
			return -EBADMSG;
		*ret = (struct span){s->p, n};
		return skip(s, n);
	case 5:
		return skip(s, 4);
	default:
		return -EBADMSG;
	}
}

static int find(struct span s, uint64_t number, struct span *ret)
{
	uint64_t at;

	while (s.n > 0) {
		if (next_field(&s, &at, ret) < 0)
			return -EBADMSG;
		if (at == number && ret->p)
			return 0;
	}
	return -ENOENT;
}

static bool kind_has_metadata_only(struct span type_meta)
{
	static const char *const kinds_taken[] = {"Namespace", "ServiceAccount"};
	struct span kind;

	if (find(type_meta, 2, &kind) < 0)
		return false;
	for (size_t i = 0; i < 2; i++)
		if (kind.n == strlen(kinds_taken[i]) && memcmp(kind.p, kinds_taken[i], kind.n) == 0)
			return true;
	return false;
}

int protobuf_metadata(const char *body, size_t size, json_t **ret)
{
	static const struct {
		uint64_t number;
		const char *key;
	} texts[] = {{1, "name"}, {2, "generateName"}, {3, "namespace"}};
	struct span all, type_meta, raw, meta, text;
	json_t *o;

	if (size < 4 || memcmp(body, "k8s", 4) != 0)
		return -EBADMSG;
	all = (struct span){(const unsigned char *)body + 4, size - 4};
	if (find(all, 1, &type_meta) < 0 || find(all, 2, &raw) < 0 || find(raw, 1, &meta) < 0)
		return -EBADMSG;
	if (!kind_has_metadata_only(type_meta))
		return -EOPNOTSUPP;
	o = json_pack("{s:{}}", "metadata");
	for (size_t i = 0; i < 3; i++)
		if (find(meta, texts[i].number, &text) == 0 && text.n > 0)
			(void)json_object_set_new(meta_of(o), texts[i].key,
				json_stringn((const char *)text.p, text.n));
	*ret = o;
	return o ? 0 : -ENOMEM;
}
