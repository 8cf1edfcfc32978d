/* SPDX-License-Identifier: Apache-2.0 */
/* informer.c: a local copy of one kind: when to list, when to watch, what to do after each end */
#include "kube/informer.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "base/clock.h"
#include "base/sm.h"
#include "kube/reflect.h"

/* client-go's reflector, in ms of the client's second. */
#define BACKOFF_MIN_MS 800
#define BACKOFF_MAX_MS 30000
#define BACKOFF_QUIET_MS 120000
/* Watches are looked after together, so that an idle process sleeps. */
#define WATCHDOG_SLACK_MS 15000
/* Lists beyond this leave free memory behind that is worth giving back. */
#define TRIM_OBJECTS 1000

enum state { IDLE, LISTING, LIST_WAIT, WATCHING, WATCH_WAIT };

uint64_t informer_ms(const struct informer *i, uint64_t n)
{
	return n * (i->second_ns / 1000);
}

static void informer_destroy(struct informer *i)
{
	kube_request_cancel(i->q);
	timer_free(i->timer);
	timer_free(i->watchdog);
	items_done(&i->items);
	lines_done(&i->lines);
	cache_done(&i->cache);
	free(i->cont);
	free(i);
}

void informer_leave(struct informer *i)
{
	if (--i->depth == 0 && i->dead)
		informer_destroy(i);
}

/* The kind's path with what follows; begins the query unless the kind did. */
int informer_path_begin(const struct informer *i, struct buf *b)
{
	return buf_printf(
		b, "%s%c", i->kind->list_path, strchr(i->kind->list_path, '?') ? '&' : '?');
}

int informer_path_value(struct buf *b, const char *key, const char *value)
{
	_cleanup_free_ char *escaped = malloc(strlen(value) * 3 + 1);
	int r = escaped ? kube_escape(escaped, strlen(value) * 3 + 1, value) : -ENOMEM;

	return r < 0 ? r : buf_printf(b, "&%s=%s", key, escaped);
}

static int act_list_again(void *obj)
{
	struct informer *i = obj;

	i->expired = false;
	return informer_act_list(i);
}

static int act_wait(void *obj)
{
	struct informer *i = obj;
	uint64_t now = clock_now(), delay;

	if (now - i->backoff_at > informer_ms(i, BACKOFF_QUIET_MS))
		backoff_reset(&i->backoff);
	i->backoff_at = now;
	delay = backoff_next(&i->backoff);
	if (i->retry_after > delay)
		delay = i->retry_after;
	i->retry_after = 0;
	i->stats.restarts++;
	timer_disarm(i->watchdog);
	timer_arm(i->timer, delay);
	return 0;
}

static int act_list_failed(void *obj)
{
	struct informer *i = obj;

	/* Half a list says nothing about what is gone. */
	cache_list_end(&i->cache, true);
	return act_wait(i);
}

static int act_listed(void *obj)
{
	struct informer *i = obj;

	i->from = FROM_LAST;
	i->expired = false;
	cache_list_end(&i->cache, false);
	items_done(&i->items);
	if (i->cache.objects.size > TRIM_OBJECTS)
		malloc_trim(0);
	if (i->dead)
		return 0;
	if (!i->synced) {
		i->synced = true;
		if (i->cb.synced)
			i->cb.synced(i, i->userdata);
	}
	return i->dead ? 0 : informer_act_watch(i);
}

static const char *const state_names[] = {"idle", "listing", "list-wait", "watching", "watch-wait"};
static const char *const event_names[] = {"start", "page", "listed", "list-expired", "list-failed",
	"watch-ended", "watch-later", "relist", "due"};

static const struct sm_edge edges[] = {
	{IDLE, REFLECT_START, LISTING, act_list_again},
	{LISTING, REFLECT_PAGE, LISTING, informer_act_page},
	{LISTING, REFLECT_LISTED, WATCHING, act_listed},
	{LISTING, REFLECT_LIST_EXPIRED, LISTING, informer_act_list_expired},
	{LISTING, REFLECT_LIST_FAILED, LIST_WAIT, act_list_failed},
	{LIST_WAIT, REFLECT_DUE, LISTING, act_list_again},
	{WATCHING, REFLECT_WATCH_ENDED, WATCHING, informer_act_watch},
	{WATCHING, REFLECT_WATCH_LATER, WATCH_WAIT, act_wait},
	{WATCHING, REFLECT_RELIST, LIST_WAIT, act_wait},
	{WATCHING, REFLECT_DUE, WATCHING, informer_act_watch_due},
	{WATCH_WAIT, REFLECT_DUE, WATCHING, informer_act_watch},
};

static const struct sm_table informer_table = {
	"informer", state_names, event_names, edges, ELEMENTSOF(edges)};

int informer_fire(struct informer *i, enum reflect_event e)
{
	/* Who freed it in a callback wants nothing more of it. */
	return i->dead ? 0 : sm_fire(&informer_table, &i->state, (uint8_t)e, i);
}

static void on_timer(struct timer *t, void *userdata)
{
	struct informer *i = userdata;

	(void)t;
	i->depth++;
	informer_fire(i, REFLECT_DUE);
	informer_leave(i);
}

static void on_changed(const struct object *old, const struct object *now, void *userdata)
{
	struct informer *i = userdata;

	if (!i->dead && i->cb.changed)
		i->cb.changed(i, old, now, i->userdata);
}

int informer_new(struct informer **ret, struct kube_client *c, struct strpool *pool,
	const struct kind *k, const struct informer_callbacks *cb, void *userdata)
{
	struct informer *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return -ENOMEM;
	i->client = c;
	i->kind = k;
	i->cb = *cb;
	i->userdata = userdata;
	i->second_ns = kube_client_second(c);
	i->backoff = (struct backoff){.min = informer_ms(i, BACKOFF_MIN_MS),
		.max = informer_ms(i, BACKOFF_MAX_MS),
		.jitter_percent = 100};
	cache_init(&i->cache, pool, k, on_changed, i);
	lines_init(&i->lines);
	items_init(&i->items, &informer_list_ops, i);
	r = timer_new_exact(&i->timer, kube_client_loop(c), on_timer, i);
	if (r >= 0)
		r = timer_new_lazy(&i->watchdog, kube_client_loop(c),
			informer_ms(i, WATCHDOG_SLACK_MS), on_timer, i);
	if (r < 0) {
		informer_destroy(i);
		return r;
	}
	informer_fire(i, REFLECT_START);
	*ret = i;
	return 0;
}

struct informer *informer_free(struct informer *i)
{
	if (!i)
		return NULL;
	i->dead = true;
	kube_request_cancel(TAKE_PTR(i->q));
	timer_disarm(i->timer);
	timer_disarm(i->watchdog);
	if (i->depth == 0)
		informer_destroy(i);
	return NULL;
}

bool informer_synced(const struct informer *i)
{
	return i->synced;
}

const struct kind *informer_kind(const struct informer *i)
{
	return i->kind;
}

const struct object *informer_get(
	const struct informer *i, const char *namespace_, const char *name)
{
	return cache_get(&i->cache, namespace_, name);
}

size_t informer_size(const struct informer *i)
{
	return i->cache.objects.size;
}

const struct object *informer_next(const struct informer *i, size_t *cursor)
{
	return map_next(&i->cache.objects, cursor);
}

void informer_observe(struct informer *i, const json_t *json)
{
	i->depth++;
	if (json && cache_observe(&i->cache, json, kube_client_sent_at(i->client)) == -EBADMSG)
		i->stats.decode_errors++;
	informer_leave(i);
}

void informer_stats(const struct informer *i, struct informer_stats *ret)
{
	*ret = i->stats;
}
