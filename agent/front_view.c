/* SPDX-License-Identifier: Apache-2.0 */
/* front_view.c: what the front's parts know, as rows of the view */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/front.h"
#include "base/clock.h"
#include "base/str.h"
#include "mount/mounted.h"

#define SOURCE_MAX 2048

/* ---- the node ---------------------------------------------------------------------------- */

/* On the clock that people read. */
static uint64_t api_answered(const struct front *f)
{
	uint64_t at = f->client ? kube_client_last_answer(f->client) : 0;

	return at ? clock_real() - (clock_now() - at) : 0;
}

static void view_node_fill(void *agent, struct view_node *ret)
{
	const struct front *f = agent;
	struct mounter_stats_now n = {.children = 0};

	mounter_stats_now(f->mounter, &n);
	*ret = (struct view_node){
		.name = f->o.node,
		.host = f->o.host,
		.kubelet_root = f->o.kubelet_root,
		.propagation = eyes_propagation(f->eyes),
		.propagation_text = f->sharing_text,
		.started = f->started,
		.nfs_client = !*f->nfs_text,
		.nfs_client_text = f->nfs_text,
		.children = (unsigned)n.children,
		.stopping = f->stopping,
		.api = {.server = f->has_kube ? f->kube.server : "",
			.error = f->client ? kube_client_trouble(f->client) : "",
			.answered = api_answered(f)},
	};
	if (f->client)
		ret->api.clock_known = kube_client_clock(f->client, &ret->api.clock_ahead_ns);
}

static void view_drivers(void *agent, view_driver_fn fn, void *userdata)
{
	const struct front *f = agent;

	for (size_t i = 0; i < _NODE_KIND_MAX; i++) {
		const struct front_driver *d = &f->drivers[i];
		const struct registration *g = d->registration;
		struct view_driver row = {.name = d->name};

		if (!g)
			continue;
		row.state = d->off                        ? "Off"
			    : *d->off_text && !d->service ? "Failed"
							  : registration_word(g);
		row.text = d->off                        ? d->off
			   : *d->off_text && !d->service ? d->off_text
							 : registration_text(g);
		/* Published is waited for, whatever the table calls its first state. */
		if (!d->off && streq(row.state, "Off"))
			row.state = "Waiting";
		row.socket = registration_csi_socket(g);
		row.registration_socket = registration_socket(g);
		row.since = registration_since(g);
		fn(&row, userdata);
	}
}

/* ---- volumes and mounts ------------------------------------------------------------------ */

/* The table of mounts is read a little later than a publication is answered. */
#define JUST_PUBLISHED SECONDS(10)

static const char *word_of(
	const struct front *f, const struct publication *p, const char **ret_text)
{
	const struct mounts_entry *m = mounts_find(eyes_mounts(f->eyes), p->target);

	*ret_text = "just published";
	if (!m && clock_real() < p->published + JUST_PUBLISHED)
		return "Busy";
	*ret_text = m ? "" : "nothing is mounted at the target";
	return mounts_state_name(m ? m->state : MOUNTS_ORPHANED);
}

static void view_volumes(void *agent, view_volume_fn fn, void *userdata)
{
	const struct front *f = agent;
	const struct publication *p;
	size_t cursor = 0;

	while ((p = publications_next(f->publications, &cursor)) != NULL) {
		struct view_volume row = {
			.volume = p->volume,
			.driver = p->driver,
			.namespace_ = p->namespace_,
			.pod = p->pod,
			.pod_uid = p->pod_uid,
			.target = p->target,
			.source = p->source,
			.read_only = p->readonly,
			.published = p->published,
		};
		struct mounts_condition c = {.abnormal = false};

		row.state = word_of(f, p, &row.text);
		mounts_condition(eyes_mounts(f->eyes), p->target, &c);
		if (c.abnormal)
			row.text = c.message;
		fn(&row, userdata);
	}
}

static void view_mounts(void *agent, view_mount_fn fn, void *userdata)
{
	static const char *const kinds[] = {
		[MOUNTS_EXPORT] = "export",
		[MOUNTS_VOLUME] = "publication",
		[MOUNTS_SUBPATH] = "subPath",
	};
	const struct front *f = agent;
	const struct mounts_entry *m;
	size_t cursor = 0;

	while ((m = mounts_next(eyes_mounts(f->eyes), &cursor)) != NULL) {
		struct mounts_condition c = {.abnormal = false};
		const struct view_mount row = {
			.kind = kinds[m->kind],
			.volume = m->volume,
			.target = m->target,
			.source = m->source,
			.options = m->options,
			.filesystem = *m->server ? "nfs" : "",
			.peer_group = m->peer_group,
			.state = mounts_state_name(m->state),
			.text = c.message,
		};

		mounts_condition(eyes_mounts(f->eyes), m->target, &c);
		if (!c.abnormal)
			c.message[0] = '\0';
		fn(&row, userdata);
	}
}

static void view_pools(void *agent, view_pool_fn fn, void *userdata)
{
	const struct front *f = agent;

	for (size_t i = 0; i < f->config->n_pools; i++) {
		const struct view_pool row = {
			.name = f->config->pools[i].name,
			.path = f->config->pools[i].path,
			.filesystem = "",
			.quota = "None",
			.identity = "",
			.text = front_config_pool(f, &f->config->pools[i]),
		};

		fn(&row, userdata);
	}
}

/* ---- exports ----------------------------------------------------------------------------- */

struct export_walk {
	const struct front *f;
	view_export_fn fn;
	void *userdata;
};

/* "server:/path" and "[v6]:/path". */
static void split_source(const char *source, char server[static SOURCE_MAX], const char **ret_path)
{
	const char *colon = strstr(source, ":/");

	str_copy_cut(server, SOURCE_MAX, source);
	if (colon && (size_t)(colon - source) < SOURCE_MAX)
		server[colon - source] = '\0';
	*ret_path = colon ? colon + 1 : "";
}

static unsigned number_after(const char *options, const char *key, const char **ret_rest)
{
	const char *at = strstr(options, key);
	char *end = NULL;
	unsigned long n = at ? strtoul(at + strlen(key), &end, 10) : 0;

	*ret_rest = end ? end : "";
	return (unsigned)n;
}

static void fill_mounted(
	const struct front *f, const struct mounts_entry *m, struct view_export *row)
{
	const struct health *h = eyes_health(f->eyes);
	const char *rest;

	row->address = m->server;
	row->options = m->options;
	row->version = number_after(m->options, "vers=", &rest);
	if (*rest == '.')
		row->minor = number_after(rest, ".", &rest);
	row->state = mounts_state_name(m->state);
	if (!*m->server || !h)
		return;
	row->round_trip_ns = health_round_trip(h, m->server, m->port);
	if (health_of(h, m->server, m->port) != HEALTH_UNKNOWN)
		row->round_trip = health_reach_name(health_of(h, m->server, m->port));
}

/* Of a mount that an earlier front made, the options are what is left to see. */
static const char *export_remark(
	const struct mounter_export *x, const struct mounts_entry *m, unsigned version)
{
	if (m && *m->why)
		return m->why;
	if (!*x->note && m && version == 3 && mounted_option(m->options, "nolock", NULL, 0))
		return "nolock: file locks are kept on this node alone";
	return x->note;
}

static void view_one_export(const struct mounter_export *x, void *userdata)
{
	const struct export_walk *w = userdata;
	char server[SOURCE_MAX], path[2048];
	struct view_export row = {
		.id = x->id,
		.server = server,
		.address = "",
		.options = "",
		.state = "Unknown",
		.round_trip = "",
		.volumes = (unsigned)x->publications,
		.text = "",
	};
	const struct mounts_entry *m = NULL;

	split_source(x->source, server, &row.export_);
	if (str_format(path, sizeof(path), "%s/%s", w->f->exports, x->id) >= 0)
		m = mounts_find(eyes_mounts(w->f->eyes), path);
	if (m)
		fill_mounted(w->f, m, &row);
	row.text = export_remark(x, m, row.version);
	w->fn(&row, w->userdata);
}

static void view_exports(void *agent, view_export_fn fn, void *userdata)
{
	struct export_walk w = {agent, fn, userdata};

	mounter_exports(w.f->mounter, view_one_export, &w);
}

/* ---- what runs, and orders --------------------------------------------------------------- */

struct operation_walk {
	view_operation_fn fn;
	void *userdata;
};

static void view_one_operation(const struct node_operation *o, void *userdata)
{
	const struct operation_walk *w = userdata;
	const uint64_t budget =
		streq(o->what, "publish") ? MOUNTER_PUBLISH_BUDGET : MOUNTER_UNPUBLISH_BUDGET;
	const struct view_operation row = {
		.what = o->what,
		.object = o->target,
		.state = clock_real() > o->started + budget ? "Stuck" : "Running",
		.started = o->started,
		.deadline = o->started + budget,
		.text = o->volume,
	};

	w->fn(&row, w->userdata);
}

static void view_operations(void *agent, view_operation_fn fn, void *userdata)
{
	const struct front *f = agent;
	struct operation_walk w = {fn, userdata};

	node_operations(f->node, view_one_operation, &w);
}

struct detach {
	view_done_fn done;
	void *userdata;
};

static void on_detached(const struct err *e, void *userdata)
{
	struct detach *d = userdata;

	d->done(e, d->userdata);
	free(d);
}

static int view_detach(
	void *agent, const char *target, view_done_fn done, void *userdata, struct err *e)
{
	const struct front *f = agent;
	struct detach *d = malloc(sizeof(*d));
	int r;

	if (!d)
		return err_set(e, ENOMEM, "out of memory");
	*d = (struct detach){done, userdata};
	r = mounter_detach(f->mounter, target, on_detached, d, e);
	if (r < 0)
		free(d);
	return r;
}

static unsigned view_retry(void *agent)
{
	struct front *f = agent;
	unsigned n = 0;

	for (size_t i = 0; i < _NODE_KIND_MAX; i++)
		if (f->drivers[i].registration)
			n += registration_retry(f->drivers[i].registration);
	eyes_look(f->eyes);
	timer_arm(f->upkeep, 0);
	return n;
}

static struct volume_backend *view_storage(void *agent)
{
	const struct front *f = agent;

	return f->nfs;
}

static const char *view_nfs_driver(void *agent)
{
	const struct front *f = agent;

	return f->config->nfs_driver;
}

static struct kube_client *view_api(void *agent)
{
	const struct front *f = agent;

	return f->client;
}

static int view_connect(void *agent, const char *driver,
	void (*done)(int fd, const struct err *e, void *userdata), void *userdata, struct err *e)
{
	const struct front *f = agent;
	int r = -ENOENT;

	for (size_t i = 0; i < _NODE_KIND_MAX; i++)
		if (f->drivers[i].registration && streq(f->drivers[i].name, driver))
			r = orders_connect(f->orders, BROKER_KUBELET,
				registration_csi_path(f->drivers[i].registration), done, userdata);
	return r < 0 ? err_sys(e, r, "%s: cannot connect to the CSI socket", driver) : 0;
}

void front_view_fill(struct front *f)
{
	f->view = (struct view){
		.agent = f,
		.node = view_node_fill,
		.drivers = view_drivers,
		.volumes = view_volumes,
		.mounts = view_mounts,
		.pools = view_pools,
		.exports = view_exports,
		.operations = view_operations,
		.detach = view_detach,
		.retry = view_retry,
		.storage = view_storage,
		.nfs_driver = view_nfs_driver,
		.api = view_api,
		.connect = view_connect,
	};
}
