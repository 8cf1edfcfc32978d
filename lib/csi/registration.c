/* SPDX-License-Identifier: Apache-2.0 */
/* registration.c: the kubelet's plugin registration service of one driver */
#include "csi/registration.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/str.h"
#include "csi/arena.h"
#include "csi/decode.h"
#include "csi/encode.h"
#include "rpc/server.h"

struct csi_registration {
	struct rpc_server *server;
	struct csi_registration_events events;
	void *userdata;
	struct arena arena;
	struct csi_bytes info;
};

static void on_info(struct rpc_call *rpc, const void *message, size_t size, void *userdata)
{
	struct csi_registration *g = userdata;

	(void)message;
	(void)size;
	rpc_answer(rpc, g->info.data, g->info.size);
	g->events.asked(g, g->userdata);
}

static void on_status(struct rpc_call *rpc, const void *message, size_t size, void *userdata)
{
	struct csi_registration *g = userdata;
	char text[ERR_TEXT_MAX];
	const char *error;
	bool registered;
	struct arena a;

	arena_init(&a);
	if (csi_registration_status_decode(&registered, &error, &a, message, size) < 0) {
		arena_done(&a);
		rpc_fail(rpc, RPC_INTERNAL, "the request is no RegistrationStatus");
		return;
	}
	(void)str_escape(text, sizeof(text), error);
	arena_done(&a);
	rpc_answer(rpc, "", 0);
	g->events.notified(g, registered, text, g->userdata);
}

static const struct rpc_method methods[] = {
	{"/pluginregistration.Registration/GetInfo", on_info},
	{"/pluginregistration.Registration/NotifyRegistrationStatus", on_status},
};

/* The kubelet connects to what it is told, and sun_path bounds that. */
static int check_endpoint(const char *endpoint, struct err *e)
{
	size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (endpoint[0] != '/')
		return err_set(e, EINVAL, "CSI socket %s: the path is not absolute", endpoint);
	if (strlen(endpoint) > max)
		return err_set(e, ENAMETOOLONG,
			"CSI socket %s: a socket's path has at most %zu bytes", endpoint, max);
	return 0;
}

int csi_registration_new(struct csi_registration **ret, struct loop *l,
	const struct csi_registration_options *o, const struct csi_registration_events *events,
	void *userdata, struct err *e)
{
	_cleanup_close_ int fd = o->fd;
	_cleanup_(csi_registration_freep) struct csi_registration *g = NULL;
	struct rpc_server_options options = {.uids = o->uids,
		.n_uids = o->n_uids,
		.methods = methods,
		.n_methods = ELEMENTSOF(methods)};
	int r = check_endpoint(o->endpoint, e);

	if (r < 0)
		return r;
	g = calloc(1, sizeof(*g));
	if (!g)
		return err_sys(e, ENOMEM, "cannot register %s", o->name);
	g->events = *events;
	g->userdata = userdata;
	arena_init(&g->arena);
	r = csi_registration_info_encode(&g->info, &g->arena, o->name, o->endpoint);
	if (r < 0)
		return err_sys(e, r, "cannot register %s", o->name);
	options.fd = TAKE_FD(fd);
	r = rpc_server_new(&g->server, l, &options, g, e);
	if (r < 0)
		return err_prefix(e, "registration of %s", o->name);
	*ret = TAKE_PTR(g);
	return 0;
}

struct csi_registration *csi_registration_free(struct csi_registration *g)
{
	if (!g)
		return NULL;
	rpc_server_free(g->server);
	arena_done(&g->arena);
	free(g);
	return NULL;
}
