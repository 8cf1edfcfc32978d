/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_probes.c: /healthz through real CSI services, /readyz, /metrics */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/probes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "csi/service.h"
#include "tests/unit/http_get.h"
#include "tests/unit/view_world.h"

/* One of each driver of the view. */
struct driver {
	struct csi_service *service;
	int ready; /* what Probe says */
};

struct fixture {
	struct loop *loop;
	struct view_world world;
	struct driver drivers[2];
	struct probes *probes;
	struct metrics *metrics;
	struct timer *connecting;
	unsigned connects, collected;
	int refuse;   /* errno of connect(), 0: none */
	bool swallow; /* the connection leads nowhere */
	bool silent;  /* the broker does not answer at all */
	int swallowed[4];
	/* Answers that are due. */
	struct {
		view_fd_fn done;
		void *userdata;
		size_t driver;
	} due[4];
	size_t n_due;
	struct http_get get;
};

static void never(struct csi_call *c, const struct csi_publish *r, void *userdata)
{
	(void)r;
	(void)userdata;
	csi_fail(c, RPC_INTERNAL, "not here");
}

static void never_un(struct csi_call *c, const struct csi_unpublish *r, void *userdata)
{
	(void)r;
	(void)userdata;
	csi_fail(c, RPC_INTERNAL, "not here");
}

static int probe(struct err *e, void *userdata)
{
	const struct driver *d = userdata;

	return d->ready < 0 ? err_set(e, EIO, "the disk is on fire") : d->ready;
}

static void start_service(struct fixture *f, size_t i)
{
	const uid_t uid = getuid();
	const struct csi_driver driver = {
		.name = f->world.drivers[i].name, .version = "1", .node_id = "n"};
	const struct csi_node node = {.publish = never, .unpublish = never_un, .probe = probe};
	const struct csi_service_options o = {
		.fd = -1, .uids = &uid, .n_uids = 1, .driver = &driver, .node = &node};
	struct err e = ERR_NULL;

	f->drivers[i].ready = 1;
	if (csi_service_new(&f->drivers[i].service, f->loop, &o, &f->drivers[i], &e) < 0)
		fail_msg("%s", e.text);
}

static int connect_pair(struct fixture *f, size_t driver)
{
	int pair[2];

	if (f->refuse)
		return -f->refuse;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	if (f->swallow) {
		f->swallowed[driver] = pair[0];
		return pair[1];
	}
	assert_int_equal(
		rpc_server_adopt(csi_service_server(f->drivers[driver].service), pair[0]), 0);
	return pair[1];
}

static void on_connecting(struct timer *t, void *userdata)
{
	struct fixture *f = userdata;

	(void)t;
	while (f->n_due > 0) {
		struct err e = ERR_NULL;
		int fd;

		f->n_due--;
		fd = connect_pair(f, f->due[f->n_due].driver);
		if (fd < 0)
			(void)err_sys(&e, fd, "cannot connect");
		f->due[f->n_due].done(fd < 0 ? -1 : fd, &e, f->due[f->n_due].userdata);
	}
}

static int connect_driver(
	void *agent, const char *driver, view_fd_fn done, void *userdata, struct err *e)
{
	struct fixture *f = CONTAINER_OF(agent, struct fixture, world);
	const size_t i = streq(driver, f->world.drivers[0].name) ? 0 : 1;

	(void)e;
	f->connects++;
	f->due[f->n_due].done = done;
	f->due[f->n_due].userdata = userdata;
	f->due[f->n_due].driver = i;
	f->n_due++;
	if (!f->silent)
		timer_arm(f->connecting, MILLISECONDS(1));
	return 0;
}

static void collect(void *userdata)
{
	struct fixture *f = userdata;

	f->collected++;
	metric_set(metrics_get(f->metrics, METRIC_GAUGE, "berth_x", "X.", ""), f->collected);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct probes_options o = {.address = "127.0.0.1", .collect = collect, .userdata = f};
	struct err e = ERR_NULL;

	assert_non_null(f);
	assert_int_equal(loop_new(&f->loop), 0);
	view_world_init(&f->world, f->loop);
	f->world.view.connect = connect_driver;
	assert_int_equal(metrics_new(&f->metrics), 0);
	assert_int_equal(timer_new_exact(&f->connecting, f->loop, on_connecting, f), 0);
	start_service(f, 0);
	start_service(f, 1);
	o.view = &f->world.view;
	o.metrics = f->metrics;
	assert_int_equal(probes_new(&f->probes, f->loop, &o, &e), 0);
	f->get = (struct http_get){.loop = f->loop, .port = probes_port(f->probes)};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	probes_free(f->probes);
	csi_service_free(f->drivers[0].service);
	csi_service_free(f->drivers[1].service);
	for (size_t i = 0; i < 2; i++)
		if (f->swallowed[i])
			close(f->swallowed[i]);
	metrics_free(f->metrics);
	timer_free(f->connecting);
	view_world_done(&f->world);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void test_healthy(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(http_get(&f->get, "GET /healthz"), 200);
	assert_string_equal(f->get.text, "ok\n");
	assert_int_equal(f->connects, 2);
	/* Each time anew. */
	assert_int_equal(http_get(&f->get, "GET /healthz"), 200);
	assert_int_equal(f->connects, 4);
}

static void test_driver_off_is_not_asked(void **state)
{
	struct fixture *f = *state;

	f->world.drivers[0].state = "Off";
	assert_int_equal(http_get(&f->get, "GET /healthz"), 200);
	assert_int_equal(f->connects, 1);
	f->world.drivers[1].state = "Off";
	assert_int_equal(http_get(&f->get, "GET /healthz"), 200);
	assert_int_equal(f->connects, 1);
}

static void test_not_ready(void **state)
{
	struct fixture *f = *state;

	f->drivers[1].ready = 0;
	assert_int_equal(http_get(&f->get, "GET /healthz"), 500);
	assert_string_equal(f->get.text, "hostpath.berth.dev: driver responded but is not ready\n");
	f->drivers[1].ready = -1;
	assert_int_equal(http_get(&f->get, "GET /healthz"), 500);
	assert_non_null(strstr(f->get.text, "the disk is on fire"));
	f->drivers[1].ready = 1;
	assert_int_equal(http_get(&f->get, "GET /healthz"), 200);
}

static void test_no_connection(void **state)
{
	struct fixture *f = *state;

	f->refuse = ECONNREFUSED;
	assert_int_equal(http_get(&f->get, "GET /healthz"), 500);
	assert_non_null(strstr(f->get.text, "Connection refused"));
	f->world.view.connect = NULL;
	assert_int_equal(http_get(&f->get, "GET /healthz"), 500);
	assert_non_null(strstr(f->get.text, "nobody connects"));
}

/* A wedged gRPC loop, a broker that sleeps: 3 s, then the truth; and well again afterwards. */
static void test_wedged(void **state)
{
	struct fixture *f = *state;

	f->swallow = true;
	assert_int_equal(http_get(&f->get, "GET /healthz"), 500);
	assert_non_null(strstr(f->get.text, "in 3 s"));
	f->swallow = false;
	assert_int_equal(http_get(&f->get, "GET /healthz"), 200);
	f->silent = true;
	assert_int_equal(http_get(&f->get, "GET /healthz"), 500);
	assert_int_equal(http_get(&f->get, "GET /healthz"), 500);
	assert_string_equal(f->get.text, "the broker does not answer\n");
	f->silent = false;
	timer_arm(f->connecting, 0);
	assert_int_equal(http_get(&f->get, "GET /readyz"), 200);
	assert_int_equal(http_get(&f->get, "GET /healthz"), 200);
}

static void test_ready(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(http_get(&f->get, "GET /readyz"), 200);
	f->world.drivers[0].state = "Waiting";
	f->world.drivers[0].text = "no GetInfo yet";
	assert_int_equal(http_get(&f->get, "GET /readyz"), 503);
	assert_string_equal(f->get.text, "nfs.berth.dev: Waiting: no GetInfo yet\n");
	f->world.node.stopping = true;
	assert_int_equal(http_get(&f->get, "GET /readyz"), 503);
	assert_string_equal(f->get.text, "stopping\n");
}

static void test_metrics_and_the_rest(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(http_get(&f->get, "GET /metrics"), 200);
	assert_non_null(strstr(f->get.text, "berth_x 1\n"));
	assert_int_equal(http_get(&f->get, "POST /healthz"), 405);
	assert_int_equal(http_get(&f->get, "GET /v1/status"), 404);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_healthy),
		TEST(test_driver_off_is_not_asked),
		TEST(test_not_ready),
		TEST(test_no_connection),
		TEST(test_wedged),
		TEST(test_ready),
		TEST(test_metrics_and_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
