/* SPDX-License-Identifier: Apache-2.0 */
/* decode.h: JSON (and YAML, see yaml.h) into structs through tables */
#ifndef BERTH_DATA_DECODE_H
#define BERTH_DATA_DECODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"

enum decode_type {
	DECODE_STRING,   /* const char *, borrowed from the tree; a NUL inside is refused */
	DECODE_BOOL,     /* bool */
	DECODE_I64,      /* int64_t */
	DECODE_UNSIGNED, /* unsigned */
	DECODE_DOUBLE,   /* double; an integer is accepted */
	DECODE_QUANTITY, /* int64_t bytes, from a string or an integer */
	DECODE_DURATION, /* uint64_t ns, from Go's text */
	DECODE_UUID,     /* struct uuid */
	DECODE_PRESENT,  /* bool: the key is there and not null */
	DECODE_JSON,     /* const json_t *, borrowed, of any type */
	DECODE_OBJECT,   /* members by the table sub, into the struct at offset */
	DECODE_CUSTOM,   /* custom(value, target, e) */
};

enum decode_flag {
	DECODE_REQUIRED = 1U << 0, /* missing or null is an error */
};

struct decode_table;

/* Tables are constant data. A key that is absent or null leaves its target untouched: give defaults
 * first. */
struct decode_field {
	const char *key;
	enum decode_type type;
	size_t offset;
	unsigned flags;
	const struct decode_table *sub;
	int (*custom)(const json_t *value, void *target, struct err *e);
};

struct decode_table {
	const struct decode_field *fields;
	size_t n;
	bool strict; /* keys that no field names are refused by name (config), else ignored (API
			objects) */
};

/* Fields by what they are; at is an offsetof(). */
#define DECODE_KEY(name, as, at)                            \
	{                                                   \
		.key = (name), .type = (as), .offset = (at) \
	}
#define DECODE_TAKE(name, at, function)                                                    \
	{                                                                                  \
		.key = (name), .type = DECODE_CUSTOM, .offset = (at), .custom = (function) \
	}
#define DECODE_PART(name, at, table)                                                  \
	{                                                                             \
		.key = (name), .type = DECODE_OBJECT, .offset = (at), .sub = &(table) \
	}

#define DECODE_TABLE(array, is_strict)                  \
	{                                               \
		(array), ELEMENTSOF(array), (is_strict) \
	}

/*
 * -EBADMSG for a wrong type or a missing key, -ERANGE for a number out of bounds; the text names
 * the key's path ("spec.capacity.storage: …"). On failure *target may be partly filled.
 * A custom function's text gets the path before it.
 */
int decode(const struct decode_table *t, const json_t *object, void *target, struct err *e);

/* Where decode_at() failed: the object and, in it, the key (NULL: the object itself, or a key that
 * it lacks). */
struct decode_place {
	const json_t *object;
	const char *key;
};
/* decode() that also says where it failed; *ret_place is written only on failure. */
int decode_at(const struct decode_table *t, const json_t *object, void *target,
	struct decode_place *ret_place, struct err *e);

/* The text of object.a.b…, NULL where any of it is missing or of another type. Keys end with NULL.
 */
const char *json_string_at(const json_t *object, ...) __attribute__((sentinel));
const json_t *json_at(const json_t *object, ...) __attribute__((sentinel));

/* Limits of data_json_load(): a list's item (etcd's object limit is 1.5 MiB), and depth as jansson
 * cannot limit it. */
#define DATA_JSON_MAX (16U << 20)
#define DATA_JSON_DEPTH 64
/* "{},{}," costs 3 bytes of text and some 250 of memory a value: what an object of 1.5 MiB can hold
 * at most, and still a bounded tree. */
#define DATA_JSON_VALUES (1U << 19)

/*
 * Parses with JSON_ALLOW_NUL, after a check of size and depth on the bytes; where it fails because
 * of a \u0000 in a key, once more with those rewritten to \ufffd (contracts.md 5.7). The document
 * is an object or an array. Of a key that comes twice the last counts, as with the API server.
 * -E2BIG beyond a limit, -EBADMSG with line and column, -ENOMEM.
 */
int data_json_load(const char *text, size_t size, json_t **ret, struct err *e);
/* For orders: a key that comes twice is refused, for who reads them and who obeys them may differ
 * in which counts. */
int data_json_load_strict(const char *text, size_t size, json_t **ret, struct err *e);

/* Compact text; the caller frees. -ENOMEM. */
int data_json_dump(const json_t *json, char **ret, size_t *ret_size);

/* json_decrefp() is jansson's own. */
#define _cleanup_json_ _cleanup_(json_decrefp)

#endif
