/* SPDX-License-Identifier: Apache-2.0 */
/* provisioner.c: builds the daemon up and takes it down */
#include "provisioner/provisioner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "nfs/nfs.h"
#include "provisioner/adoptions.h"
#include "provisioner/exports.h"
#include "provisioner/feed.h"
#include "provisioner/http.h"
#include "provisioner/intents.h"
#include "provisioner/jobs.h"
#include "provisioner/mounted.h"
#include "provisioner/names.h"
#include "provisioner/orphans.h"
#include "provisioner/privileges.h"
#include "provisioner/releases.h"
#include "provisioner/run.h"
#include "provisioner/works.h"

/* How long the API server's lack of BerthVolumes is believed before it is asked again. */
#define NO_INTENTS_FOR SECONDS(60)
#define HOST_MAX 64

/* ---- questions of the other modules ------------------------------------------------------ */

bool provisioner_active(const struct provisioner *p)
{
	return p->leading && p->synced && !p->stopping;
}

bool provisioner_may_act(const struct provisioner *p)
{
	return p->leading && (!p->lease || lease_valid(p->lease));
}

void provisioner_event(struct provisioner *p, const struct provisioner_object *o, bool warning,
	const char *reason, const char *fmt, ...)
{
	const struct kube_event_target t = {
		.kind = o->kind,
		.api = streq(o->kind, "Lease") ? "coordination.k8s.io/v1" : "v1",
		.namespace_ = o->namespace_,
		.name = o->name,
		.uid = o->uid,
	};
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	kube_event(p->events, &t, warning, reason, "%s", text);
}

void provisioner_no_intents(struct provisioner *p)
{
	if (!p->intents_gone)
		log_warning("the API server has no BerthVolumes (is deploy/crds.yaml applied?): "
			    "work goes "
			    "on without intents");
	p->intents_gone = clock_now();
	intents_missing(p);
}

bool provisioner_has_intents(const struct provisioner *p)
{
	return !p->intents_gone || clock_now() - p->intents_gone > NO_INTENTS_FOR;
}

bool provisioner_knows_place(struct provisioner *p, const char *server, const char *export_)
{
	const struct object *o;
	size_t cursor = 0;

	if (config_names(p->config, server, export_))
		return true;
	while ((o = informer_next(p->classes_seen, &cursor)) != NULL) {
		struct class_info *c = NULL;

		if (config_is_ours(p->config, class_of(o)->provisioner) &&
			classes_get(&p->classes, p->config, class_of(o), &c) >= 0 &&
			class_info_names(c, server, export_))
			return true;
	}
	return false;
}

/* ---- parts ------------------------------------------------------------------------------- */

static int load(struct provisioner *p, const char *kubeconfig, struct err *e)
{
	int r = config_load(&p->config, p->config_path, e);

	if (r < 0)
		return r;
	log_setup("berth-provisioner", p->config->log.level, p->config->log.format);
	r = kube_config_load(&p->kube, kubeconfig, e);
	if (r < 0)
		return r;
	return privileges_drop(p->config_path, p->config, &p->kube, e);
}

static void name_ourselves(struct provisioner *p, char *component, size_t size)
{
	char host[HOST_MAX] = "localhost", uid[UUID_TEXT_MAX];
	struct uuid u;

	gethostname(host, sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	uuid_random(&u);
	snprintf(component, size, "%s_%s_%s", p->config->driver, host, uuid_format(&u, uid));
	snprintf(p->identity, sizeof(p->identity), "%llu-%u-%s",
		(unsigned long long)(clock_real() / NSEC_PER_MSEC), (unsigned)random_below(10000),
		p->config->driver);
}

static int start_client(struct provisioner *p, const char *component, struct err *e)
{
	const struct kube_options o = {
		.user_agent = "berth-provisioner/" BERTH_VERSION,
		.qps = p->config->kube.qps,
		.burst = p->config->kube.burst,
		.max_in_flight = p->config->kube.in_flight,
	};
	int r = kube_client_new(&p->client, p->loop, &p->kube, &o, e);

	if (r < 0)
		return r;
	r = kube_events_new(&p->events, p->client, component);
	return r < 0 ? err_sys(e, r, "events") : 0;
}

static int start_storage(struct provisioner *p, struct err *e)
{
	const struct nfs_options o = {
		.worker_program = p->config->nfs.worker,
		.operation_ns = p->config->nfs.operation_timeout,
		.queue_ns = p->config->nfs.queue_timeout,
		.window = p->config->nfs.window,
		.idle_ns = p->config->nfs.idle,
	};

	return nfs_backend_new(&p->nfs, p->loop, &o, e);
}

static int start_parts(struct provisioner *p)
{
	int r = delays_new(&p->delays, p->loop);

	classes_init(&p->classes);
	ledger_init(&p->ledger);
	if (r >= 0)
		r = strpool_new(&p->pool);
	if (r >= 0)
		r = stats_new(&p->stats);
	if (r >= 0)
		r = releases_new(&p->releases, p);
	if (r >= 0)
		r = works_new(&p->works, p);
	if (r >= 0)
		r = intents_new(&p->intents, p);
	if (r >= 0)
		r = adoptions_new(&p->adoptions, p);
	if (r >= 0)
		r = exports_new(&p->exports, p);
	if (r >= 0)
		r = orphans_new(&p->orphans, p);
	if (r >= 0)
		r = mounted_new(&p->mounted, p);
	return r;
}

static int start_all(struct provisioner *p, struct err *e)
{
	char component[HOST_MAX + 128];
	int r = loop_new(&p->loop);

	if (r >= 0)
		r = start_parts(p);
	if (r < 0)
		return err_sys(e, r, "cannot set up");
	name_ourselves(p, component, sizeof(component));
	r = start_storage(p, e);
	if (r >= 0)
		r = start_client(p, component, e);
	if (r >= 0)
		r = provisioner_http_start(p, e);
	if (r >= 0)
		r = run_signals(p, e);
	if (r >= 0)
		r = privileges_lock(e);
	if (r >= 0)
		r = feed_start(p, e);
	if (r >= 0)
		r = run_lease(p, component, e);
	return r;
}

int provisioner_new(
	struct provisioner **ret, const char *config_path, const char *kubeconfig, struct err *e)
{
	_cleanup_(provisioner_freep) struct provisioner *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_set(e, ENOMEM, "out of memory");
	p->config_path = config_path;
	r = load(p, kubeconfig, e);
	if (r >= 0)
		r = start_all(p, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(p);
	return 0;
}

int provisioner_run(struct provisioner *p)
{
	int r;

	log_info("berth-provisioner " BERTH_VERSION " serves %s at %s", p->config->driver,
		p->kube.server);
	r = loop_run(p->loop);
	return r < 0 ? 1 : r;
}

struct provisioner *provisioner_free(struct provisioner *p)
{
	if (!p)
		return NULL;
	http_server_free(p->http);
	/* First the backend: after it no callback reaches what is freed below. */
	if (p->nfs)
		nfs_backend_free(p->nfs);
	lease_free(p->lease);
	informer_free(p->claims);
	informer_free(p->volumes);
	informer_free(p->classes_seen);
	informer_free(p->intents_seen);
	mounted_free(p->mounted);
	orphans_free(p->orphans);
	jobs_free(p->exports);
	jobs_free(p->adoptions);
	jobs_free(p->intents);
	works_free(p->works);
	jobs_free(p->releases);
	kube_events_free(p->events);
	kube_client_free(p->client);
	classes_done(&p->classes);
	ledger_done(&p->ledger);
	strpool_free(p->pool);
	stats_free(p->stats);
	delays_free(p->delays);
	reload_free(p->reload);
	timer_free(p->grace);
	for (size_t i = 0; i < ELEMENTSOF(p->signals); i++)
		sig_free(p->signals[i]);
	loop_free(p->loop);
	kube_config_done(&p->kube);
	config_free(p->config);
	free(p);
	return NULL;
}
