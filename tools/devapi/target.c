/* SPDX-License-Identifier: Apache-2.0 */
/* target.c: what a path of the API names, and what a request's body and selectors say */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "data/yaml.h"
#include "tools/devapi/api.h"
#include "tools/devapi/protobuf.h"

#define SEGMENTS_MAX 8

struct segments {
	char text[META_NAME_MAX * 2 + 256];
	const char *part[SEGMENTS_MAX];
	size_t n;
};

static int split(struct segments *s, const char *path)
{
	char *save = NULL;

	s->n = 0;
	if (str_copy(s->text, sizeof(s->text), path) < 0)
		return -ENOENT;
	for (char *p = strtok_r(s->text, "/", &save); p; p = strtok_r(NULL, "/", &save)) {
		if (s->n == SEGMENTS_MAX)
			return -ENOENT;
		s->part[s->n++] = p;
	}
	return 0;
}

static int take_rest(
	struct target *t, const char *group, const char *version, const char *const *part, size_t n)
{
	if (n >= 3 && streq(part[0], "namespaces") && !streq(part[2], "status") &&
		!streq(part[2], "finalize")) {
		if (str_copy(t->ns, sizeof(t->ns), part[1]) < 0)
			return -ENOENT;
		part += 2;
		n -= 2;
	}
	if (n < 1 || n > 3)
		return -ENOENT;
	t->kind = kind_find(group, version, part[0]);
	if (!t->kind || (*t->ns && !(t->kind->flags & KIND_NAMESPACED)))
		return -ENOENT;
	if (n >= 2 && str_copy(t->name, sizeof(t->name), part[1]) < 0)
		return -ENOENT;
	if (n == 3 && str_copy(t->sub, sizeof(t->sub), part[2]) < 0)
		return -ENOENT;
	if (n >= 2 && !*t->ns && (t->kind->flags & KIND_NAMESPACED))
		return -ENOENT;
	if (*t->sub && !(streq(t->sub, "status") && (t->kind->flags & KIND_STATUS)))
		return -ENOENT;
	return 0;
}

int target_parse(struct target *t, const char *path)
{
	struct segments s;

	memset(t, 0, sizeof(*t));
	if (split(&s, path) < 0 || s.n < 2)
		return -ENOENT;
	if (streq(s.part[0], "api"))
		return take_rest(t, "", s.part[1], s.part + 2, s.n - 2);
	if (streq(s.part[0], "apis") && s.n >= 3)
		return take_rest(t, s.part[1], s.part[2], s.part + 3, s.n - 3);
	return -ENOENT;
}

bool target_group_known(const char *path)
{
	struct segments s;

	if (split(&s, path) < 0 || s.n < 2)
		return false;
	for (size_t i = 0; i < kinds_n; i++) {
		const struct kind *k = &kinds[i];

		if (!*k->group && streq(s.part[0], "api") && streq(s.part[1], k->version))
			return true;
		if (*k->group && streq(s.part[0], "apis") && s.n > 2 &&
			streq(s.part[1], k->group) && streq(s.part[2], k->version))
			return true;
	}
	return false;
}

static int body_yaml(const char *text, size_t size, json_t **ret, struct err *e)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *d = NULL;
	int r = yaml_load(&d, "body", text, size, e);

	if (r < 0)
		return r;
	*ret = json_deep_copy(yaml_root(d));
	return *ret ? 0 : -ENOMEM;
}

int call_body(struct call *c, json_t **ret, struct reply *r)
{
	const char *type = str_or(http_header(c->x, "Content-Type"), "application/json");
	struct err e = ERR_NULL;
	size_t size;
	const char *text = http_body(c->x, &size);
	int n;

	if (strstr(type, "protobuf") && protobuf_metadata(text, size, ret) == 0)
		return 0;
	if (!strstr(type, "json") && !strstr(type, "yaml"))
		return reply_fail(r, 415, "UnsupportedMediaType",
			"the body of the request was in an unknown format - accepted media types "
			"include: application/json, application/yaml");
	n = data_json_load(text, size, ret, &e);
	if (n < 0 && strstr(type, "yaml"))
		n = body_yaml(text, size, ret, &e);
	if (n < 0)
		return reply_fail(r, 400, "BadRequest",
			"the object provided is unrecognized (must be of type %s): %s",
			c->target.kind->kind, e.text);
	return 0;
}

int call_selection(struct call *c, struct selection *s, struct reply *r)
{
	const char *fields = str_or(http_query(c->x, "fieldSelector"), "");
	const char *labels = str_or(http_query(c->x, "labelSelector"), "");

	s->kind = c->target.kind;
	(void)str_copy_cut(s->ns, sizeof(s->ns), c->target.ns);
	if (select_parse_fields(s, fields) < 0)
		return reply_fail(
			r, 400, "BadRequest", "field label not supported in \"%.200s\"", fields);
	if (select_parse_labels(s, labels) < 0)
		return reply_fail(
			r, 400, "BadRequest", "unable to parse requirement: \"%.200s\"", labels);
	return 0;
}
