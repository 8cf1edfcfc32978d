/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_node_stats.c: fsGroup before the mount, figures and conditions, no memory */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/unit/fault.h"
#include "tests/unit/node_world.h"

/* ---- fsGroup ------------------------------------------------------------------------------- */

static void group_ends(int code)
{
	struct err e = ERR_NULL;

	if (code)
		err_set(&e, code, "why");
	world.group_fn(&e, world.group_userdata);
}

static void the_group_comes_before_the_mount(void **state)
{
	struct node_world *w = *state;
	struct request q;
	struct csi_call c;

	request(&q, "pv", TARGET("1"));
	q.r.has_group = true;
	q.r.group = 4000;
	publish(w, &c, &q);
	assert_int_equal(world.group, 4000);
	assert_int_equal(world.published, 0);
	group_ends(EINPROGRESS);
	is_code(&c, RPC_ABORTED);
	publish(w, &c, &q);
	group_ends(EPERM);
	is_code(&c, RPC_FAILED_PRECONDITION);
	publish(w, &c, &q);
	group_ends(ETIMEDOUT);
	is_code(&c, RPC_DEADLINE_EXCEEDED);
	assert_int_equal(world.published, 0);
	publish(w, &c, &q);
	group_ends(0);
	end(0);
	is_code(&c, RPC_OK);
	/* A pod that has its volume has its group: a kubelet that asks again needs no server. */
	assert_int_equal(world.groups, 4);
	publish(w, &c, &q);
	end(0);
	assert_int_equal(world.groups, 4);
	/* Nobody may write: nothing is changed. */
	q.r.target_path = TARGET("2");
	q.r.readonly = true;
	publish(w, &c, &q);
	end(0);
	is_code(&c, RPC_OK);
	assert_int_equal(world.groups, 4);
}

/* ---- statistics ---------------------------------------------------------------------------- */

static void stats(struct node_world *w, struct csi_call *c, const char *volume, const char *path)
{
	const struct csi_stats_request r = {volume, path, ""};

	*c = (struct csi_call){.answered = false};
	/* The request lives as long as its call. */
	static struct csi_stats_request kept;
	kept = r;
	node_functions.stats(c, &kept, node_driver(w->node, NODE_NFS));
}

static void usage_ends(int code)
{
	const struct mounter_usage u = {.bytes = 100,
		.bytes_free = 40,
		.bytes_available = 30,
		.inodes = 10,
		.inodes_free = 4};
	struct err e = ERR_NULL;

	if (code)
		err_set(&e, code, "statfs: %s", strerror(code));
	world.usage_fn(&e, code ? NULL : &u, world.usage_userdata);
}

static void figures_and_their_cache(void **state)
{
	struct node_world *w = *state;
	struct csi_call c;

	published(w, "pv", TARGET("1"));
	stats(w, &c, "pv", TARGET("1"));
	usage_ends(0);
	is_code(&c, RPC_OK);
	assert_int_equal(c.stats.bytes_total, 100);
	assert_int_equal(c.stats.bytes_used, 60);
	assert_int_equal(c.stats.bytes_available, 30);
	assert_int_equal(c.stats.inodes_used, 6);
	assert_true(c.stats.has_condition && !c.stats.is_abnormal);
	stats(w, &c, "pv", TARGET("1"));
	is_code(&c, RPC_OK);
	assert_int_equal(world.usages, 1);
	/* Published anew: other figures. */
	published(w, "pv", TARGET("1"));
	stats(w, &c, "pv", TARGET("1"));
	assert_int_equal(world.usages, 2);
	usage_ends(0);
}

static void not_found(void **state)
{
	struct node_world *w = *state;
	struct csi_call c;

	stats(w, &c, "pv", "/etc");
	is_code(&c, RPC_NOT_FOUND);
	assert_int_equal(world.usages, 0);
	published(w, "pv", TARGET("1"));
	stats(w, &c, "other", TARGET("1"));
	is_code(&c, RPC_NOT_FOUND);
	/* Nobody knows of it: what is mounted there decides. */
	stats(w, &c, "pv", TARGET("2"));
	usage_ends(ENOENT);
	is_code(&c, RPC_NOT_FOUND);
	stats(w, &c, "forgotten", TARGET("2"));
	usage_ends(0);
	is_code(&c, RPC_OK);
	/* Unmounted behind our back. */
	stats(w, &c, "pv", TARGET("1"));
	usage_ends(ENOENT);
	is_code(&c, RPC_NOT_FOUND);
	/* Rebuilt from mountinfo: the handle is not known. */
	assert_int_equal(publications_found(w->known, TARGET("9"), "d", "s"), 0);
	stats(w, &c, "a-handle", TARGET("9"));
	usage_ends(0);
	is_code(&c, RPC_OK);
}

static void a_hung_server_is_a_condition(void **state)
{
	static const int conditions[] = {ETIMEDOUT, ECONNRESET, ESTALE, EIO, EHOSTUNREACH};
	struct node_world *w = *state;
	struct csi_call c, waiting;

	published(w, "pv", TARGET("1"));
	for (size_t i = 0; i < ELEMENTSOF(conditions); i++) {
		stats(w, &c, "pv", TARGET("1"));
		usage_ends(conditions[i]);
		is_code(&c, RPC_OK);
		assert_true(c.stats.is_abnormal && !c.stats.has_bytes);
		assert_non_null(strstr(c.condition, "statfs"));
	}
	stats(w, &c, "pv", TARGET("1"));
	usage_ends(EPERM);
	is_code(&c, RPC_PERMISSION_DENIED);
	/* Known to hang: said, with the figures of before where there are any. */
	world.abnormal = true;
	stats(w, &c, "pv", TARGET("1"));
	stats(w, &waiting, "pv", TARGET("1"));
	usage_ends(0);
	is_code(&c, RPC_OK);
	is_code(&waiting, RPC_OK);
	assert_true(c.stats.is_abnormal && c.stats.has_bytes);
	assert_string_equal(c.condition, "nas does not answer");
	assert_int_equal(world.usages, 7);
}

static void what_each_driver_can(void **state)
{
	const unsigned both = CSI_CAN_GET_VOLUME_STATS | CSI_CAN_VOLUME_CONDITION |
			      CSI_CAN_SINGLE_NODE_MULTI_WRITER;

	(void)state;
	assert_int_equal(node_capabilities(NODE_NFS), both | CSI_CAN_VOLUME_MOUNT_GROUP);
	assert_int_equal(node_capabilities(NODE_HOSTPATH), both);
}

/* ---- memory -------------------------------------------------------------------------------- */

static void no_memory_fails_the_call_alone(void **state)
{
	struct node_world *w = *state;

	FAULT_LOOP
	{
		struct request q;
		struct csi_call c;

		request(&q, "pv", TARGET("1"));
		publish(w, &c, &q);
		if (!c.answered)
			end(0);
		assert_true(c.answered);
		if (c.end.code != RPC_OK && c.end.code != RPC_RESOURCE_EXHAUSTED &&
			c.end.code != RPC_INVALID_ARGUMENT)
			fail_msg("%s: %s", rpc_code_name(c.end.code), c.end.text);
		assert_false(rpc_code_is_final(c.end.code) && c.end.code != RPC_OK);
		fault_disarm();
		unpublish(w, &c, "pv", TARGET("1"));
		end(0);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_group_comes_before_the_mount),
		TEST(figures_and_their_cache),
		TEST(not_found),
		TEST(a_hung_server_is_a_condition),
		TEST(what_each_driver_can),
		TEST(no_memory_fails_the_call_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
