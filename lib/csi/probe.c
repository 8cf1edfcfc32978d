/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c: asks a CSI socket whether its driver is ready */
#include "csi/probe.h"

#include <errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "csi/arena.h"
#include "csi/decode.h"
#include "rpc/client.h"

#define PROBE "/csi.v1.Identity/Probe"
/* kubernetes-csi/livenessprobe's. */
#define TIMEOUT SECONDS(3)

struct csi_probe {
	struct rpc_client *client;
	csi_probe_fn fn;
	void *userdata;
};

static void judge(struct err *e, const void *message, size_t size)
{
	bool ready = false;
	struct arena a;

	arena_init(&a);
	if (csi_probe_decode(&ready, &a, message, size) < 0)
		err_set(e, EPROTO, "the driver's answer is no ProbeResponse");
	else if (!ready)
		err_set(e, EAGAIN, "driver responded but is not ready");
	arena_done(&a);
}

static void on_answer(struct rpc_client *c, const struct rpc_status *status, const void *message,
	size_t size, void *userdata)
{
	struct csi_probe *p = userdata;
	struct err e = ERR_NULL;

	(void)c;
	if (status->code != RPC_OK)
		err_set(&e, EIO, "%s: %s", rpc_code_name(status->code), status->text);
	else
		judge(&e, message, size);
	p->fn(p, &e, p->userdata);
}

static int call(struct csi_probe **ret, struct loop *l, const struct rpc_client_options *o,
	csi_probe_fn fn, void *userdata)
{
	_cleanup_(csi_probe_freep) struct csi_probe *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		if (o->is_connected)
			fd_close(o->fd);
		return -ENOMEM;
	}
	p->fn = fn;
	p->userdata = userdata;
	r = rpc_client_call(&p->client, l, o, on_answer, p);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(p);
	return 0;
}

int csi_probe_new(struct csi_probe **ret, struct loop *l, const char *path, uint64_t timeout_ns,
	csi_probe_fn fn, void *userdata)
{
	const struct rpc_client_options o = {
		.socket = path, .path = PROBE, .timeout_ns = timeout_ns};

	return call(ret, l, &o, fn, userdata);
}

int csi_probe_on(struct csi_probe **ret, struct loop *l, int fd, const char *name, csi_probe_fn fn,
	void *userdata)
{
	const struct rpc_client_options o = {.socket = name,
		.path = PROBE,
		.timeout_ns = TIMEOUT,
		.is_connected = true,
		.fd = fd};

	return call(ret, l, &o, fn, userdata);
}

struct csi_probe *csi_probe_free(struct csi_probe *p)
{
	if (!p)
		return NULL;
	rpc_client_free(p->client);
	free(p);
	return NULL;
}
