/* SPDX-License-Identifier: Apache-2.0 */
/* write.c: POST, PUT, PATCH and DELETE */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/api.h"
#include "tools/devapi/patch.h"
#include "tools/devapi/rules.h"
#include "tools/devapi/types.h"

#define PATCH_TYPES                                                                         \
	"the body of the request was in an unknown format - accepted media types include: " \
	"application/json-patch+json, application/merge-patch+json, "                       \
	"application/apply-patch+yaml"

static int out_of_memory(struct reply *r)
{
	return reply_fail(r, 500, "InternalError", "out of memory");
}

static int check_namespace(struct call *c, const char *name, struct reply *r)
{
	const struct target *t = &c->target;
	const struct revision *rev;
	char why[256];

	if (!(t->kind->flags & KIND_NAMESPACED))
		return 0;
	rev = store_get(c->api->store, kind_get(KIND_NAMESPACE), t->ns);
	if (!rev)
		return reply_not_found(r, kind_get(KIND_NAMESPACE), t->ns);
	if (!strstr(rev->json, "\"deletionTimestamp\":"))
		return 0;
	(void)snprintf(why, sizeof(why),
		"unable to create new content in namespace %s because it is being terminated",
		t->ns);
	return reply_forbidden(r, t->kind, name, why);
}

static int check_body(struct call *c, const json_t *object, struct reply *r)
{
	const struct target *t = &c->target;
	const char *ns = meta_string(object, "namespace"), *name = meta_string(object, "name");
	const char *kind = json_string_at(object, "kind", NULL);
	const char *version = json_string_at(object, "apiVersion", NULL);
	char want[128];

	if (!json_is_object(object))
		return reply_fail(r, 400, "BadRequest", "the body is not an object");
	if (types_check(t->kind, object))
		return reply_fail(r, 400, "BadRequest",
			"%s in version \"%s\" cannot be handled as a %s: %s: wrong type",
			t->kind->kind, t->kind->version, t->kind->kind,
			types_check(t->kind, object));
	(void)kind_api_version(t->kind, want, sizeof(want));
	if ((kind && !streq(kind, t->kind->kind)) || (version && !streq(version, want)))
		return reply_fail(r, 400, "BadRequest",
			"%.60s, Kind=%.60s: the API version in the data does not match the "
			"expected "
			"API version (%s, Kind=%s)",
			str_or(version, ""), str_or(kind, ""), want, t->kind->kind);
	if (!str_empty(ns) && !streq(ns, t->ns))
		return reply_fail(r, 400, "BadRequest",
			"the namespace of the provided object does not match the namespace sent on "
			"the request");
	if (*t->name && !str_empty(name) && !streq(name, t->name))
		return reply_fail(r, 400, "BadRequest",
			"the name of the object (%.253s) does not match the name on the URL (%s)",
			name, t->name);
	return 0;
}

/* Stores object (consumed as it is changed) as a new one; for POST and server-side apply. */
static int create(struct call *c, json_t *object, const char *name, struct reply *r)
{
	const struct kind *k = c->target.kind;
	struct store *s = c->api->store;
	char key[META_KEY_MAX];
	int n = check_namespace(c, name, r);

	if (n == 0 && *c->target.ns)
		(void)json_put_string(meta_of(object), "namespace", c->target.ns);
	if (n == 0)
		n = rules_create(s, k, object, name, r);
	if (n < 0)
		return n;
	meta_create(k, object, c->target.ns, name);
	meta_key(key, c->target.ns, name);
	if (store_get(s, k, key))
		return reply_exists(r, k, name);
	if (store_commit(s, CHANGE_ADDED, k, key, object) < 0)
		return out_of_memory(r);
	reply_revision(r, 201, store_get(s, k, key));
	return 0;
}

/* Another name where the random one is taken, as often as the API server tries (1.32, KEP-4420). */
static void generate_name(struct call *c, const char *prefix)
{
	char key[META_KEY_MAX];
	int tries = 8;

	do
		meta_generate_name(c->created, prefix);
	while (--tries > 0 &&
		store_get(c->api->store, c->target.kind, meta_key(key, c->target.ns, c->created)));
}

void verb_create(struct call *c, struct reply *r)
{
	_cleanup_json_ json_t *object = NULL;
	const char *name, *prefix;

	if (call_body(c, &object, r) < 0 || check_body(c, object, r) < 0)
		return;
	name = str_or(meta_string(object, "name"), "");
	prefix = str_or(meta_string(object, "generateName"), "");
	if (!*name && *prefix) {
		generate_name(c, prefix);
	} else if (!*name) {
		(void)reply_invalid(r, c->target.kind, "", "metadata.name",
			"Required value: name or generateName is required");
		return;
	} else if (str_copy(c->created, sizeof(c->created), name) < 0) {
		(void)reply_invalid(r, c->target.kind, "", "metadata.name",
			"Invalid value: must be no more than 253 characters");
		return;
	}
	(void)create(c, object, c->created, r);
}

/* metadata.resourceVersion of a write: another one than there is means that somebody was faster. */
static int check_rv(struct call *c, json_t *object, const struct revision *rev, struct reply *r)
{
	const struct kind *k = c->target.kind;
	const char *rv = meta_string(object, "resourceVersion");
	char now[24];

	(void)snprintf(now, sizeof(now), "%" PRIu64, rev->rv);
	if (!str_empty(rv) && !streq(rv, now) && !streq(rv, "0"))
		return reply_conflict(r, k, c->target.name, NULL);
	if (str_empty(rv) && c->verb == VERB_UPDATE && (k->flags & KIND_CUSTOM))
		return reply_unversioned(r, k, c->target.name);
	if (str_empty(rv) && c->verb == VERB_UPDATE && !(k->flags & KIND_UNCONDITIONAL))
		return reply_invalid(r, k, c->target.name, "metadata.resourceVersion",
			"Invalid value: 0: must be specified for an update");
	(void)json_put_string(meta_of(object), "resourceVersion", now);
	return 0;
}

/* The write that removed the last finalizer is answered with what it wanted, though it was never
 * stored. */
static void reply_let_go(struct call *c, json_t *object, struct reply *r)
{
	char text[128];

	(void)json_put_string(object, "kind", c->target.kind->kind);
	(void)json_put_string(
		object, "apiVersion", kind_api_version(c->target.kind, text, sizeof(text)));
	(void)snprintf(text, sizeof(text), "%" PRIu64, store_rv(c->api->store));
	(void)json_put_string(meta_of(object), "resourceVersion", text);
	reply_json(r, 200, json_incref(object));
}

/* Writes what the client wants in the place of old, both parsed. */
static void commit_update(struct call *c, json_t *object, json_t *old, struct reply *r)
{
	const struct kind *k = c->target.kind;
	struct store *s = c->api->store;
	char key[META_KEY_MAX];
	const struct revision *rev;
	int n;

	meta_key(key, c->target.ns, c->target.name);
	rev = store_get(s, k, key);
	if (check_rv(c, object, rev, r) < 0 ||
		rules_update(s, k, object, old, *c->target.sub ? WRITE_STATUS : WRITE_MAIN, r) < 0)
		return;
	(void)json_object_del(object, "kind");
	(void)json_object_del(object, "apiVersion");
	(void)json_object_del(old, "kind");
	(void)json_object_del(old, "apiVersion");
	if (json_equal(object, old)) {
		reply_revision(r, 200, rev);
		return;
	}
	n = object_update(s, k, key, object);
	if (n < 0)
		(void)out_of_memory(r);
	else if (n > 0)
		reply_let_go(c, object, r);
	else
		reply_revision(r, 200, store_get(s, k, key));
}

static json_t *load_old(struct call *c)
{
	char key[META_KEY_MAX];
	const struct revision *rev = store_get(
		c->api->store, c->target.kind, meta_key(key, c->target.ns, c->target.name));

	return rev ? revision_parse(rev) : NULL;
}

void verb_update(struct call *c, struct reply *r)
{
	_cleanup_json_ json_t *object = NULL, *old = NULL;
	const char *uid;
	char why[256];

	if (call_body(c, &object, r) < 0 || check_body(c, object, r) < 0)
		return;
	old = load_old(c);
	if (!old) {
		(void)reply_not_found(r, c->target.kind, c->target.name);
		return;
	}
	uid = meta_string(object, "uid");
	if (!str_empty(uid) && !streq_null(uid, meta_string(old, "uid"))) {
		(void)snprintf(why, sizeof(why),
			"Precondition failed: UID in precondition: %.60s, UID in object meta: "
			"%.60s",
			uid, str_or(meta_string(old, "uid"), ""));
		(void)reply_conflict(r, c->target.kind, c->target.name, why);
		return;
	}
	commit_update(c, object, old, r);
}

enum patch_type { PATCH_JSON, PATCH_MERGE, PATCH_STRATEGIC, PATCH_APPLY };

static int patch_type_of(struct call *c, enum patch_type *ret, struct reply *r)
{
	static const char *const names[] = {
		[PATCH_JSON] = "application/json-patch+json",
		[PATCH_MERGE] = "application/merge-patch+json",
		[PATCH_STRATEGIC] = "application/strategic-merge-patch+json",
		[PATCH_APPLY] = "application/apply-patch+yaml",
	};
	const char *type = str_or(http_header(c->x, "Content-Type"), "");

	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		const char *rest = str_after(type, names[i]);

		if (!rest || (*rest && *rest != ';' && *rest != ' '))
			continue;
		if (i == PATCH_STRATEGIC && (c->target.kind->flags & KIND_CUSTOM))
			break;
		*ret = (enum patch_type)i;
		return 0;
	}
	if (c->target.kind->flags & KIND_CUSTOM)
		return reply_fail(r, 415, "UnsupportedMediaType", PATCH_TYPES);
	return reply_generic(r, 415, "UnsupportedMediaType", PATCH_TYPES);
}

static int apply_json(json_t *object, const json_t *patch, struct reply *r)
{
	struct err e = ERR_NULL;
	int n = patch_json(object, patch, &e);

	if (n == 0)
		return 0;
	if (!json_is_array(patch))
		return reply_fail(r, 400, "BadRequest", "%s", e.text);
	return reply_generic(r, 422, "Invalid",
		"the server rejected our request due to an error in our request: %s", e.text);
}

static int apply_patch(
	struct call *c, enum patch_type type, json_t *object, json_t *patch, struct reply *r)
{
	int n = 0;

	switch (type) {
	case PATCH_JSON:
		return apply_json(object, patch, r);
	case PATCH_MERGE:
		n = patch_merge(object, patch);
		break;
	case PATCH_STRATEGIC:
		n = patch_strategic(object, patch);
		break;
	case PATCH_APPLY:
		(void)json_object_del(meta_of(patch), "managedFields");
		n = (c->target.kind->flags & KIND_CUSTOM) ? patch_merge(object, patch)
							  : patch_strategic(object, patch);
		break;
	}
	if (n < 0)
		return reply_fail(r, 400, "BadRequest", "the patch is not an object");
	return 0;
}

/* What the patch made of the object must still be the object that the URL names. */
static int check_patched(struct call *c, const json_t *object, struct reply *r)
{
	const char *wrong = types_check(c->target.kind, object);

	if (wrong || !json_is_object(json_object_get(object, "metadata")))
		return reply_invalid_patch(r, str_or(wrong, "metadata"));
	return check_body(c, object, r);
}

void verb_patch(struct call *c, struct reply *r)
{
	_cleanup_json_ json_t *patch = NULL, *old = NULL, *object = NULL;
	enum patch_type type = PATCH_MERGE;

	if (patch_type_of(c, &type, r) < 0 || call_body(c, &patch, r) < 0)
		return;
	if (type == PATCH_APPLY && str_empty(http_query(c->x, "fieldManager"))) {
		(void)reply_fail(r, 400, "BadRequest",
			"PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: "
			"is "
			"required for apply patch");
		return;
	}
	old = load_old(c);
	if (!old && type == PATCH_APPLY && !*c->target.sub) {
		if (check_body(c, patch, r) == 0)
			(void)create(c, patch, c->target.name, r);
		return;
	}
	if (!old) {
		(void)reply_not_found(r, c->target.kind, c->target.name);
		return;
	}
	object = json_deep_copy(old);
	if (!object) {
		(void)out_of_memory(r);
		return;
	}
	if (apply_patch(c, type, object, patch, r) == 0 && check_patched(c, object, r) == 0)
		commit_update(c, object, old, r);
}

static int check_preconditions(
	struct call *c, const json_t *options, const json_t *old, struct reply *r)
{
	static const struct {
		const char *key, *meta, *text;
	} checks[] = {
		{"uid", "uid", "UID"}, {"resourceVersion", "resourceVersion", "ResourceVersion"}};
	char why[256];

	for (size_t i = 0; i < ELEMENTSOF(checks); i++) {
		const char *want = json_string_at(options, "preconditions", checks[i].key, NULL);
		const char *is = meta_string(old, checks[i].meta);

		if (str_empty(want) || streq_null(want, is))
			continue;
		(void)snprintf(why, sizeof(why),
			"Precondition failed: %s in precondition: %.60s, %s in object meta: %.60s",
			checks[i].text, want, checks[i].text, str_or(is, ""));
		return reply_precondition(r, c->target.kind, c->target.name, why);
	}
	return 0;
}

static int read_options(struct call *c, json_t **ret, struct reply *r)
{
	size_t size;

	(void)http_body(c->x, &size);
	return size > 0 ? call_body(c, ret, r) : 0;
}

static void delete_one(struct call *c, const json_t *options, struct reply *r)
{
	const struct kind *k = c->target.kind;
	struct store *s = c->api->store;
	_cleanup_json_ json_t *old = load_old(c);
	char key[META_KEY_MAX];
	int n;

	if (!old) {
		(void)reply_not_found(r, k, c->target.name);
		return;
	}
	if (check_preconditions(c, options, old, r) < 0)
		return;
	meta_key(key, c->target.ns, c->target.name);
	n = object_delete(s, k, key);
	if (n < 0)
		(void)out_of_memory(r);
	else if (n == 0)
		reply_revision(r, 200, store_get(s, k, key));
	else if (k->flags & KIND_RETURNS)
		reply_revision(r, 200, store_history_at(s, store_history_n(s) - 1)->now);
	else
		reply_success(r, k, old);
}

void verb_delete(struct call *c, struct reply *r)
{
	_cleanup_json_ json_t *options = NULL;

	if (read_options(c, &options, r) == 0)
		delete_one(c, options, r);
}

void verb_delete_all(struct call *c, struct reply *r)
{
	const struct kind *k = c->target.kind;
	struct store *s = c->api->store;
	struct selection sel = {.kind = NULL};
	size_t i = 0;

	if (call_selection(c, &sel, r) < 0)
		return;
	while (i < store_count(s, k)) {
		const struct revision *rev = store_at(s, k, i);
		char key[META_KEY_MAX];

		(void)str_copy_cut(key, sizeof(key), rev->key);
		/* A deleted one leaves its place to the next. */
		if (!select_matches(&sel, rev) || object_delete(s, k, key) != 1)
			i++;
	}
	reply_json(r, 200,
		json_pack("{s:s,s:s,s:{},s:s}", "kind", "Status", "apiVersion", "v1", "metadata",
			"status", "Success"));
}
