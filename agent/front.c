/* SPDX-License-Identifier: Apache-2.0 */
/* front.c: puts the front together, keeps it up, takes it apart */
#include "agent/front.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/nfs_client.h"
#include "agent/pinger.h"
#include "agent/topology.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "nfs/nfs.h"
#include "sandbox/sandbox.h"

/* How often it is looked whether the kubelet's root is still shared, whether our sockets are still
 * there, and whether the kernel has got an NFS client. */
#define UPKEEP SECONDS(30)
/* For calls that run when SIGTERM comes; the broker waits 20 s. */
#define DRAIN SECONDS(10)
/* Descriptors: connections, children, watches. */
#define DESCRIPTORS 4096
/* fsGroup's requests, together below the kubelet's two minutes with a mount behind them. */
#define GROUP_OPERATION SECONDS(10)
#define GROUP_QUEUE SECONDS(10)

/* ---- what the parts tell each other ------------------------------------------------------ */

static void on_broker_gone(void *userdata)
{
	struct front *f = userdata;

	log_error("berth-agent has gone");
	f->status = EXIT_FAILURE;
	loop_exit(f->loop, EXIT_FAILURE);
}

/* node → eyes, admin */
static void on_ended(
	const char *what, const struct publication *p, const struct rpc_status *end, void *userdata)
{
	struct front *f = userdata;

	if (end->code == RPC_OK)
		eyes_published(f->eyes);
	/* A bind that was seen before its publication was known was nobody's then. */
	if (end->code == RPC_OK && streq(what, "publish") &&
		!mounts_find(eyes_mounts(f->eyes), p->target))
		eyes_look(f->eyes);
	if (f->admin)
		admin_changed(f->admin);
}

static void on_observed(
	enum node_kind kind, const char *path, enum rpc_code code, uint64_t ns, void *userdata)
{
	const struct front *f = userdata;
	const char *method = strrchr(path, '/');

	figures_operation(f->figures, f->drivers[kind].name, method ? method + 1 : path,
		rpc_code_name(code), ns);
}

static void on_called(const char *target, int code, void *userdata)
{
	const struct front *f = userdata;

	eyes_called(f->eyes, target, code);
}

static void condition(const char *target, struct mounts_condition *ret, void *userdata)
{
	const struct front *f = userdata;

	mounts_condition(eyes_mounts(f->eyes), target, ret);
}

/* eyes → publications */
static bool publication(const char *target, struct mounts_publication *ret, void *userdata)
{
	const struct front *f = userdata;
	const struct publication *p = publications_at(f->publications, target);

	if (!p)
		return false;
	*ret = (struct mounts_publication){
		.volume = p->volume,
		.driver = p->driver,
		.pod_namespace = p->namespace_,
		.pod_name = p->pod,
		.pod_uid = p->pod_uid,
	};
	return true;
}

static bool is_mounted(const char *target, void *userdata)
{
	const struct front *f = userdata;

	return mounts_find(eyes_mounts(f->eyes), target);
}

/* eyes → mounter */
static bool is_hung(const char *target, void *userdata)
{
	const struct front *f = userdata;
	const struct mounts_entry *m = mounts_find(eyes_mounts(f->eyes), target);

	return m && m->state == MOUNTS_HUNG;
}

/* Once, from the first table: what is published is what is mounted (a file may be old or lost). */
static void on_looked(void *userdata)
{
	struct front *f = userdata;
	const struct mounts_entry *m;
	size_t cursor = 0;

	if (f->admin)
		admin_changed(f->admin);
	if (f->swept)
		return;
	f->swept = true;
	publications_sweep(f->publications, is_mounted, f);
	while ((m = mounts_next(eyes_mounts(f->eyes), &cursor)) != NULL)
		if (m->kind == MOUNTS_VOLUME && *m->server)
			publications_found(
				f->publications, m->target, f->config->nfs_driver, m->source);
}

static void on_lost(unsigned driver, const char *why, void *userdata)
{
	struct front *f = userdata;

	for (size_t i = 0; i < _NODE_KIND_MAX; i++)
		if (f->drivers[i].index == driver && f->drivers[i].registration)
			registration_lost(f->drivers[i].registration, why);
}

/* ---- upkeep ------------------------------------------------------------------------------ */

static void on_sharing(const struct err *e, enum mounter_sharing sharing, void *userdata)
{
	struct front *f = userdata;

	if (e->code == 0 && sharing == MOUNTER_MADE)
		log_info("the kubelet's root %s was made a shared mount", f->o.kubelet_root);
	if (e->code == 0 && sharing != MOUNTER_REFUSED) {
		f->sharing_text[0] = '\0';
		eyes_look(f->eyes); /* the kernel tells of mounts, not of propagation */
		return;
	}
	if (!streq(f->sharing_text, e->text))
		log_error("the kubelet's root %s is not shared, pods will not see their volumes: "
			  "%s",
			f->o.kubelet_root, e->text);
	str_copy_cut(f->sharing_text, sizeof(f->sharing_text),
		*e->text ? e->text : "things are mounted beneath it that a bind would hide");
}

static void keep_shared(struct front *f)
{
	struct err e = ERR_NULL;

	if (streq(eyes_propagation(f->eyes), "shared") && !*f->sharing_text)
		return;
	if (mounter_rshared(f->mounter, on_sharing, f, &e) < 0)
		on_sharing(&e, MOUNTER_REFUSED, f);
}

static void look_for_nfs(struct front *f);

static void on_asked(const struct err *e, void *userdata)
{
	if (e->code)
		log_info("%s", e->text);
	look_for_nfs(userdata);
}

/* A kernel without NFS does not become a node that pods with NFS volumes are sent to. One that has
 * it as a module nobody has asked for yet is asked, once. */
static void look_for_nfs(struct front *f)
{
	struct front_driver *d = &f->drivers[NODE_NFS];
	struct report *r = eyes_report(f->eyes);
	struct err e = ERR_NULL;
	bool had = !d->off, has;

	if (!*d->name)
		return;
	has = nfs_client_is_there(NULL, &e);
	if (!has && !f->nfs_asked) {
		f->nfs_asked = true;
		if (mounter_nfs_client(f->mounter, on_asked, f, NULL) >= 0)
			return;
	}
	if (has == had && f->nfs_looked)
		return;
	f->nfs_looked = true;
	str_copy_cut(f->nfs_text, sizeof(f->nfs_text), has ? "" : e.text);
	d->off = has ? NULL : f->nfs_text;
	if (r && has)
		report_condition(r, "NFSClient", true, "KernelHasClient", "the kernel mounts NFS");
	else if (r)
		report_condition(r, "NFSClient", false, "KernelLacksClient", "%s", e.text);
	if (!has && had)
		log_error("%s is not registered: %s", d->name, e.text);
	if (!has && had && d->service)
		registration_stop(d->registration, e.text);
	else if (has && d->service)
		registration_start(d->registration);
	else if (has)
		front_driver_start(d);
}

static void on_upkeep(struct timer *t, void *userdata)
{
	struct front *f = userdata;

	front_host_check(f);
	keep_shared(f);
	look_for_nfs(f);
	for (size_t i = 0; i < _NODE_KIND_MAX; i++)
		front_driver_check(&f->drivers[i]);
	front_admin_check(f);
	timer_arm(t, UPKEEP);
}

/* ---- the end ----------------------------------------------------------------------------- */

static void on_drained(struct csi_service *s, void *userdata)
{
	struct front *f = node_driver_userdata(userdata);

	(void)s;
	if (f->draining > 0 && --f->draining == 0)
		loop_exit(f->loop, 0);
}

/* Sockets stay where they are: CSINode does not flicker, the next front replaces them
 * (contracts.md 1.5). */
void front_end(struct front *f, const char *why)
{
	if (f->stopping)
		return;
	f->stopping = true;
	log_info("%s: running calls have %llu s", why, DRAIN / NSEC_PER_SEC);
	for (size_t i = 0; i < _NODE_KIND_MAX; i++)
		f->draining += f->drivers[i].service != NULL;
	if (f->draining == 0)
		loop_exit(f->loop, 0);
	for (size_t i = 0; i < _NODE_KIND_MAX; i++)
		if (f->drivers[i].service)
			csi_service_drain(f->drivers[i].service, DRAIN, on_drained);
}

static void on_term(struct sig *s, int signo, void *userdata)
{
	(void)s;
	(void)signo;
	front_end(userdata, "ending");
}

/* ---- parts ------------------------------------------------------------------------------- */

static int load(struct front *f, struct err *e)
{
	int r = front_config_load(f, e);

	if (r < 0)
		return r;
	topology_value(f->o.node, f->topology);
	if (str_format(f->exports, sizeof(f->exports), "%s/exports", f->o.run_dir) < 0 ||
		str_format(f->file, sizeof(f->file), "%s/front/volumes.json", f->o.run_dir) < 0)
		return err_set(e, EINVAL, "--run-dir is too long");
	snprintf(f->component, sizeof(f->component), "berth-agent_%s", f->o.node);
	f->has_kube = f->o.kubeconfig || getenv("KUBERNETES_SERVICE_HOST");
	if (!f->has_kube)
		return 0;
	r = kube_config_load(&f->kube, f->o.kubeconfig, e);
	return r < 0 ? -EINVAL : 0;
}

/* Never uid 0, no capability, and none to come back (libraries.md 5). */
static int lock_in(struct err *e)
{
	int r;

	if (geteuid() == 0 || getuid() == 0)
		return err_set(e, EPERM, "berth-front does not run as root: berth-agent starts it");
	r = sandbox_drop(SANDBOX_UID, SANDBOX_GID, e);
	return r < 0 ? r : sandbox_harden(DESCRIPTORS, e);
}

static int start_client(struct front *f, struct err *e)
{
	const struct kube_options o = {
		.user_agent = "berth-agent/" BERTH_VERSION,
		.qps = f->config->kube.qps,
		.burst = f->config->kube.burst,
		.max_in_flight = f->config->kube.in_flight,
	};
	int r;

	if (!f->has_kube) {
		log_warning("no API server is given: no report, no events, no Lease");
		return 0;
	}
	r = kube_client_new(&f->client, f->loop, &f->kube, &o, e);
	if (r < 0)
		return r;
	r = kube_events_new(&f->events, f->client, f->component);
	return r < 0 ? err_sys(e, r, "events") : 0;
}

static void name_drivers(struct front *f)
{
	for (size_t i = 0; i < _NODE_KIND_MAX; i++) {
		struct front_driver *d = &f->drivers[i];

		d->front = f;
		d->kind = (enum node_kind)i;
		d->name = i == NODE_NFS ? f->config->nfs_driver : f->config->hostpath_driver;
		d->off = *d->name ? NULL : "switched off (agent.drivers)";
		d->index = FRONT_UNWATCHED;
	}
}

static int start_eyes(struct front *f, struct err *e)
{
	const struct worker_options one = {.window = PINGER_SERVERS_MAX};
	struct nodewatch_driver drivers[_NODE_KIND_MAX];
	struct health_options health = {.pool = NULL};
	unsigned n = 0;
	int r = orders_pool_new(f->orders, BROKER_PINGER, &one, &health.pool);

	if (r < 0)
		return err_sys(e, r, "cannot watch servers");

	/* A driver that is not to be registered now would be reported as missing. */
	for (size_t i = 0; i < _NODE_KIND_MAX; i++) {
		struct front_driver *d = &f->drivers[i];

		if (!*d->name || (i == NODE_NFS && *f->nfs_text))
			continue;
		d->index = n;
		drivers[n++] = (struct nodewatch_driver){d->name, TOPOLOGY_NODE, f->topology};
	}
	const struct eyes_setup s = {
		.loop = f->loop,
		.config = f->client ? &f->kube : NULL,
		.client = f->client,
		.events = f->events,
		.figures = f->figures,
		.node = f->o.node,
		.namespace_ = f->has_kube ? f->kube.namespace_ : NULL,
		.kubelet_root = f->o.kubelet_root,
		.exports = f->exports,
		.mountinfo = f->o.mountinfo,
		.health = &health,
		.drivers = drivers,
		.n_drivers = n,
		.publication = publication,
		.lost = on_lost,
		.looked = on_looked,
		.userdata = f,
	};

	return eyes_new(&f->eyes, &s, e);
}

static int nfs_pool_new(const struct worker_options *o, struct worker_pool **ret, void *userdata)
{
	const struct front *f = userdata;

	return orders_pool_new(f->orders, BROKER_NFS, o, ret);
}

static void nfs_pool_free(struct worker_pool *p, void *userdata)
{
	const struct front *f = userdata;

	(void)p;
	orders_pool_free(f->orders, BROKER_NFS);
}

static int start_storage(struct front *f, struct err *e)
{
	const struct nfs_options nfs = {
		.operation_ns = GROUP_OPERATION,
		.queue_ns = GROUP_QUEUE,
		.pool_new = nfs_pool_new,
		.pool_free = nfs_pool_free,
		.pool_userdata = f,
		.key_max = BROKER_KEY_MAX,
	};
	const struct mounter_options mounter = {
		.loop = f->loop,
		.orders = f->orders,
		.kubelet_root = f->o.kubelet_root,
		.exports_dir = f->exports,
		.mountinfo = f->o.mountinfo,
		.export_idle_ns = f->config->export_idle,
		.is_hung = is_hung,
		.userdata = f,
	};
	int r = nfs_backend_new(&f->nfs, f->loop, &nfs, e);

	if (r >= 0)
		r = fsgroup_new(&f->fsgroup, f->nfs);
	if (r >= 0)
		r = mounter_new(&f->mounter, &mounter, e);
	if (r >= 0)
		r = publications_new(&f->publications, f->loop, f->file, e);
	return r;
}

static int start_node(struct front *f, struct err *e)
{
	const struct node_options o = {
		.loop = f->loop,
		.config = f->config,
		.mounter = f->mounter,
		.publications = f->publications,
		.fsgroup = f->fsgroup,
		.kubelet_root = f->o.kubelet_root,
		.condition = condition,
		.called = on_called,
		.ended = on_ended,
		.observed = on_observed,
		.userdata = f,
	};
	int r = node_new(&f->node, &o, e);

	for (size_t i = 0; i < _NODE_KIND_MAX && r >= 0; i++)
		r = front_driver_new(&f->drivers[i], e);
	return r;
}

static void collect(void *userdata)
{
	const struct front *f = userdata;

	eyes_gauges(f->eyes);
	figures_mounter(f->figures, f->mounter);
}

static int start_probes(struct front *f, struct err *e)
{
	const struct settings_listen *l = &f->config->listen;
	const struct probes_options o = {
		.address = *l->address ? l->address : "::",
		.port = l->port,
		.view = &f->view,
		.metrics = figures_metrics(f->figures),
		.collect = collect,
		.userdata = f,
	};
	int r = l->on ? probes_new(&f->probes, f->loop, &o, e) : 0;

	return r < 0 ? err_prefix(e, "listen") : 0;
}

static int start_signals(struct front *f)
{
	int r = sig_new(&f->signals[0], f->loop, SIGTERM, on_term, f);

	signal(SIGPIPE, SIG_IGN);
	if (r >= 0)
		r = sig_new(&f->signals[1], f->loop, SIGINT, on_term, f);
	if (r >= 0)
		r = timer_new_lazy(&f->upkeep, f->loop, SECONDS(5), on_upkeep, f);
	return r;
}

/* The parts in the order in which they need each other; front_free() goes the other way. */
static int start(struct front *f, struct err *e)
{
	int r = loop_new(&f->loop);

	if (r >= 0)
		r = orders_new(&f->orders, f->loop, BROKER_FD, on_broker_gone, f);
	if (r >= 0)
		r = figures_new(&f->figures);
	if (r >= 0)
		r = start_signals(f);
	if (r < 0)
		return err_sys(e, r, "cannot set up");
	name_drivers(f);
	(void)nfs_client_is_there(NULL, e);
	str_copy_cut(f->nfs_text, sizeof(f->nfs_text), e->code ? e->text : "");
	err_clear(e);
	r = front_config_watch(f, e);
	if (r >= 0)
		r = start_client(f, e);
	if (r >= 0)
		r = start_storage(f, e);
	if (r >= 0)
		r = start_eyes(f, e);
	if (r >= 0)
		r = start_node(f, e);
	if (r >= 0)
		front_view_fill(f);
	if (r >= 0)
		r = start_probes(f, e);
	if (r >= 0)
		r = sandbox_seccomp(SANDBOX_FRONT, e);
	return r < 0 ? r : 0;
}

int front_new(struct front **ret, const struct front_options *o, struct err *e)
{
	struct front *f = calloc(1, sizeof(*f));
	int r;

	*ret = f;
	if (!f)
		return err_set(e, ENOMEM, "out of memory");
	f->o = *o;
	f->host = -1;
	f->started = clock_real();
	r = lock_in(e);
	if (r >= 0)
		r = front_host_open(f, e);
	if (r >= 0)
		r = load(f, e);
	/* Before the filter, which would answer instead of the kernel. */
	doctor_kernel(&f->kernel);
	return r < 0 ? r : start(f, e);
}

int front_run(struct front *f)
{
	int r = front_admin_start(f);

	log_info("berth-agent " BERTH_VERSION " on node %s: %s%s%s, kubelet at %s, mounts in %s",
		f->o.node, f->config->nfs_driver, *f->config->hostpath_driver ? ", " : "",
		f->config->hostpath_driver, f->o.kubelet_root,
		streq(f->o.host, "self") ? "our own namespaces" : "the host's namespaces");
	if (r >= 0) {
		/* NFS: where the kernel has it. */
		on_upkeep(f->upkeep, f);
		front_driver_start(&f->drivers[NODE_HOSTPATH]);
		r = loop_run(f->loop);
	}
	return r < 0 ? EXIT_FAILURE : f->status ? f->status : r;
}

struct front *front_free(struct front *f)
{
	if (!f)
		return NULL;
	probes_free(f->probes);
	admin_free(f->admin);
	for (size_t i = 0; i < _NODE_KIND_MAX; i++)
		front_driver_done(&f->drivers[i]);
	mounter_free(f->mounter);
	nfs_backend_free(f->nfs);
	fsgroup_free(f->fsgroup);
	node_free(f->node);
	eyes_free(f->eyes);
	publications_free(f->publications);
	orders_free(f->orders);
	kube_events_free(f->events);
	kube_client_free(f->client);
	figures_free(f->figures);
	timer_free(f->upkeep);
	reload_free(f->reload);
	fd_close(f->host);
	for (size_t i = 0; i < ELEMENTSOF(f->signals); i++)
		sig_free(f->signals[i]);
	loop_free(f->loop);
	kube_config_done(&f->kube);
	agent_config_free(f->config);
	free(f);
	return NULL;
}
