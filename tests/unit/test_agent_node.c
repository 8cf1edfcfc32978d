/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_node.c: publish and unpublish: codes of contracts.md 2.3, one operation a target, one
 * writer, hostile attributes */
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

/* ---- publish and unpublish ----------------------------------------------------------------- */

static void what_the_mounter_is_asked(void **state)
{
	static const char *const flags[] = {"nconnect=4", "context=\"a,b\""};
	struct node_world *w = *state;
	struct request q;
	struct csi_call c;

	request(&q, "pv", TARGET("1"));
	q.r.mount_flags = flags;
	q.r.n_mount_flags = 2;
	publish(w, &c, &q);
	assert_false(c.answered);
	assert_int_equal(world.v.kind, MOUNTER_NFS);
	assert_string_equal(world.v.server, "nas");
	assert_string_equal(world.v.export_, "/data");
	assert_string_equal(world.directory, "team/web");
	assert_string_equal(world.options, "nconnect=4,context=\"a,b\"");
	assert_false(world.v.readonly || world.v.suid || world.v.dev);
	end(0);
	is_code(&c, RPC_OK);
	assert_string_equal(publications_at(w->known, TARGET("1"))->source, "nas:/data/team/web");
	assert_string_equal(publications_at(w->known, TARGET("1"))->pod, "web-0");
	assert_int_equal(world.ended, 1);

	set(&q, "suid", "true");
	set(&q, "dev", "true");
	set(&q, "server", "fd00::1");
	q.r.target_path = TARGET("2");
	q.r.mode = CSI_MULTI_NODE_READER_ONLY;
	publish(w, &c, &q);
	assert_true(world.v.readonly && world.v.suid && world.v.dev);
	end(0);
	assert_string_equal(
		publications_at(w->known, TARGET("2"))->source, "[fd00::1]:/data/team/web");
	q.r.mode = CSI_MULTI_NODE_MULTI_WRITER;
	q.r.readonly = true;
	q.r.target_path = TARGET("3");
	publish(w, &c, &q);
	assert_true(world.v.readonly);
	end(0);
}

static void a_pool(void **state)
{
	struct node_world *w = *state;
	struct request q;
	struct csi_call c = {.answered = false};

	request(&q, "pv", TARGET("1"));
	set(&q, "pool", "fast");
	node_functions.publish(&c, &q.r, node_driver(w->node, NODE_HOSTPATH));
	assert_int_equal(world.v.kind, MOUNTER_HOSTPATH);
	assert_string_equal(world.v.export_, "/srv/fast");
	assert_null(world.v.server);
	/* The disk is missing: never made up for (B10). */
	end(ENODATA);
	is_code(&c, RPC_FAILED_PRECONDITION);
	set(&q, "pool", "slow");
	c.answered = false;
	node_functions.publish(&c, &q.r, node_driver(w->node, NODE_HOSTPATH));
	is_code(&c, RPC_FAILED_PRECONDITION);
	assert_non_null(strstr(c.end.text, "slow"));
	set(&q, "directory", NULL);
	c.answered = false;
	node_functions.publish(&c, &q.r, node_driver(w->node, NODE_HOSTPATH));
	is_code(&c, RPC_INVALID_ARGUMENT);
}

static const struct {
	const char *key, *value;
	enum rpc_code code;
} hostile[] = {
	{"server", NULL, RPC_INVALID_ARGUMENT},
	{"server", "", RPC_INVALID_ARGUMENT},
	{"server", "nas,addr=1.2.3.4", RPC_INVALID_ARGUMENT},
	{"server", "-o", RPC_INVALID_ARGUMENT},
	{"server", "na s", RPC_INVALID_ARGUMENT},
	{"server", "evil", RPC_PERMISSION_DENIED},
	{"server", "one", RPC_PERMISSION_DENIED},
	{"export", NULL, RPC_INVALID_ARGUMENT},
	{"export", "data", RPC_INVALID_ARGUMENT},
	{"export", "/data/../etc", RPC_INVALID_ARGUMENT},
	{"export", "/a//b", RPC_INVALID_ARGUMENT},
	{"directory", "..", RPC_INVALID_ARGUMENT},
	{"directory", "/etc", RPC_INVALID_ARGUMENT},
	{"directory", "a/../../b", RPC_INVALID_ARGUMENT},
	{"directory", ".berth/trash/x", RPC_INVALID_ARGUMENT},
	{"directory", "a//b", RPC_INVALID_ARGUMENT},
	{"nfsPort", "99999", RPC_INVALID_ARGUMENT},
	{"mountPort", "x", RPC_INVALID_ARGUMENT},
	{"nfsVersion", "2", RPC_INVALID_ARGUMENT},
	{"suid", "maybe", RPC_INVALID_ARGUMENT},
	{"dev", "2", RPC_INVALID_ARGUMENT},
	{"actAs", "0", RPC_INVALID_ARGUMENT},
	{"mode", "rwx", RPC_INVALID_ARGUMENT},
	{CSI_EPHEMERAL, "true", RPC_INVALID_ARGUMENT},
};

static void hostile_attributes_reach_nothing(void **state)
{
	struct node_world *w = *state;

	for (size_t i = 0; i < ELEMENTSOF(hostile); i++) {
		struct request q;
		struct csi_call c;

		request(&q, "pv", TARGET("1"));
		set(&q, hostile[i].key, hostile[i].value);
		publish(w, &c, &q);
		if (!c.answered || c.end.code != hostile[i].code)
			fail_msg("%s=%s: %s", hostile[i].key, str_or(hostile[i].value, "NULL"),
				c.answered ? rpc_code_name(c.end.code) : "taken");
	}
	assert_int_equal(world.published, 0);
}

static void targets_are_the_kubelets(void **state)
{
	static const char *const wrong[] = {
		"/etc",
		ROOT,
		ROOT "/pods",
		ROOT "/pods/u/volumes/kubernetes.io~csi/pv",
		ROOT "/pods/u/volumes/kubernetes.io~nfs/pv/mount",
		ROOT "/plugins/x/pods/u/volumes/kubernetes.io~csi/pv/mount",
		ROOT "2/pods/u/volumes/kubernetes.io~csi/pv/mount",
	};
	struct node_world *w = *state;
	struct request q;
	struct csi_call c;

	for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
		request(&q, "pv", wrong[i]);
		publish(w, &c, &q);
		is_code(&c, RPC_INVALID_ARGUMENT);
	}
	request(&q, "pv", TARGET("1"));
	q.r.fs_type = "ext4";
	publish(w, &c, &q);
	is_code(&c, RPC_INVALID_ARGUMENT);
	assert_int_equal(world.published, 0);
	unpublish(w, &c, "pv", "/etc");
	is_code(&c, RPC_INVALID_ARGUMENT);
	unpublish(w, &c, "pv", ROOT "/");
	is_code(&c, RPC_INVALID_ARGUMENT);
	assert_int_equal(world.unpublished, 0);
}

static void the_table_of_repeats(void **state)
{
	struct node_world *w = *state;
	struct request q;
	struct csi_call c;

	published(w, "pv", TARGET("1"));
	/* T same, P same: asked again, for the mount is what counts. */
	published(w, "pv", TARGET("1"));
	assert_int_equal(publications_count(w->known), 1);
	/* T same, P different. */
	request(&q, "pv", TARGET("1"));
	q.r.readonly = true;
	publish(w, &c, &q);
	is_code(&c, RPC_ALREADY_EXISTS);
	request(&q, "pv", TARGET("1"));
	q.r.mode = CSI_SINGLE_NODE_MULTI_WRITER;
	publish(w, &c, &q);
	is_code(&c, RPC_ALREADY_EXISTS);
	request(&q, "other", TARGET("1"));
	publish(w, &c, &q);
	is_code(&c, RPC_ALREADY_EXISTS);
	/* T different: RWX and RWO are for all pods of the node. */
	published(w, "pv", TARGET("2"));
	request(&q, "pv", TARGET("3"));
	q.r.mode = CSI_SINGLE_NODE_WRITER;
	publish(w, &c, &q);
	end(0);
	is_code(&c, RPC_OK);
}

static void one_writer(void **state)
{
	struct node_world *w = *state;
	struct request q;
	struct csi_call c;

	request(&q, "pv", TARGET("1"));
	q.r.mode = CSI_SINGLE_NODE_SINGLE_WRITER;
	publish(w, &c, &q);
	end(0);
	is_code(&c, RPC_OK);
	publish(w, &c, &q);
	end(0);
	is_code(&c, RPC_OK);
	q.r.target_path = TARGET("2");
	publish(w, &c, &q);
	is_code(&c, RPC_FAILED_PRECONDITION);
	assert_non_null(strstr(c.end.text, "default/web-0"));
	/* Also where the other one came without that mode, or is only known from mountinfo. */
	unpublish(w, &c, "pv", TARGET("1"));
	end(0);
	assert_int_equal(publications_found(w->known, TARGET("3"), "d", "s"), 0);
	publish(w, &c, &q);
	is_code(&c, RPC_FAILED_PRECONDITION);
	publications_drop(w->known, TARGET("3"));
	publish(w, &c, &q);
	end(0);
	is_code(&c, RPC_OK);
}

static void busy_is_aborted_at_once(void **state)
{
	struct node_world *w = *state;
	struct request q;
	struct csi_call first, c, second;

	request(&q, "pv", TARGET("1"));
	publish(w, &first, &q);
	publish(w, &c, &q);
	is_code(&c, RPC_ABORTED);
	unpublish(w, &c, "pv", TARGET("1"));
	is_code(&c, RPC_ABORTED);
	q.r.target_path = TARGET("2");
	publish(w, &c, &q);
	is_code(&c, RPC_ABORTED);
	/* Another volume, and another target's unpublish, do not wait. */
	q.r.volume_id = "pv2";
	publish(w, &c, &q);
	assert_false(c.answered);
	unpublish(w, &second, "pv", TARGET("3"));
	assert_false(second.answered);
	end(0);
	end(0);
	end(0);
	is_code(&first, RPC_OK);
	is_code(&c, RPC_OK);
	is_code(&second, RPC_OK);
	/* Unpublishes of one volume beside each other; no publish of it meanwhile. */
	unpublish(w, &first, "pv", TARGET("1"));
	unpublish(w, &second, "pv", TARGET("4"));
	q.r.volume_id = "pv";
	q.r.target_path = TARGET("5");
	publish(w, &c, &q);
	is_code(&c, RPC_ABORTED);
	end(0);
	end(0);
	is_code(&first, RPC_OK);
	is_code(&second, RPC_OK);
}

static void unpublish_knows_nothing(void **state)
{
	struct node_world *w = *state;
	struct csi_call c;

	unpublish(w, &c, "never-heard-of", ROOT "/pods/x/volumes/kubernetes.io~csi/y/mount");
	end(0);
	is_code(&c, RPC_OK);
	unpublish(w, &c, "v", ROOT "/pods/anything/below");
	assert_string_equal(world.target, ROOT "/pods/anything/below");
	end(ENOTEMPTY);
	is_code(&c, RPC_INTERNAL);
	/* The kubelet's own directories are no pod's. */
	unpublish(w, &c, "v", ROOT "/pki");
	is_code(&c, RPC_INVALID_ARGUMENT);
	unpublish(w, &c, "v", ROOT "/pods/");
	is_code(&c, RPC_INVALID_ARGUMENT);
	published(w, "pv", TARGET("1"));
	/* A failed one leaves the publication known. */
	unpublish(w, &c, "pv", TARGET("1"));
	end(ETIMEDOUT);
	is_code(&c, RPC_DEADLINE_EXCEEDED);
	assert_int_equal(publications_count(w->known), 1);
	unpublish(w, &c, "pv", TARGET("1"));
	end(0);
	assert_int_equal(publications_count(w->known), 0);
}

/* What may have been done all the same never gets a final code (contracts.md 2.8). */
static void codes(void **state)
{
	static const struct {
		int code;
		enum rpc_code rpc;
	} table[] = {
		{EBUSY, RPC_ABORTED},
		{EEXIST, RPC_ALREADY_EXISTS},
		{EINVAL, RPC_INVALID_ARGUMENT},
		{ENOENT, RPC_NOT_FOUND},
		{EACCES, RPC_PERMISSION_DENIED},
		{EPERM, RPC_PERMISSION_DENIED},
		{ENODEV, RPC_FAILED_PRECONDITION},
		{ETIMEDOUT, RPC_DEADLINE_EXCEEDED},
		{ECONNRESET, RPC_UNAVAILABLE},
		{ECONNREFUSED, RPC_UNAVAILABLE},
		{EHOSTUNREACH, RPC_UNAVAILABLE},
		{ENOMEM, RPC_RESOURCE_EXHAUSTED},
		{ENOSPC, RPC_RESOURCE_EXHAUSTED},
		{EIO, RPC_INTERNAL},
	};
	struct node_world *w = *state;

	for (size_t i = 0; i < ELEMENTSOF(table); i++) {
		struct request q;
		struct csi_call c;

		request(&q, "pv", TARGET("1"));
		publish(w, &c, &q);
		end(table[i].code);
		is_code(&c, table[i].rpc);
		assert_non_null(strstr(c.end.text, "nas:/data"));
		assert_int_equal(publications_count(w->known), 0);
		if (rpc_code_is_final(table[i].rpc) &&
			(table[i].code == ETIMEDOUT || table[i].code == ECONNRESET))
			fail_msg("%d is final", table[i].code);
		world.refuse = table[i].code;
		publish(w, &c, &q);
		is_code(&c, table[i].rpc);
		unpublish(w, &c, "pv", TARGET("1"));
		is_code(&c, table[i].rpc);
		world.refuse = 0;
	}
}

static void an_ending_agent_answers(void **state)
{
	struct node_world *w = *state;
	struct request q;
	struct csi_call c;

	request(&q, "pv", TARGET("1"));
	publish(w, &c, &q);
	w->node = node_free(w->node);
	is_code(&c, RPC_UNAVAILABLE);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_the_mounter_is_asked),
		TEST(a_pool),
		TEST(hostile_attributes_reach_nothing),
		TEST(targets_are_the_kubelets),
		TEST(the_table_of_repeats),
		TEST(one_writer),
		TEST(busy_is_aborted_at_once),
		TEST(unpublish_knows_nothing),
		TEST(codes),
		TEST(an_ending_agent_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
