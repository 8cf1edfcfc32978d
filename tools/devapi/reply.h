/* SPDX-License-Identifier: Apache-2.0 */
/* reply.h: an answer before it is sent, and the Status bodies of failures */
#ifndef BERTH_DEVAPI_REPLY_H
#define BERTH_DEVAPI_REPLY_H

#include <jansson.h>

#include "http/server.h"
#include "tools/devapi/store.h"

struct reply {
	unsigned code;
	char *body;
	size_t size;
	char extra[96]; /* header lines */
};
void reply_done(struct reply *r);

/* Each replaces what r held. */
void reply_text(struct reply *r, unsigned code, const void *text, size_t size);
void reply_take(struct reply *r, unsigned code, char *body, size_t size);
void reply_json(struct reply *r, unsigned code, json_t *json); /* consumes json */
void reply_revision(struct reply *r, unsigned code, const struct revision *rev);

/*
 * A kind Status (contracts.md 5.3). The reason must be Kubernetes' word; k and name may be NULL.
 * Always returns -EREMOTEIO, for "return reply_fail(…)" in functions that fail with a reply.
 */
int reply_fail(struct reply *r, unsigned code, const char *reason, const char *fmt, ...)
	_printf_(4, 5);
/* The same with empty details: what the server says before it knows the object. */
int reply_generic(struct reply *r, unsigned code, const char *reason, const char *fmt, ...)
	_printf_(4, 5);
int reply_not_found(struct reply *r, const struct kind *k, const char *name);
int reply_exists(struct reply *r, const struct kind *k, const char *name);
/* why NULL: another resourceVersion. */
int reply_conflict(struct reply *r, const struct kind *k, const char *name, const char *why);
int reply_forbidden(struct reply *r, const struct kind *k, const char *name, const char *why);
/* A precondition of DELETE that does not hold (rest.BeforeDelete names the kind as resource). */
int reply_precondition(struct reply *r, const struct kind *k, const char *name, const char *why);
/* 422 with one cause: "<field>: <why>". */
int reply_invalid(struct reply *r, const struct kind *k, const char *name, const char *field,
	const char *why);
/* Another cause for the 422 in r: the first one of other. */
void reply_add_cause(struct reply *r, const struct reply *other);
/* 422 for a PUT of a custom resource without resourceVersion: names the resource, not the kind. */
int reply_unversioned(struct reply *r, const struct kind *k, const char *name);
/* 422 for a patch whose result cannot be decoded. */
int reply_invalid_patch(struct reply *r, const char *why);
/* What DELETE answers where it does not give the object back. */
void reply_success(struct reply *r, const struct kind *k, const json_t *object);

/* A Status as text of an ERROR event; the caller frees. */
char *reply_status_text(unsigned code, const char *reason, const char *message);

#endif
