/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c: leader election by a Lease (contracts.md 5.10; client-go tools/leaderelection) */
#include "kube/lease.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/sm.h"
#include "base/str.h"
#include "data/decode.h"
#include "kube/request.h"

/* client-go's jitter while it waits for the lease: retry period times 1 to 2.2. */
#define ACQUIRE_JITTER_PERCENT 120
/* A release that meets a conflict is tried again so often. */
#define RELEASE_TRIES 5
/* An identity is a pod's name and a UUID. */
#define IDENTITY_MAX 320
#define PATH_BYTES 1024

enum state { WAITING, TRYING, LEADING, RENEWING, RELEASING, STOPPED };
enum event { TICK, GOT, REFUSED, EXPIRED, RELEASE, DONE };

/* What one try consists of; a step's answer decides the next. */
enum step { STEP_FAST, STEP_GET, STEP_CREATE, STEP_TAKE, STEP_RELEASE_GET, STEP_RELEASE };

struct lease {
	struct kube_client *client, *own;
	struct kube_request *q;
	struct timer *timer;  /* the next try */
	struct timer *expiry; /* the end of what was renewed last */
	struct lease_callbacks cb;
	void *userdata;
	uint64_t duration, deadline, retry;
	uint8_t state; /* enum state */
	enum step step;

	json_t *observed; /* the Lease object as last seen or written; NULL for none */
	uint64_t observed_at;
	uint64_t sent_at; /* of the write at hand */
	uint64_t renewed_at;
	unsigned releases;
	unsigned depth;
	bool held, dead, heartbeat;
	char identity[IDENTITY_MAX];
	char collection[PATH_BYTES], path[PATH_BYTES];
	char name[256], namespace_[256];
};

static int fire(struct lease *l, enum event e);
static int step_start(struct lease *l, enum step step);

static void lease_destroy(struct lease *l)
{
	kube_request_cancel(l->q);
	kube_client_free(l->own);
	timer_free(l->timer);
	timer_free(l->expiry);
	json_decref(l->observed);
	free(l);
}

static void lease_leave(struct lease *l)
{
	if (--l->depth == 0 && l->dead)
		lease_destroy(l);
}

struct lease *lease_free(struct lease *l)
{
	if (!l)
		return NULL;
	l->dead = true;
	l->held = false;
	if (l->depth == 0)
		lease_destroy(l);
	return NULL;
}

/* ---- the Lease object ---- */

static const char *holder_of(const json_t *lease)
{
	return str_or(json_string_at(lease, "spec", "holderIdentity", NULL), "");
}

static uint64_t duration_of(const json_t *lease)
{
	json_int_t s = json_integer_value(json_at(lease, "spec", "leaseDurationSeconds", NULL));

	return s > 0 && s < 86400 ? SECONDS((uint64_t)s) : 0;
}

static void observe(struct lease *l, const json_t *lease, uint64_t at)
{
	json_t *own = json_incref((json_t *)lease);

	json_decref(l->observed);
	l->observed = own;
	l->observed_at = at;
}

/* Only what one sees change counts, on one's own clock; the server's times say nothing. */
static void observe_changed(struct lease *l, const json_t *lease)
{
	const json_t *old = json_at(l->observed, "spec", NULL);
	const json_t *now = json_at(lease, "spec", NULL);

	if (!l->observed || !json_equal(old, now))
		observe(l, lease, clock_now());
	else
		observe(l, lease, l->observed_at);
}

static bool held_by_other(const struct lease *l)
{
	const char *holder = holder_of(l->observed);

	return *holder && !streq(holder, l->identity) &&
	       l->observed_at + duration_of(l->observed) > clock_now();
}

static json_int_t seconds_of(uint64_t ns)
{
	return ns < NSEC_PER_SEC ? 1 : (json_int_t)(ns / NSEC_PER_SEC);
}

/* The object with a new spec; everything else in it, known to us or not, stays. NULL without
 * memory. */
static json_t *lease_json(struct lease *l, const char *holder, json_int_t duration)
{
	bool ours = streq(holder_of(l->observed), l->identity);
	char now[CLOCK_TEXT_MAX];
	json_t *lease = l->observed ? json_deep_copy(l->observed)
				    : json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion",
					      "coordination.k8s.io/v1", "kind", "Lease", "metadata",
					      "name", l->name, "namespace", l->namespace_);
	json_t *spec = json_object_get(lease, "spec");
	json_int_t transitions = json_integer_value(json_object_get(spec, "leaseTransitions"));

	clock_format_micro(clock_real(), now);
	if (lease && !json_is_object(spec)) {
		spec = json_object();
		json_object_set_new(lease, "spec", spec);
	}
	json_object_set_new(spec, "holderIdentity", json_string(holder));
	json_object_set_new(spec, "leaseDurationSeconds", json_integer(duration));
	json_object_set_new(spec, "renewTime", json_string(now));
	if (!ours || !*holder)
		json_object_set_new(spec, "acquireTime", json_string(now));
	if (l->observed && !ours)
		transitions++;
	json_object_set_new(spec, "leaseTransitions", json_integer(transitions));
	return lease;
}

/* ---- one try ---- */

/* The lease was written: ours from the moment the request left. */
static void step_won(struct lease *l, const struct kube_response *res)
{
	observe(l, res->object, l->sent_at);
	l->renewed_at = l->sent_at;
	fire(l, GOT);
}

static void step_lost(struct lease *l, const struct kube_response *res)
{
	if (res->status != KUBE_OK)
		log_info("lease %s: %s", l->name, res->err.text);
	fire(l, REFUSED);
}

static int step_go_on(struct lease *l, enum step step)
{
	int r = step_start(l, step);

	if (r < 0)
		fire(l, REFUSED);
	return r;
}

static void on_got(struct lease *l, const struct kube_response *res)
{
	if (res->status == KUBE_E_NOT_FOUND) {
		json_decref(l->observed);
		l->observed = NULL;
		step_go_on(l, STEP_CREATE);
		return;
	}
	if (res->status != KUBE_OK || !res->object) {
		step_lost(l, res);
		return;
	}
	observe_changed(l, res->object);
	/* Whoever finds his own lease with another has lost it, whatever his clock says. */
	if (held_by_other(l))
		fire(l, l->held ? EXPIRED : REFUSED);
	else
		step_go_on(l, STEP_TAKE);
}

static void on_release_got(struct lease *l, const struct kube_response *res)
{
	if (res->status == KUBE_OK && res->object) {
		observe(l, res->object, clock_now());
		if (streq(holder_of(l->observed), l->identity)) {
			if (step_start(l, STEP_RELEASE) < 0)
				fire(l, DONE);
			return;
		}
	}
	fire(l, DONE);
}

static void on_released(struct lease *l, const struct kube_response *res)
{
	if (res->status == KUBE_E_CONFLICT && ++l->releases < RELEASE_TRIES &&
		step_start(l, STEP_RELEASE_GET) >= 0)
		return;
	fire(l, DONE);
}

static void on_step(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct lease *l = userdata;

	(void)q;
	l->q = NULL;
	l->depth++;
	switch (l->step) {
	case STEP_FAST:
		if (res->status == KUBE_OK && res->object)
			step_won(l, res);
		else
			step_go_on(l, STEP_GET);
		break;
	case STEP_GET:
		on_got(l, res);
		break;
	case STEP_CREATE:
	case STEP_TAKE:
		if (res->status == KUBE_OK && res->object)
			step_won(l, res);
		else
			step_lost(l, res);
		break;
	case STEP_RELEASE_GET:
		on_release_got(l, res);
		break;
	case STEP_RELEASE:
		on_released(l, res);
		break;
	}
	lease_leave(l);
}

static int step_start(struct lease *l, enum step step)
{
	struct kube_request_spec s = {
		.method = KUBE_PUT, .path = l->path, .timeout_ns = l->deadline / 2, .once = true};

	l->step = step;
	l->sent_at = clock_now();
	switch (step) {
	case STEP_GET:
	case STEP_RELEASE_GET:
		s.method = KUBE_GET;
		break;
	case STEP_CREATE:
		s.method = KUBE_POST;
		s.path = l->collection;
		s.json = lease_json(l, l->identity, seconds_of(l->duration));
		break;
	case STEP_FAST:
	case STEP_TAKE:
		s.json = lease_json(l, l->identity, seconds_of(l->duration));
		break;
	case STEP_RELEASE:
		s.json = lease_json(l, "", 1);
		break;
	}
	if (s.method != KUBE_GET && !s.json)
		return -ENOMEM;
	return kube_request(l->client, &s, on_step, l, &l->q);
}

/* ---- the machine ---- */

static int act_try(void *obj)
{
	struct lease *l = obj;
	bool fast = l->observed && streq(holder_of(l->observed), l->identity) &&
		    l->observed_at + duration_of(l->observed) > clock_now();

	return step_go_on(l, fast ? STEP_FAST : STEP_GET);
}

static int act_acquired(void *obj)
{
	struct lease *l = obj;
	uint64_t now = clock_now();

	timer_arm(l->expiry,
		l->renewed_at + l->deadline > now ? l->renewed_at + l->deadline - now : 0);
	timer_arm(l->timer, l->retry);
	if (l->held)
		return 0;
	l->held = true;
	log_info("lease %s: %s %s", l->name, l->identity,
		l->heartbeat ? "renews it" : "became leader");
	if (l->cb.acquired)
		l->cb.acquired(l, l->userdata);
	return 0;
}

static int act_wait(void *obj)
{
	struct lease *l = obj;

	timer_arm(l->timer, l->retry + random_below(l->retry / 100 * ACQUIRE_JITTER_PERCENT + 1));
	return 0;
}

static int act_renew_later(void *obj)
{
	struct lease *l = obj;

	timer_arm(l->timer, l->retry);
	return 0;
}

static int act_lost(void *obj)
{
	struct lease *l = obj;

	kube_request_cancel(TAKE_PTR(l->q));
	timer_disarm(l->expiry);
	l->held = false;
	log_warning("lease %s: %s %s", l->name, l->identity,
		l->heartbeat ? "could not renew it in time" : "is leader no more");
	act_wait(l);
	if (l->cb.lost)
		l->cb.lost(l, l->userdata);
	return 0;
}

static int act_release(void *obj)
{
	struct lease *l = obj;

	kube_request_cancel(TAKE_PTR(l->q));
	timer_disarm(l->timer);
	timer_disarm(l->expiry);
	l->held = false;
	l->releases = 0;
	if (!streq(holder_of(l->observed), l->identity) || step_start(l, STEP_RELEASE_GET) < 0)
		timer_arm(l->timer, 0);
	return 0;
}

static int act_released(void *obj)
{
	struct lease *l = obj;

	log_info("lease %s: %s %s", l->name, l->identity,
		l->heartbeat ? "gave it up" : "stopped leading");
	if (l->cb.released)
		l->cb.released(l, l->userdata);
	return 0;
}

static const char *const state_names[] = {
	"waiting", "trying", "leading", "renewing", "releasing", "stopped"};
static const char *const event_names[] = {"tick", "got", "refused", "expired", "release", "done"};

static const struct sm_edge edges[] = {
	{WAITING, TICK, TRYING, act_try},
	{TRYING, GOT, LEADING, act_acquired},
	{TRYING, REFUSED, WAITING, act_wait},
	{LEADING, TICK, RENEWING, act_try},
	{LEADING, EXPIRED, WAITING, act_lost},
	{RENEWING, GOT, LEADING, act_acquired},
	{RENEWING, REFUSED, LEADING, act_renew_later},
	{RENEWING, EXPIRED, WAITING, act_lost},
	{WAITING, RELEASE, RELEASING, act_release},
	{TRYING, RELEASE, RELEASING, act_release},
	{LEADING, RELEASE, RELEASING, act_release},
	{RENEWING, RELEASE, RELEASING, act_release},
	{RELEASING, TICK, STOPPED, act_released},
	{RELEASING, DONE, STOPPED, act_released},
};

static const struct sm_table lease_table = {
	"lease", state_names, event_names, edges, ELEMENTSOF(edges)};

static int fire(struct lease *l, enum event e)
{
	return l->dead ? 0 : sm_fire(&lease_table, &l->state, (uint8_t)e, l);
}

static void on_tick(struct timer *t, void *userdata)
{
	struct lease *l = userdata;

	(void)t;
	l->depth++;
	fire(l, TICK);
	lease_leave(l);
}

static void on_expiry(struct timer *t, void *userdata)
{
	struct lease *l = userdata;

	(void)t;
	l->depth++;
	fire(l, EXPIRED);
	lease_leave(l);
}

static int lease_names(struct lease *l, const struct lease_options *o)
{
	char namespace_[256], name[768];
	int r = kube_escape(namespace_, sizeof(namespace_), o->namespace_);

	if (r >= 0)
		r = kube_escape(name, sizeof(name), o->name);
	if (r >= 0)
		r = str_format(l->collection, sizeof(l->collection),
			"/apis/coordination.k8s.io/v1/namespaces/%s/leases", namespace_);
	if (r >= 0)
		r = str_format(l->path, sizeof(l->path), "%s/%s", l->collection, name);
	if (r >= 0)
		r = str_copy(l->name, sizeof(l->name), o->name);
	if (r >= 0)
		r = str_copy(l->namespace_, sizeof(l->namespace_), o->namespace_);
	return r < 0 ? r : str_copy(l->identity, sizeof(l->identity), o->identity);
}

static int lease_init(
	struct lease *l, struct loop *loop, const struct lease_setup *setup, struct err *e)
{
	const struct kube_options options = {
		.user_agent = "berth-leader-election/" BERTH_VERSION, .http1 = true};
	int r = lease_names(l, setup->options);

	if (r < 0 || str_empty(l->identity))
		return err_set(e, EINVAL, "a lease's namespace, name or identity is too long");
	if (l->duration <= l->deadline || l->deadline <= l->retry / 100 * ACQUIRE_JITTER_PERCENT)
		return err_set(e, EINVAL,
			"a lease's duration must be longer than its renew deadline, and that "
			"longer than 1.2 retry periods");
	if (!setup->client) {
		r = kube_client_new(&l->own, loop, setup->config, &options, e);
		if (r < 0)
			return r;
	}
	l->client = setup->client ? setup->client : l->own;
	r = timer_new_exact(&l->timer, loop, on_tick, l);
	if (r >= 0)
		r = timer_new_exact(&l->expiry, loop, on_expiry, l);
	return r < 0 ? err_sys(e, r, "cannot prepare the leader election") : 0;
}

int lease_start(
	struct lease **ret, struct loop *loop, const struct lease_setup *setup, struct err *e)
{
	struct lease *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_sys(e, ENOMEM, "cannot prepare the leader election");
	l->cb = *setup->callbacks;
	l->userdata = setup->userdata;
	l->duration = setup->options->duration_ns;
	l->deadline = setup->options->renew_deadline_ns;
	l->retry = setup->options->retry_ns;
	l->heartbeat = setup->options->heartbeat;
	r = lease_init(l, loop, setup, e);
	if (r < 0) {
		lease_destroy(l);
		return r;
	}
	timer_arm(l->timer, 0);
	*ret = l;
	return 0;
}

bool lease_valid(const struct lease *l)
{
	return l->held && clock_now() < l->renewed_at + l->deadline;
}

void lease_release(struct lease *l)
{
	l->depth++;
	fire(l, RELEASE);
	lease_leave(l);
}

uint64_t lease_renewed_at(const struct lease *l)
{
	return l->renewed_at;
}
