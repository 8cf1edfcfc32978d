/* SPDX-License-Identifier: Apache-2.0 */
/* types.c: a table of members and types */
#include "tools/devapi/types.h"

#include <string.h>

#include "base/clock.h"
#include "base/str.h"

enum type {
	TYPE_STRING,
	TYPE_INTEGER,
	TYPE_BOOL,
	TYPE_OBJECT,
	TYPE_STRINGS,
	TYPE_STRING_MAP,
	TYPE_TIME,
	TYPE_MICRO_TIME
};

static const struct {
	const char *plural; /* NULL: every kind */
	const char *path[3];
	enum type type;
} members[] = {
	{NULL, {"metadata"}, TYPE_OBJECT},
	{NULL, {"metadata", "name"}, TYPE_STRING},
	{NULL, {"metadata", "labels"}, TYPE_STRING_MAP},
	{NULL, {"metadata", "annotations"}, TYPE_STRING_MAP},
	{NULL, {"metadata", "finalizers"}, TYPE_STRINGS},
	{"persistentvolumeclaims", {"spec"}, TYPE_OBJECT},
	{"persistentvolumeclaims", {"spec", "accessModes"}, TYPE_STRINGS},
	{"persistentvolumeclaims", {"spec", "volumeName"}, TYPE_STRING},
	{"persistentvolumeclaims", {"spec", "storageClassName"}, TYPE_STRING},
	{"persistentvolumeclaims", {"status", "phase"}, TYPE_STRING},
	{"persistentvolumes", {"spec"}, TYPE_OBJECT},
	{"persistentvolumes", {"spec", "accessModes"}, TYPE_STRINGS},
	{"persistentvolumes", {"spec", "claimRef"}, TYPE_OBJECT},
	{"persistentvolumes", {"spec", "mountOptions"}, TYPE_STRINGS},
	{"persistentvolumes", {"status", "phase"}, TYPE_STRING},
	{"storageclasses", {"provisioner"}, TYPE_STRING},
	{"storageclasses", {"parameters"}, TYPE_STRING_MAP},
	{"storageclasses", {"allowVolumeExpansion"}, TYPE_BOOL},
	{"leases", {"spec", "holderIdentity"}, TYPE_STRING},
	{"leases", {"spec", "leaseDurationSeconds"}, TYPE_INTEGER},
	{"leases", {"spec", "leaseTransitions"}, TYPE_INTEGER},
	{"leases", {"spec", "acquireTime"}, TYPE_MICRO_TIME},
	{"leases", {"spec", "renewTime"}, TYPE_MICRO_TIME},
	{"events", {"eventTime"}, TYPE_MICRO_TIME},
	{"events", {"firstTimestamp"}, TYPE_TIME},
	{"events", {"lastTimestamp"}, TYPE_TIME},
	{"events", {"count"}, TYPE_INTEGER},
	{"events", {"message"}, TYPE_STRING},
};

static bool all_strings(const json_t *v)
{
	size_t i;
	json_t *item;

	if (!json_is_array(v))
		return false;
	json_array_foreach (v, i, item)
		if (!json_is_string(item))
			return false;
	return true;
}

static bool is_string_map(const json_t *v)
{
	const char *key;
	json_t *item;

	if (!json_is_object(v))
		return false;
	json_object_foreach ((json_t *)v, key, item)
		if (!json_is_string(item))
			return false;
	return true;
}

static bool is_time(const char *s)
{
	uint64_t when;

	return s && clock_parse(s, &when) == 0;
}

/* metav1.MicroTime takes six digits and no others. */
static bool has_micros(const char *s)
{
	const char *dot = strchr(s, '.');

	return dot && strspn(dot + 1, "0123456789") == 6;
}

static bool fits(const json_t *v, enum type type)
{
	switch (type) {
	case TYPE_STRING:
		return json_is_string(v);
	case TYPE_INTEGER:
		return json_is_integer(v);
	case TYPE_BOOL:
		return json_is_boolean(v);
	case TYPE_OBJECT:
		return json_is_object(v);
	case TYPE_STRINGS:
		return all_strings(v);
	case TYPE_STRING_MAP:
		return is_string_map(v);
	case TYPE_TIME:
		return is_time(json_string_value(v));
	case TYPE_MICRO_TIME:
		return is_time(json_string_value(v)) && has_micros(json_string_value(v));
	}
	return false;
}

const char *types_check(const struct kind *k, const json_t *object)
{
	for (size_t i = 0; i < ELEMENTSOF(members); i++) {
		const json_t *v = object;
		size_t last = 0;

		if (members[i].plural && !streq(members[i].plural, k->plural))
			continue;
		for (size_t p = 0; p < 3 && members[i].path[p]; p++) {
			v = json_object_get(v, members[i].path[p]);
			last = p;
		}
		if (v && !json_is_null(v) && !fits(v, members[i].type))
			return members[i].path[last];
	}
	return NULL;
}
