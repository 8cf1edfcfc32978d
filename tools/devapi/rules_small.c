/* SPDX-License-Identifier: Apache-2.0 */
/* rules_small.c: what events and leases must be */
#include <string.h>

#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/meta.h"
#include "tools/devapi/rules_storage.h"

/* Members that the core Event type has without omitempty. */
static void fill_event(json_t *object)
{
	static const char *const nulls[] = {"firstTimestamp", "lastTimestamp", "eventTime"};
	static const char *const texts[] = {"reportingComponent", "reportingInstance"};

	for (size_t i = 0; i < ELEMENTSOF(nulls); i++)
		if (!json_object_get(object, nulls[i]))
			(void)json_object_set_new(object, nulls[i], json_null());
	for (size_t i = 0; i < ELEMENTSOF(texts); i++)
		if (!json_object_get(object, texts[i]))
			(void)json_put_string(object, texts[i], "");
}

/* legacyValidateEvent(): an event lives where its object does, in "default" for those without
 * namespace. */
int rules_event(const struct kind *k, json_t *object, const char *name, struct reply *r)
{
	const char *ns = str_or(meta_string(object, "namespace"), "");
	const char *theirs =
		str_or(json_string_at(object, "involvedObject", "namespace", NULL), "");

	fill_event(object);
	if (*theirs ? streq(theirs, ns) : streq(ns, "default"))
		return 0;
	return reply_invalid(r, k, name, "involvedObject.namespace",
		"Invalid value: does not match event.namespace");
}

static bool below(const json_t *spec, const char *key, json_int_t least)
{
	const json_t *v = json_object_get(spec, key);

	return json_is_integer(v) && json_integer_value(v) < least;
}

int rules_lease(const struct kind *k, const json_t *object, const char *name, struct reply *r)
{
	const json_t *spec = json_object_get(object, "spec");

	if (!streq(k->plural, "leases"))
		return 0;
	if (below(spec, "leaseDurationSeconds", 1))
		return reply_invalid(r, k, name, "spec.leaseDurationSeconds",
			"Invalid value: must be greater than 0");
	if (below(spec, "leaseTransitions", 0))
		return reply_invalid(r, k, name, "spec.leaseTransitions",
			"Invalid value: must be greater than or equal to 0");
	return 0;
}
