/* SPDX-License-Identifier: Apache-2.0 */
/* faults.h: what goes wrong on demand (reliability.md section 2.A) */
#ifndef BERTH_DEVAPI_FAULTS_H
#define BERTH_DEVAPI_FAULTS_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "tools/devapi/store.h"

enum fault_action {
	FAULT_NONE,         /* latency only */
	FAULT_STATUS,       /* answer code without doing it */
	FAULT_STATUS_AFTER, /* do it, answer code */
	FAULT_DROP,         /* close the connection without doing it */
	FAULT_DROP_AFTER,   /* do it, close the connection */
	FAULT_RESET,        /* as drop, with a RST */
	FAULT_RESET_AFTER,
	FAULT_STALE, /* list or get as things stood when the fault was set */
	/* On the next watch event (verb "event"), or at once (POST /devapi/watches): */
	FAULT_TRUNCATE,  /* send the first bytes of the line, then close */
	FAULT_DUPLICATE, /* send it twice */
	FAULT_UNKNOWN,   /* send it with a type that nobody knows */
	FAULT_LOSE,      /* do not send it */
	FAULT_MUTE,      /* half-open: send nothing any more, keep the connection */
	FAULT_GONE,      /* ERROR event with Status 410, then end */
	FAULT_ERROR,     /* ERROR event with Status code, then end */
	FAULT_END,       /* end cleanly */
	FAULT_BOOKMARKS, /* send times bookmarks at once */
	FAULT_RAW,       /* send body as a line of its own */
	/* On requests again: */
	FAULT_DRIP, /* do it, answer times bytes a second */
};

struct snapshot {
	struct revision **items;
	size_t n;
	uint64_t rv;
};

struct fault {
	unsigned id;
	char verb[16]; /* get list watch create update patch delete event; "write"; "" any */
	char resource[64], subresource[16], ns[64], name[254]; /* "" any; subresource "-" none */
	unsigned skip;                                         /* matches to let pass first */
	unsigned count;                                        /* matches to hit, 0 for ever */
	enum fault_action action;
	unsigned code, retry_after, times;
	size_t bytes;
	uint64_t latency_ns;
	char reason[64], message[128], body[2048];
	const struct kind *kind; /* of stale */
	struct snapshot snapshot;
};

struct fault_query {
	const char *verb, *resource, *subresource, *ns, *name;
};

struct faults;
int faults_new(struct faults **ret, const struct store *s);
struct faults *faults_free(struct faults *f);
DEFINE_CLEANUP(struct faults *, faults_free)

/* One rule or a list of them, as devapi --help describes; -EBADMSG, -E2BIG. */
int faults_add(struct faults *f, const json_t *rules, struct err *e);
/* A rule that is not kept: for POST /devapi/watches. */
int fault_parse(struct fault *ret, const json_t *rule, struct err *e);
void faults_clear(struct faults *f);
json_t *faults_list(const struct faults *f); /* the caller's */
/* The first rule that hits, valid until the next call; NULL. Counts it down. */
const struct fault *faults_take(struct faults *f, const struct fault_query *q);
/* No rule is set: the quick way past. */
int faults_empty(const struct faults *f);

#endif
