/* SPDX-License-Identifier: Apache-2.0 */
/* event.c: Kubernetes Events: aggregated, limited, never in the way of work (contracts.md 5.9) */
#include "kube/event.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "data/decode.h"
#include "kube/correlate.h"
#include "kube/request.h"

/* What waits to be sent, some 0.5 KiB each, 2 KiB at most; later events are dropped: they are news,
 * not work. */
#define QUEUE_MAX 4000
/* Events leave the larger part of max_in_flight to work. */
#define IN_FLIGHT_MAX 16
/* So many requests of others in flight or waiting are a burst, in which the API server is the
 * limit: news go on a few at a time with a pause, until the work is done. */
#define BURST 24
#define BURST_WINDOW 2
#define BURST_PAUSE MILLISECONDS(200)
/* client-go's patience with a server that does not answer. */
#define TRIES_MAX 12
#define RETRY_S 10
#define MESSAGE_MAX 1024
#define NAME_MAX_BYTES 253
#define PATH_BYTES 1024
#define COMBINED "(combined from similar events): "

struct send {
	struct list link; /* queued or running */
	struct kube_events *ev;
	struct same *same;
	struct kube_request *q;
	const char *kind, *api, *namespace_, *name, *uid, *rv, *reason, *message; /* in text */
	unsigned tries;
	bool warning, again;
	char text[];
};

struct kube_events {
	struct kube_client *client;
	struct timer *timer; /* armed while nothing is to be sent */
	struct correlate correlate;
	struct list queued, running;
	unsigned n_queued, n_running;
	uint64_t last_stamp;
	uint64_t dropped;
	char component[];
};

static void events_pump(struct kube_events *ev);

static void on_pause_over(struct timer *t, void *userdata)
{
	(void)t;
	events_pump(userdata);
}

int kube_events_new(struct kube_events **ret, struct kube_client *c, const char *component)
{
	size_t n = strlen(component) + 1;
	struct kube_events *ev = calloc(1, sizeof(*ev) + n);
	int r;

	if (!ev)
		return -ENOMEM;
	ev->client = c;
	memcpy(ev->component, component, n);
	list_init(&ev->queued);
	list_init(&ev->running);
	correlate_init(&ev->correlate, kube_client_second(c));
	r = timer_new_lazy(&ev->timer, kube_client_loop(c), NSEC_PER_SEC, on_pause_over, ev);
	if (r < 0) {
		kube_events_free(ev);
		return r;
	}
	*ret = ev;
	return 0;
}

static void send_free(struct send *s)
{
	list_remove(&s->link);
	kube_request_cancel(s->q);
	s->same->send = NULL;
	free(s);
}

struct kube_events *kube_events_free(struct kube_events *ev)
{
	if (!ev)
		return NULL;
	LIST_FOREACH (&ev->queued, it)
		send_free(LIST_ENTRY(it, struct send, link));
	LIST_FOREACH (&ev->running, it)
		send_free(LIST_ENTRY(it, struct send, link));
	correlate_done(&ev->correlate);
	timer_free(ev->timer);
	free(ev);
	return NULL;
}

unsigned kube_events_pending(const struct kube_events *ev)
{
	return ev->n_queued + ev->n_running;
}

/* ---- what goes over the wire ---- */

/* Events live in their object's namespace, those of cluster-scoped objects in "default". */
static const char *event_namespace(const struct send *s)
{
	return *s->namespace_ ? s->namespace_ : "default";
}

static void event_name(const struct send *s, char dst[static NAME_MAX_BYTES + 1])
{
	unsigned long long stamp = s->same->stamp;

	if (str_format(dst, NAME_MAX_BYTES + 1, "%s.%llx", s->name, stamp) < 0)
		snprintf(dst, NAME_MAX_BYTES + 1, "berth-event.%llx", stamp);
}

static json_t *event_json(const struct send *s)
{
	char name[NAME_MAX_BYTES + 1], first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];

	event_name(s, name);
	clock_format(s->same->first_real, first);
	clock_format(clock_real(), last);
	return json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s, s:s*, s:s, s:s*, s:s*},"
			 " s:s, s:s, s:s, s:i, s:s, s:s, s:{s:s}, s:s, s:s}",
		"apiVersion", "v1", "kind", "Event", "metadata", "name", name, "namespace",
		event_namespace(s), "involvedObject", "kind", s->kind, "apiVersion", s->api,
		"namespace", *s->namespace_ ? s->namespace_ : NULL, "name", s->name, "uid",
		*s->uid ? s->uid : NULL, "resourceVersion", *s->rv ? s->rv : NULL, "reason",
		s->reason, "message", s->message, "type", s->warning ? "Warning" : "Normal",
		"count", (int)s->same->count, "firstTimestamp", first, "lastTimestamp", last,
		"source", "component", s->ev->component, "reportingComponent", s->ev->component,
		"reportingInstance", "");
}

static json_t *repeat_json(const struct send *s)
{
	char last[CLOCK_TEXT_MAX];

	clock_format(clock_real(), last);
	return json_pack("{s:i, s:s, s:s}", "count", (int)s->same->count, "lastTimestamp", last,
		"message", s->message);
}

static int event_path(const struct send *s, char dst[static PATH_BYTES])
{
	char namespace_[256], name[NAME_MAX_BYTES + 1], escaped[NAME_MAX_BYTES * 3 + 1];
	int r = kube_escape(namespace_, sizeof(namespace_), event_namespace(s));

	if (r < 0)
		return r;
	if (!s->same->posted)
		return str_format(dst, PATH_BYTES, "/api/v1/namespaces/%s/events", namespace_);
	event_name(s, name);
	r = kube_escape(escaped, sizeof(escaped), name);
	if (r < 0)
		return r;
	return str_format(dst, PATH_BYTES, "/api/v1/namespaces/%s/events/%s", namespace_, escaped);
}

/* ---- sending ---- */

static void send_queue(struct send *s)
{
	list_remove(&s->link);
	list_append(&s->ev->queued, &s->link);
	s->ev->n_queued++;
}

static uint64_t fresh_stamp(struct kube_events *ev)
{
	uint64_t now = clock_real();

	ev->last_stamp = now > ev->last_stamp ? now : ev->last_stamp + 1;
	return ev->last_stamp;
}

/* Whether it must be sent once more, and if so soon. */
static bool send_again(struct send *s, const struct kube_response *res)
{
	bool was_posted = s->same->posted;

	switch (res->status) {
	case KUBE_OK:
	case KUBE_E_EXISTS:
		s->same->posted = true;
		s->tries = 0;
		return s->again;
	case KUBE_E_NOT_FOUND:
		/* It ended on the server (an hour by default): the repeat is a new event. */
		s->same->posted = false;
		s->same->stamp = fresh_stamp(s->ev);
		return was_posted;
	case KUBE_E_BUSY:
	case KUBE_E_SERVER:
	case KUBE_E_TRANSPORT:
	case KUBE_E_UNAUTHORIZED:
		if (++s->tries >= TRIES_MAX)
			break;
		timer_arm(s->ev->timer, RETRY_S * kube_client_second(s->ev->client));
		return true;
	case KUBE_E_BAD_REQUEST:
	case KUBE_E_FORBIDDEN:
	case KUBE_E_CONFLICT:
	case KUBE_E_GONE:
	case KUBE_E_INVALID:
		break;
	}
	log_info("An event on %s %s was not taken: %s", s->kind, s->name, res->err.text);
	return false;
}

static void on_sent(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct send *s = userdata;
	struct kube_events *ev = s->ev;

	(void)q;
	s->q = NULL;
	ev->n_running--;
	if (send_again(s, res)) {
		s->again = false;
		send_queue(s);
	} else {
		send_free(s);
	}
	events_pump(ev);
}

static void send_start(struct send *s)
{
	struct kube_events *ev = s->ev;
	bool repeat = s->same->posted;
	char path[PATH_BYTES];
	json_t *body;

	list_remove(&s->link);
	ev->n_queued--;
	body = event_path(s, path) < 0 ? NULL : repeat ? repeat_json(s) : event_json(s);
	if (!body || kube_request_json(ev->client, repeat ? KUBE_PATCH_MERGE : KUBE_POST, path,
			     body, on_sent, s, &s->q) < 0) {
		ev->dropped++;
		send_free(s);
		return;
	}
	list_append(&ev->running, &s->link);
	ev->n_running++;
}

static bool is_burst(const struct kube_events *ev)
{
	struct kube_client_stats s;

	kube_client_stats(ev->client, &s);
	return s.in_flight + s.waiting >= ev->n_running + BURST;
}

static void events_pump(struct kube_events *ev)
{
	bool burst = is_burst(ev);
	unsigned window = burst ? BURST_WINDOW : IN_FLIGHT_MAX;

	if (timer_armed(ev->timer))
		return;
	while (ev->n_running < window && !list_empty(&ev->queued) && !timer_armed(ev->timer))
		send_start(LIST_FIRST(&ev->queued, struct send, link));
	if (burst && !list_empty(&ev->queued) && !timer_armed(ev->timer))
		timer_arm(ev->timer, BURST_PAUSE);
}

/* ---- taking ---- */

static const char *put(char **at, const char *text)
{
	char *start = *at;
	size_t n = strlen(text) + 1;

	memcpy(start, text, n);
	*at += n;
	return start;
}

static struct send *send_new(struct kube_events *ev, struct same *same,
	const struct correlate_event *e, const char *prefix)
{
	const struct kube_event_target *t = e->target;
	const char *in[] = {t->kind, t->api, str_or(t->namespace_, ""), t->name, str_or(t->uid, ""),
		str_or(t->rv, ""), e->reason};
	size_t size = strlen(prefix) + strlen(e->message) + 1;
	struct send *s;
	char *at;

	for (size_t i = 0; i < ELEMENTSOF(in); i++)
		size += strlen(in[i]) + 1;
	s = malloc(sizeof(*s) + size);
	if (!s)
		return NULL;
	*s = (struct send){.ev = ev, .same = same, .warning = e->warning};
	list_init(&s->link);
	at = s->text;
	s->kind = put(&at, in[0]);
	s->api = put(&at, in[1]);
	s->namespace_ = put(&at, in[2]);
	s->name = put(&at, in[3]);
	s->uid = put(&at, in[4]);
	s->rv = put(&at, in[5]);
	s->reason = put(&at, in[6]);
	s->message = at;
	put(&at, prefix);
	at--;
	put(&at, e->message);
	return s;
}

static void event_take(struct kube_events *ev, const struct correlate_event *e)
{
	bool combined;
	struct same *same = correlate_event(&ev->correlate, e, clock_now(), &combined);

	if (!same)
		return;
	if (same->send) {
		/* What is queued says the new count anyway, what runs is followed by another. */
		same->send->again = same->send->q;
		return;
	}
	if (ev->n_queued >= QUEUE_MAX) {
		if (ev->dropped++ == 0)
			log_warning("Events are dropped: %d wait to be sent", QUEUE_MAX);
		return;
	}
	same->send = send_new(ev, same, e, combined ? COMBINED : "");
	if (!same->send)
		return;
	if (!same->stamp) {
		same->stamp = fresh_stamp(ev);
		same->first_real = clock_real();
	}
	send_queue(same->send);
	events_pump(ev);
}

void kube_event(struct kube_events *ev, const struct kube_event_target *t, bool warning,
	const char *reason, const char *fmt, ...)
{
	char raw[MESSAGE_MAX], message[MESSAGE_MAX - sizeof(COMBINED) + 1];
	struct correlate_event e = {t, warning, reason, message};
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	str_escape(message, sizeof(message), raw);
	event_take(ev, &e);
}
