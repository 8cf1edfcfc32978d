/* SPDX-License-Identifier: Apache-2.0 */
/* drip.c: a slow stream of a body that is known */
#include "tools/devapi/drip.h"

#include "base/clock.h"

struct drip {
	struct session session;
	struct http_exchange *x;
	struct timer *timer;
	char *body;
	size_t size, sent;
	uint64_t interval;
};

static void drip_free(struct drip *d)
{
	timer_free(d->timer);
	free(d->body);
	free(d);
}

void drip_gone(struct session *s)
{
	drip_free(CONTAINER_OF(s, struct drip, session));
}

static void on_time(struct timer *t, void *userdata)
{
	struct drip *d = userdata;

	if (d->sent == d->size || http_stream_write(d->x, d->body + d->sent, 1) < 0) {
		http_stream_end(d->x);
		drip_free(d);
		return;
	}
	d->sent++;
	timer_arm(t, d->interval);
}

void drip_start(struct loop *l, struct http_exchange *x, struct reply *r, unsigned bytes_per_second)
{
	struct drip *d = calloc(1, sizeof(*d));

	if (!d || timer_new_exact(&d->timer, l, on_time, d) < 0) {
		free(d);
		http_abort(x);
		return;
	}
	d->session.type = SESSION_DRIP;
	d->x = x;
	d->body = TAKE_PTR(r->body);
	d->size = r->size;
	d->interval = NSEC_PER_SEC / (bytes_per_second > 0 ? bytes_per_second : 1);
	http_set_userdata(x, &d->session);
	http_stream(x, r->code, "application/json", 65536);
	timer_arm(d->timer, d->interval);
}
