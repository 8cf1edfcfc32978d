/* SPDX-License-Identifier: Apache-2.0 */
/* eyes.c: what one part sees becomes the next part's work */
#include "agent/eyes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/alarms.h"
#include "agent/picture.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "mount/monitor.h"
#include "mount/table.h"

/* How often suspects are judged again. */
#define SUSPECT_EVERY SECONDS(5)
/* Publications come by the hundred, judging costs microseconds for each mount. */
#define JUDGE_AFTER MILLISECONDS(200)
/* The kernel tells of mounts that come and go, not of propagation that is changed. */
#define LOOK_EVERY SECONDS(30)
#define WHY_MAX 256

struct driver {
	char *name;
	bool registered;
	char why[WHY_MAX];
};

struct eyes {
	struct eyes_setup s;
	char *node, *kubelet_root, *mountinfo;
	char lease[HEARTBEAT_NAME_MAX];
	struct mount_monitor *monitor;
	struct mounts *mounts;
	struct health *health;
	struct alarms *alarms;
	struct report *report;
	struct heartbeat *heartbeat;
	struct nodewatch *nodewatch;
	struct timer *suspects;
	struct timer *publications; /* changed: to be judged */
	struct timer *again;        /* the next look without a change */
	struct picture picture;
	const char *propagation; /* a literal */
	bool unreadable;         /* the table, and that was said */
	struct driver drivers[NODEWATCH_DRIVERS_MAX];
};

struct mounts *eyes_mounts(const struct eyes *y)
{
	return y->mounts;
}

struct health *eyes_health(const struct eyes *y)
{
	return y->health;
}

struct report *eyes_report(const struct eyes *y)
{
	return y->report;
}

struct nodewatch *eyes_nodewatch(const struct eyes *y)
{
	return y->nodewatch;
}

const char *eyes_propagation(const struct eyes *y)
{
	return y->propagation;
}

/* ---- conditions -------------------------------------------------------------------------- */

static const struct driver *first_unregistered(const struct eyes *y)
{
	for (unsigned i = 0; i < y->s.n_drivers; i++)
		if (!y->drivers[i].registered)
			return &y->drivers[i];
	return NULL;
}

static void say_ready(struct eyes *y)
{
	const struct driver *d = first_unregistered(y);

	if (!y->report)
		return;
	if (d)
		report_condition(y->report, "Ready", false, "NotRegistered",
			"driver %s is not registered with the kubelet: %s", d->name, d->why);
	else if (*y->propagation && !streq(y->propagation, "shared"))
		report_condition(y->report, "Ready", false, "KubeletRootNotShared",
			"mounts below %s do not reach pods", y->kubelet_root);
	else
		report_condition(y->report, "Ready", true, "Ready", "volumes can be mounted");
}

static void say_shared(struct eyes *y)
{
	bool shared = streq(y->propagation, "shared");

	if (y->report && *y->propagation)
		report_condition(y->report, "KubeletRootShared", shared,
			shared ? "Shared" : "NotShared", "the mount that holds %s is %s",
			y->kubelet_root, y->propagation);
}

static void say_healthy(struct eyes *y)
{
	struct mounts_count n = mounts_count(y->mounts);
	unsigned bad = n.all - n.state[MOUNTS_OK];

	if (!y->report)
		return;
	if (bad)
		report_condition(y->report, "MountsHealthy", false,
			n.state[MOUNTS_HUNG]    ? "Hung"
			: n.state[MOUNTS_STALE] ? "Stale"
						: "Orphaned",
			"%u hung, %u stale, %u orphaned of %u mounts", n.state[MOUNTS_HUNG],
			n.state[MOUNTS_STALE], n.state[MOUNTS_ORPHANED], n.all);
	else
		report_condition(y->report, "MountsHealthy", true, "Healthy", "no mount is bad");
}

void eyes_registered(struct eyes *y, unsigned driver, bool registered, const char *why)
{
	struct driver *d;

	if (driver >= y->s.n_drivers)
		return;
	d = &y->drivers[driver];
	d->registered = registered;
	str_copy_cut(d->why, sizeof(d->why), str_or(why, ""));
	figures_registered(y->s.figures, d->name, registered);
	if (registered && y->nodewatch)
		nodewatch_registered(y->nodewatch, driver);
	say_ready(y);
}

/* ---- mounts ------------------------------------------------------------------------------ */

static bool on_publication(const char *target, struct mounts_publication *ret, void *userdata)
{
	struct eyes *y = userdata;

	return y->s.publication && y->s.publication(target, ret, y->s.userdata);
}

static void on_state(const struct mounts_entry *e, enum mounts_state old, void *userdata)
{
	struct eyes *y = userdata;
	struct mounts_publication p;

	if (old != _MOUNTS_STATE_MAX || e->state != MOUNTS_OK)
		log_info("%s is %s%s%s", e->target, mounts_state_name(e->state),
			*e->why ? ": " : "", e->why);
	if (y->alarms)
		alarms_changed(y->alarms, e, old, on_publication(e->target, &p, y) ? &p : NULL);
}

static void judged(struct eyes *y)
{
	if (mounts_count(y->mounts).suspects && !timer_armed(y->suspects))
		timer_arm(y->suspects, SUSPECT_EVERY);
	say_healthy(y);
	if (y->report)
		report_changed(y->report);
}

static void judge(struct eyes *y)
{
	mounts_judge(y->mounts);
	judged(y);
}

/* Suspects after a while, or publications that have changed. */
static void on_suspects(struct timer *t, void *userdata)
{
	(void)t;
	judge(userdata);
}

static void on_health(struct health *h, void *userdata)
{
	(void)h;
	judge(userdata);
}

static const char *propagation_of(const struct mount_table *t, const char *path)
{
	const struct mount_row *row = mount_table_holder(t, path);

	if (!row)
		return "";
	return row->peer ? "shared" : row->master ? "slave" : "private";
}

static void on_again(struct timer *t, void *userdata)
{
	struct eyes *y = userdata;

	(void)t;
	mount_monitor_poke(y->monitor);
}

static void on_table(struct mount_monitor *mon, void *userdata)
{
	struct eyes *y = userdata;
	_cleanup_(mount_table_freep) struct mount_table *t = NULL;
	const char *propagation;
	struct err e = ERR_NULL;
	int r = mount_table_read(&t, y->mountinfo, &e);

	(void)mon;
	timer_arm(y->again, LOOK_EVERY);
	if (r >= 0)
		r = mounts_update(y->mounts, t);
	if (r < 0) {
		if (!y->unreadable)
			log_error("the table of mounts: %s", e.code ? e.text : strerror(-r));
		y->unreadable = true;
		return;
	}
	y->unreadable = false;
	propagation = propagation_of(t, y->kubelet_root);
	if (!streq(y->propagation, propagation)) {
		y->propagation = propagation;
		say_shared(y);
		say_ready(y);
	}
	if (y->report)
		report_begin(y->report);
	judged(y);
	if (y->s.looked)
		y->s.looked(y->s.userdata);
}

void eyes_published(struct eyes *y)
{
	if (!timer_armed(y->publications))
		timer_arm(y->publications, JUDGE_AFTER);
}

void eyes_called(struct eyes *y, const char *target, int code)
{
	const struct mounts_entry *e = mounts_find(y->mounts, target);

	health_called(y->health, target, e ? e->server : NULL, e ? e->port : 0, code);
}

void eyes_look(struct eyes *y)
{
	mount_monitor_poke(y->monitor);
}

/* ---- report ------------------------------------------------------------------------------ */

static int on_fill(struct bnode_status *ret, void *userdata)
{
	struct eyes *y = userdata;

	ret->version = BERTH_VERSION;
	ret->lease = y->lease;
	ret->kubelet_root = y->kubelet_root;
	ret->propagation = *y->propagation ? y->propagation : NULL;
	return picture_take(&y->picture, y->mounts, y->health, ret);
}

/* A fresh Lease vouches for the report. */
static void on_late(bool late, void *userdata)
{
	struct eyes *y = userdata;

	if (y->heartbeat)
		heartbeat_hold(y->heartbeat, late);
}

static void on_lost(struct nodewatch *w, unsigned driver, const char *why, void *userdata)
{
	struct eyes *y = userdata;

	(void)w;
	if (y->s.lost)
		y->s.lost(driver, why, y->s.userdata);
}

static void on_node(struct nodewatch *w, void *userdata)
{
	struct eyes *y = userdata;

	if (y->report && nodewatch_synced(w))
		report_set_node(y->report, nodewatch_uid(w));
}

/* ---- figures ----------------------------------------------------------------------------- */

static void gauge_mounts(struct eyes *y)
{
	static const char help[] = "Volumes and subPaths mounted on the node by state.";
	struct mounts_count n = mounts_count(y->mounts);

	for (unsigned i = 0; i < _MOUNTS_STATE_MAX; i++)
		figures_set(y->s.figures, "berth_mounts", help, "state",
			mounts_state_name((enum mounts_state)i), n.state[i]);
	figures_set(y->s.figures, "berth_export_mounts", "Exports mounted on the node.", NULL, NULL,
		n.exports);
}

static void gauge_monitor(struct eyes *y)
{
	struct mount_monitor_stats n;

	mount_monitor_stats(y->monitor, &n);
	figures_set(y->s.figures, "berth_mount_table_reads_total",
		"Times that the table of mounts was read so far.", NULL, NULL, (double)n.runs);
	figures_set(y->s.figures, "berth_mount_table_read_seconds", "What the last reading took.",
		NULL, NULL, (double)n.last_run_ns / 1e9);
}

static void gauge_health(struct eyes *y)
{
	struct health_count n = health_count(y->health);

	figures_set(y->s.figures, "berth_nfs_servers", "NFS servers that volumes come from.", NULL,
		NULL, n.servers);
	figures_set(y->s.figures, "berth_nfs_servers_down", "Of them, those that do not answer.",
		NULL, NULL, n.down);
	figures_set(y->s.figures, "berth_nfs_servers_slow", "Of them, those that answer slowly.",
		NULL, NULL, n.slow);
	figures_set(y->s.figures, "berth_nfs_pings_total", "Calls to NFS servers so far.", NULL,
		NULL, (double)n.calls);
	figures_set(y->s.figures, "berth_nfs_ping_failures_total",
		"… that failed or were not answered so far.", NULL, NULL, (double)n.failures);
}

static void gauge_report(struct eyes *y)
{
	struct report_count n;

	if (!y->report)
		return;
	n = report_count(y->report);
	figures_set(y->s.figures, "berth_report_writes_total",
		"Writes of the BerthNode's status so far.", NULL, NULL, (double)n.writes);
	figures_set(y->s.figures, "berth_report_failures_total",
		"Requests about the BerthNode that failed so far.", NULL, NULL, (double)n.failures);
	figures_set(y->s.figures, "berth_report_late",
		"1 while the BerthNode is not what the node is.", NULL, NULL, n.late);
}

void eyes_gauges(struct eyes *y)
{
	gauge_mounts(y);
	gauge_monitor(y);
	gauge_health(y);
	gauge_report(y);
}

/* ---- frame ------------------------------------------------------------------------------- */

static int copy_texts(struct eyes *y)
{
	int r = str_replace(&y->node, y->s.node);

	if (r >= 0)
		r = str_replace(&y->kubelet_root, y->s.kubelet_root);
	if (r >= 0)
		r = str_replace(&y->mountinfo, y->s.mountinfo);
	for (unsigned i = 0; i < y->s.n_drivers && r >= 0; i++) {
		r = str_replace(&y->drivers[i].name, y->s.drivers[i].name);
		str_copy_cut(y->drivers[i].why, WHY_MAX, "it did not ask yet");
	}
	heartbeat_name(y->s.node, y->lease);
	return r;
}

static int start_mounts(struct eyes *y)
{
	static const struct mounts_ops ops = {.publication = on_publication, .changed = on_state};
	const struct mounts_setup setup = {
		.kubelet_root = y->kubelet_root,
		.exports = y->s.exports,
		.ops = &ops,
		.userdata = y,
		.orphan_after_ns = y->s.orphan_after_ns,
	};
	struct mounts_setup s = setup;
	int r = health_new(&y->health, y->s.loop, y->s.health, on_health, y);

	s.health = y->health;
	if (r >= 0)
		r = mounts_new(&y->mounts, &s);
	if (r >= 0)
		r = timer_new_lazy(&y->suspects, y->s.loop, SECONDS(1), on_suspects, y);
	if (r >= 0)
		r = timer_new_lazy(&y->publications, y->s.loop, MILLISECONDS(100), on_suspects, y);
	if (r >= 0)
		r = timer_new_lazy(&y->again, y->s.loop, SECONDS(5), on_again, y);
	return r;
}

static int start_report(struct eyes *y)
{
	static const struct report_ops ops = {.fill = on_fill, .late = on_late};
	const struct report_setup setup = {
		.loop = y->s.loop,
		.client = y->s.client,
		.node = y->node,
		.interval_ns = y->s.report_ns,
		.ops = &ops,
		.userdata = y,
	};
	const struct heartbeat_setup beat = {
		.loop = y->s.loop,
		.config = y->s.config,
		.client = y->s.client,
		.namespace_ = y->s.namespace_,
		.node = y->node,
	};
	int r = heartbeat_new(&y->heartbeat, &beat);

	return r < 0 ? r : report_new(&y->report, &setup);
}

static int start_api(struct eyes *y)
{
	static const struct nodewatch_callbacks callbacks = {.lost = on_lost, .changed = on_node};
	const struct nodewatch_setup setup = {
		.loop = y->s.loop,
		.client = y->s.client,
		.node = y->node,
		.drivers = y->s.drivers,
		.n_drivers = y->s.n_drivers,
		.callbacks = &callbacks,
		.userdata = y,
	};
	int r = start_report(y);

	if (r >= 0)
		r = nodewatch_new(&y->nodewatch, &setup);
	if (r >= 0 && y->s.events)
		r = alarms_new(&y->alarms, y->s.client, y->s.events, y->node);
	if (r >= 0)
		say_ready(y);
	return r;
}

int eyes_new(struct eyes **ret, const struct eyes_setup *s, struct err *e)
{
	_cleanup_(eyes_freep) struct eyes *y = calloc(1, sizeof(*y));
	int r;

	if (!y || s->n_drivers > NODEWATCH_DRIVERS_MAX)
		return err_sys(e, y ? E2BIG : ENOMEM, "cannot watch the node");
	y->s = *s;
	y->propagation = "";
	r = copy_texts(y);
	if (r >= 0)
		r = start_mounts(y);
	if (r >= 0 && s->client)
		r = start_api(y);
	if (r < 0)
		return err_sys(e, r, "cannot watch the node");
	r = mount_monitor_new(&y->monitor, s->loop, y->mountinfo, on_table, y, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(y);
	return 0;
}

struct eyes *eyes_free(struct eyes *y)
{
	if (!y)
		return NULL;
	mount_monitor_free(y->monitor);
	nodewatch_free(y->nodewatch);
	report_free(y->report);
	heartbeat_free(y->heartbeat);
	alarms_free(y->alarms);
	mounts_free(y->mounts);
	health_free(y->health);
	timer_free(y->suspects);
	timer_free(y->publications);
	timer_free(y->again);
	picture_done(&y->picture);
	for (unsigned i = 0; i < NODEWATCH_DRIVERS_MAX; i++)
		free(y->drivers[i].name);
	free(y->node);
	free(y->kubelet_root);
	free(y->mountinfo);
	free(y);
	return NULL;
}
