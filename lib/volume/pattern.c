/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.c: a pathPattern and a claim become a path strictly beneath the export */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "volume/parameters.h"

/* A Kubernetes label or annotation key: 253 bytes prefix, slash, 63 bytes name. */
#define VARIABLE_MAX 384
/* "-" and 16 hex digits behind a name that was cut. */
#define HASH_TEXT 17

enum variable_kind { VAR_NAMESPACE, VAR_NAME, VAR_PV, VAR_LABEL, VAR_ANNOTATION };

/* One ${…}: borrowed from the pattern but for key, which must be terminated. */
struct variable {
	enum variable_kind kind;
	char key[VARIABLE_MAX];
	const char *fallback;
	size_t fallback_len;
	bool has_fallback;
};

static const struct {
	const char *text;
	enum variable_kind kind;
	bool prefix;
} variables[] = {
	{".PVC.namespace", VAR_NAMESPACE, false},
	{".PVC.name", VAR_NAME, false},
	{".PVC.labels.", VAR_LABEL, true},
	{".PVC.annotations.", VAR_ANNOTATION, true},
	{".PV.name", VAR_PV, false},
	{"pvc.metadata.namespace", VAR_NAMESPACE, false},
	{"pvc.metadata.name", VAR_NAME, false},
	{"pvc.metadata.labels.", VAR_LABEL, true},
	{"pvc.metadata.annotations.", VAR_ANNOTATION, true},
	{"pv.metadata.name", VAR_PV, false},
};

static int variable_name(struct variable *v, struct err *e)
{
	for (size_t i = 0; i < ELEMENTSOF(variables); i++) {
		const char *rest = str_after(v->key, variables[i].text);

		if (!rest || (variables[i].prefix ? !*rest : *rest != '\0'))
			continue;
		v->kind = variables[i].kind;
		memmove(v->key, rest, strlen(rest) + 1);
		return 0;
	}
	return err_set(e, EINVAL, "pathPattern: unknown variable ${%s}", v->key);
}

/* Reads the variable behind "${" at s; *ret_end points behind its "}". */
static int variable_parse(const char *s, struct variable *ret, const char **ret_end, struct err *e)
{
	const char *close = strchr(s, '}');
	const char *colon;
	size_t n;

	if (!close)
		return err_set(e, EINVAL, "pathPattern: \"${\" without \"}\"");
	n = (size_t)(close - s);
	if (memmem(s, n, "${", 2))
		return err_set(e, EINVAL, "pathPattern: a variable inside a variable");
	colon = memmem(s, n, ":-", 2);
	ret->has_fallback = colon != NULL;
	if (colon) {
		ret->fallback = colon + 2;
		ret->fallback_len = (size_t)(close - ret->fallback);
		n = (size_t)(colon - s);
	}
	if (n >= sizeof(ret->key))
		return err_set(e, EINVAL, "pathPattern: a variable's name is too long");
	memcpy(ret->key, s, n);
	ret->key[n] = '\0';
	*ret_end = close + 1;
	if (ret->has_fallback && memchr(ret->fallback, '/', ret->fallback_len))
		return err_set(
			e, EINVAL, "pathPattern: the default of ${%s} holds a \"/\"", ret->key);
	return variable_name(ret, e);
}

static const char *variable_value(const struct variable *v, const struct pattern_source *s)
{
	switch (v->kind) {
	case VAR_NAMESPACE:
		return s->namespace_;
	case VAR_NAME:
		return s->name;
	case VAR_PV:
		return s->pv;
	case VAR_LABEL:
		return s->label ? s->label(v->key, s->userdata) : NULL;
	case VAR_ANNOTATION:
		return s->annotation ? s->annotation(v->key, s->userdata) : NULL;
	}
	return NULL;
}

static const char *variable_text(const struct variable *v)
{
	static const char *const texts[] = {
		[VAR_NAMESPACE] = ".PVC.namespace",
		[VAR_NAME] = ".PVC.name",
		[VAR_PV] = ".PV.name",
		[VAR_LABEL] = ".PVC.labels.",
		[VAR_ANNOTATION] = ".PVC.annotations.",
	};

	return texts[v->kind];
}

struct path {
	char *dst;
	size_t len;
};

static int path_put(struct path *p, const char *s, size_t n, struct err *e)
{
	if (n >= PATH_RELATIVE_MAX - p->len)
		return err_set(e, ENAMETOOLONG,
			"pathPattern: the path would be longer than %d bytes",
			PATH_RELATIVE_MAX - 1);
	memcpy(p->dst + p->len, s, n);
	p->len += n;
	p->dst[p->len] = '\0';
	return 0;
}

static int path_put_variable(
	struct path *p, const struct variable *v, const struct pattern_source *s, struct err *e)
{
	const char *value = variable_value(v, s);

	if (str_empty(value)) {
		if (!v->has_fallback)
			return err_set(e, EINVAL,
				"pathPattern: ${%s%s} is %s and has no default (:-)",
				variable_text(v), v->key, value ? "empty" : "not set");
		return path_put(p, v->fallback, v->fallback_len, e);
	}
	if (strchr(value, '/'))
		return err_set(e, EINVAL, "pathPattern: the value of ${%s%s} holds a \"/\"",
			variable_text(v), v->key);
	return path_put(p, value, strlen(value), e);
}

/* FNV-1a: the same in every process and for ever, as names on disk must be. */
static uint64_t name_hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3ULL;
	return h;
}

static int default_name(
	const struct pattern_source *s, char dst[static PATH_RELATIVE_MAX], struct err *e)
{
	char name[PATH_RELATIVE_MAX];

	if (str_format(name, sizeof(name), "%s-%s-%s", s->namespace_, s->name, s->pv) < 0)
		return err_set(e, ENAMETOOLONG, "the names of claim and volume are too long");
	memcpy(dst, name, strlen(name) + 1);
	if (strlen(name) > PATH_COMPONENT_MAX)
		snprintf(dst + PATH_COMPONENT_MAX - HASH_TEXT, HASH_TEXT + 1, "-%016" PRIx64,
			name_hash(name));
	return path_relative_check(dst, e);
}

int pattern_expand(const char *pattern, const struct pattern_source *s,
	char dst[static PATH_RELATIVE_MAX], struct err *e)
{
	char text[PATH_RELATIVE_MAX] = "";
	struct path p = {.dst = text};
	int r;

	if (!pattern)
		return default_name(s, dst, e);
	while (*pattern) {
		struct variable v = {.has_fallback = false};
		const char *open = strstr(pattern, "${");

		r = path_put(&p, pattern, open ? (size_t)(open - pattern) : strlen(pattern), e);
		if (r < 0)
			return r;
		if (!open)
			break;
		r = variable_parse(open + 2, &v, &pattern, e);
		if (r >= 0)
			r = path_put_variable(&p, &v, s, e);
		if (r < 0)
			return r;
	}
	r = path_relative_check(text, e);
	if (r < 0) {
		(void)err_prefix(e, "pathPattern gives an unusable path");
		return r;
	}
	memcpy(dst, text, p.len + 1);
	return 0;
}

bool pattern_needs_claim(const char *pattern)
{
	while (pattern && (pattern = strstr(pattern, "${"))) {
		struct variable v = {.has_fallback = false};

		if (variable_parse(pattern + 2, &v, &pattern, NULL) < 0)
			return false;
		if (v.kind == VAR_LABEL || v.kind == VAR_ANNOTATION)
			return true;
	}
	return false;
}

static const char *sample(const char *key, void *userdata)
{
	(void)key;
	(void)userdata;
	return "x";
}

int pattern_check(const char *pattern, struct err *e)
{
	const struct pattern_source s = {
		.namespace_ = "x", .name = "x", .pv = "x", .label = sample, .annotation = sample};
	char path[PATH_RELATIVE_MAX];

	if (str_empty(pattern))
		return err_set(e, EINVAL, "pathPattern: must not be empty");
	return pattern_expand(pattern, &s, path, e);
}
