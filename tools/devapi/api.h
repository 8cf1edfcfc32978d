/* SPDX-License-Identifier: Apache-2.0 */
/* api.h: a request of the Kubernetes API on its way, and what serves it */
#ifndef BERTH_DEVAPI_API_H
#define BERTH_DEVAPI_API_H

#include "http/server.h"
#include "tools/devapi/faults.h"
#include "tools/devapi/journal.h"
#include "tools/devapi/reply.h"
#include "tools/devapi/select.h"
#include "tools/devapi/session.h"
#include "tools/devapi/table.h"
#include "tools/devapi/watch.h"

enum verb {
	VERB_GET,
	VERB_LIST,
	VERB_WATCH,
	VERB_CREATE,
	VERB_UPDATE,
	VERB_PATCH,
	VERB_DELETE,
	VERB_DELETE_ALL,
};

struct api {
	struct loop *loop;
	struct store *store;
	struct faults *faults;
	struct watches *watches;
	struct journal *journal;
};

/* What a path names. */
struct target {
	const struct kind *kind;
	char ns[META_NS_MAX];
	char name[META_NAME_MAX]; /* "" a collection */
	char sub[32];
};

struct call {
	struct session session;
	struct api *api;
	struct http_exchange *x;
	struct target target;
	enum verb verb;
	struct timer *timer; /* a fault's latency */
	uint64_t arrived;
	struct fault fault; /* action FAULT_NONE if none */
	char created[META_NAME_MAX];
};

/* "/api/v1/…" and "/apis/GROUP/VERSION/…": -ENOENT for what is not served. */
int target_parse(struct target *t, const char *path);
/* Whether anything is served beneath the path's group and version. */
bool target_group_known(const char *path);

/* The handler of everything beneath /api and /apis; x is answered, now or later. */
void api_request(struct api *a, struct http_exchange *x);
/* From the server's gone(). */
void api_gone(struct session *s);

/* What a call does; r gets the answer. */
void verb_get(struct call *c, struct reply *r);
void verb_list(struct call *c, struct reply *r);
void verb_create(struct call *c, struct reply *r);
void verb_update(struct call *c, struct reply *r);
void verb_patch(struct call *c, struct reply *r);
void verb_delete(struct call *c, struct reply *r);
void verb_delete_all(struct call *c, struct reply *r);

/* The call's body: JSON, or YAML where the content type says so. Negative with the refusal in r. */
int call_body(struct call *c, json_t **ret, struct reply *r);
/* Namespace, name, field and label selectors of the request. */
int call_selection(struct call *c, struct selection *s, struct reply *r);

#endif
