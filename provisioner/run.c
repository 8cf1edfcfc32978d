/* SPDX-License-Identifier: Apache-2.0 */
/* run.c: signals, leader election, reload and the graceful end */
#include "provisioner/run.h"

#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "base/log.h"
#include "provisioner/feed.h"
#include "provisioner/jobs.h"
#include "provisioner/orphans.h"
#include "provisioner/provisioner.h"
#include "provisioner/releases.h"
#include "provisioner/works.h"

/* What runs may finish in this time; then the lease is given back all the same. */
#define END_WITHIN SECONDS(20)
/* Events that are still queued when all work is done. */
#define EVENTS_WITHIN SECONDS(2)
/* While ending only: how often it is looked whether all is done. */
#define END_TICK MILLISECONDS(50)

/* ---- the end ----------------------------------------------------------------------------- */

static bool work_is_done(const struct provisioner *p)
{
	return works_count(p->works).running == 0 && releases_count(p).running == 0 &&
	       queue_running(p->exports->queue) == 0 && queue_running(p->intents->queue) == 0 &&
	       queue_running(p->adoptions->queue) == 0;
}

static void give_back(struct provisioner *p)
{
	timer_disarm(p->grace);
	if (p->lease && p->leading)
		lease_release(p->lease);
	else
		loop_exit(p->loop, 0);
}

static void on_grace(struct timer *t, void *userdata)
{
	struct provisioner *p = userdata;
	uint64_t took = clock_now() - p->stopping_since;
	bool events = kube_events_pending(p->events) > 0 && took < EVENTS_WITHIN;

	if ((work_is_done(p) && !events) || took >= END_WITHIN)
		give_back(p);
	else
		timer_arm(t, END_TICK);
}

void provisioner_settled(struct provisioner *p)
{
	if (p->stopping && work_is_done(p) && timer_armed(p->grace))
		timer_arm(p->grace, 0);
}

static void stop(struct provisioner *p)
{
	p->stopping = true;
	p->stopping_since = clock_now();
	works_pause(p->works, true);
	queue_pause(p->releases->queue, true);
	queue_pause(p->intents->queue, true);
	queue_pause(p->adoptions->queue, true);
	queue_pause(p->exports->queue, true);
	orphans_stop(p->orphans);
	timer_arm(p->grace, END_TICK);
}

static void on_term(struct sig *s, int signo, void *userdata)
{
	struct provisioner *p = userdata;

	(void)s;
	if (p->stopping) {
		log_warning("second signal: ending at once");
		loop_exit(p->loop, 1);
		return;
	}
	log_info("%s: finishing what runs", signo == SIGTERM ? "SIGTERM" : "SIGINT");
	stop(p);
}

/* ---- configuration ----------------------------------------------------------------------- */

static void lease_event(struct provisioner *p, bool warning, const char *reason, const char *text)
{
	const struct provisioner_object o = {"Lease",
		str_or(p->config->lease.namespace_, p->kube.namespace_), p->config->lease.name, ""};

	if (p->lease && p->leading)
		provisioner_event(p, &o, warning, reason, "%s", text);
}

static void use(struct provisioner *p, struct config *c)
{
	const struct object *o;
	size_t cursor = 0;

	config_free(p->config);
	p->config = c;
	log_set_level(c->log.level);
	classes_forget(&p->classes, NULL);
	works_set_limits(p->works);
	queue_set_limits(p->releases->queue, c->limits.reclaims, c->limits.per_server);
	while ((o = informer_next(p->classes_seen, &cursor)) != NULL)
		works_class_changed(p->works, o->name);
	if (provisioner_active(p))
		orphans_rearm(p->orphans);
}

static void on_reload(struct reload *r, void *userdata)
{
	struct provisioner *p = userdata;
	_cleanup_(config_freep) struct config *c = NULL;
	struct err e = ERR_NULL;
	char keys[128];

	(void)r;
	if (p->stopping)
		return;
	if (config_load(&c, p->config_path, &e) >= 0 && !streq(c->driver, p->config->driver))
		err_set(&e, EINVAL, "%s: driver cannot change while we run", p->config_path);
	if (e.code) {
		log_error("the new configuration is not used: %s", e.text);
		lease_event(p, true, "InvalidConfiguration", e.text);
		return;
	}
	config_restart_keys(p->config, c, keys, sizeof(keys));
	use(p, TAKE_PTR(c));
	log_info("the configuration was read again%s%s", *keys ? "; these need a restart: " : "",
		keys);
}

int run_signals(struct provisioner *p, struct err *e)
{
	int r = timer_new_exact(&p->grace, p->loop, on_grace, p);

	signal(SIGPIPE, SIG_IGN);
	if (r >= 0)
		r = sig_new(&p->signals[0], p->loop, SIGTERM, on_term, p);
	if (r >= 0)
		r = sig_new(&p->signals[1], p->loop, SIGINT, on_term, p);
	if (r < 0)
		return err_sys(e, r, "cannot catch signals");
	return reload_new(&p->reload, p->loop, p->config_path, on_reload, p, e);
}

/* ---- leadership -------------------------------------------------------------------------- */

static void on_acquired(struct lease *l, void *userdata)
{
	struct provisioner *p = userdata;

	(void)l;
	p->leading = true;
	log_info("leading");
	lease_event(p, false, "LeaderElection", "became leader");
	feed_begin(p);
}

/* Another may lead by now: nothing is finished, nothing is written any more. */
static void on_lost(struct lease *l, void *userdata)
{
	struct provisioner *p = userdata;

	(void)l;
	p->leading = false;
	log_error("the lease could not be renewed in time: all work stops");
	loop_exit(p->loop, 1);
}

static void on_released(struct lease *l, void *userdata)
{
	struct provisioner *p = userdata;

	(void)l;
	p->leading = false;
	loop_exit(p->loop, 0);
}

int run_lease(struct provisioner *p, const char *holder, struct err *e)
{
	static const struct lease_callbacks callbacks = {
		.acquired = on_acquired, .lost = on_lost, .released = on_released};
	const struct config *c = p->config;
	const struct lease_options o = {
		.namespace_ = str_or(c->lease.namespace_, p->kube.namespace_),
		.name = c->lease.name,
		.identity = holder,
		.duration_ns = c->lease.duration,
		.renew_deadline_ns = c->lease.renew_deadline,
		.retry_ns = c->lease.retry,
	};

	if (c->lease.enabled)
		return lease_new(&p->lease, p->loop, &p->kube, &o, &callbacks, p, e);
	p->leading = true;
	return 0;
}
