/* SPDX-License-Identifier: Apache-2.0 */
/* ping.c: a call that has no arguments and no result, again and again */
#include "agent/ping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/pinger.h"
#include "base/clock.h"
#include "base/str.h"
#include "mount/rpcping.h"
#include "worker/frame.h"

/* All servers of a node are one process's: it waits for all of them at once. */
#define KEY "pings"
/* A connection, a call, and as long again for its answer; then the start of a pinger. */
#define DEADLINE(hang_ns) (3 * (hang_ns) + SECONDS(15))
/* A numeric address with a scope and two numbers, packed. */
#define BODY_MAX 256

struct ping {
	struct ping_options o;
	char *address;
	ping_fn fn;
	void *userdata;
	struct timer *timer; /* armed while it rests */
	struct worker_call *call;
};

static void on_reply(struct worker_call *c, const struct worker_reply *reply, void *userdata);

static void ask(struct ping *p)
{
	_cleanup_buf_ struct buf body = BUF_NULL(BODY_MAX);
	int r = pack_str(&body, p->address);

	if (r >= 0)
		r = pack_u64(&body, p->o.port);
	if (r >= 0)
		r = pack_u64(&body, p->o.hang_ns);
	if (r >= 0)
		r = worker_call(p->o.pool,
			&(struct worker_request){.key = KEY,
				.init = KEY,
				.init_size = strlen(KEY),
				.kind = PINGER_CALL,
				.body = body.data,
				.size = body.len,
				.deadline_ns = DEADLINE(p->o.hang_ns)},
			on_reply, p, &p->call);
	if (r < 0)
		timer_arm(p->timer, p->o.interval_ns);
	else
		p->fn(p, PING_CALLED, 0, p->userdata);
}

static void on_reply(struct worker_call *c, const struct worker_reply *reply, void *userdata)
{
	struct ping *p = userdata;
	struct unpack u = {.p = reply->body, .end = (const char *)reply->body + reply->size};
	uint64_t round_trip;

	(void)c;
	p->call = NULL;
	if (!reply->text && reply->r == -ETIMEDOUT) {
		p->fn(p, PING_SILENT, p->o.hang_ns, p->userdata);
		ask(p);
		return;
	}
	timer_arm(p->timer, p->o.interval_ns);
	if (reply->r >= 0 && (round_trip = unpack_u64(&u), unpack_done(&u)))
		p->fn(p, PING_ANSWERED, round_trip, p->userdata);
	else if (!reply->text && reply->r == -ENOTCONN)
		p->fn(p, PING_FAILED, 0, p->userdata);
}

static void on_timer(struct timer *t, void *userdata)
{
	(void)t;
	ask(userdata);
}

int ping_new(
	struct ping **ret, struct loop *l, const struct ping_options *o, ping_fn fn, void *userdata)
{
	_cleanup_(ping_freep) struct ping *p = calloc(1, sizeof(*p));
	struct sockaddr_storage to;
	socklen_t size;
	int r;

	if (!p)
		return -ENOMEM;
	p->o = *o;
	p->o.port = o->port ? o->port : PING_PORT;
	p->o.address = NULL; /* borrowed for this call only */
	p->fn = fn;
	p->userdata = userdata;
	r = rpcping_address(o->address, p->o.port, &to, &size);
	if (r >= 0)
		r = str_replace(&p->address, o->address);
	if (r >= 0)
		r = timer_new_exact(&p->timer, l, on_timer, p);
	if (r < 0)
		return r;
	if (o->pool)
		timer_arm(p->timer, 0);
	*ret = TAKE_PTR(p);
	return 0;
}

struct ping *ping_free(struct ping *p)
{
	if (!p)
		return NULL;
	worker_call_cancel(p->call);
	timer_free(p->timer);
	free(p->address);
	free(p);
	return NULL;
}
