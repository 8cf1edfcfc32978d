/* SPDX-License-Identifier: Apache-2.0 */
/* record.h: volumes/<pv>.json, what the storage says about one volume, and identity.json, which
 * says which export or pool it is */
#ifndef BERTH_VOLUME_RECORD_H
#define BERTH_VOLUME_RECORD_H

#include <jansson.h>

#include "base/buf.h"
#include "base/pathat.h"
#include "volume/backend.h"

/* The longest record is under 4 KiB; what is longer than this is not ours. */
#define RECORD_MAX (16U << 10)
#define RECORD_VERSION 1

/* Names below the control directory (CONTROL_DIRECTORY of pathat.h). */
#define CONTROL_VOLUMES "volumes"
#define CONTROL_TRASH "trash"
#define CONTROL_IDENTITY "identity.json"
#define RECORD_SUFFIX ".json"

/*
 * Texts are borrowed from tree where there is one, else from who filled the struct in. Fields of a
 * newer Berth that we do not know stay in tree and are written again.
 */
struct record {
	struct volume_request request; /* flags: also whether uid, gid and mode were given */
	enum record_state state;
	bool published;
	uint64_t changed;         /* clock_real(), kept to the second */
	const char *stored;       /* name below trash/ or the archive's directory; "" for none */
	const char *previous_uid; /* the claim before a recycling; "" for none */
	json_t *tree;
};

#define RECORD_NULL ((struct record){.stored = "", .previous_uid = ""})

/* -EBADMSG for what is no record (text says why), -EPROTONOSUPPORT for a version we do not know.
 * What it names is checked as input from outside: directory and stored lie beneath the root. */
int record_decode(struct record *ret, const char *text, size_t size, struct err *e);
/* Appends the record's text to out. -ENOMEM, -ENOBUFS. */
int record_encode(const struct record *r, struct buf *out, struct err *e);
void record_done(struct record *r);

const char *record_state_text(enum record_state s);
int record_state_parse(const char *s, enum record_state *ret);

/* "<pv>.json"; -ENAMETOOLONG where that is no file name. */
int record_name(const char *pv, char dst[static PATH_COMPONENT_MAX + 1]);
/* Whether name is a record's: its length without the suffix, else 0. */
size_t record_name_is(const char *name);

/* identity.json: {"version":1,"id":uuid,"created":time}. */
struct identity {
	char id[UUID_TEXT_MAX];
	uint64_t created;
};
void identity_make(struct identity *ret);
int identity_decode(struct identity *ret, const char *text, size_t size, struct err *e);
int identity_encode(const struct identity *id, struct buf *out, struct err *e);

/* Names in the trash: "<pv>-<time>-<digits>". */
#define TRASH_DIGITS 8
#define TRASH_TAIL (2 + 16 + TRASH_DIGITS)
/* The volume and the time in a name; false where it is none of ours. */
bool trash_name_parse(
	const char *name, char pv[static PATH_COMPONENT_MAX + 1], uint64_t *ret_real_ns);

#endif
