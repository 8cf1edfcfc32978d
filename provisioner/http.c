/* SPDX-License-Identifier: Apache-2.0 */
/* http.c: probes and metrics of the daemon */
#include "provisioner/http.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "nfs/nfs.h"
#include "provisioner/exports.h"
#include "provisioner/intents.h"
#include "provisioner/mounted.h"
#include "provisioner/provisioner.h"
#include "provisioner/releases.h"
#include "provisioner/works.h"

/* Metrics of 1,000 series fit with room to spare. */
#define METRICS_MAX (4U << 20)
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
/* Beyond the lease's end by this much the process is stuck (contracts.md 5.10, HealthzAdaptor). */
#define LEASE_TOLERANCE SECONDS(20)

static bool is_healthy(const struct provisioner *p)
{
	uint64_t renewed = p->lease && p->leading ? lease_renewed_at(p->lease) : 0;

	return !renewed || clock_now() < renewed + p->config->lease.duration + LEASE_TOLERANCE;
}

/* ---- metrics ----------------------------------------------------------------------------- */

static void gauge_claims(struct provisioner *p)
{
	static const char help[] = "Claims of ours by what they wait for.";
	const struct works_count n = works_count(p->works);
	const struct {
		const char *state;
		size_t n;
	} states[] = {{"queued", n.queued}, {"running", n.running}, {"delayed", n.delayed},
		{"held", n.held}, {"gated", n.gated}};

	for (size_t i = 0; i < ELEMENTSOF(states); i++)
		stats_gauge_for(p->stats, "berth_claims", help, "state", states[i].state,
			(double)states[i].n);
}

static void gauge_kinds(struct provisioner *p)
{
	const struct informer *all[] = {p->claims, p->volumes, p->classes_seen, p->intents_seen,
		mounted_informer(p->mounted, 0), mounted_informer(p->mounted, 1),
		mounted_informer(p->mounted, 2)};

	for (size_t i = 0; i < ELEMENTSOF(all); i++) {
		struct informer_stats n;
		const char *kind;

		if (!all[i])
			continue;
		kind = informer_kind(all[i])->name;
		informer_stats(all[i], &n);
		stats_gauge_for(p->stats, "berth_cached_objects", "Objects in the cache.", "kind",
			kind, (double)informer_size(all[i]));
		stats_gauge_for(p->stats, "berth_watch_events_total", "Events received so far.",
			"kind", kind, (double)n.events);
		stats_gauge_for(p->stats, "berth_lists_total", "Full lists so far.", "kind", kind,
			(double)n.lists);
	}
}

static void gauge_requests(struct provisioner *p)
{
	static const char *const methods[] = {
		"GET", "POST", "PUT", "DELETE", "PATCH_MERGE", "PATCH_JSON", "PATCH_STRATEGIC"};
	struct kube_client_stats n;

	kube_client_stats(p->client, &n);
	for (size_t i = 0; i < ELEMENTSOF(methods); i++)
		stats_gauge_for(p->stats, "berth_api_requests_total",
			"Requests to the API server so far, watches apart.", "method", methods[i],
			(double)n.requests[i]);
	stats_gauge(p->stats, "berth_api_retries_total", "Requests sent again so far.",
		(double)n.retries);
	stats_gauge(p->stats, "berth_api_in_flight", "Requests in flight.", (double)n.in_flight);
	stats_gauge(p->stats, "berth_api_waiting", "Requests that wait for a slot or a token.",
		(double)n.waiting);
}

static void gauge_lane(const char *lane, size_t waiting, size_t running, int silent, void *userdata)
{
	struct provisioner *p = userdata;

	stats_gauge_for(p->stats, "berth_server_claims_waiting", "Claims that wait for the server.",
		"server", lane, (double)waiting);
	stats_gauge_for(p->stats, "berth_server_claims_running",
		"Claims being served on the server.", "server", lane, (double)running);
	stats_gauge_for(p->stats, "berth_server_silent", "1 while the server does not answer.",
		"server", lane, silent);
}

static void gauge_workers(struct provisioner *p)
{
	struct worker_stats n = {0};

	nfs_backend_stats(p->nfs, &n);
	stats_gauge(p->stats, "berth_nfs_workers", "berth-nfs processes.", (double)n.workers);
	stats_gauge(p->stats, "berth_nfs_workers_started_total", "… started so far.",
		(double)n.started);
	stats_gauge(p->stats, "berth_nfs_workers_killed_total", "… killed at a deadline so far.",
		(double)n.killed);
}

static void gauges(struct provisioner *p)
{
	const struct releases_count releases = releases_count(p);

	gauge_claims(p);
	gauge_kinds(p);
	gauge_requests(p);
	gauge_workers(p);
	queue_each(works_queue(p->works), gauge_lane, p);
	stats_gauge(p->stats, "leader_election_master_status", "1 while this process leads.",
		p->leading);
	stats_gauge(p->stats, "berth_releases_running", "Volumes being reclaimed.",
		(double)releases.running);
	stats_gauge(p->stats, "berth_releases_waiting", "Volumes that wait to be reclaimed.",
		(double)releases.waiting);
	stats_gauge(p->stats, "berth_releases_held",
		"Volumes that wait to be reclaimed until no node has them mounted.",
		(double)releases.held);
	stats_gauge(p->stats, "berth_trash_trees", "Trees in trash that wait to be removed.",
		(double)exports_waiting(p));
	stats_gauge(p->stats, "berth_unsettled_volumes",
		"PersistentVolumes that kube-controller-manager has yet to change.",
		(double)p->ledger.unsettled.size);
}

static void reply_metrics(struct http_exchange *x, struct provisioner *p)
{
	_cleanup_buf_ struct buf text = BUF_NULL(METRICS_MAX);

	gauges(p);
	if (metrics_text(p->stats->metrics, &text) < 0)
		http_reply_text(x, 500, "out of memory\n");
	else
		http_reply(x, 200, METRICS_TYPE, str_or(text.data, ""), text.len, NULL);
}

static void on_request(struct http_exchange *x, void *userdata)
{
	struct provisioner *p = userdata;
	const char *path = http_path(x);

	if (!streq(http_method(x), "GET") && !streq(http_method(x), "HEAD"))
		http_reply_text(x, 405, "only GET\n");
	else if (streq(path, "/metrics"))
		reply_metrics(x, p);
	else if (streq(path, "/healthz") || streq(path, "/healthz/leader-election"))
		http_reply_text(x, is_healthy(p) ? 200 : 500,
			is_healthy(p) ? "ok\n" : "the lease was not renewed for too long\n");
	else if (streq(path, "/readyz"))
		http_reply_text(x, p->synced && !p->stopping ? 200 : 503,
			p->stopping ? "stopping\n"
			: p->synced ? "ok\n"
				    : "caches are being filled\n");
	else
		http_reply_text(x, 404, "not here: /healthz, /readyz, /metrics\n");
}

int provisioner_http_start(struct provisioner *p, struct err *e)
{
	static const struct http_handler handler = {.request = on_request};
	const struct http_options o = {
		.address = *p->config->listen.address ? p->config->listen.address : "::",
		.port = p->config->listen.port,
		.fd = -1,
	};
	int r;

	if (!p->config->listen.on)
		return 0;
	r = http_server_new(&p->http, p->loop, &o, &handler, p, e);
	return r < 0 ? err_prefix(e, "listen") : 0;
}
