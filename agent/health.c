/* SPDX-License-Identifier: Apache-2.0 */
/* health.c: the servers that are watched, what their pings say, and the targets that gave ESTALE */
#include "agent/health.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ping.h"
#include "agent/pinger.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"

#define INTERVAL SECONDS(3)
#define HANG SECONDS(4)
#define SLOW MILLISECONDS(200)
#define DOWN_AFTER 2
/* A connection and a timer each; a node that mounts from more servers has other worries. */
#define SERVERS_MAX PINGER_SERVERS_MAX
/* Round trips in a row on the other side of the threshold before the class changes. */
#define STEADY 3
/* Numeric address with a scope, and a port. */
#define KEY_MAX 96
/* Targets that are stale at a time; as many as a node can have pods' volumes. */
#define STALE_MAX 4096

struct server {
	struct health *h;
	struct ping *ping;
	uint8_t reach;     /* enum health_reach */
	unsigned failed;   /* connections in a row */
	unsigned contrary; /* round trips in a row that contradict the class */
	bool answered, doubted, wanted;
	uint64_t mean; /* of round trips, each new one an eighth */
	char key[];
};

struct health {
	struct loop *loop;
	struct health_options o;
	health_fn fn;
	void *userdata;
	struct map servers; /* by key */
	struct map stale;   /* targets as text */
	struct defer *defer;
	uint64_t calls, failures;
};

const char *health_reach_name(enum health_reach r)
{
	static const char *const names[] = {"unknown", "ok", "slow", "down"};

	return names[r];
}

/* ---- a server ---- */

static struct map_key key_of_server(const void *value)
{
	return map_key_str(((const struct server *)value)->key);
}

static struct map_key key_of_stale(const void *value)
{
	return map_key_str(value);
}

static int make_key(char dst[static KEY_MAX], const char *address, uint16_t port)
{
	return str_format(dst, KEY_MAX, "%s %u", address, port ? port : PING_PORT);
}

static struct server *find(const struct health *h, const char *address, uint16_t port)
{
	char key[KEY_MAX];

	if (str_empty(address) || make_key(key, address, port) < 0)
		return NULL;
	return map_gets(&h->servers, key);
}

static void become(struct server *s, enum health_reach reach)
{
	s->contrary = 0;
	if (s->reach == reach)
		return;
	s->reach = (uint8_t)reach;
	defer_arm(s->h->defer);
}

static void server_free(struct server *s)
{
	map_removes(&s->h->servers, s->key);
	ping_free(s->ping);
	free(s);
}

static void on_answer(struct server *s, uint64_t round_trip)
{
	uint64_t slow = s->h->o.slow_ns;
	bool contrary = s->reach == HEALTH_SLOW ? round_trip < slow / 2 : round_trip > slow;

	s->mean = s->mean ? s->mean - s->mean / 8 + round_trip / 8 : round_trip;
	s->answered = true;
	s->doubted = false;
	s->failed = 0;
	if (s->reach == HEALTH_UNKNOWN || s->reach == HEALTH_DOWN)
		become(s, round_trip > slow ? HEALTH_SLOW : HEALTH_OK);
	else if (!contrary)
		s->contrary = 0;
	else if (++s->contrary >= STEADY)
		become(s, s->reach == HEALTH_SLOW ? HEALTH_OK : HEALTH_SLOW);
}

/* A connection that cannot be made may be one that the mount does not need; one that is made and
 * stays silent, or was good before, is the server's. */
static void on_failure(struct server *s, enum ping_event ev)
{
	s->h->failures++;
	if (ev == PING_SILENT) {
		become(s, HEALTH_DOWN);
		return;
	}
	s->failed++;
	if (s->failed >= s->h->o.down_after && (s->answered || s->doubted))
		become(s, HEALTH_DOWN);
}

static void on_ping(struct ping *p, enum ping_event ev, uint64_t round_trip, void *userdata)
{
	struct server *s = userdata;

	(void)p;
	if (ev == PING_CALLED)
		s->h->calls++;
	else if (ev == PING_ANSWERED)
		on_answer(s, round_trip);
	else
		on_failure(s, ev);
}

static int server_make(struct health *h, const char *key, const char *address, uint16_t port)
{
	const struct ping_options o = {.pool = h->o.pool,
		.address = address,
		.port = port,
		.interval_ns = h->o.interval_ns,
		.hang_ns = h->o.hang_ns};
	size_t size = strlen(key) + 1;
	struct server *s = calloc(1, sizeof(*s) + size);
	int r;

	if (!s)
		return -ENOMEM;
	s->h = h;
	s->wanted = true;
	memcpy(s->key, key, size);
	r = map_add(&h->servers, s);
	if (r < 0) {
		free(s);
		return r;
	}
	r = ping_new(&s->ping, h->loop, &o, on_ping, s);
	if (r < 0)
		server_free(s);
	return r;
}

/* ---- the set ---- */

void health_begin(struct health *h)
{
	struct server *s;

	MAP_FOREACH (&h->servers, s)
		s->wanted = false;
}

int health_want(struct health *h, const char *address, uint16_t port)
{
	struct server *s = find(h, address, port);
	char key[KEY_MAX];

	if (s) {
		s->wanted = true;
		return 0;
	}
	if (str_empty(address) || make_key(key, address, port) < 0)
		return -EINVAL;
	if (h->servers.size >= SERVERS_MAX)
		return 0;
	return server_make(h, key, address, port);
}

void health_end(struct health *h)
{
	struct server *s;

	MAP_FOREACH (&h->servers, s)
		if (!s->wanted)
			server_free(s);
}

enum health_reach health_of(const struct health *h, const char *address, uint16_t port)
{
	const struct server *s = find(h, address, port);

	return s ? s->reach : HEALTH_UNKNOWN;
}

uint64_t health_round_trip(const struct health *h, const char *address, uint16_t port)
{
	const struct server *s = find(h, address, port);

	return s ? s->mean : 0;
}

/* ---- what calls into mounts say ---- */

static void mark_stale(struct health *h, const char *target)
{
	char *text;

	if (map_gets(&h->stale, target) || h->stale.size >= STALE_MAX)
		return;
	text = strdup(target);
	if (text && map_add(&h->stale, text) >= 0)
		defer_arm(h->defer);
	else
		free(text);
}

void health_forget(struct health *h, const char *target)
{
	char *text = map_removes(&h->stale, target);

	if (!text)
		return;
	free(text);
	defer_arm(h->defer);
}

void health_called(
	struct health *h, const char *target, const char *address, uint16_t port, int code)
{
	struct server *s = find(h, address, port);

	if (code == ESTALE)
		mark_stale(h, target);
	else if (code == 0)
		health_forget(h, target);
	if (!s || code != ETIMEDOUT || s->answered)
		return;
	s->doubted = true;
	if (s->failed >= h->o.down_after)
		become(s, HEALTH_DOWN);
}

bool health_is_stale(const struct health *h, const char *target)
{
	return map_gets(&h->stale, target);
}

struct health_count health_count(const struct health *h)
{
	struct health_count n = {
		.servers = (unsigned)h->servers.size, .calls = h->calls, .failures = h->failures};
	const struct server *s;

	MAP_FOREACH (&h->servers, s) {
		n.down += s->reach == HEALTH_DOWN;
		n.slow += s->reach == HEALTH_SLOW;
	}
	return n;
}

/* ---- frame ---- */

static void on_defer(struct defer *d, void *userdata)
{
	struct health *h = userdata;

	(void)d;
	if (h->fn)
		h->fn(h, h->userdata);
}

int health_new(struct health **ret, struct loop *l, const struct health_options *o, health_fn fn,
	void *userdata)
{
	_cleanup_(health_freep) struct health *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	h->loop = l;
	h->fn = fn;
	h->userdata = userdata;
	h->servers = MAP_NULL(key_of_server);
	h->stale = MAP_NULL(key_of_stale);
	if (o)
		h->o = *o;
	h->o.interval_ns = h->o.interval_ns ? h->o.interval_ns : INTERVAL;
	h->o.hang_ns = h->o.hang_ns ? h->o.hang_ns : HANG;
	h->o.slow_ns = h->o.slow_ns ? h->o.slow_ns : SLOW;
	h->o.down_after = h->o.down_after ? h->o.down_after : DOWN_AFTER;
	r = defer_new(&h->defer, l, on_defer, h);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(h);
	return 0;
}

struct health *health_free(struct health *h)
{
	struct server *s;
	char *text;

	if (!h)
		return NULL;
	MAP_FOREACH (&h->servers, s)
		server_free(s);
	map_done(&h->servers);
	MAP_FOREACH (&h->stale, text)
		free(text);
	map_done(&h->stale);
	defer_free(h->defer);
	free(h);
	return NULL;
}
