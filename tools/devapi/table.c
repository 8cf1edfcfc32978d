/* SPDX-License-Identifier: Apache-2.0 */
/* table.c: columns and cells */
#include "tools/devapi/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/meta.h"
#include "tools/devapi/rules_storage.h"

#define COLUMNS_MAX 24
#define CELL_MAX 512

enum format { AS_TEXT, AS_AGE, AS_MODES, AS_CLAIM, AS_PHASE, AS_CLASS_NAME, AS_UNSET };

struct column {
	const char *name, *type, *path;
	enum format format;
	int priority;
};

static const struct column claim_columns[] = {{"Name", "string", "metadata.name", AS_TEXT, 0},
	{"Status", "string", "status.phase", AS_PHASE, 0},
	{"Volume", "string", "spec.volumeName", AS_TEXT, 0},
	{"Capacity", "string", "status.capacity.storage", AS_TEXT, 0},
	{"Access Modes", "string", "status.accessModes", AS_MODES, 0},
	{"StorageClass", "string", "spec.storageClassName", AS_TEXT, 0},
	{"VolumeAttributesClass", "string", "spec.volumeAttributesClassName", AS_UNSET, 0},
	{"Age", "string", "metadata.creationTimestamp", AS_AGE, 0},
	{"VolumeMode", "string", "spec.volumeMode", AS_TEXT, 1}};
static const struct column volume_columns[] = {{"Name", "string", "metadata.name", AS_TEXT, 0},
	{"Capacity", "string", "spec.capacity.storage", AS_TEXT, 0},
	{"Access Modes", "string", "spec.accessModes", AS_MODES, 0},
	{"Reclaim Policy", "string", "spec.persistentVolumeReclaimPolicy", AS_TEXT, 0},
	{"Status", "string", "status.phase", AS_PHASE, 0},
	{"Claim", "string", "spec.claimRef", AS_CLAIM, 0},
	{"StorageClass", "string", "spec.storageClassName", AS_TEXT, 0},
	{"VolumeAttributesClass", "string", "spec.volumeAttributesClassName", AS_UNSET, 0},
	{"Reason", "string", "status.reason", AS_TEXT, 0},
	{"Age", "string", "metadata.creationTimestamp", AS_AGE, 0},
	{"VolumeMode", "string", "spec.volumeMode", AS_TEXT, 1}};
static const struct column class_columns[] = {{"Name", "string", "metadata.name", AS_CLASS_NAME, 0},
	{"Provisioner", "string", "provisioner", AS_TEXT, 0},
	{"ReclaimPolicy", "string", "reclaimPolicy", AS_TEXT, 0},
	{"VolumeBindingMode", "string", "volumeBindingMode", AS_TEXT, 0},
	{"AllowVolumeExpansion", "string", "allowVolumeExpansion", AS_TEXT, 0},
	{"Age", "string", "metadata.creationTimestamp", AS_AGE, 0}};
static const struct column event_columns[] = {{"Last Seen", "string", "lastTimestamp", AS_AGE, 0},
	{"Type", "string", "type", AS_TEXT, 0}, {"Reason", "string", "reason", AS_TEXT, 0},
	{"Object", "string", "involvedObject.name", AS_TEXT, 0},
	{"Message", "string", "message", AS_TEXT, 0}};
static const struct column bvol_columns[] = {{"Name", "string", "metadata.name", AS_TEXT, 0},
	{"Phase", "string", "status.phase", AS_TEXT, 0},
	{"Claim", "string", "spec.claim", AS_CLAIM, 0},
	{"Driver", "string", "spec.driver", AS_TEXT, 0},
	{"Reclaim", "string", "spec.reclaim", AS_TEXT, 0},
	{"Age", "string", "metadata.creationTimestamp", AS_AGE, 0}};
static const struct column other_columns[] = {{"Name", "string", "metadata.name", AS_TEXT, 0},
	{"Age", "string", "metadata.creationTimestamp", AS_AGE, 0}};

struct columns {
	const struct column *list;
	size_t n;
};
#define COLUMNS(array) ((struct columns){(array), ELEMENTSOF(array)})

static struct columns builtin_columns(const struct kind *k)
{
	if (kind_is(k, KIND_PVC))
		return COLUMNS(claim_columns);
	if (kind_is(k, KIND_PV))
		return COLUMNS(volume_columns);
	if (kind_is(k, KIND_CLASS))
		return COLUMNS(class_columns);
	if (kind_is(k, KIND_EVENT))
		return COLUMNS(event_columns);
	if (kind_is(k, KIND_BVOL))
		return COLUMNS(bvol_columns);
	return COLUMNS(other_columns);
}

bool table_wanted(const char *accept)
{
	return accept && strstr(accept, "as=Table");
}

/* Of JSONPath's filters the one that printer columns need, [?(@.type=="Ready")]: the first item
 * that is so. *path is put behind it. */
static const json_t *filtered(const json_t *list, const char **path)
{
	char key[64], value[64];
	int behind = 0;
	json_t *item;
	size_t i;

	(void)sscanf(*path, "[?(@.%63[^=]==\"%63[^\"]\")]%n", key, value, &behind);
	*path += behind;
	if (behind == 0)
		return NULL;
	json_array_foreach (list, i, item)
		if (streq_null(json_string_at(item, key, NULL), value))
			return item;
	return NULL;
}

static const json_t *value_at(const json_t *object, const char *path)
{
	char part[128];

	path += *path == '.';
	while (object && *path) {
		size_t n = strcspn(path, ".[");

		if (n >= sizeof(part))
			return NULL;
		memcpy(part, path, n);
		part[n] = '\0';
		object = json_object_get(object, part);
		path += n;
		if (*path == '[')
			object = filtered(object, &path);
		path += *path == '.';
	}
	return object;
}

static void format_age(const json_t *v, char *dst, size_t size)
{
	uint64_t then, now = clock_real(), s;

	if (!json_is_string(v) || clock_parse(json_string_value(v), &then) < 0) {
		(void)str_copy_cut(dst, size, "<unknown>");
		return;
	}
	s = now > then ? (now - then) / NSEC_PER_SEC : 0;
	if (s < 120)
		(void)snprintf(dst, size, "%" PRIu64 "s", s);
	else if (s < 600)
		(void)snprintf(dst, size, "%" PRIu64 "m%" PRIu64 "s", s / 60, s % 60);
	else if (s < 3 * 3600)
		(void)snprintf(dst, size, "%" PRIu64 "m", s / 60);
	else if (s < 48 * 3600)
		(void)snprintf(dst, size, "%" PRIu64 "h", s / 3600);
	else
		(void)snprintf(dst, size, "%" PRIu64 "d", s / 86400);
}

static void format_modes(const json_t *v, char *dst, size_t size)
{
	static const struct {
		const char *mode, *text;
	} names[] = {{"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"},
		{"ReadWriteOncePod", "RWOP"}};
	size_t i, used = 0;
	json_t *mode;

	*dst = '\0';
	json_array_foreach (v, i, mode)
		for (size_t n = 0; n < ELEMENTSOF(names); n++)
			if (streq_null(names[n].mode, json_string_value(mode)) && used < size)
				used += (size_t)snprintf(dst + used, size - used, "%s%s",
					used ? "," : "", names[n].text);
}

static void format_text(const json_t *v, char *dst, size_t size)
{
	*dst = '\0';
	if (json_is_string(v))
		(void)str_copy_cut(dst, size, json_string_value(v));
	else if (json_is_boolean(v))
		(void)str_copy_cut(dst, size, json_is_true(v) ? "true" : "false");
	else if (json_is_integer(v))
		(void)snprintf(dst, size, "%lld", (long long)json_integer_value(v));
}

static void format_cell(const struct column *c, const json_t *object, char *dst, size_t size)
{
	const json_t *v = value_at(object, c->path);

	switch (c->format) {
	case AS_AGE:
		format_age(v, dst, size);
		return;
	case AS_MODES:
		format_modes(v, dst, size);
		return;
	case AS_CLAIM:
		*dst = '\0';
		if (v)
			(void)snprintf(dst, size, "%s/%s",
				str_or(json_string_at(v, "namespace", NULL), ""),
				str_or(json_string_at(v, "name", NULL), ""));
		return;
	case AS_PHASE:
		format_text(v, dst, size);
		if (meta_deleting(object))
			(void)str_copy_cut(dst, size, "Terminating");
		return;
	case AS_CLASS_NAME:
		(void)snprintf(dst, size, "%s%s", str_or(json_string_value(v), ""),
			streq_null(meta_annotation(object, CLASS_DEFAULT), "true") ? " (default)"
										   : "");
		return;
	case AS_UNSET:
		format_text(v, dst, size);
		if (!*dst)
			(void)str_copy_cut(dst, size, "<unset>");
		return;
	case AS_TEXT:
		break;
	}
	format_text(v, dst, size);
	if (streq(c->path, "allowVolumeExpansion") && !*dst)
		(void)str_copy_cut(dst, size, "false");
}

/* A stored CRD's columns for this kind, borrowed from *ret_crd. */
static size_t crd_columns(
	const struct store *s, const struct kind *k, struct column *dst, json_t **ret_crd)
{
	char name[128];
	const struct revision *rev =
		(k->flags & KIND_CUSTOM)
			? store_get(s, kind_get(KIND_CRD), kind_qualified(k, name, sizeof(name)))
			: NULL;
	const json_t *list;
	size_t i, n = 0;
	json_t *c;

	if (!rev || !(*ret_crd = revision_parse(rev)))
		return 0;
	list = json_object_get(json_array_get(json_at(*ret_crd, "spec", "versions", NULL), 0),
		"additionalPrinterColumns");
	json_array_foreach (list, i, c) {
		if (n == COLUMNS_MAX - 1)
			break;
		dst[n] = (struct column){str_or(json_string_at(c, "name", NULL), "?"),
			str_or(json_string_at(c, "type", NULL), "string"),
			str_or(json_string_at(c, "jsonPath", NULL), ""), AS_TEXT,
			(int)json_integer_value(json_object_get(c, "priority"))};
		if (streq(dst[n].type, "date")) {
			dst[n].format = AS_AGE;
			dst[n].type = "string";
		}
		n++;
	}
	return n;
}

/* The kind's columns; *ret_crd keeps their text alive. */
static struct columns columns_of(const struct store *s, const struct kind *k,
	struct column space[static COLUMNS_MAX], json_t **ret_crd)
{
	size_t n = crd_columns(s, k, space + 1, ret_crd);

	if (n == 0)
		return builtin_columns(k);
	space[0] = other_columns[0];
	return (struct columns){space, n + 1};
}

json_t *table_new(const struct store *s, const struct kind *k)
{
	struct column space[COLUMNS_MAX];
	_cleanup_json_ json_t *crd = NULL;
	struct columns c = columns_of(s, k, space, &crd);
	json_t *definitions = json_array();

	for (size_t i = 0; i < c.n; i++)
		(void)json_array_append_new(
			definitions, json_pack("{s:s,s:s,s:s,s:s,s:i}", "name", c.list[i].name,
					     "type", c.list[i].type, "format",
					     streq(c.list[i].path, "metadata.name") ? "name" : "",
					     "description", "", "priority", c.list[i].priority));
	return json_pack("{s:s,s:s,s:{},s:o,s:[]}", "kind", "Table", "apiVersion", "meta.k8s.io/v1",
		"metadata", "columnDefinitions", definitions, "rows");
}

int table_add(json_t *table, const struct store *s, const struct revision *r)
{
	struct column space[COLUMNS_MAX];
	_cleanup_json_ json_t *crd = NULL, *object = revision_parse(r);
	struct columns c = columns_of(s, r->kind, space, &crd);
	json_t *cells = json_array(), *rows = json_object_get(table, "rows");
	char text[CELL_MAX];

	for (size_t i = 0; i < c.n; i++) {
		format_cell(&c.list[i], object, text, sizeof(text));
		(void)json_array_append_new(cells, json_string(text));
	}
	return json_array_append_new(
		rows, json_pack("{s:o,s:{s:s,s:s,s:O}}", "cells", cells, "object", "kind",
			      "PartialObjectMetadata", "apiVersion", "meta.k8s.io/v1", "metadata",
			      meta_of(object)));
}
