/* SPDX-License-Identifier: Apache-2.0 */
/* yaml.h: YAML files through the tables of decode.h, with file, line and key in every error */
#ifndef BERTH_DATA_YAML_H
#define BERTH_DATA_YAML_H

#include "base/buf.h"
#include "data/decode.h"

#define YAML_FILE_MAX (1U << 20) /* a ConfigMap's limit */
#define YAML_DEPTH 32
#define YAML_NODES_MAX 65536

/* A parsed document that remembers where each value stood. Scalars become JSON by YAML's core
 * schema (quoted ones stay strings). Anchors and aliases are refused (bombs), duplicate keys too.
 */
struct yaml_doc;
int yaml_load(
	struct yaml_doc **ret, const char *file_name, const char *text, size_t size, struct err *e);
int yaml_load_file(struct yaml_doc **ret, const char *path, struct err *e);
/* Not yaml_free(): that is a symbol of libyaml, which would call ours. */
struct yaml_doc *yaml_doc_free(struct yaml_doc *d);
DEFINE_CLEANUP(struct yaml_doc *, yaml_doc_free)
const json_t *yaml_root(const struct yaml_doc *d);

/* decode() whose errors begin with "file:line: key: ". */
int yaml_decode(
	const struct yaml_doc *d, const struct decode_table *t, void *target, struct err *e);
/* 0 where value is no value of the document. */
unsigned yaml_line(const struct yaml_doc *d, const json_t *value);

/* Appends json as a YAML document (block style, UTF-8). Strings that any YAML, 1.1 included, would
 * read as something else are quoted. -ENOMEM, -ENOBUFS where out is too small. */
int yaml_print(const json_t *json, struct buf *out);

#endif
