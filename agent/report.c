/* SPDX-License-Identifier: Apache-2.0 */
/* report.c: reads, makes, owns and writes the BerthNode, each only where it is needed */
#include "agent/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/heartbeat.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "data/decode.h"
#include "kube/informer.h"

/* Building and comparing a status costs a millisecond: not for each of a storm of changes. */
#define LOOK_EVERY SECONDS(1)
#define BACKOFF_MIN SECONDS(1)
#define BACKOFF_MAX SECONDS(60)
#define MESSAGE_MAX 512
#define PATH_BYTES 1100

struct condition {
	struct bnode_condition c;
	bool adopted; /* since was compared with what stood there before us */
	char message[MESSAGE_MAX];
};

struct report {
	struct report_setup s;
	char *node;
	char node_uid[UUID_TEXT_MAX];
	char selector[PATH_BYTES], path[PATH_BYTES], status_path[PATH_BYTES];
	struct kind kind; /* of our one object */
	struct strpool *pool;
	struct informer *informer;
	struct kube_request *request;
	struct timer *timer; /* the next look */
	struct timer *late;
	struct backoff backoff;
	json_t *object;      /* as last read or written; NULL: to be read */
	json_t *sent;        /* the status that object is the answer to, or NULL: an older schema
				prunes what it does not know */
	uint64_t changed_at; /* clock_now() of the first change that is not written; 0 for none */
	uint64_t looked_at;
	bool begun, failing;
	struct condition conditions[BNODE_CONDITIONS_MAX];
	size_t n_conditions;
	struct report_count count;
};

static void look(struct report *r);

/* ---- being late -------------------------------------------------------------------------- */

static void set_late(struct report *r, bool late)
{
	if (!late)
		timer_disarm(r->late);
	if (r->count.late == late)
		return;
	r->count.late = late;
	if (r->s.ops->late)
		r->s.ops->late(late, r->s.userdata);
}

static void on_late(struct timer *t, void *userdata)
{
	(void)t;
	set_late(userdata, true);
}

static void settled(struct report *r)
{
	r->changed_at = 0;
	backoff_reset(&r->backoff);
	if (r->failing)
		log_info("BerthNode %s is written again", r->node);
	r->failing = false;
	set_late(r, false);
}

static void look_at(struct report *r, uint64_t when)
{
	uint64_t now = clock_now();

	timer_arm(r->timer, when > now ? when - now : 0);
}

static void failed(struct report *r, const char *what, const struct kube_response *res)
{
	r->count.failures++;
	if (!r->failing)
		log_warning("%s BerthNode %s: %s; trying on", what, r->node, res->err.text);
	r->failing = true;
	timer_arm(r->timer, backoff_next(&r->backoff));
}

/* ---- conditions -------------------------------------------------------------------------- */

/* An agent before us may have seen the same: then it has been so since then. */
static void adopt(struct report *r, const json_t *object)
{
	const json_t *old = json_at(object, "status", "conditions", NULL);
	size_t i;
	json_t *c;

	for (size_t k = 0; k < r->n_conditions; k++) {
		struct condition *mine = &r->conditions[k];
		uint64_t since;

		if (mine->adopted)
			continue;
		mine->adopted = true;
		json_array_foreach ((json_t *)old, i, c) {
			const char *status = json_string_at(c, "status", NULL);
			const char *at = json_string_at(c, "lastTransitionTime", NULL);

			if (streq_null(json_string_at(c, "type", NULL), mine->c.type) &&
				streq_null(status, mine->c.holds ? "True" : "False") && at &&
				clock_parse(at, &since) == 0 && since < mine->c.since)
				mine->c.since = since;
		}
	}
}

static struct condition *condition_get(struct report *r, const char *type)
{
	struct condition *c;

	for (size_t i = 0; i < r->n_conditions; i++)
		if (streq(r->conditions[i].c.type, type))
			return &r->conditions[i];
	if (r->n_conditions == BNODE_CONDITIONS_MAX)
		return NULL;
	c = &r->conditions[r->n_conditions++];
	*c = (struct condition){.c = {.type = type, .message = c->message}};
	return c;
}

void report_condition(
	struct report *r, const char *type, bool holds, const char *reason, const char *fmt, ...)
{
	struct condition *c = condition_get(r, type);
	va_list ap;

	if (!c)
		return;
	if (!c->c.since || c->c.holds != holds)
		c->c.since = clock_real();
	c->c.holds = holds;
	c->c.reason = reason;
	va_start(ap, fmt);
	(void)vsnprintf(c->message, sizeof(c->message), fmt, ap);
	va_end(ap);
	report_changed(r);
}

/* ---- what should stand there ------------------------------------------------------------- */

static json_t *status_now(struct report *r)
{
	struct bnode_condition all[BNODE_CONDITIONS_MAX];
	struct bnode_status s = {.version = NULL};

	if (r->s.ops->fill(&s, r->s.userdata) < 0)
		return NULL;
	adopt(r, r->object);
	for (size_t i = 0; i < r->n_conditions; i++)
		all[i] = r->conditions[i].c;
	s.conditions = all;
	s.n_conditions = r->n_conditions;
	s.node_uid = r->node_uid;
	return bnode_status_json(&s);
}

/* The Node is the owner, and not one that is gone (the collector would take the BerthNode). */
static json_t *owners_now(const struct report *r)
{
	if (!*r->node_uid)
		return json_array();
	return json_pack("[{s:s, s:s, s:s, s:s}]", "apiVersion", "v1", "kind", "Node", "name",
		r->node, "uid", r->node_uid);
}

static bool owned_rightly(const struct report *r)
{
	const json_t *owners = json_at(r->object, "metadata", "ownerReferences", NULL);
	const char *uid = json_string_at(json_array_get(owners, 0), "uid", NULL);

	return json_array_size(owners) <= 1 && streq(str_or(uid, ""), r->node_uid);
}

/* ---- requests ---------------------------------------------------------------------------- */

static void keep(struct report *r, const json_t *object)
{
	json_t *own = json_incref((json_t *)object);

	json_decref(r->object);
	r->object = own;
}

static void forget_sent(struct report *r)
{
	json_decref(r->sent);
	r->sent = NULL;
}

static void forget(struct report *r)
{
	json_decref(r->object);
	r->object = NULL;
	forget_sent(r);
}

/* The end of a request: whether it brought the object. */
static bool took(struct report *r, const struct kube_response *res)
{
	r->request = NULL;
	if (res->status != KUBE_OK || !res->object)
		return false;
	keep(r, res->object);
	return true;
}

static void on_written(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct report *r = userdata;

	(void)q;
	if (took(r, res)) {
		r->count.writes++;
		r->count.written_at = clock_now();
		look_at(r, 0); /* whether it says all by now */
		return;
	}
	/* Somebody else wrote or removed it: read anew. */
	forget(r);
	if (res->status == KUBE_E_CONFLICT || res->status == KUBE_E_NOT_FOUND)
		look_at(r, clock_now() + LOOK_EVERY);
	else
		failed(r, "cannot write", res);
}

static void on_made(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct report *r = userdata;

	(void)q;
	if (took(r, res) || res->status == KUBE_E_EXISTS)
		look(r);
	else
		failed(r, "cannot create", res);
}

static int make(struct report *r)
{
	json_t *body = json_pack("{s:s, s:s, s:{s:s, s:o}}", "apiVersion", "berth.dev/v1alpha1",
		"kind", "BerthNode", "metadata", "name", r->node, "ownerReferences", owners_now(r));

	return body ? kube_request_json(
			      r->s.client, KUBE_POST, BNODE_PATH, body, on_made, r, &r->request)
		    : -ENOMEM;
}

static void on_read(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct report *r = userdata;

	(void)q;
	if (took(r, res))
		look(r);
	else if (res->status != KUBE_E_NOT_FOUND)
		failed(r, "cannot read", res);
	else if (make(r) < 0)
		look_at(r, clock_now() + LOOK_EVERY);
}

static int write_owner(struct report *r)
{
	json_t *body = json_pack("{s:{s:o}}", "metadata", "ownerReferences", owners_now(r));

	return body ? kube_request_json(r->s.client, KUBE_PATCH_MERGE, r->path, body, on_written, r,
			      &r->request)
		    : -ENOMEM;
}

static int write_status(struct report *r, json_t *status)
{
	json_t *body = json_copy(r->object);

	if (!body)
		return -ENOMEM;
	json_object_set(body, "status", status);
	forget_sent(r);
	r->sent = json_incref(status);
	return kube_request_json(
		r->s.client, KUBE_PUT, r->status_path, body, on_written, r, &r->request);
}

/* ---- looking ----------------------------------------------------------------------------- */

/* What is there is known: 0 where something was begun or is to be tried later. */
static int compare(struct report *r)
{
	_cleanup_json_ json_t *status = status_now(r);
	uint64_t due = r->count.written_at ? r->count.written_at + r->s.interval_ns : 0;

	if (!status)
		return -ENOMEM;
	if (!owned_rightly(r)) {
		forget_sent(r);
		return write_owner(r);
	}
	if (json_equal(status, json_object_get(r->object, "status")) ||
		(r->sent && json_equal(status, r->sent))) {
		settled(r);
		return 0;
	}
	if (due > clock_now()) {
		look_at(r, due);
		return 0;
	}
	return write_status(r, status);
}

static void look(struct report *r)
{
	int res;

	if (r->request)
		return;
	r->looked_at = clock_now();
	if (r->object)
		res = compare(r);
	else
		res = kube_request_json(
			r->s.client, KUBE_GET, r->path, NULL, on_read, r, &r->request);
	if (res < 0)
		look_at(r, r->looked_at + LOOK_EVERY);
}

static void on_timer(struct timer *t, void *userdata)
{
	(void)t;
	look(userdata);
}

void report_changed(struct report *r)
{
	if (!r->changed_at) {
		r->changed_at = clock_now();
		timer_arm(r->late, HEARTBEAT_LAG);
	}
	if (r->begun && !r->request && !timer_armed(r->timer))
		look_at(r, r->looked_at ? r->looked_at + LOOK_EVERY : 0);
}

void report_begin(struct report *r)
{
	if (r->begun)
		return;
	r->begun = true;
	report_changed(r);
}

void report_set_node(struct report *r, const char *uid)
{
	if (streq(r->node_uid, uid) || str_copy(r->node_uid, sizeof(r->node_uid), uid) < 0)
		return;
	report_changed(r);
}

/* ---- others who write it ----------------------------------------------------------------- */

static void on_object(
	struct informer *i, const struct object *old, const struct object *now, void *userdata)
{
	struct report *r = userdata;
	const char *ours = json_string_at(r->object, "metadata", "resourceVersion", NULL);

	(void)i;
	(void)old;
	if (r->request || !r->object || (now && streq_null(ours, now->rv)))
		return;
	forget(r);
	report_changed(r);
}

struct report_count report_count(const struct report *r)
{
	return r->count;
}

/* ---- frame ------------------------------------------------------------------------------- */

static int name_it(struct report *r)
{
	char escaped[800];
	int res = kube_escape(escaped, sizeof(escaped), r->node);

	if (res >= 0)
		res = str_format(r->path, sizeof(r->path), BNODE_PATH "/%s", escaped);
	if (res >= 0)
		res = str_format(r->status_path, sizeof(r->status_path), "%s/status", r->path);
	if (res >= 0)
		res = str_format(r->selector, sizeof(r->selector),
			BNODE_PATH "?fieldSelector=metadata.name%%3D%s", escaped);
	r->kind = kind_bnode;
	r->kind.list_path = r->selector;
	return res;
}

static int start(struct report *r)
{
	static const struct informer_callbacks callbacks = {.changed = on_object};
	struct loop *l = r->s.loop;
	int res = name_it(r);

	if (res >= 0)
		res = timer_new_exact(&r->timer, l, on_timer, r);
	if (res >= 0)
		res = timer_new_lazy(&r->late, l, SECONDS(1), on_late, r);
	if (res >= 0)
		res = strpool_new(&r->pool);
	if (res >= 0)
		res = informer_new(&r->informer, r->s.client, r->pool, &r->kind, &callbacks, r);
	return res;
}

int report_new(struct report **ret, const struct report_setup *s)
{
	_cleanup_(report_freep) struct report *r = calloc(1, sizeof(*r));
	int res;

	if (!r)
		return -ENOMEM;
	r->s = *s;
	r->s.interval_ns = s->interval_ns ? s->interval_ns : REPORT_INTERVAL;
	r->backoff =
		(struct backoff){.min = BACKOFF_MIN, .max = BACKOFF_MAX, .jitter_percent = 100};
	r->count.late = true; /* until the first is written */
	r->node = strdup(s->node);
	res = r->node ? start(r) : -ENOMEM;
	if (res < 0)
		return res;
	*ret = TAKE_PTR(r);
	return 0;
}

struct report *report_free(struct report *r)
{
	if (!r)
		return NULL;
	kube_request_cancel(r->request);
	informer_free(r->informer);
	if (r->pool)
		strpool_free(r->pool);
	timer_free(r->timer);
	timer_free(r->late);
	forget(r);
	free(r->node);
	free(r);
	return NULL;
}
