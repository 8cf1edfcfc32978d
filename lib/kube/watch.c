/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c: one event of a watch (contracts.md 5.5) */
#include "kube/watch.h"

#include <errno.h>

#include "base/str.h"
#include "data/decode.h"

static enum watch_type type_of(const char *s)
{
	static const char *const names[] = {[WATCH_ADDED] = "ADDED",
		[WATCH_MODIFIED] = "MODIFIED",
		[WATCH_DELETED] = "DELETED",
		[WATCH_BOOKMARK] = "BOOKMARK",
		[WATCH_ERROR] = "ERROR"};

	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		if (streq(s, names[i]))
			return (enum watch_type)i;
	return WATCH_UNKNOWN;
}

int watch_event_parse(struct watch_event *ret, const char *line, size_t n, struct err *e)
{
	_cleanup_json_ json_t *tree = NULL;
	const char *type;
	const json_t *object;
	int r = data_json_load(line, n, &tree, e);

	if (r < 0)
		return r;
	type = json_string_at(tree, "type", NULL);
	object = json_object_get(tree, "object");
	if (!type || !json_is_object(object))
		return err_set(e, EBADMSG, "an event without type or object");
	*ret = (struct watch_event){.type = type_of(type),
		.object = object,
		.rv = json_string_at(object, "metadata", "resourceVersion", NULL),
		.tree = TAKE_PTR(tree)};
	return 0;
}

void watch_event_done(struct watch_event *ev)
{
	json_decref(ev->tree);
	ev->tree = NULL;
}

enum watch_verdict watch_error_verdict(const json_t *status, struct err *e)
{
	json_int_t code = json_integer_value(json_object_get(status, "code"));
	const char *reason = str_or(json_string_at(status, "reason", NULL), "");
	const char *message = str_or(json_string_at(status, "message", NULL), "no message");

	err_set(e, EREMOTEIO, "%s (%lld %s)", message, (long long)code, reason);
	if (code == 429 || streq(reason, "TooManyRequests"))
		return WATCH_RETRY;
	if (code == 500 && streq(reason, "InternalError"))
		return WATCH_RETRY;
	return WATCH_RELIST;
}
