/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c: streams of change events */
#include "tools/devapi/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/table.h"

/* What may wait for a slow client; beyond, its watch is dropped. */
#define QUEUE_MAX (64U << 20)
#define LINE_MAX_BYTES (16U << 20)
/* About once a minute, and shortly before the end (cacher.go: bookmarkFrequency, 2 s before). */
#define BOOKMARK_NS SECONDS(60)
#define BOOKMARK_BEFORE_END SECONDS(2)
#define EXPIRED "too old resource version: %" PRIu64 " (%" PRIu64 ")"

struct watch {
	struct session session;
	struct list item;
	struct watches *owner;
	struct http_exchange *x;
	struct selection selection;
	unsigned flags;
	bool muted;
	struct timer *timer;
	uint64_t end, next_bookmark;
};

struct watches {
	struct loop *loop;
	struct store *store;
	struct faults *faults;
	struct list all;
	struct buf line;
	size_t n;
};

static const char *const type_names[] = {
	[CHANGE_ADDED] = "ADDED", [CHANGE_MODIFIED] = "MODIFIED", [CHANGE_DELETED] = "DELETED"};

static void watch_free(struct watch *w)
{
	list_remove(&w->item);
	w->owner->n--;
	timer_free(w->timer);
	free(w);
}

void watch_gone(struct session *s)
{
	watch_free(CONTAINER_OF(s, struct watch, session));
}

static void watch_end(struct watch *w)
{
	http_stream_end(w->x);
	watch_free(w);
}

static void watch_drop(struct watch *w)
{
	http_abort(w->x);
	watch_free(w);
}

/* -EPIPE: the watch is gone. */
static int send_bytes(struct watch *w, const void *data, size_t size)
{
	if (w->muted || http_stream_write(w->x, data, size) == 0)
		return 0;
	watch_drop(w);
	return -EPIPE;
}

static int send_line(struct watch *w, const char *type, const char *object, size_t size)
{
	struct buf *line = &w->owner->line;

	buf_reset(line);
	if (buf_printf(line, "{\"type\":\"%s\",\"object\":", type) < 0 ||
		buf_append(line, object, size) < 0 || buf_puts(line, "}\n") < 0)
		return -ENOMEM;
	return send_bytes(w, line->data, line->len);
}

static int send_table(struct watch *w, const char *type, const struct revision *r)
{
	_cleanup_json_ json_t *table = table_new(w->owner->store, r->kind);
	_cleanup_free_ char *text = NULL;

	if (table_add(table, w->owner->store, r) < 0 || !(text = json_dumps(table, JSON_COMPACT)))
		return -ENOMEM;
	return send_line(w, type, text, strlen(text));
}

static int send_revision(struct watch *w, const char *type, const struct revision *r)
{
	if (w->flags & WATCH_TABLE)
		return send_table(w, type, r);
	return send_line(w, type, r->json, r->size);
}

static int send_bookmark(struct watch *w, const char *annotations)
{
	const struct kind *k = w->selection.kind;
	char text[512], version[128];
	int n = snprintf(text, sizeof(text),
		"{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":"
		"\"%" PRIu64 "\",\"creationTimestamp\":null%s}}",
		k->kind, kind_api_version(k, version, sizeof(version)), store_rv(w->owner->store),
		annotations);

	return send_line(w, "BOOKMARK", text, (size_t)n);
}

/* An ERROR event and the end; the watch is gone. */
static void send_error(struct watch *w, unsigned code, const char *reason, const char *message)
{
	_cleanup_free_ char *status = reply_status_text(code, reason, message);

	if (status && send_line(w, "ERROR", status, strlen(status)) == 0)
		watch_end(w);
}

/* An object that ceased to fit is shown as it last did, with the version of the change. */
static int send_left(struct watch *w, const struct change *c)
{
	_cleanup_json_ json_t *object = revision_parse(c->before);
	_cleanup_free_ char *text = NULL;
	char rv[24];

	(void)snprintf(rv, sizeof(rv), "%" PRIu64, c->now->rv);
	(void)json_put_string(meta_of(object), "resourceVersion", rv);
	text = json_dumps(object, JSON_COMPACT);
	return text ? send_line(w, "DELETED", text, strlen(text)) : -ENOMEM;
}

static int send_change(struct watch *w, const struct change *c, int type)
{
	if (type == CHANGE_DELETED && c->type != CHANGE_DELETED && !(w->flags & WATCH_TABLE))
		return send_left(w, c);
	return send_revision(w, type_names[type], c->now);
}

/* What a change is for a selection that may have begun or ceased to fit; -1 nothing. */
static int seen_as(const struct selection *s, const struct change *c)
{
	bool before, now;

	if (s->n_fields + s->n_labels == 0)
		return select_matches(s, c->now) ? (int)c->type : -1;
	before = c->before && select_matches(s, c->before);
	now = c->type != CHANGE_DELETED && select_matches(s, c->now);
	if (before)
		return now ? CHANGE_MODIFIED : CHANGE_DELETED;
	return now ? CHANGE_ADDED : -1;
}

static int send_bookmarks(struct watch *w, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		if (send_bookmark(w, "") < 0)
			return 1;
	return 0;
}

/* Before the event, if there is one. */
static int send_raw(struct watch *w, const char *text)
{
	if (send_bytes(w, text, strlen(text)) < 0)
		return 1;
	return send_bytes(w, "\n", 1) < 0;
}

/* The beginning of a line, and the end of the stream in its middle. */
static int send_cut(struct watch *w, size_t bytes, const struct revision *r)
{
	_cleanup_buf_ struct buf line = BUF_NULL(LINE_MAX_BYTES);

	if (buf_puts(&line, "{\"type\":\"MODIFIED\",\"object\":") == 0 &&
		buf_append(&line, r ? r->json : "{}", r ? r->size : 2) == 0 &&
		send_bytes(w, line.data, bytes < line.len ? bytes : line.len) == 0)
		watch_end(w);
	return 1;
}

/* r is NULL where there is no event. 1: the event was dealt with (and the watch may be gone). */
static int meet_fault(struct watch *w, const struct fault *f, const struct revision *r)
{
	static const char odd[] = "{\"surprise\":true}";

	switch (f->action) {
	case FAULT_TRUNCATE:
		return send_cut(w, f->bytes, r);
	case FAULT_DUPLICATE:
		return r && send_revision(w, "MODIFIED", r) < 0;
	case FAULT_UNKNOWN:
		(void)send_line(w, "SURPRISED", r ? r->json : odd, r ? r->size : sizeof(odd) - 1);
		return 1;
	case FAULT_LOSE:
		return 1;
	case FAULT_MUTE:
		w->muted = true;
		return 1;
	case FAULT_GONE:
		send_error(w, 410, "Expired", "too old resource version");
		return 1;
	case FAULT_ERROR:
		send_error(w, f->code, *f->reason ? f->reason : "InternalError", f->message);
		return 1;
	case FAULT_END:
		watch_end(w);
		return 1;
	case FAULT_DROP:
		watch_drop(w);
		return 1;
	case FAULT_RESET:
		http_abort_reset(w->x);
		watch_free(w);
		return 1;
	case FAULT_BOOKMARKS:
		return send_bookmarks(w, f->times);
	case FAULT_RAW:
		return send_raw(w, f->body);
	case FAULT_NONE:
	case FAULT_STATUS:
	case FAULT_STATUS_AFTER:
	case FAULT_DROP_AFTER:
	case FAULT_RESET_AFTER:
	case FAULT_STALE:
	case FAULT_DRIP:
		break;
	}
	return 0;
}

static const struct fault *fault_for(struct watches *ws, const struct revision *r)
{
	char ns[META_NS_MAX] = "";
	struct fault_query q = {"event", r->kind->plural, "", ns, r->name};

	if (faults_empty(ws->faults) || r->ns_len >= sizeof(ns))
		return NULL;
	memcpy(ns, r->key, r->ns_len);
	return faults_take(ws->faults, &q);
}

static void deliver(struct watch *w, const struct change *c)
{
	int type = seen_as(&w->selection, c);
	const struct fault *f;

	if (type < 0)
		return;
	f = fault_for(w->owner, c->now);
	if (f && meet_fault(w, f, c->now) != 0)
		return;
	(void)send_change(w, c, type);
}

static void on_change(const struct change *c, const json_t *object, void *userdata)
{
	struct watches *ws = userdata;

	(void)object;
	LIST_FOREACH (&ws->all, it) {
		struct watch *w = LIST_ENTRY(it, struct watch, item);

		if (w->selection.kind == c->now->kind)
			deliver(w, c);
	}
}

static void arm(struct watch *w)
{
	uint64_t now = clock_now(), next = w->end;

	if ((w->flags & WATCH_BOOKMARKS) && w->next_bookmark < next)
		next = w->next_bookmark;
	timer_arm(w->timer, next > now ? next - now : 0);
}

static void plan_bookmark(struct watch *w)
{
	uint64_t now = clock_now(), last = w->end - BOOKMARK_BEFORE_END;

	w->next_bookmark = now + BOOKMARK_NS;
	if (now < last && w->next_bookmark > last)
		w->next_bookmark = last;
	if (now >= last)
		w->next_bookmark = UINT64_MAX;
}

static void on_time(struct timer *t, void *userdata)
{
	struct watch *w = userdata;

	(void)t;
	if (clock_now() >= w->end) {
		watch_end(w);
		return;
	}
	if ((w->flags & WATCH_BOOKMARKS) && clock_now() >= w->next_bookmark) {
		if (send_bookmark(w, "") < 0)
			return;
		plan_bookmark(w);
	}
	arm(w);
}

static int send_initial(struct watch *w)
{
	const struct store *s = w->owner->store;
	const struct kind *k = w->selection.kind;

	for (size_t i = 0; i < store_count(s, k); i++) {
		const struct revision *r = store_at(s, k, i);

		if (select_matches(&w->selection, r) && send_revision(w, "ADDED", r) < 0)
			return -EPIPE;
	}
	if (w->flags & WATCH_MARK)
		return send_bookmark(
			w, ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}");
	return 0;
}

static int replay(struct watch *w, uint64_t rv)
{
	const struct store *s = w->owner->store;
	char message[128];
	size_t i;

	if (store_history_after(s, rv, &i) < 0) {
		(void)snprintf(message, sizeof(message), EXPIRED, rv, store_rv(s));
		send_error(w, 410, "Expired", message);
		return -EPIPE;
	}
	for (; i < store_history_n(s); i++) {
		const struct change *c = store_history_at(s, i);
		int type = seen_as(&w->selection, c);

		if (type >= 0 && send_change(w, c, type) < 0)
			return -EPIPE;
	}
	return 0;
}

void watch_start(struct watches *ws, struct http_exchange *x, const struct watch_options *o)
{
	struct watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w || timer_new_exact(&w->timer, ws->loop, on_time, w) < 0) {
		free(w);
		http_abort(x);
		return;
	}
	w->session.type = SESSION_WATCH;
	w->owner = ws;
	w->x = x;
	w->selection = o->selection;
	w->flags = o->flags;
	w->muted = (o->flags & WATCH_MUTED) != 0;
	w->end = clock_now() + o->timeout_ns;
	list_append(&ws->all, &w->item);
	ws->n++;
	http_set_userdata(x, &w->session);
	http_stream(x, 200, "application/json", QUEUE_MAX);
	r = (o->flags & WATCH_INITIAL) ? send_initial(w) : replay(w, o->rv);
	if (r < 0)
		return;
	plan_bookmark(w);
	arm(w);
}

static bool fits(const struct watch *w, const struct fault *f)
{
	return (!*f->resource || streq(f->resource, w->selection.kind->plural)) &&
	       (!*f->ns || streq(f->ns, w->selection.ns)) &&
	       (!*f->name || streq(f->name, w->selection.name));
}

unsigned watches_hit(struct watches *ws, const struct fault *f)
{
	unsigned n = 0;

	LIST_FOREACH (&ws->all, it) {
		struct watch *w = LIST_ENTRY(it, struct watch, item);

		if (!fits(w, f))
			continue;
		n++;
		(void)meet_fault(w, f, NULL);
	}
	return n;
}

size_t watches_count(const struct watches *w)
{
	return w->n;
}

int watches_new(struct watches **ret, struct loop *l, struct store *s, struct faults *f)
{
	_cleanup_(watches_freep) struct watches *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	list_init(&w->all);
	w->loop = l;
	w->store = s;
	w->faults = f;
	w->line = BUF_NULL(LINE_MAX_BYTES);
	r = store_subscribe(s, on_change, w);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(w);
	return 0;
}

struct watches *watches_free(struct watches *w)
{
	if (!w)
		return NULL;
	LIST_FOREACH (&w->all, it)
		watch_free(LIST_ENTRY(it, struct watch, item));
	buf_done(&w->line);
	free(w);
	return NULL;
}
