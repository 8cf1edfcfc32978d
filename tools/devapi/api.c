/* SPDX-License-Identifier: Apache-2.0 */
/* api.c: from a request to a verb, with the faults that it meets on its way */
#include "tools/devapi/api.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/parse.h"
#include "base/str.h"
#include "tools/devapi/drip.h"

static const char *const verb_names[] = {
	[VERB_GET] = "get",
	[VERB_LIST] = "list",
	[VERB_WATCH] = "watch",
	[VERB_CREATE] = "create",
	[VERB_UPDATE] = "update",
	[VERB_PATCH] = "patch",
	[VERB_DELETE] = "delete",
	[VERB_DELETE_ALL] = "delete",
};

static void call_free(struct call *c)
{
	timer_free(c->timer);
	free(c);
}

void api_gone(struct session *s)
{
	call_free(CONTAINER_OF(s, struct call, session));
}

static bool is_true(const char *text)
{
	bool value;

	return text && parse_bool(text, &value) == 0 && value;
}

static uint64_t watch_timeout(struct http_exchange *x)
{
	const char *text = http_query(x, "timeoutSeconds");
	uint64_t seconds;

	if (text && parse_u64(text, 1, UINT32_MAX, &seconds) == 0)
		return SECONDS(seconds);
	return SECONDS(1800 + random_below(1800)); /* --min-request-timeout 1800 */
}

/* 0, or a refusal in r. */
static int watch_options(struct call *c, struct watch_options *o, struct reply *r)
{
	const char *rv = str_or(http_query(c->x, "resourceVersion"), "");
	int n = call_selection(c, &o->selection, r);

	if (n < 0)
		return n;
	o->timeout_ns = watch_timeout(c->x);
	if (is_true(http_query(c->x, "allowWatchBookmarks")))
		o->flags |= WATCH_BOOKMARKS;
	if (table_wanted(http_header(c->x, "Accept")))
		o->flags |= WATCH_TABLE;
	if (is_true(http_query(c->x, "sendInitialEvents"))) {
		if (!streq(str_or(http_query(c->x, "resourceVersionMatch"), ""), "NotOlderThan"))
			return reply_fail(r, 422, "Invalid",
				"ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: "
				"Forbidden: sendInitialEvents requires setting "
				"resourceVersionMatch "
				"to NotOlderThan");
		o->flags |= WATCH_INITIAL | WATCH_MARK;
		return 0;
	}
	if (!*rv || streq(rv, "0")) {
		o->flags |= WATCH_INITIAL;
		return 0;
	}
	if (parse_u64(rv, 0, UINT64_MAX, &o->rv) < 0)
		return reply_fail(r, 400, "BadRequest", "invalid resource version \"%.40s\"", rv);
	return 0;
}

static void send_reply(struct call *c, struct reply *r)
{
	http_reply_take(c->x, r->code, "application/json", TAKE_PTR(r->body), r->size, r->extra);
}

static void call_watch(struct call *c)
{
	struct watch_options o = {.rv = 0};
	struct reply r = {.code = 0};

	if (c->fault.action == FAULT_MUTE)
		o.flags |= WATCH_MUTED;
	if (watch_options(c, &o, &r) < 0)
		send_reply(c, &r);
	else
		watch_start(c->api->watches, c->x, &o);
	call_free(c);
}

static void run_verb(struct call *c, struct reply *r)
{
	switch (c->verb) {
	case VERB_GET:
		verb_get(c, r);
		return;
	case VERB_LIST:
		verb_list(c, r);
		return;
	case VERB_CREATE:
		verb_create(c, r);
		return;
	case VERB_UPDATE:
		verb_update(c, r);
		return;
	case VERB_PATCH:
		verb_patch(c, r);
		return;
	case VERB_DELETE:
		verb_delete(c, r);
		return;
	case VERB_DELETE_ALL:
		verb_delete_all(c, r);
		return;
	case VERB_WATCH:
		return;
	}
}

static void fault_reply(const struct fault *f, struct reply *r)
{
	const char *reason = *f->reason       ? f->reason
			     : f->code == 429 ? "TooManyRequests"
			     : f->code == 410 ? "Expired"
			     : f->code == 401 ? "Unauthorized"
			     : f->code == 403 ? "Forbidden"
			     : f->code == 409 ? "Conflict"
			     : f->code == 503 ? "ServiceUnavailable"
			     : f->code == 504 ? "Timeout"
					      : "InternalError";

	if (*f->body)
		reply_text(r, f->code, f->body, strlen(f->body));
	else
		(void)reply_fail(r, f->code, reason, "%s", *f->message ? f->message : "a fault");
	if (f->retry_after > 0)
		(void)snprintf(r->extra, sizeof(r->extra), "Retry-After: %u", f->retry_after);
}

static void log_write(struct call *c, unsigned code)
{
	struct journal_entry e = {.arrived_ns = c->arrived,
		.done_ns = clock_now(),
		.verb = verb_names[c->verb],
		.kind = c->target.kind,
		.subresource = streq(c->target.sub, "status") ? "status" : "",
		.code = code};
	char key[META_KEY_MAX];

	if (c->verb <= VERB_WATCH)
		return;
	journal_add(c->api->journal, &e,
		meta_key(key, c->target.ns, *c->created ? c->created : c->target.name));
}

/* Whether the fault keeps the call from being carried out; then it is answered. */
static bool refused_before(struct call *c, struct reply *r)
{
	switch (c->fault.action) {
	case FAULT_STATUS:
		fault_reply(&c->fault, r);
		log_write(c, r->code);
		send_reply(c, r);
		return true;
	case FAULT_DROP:
		log_write(c, 0);
		http_abort(c->x);
		return true;
	case FAULT_RESET:
		log_write(c, 0);
		http_abort_reset(c->x);
		return true;
	default:
		return false;
	}
}

static void finish(struct call *c, struct reply *r)
{
	log_write(c, r->code);
	if (c->fault.action == FAULT_DROP_AFTER) {
		http_abort(c->x);
	} else if (c->fault.action == FAULT_RESET_AFTER) {
		http_abort_reset(c->x);
	} else if (c->fault.action == FAULT_DRIP) {
		drip_start(c->api->loop, c->x, r, c->fault.times);
	} else {
		if (c->fault.action == FAULT_STATUS_AFTER)
			fault_reply(&c->fault, r);
		send_reply(c, r);
	}
}

/* Ends the call. */
static void call_run(struct call *c)
{
	struct reply r = {.code = 0};

	if (refused_before(c, &r)) {
		call_free(c);
		return;
	}
	if (c->verb == VERB_WATCH) {
		call_watch(c);
		return;
	}
	run_verb(c, &r);
	finish(c, &r);
	reply_done(&r);
	call_free(c);
}

static void on_latency(struct timer *t, void *userdata)
{
	(void)t;
	call_run(userdata);
}

static int verb_of(struct http_exchange *x, const struct target *t, enum verb *ret)
{
	static const struct {
		const char *method;
		enum verb named, collection;
	} methods[] = {{"GET", VERB_GET, VERB_LIST}, {"HEAD", VERB_GET, VERB_LIST},
		{"PUT", VERB_UPDATE, VERB_WATCH}, {"PATCH", VERB_PATCH, VERB_WATCH},
		{"DELETE", VERB_DELETE, VERB_DELETE_ALL}, {"POST", VERB_WATCH, VERB_CREATE}};

	for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
		if (!streq(methods[i].method, http_method(x)))
			continue;
		*ret = *t->name ? methods[i].named : methods[i].collection;
		/* VERB_WATCH in the table: there is no such request. */
		if (*ret == VERB_WATCH)
			return -EOPNOTSUPP;
		if (*ret == VERB_LIST && is_true(http_query(x, "watch")))
			*ret = VERB_WATCH;
		return 0;
	}
	return -EOPNOTSUPP;
}

static void take_fault(struct call *c)
{
	struct fault_query q = {verb_names[c->verb], c->target.kind->plural, c->target.sub,
		c->target.ns, c->target.name};
	const struct fault *f =
		faults_empty(c->api->faults) ? NULL : faults_take(c->api->faults, &q);

	if (f)
		c->fault = *f;
}

static void refuse(struct http_exchange *x, unsigned code, const char *reason, const char *text)
{
	struct reply r = {.code = 0};

	(void)reply_generic(&r, code, reason, "%s", text);
	http_reply_take(x, r.code, "application/json", TAKE_PTR(r.body), r.size, NULL);
}

void api_request(struct api *a, struct http_exchange *x)
{
	struct call *c = calloc(1, sizeof(*c));

	if (!c) {
		http_abort(x);
		return;
	}
	c->session.type = SESSION_CALL;
	c->api = a;
	c->x = x;
	c->arrived = clock_now();
	if (target_parse(&c->target, http_path(x)) < 0) {
		if (target_group_known(http_path(x)))
			refuse(x, 404, "NotFound",
				"the server could not find the requested resource");
		else
			http_reply_text(x, 404, "404 page not found\n");
		call_free(c);
		return;
	}
	if (verb_of(x, &c->target, &c->verb) < 0) {
		refuse(x, 405, "MethodNotAllowed",
			"the server does not allow this method on the requested resource");
		call_free(c);
		return;
	}
	take_fault(c);
	if (c->fault.latency_ns > 0 && timer_new_exact(&c->timer, a->loop, on_latency, c) == 0) {
		http_set_userdata(x, &c->session);
		timer_arm(c->timer, c->fault.latency_ns);
		return;
	}
	call_run(c);
}
