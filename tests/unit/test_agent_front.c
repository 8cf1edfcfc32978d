/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_front.c: what the front is started with, whether the kernel has NFS, whether a pool is
 * the pool */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/front_options.h"
#include "agent/nfs_client.h"
#include "agent/pool.h"
#include "base/fd.h"
#include "base/str.h"

#define WORDS_MAX 32
#define ID "6e0e8bb2-8a8c-4a4e-9d53-6b9a3a5f0b11"

/* Words with spaces between, as arguments. */
static int parse(const char *line, struct front_options *o, struct err *e)
{
	static char text[512];
	char *argv[WORDS_MAX] = {(char *)"berth-front"}, *rest = text;
	int argc = 1;

	str_copy_cut(text, sizeof(text), line);
	while (argc < WORDS_MAX - 1 && (argv[argc] = strtok_r(rest, " ", &rest)))
		argc++;
	optind = 0;
	return front_options_parse(o, argc, argv, e);
}

static void options(void **state)
{
	struct front_options o;

	(void)state;
	assert_int_equal(parse("--mountinfo /proc/self/mountinfo --node n1", &o, NULL), 0);
	assert_string_equal(o.node, "n1");
	assert_string_equal(o.host, "self");
	assert_string_equal(o.kubelet_root, "/var/lib/kubelet");
	assert_string_equal(o.run_dir, "/run/berth");
	assert_null(o.config);
	assert_null(o.kubeconfig);
	assert_int_equal(parse("--mountinfo /host/proc/1/mountinfo --node=n.a --config c "
			       "--kubeconfig k --kubelet-root /k --run-dir /r --pool /p --pool /q",
				 &o, NULL),
		0);
	assert_string_equal(o.host, "/host/proc/1/mountinfo");
	assert_string_equal(o.node, "n.a");
	assert_string_equal(o.config, "c");
	assert_string_equal(o.kubeconfig, "k");
	assert_string_equal(o.kubelet_root, "/k");
	assert_string_equal(o.run_dir, "/r");
	assert_int_equal(o.n_pools, 2);
	assert_string_equal(o.pools[0], "/p");
	assert_string_equal(o.pools[1], "/q");
}

static const struct {
	const char *line, *error;
} wrong[] = {
	{"--node n1", "berth-agent"},
	{"--mountinfo /m", "--node"},
	{"", "not by people"},
	{"--help", "not by people"},
	{"--mountinfo /m --node N1", "N1"},
	{"--mountinfo /m --node a/b", "a/b"},
	{"--mountinfo /m --node n --kubelet-root var", "--kubelet-root var"},
	{"--mountinfo /m --node n --kubelet-root /k/", "--kubelet-root /k/"},
	{"--mountinfo /m --node n --evil", "--evil"},
	{"--mountinfo /m --node n more", "more"},
	{"--mountinfo /m --node", "--node"},
};

static void wrong_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
		struct front_options o;
		struct err e = ERR_NULL;

		if (parse(wrong[i].line, &o, &e) != -EINVAL || !strstr(e.text, wrong[i].error))
			fail_msg("%s: %s", wrong[i].line, e.text);
	}
}

/* ---- files --------------------------------------------------------------------------------- */

static char dir[64];

static const char *at(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	fd_close(fd);
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test-front-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	unlink(at("filesystems"));
	unlink(at("elsewhere"));
	unlink(at(".berth/identity.json"));
	unlink(at(".berth"));
	rmdir(at(".berth"));
	return rmdir(dir);
}

static void nfs_of_the_kernel(void **state)
{
	static const struct {
		const char *text;
		bool there;
	} table[] = {
		{"nodev\tsysfs\nnodev\tnfs\n\text4\n", true},
		{"nodev\tnfs4\n", true},
		{"nodev\tnfs4", true},
		{"nodev\tnfsd\n\text4\n", false},
		{"nodev\tnfs5\nnodev\txnfs\n", false},
		{"nfs\n", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(table); i++) {
		struct err e = ERR_NULL;

		put("filesystems", table[i].text);
		if (nfs_client_is_there(at("filesystems"), &e) != table[i].there)
			fail_msg("%s", table[i].text);
		assert_int_equal(e.code, table[i].there ? 0 : ENODEV);
	}
	assert_false(nfs_client_is_there(at("missing"), NULL));
}

static void is_no_pool(const char *identity, const char *why)
{
	struct err e = ERR_NULL;

	assert_int_equal(pool_open(dir, identity, &e), -ENODATA);
	if (!strstr(e.text, why))
		fail_msg("%s", e.text);
}

static void is_pool(const char *identity)
{
	int fd = pool_open(dir, identity, NULL);

	assert_true(fd >= 0);
	close(fd);
}

static void pools(void **state)
{
	(void)state;
	is_no_pool("", "identity.json");
	assert_int_equal(mkdir(at(".berth"), 0700), 0);
	is_no_pool("", "identity.json");
	put(".berth/identity.json", "{\"version\":1,\"id\":\"" ID "\"}");
	is_pool("");
	is_pool(ID);
	is_pool(NULL);
	is_no_pool("00000000-0000-4000-8000-000000000000", "does not name");
	/* A part of it is not it. */
	is_no_pool("6e0e8bb2", "does not name");
	/* Neither through a symlink nor something that is no file. */
	assert_int_equal(rename(at(".berth/identity.json"), "/tmp/test-front-identity"), 0);
	assert_int_equal(symlink("/tmp/test-front-identity", at(".berth/identity.json")), 0);
	is_no_pool("", "symbolic link");
	unlink(at(".berth/identity.json"));
	unlink("/tmp/test-front-identity");
	assert_int_equal(mkfifo(at(".berth/identity.json"), 0600), 0);
	is_no_pool("", "identity.json");
	is_pool(NULL);
	assert_int_equal(pool_open(at("missing"), "", NULL), -ENODATA);
	assert_int_equal(pool_open(at("missing"), NULL, NULL), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options),
		cmocka_unit_test(wrong_options),
		cmocka_unit_test_setup_teardown(nfs_of_the_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(pools, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
