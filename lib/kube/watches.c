/* SPDX-License-Identifier: Apache-2.0 */
/* watches.c: an informer's watches: what they show, how they end (contracts.md 5.5) */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "kube/reflect.h"

/* The server ends a watch after a time between these, so that not all end at once. */
#define WATCH_MIN_S 300
#define WATCH_MAX_S 600
/* How much later than asked for the end may come. */
#define WATCH_GRACE_MS 30000
/* A server that sends bookmarks sends one a minute. */
#define BOOKMARK_MS 180000
/* A watch that ends sooner and empty was none. */
#define WATCH_SHORT_MS 1000

static void record_rv(struct informer *i, const struct watch_event *ev)
{
	/* The objects that a watch from nowhere begins with come in no order. */
	if (ev->type != WATCH_ADDED)
		i->synthetic = false;
	if (i->synthetic || str_empty(ev->rv))
		return;
	if (str_copy(i->rv, sizeof(i->rv), ev->rv) < 0)
		log_warning("%s: a resourceVersion of %zu bytes is not kept", i->kind->name,
			strlen(ev->rv));
}

/* 1 where the watch is over. */
static int apply_event(struct informer *i, const struct watch_event *ev)
{
	struct err e = ERR_NULL;
	int r;

	i->watch_events++;
	switch (ev->type) {
	case WATCH_ADDED:
	case WATCH_MODIFIED:
		i->stats.events++;
		r = cache_put(&i->cache, ev->object);
		return r < 0 ? r : 0;
	case WATCH_DELETED:
		i->stats.events++;
		return cache_drop(&i->cache, ev->object);
	case WATCH_BOOKMARK:
		i->stats.bookmarks++;
		i->bookmarked = true;
		return 0;
	case WATCH_ERROR:
		i->verdict = watch_error_verdict(ev->object, &e);
		log_info("%s: the watch ended: %s", i->kind->name, e.text);
		return 1;
	case WATCH_UNKNOWN:
		i->stats.decode_errors++;
		return 0;
	}
	return 0;
}

/* 1: the watch is over, i->verdict says how to go on. */
static int on_watch_line(void *userdata, const char *line, size_t n)
{
	struct informer *i = userdata;
	struct watch_event ev;
	struct err e = ERR_NULL;
	int r = watch_event_parse(&ev, line, n, &e);

	if (r < 0) {
		i->stats.decode_errors++;
		i->verdict = WATCH_RELIST;
		log_warning("%s: the watch cannot be read: %s", i->kind->name, e.text);
		return 1;
	}
	r = apply_event(i, &ev);
	if (r == -ENOMEM) {
		/* The event is not lost: the next watch begins before it. */
		i->verdict = WATCH_RETRY;
		watch_event_done(&ev);
		return 1;
	}
	if (r < 0)
		i->stats.decode_errors++;
	if (ev.type != WATCH_ERROR && ev.type != WATCH_UNKNOWN)
		record_rv(i, &ev);
	watch_event_done(&ev);
	return i->dead || r > 0;
}

static void watch_over(struct informer *i)
{
	switch (i->verdict) {
	case WATCH_AGAIN:
		informer_fire(i, REFLECT_WATCH_ENDED);
		break;
	case WATCH_RETRY:
		informer_fire(i, REFLECT_WATCH_LATER);
		break;
	case WATCH_RELIST:
		informer_fire(i, REFLECT_RELIST);
		break;
	}
}

static void watch_stop(struct informer *i, enum watch_verdict v)
{
	i->verdict = v;
	kube_request_cancel(TAKE_PTR(i->q));
	watch_over(i);
}

static int on_watch_data(void *userdata, const char *data, size_t n)
{
	struct informer *i = userdata;
	int r;

	i->depth++;
	i->stats.last_event = clock_now();
	r = lines_feed(&i->lines, data, n, on_watch_line, i);
	if (r == -E2BIG)
		log_warning("%s: an event of more than %u bytes", i->kind->name, LINES_MAX);
	if (r != 0 && !i->dead)
		watch_stop(i, r > 0 ? i->verdict : r == -ENOMEM ? WATCH_RETRY : WATCH_RELIST);
	informer_leave(i);
	/* The request was cancelled where this failed. */
	return 0;
}

static enum watch_verdict end_verdict(const struct informer *i, const struct kube_response *res)
{
	bool brief =
		clock_now() - i->watch_at < informer_ms(i, WATCH_SHORT_MS) && i->watch_events == 0;

	if (res->status == KUBE_OK)
		return brief ? WATCH_RELIST : WATCH_AGAIN;
	if (res->status == KUBE_E_TRANSPORT)
		return brief || i->stats.last_event < i->watch_at ? WATCH_RETRY : WATCH_AGAIN;
	return res->status == KUBE_E_BUSY ? WATCH_RETRY : WATCH_RELIST;
}

static void on_watch_end(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct informer *i = userdata;

	(void)q;
	i->q = NULL;
	i->depth++;
	i->retry_after = res->retry_after_ns / NSEC_PER_SEC * i->second_ns;
	i->verdict = end_verdict(i, res);
	if (res->status != KUBE_OK && res->status != KUBE_E_GONE)
		log_info("%s: the watch ended: %s", i->kind->name, res->err.text);
	watch_over(i);
	informer_leave(i);
}

static int watch_path(struct informer *i, struct buf *b)
{
	unsigned seconds = WATCH_MIN_S + (unsigned)random_below(WATCH_MAX_S - WATCH_MIN_S + 1);
	int r = informer_path_begin(i, b);

	i->watch_ns = informer_ms(i, seconds * 1000 + WATCH_GRACE_MS);
	if (r >= 0)
		r = buf_printf(b, "watch=1&allowWatchBookmarks=true&timeoutSeconds=%u", seconds);
	return r < 0 ? r : informer_path_value(b, "resourceVersion", i->rv);
}

int informer_act_watch(void *obj)
{
	struct informer *i = obj;
	_cleanup_buf_ struct buf path = BUF_NULL(PATH_BYTES_MAX);
	int r = watch_path(i, &path);

	lines_reset(&i->lines);
	i->watch_at = clock_now();
	i->watch_events = 0;
	i->bookmarked = false;
	i->synthetic = str_empty(i->rv) || streq(i->rv, "0");
	i->stats.watches++;
	if (r >= 0)
		r = kube_stream(i->client,
			&(struct kube_stream_spec){
				.path = path.data, .data = on_watch_data, .watch = true},
			on_watch_end, i, &i->q);
	if (r < 0)
		return informer_fire(i, REFLECT_WATCH_LATER);
	timer_arm(i->watchdog, informer_ms(i, WATCH_GRACE_MS));
	return 0;
}

/* How long the watch at hand may still be silent; 0: it is dead. */
static uint64_t watch_patience(const struct informer *i)
{
	uint64_t now = clock_now(), last = i->stats.last_event, until;

	if (last < i->watch_at)
		last = i->watch_at;
	until = i->watch_at + i->watch_ns;
	if (!kube_request_answered(i->q))
		until = i->watch_at + informer_ms(i, WATCH_GRACE_MS);
	else if (i->bookmarked && last + informer_ms(i, BOOKMARK_MS) < until)
		until = last + informer_ms(i, BOOKMARK_MS);
	return until > now ? until - now : 0;
}

int informer_act_watch_due(void *obj)
{
	struct informer *i = obj;
	uint64_t patience = watch_patience(i);
	bool answered = kube_request_answered(i->q);

	if (patience > 0) {
		timer_arm(i->watchdog, patience);
		return 0;
	}
	log_warning("%s: the watch is silent, trying another", i->kind->name);
	watch_stop(i, answered ? WATCH_AGAIN : WATCH_RETRY);
	return 0;
}
