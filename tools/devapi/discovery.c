/* SPDX-License-Identifier: Apache-2.0 */
/* discovery.c: documents made from the table of kinds */
#include "tools/devapi/discovery.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/kinds.h"
#include "tools/devapi/meta.h"

static void reply_owned(struct http_exchange *x, json_t *json)
{
	http_reply_json(x, json ? 200 : 500, json);
	json_decref(json);
}

static json_t *version_info(void)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "major", "1", "minor", "36",
		"gitVersion", "v1.36.3-devapi", "gitCommit", "", "gitTreeState", "clean",
		"buildDate", "2026-01-01T00:00:00Z", "goVersion", "", "compiler", "gcc", "platform",
		"linux/amd64");
}

static json_t *verbs(const char *const *names, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, json_string(names[i]));
	return list;
}

static void add_short_names(json_t *resource, const struct kind *k)
{
	json_t *list;
	char text[64], *save = NULL;

	if (!*k->short_names)
		return;
	list = json_array();
	(void)str_copy_cut(text, sizeof(text), k->short_names);
	for (char *p = strtok_r(text, ",", &save); p; p = strtok_r(NULL, ",", &save))
		(void)json_array_append_new(list, json_string(p));
	(void)json_object_set_new(resource, "shortNames", list);
}

static void add_resource(json_t *list, const struct kind *k)
{
	static const char *const all[] = {
		"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
	static const char *const status[] = {"get", "patch", "update"};
	int namespaced = (k->flags & KIND_NAMESPACED) != 0;
	char name[96];
	json_t *r = json_pack("{s:s,s:s,s:b,s:s,s:o}", "name", k->plural, "singularName",
		k->singular, "namespaced", namespaced, "kind", k->kind, "verbs",
		verbs(all, ELEMENTSOF(all)));

	add_short_names(r, k);
	(void)json_array_append_new(list, r);
	if (!(k->flags & KIND_STATUS))
		return;
	(void)snprintf(name, sizeof(name), "%s/status", k->plural);
	(void)json_array_append_new(list,
		json_pack("{s:s,s:s,s:b,s:s,s:o}", "name", name, "singularName", "", "namespaced",
			namespaced, "kind", k->kind, "verbs", verbs(status, ELEMENTSOF(status))));
}

static json_t *resource_list(const char *group, const char *version)
{
	json_t *list = json_array();
	char text[128];

	(void)snprintf(text, sizeof(text), "%s%s%s", group, *group ? "/" : "", version);
	for (size_t i = 0; i < kinds_n; i++)
		if (streq(kinds[i].group, group) && streq(kinds[i].version, version))
			add_resource(list, &kinds[i]);
	if (json_array_size(list) == 0) {
		json_decref(list);
		return NULL;
	}
	return json_pack("{s:s,s:s,s:s,s:o}", "kind", "APIResourceList", "apiVersion", "v1",
		"groupVersion", text, "resources", list);
}

static json_t *group_new(const struct kind *k)
{
	char text[128];

	(void)kind_api_version(k, text, sizeof(text));
	return json_pack("{s:s,s:[{s:s,s:s}],s:{s:s,s:s}}", "name", k->group, "versions",
		"groupVersion", text, "version", k->version, "preferredVersion", "groupVersion",
		text, "version", k->version);
}

static bool first_of_group(size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (streq(kinds[j].group, kinds[i].group))
			return false;
	return *kinds[i].group != '\0';
}

static json_t *group_list(void)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < kinds_n; i++)
		if (first_of_group(i))
			(void)json_array_append_new(groups, group_new(&kinds[i]));
	return json_pack(
		"{s:s,s:s,s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups", groups);
}

static json_t *one_group(const char *group)
{
	json_t *g = NULL;

	for (size_t i = 0; i < kinds_n && !g; i++)
		if (streq(kinds[i].group, group))
			g = group_new(&kinds[i]);
	if (g) {
		(void)json_put_string(g, "kind", "APIGroup");
		(void)json_put_string(g, "apiVersion", "v1");
	}
	return g;
}

/* kubectl looks here only for whether the server checks fields itself: each kind's PATCH has the
 * parameters fieldValidation and dryRun. */
static json_t *openapi_path(const struct kind *k)
{
	json_t *gvk = json_pack(
		"{s:s,s:s,s:s}", "group", k->group, "version", k->version, "kind", k->kind);

	return json_pack("{s:{s:o,s:[{s:s,s:s,s:{s:s}},{s:s,s:s,s:{s:s}}],s:{s:{s:s}}}}", "patch",
		"x-kubernetes-group-version-kind", gvk, "parameters", "name", "fieldValidation",
		"in", "query", "schema", "type", "string", "name", "dryRun", "in", "query",
		"schema", "type", "string", "responses", "200", "description", "OK");
}

static json_t *openapi_v3(const char *group, const char *version)
{
	json_t *paths = json_object();
	char path[256];

	for (size_t i = 0; i < kinds_n; i++) {
		const struct kind *k = &kinds[i];

		if (!streq(k->group, group) || !streq(k->version, version))
			continue;
		(void)snprintf(path, sizeof(path), "/%s/%s%s%s/%s%s/{name}",
			*group ? "apis" : "api", group, *group ? "/" : "", version,
			(k->flags & KIND_NAMESPACED) ? "namespaces/{namespace}/" : "", k->plural);
		(void)json_object_set_new(paths, path, openapi_path(k));
	}
	return json_pack("{s:s,s:{s:s,s:s},s:o,s:{s:{}}}", "openapi", "3.0.0", "info", "title",
		"devapi", "version", "v1.36.3", "paths", paths, "components", "schemas");
}

static json_t *openapi_v3_index(void)
{
	json_t *paths = json_object();
	char key[160], url[256];

	for (size_t i = 0; i < kinds_n; i++) {
		const struct kind *k = &kinds[i];

		(void)snprintf(key, sizeof(key), "%s/%s%s%s", *k->group ? "apis" : "api", k->group,
			*k->group ? "/" : "", k->version);
		(void)snprintf(url, sizeof(url), "/openapi/v3/%s?hash=1", key);
		(void)json_object_set_new(paths, key, json_pack("{s:s}", "serverRelativeURL", url));
	}
	return json_pack("{s:o}", "paths", paths);
}

/* Splits "a/b" behind a prefix. */
static int two_parts(const char *rest, char *a, char *b, size_t size)
{
	const char *slash = strchr(rest, '/');
	size_t n = slash ? (size_t)(slash - rest) : strlen(rest);

	if (n >= size || str_copy(b, size, slash ? slash + 1 : "") < 0 || strchr(b, '/'))
		return -ENOENT;
	memcpy(a, rest, n);
	a[n] = '\0';
	return 0;
}

static json_t *document(const char *path)
{
	char a[128], b[128];
	const char *rest;

	if (streq(path, "/version"))
		return version_info();
	if (streq(path, "/api"))
		return json_pack("{s:s,s:[s],s:[{s:s,s:s}]}", "kind", "APIVersions", "versions",
			"v1", "serverAddressByClientCIDRs", "clientCIDR", "0.0.0.0/0",
			"serverAddress", "");
	if (streq(path, "/apis"))
		return group_list();
	if (streq(path, "/api/v1"))
		return resource_list("", "v1");
	if (streq(path, "/openapi/v3"))
		return openapi_v3_index();
	if ((rest = str_after(path, "/openapi/v3/api/")))
		return openapi_v3("", rest);
	if ((rest = str_after(path, "/openapi/v3/apis/")) && two_parts(rest, a, b, sizeof(a)) == 0)
		return openapi_v3(a, b);
	if ((rest = str_after(path, "/apis/")) && two_parts(rest, a, b, sizeof(a)) == 0)
		return *b ? resource_list(a, b) : one_group(a);
	return NULL;
}

/* An OpenAPI v2 document without definitions, as old kubectl wants it (protobuf, field 1 "2.0"):
 * it then skips client-side validation instead of failing. */
static void reply_openapi_v2(struct http_exchange *x)
{
	static const char empty[] = "\x0a\x03"
				    "2.0";
	const char *accept = str_or(http_header(x, "Accept"), "");

	if (strstr(accept, "protobuf"))
		http_reply(x, 200, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
			empty, sizeof(empty) - 1, NULL);
	else
		reply_owned(x,
			json_pack("{s:s,s:{s:s,s:s},s:{},s:{}}", "swagger", "2.0", "info", "title",
				"devapi", "version", "v1.36.3", "paths", "definitions"));
}

int discovery_request(struct http_exchange *x)
{
	char path[512];
	size_t n;
	json_t *doc;

	if (str_copy(path, sizeof(path), http_path(x)) < 0)
		return -ENOENT;
	n = strlen(path);
	if (n > 1 && path[n - 1] == '/')
		path[n - 1] = '\0';
	if (streq(path, "/healthz") || streq(path, "/readyz") || streq(path, "/livez")) {
		http_reply_text(x, 200, "ok");
		return 0;
	}
	if (streq(path, "/openapi/v2")) {
		reply_openapi_v2(x);
		return 0;
	}
	doc = document(path);
	if (!doc)
		return -ENOENT;
	reply_owned(x, doc);
	return 0;
}
