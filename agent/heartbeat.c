/* SPDX-License-Identifier: Apache-2.0 */
/* heartbeat.c: a Lease with one holder, held back while the report is late */
#include "agent/heartbeat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"

#define PREFIX "berth-agent-"
#define DURATION SECONDS(40)
#define DEADLINE SECONDS(30)
#define RETRY SECONDS(10)
/* Seventeen bytes for a dash and a hash. */
#define HASH_TEXT 17

struct heartbeat {
	struct heartbeat_setup s;
	char *namespace_, *node;
	char name[HEARTBEAT_NAME_MAX];
	struct lease *lease; /* NULL while held back */
	struct timer *again; /* where it could not be started */
	bool held;
};

/* FNV-1a: the same in every process, unlike map_hash(). */
static uint64_t hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3ULL;
	return h;
}

char *heartbeat_name(const char *node, char dst[static HEARTBEAT_NAME_MAX])
{
	char cut[HEARTBEAT_NAME_MAX - sizeof(PREFIX) - HASH_TEXT];

	if (str_format(dst, HEARTBEAT_NAME_MAX, PREFIX "%s", node) >= 0)
		return dst;
	str_copy_cut(cut, sizeof(cut), node);
	if (str_format(dst, HEARTBEAT_NAME_MAX, PREFIX "%s-%016llx", cut,
		    (unsigned long long)hash(node)) < 0)
		*dst = '\0';
	return dst;
}

static void start(struct heartbeat *h)
{
	static const struct lease_callbacks none = {NULL, NULL, NULL};
	const struct lease_options o = {
		.namespace_ = h->namespace_,
		.name = h->name,
		.identity = h->node,
		.duration_ns = DURATION,
		.renew_deadline_ns = DEADLINE,
		.retry_ns = RETRY,
		.heartbeat = true,
	};
	const struct lease_setup setup = {h->s.config, &o, &none, h, h->s.client};
	struct err e = ERR_NULL;

	if (lease_start(&h->lease, h->s.loop, &setup, &e) >= 0)
		return;
	log_warning("the agent's Lease: %s", e.text);
	timer_arm(h->again, RETRY);
}

static void on_again(struct timer *t, void *userdata)
{
	struct heartbeat *h = userdata;

	(void)t;
	if (!h->held && !h->lease)
		start(h);
}

void heartbeat_hold(struct heartbeat *h, bool held)
{
	if (h->held == held)
		return;
	h->held = held;
	if (held)
		h->lease = lease_free(h->lease);
	else if (!h->lease)
		start(h);
}

int heartbeat_new(struct heartbeat **ret, const struct heartbeat_setup *s)
{
	_cleanup_(heartbeat_freep) struct heartbeat *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	h->s = *s;
	h->held = true;
	h->namespace_ = strdup(s->namespace_);
	h->node = strdup(s->node);
	if (!h->namespace_ || !h->node)
		return -ENOMEM;
	heartbeat_name(s->node, h->name);
	r = timer_new_lazy(&h->again, s->loop, SECONDS(1), on_again, h);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(h);
	return 0;
}

struct heartbeat *heartbeat_free(struct heartbeat *h)
{
	if (!h)
		return NULL;
	lease_free(h->lease);
	timer_free(h->again);
	free(h->namespace_);
	free(h->node);
	free(h);
	return NULL;
}
