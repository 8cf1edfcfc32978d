/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c: reading a configuration, and the keys that more than one program has */
#include "data/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"

/* More serves no server; a typing error must not eat all memory. */
#define IN_FLIGHT_MAX 65536U
#define DRIVER_MAX 63 /* Kubernetes' limit for a CSIDriver */

static int take_level(const json_t *value, void *target, struct err *e)
{
	const char *s = json_string_value(value);

	if (!s || log_level_parse(s, target) < 0)
		return err_set(e, EINVAL, "must be error, warning, info or debug");
	return 0;
}

static int take_format(const json_t *value, void *target, struct err *e)
{
	const char *s = json_string_value(value);

	if (s && streq(s, "auto"))
		return 0;
	if (!s || log_format_parse(s, target) < 0)
		return err_set(e, EINVAL, "must be auto, text, json or journal");
	return 0;
}

static const struct decode_field log_fields[] = {
	DECODE_TAKE("level", offsetof(struct settings_log, level), take_level),
	DECODE_TAKE("format", offsetof(struct settings_log, format), take_format),
};
const struct decode_table settings_log_table = DECODE_TABLE(log_fields, true);

static const struct decode_field kube_fields[] = {
	DECODE_KEY("qps", DECODE_DOUBLE, offsetof(struct settings_kube, qps)),
	DECODE_KEY("burst", DECODE_DOUBLE, offsetof(struct settings_kube, burst)),
	DECODE_KEY("inFlight", DECODE_UNSIGNED, offsetof(struct settings_kube, in_flight)),
};
const struct decode_table settings_kube_table = DECODE_TABLE(kube_fields, true);

int settings_check_driver(const char *s, struct err *e)
{
	const char *const first = "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t n = strlen(s);

	if (n == 0)
		return 0;
	if (n > DRIVER_MAX || strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") != n ||
		!strchr(first, s[0]) || !strchr(first, s[n - 1]) || strstr(s, ".."))
		return err_set(e, EINVAL,
			"\"%s\" is no name of a driver (a DNS name in lower case, at most %d "
			"bytes)",
			s, DRIVER_MAX);
	return 0;
}

int settings_check_kube(
	const struct settings_kube *k, const struct yaml_doc *doc, const char *name, struct err *e)
{
	const char *key = "inFlight";

	if (!(k->qps > 0)) {
		key = "qps";
		err_set(e, EINVAL, "must be above 0");
	} else if (!(k->burst >= 1)) {
		key = "burst";
		err_set(e, EINVAL, "must be at least 1");
	} else if (k->in_flight == 0 || k->in_flight > IN_FLIGHT_MAX) {
		err_set(e, ERANGE, "must be from 1 to %u", IN_FLIGHT_MAX);
	} else {
		return 0;
	}
	return settings_complain(doc, name, "kube", key, e);
}

static bool is_address(const char *s)
{
	struct in6_addr a;

	return !*s || inet_pton(AF_INET, s, &a) == 1 || inet_pton(AF_INET6, s, &a) == 1;
}

int settings_listen(const json_t *value, void *target, struct err *e)
{
	struct settings_listen *l = target;
	const char *s = json_string_value(value);
	const char *colon = s ? strrchr(s, ':') : NULL;
	size_t n;
	uint64_t port;

	if (s && !*s) {
		l->on = false;
		return 0;
	}
	if (!colon || parse_u64(colon + 1, 0, UINT16_MAX, &port) < 0)
		return err_set(e, EINVAL, "must be address:port, :port or \"\"");
	n = (size_t)(colon - s);
	if (n >= 2 && s[0] == '[' && s[n - 1] == ']') {
		s++;
		n -= 2;
	} else if (memchr(s, ':', n)) {
		return err_set(e, EINVAL, "an IPv6 address stands in brackets: [::1]:9808");
	}
	if (n >= sizeof(l->address))
		return err_set(e, EINVAL, "the address is too long");
	memcpy(l->address, s, n);
	l->address[n] = '\0';
	if (!is_address(l->address))
		return err_set(e, EINVAL, "%s is no IP address", l->address);
	l->port = (uint16_t)port;
	l->on = true;
	return 0;
}

/* The string is cut in two where it lies: json_t's text belongs to the document that we own. */
static int split_place(struct settings_place *p, char *text, struct err *e)
{
	char *slash = strstr(text, ":/");

	if (!*text || *text == '/' || *text == ':')
		return err_set(e, EINVAL, "\"%s\" must be server or server:/export", text);
	p->server = text;
	p->export_ = NULL;
	if (slash) {
		*slash = '\0';
		p->export_ = slash + 1;
	}
	if (text[0] == '[' && str_ends_with(text, "]")) {
		text[strlen(text) - 1] = '\0';
		p->server = text + 1;
	}
	return 0;
}

int settings_allow(const json_t *value, void *target, struct err *e)
{
	struct settings_allow *a = target;
	size_t i, n = json_array_size(value);
	json_t *item;

	if (!json_is_array(value))
		return err_set(e, EINVAL, "must be a list of server:/export");
	if (n > SETTINGS_ALLOW_MAX)
		return err_set(e, ERANGE, "has more than %d entries", SETTINGS_ALLOW_MAX);
	a->places = calloc(n + 1, sizeof(*a->places));
	if (!a->places)
		return err_set(e, ENOMEM, "out of memory");
	json_array_foreach (value, i, item) {
		int r;

		if (!json_is_string(item))
			return err_set(e, EINVAL, "entry %zu must be server:/export", i + 1);
		r = split_place(&a->places[i], (char *)json_string_value(item), e);
		if (r < 0)
			return r;
	}
	a->n = n;
	return 0;
}

void settings_allow_done(struct settings_allow *a)
{
	free(a->places);
	*a = (struct settings_allow){.n = 0};
}

bool settings_allow_names(const struct settings_allow *a, const char *server, const char *export_)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct settings_place *p = &a->places[i];

		if (streq(p->server, server) && (!p->export_ || streq(p->export_, export_)))
			return true;
	}
	return false;
}

/* ---- the whole --------------------------------------------------------------------------- */

static struct yaml_doc **doc_of(const struct settings_format *f, void *target)
{
	return (struct yaml_doc **)(void *)((char *)target + f->doc);
}

/* Takes doc. */
static int take(void *ret, const struct settings_format *f, const char *name, struct yaml_doc *doc,
	struct err *e)
{
	void *target = calloc(1, f->size);
	int r = 0;

	if (!target) {
		yaml_doc_free(doc);
		return err_set(e, ENOMEM, "out of memory");
	}
	*doc_of(f, target) = doc;
	f->defaults(target);
	if (doc && yaml_root(doc) && !json_is_null(yaml_root(doc)))
		r = yaml_decode(doc, f->table, target, e);
	if (r >= 0)
		r = f->check(target, name, e);
	if (r < 0) {
		settings_free(f, target);
		return r;
	}
	memcpy(ret, &target, sizeof(target));
	return 0;
}

int settings_parse(void *ret, const struct settings_format *f, const char *name, const char *text,
	size_t size, struct err *e)
{
	struct yaml_doc *doc = NULL;
	int r = yaml_load(&doc, name, text, size, e);

	return r < 0 ? r : take(ret, f, name, doc, e);
}

int settings_load(void *ret, const struct settings_format *f, const char *path, struct err *e)
{
	struct yaml_doc *doc = NULL;
	int r = path ? yaml_load_file(&doc, path, e) : 0;

	return r < 0 ? r : take(ret, f, path, doc, e);
}

void *settings_free(const struct settings_format *f, void *target)
{
	if (!target)
		return NULL;
	f->done(target);
	yaml_doc_free(*doc_of(f, target));
	free(target);
	return NULL;
}

int settings_complain(const struct yaml_doc *doc, const char *name, const char *part,
	const char *key, struct err *e)
{
	const json_t *value = NULL;

	if (doc && part)
		value = json_at(yaml_root(doc), part, key, NULL);
	else if (doc)
		value = json_at(yaml_root(doc), key, NULL);
	return err_prefix(e, "%s:%u: %s%s%s", str_or(name, "defaults"),
		value ? yaml_line(doc, value) : 1, str_or(part, ""), part ? "." : "", key);
}
