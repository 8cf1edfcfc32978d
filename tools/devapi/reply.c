/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c: answers and Status bodies */
#include "tools/devapi/reply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/meta.h"

#define CONFLICT_TEXT                                                            \
	"the object has been modified; please apply your changes to the latest " \
	"version and try again"

void reply_done(struct reply *r)
{
	free(TAKE_PTR(r->body));
}

void reply_take(struct reply *r, unsigned code, char *body, size_t size)
{
	free(r->body);
	r->code = body ? code : 500;
	r->body = body;
	r->size = body ? size : 0;
}

void reply_text(struct reply *r, unsigned code, const void *text, size_t size)
{
	char *copy = malloc(size + 1);

	if (copy) {
		memcpy(copy, text, size);
		copy[size] = '\0';
	}
	reply_take(r, code, copy, size);
}

void reply_json(struct reply *r, unsigned code, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	reply_take(r, code, text, text ? strlen(text) : 0);
}

void reply_revision(struct reply *r, unsigned code, const struct revision *rev)
{
	reply_text(r, code, rev->json, rev->size);
}

static json_t *status_new(unsigned code, const char *reason, const char *message)
{
	return json_pack("{s:s,s:s,s:{},s:s,s:s,s:s,s:i}", "kind", "Status", "apiVersion", "v1",
		"metadata", "status", "Failure", "message", message, "reason", reason, "code",
		(int)code);
}

char *reply_status_text(unsigned code, const char *reason, const char *message)
{
	_cleanup_json_ json_t *status = status_new(code, reason, message);

	return status ? json_dumps(status, JSON_COMPACT) : NULL;
}

int reply_fail(struct reply *r, unsigned code, const char *reason, const char *fmt, ...)
{
	char message[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	reply_json(r, code, status_new(code, reason, message));
	return -EREMOTEIO;
}

int reply_generic(struct reply *r, unsigned code, const char *reason, const char *fmt, ...)
{
	char message[1024];
	json_t *status;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	status = status_new(code, reason, message);
	(void)json_object_set_new(status, "details", json_object());
	reply_json(r, code, status);
	return -EREMOTEIO;
}

int reply_invalid_patch(struct reply *r, const char *why)
{
	json_t *status = status_new(422, "Invalid", " \"\" is invalid: patch: Invalid value");

	(void)json_object_set_new(status, "details",
		json_pack("{s:[{s:s,s:s,s:s}]}", "causes", "reason", "FieldValueInvalid", "message",
			why, "field", "patch"));
	reply_json(r, 422, status);
	return -EREMOTEIO;
}

static json_t *details_new(const struct kind *k, const char *name)
{
	json_t *details = json_object();

	if (*name)
		(void)json_put_string(details, "name", name);
	if (*k->group)
		(void)json_put_string(details, "group", k->group);
	(void)json_put_string(details, "kind", k->plural);
	return details;
}

static int fail_about(struct reply *r, const struct kind *k, const char *name, json_t *status)
{
	(void)json_object_set_new(status, "details", details_new(k, name));
	reply_json(r, (unsigned)json_integer_value(json_object_get(status, "code")), status);
	return -EREMOTEIO;
}

static int fail_named(struct reply *r, const struct kind *k, const char *name, unsigned code,
	const char *reason, const char *fmt)
{
	char message[1200], resource[128];

	(void)snprintf(message, sizeof(message), "%s \"%s\" %s",
		kind_qualified(k, resource, sizeof(resource)), name, fmt);
	return fail_about(r, k, name, status_new(code, reason, message));
}

int reply_not_found(struct reply *r, const struct kind *k, const char *name)
{
	return fail_named(r, k, name, 404, "NotFound", "not found");
}

int reply_exists(struct reply *r, const struct kind *k, const char *name)
{
	return fail_named(r, k, name, 409, "AlreadyExists", "already exists");
}

int reply_conflict(struct reply *r, const struct kind *k, const char *name, const char *why)
{
	char message[1200], resource[128];

	(void)snprintf(message, sizeof(message), "Operation cannot be fulfilled on %s \"%s\": %s",
		kind_qualified(k, resource, sizeof(resource)), name, str_or(why, CONFLICT_TEXT));
	return fail_about(r, k, name, status_new(409, "Conflict", message));
}

int reply_precondition(struct reply *r, const struct kind *k, const char *name, const char *why)
{
	char message[1200];
	json_t *status, *details = details_new(k, name);

	(void)snprintf(message, sizeof(message),
		"Operation cannot be fulfilled on %s%s%s \"%s\": %s", k->kind, *k->group ? "." : "",
		k->group, name, why);
	status = status_new(409, "Conflict", message);
	(void)json_put_string(details, "kind", k->kind);
	(void)json_object_set_new(status, "details", details);
	reply_json(r, 409, status);
	return -EREMOTEIO;
}

int reply_forbidden(struct reply *r, const struct kind *k, const char *name, const char *why)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), "is forbidden: %s", why);
	return fail_named(r, k, name, 403, "Forbidden", text);
}

static const char *cause_reason(const char *why)
{
	if (str_after(why, "Required value"))
		return "FieldValueRequired";
	if (str_after(why, "Unsupported value"))
		return "FieldValueNotSupported";
	if (str_after(why, "Forbidden"))
		return "FieldValueForbidden";
	return "FieldValueInvalid";
}

int reply_invalid(
	struct reply *r, const struct kind *k, const char *name, const char *field, const char *why)
{
	char message[1400];
	json_t *status, *details;

	(void)snprintf(message, sizeof(message), "%s%s%s \"%s\" is invalid: %s: %s", k->kind,
		*k->group ? "." : "", k->group, name, field, why);
	status = status_new(422, "Invalid", message);
	details = details_new(k, name);
	(void)json_put_string(details, "kind", k->kind);
	(void)json_object_set_new(details, "causes",
		json_pack("[{s:s,s:s,s:s}]", "reason", cause_reason(why), "message", why, "field",
			field));
	(void)json_object_set_new(status, "details", details);
	reply_json(r, 422, status);
	return -EREMOTEIO;
}

int reply_unversioned(struct reply *r, const struct kind *k, const char *name)
{
	_cleanup_json_ json_t *status = NULL;

	(void)reply_invalid(r, k, name, "metadata.resourceVersion",
		"Invalid value: 0: must be specified for an update");
	status = json_loadb(r->body, r->size, 0, NULL);
	(void)json_put_string(json_child(status, "details"), "kind", k->plural);
	reply_json(r, 422, json_incref(status));
	return -EREMOTEIO;
}

void reply_add_cause(struct reply *r, const struct reply *other)
{
	_cleanup_json_ json_t *status = json_loadb(r->body, r->size, 0, NULL);
	_cleanup_json_ json_t *from = json_loadb(other->body, other->size, 0, NULL);
	json_t *causes = json_object_get(json_object_get(status, "details"), "causes");
	const json_t *more = json_at(from, "details", "causes", NULL);

	(void)json_array_append(causes, json_array_get(more, 0));
	reply_json(r, r->code, json_incref(status));
}

void reply_success(struct reply *r, const struct kind *k, const json_t *object)
{
	json_t *details = details_new(k, str_or(meta_string(object, "name"), ""));

	(void)json_put_string(details, "uid", str_or(meta_string(object, "uid"), ""));
	reply_json(r, 200,
		json_pack("{s:s,s:s,s:{},s:s,s:o}", "kind", "Status", "apiVersion", "v1",
			"metadata", "status", "Success", "details", details));
}
