/* SPDX-License-Identifier: Apache-2.0 */
/* test_csi_service.c: the CSI and registration services over real sockets, and who asks them */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "csi/probe.h"
#include "csi/registration.h"
#include "csi/service.h"
#include "rpc/client.h"
#include "tests/unit/fault.h"

struct world {
	struct loop *loop;
	struct timer *guard;
	struct csi_service *service;
	struct csi_registration *registration;
	struct rpc_client *client;
	struct csi_probe *probe;
	char path[64];
	/* What the client got. */
	struct rpc_status status;
	char answer[256];
	size_t size;
	unsigned answers;
	/* What the agent's side saw. */
	struct csi_call *last, *held;
	unsigned published, unpublished, cancelled, observed, asked, notified, drained;
	int ready;
	bool free_now;
	bool registered;
	char text[ERR_TEXT_MAX];
	struct err probed;
};

static const struct csi_pair topology = {"topology.berth.dev/node", "n1"};
static const struct csi_driver driver = {.name = "nfs.berth.dev",
	.version = "0.1.0",
	.capabilities = CSI_CAN_GET_VOLUME_STATS,
	.node_id = "n1",
	.topology = &topology,
	.n_topology = 1};

static void on_publish(struct csi_call *c, const struct csi_publish *r, void *userdata)
{
	struct world *w = userdata;

	w->published++;
	w->last = c;
	if (w->free_now)
		w->service = csi_service_free(w->service);
	if (streq(r->volume_id, "hold")) {
		w->held = c;
		loop_exit(w->loop, 0);
	} else if (streq(r->volume_id, "busy")) {
		csi_fail(c, RPC_ABORTED, "an operation on %s is running", r->volume_id);
	} else {
		csi_answer(c);
	}
}

static void on_unpublish(struct csi_call *c, const struct csi_unpublish *r, void *userdata)
{
	struct world *w = userdata;

	w->unpublished++;
	assert_string_equal(r->target_path, "/t");
	csi_answer(c);
}

static void on_stats(struct csi_call *c, const struct csi_stats_request *r, void *userdata)
{
	(void)userdata;
	assert_string_equal(r->volume_path, "/t");
	csi_answer_stats(c, &(struct csi_stats){.has_bytes = true,
				    .bytes_available = 10,
				    .bytes_total = 100,
				    .bytes_used = 90});
}

static void on_cancelled(struct csi_call *c, void *userdata)
{
	struct world *w = userdata;

	assert_ptr_equal(c, w->last);
	w->cancelled++;
	loop_exit(w->loop, 0);
}

static int on_probe(struct err *e, void *userdata)
{
	struct world *w = userdata;

	return w->ready < 0 ? err_set(e, EIO, "the mount child does not start") : w->ready;
}

static void on_observe(const char *path, enum rpc_code code, uint64_t ns, void *userdata)
{
	struct world *w = userdata;

	(void)path;
	(void)code;
	(void)ns;
	w->observed++;
}

static const struct csi_node node = {
	on_publish, on_unpublish, on_stats, on_cancelled, on_probe, on_observe};

static void on_asked(struct csi_registration *g, void *userdata)
{
	(void)g;
	((struct world *)userdata)->asked++;
}

static void on_notified(
	struct csi_registration *g, bool registered, const char *error, void *userdata)
{
	struct world *w = userdata;

	(void)g;
	w->notified++;
	w->registered = registered;
	(void)str_copy_cut(w->text, sizeof(w->text), error);
}

static const struct csi_registration_events events = {on_asked, on_notified};

static void on_guard(struct timer *t, void *userdata)
{
	(void)t;
	loop_exit(((struct world *)userdata)->loop, -ETIME);
}

static int listen_unix(struct world *w)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)str_copy_cut(sa.sun_path, sizeof(sa.sun_path), w->path);
	(void)unlink(w->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

static int start(struct world *w, const struct csi_driver *d, const uid_t *uid, struct err *e)
{
	const struct csi_service_options o = {
		.fd = listen_unix(w), .uids = uid, .n_uids = 1, .driver = d, .node = &node};

	return csi_service_new(&w->service, w->loop, &o, w, e);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	const uid_t uid = getuid();

	assert_non_null(w);
	w->ready = 1;
	(void)snprintf(w->path, sizeof(w->path), "/tmp/berth-csi-%d.sock", getpid());
	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(timer_new_exact(&w->guard, w->loop, on_guard, w), 0);
	assert_int_equal(start(w, &driver, &uid, NULL), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	rpc_client_free(w->client);
	csi_probe_free(w->probe);
	csi_service_free(w->service);
	csi_registration_free(w->registration);
	timer_free(w->guard);
	loop_free(w->loop);
	(void)unlink(w->path);
	free(w);
	return 0;
}

static void on_answer(struct rpc_client *c, const struct rpc_status *status, const void *message,
	size_t size, void *userdata)
{
	struct world *w = userdata;

	w->answers++;
	w->status = *status;
	w->size = size;
	assert_true(size <= sizeof(w->answer));
	if (size > 0)
		memcpy(w->answer, message, size);
	w->client = rpc_client_free(c);
	loop_exit(w->loop, 0);
}

static void run(struct world *w)
{
	timer_arm(w->guard, SECONDS(20));
	assert_int_equal(loop_run(w->loop), 0);
}

static void call(struct world *w, const char *path, const void *message, size_t size)
{
	const struct rpc_client_options o = {.socket = w->path,
		.path = path,
		.message = message,
		.size = size,
		.timeout_ns = SECONDS(15)};

	w->status.code = _RPC_CODE_MAX;
	assert_int_equal(rpc_client_call(&w->client, w->loop, &o, on_answer, w), 0);
	run(w);
}

#define PUBLISH(id) "\x0a\x04" id "\x22\x02/t\x2a\x06\x12\x00\x1a\x02\x08\x01"
#define SIZE(s) s, sizeof(s) - 1

static void identity_and_node_answer(void **state)
{
	struct world *w = *state;

	call(w, "/csi.v1.Identity/GetPluginInfo", "", 0);
	assert_int_equal(w->status.code, RPC_OK);
	assert_memory_equal(w->answer,
		"\x0a\x0dnfs.berth.dev\x12\x05"
		"0.1.0",
		w->size);
	call(w, "/csi.v1.Identity/GetPluginCapabilities", "", 0);
	assert_int_equal(w->status.code, RPC_OK);
	assert_int_equal(w->size, 0);
	call(w, "/csi.v1.Node/NodeGetCapabilities", "", 0);
	assert_memory_equal(w->answer, "\x0a\x04\x0a\x02\x08\x02", 6);
	call(w, "/csi.v1.Node/NodeGetInfo", "", 0);
	assert_memory_equal(w->answer, "\x0a\x02n1\x1a", 5);
	call(w, "/csi.v1.Node/NodePublishVolume", SIZE(PUBLISH("pv-1")));
	assert_string_equal(w->status.text, "");
	assert_int_equal(w->status.code, RPC_OK);
	call(w, "/csi.v1.Node/NodeUnpublishVolume", SIZE("\x0a\x02pv\x12\x02/t"));
	assert_int_equal(w->status.code, RPC_OK);
	call(w, "/csi.v1.Node/NodeGetVolumeStats", SIZE("\x0a\x02pv\x12\x02/t"));
	assert_int_equal(w->size, 10);
	assert_memory_equal(w->answer, "\x0a\x08\x08\x0a\x10\x64\x18\x5a\x20\x01", 10);
	assert_int_equal(w->published, 1);
	assert_int_equal(w->unpublished, 1);
	assert_int_equal(w->observed, 7);
}

static void refusals(void **state)
{
	struct world *w = *state;

	call(w, "/csi.v1.Node/NodePublishVolume", "", 0);
	assert_int_equal(w->status.code, RPC_INVALID_ARGUMENT);
	assert_string_equal(w->status.text, "volume_id is missing");
	call(w, "/csi.v1.Node/NodePublishVolume", SIZE(PUBLISH("busy")));
	assert_int_equal(w->status.code, RPC_ABORTED);
	assert_string_equal(w->status.text, "an operation on busy is running");
	call(w, "/csi.v1.Node/NodePublishVolume",
		SIZE("\x0a\x02pv\x22\x02/t\x2a\x09\x12\x03\x1a\x01"
		     "5\x1a\x02\x08\x01"));
	assert_int_equal(w->status.code, RPC_FAILED_PRECONDITION);
	call(w, "/csi.v1.Node/NodeStageVolume", "", 0);
	assert_int_equal(w->status.code, RPC_UNIMPLEMENTED);
	assert_string_equal(
		w->status.text, "unknown method NodeStageVolume for service csi.v1.Node");
	call(w, "/csi.v1.Controller/CreateVolume", "", 0);
	assert_string_equal(w->status.text, "unknown service csi.v1.Controller");
	call(w, "/csi.v1.Identity/GetPluginInfo", "\xff", 1);
	assert_int_equal(w->status.code, RPC_INTERNAL);
	assert_int_equal(w->published, 1);
}

static void a_held_call_outlives_the_service(void **state)
{
	struct world *w = *state;

	call(w, "/csi.v1.Node/NodePublishVolume", SIZE(PUBLISH("hold")));
	assert_non_null(w->held);
	w->service = csi_service_free(w->service);
	assert_int_equal(w->cancelled, 1);
	csi_answer(w->held);
	run(w);
	run(w);
	assert_int_equal(w->status.code, RPC_UNAVAILABLE);
}

static void a_client_that_leaves_cancels(void **state)
{
	struct world *w = *state;

	call(w, "/csi.v1.Node/NodePublishVolume", SIZE(PUBLISH("hold")));
	w->client = rpc_client_free(w->client);
	run(w);
	assert_int_equal(w->cancelled, 1);
	csi_fail(w->held, RPC_INTERNAL, "too late");
	call(w, "/csi.v1.Identity/Probe", "", 0);
	assert_int_equal(w->status.code, RPC_OK);
}

static void a_handler_may_free_the_service(void **state)
{
	struct world *w = *state;

	w->free_now = true;
	call(w, "/csi.v1.Node/NodePublishVolume", SIZE(PUBLISH("pv-1")));
	assert_int_equal(w->cancelled, 1);
	run(w);
	assert_int_equal(w->status.code, RPC_UNAVAILABLE);
}

static void on_probed(struct csi_probe *p, const struct err *e, void *userdata)
{
	struct world *w = userdata;

	w->probed = *e;
	w->probe = csi_probe_free(p);
	loop_exit(w->loop, 0);
}

static const char *probe(struct world *w)
{
	assert_int_equal(csi_probe_new(&w->probe, w->loop, w->path, SECONDS(15), on_probed, w), 0);
	run(w);
	assert_int_equal(w->probed.code == 0, w->probed.text[0] == '\0');
	return w->probed.text;
}

static void probes(void **state)
{
	struct world *w = *state;
	char missing[128];

	assert_string_equal(probe(w), "");
	w->ready = 0;
	assert_string_equal(probe(w), "driver responded but is not ready");
	w->ready = -1;
	assert_string_equal(probe(w), "FailedPrecondition: the mount child does not start");
	w->service = csi_service_free(w->service);
	(void)snprintf(missing, sizeof(missing),
		"Unavailable: cannot connect to %s: Connection refused", w->path);
	assert_string_equal(probe(w), missing);
}

static void registration_tells_and_is_told(void **state)
{
	struct world *w = *state;
	const uid_t uid = getuid();
	struct csi_registration_options o = {.uids = &uid,
		.n_uids = 1,
		.name = "d.io",
		.endpoint = "/c.sock",
		.fd = listen_unix(w)};
	struct err e = ERR_NULL;

	assert_int_equal(csi_registration_new(&w->registration, w->loop, &o, &events, w, &e), 0);
	call(w, "/pluginregistration.Registration/GetInfo", "", 0);
	assert_int_equal(w->size, 0x21);
	assert_memory_equal(w->answer,
		"\x0a\x09"
		"CSIPlugin\x12\x04"
		"d.io\x1a\x07/c.sock\"\x05"
		"1.0.0",
		0x21);
	assert_int_equal(w->asked, 1);
	call(w, "/pluginregistration.Registration/NotifyRegistrationStatus", "\x08\x01", 2);
	assert_int_equal(w->status.code, RPC_OK);
	assert_int_equal(w->size, 0);
	assert_true(w->registered);
	call(w, "/pluginregistration.Registration/NotifyRegistrationStatus", "\x12\x03no\n", 5);
	assert_false(w->registered);
	assert_string_equal(w->text, "no\\x0a");
	assert_int_equal(w->notified, 2);
	call(w, "/pluginregistration.Registration/NotifyRegistrationStatus", "\xff", 1);
	assert_int_equal(w->status.code, RPC_INTERNAL);
	assert_int_equal(w->notified, 2);
	call(w, "/csi.v1.Identity/Probe", "", 0);
	assert_int_equal(w->status.code, RPC_UNIMPLEMENTED);
}

static void a_wrong_endpoint_is_refused(void **state)
{
	struct world *w = *state;
	char path[128];
	struct csi_registration_options o = {.fd = -1, .name = "d.io", .endpoint = "c.sock"};
	struct err e = ERR_NULL;

	assert_int_equal(
		csi_registration_new(&w->registration, w->loop, &o, &events, w, &e), -EINVAL);
	memset(path, '/', sizeof(path));
	path[108] = '\0';
	o.endpoint = path;
	assert_int_equal(
		csi_registration_new(&w->registration, w->loop, &o, &events, w, &e), -ENAMETOOLONG);
	assert_non_null(strstr(e.text, "at most 107 bytes"));
}

static void drivers_that_kubernetes_refuses(void **state)
{
	static const char *const names[] = {"", "NFS.berth.dev", "-a", "a-", "a..b", ".a", "a.",
		"a_b", "a2345678901234567890123456789012345678901234567890123456789012345"};
	struct world *w = *state;
	const uid_t uid = getuid();
	struct csi_driver d = driver;
	struct err e = ERR_NULL;

	w->service = csi_service_free(w->service);
	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		d.name = names[i];
		assert_int_equal(start(w, &d, &uid, &e), -EINVAL);
	}
	d = driver;
	d.node_id = "";
	assert_int_equal(start(w, &d, &uid, &e), -EINVAL);
	assert_non_null(strstr(e.text, "node_id"));
	d = driver;
	d.max_volumes = -1;
	assert_int_equal(start(w, &d, &uid, &e), -EINVAL);
}

static void without_stats_they_are_unknown(void **state)
{
	struct world *w = *state;
	const uid_t uid = getuid();
	struct csi_driver d = driver;

	w->service = csi_service_free(w->service);
	d.capabilities = 0;
	assert_int_equal(start(w, &d, &uid, NULL), 0);
	call(w, "/csi.v1.Node/NodeGetVolumeStats", SIZE("\x0a\x02pv\x12\x02/t"));
	assert_int_equal(w->status.code, RPC_UNIMPLEMENTED);
}

/* Who is not on the list is closed before a byte was said. */
static void other_users_are_closed(void **state)
{
	struct world *w = *state;
	const uid_t other = getuid() + 1;
	struct rpc_server_counts counts;

	w->service = csi_service_free(w->service);
	assert_int_equal(start(w, &driver, &other, NULL), 0);
	call(w, "/csi.v1.Identity/Probe", "", 0);
	assert_int_equal(w->status.code, RPC_UNAVAILABLE);
	rpc_server_counts(csi_service_server(w->service), &counts);
	assert_int_equal(counts.refused, 1);
	assert_int_equal(counts.connections, 0);
}

static void on_drained(struct csi_service *s, void *userdata)
{
	struct world *w = userdata;

	assert_ptr_equal(s, w->service);
	w->service = csi_service_free(s);
	w->drained++;
	loop_exit(w->loop, 0);
}

static void draining_answers_what_runs(void **state)
{
	struct world *w = *state;

	call(w, "/csi.v1.Node/NodePublishVolume", SIZE(PUBLISH("hold")));
	csi_service_drain(w->service, SECONDS(15), on_drained);
	csi_answer(w->held);
	while (w->drained == 0 || w->answers == 0)
		run(w);
	assert_int_equal(w->status.code, RPC_OK);
	assert_int_equal(w->cancelled, 0);
}

static void memory_faults(void **state)
{
	struct world *w = *state;
	const uid_t uid = getuid();
	unsigned ok = 0;

	FAULT_LOOP
	{
		w->service = csi_service_free(w->service);
		if (start(w, &driver, &uid, NULL) < 0)
			continue;
		if (csi_probe_new(&w->probe, w->loop, w->path, MILLISECONDS(50), on_probed, w) < 0)
			continue;
		run(w);
		ok += w->probed.code == 0;
	}
	assert_true(ok > 0);
	assert_string_equal(probe(w), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(identity_and_node_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(a_held_call_outlives_the_service, setup, teardown),
		cmocka_unit_test_setup_teardown(a_client_that_leaves_cancels, setup, teardown),
		cmocka_unit_test_setup_teardown(a_handler_may_free_the_service, setup, teardown),
		cmocka_unit_test_setup_teardown(probes, setup, teardown),
		cmocka_unit_test_setup_teardown(registration_tells_and_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_wrong_endpoint_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(drivers_that_kubernetes_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(without_stats_they_are_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(other_users_are_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(draining_answers_what_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_faults, setup, teardown),
	};

	return cmocka_run_group_tests_name("csi service", tests, NULL, NULL);
}
