/* SPDX-License-Identifier: Apache-2.0 */
/* service.c: the Identity and Node services of one driver */
#include "csi/service.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "csi/arena.h"
#include "csi/decode.h"
#include "csi/encode.h"

#define NAME_MAX_CSI 63 /* csi.v1.GetPluginInfoResponse.name */
#define NODE_ID_MAX 192 /* Kubernetes' CSINode, before it allowed 256 */

/* Answers that never change. */
enum answer {
	ANSWER_PLUGIN_INFO,
	ANSWER_PLUGIN_CAPABILITIES,
	ANSWER_NODE_CAPABILITIES,
	ANSWER_NODE_INFO,
	_ANSWER_MAX
};

struct csi_service {
	struct rpc_server *server;
	struct csi_node node;
	void *userdata;
	unsigned capabilities;
	struct arena arena; /* of the answers */
	struct csi_bytes answers[_ANSWER_MAX];
	csi_drained_fn drained;
};

struct csi_call {
	struct rpc_call *rpc;
	struct csi_service *service; /* not to be touched unless the server called */
	struct arena arena;          /* of the request */
	union {
		struct csi_publish publish;
		struct csi_unpublish unpublish;
		struct csi_stats_request stats;
	} request;
};

/* ---- calls ----------------------------------------------------------------------------------- */

static void call_end(struct csi_call *c)
{
	arena_done(&c->arena);
	free(c);
}

static void on_cancel(struct rpc_call *rpc, void *userdata)
{
	struct csi_call *c = userdata;

	(void)rpc;
	if (c->service->node.cancelled)
		c->service->node.cancelled(c, c->service->userdata);
}

static struct csi_call *call_begin(struct rpc_call *rpc, struct csi_service *s)
{
	struct csi_call *c = calloc(1, sizeof(*c));

	if (!c) {
		rpc_fail(rpc, RPC_RESOURCE_EXHAUSTED, "out of memory");
		return NULL;
	}
	c->rpc = rpc;
	c->service = s;
	arena_init(&c->arena);
	return c;
}

void csi_answer(struct csi_call *c)
{
	rpc_answer(c->rpc, "", 0);
	call_end(c);
}

void csi_answer_stats(struct csi_call *c, const struct csi_stats *s)
{
	struct csi_bytes bytes;

	if (csi_stats_encode(&bytes, &c->arena, s) < 0)
		rpc_fail(c->rpc, RPC_RESOURCE_EXHAUSTED, "out of memory");
	else
		rpc_answer(c->rpc, bytes.data, bytes.size);
	call_end(c);
}

void csi_fail_status(struct csi_call *c, const struct rpc_status *s)
{
	rpc_fail(c->rpc, s->code, "%s", s->text);
	call_end(c);
}

void csi_fail(struct csi_call *c, enum rpc_code code, const char *fmt, ...)
{
	struct rpc_status status;
	va_list args;

	va_start(args, fmt);
	rpc_status_vset(&status, code, fmt, args);
	va_end(args);
	csi_fail_status(c, &status);
}

/* ---- Node ------------------------------------------------------------------------------------ */

static void on_publish(struct rpc_call *rpc, const void *message, size_t size, void *userdata)
{
	struct csi_service *s = userdata;
	struct csi_call *c = call_begin(rpc, s);
	struct rpc_status status;

	if (!c)
		return;
	if (csi_publish_decode(&c->request.publish, &c->arena, message, size, &status) < 0) {
		csi_fail_status(c, &status);
		return;
	}
	if (c->request.publish.has_group && !(s->capabilities & CSI_CAN_VOLUME_MOUNT_GROUP)) {
		csi_fail(c, RPC_FAILED_PRECONDITION,
			"volume_mount_group is set, and the driver has no VOLUME_MOUNT_GROUP");
		return;
	}
	rpc_call_on_cancel(rpc, on_cancel, c);
	s->node.publish(c, &c->request.publish, s->userdata);
}

static void on_unpublish(struct rpc_call *rpc, const void *message, size_t size, void *userdata)
{
	struct csi_service *s = userdata;
	struct csi_call *c = call_begin(rpc, s);
	struct rpc_status status;

	if (!c)
		return;
	if (csi_unpublish_decode(&c->request.unpublish, &c->arena, message, size, &status) < 0) {
		csi_fail_status(c, &status);
		return;
	}
	rpc_call_on_cancel(rpc, on_cancel, c);
	s->node.unpublish(c, &c->request.unpublish, s->userdata);
}

static void on_stats(struct rpc_call *rpc, const void *message, size_t size, void *userdata)
{
	struct csi_service *s = userdata;
	struct csi_call *c = call_begin(rpc, s);
	struct rpc_status status;

	if (!c)
		return;
	if (csi_stats_decode(&c->request.stats, &c->arena, message, size, &status) < 0) {
		csi_fail_status(c, &status);
		return;
	}
	rpc_call_on_cancel(rpc, on_cancel, c);
	s->node.stats(c, &c->request.stats, s->userdata);
}

/* ---- what is answered from memory ------------------------------------------------------------ */

/* Whether a request without fields is protobuf; answers where it is none. */
static bool is_request(struct rpc_call *rpc, const void *message, size_t size)
{
	struct rpc_status status;
	struct arena a;
	int r;

	if (size == 0)
		return true;
	arena_init(&a);
	r = csi_empty_decode(&a, message, size, &status);
	arena_done(&a);
	if (r < 0)
		rpc_fail(rpc, status.code, "%s", status.text);
	return r == 0;
}

static void answer(
	struct rpc_call *rpc, const void *message, size_t size, const struct csi_bytes *b)
{
	if (is_request(rpc, message, size))
		rpc_answer(rpc, b->data, b->size);
}

static void on_plugin_info(struct rpc_call *rpc, const void *message, size_t size, void *userdata)
{
	struct csi_service *s = userdata;

	answer(rpc, message, size, &s->answers[ANSWER_PLUGIN_INFO]);
}

static void on_plugin_capabilities(
	struct rpc_call *rpc, const void *message, size_t size, void *userdata)
{
	struct csi_service *s = userdata;

	answer(rpc, message, size, &s->answers[ANSWER_PLUGIN_CAPABILITIES]);
}

static void on_node_capabilities(
	struct rpc_call *rpc, const void *message, size_t size, void *userdata)
{
	struct csi_service *s = userdata;

	answer(rpc, message, size, &s->answers[ANSWER_NODE_CAPABILITIES]);
}

static void on_node_info(struct rpc_call *rpc, const void *message, size_t size, void *userdata)
{
	struct csi_service *s = userdata;

	answer(rpc, message, size, &s->answers[ANSWER_NODE_INFO]);
}

static void answer_ready(struct rpc_call *rpc, bool is_ready)
{
	struct csi_bytes bytes;
	struct arena a;

	arena_init(&a);
	if (csi_ready_encode(&bytes, &a, is_ready) < 0)
		rpc_fail(rpc, RPC_RESOURCE_EXHAUSTED, "out of memory");
	else
		rpc_answer(rpc, bytes.data, bytes.size);
	arena_done(&a);
}

static void on_probe(struct rpc_call *rpc, const void *message, size_t size, void *userdata)
{
	struct csi_service *s = userdata;
	struct err e = ERR_NULL;
	int r = s->node.probe ? s->node.probe(&e, s->userdata) : 1;

	if (!is_request(rpc, message, size))
		return;
	if (r < 0)
		rpc_fail(rpc, RPC_FAILED_PRECONDITION, "%s", e.text[0] ? e.text : strerror(-r));
	else
		answer_ready(rpc, r > 0);
}

/* ---- the service ----------------------------------------------------------------------------- */

/* NodeGetVolumeStats comes last: a driver without it serves one method less. */
static const struct rpc_method methods[] = {
	{"/csi.v1.Identity/GetPluginInfo", on_plugin_info},
	{"/csi.v1.Identity/GetPluginCapabilities", on_plugin_capabilities},
	{"/csi.v1.Identity/Probe", on_probe},
	{"/csi.v1.Node/NodePublishVolume", on_publish},
	{"/csi.v1.Node/NodeUnpublishVolume", on_unpublish},
	{"/csi.v1.Node/NodeGetCapabilities", on_node_capabilities},
	{"/csi.v1.Node/NodeGetInfo", on_node_info},
	{"/csi.v1.Node/NodeGetVolumeStats", on_stats},
};

static void on_observe(const char *path, enum rpc_code code, uint64_t ns, void *userdata)
{
	struct csi_service *s = userdata;

	s->node.observe(path, code, ns, s->userdata);
}

/* The name of a CSIDriver object: lower-case DNS-1123 labels with dots between. */
static bool is_driver_name(const char *name)
{
	static const char inner[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t n;

	if (strlen(name) > NAME_MAX_CSI)
		return false;
	for (;; name += n + 1) {
		n = strspn(name, inner);
		if (n == 0 || name[0] == '-' || name[n - 1] == '-')
			return false;
		if (name[n] == '\0')
			return true;
		if (name[n] != '.')
			return false;
	}
}

static int check_driver(const struct csi_driver *d, struct err *e)
{
	if (str_empty(d->name) || !is_driver_name(d->name))
		return err_set(e, EINVAL,
			"driver name \"%s\": not a DNS-1123 subdomain of at most"
			" %d characters",
			str_or(d->name, ""), NAME_MAX_CSI);
	if (str_empty(d->version))
		return err_set(e, EINVAL, "driver %s: version is missing", d->name);
	if (str_empty(d->node_id) || strlen(d->node_id) > NODE_ID_MAX)
		return err_set(e, EINVAL,
			"driver %s: node_id \"%s\" is empty or has more than %d"
			" bytes",
			d->name, str_or(d->node_id, ""), NODE_ID_MAX);
	if (d->max_volumes < 0)
		return err_set(e, EINVAL, "driver %s: max_volumes is negative", d->name);
	for (size_t i = 0; i < d->n_topology; i++)
		if (str_empty(d->topology[i].key) || str_empty(d->topology[i].value))
			return err_set(
				e, EINVAL, "driver %s: topology has an empty segment", d->name);
	return 0;
}

static int encode_answers(struct csi_service *s, const struct csi_driver *d)
{
	int r = csi_plugin_info_encode(&s->answers[ANSWER_PLUGIN_INFO], &s->arena, d);

	if (r == 0)
		r = csi_plugin_capabilities_encode(
			&s->answers[ANSWER_PLUGIN_CAPABILITIES], &s->arena, d);
	if (r == 0)
		r = csi_node_capabilities_encode(
			&s->answers[ANSWER_NODE_CAPABILITIES], &s->arena, d);
	return r < 0 ? r : csi_node_info_encode(&s->answers[ANSWER_NODE_INFO], &s->arena, d);
}

int csi_service_new(struct csi_service **ret, struct loop *l, const struct csi_service_options *o,
	void *userdata, struct err *e)
{
	_cleanup_close_ int fd = o->fd;
	_cleanup_(csi_service_freep) struct csi_service *s = NULL;
	const bool has_stats = o->driver->capabilities & CSI_CAN_GET_VOLUME_STATS;
	struct rpc_server_options options = {.uids = o->uids,
		.n_uids = o->n_uids,
		.methods = methods,
		.n_methods = ELEMENTSOF(methods) - (has_stats ? 0 : 1),
		.observe = o->node->observe ? on_observe : NULL};
	int r = check_driver(o->driver, e);

	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_sys(e, ENOMEM, "cannot serve %s", o->driver->name);
	s->node = *o->node;
	s->userdata = userdata;
	s->capabilities = o->driver->capabilities;
	arena_init(&s->arena);
	r = encode_answers(s, o->driver);
	if (r < 0)
		return err_sys(e, r, "cannot serve %s", o->driver->name);
	options.fd = TAKE_FD(fd);
	r = rpc_server_new(&s->server, l, &options, s, e);
	if (r < 0)
		return err_prefix(e, "%s", o->driver->name);
	*ret = TAKE_PTR(s);
	return 0;
}

struct csi_service *csi_service_free(struct csi_service *s)
{
	if (!s)
		return NULL;
	rpc_server_free(s->server);
	arena_done(&s->arena);
	free(s);
	return NULL;
}

static void on_drained(struct rpc_server *server, void *userdata)
{
	struct csi_service *s = userdata;

	(void)server;
	s->drained(s, s->userdata);
}

void csi_service_drain(struct csi_service *s, uint64_t timeout_ns, csi_drained_fn done)
{
	s->drained = done;
	rpc_server_drain(s->server, timeout_ns, on_drained);
}

struct rpc_server *csi_service_server(const struct csi_service *s)
{
	return s->server;
}
