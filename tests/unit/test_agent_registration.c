/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_registration.c: the table of a registration with a broker and a kubelet that are the
 * test: refused, lost, vanished, overtaken, silent */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/registration_table.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "csi/registration.h"
#include "tests/unit/fault.h"

#define ROOT "/var/lib/kubelet"
#define ORDERS_MAX 16

/* ---- a broker and a kubelet ---------------------------------------------------------------- */

static struct {
	struct loop *loop;
	struct registration *g;
	/* Orders that wait for their answers. */
	struct {
		bool publish;
		orders_socket_fn fn;
		void *userdata;
	} orders[ORDERS_MAX];
	size_t n, published, removed;
	int refuse;
	/* The socket that is served. */
	const struct csi_registration_events *events;
	void *userdata;
	unsigned served, freed;
	int serve_fails;
	unsigned changes;
	bool back;
	bool (*until)(void);
} w;

struct csi_registration {
	int fd;
};

static int order(bool publish, const char *path, orders_socket_fn fn, void *userdata)
{
	if (w.refuse)
		return w.refuse;
	assert_string_equal(path, "plugins_registry/nfs.berth.dev-reg.sock");
	assert_true(w.n < ORDERS_MAX);
	w.orders[w.n].publish = publish;
	w.orders[w.n].fn = fn;
	w.orders[w.n++].userdata = userdata;
	return 0;
}

int orders_publish(struct orders *o, enum broker_base base, const char *path, mode_t mode,
	orders_socket_fn fn, void *userdata)
{
	(void)o;
	assert_int_equal(base, BROKER_KUBELET);
	assert_int_equal(mode, 0600);
	w.published++;
	return order(true, path, fn, userdata);
}

int orders_remove(struct orders *o, enum broker_base base, const char *path, orders_socket_fn fn,
	void *userdata)
{
	(void)o;
	(void)base;
	w.removed++;
	return order(false, path, fn, userdata);
}

int csi_registration_new(struct csi_registration **ret, struct loop *l,
	const struct csi_registration_options *o, const struct csi_registration_events *events,
	void *userdata, struct err *e)
{
	(void)l;
	assert_true(o->fd >= 0);
	assert_string_equal(o->name, "nfs.berth.dev");
	assert_string_equal(o->endpoint, ROOT "/plugins/nfs.berth.dev/csi.sock");
	if (w.serve_fails) {
		fd_close(o->fd);
		return err_set(e, w.serve_fails, "no service");
	}
	*ret = malloc(sizeof(**ret));
	(*ret)->fd = o->fd;
	w.events = events;
	w.userdata = userdata;
	w.served++;
	return 0;
}

struct csi_registration *csi_registration_free(struct csi_registration *g)
{
	if (!g)
		return NULL;
	fd_close(g->fd);
	free(g);
	w.freed++;
	return NULL;
}

/* The broker's answer to the oldest order. */
static void answer(int code)
{
	struct err e = ERR_NULL;
	orders_socket_fn fn = w.orders[0].fn;
	void *userdata = w.orders[0].userdata;
	bool publish = w.orders[0].publish;

	assert_true(w.n > 0);
	memmove(w.orders, w.orders + 1, --w.n * sizeof(w.orders[0]));
	if (code)
		err_set(&e, code, "the broker says no");
	fn(publish && !code ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1, &e, userdata);
}

static void asked(void)
{
	w.events->asked(NULL, w.userdata);
}

static void notified(bool registered, const char *error)
{
	w.events->notified(NULL, registered, error, w.userdata);
}

static void is_state(enum registration_state s)
{
	if (registration_state(w.g) != s)
		fail_msg("%s instead of %s", registration_table.states[registration_state(w.g)],
			registration_table.states[s]);
}

static void on_changed(struct registration *g, void *userdata)
{
	(void)g;
	(void)userdata;
	w.changes++;
}

static bool is_back(struct registration *g, void *userdata)
{
	(void)g;
	(void)userdata;
	return w.back;
}

static void on_tick(struct timer *t, void *userdata)
{
	(void)userdata;
	if (w.until())
		loop_exit(w.loop, 0);
	else
		timer_arm(t, MILLISECONDS(5));
}

static void run_until(bool (*until)(void))
{
	_cleanup_(timer_freep) struct timer *t = NULL;

	w.until = until;
	assert_int_equal(timer_new_exact(&t, w.loop, on_tick, NULL), 0);
	timer_arm(t, 0);
	assert_int_equal(loop_run(w.loop), 0);
}

static bool has_order(void)
{
	return w.n > 0;
}

static int make(void)
{
	static const uid_t root = 0;
	const struct registration_options o = {
		.loop = w.loop,
		.kubelet_root = ROOT,
		.driver = "nfs.berth.dev",
		.uids = &root,
		.n_uids = 1,
		.watchdog = MILLISECONDS(20),
		.pause_min = MILLISECONDS(1),
		.pause_max = MILLISECONDS(4),
		.changed = on_changed,
		.is_back = is_back,
	};

	return registration_new(&w.g, &o, NULL);
}

static int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	assert_int_equal(loop_new(&w.loop), 0);
	return make();
}

static int teardown(void **state)
{
	(void)state;
	registration_free(w.g);
	assert_int_equal(w.served, w.freed);
	loop_free(w.loop);
	return 0;
}

static void registered(void)
{
	registration_start(w.g);
	answer(0);
	asked();
	notified(true, "");
	is_state(REGISTRATION_REGISTERED);
}

/* ---- tests --------------------------------------------------------------------------------- */

static void names(void **state)
{
	(void)state;
	assert_string_equal(
		registration_socket(w.g), ROOT "/plugins_registry/nfs.berth.dev-reg.sock");
	assert_string_equal(registration_csi_socket(w.g), ROOT "/plugins/nfs.berth.dev/csi.sock");
	assert_string_equal(registration_csi_path(w.g), "plugins/nfs.berth.dev/csi.sock");
	assert_string_equal(registration_word(w.g), "Off");
}

static void the_way_in(void **state)
{
	(void)state;
	registration_start(w.g);
	is_state(REGISTRATION_PUBLISHING);
	assert_string_equal(registration_word(w.g), "Waiting");
	registration_start(w.g);
	assert_int_equal(w.published, 1);
	answer(0);
	is_state(REGISTRATION_PUBLISHED);
	assert_string_equal(registration_text(w.g), "the kubelet has not asked yet");
	asked();
	is_state(REGISTRATION_ASKED);
	notified(true, "");
	is_state(REGISTRATION_REGISTERED);
	assert_string_equal(registration_word(w.g), "Registered");
	assert_string_equal(registration_text(w.g), "");
	assert_int_equal(w.changes, 4);
	assert_true(registration_since(w.g) > 0);
	/* A kubelet that was started again. */
	asked();
	is_state(REGISTRATION_ASKED);
	notified(true, "");
	is_state(REGISTRATION_REGISTERED);
	assert_int_equal(w.published, 1);
}

/* Trap 1: a refused registration is never tried again by the kubelet. */
static void refused(void **state)
{
	(void)state;
	registration_start(w.g);
	for (int i = 0; i < 4; i++) {
		answer(0);
		asked();
		notified(false, "label collision");
		is_state(REGISTRATION_REMOVING);
		/* Its answer may still be on the way: the service stays until the file has gone. */
		assert_int_equal(w.served, w.freed + 1);
		answer(0);
		is_state(REGISTRATION_PAUSED);
		assert_int_equal(w.served, w.freed);
		assert_string_equal(registration_word(w.g), "Failed");
		assert_string_equal(registration_text(w.g), "label collision");
		run_until(has_order);
		is_state(REGISTRATION_PUBLISHING);
	}
	answer(0);
	asked();
	notified(true, "");
	assert_string_equal(registration_text(w.g), "");
}

/* Trap 3: the kubelet may have missed the socket. */
static void nobody_asks(void **state)
{
	(void)state;
	registration_start(w.g);
	answer(0);
	run_until(has_order);
	is_state(REGISTRATION_PUBLISHING);
	assert_int_equal(w.published, 2);
	assert_int_equal(w.removed, 0);
	/* The old socket is served until the new one is there. */
	assert_int_equal(w.freed, 0);
	asked();
	notified(false, "on the old one");
	is_state(REGISTRATION_PUBLISHING);
	answer(0);
	assert_int_equal(w.freed, 1);
	is_state(REGISTRATION_PUBLISHED);
}

static void the_broker_fails(void **state)
{
	(void)state;
	registration_start(w.g);
	answer(EADDRINUSE);
	is_state(REGISTRATION_PAUSED);
	assert_string_equal(registration_text(w.g), "the broker says no");
	run_until(has_order);
	w.serve_fails = ENOMEM;
	answer(0);
	is_state(REGISTRATION_PAUSED);
	w.serve_fails = 0;
	assert_true(registration_retry(w.g));
	run_until(has_order);
	answer(0);
	is_state(REGISTRATION_PUBLISHED);
	assert_false(registration_retry(w.g));
}

static void orders_cannot_be_given(void **state)
{
	(void)state;
	w.refuse = -ENOMEM;
	registration_start(w.g);
	is_state(REGISTRATION_PAUSED);
	w.refuse = 0;
	run_until(has_order);
	answer(0);
	asked();
	w.refuse = -ENOTCONN;
	notified(false, "no");
	is_state(REGISTRATION_PAUSED);
	w.refuse = 0;
	run_until(has_order);
}

static void the_socket_vanishes(void **state)
{
	(void)state;
	registered();
	registration_vanished(w.g, "rm");
	is_state(REGISTRATION_PUBLISHING);
	assert_string_equal(registration_text(w.g), "rm");
	answer(0);
	asked();
	notified(true, "");
	is_state(REGISTRATION_REGISTERED);
}

static bool later(void)
{
	static uint64_t began;

	if (!began)
		began = clock_now();
	return clock_now() - began > SECONDS(6) || w.n > 0;
}

/* While the kubelet registers us it takes the entry away for a moment. */
static void the_entry_is_lost_and_back(void **state)
{
	(void)state;
	registered();
	w.back = true;
	registration_lost(w.g, "CSINode entry");
	is_state(REGISTRATION_REGISTERED);
	run_until(later);
	is_state(REGISTRATION_REGISTERED);
	assert_int_equal(w.published, 1);
	assert_string_equal(registration_text(w.g), "");
	w.back = false;
	registration_lost(w.g, "CSINode entry");
	registration_lost(w.g, "CSINode entry");
	run_until(has_order);
	is_state(REGISTRATION_PUBLISHING);
	assert_string_equal(registration_text(w.g), "CSINode entry");
	/* Before it is registered a loss says nothing. */
	registration_lost(w.g, "again");
	is_state(REGISTRATION_PUBLISHING);
	answer(0);
	registration_lost(w.g, "again");
	is_state(REGISTRATION_PUBLISHED);
}

static void stopped_in_every_state(void **state)
{
	(void)state;
	registration_start(w.g);
	registration_stop(w.g, "no NFS client");
	is_state(REGISTRATION_OFF);
	assert_string_equal(registration_word(w.g), "Off");
	assert_string_equal(registration_text(w.g), "no NFS client");
	registration_start(w.g);
	/* Of three orders only the last answer counts: the first socket was removed. */
	assert_int_equal(w.n, 3);
	answer(0);
	is_state(REGISTRATION_PUBLISHING);
	answer(0);
	is_state(REGISTRATION_PUBLISHING);
	answer(0);
	is_state(REGISTRATION_PUBLISHED);
	asked();
	registration_stop(w.g, "x");
	answer(0);
	is_state(REGISTRATION_OFF);
	registered();
	registration_stop(w.g, "x");
	answer(0);
	is_state(REGISTRATION_OFF);
}

/* Each state can be reached from the first and left again. */
static void no_state_is_a_trap(void **state)
{
	bool reached[_REGISTRATION_STATE_MAX] = {[REGISTRATION_OFF] = true};
	bool left[_REGISTRATION_STATE_MAX] = {false};

	(void)state;
	for (size_t round = 0; round < _REGISTRATION_STATE_MAX; round++) {
		for (size_t i = 0; i < registration_table.n_edges; i++) {
			const struct sm_edge *x = &registration_table.edges[i];

			if (x->from == SM_ANY)
				continue;
			left[x->from] = true;
			reached[x->to] = reached[x->to] || reached[x->from];
		}
	}
	for (size_t i = 0; i < _REGISTRATION_STATE_MAX; i++)
		if (!reached[i] || !left[i])
			fail_msg("state %s", registration_table.states[i]);
}

static void paths_that_do_not_fit(void **state)
{
	char root[108];
	struct err e = ERR_NULL;
	struct registration *g = NULL;
	const struct registration_options o = {
		.loop = w.loop, .kubelet_root = root, .driver = "nfs.berth.dev"};

	(void)state;
	memset(root, 'r', sizeof(root) - 1);
	root[0] = '/';
	root[sizeof(root) - 1] = '\0';
	assert_int_equal(registration_new(&g, &o, &e), -ENAMETOOLONG);
	assert_null(g);
	assert_non_null(strstr(e.text, "107 bytes"));
}

static void no_memory(void **state)
{
	(void)state;
	w.g = registration_free(w.g);
	FAULT_LOOP
	{
		int r = make();

		if (fault_fired() && r >= 0)
			fail_msg("an allocation failed and nothing was said");
		w.g = registration_free(w.g);
	}
	assert_int_equal(make(), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(names),
		TEST(the_way_in),
		TEST(refused),
		TEST(nobody_asks),
		TEST(the_broker_fails),
		TEST(orders_cannot_be_given),
		TEST(the_socket_vanishes),
		TEST(the_entry_is_lost_and_back),
		TEST(stopped_in_every_state),
		TEST(no_state_is_a_trap),
		TEST(paths_that_do_not_fit),
		TEST(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
