/* SPDX-License-Identifier: Apache-2.0 */
/* kinds.h: the resources that devapi serves */
#ifndef BERTH_DEVAPI_KINDS_H
#define BERTH_DEVAPI_KINDS_H

#include <stddef.h>

/* The ones that code asks for by name; the others are only stored. Order as in kinds.c. */
enum kind_id {
	KIND_NAMESPACE,
	KIND_PVC,
	KIND_PV,
	KIND_POD,
	KIND_EVENT,
	KIND_CLASS,
	KIND_STATEFULSET,
	KIND_CRD,
	KIND_BVOL,
	KIND_BNODE,
	KIND_NAMED_N,
};

enum kind_flag {
	KIND_NAMESPACED = 1U << 0,
	KIND_STATUS = 1U << 1,     /* has a /status subresource */
	KIND_CUSTOM = 1U << 2,     /* of a CRD: no strategic patch, list items carry their kind */
	KIND_GENERATION = 1U << 3, /* metadata.generation counts changes of spec */
	KIND_RETURNS = 1U << 4,    /* DELETE answers with the object, not with a Status */
	KIND_UNCONDITIONAL = 1U << 5, /* PUT without resourceVersion overwrites */
};

struct kind {
	const char *group, *version, *plural, *singular, *kind;
	const char *short_names; /* separated by commas, "" if none */
	unsigned flags;
};

extern const struct kind kinds[];
extern const size_t kinds_n;

const struct kind *kind_find(const char *group, const char *version, const char *plural);
static inline const struct kind *kind_get(enum kind_id id)
{
	return &kinds[id];
}
static inline int kind_is(const struct kind *k, enum kind_id id)
{
	return k == &kinds[id];
}
/* "persistentvolumes", "berthvolumes.berth.dev": as error texts name a resource. */
char *kind_qualified(const struct kind *k, char *dst, size_t size);
/* "v1", "storage.k8s.io/v1". */
char *kind_api_version(const struct kind *k, char *dst, size_t size);

#endif
