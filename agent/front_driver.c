/* SPDX-License-Identifier: Apache-2.0 */
/* front_driver.c: one driver of ours: socket, service, registration, in this order */
#include <errno.h>
#include <stdio.h>

#include "agent/front.h"
#include "agent/topology.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#define SOCKET_MODE 0600
/* A CSI socket that could not be bound is tried again. */
#define RETRY_AFTER SECONDS(5)

/* The kubelet, and berth-agent, which connects for /healthz and for us. */
static const uid_t known_uids[] = {0};

static int serve(struct front_driver *d, int fd, struct err *e)
{
	const struct front *f = d->front;
	const struct csi_pair topology[] = {
		{TOPOLOGY_NFS, "true"},
		{TOPOLOGY_NODE, f->topology},
	};
	/* Only who mounts NFS says so. */
	size_t first = d->kind == NODE_NFS ? 0 : 1;
	const struct csi_driver driver = {
		.name = d->name,
		.version = BERTH_VERSION,
		.is_topology_aware = true,
		.capabilities = node_capabilities(d->kind),
		.node_id = f->o.node,
		.topology = topology + first,
		.n_topology = ELEMENTSOF(topology) - first,
	};
	const struct csi_service_options o = {
		.fd = fd,
		.uids = known_uids,
		.n_uids = ELEMENTSOF(known_uids),
		.driver = &driver,
		.node = &node_functions,
	};

	return csi_service_new(
		&d->service, d->front->loop, &o, node_driver(d->front->node, d->kind), e);
}

static void on_socket(int fd, const struct err *error, void *userdata)
{
	struct front_driver *d = userdata;
	struct err e = *error;

	d->ordered = false;
	if (d->front->stopping) {
		fd_close(fd);
		return;
	}
	/* One whose file has gone; calls that run are answered all the same. */
	if (fd >= 0)
		d->service = csi_service_free(d->service);
	if (fd >= 0 && serve(d, fd, &e) >= 0) {
		registration_start(d->registration);
		return;
	}
	log_error("%s: the CSI socket %s is not served: %s", d->name,
		registration_csi_socket(d->registration), e.text);
	str_copy_cut(d->off_text, sizeof(d->off_text), e.text);
	timer_arm(d->retry, RETRY_AFTER);
}

static void publish(struct front_driver *d)
{
	struct err e = ERR_NULL;
	int r = orders_publish(d->front->orders, BROKER_KUBELET,
		registration_csi_path(d->registration), SOCKET_MODE, on_socket, d);

	d->ordered = r >= 0;
	if (r < 0) {
		err_sys(&e, r, "cannot order it");
		on_socket(-1, &e, d);
	}
}

static void on_retry(struct timer *t, void *userdata)
{
	(void)t;
	publish(userdata);
}

static void on_changed(struct registration *g, void *userdata)
{
	struct front_driver *d = userdata;
	struct front *f = d->front;
	bool registered = registration_state(g) == REGISTRATION_REGISTERED;

	figures_registered(f->figures, d->name, registered);
	if (f->eyes && d->index != FRONT_UNWATCHED)
		eyes_registered(f->eyes, d->index, registered, registration_text(g));
	if (f->admin)
		admin_changed(f->admin);
	/* A kubelet that asks may be another than before; it calls nothing before it asked. */
	if (registration_state(g) == REGISTRATION_ASKED)
		front_host_check(f);
}

static bool is_back(struct registration *g, void *userdata)
{
	const struct front_driver *d = userdata;
	struct nodewatch *w = eyes_nodewatch(d->front->eyes);

	(void)g;
	return w && d->index != FRONT_UNWATCHED && nodewatch_has(w, d->index);
}

int front_driver_new(struct front_driver *d, struct err *e)
{
	struct front *f = d->front;
	const struct registration_options o = {
		.loop = f->loop,
		.orders = f->orders,
		.kubelet_root = f->o.kubelet_root,
		.driver = d->name,
		.uids = known_uids,
		.n_uids = ELEMENTSOF(known_uids),
		.watchdog = f->config->registration.watchdog,
		.pause_min = f->config->registration.min,
		.pause_max = f->config->registration.max,
		.changed = on_changed,
		.is_back = is_back,
		.userdata = d,
	};
	int r;

	if (!*d->name)
		return 0;
	r = timer_new_lazy(&d->retry, f->loop, SECONDS(1), on_retry, d);
	return r < 0 ? err_sys(e, r, "%s", d->name) : registration_new(&d->registration, &o, e);
}

void front_driver_start(struct front_driver *d)
{
	if (*d->name && !d->off && !d->service && !d->ordered && !timer_armed(d->retry))
		publish(d);
}

/* ---- sockets that somebody took away ----------------------------------------------------- */

static bool is_away(int fd, const struct err *e)
{
	fd_close(fd);
	return fd < 0 && (e->code == ENOENT || e->code == ECONNREFUSED);
}

static void on_csi_socket(int fd, const struct err *e, void *userdata)
{
	struct front_driver *d = userdata;

	if (!is_away(fd, e) || d->ordered || d->front->stopping)
		return;
	log_warning("%s: the CSI socket has gone: it is published again", d->name);
	publish(d);
}

static void on_registration_socket(int fd, const struct err *e, void *userdata)
{
	struct front_driver *d = userdata;
	enum registration_state s = registration_state(d->registration);

	/* While it is being published or paused it is nobody's fault. */
	if (is_away(fd, e) && !d->front->stopping &&
		(s == REGISTRATION_PUBLISHED || s == REGISTRATION_ASKED ||
			s == REGISTRATION_REGISTERED))
		registration_vanished(d->registration, "the registration socket has gone");
}

void front_driver_check(struct front_driver *d)
{
	struct front *f = d->front;

	if (!d->service || d->off)
		return;
	(void)orders_connect(f->orders, BROKER_KUBELET, registration_csi_path(d->registration),
		on_csi_socket, d);
	(void)orders_connect(f->orders, BROKER_KUBELET, registration_path(d->registration),
		on_registration_socket, d);
}

void front_driver_done(struct front_driver *d)
{
	d->registration = registration_free(d->registration);
	d->service = csi_service_free(d->service);
	d->retry = timer_free(d->retry);
}
