/* SPDX-License-Identifier: Apache-2.0 */
/* test_provisioner_config.c: defaults, every key, and what is refused with file, line and key */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "provisioner/config.h"
#include "tests/unit/fault.h"

static struct config *load(const char *text)
{
	struct config *c = NULL;
	struct err e = ERR_NULL;
	int r = config_parse(&c, "c.yaml", text, strlen(text), &e);

	if (r < 0)
		fail_msg("%s", e.text);
	return c;
}

static void defaults_without_a_file(void **state)
{
	_cleanup_(config_freep) struct config *c = NULL;

	(void)state;
	assert_int_equal(config_load(&c, NULL, NULL), 0);
	assert_string_equal(c->driver, "nfs.berth.dev");
	assert_true(c->listen.on);
	assert_int_equal(c->listen.port, 9808);
	assert_string_equal(c->listen.address, "");
	assert_true(c->lease.enabled);
	assert_true(c->lease.duration == SECONDS(15));
	assert_true(c->kube.qps > 1999 && c->kube.qps < 2001);
	assert_int_equal(c->orphans.remove, ORPHANS_EMPTY);
	assert_false(c->assist);
}

static void empty_file_is_all_defaults(void **state)
{
	_cleanup_(config_freep) struct config *c = load("# nothing\n");

	(void)state;
	assert_string_equal(c->driver, "nfs.berth.dev");
}

static void every_key(void **state)
{
	_cleanup_(config_freep) struct config *c =
		load("driver: nfs.example.com\n"
		     "aliases: [fuseim.pri/ifs, other]\n"
		     "binding: assist\n"
		     "listen: '[::1]:9900'\n"
		     "log: {level: debug, format: json}\n"
		     "kube: {qps: 50, burst: 60.5, inFlight: 7}\n"
		     "leaderElection: {enabled: false, namespace: n, name: m, leaseDuration: 30s,\n"
		     "  renewDeadline: 20s, retryPeriod: 1s}\n"
		     "nfs:\n"
		     "  worker: /bin/true\n"
		     "  operationTimeout: 1s\n"
		     "  queueTimeout: 2s\n"
		     "  idle: 3s\n"
		     "  window: 4\n"
		     "  allow: ['a:/x', 'b', '[fd00::1]:/y']\n"
		     "trashTTL: 1h\n"
		     "orphanScan: {interval: 0s, grace: 5s, remove: all}\n"
		     "retry: {min: 2s, max: 3s}\n"
		     "limits: {claims: 9, perServer: 8, reclaims: 7}\n");

	(void)state;
	assert_string_equal(c->aliases[1], "other");
	assert_int_equal(c->n_aliases, 2);
	assert_true(c->assist);
	assert_string_equal(c->listen.address, "::1");
	assert_int_equal(c->listen.port, 9900);
	assert_int_equal(c->log.level, LOG_LEVEL_DEBUG);
	assert_int_equal(c->log.format, LOG_FORMAT_JSON);
	assert_int_equal(c->kube.in_flight, 7);
	assert_false(c->lease.enabled);
	assert_string_equal(c->lease.namespace_, "n");
	assert_true(c->nfs.queue_timeout == SECONDS(2));
	assert_int_equal(c->nfs.window, 4);
	assert_int_equal(c->nfs.allow.n, 3);
	assert_true(c->trash_ttl == SECONDS(3600));
	assert_true(c->orphans.interval == 0);
	assert_int_equal(c->orphans.remove, ORPHANS_ALL);
	assert_true(c->retry.max == SECONDS(3));
	assert_int_equal(c->limits.per_server, 8);
}

static void allow_list(void **state)
{
	_cleanup_(config_freep) struct config *c =
		load("nfs: {allow: ['a:/x', b, '[fd00::1]:/y']}\n");
	_cleanup_(config_freep) struct config *none = load("driver: d\n");

	(void)state;
	assert_true(config_allows(c, "a", "/x"));
	assert_false(config_allows(c, "a", "/x/y"));
	assert_false(config_allows(c, "a", "/"));
	assert_true(config_allows(c, "b", "/anything"));
	assert_true(config_allows(c, "fd00::1", "/y"));
	assert_false(config_allows(c, "evil", "/x"));
	assert_true(config_allows(none, "evil", "/x"));
	assert_false(config_names(none, "evil", "/x"));
}

static void aliases_are_ours(void **state)
{
	_cleanup_(config_freep) struct config *c = load("aliases: [fuseim.pri/ifs]\n");

	(void)state;
	assert_true(config_is_ours(c, "nfs.berth.dev"));
	assert_true(config_is_ours(c, "fuseim.pri/ifs"));
	assert_false(config_is_ours(c, "nfs.csi.k8s.io"));
	assert_false(config_is_ours(c, ""));
}

static const struct {
	const char *text, *error;
} wrong[] = {
	{"alow: 1\n", "c.yaml:1: alow"},
	{"nfs:\n  window: 4\n  alow: []\n", "c.yaml:3: nfs.alow"},
	{"driver: ''\n", "c.yaml:1: driver: "},
	{"driver: [a]\n", "c.yaml:1: driver"},
	{"driver: 'NFS Berth'\n", "c.yaml:1: driver: \"NFS Berth\""},
	{"driver: nfs-\n", "c.yaml:1: driver"},
	{"trashTTL: 5\n", "trashTTL: must be a duration"},
	{"trashTTL: -5s\n", "trashTTL: '-5s' is negative"},
	{"binding: both\n", "binding"},
	{"\n\nlisten: nine\n", "c.yaml:3: listen"},
	{"listen: ::1:9808\n", "listen"},
	{"listen: ':70000'\n", "listen"},
	{"log: {level: loud}\n", "c.yaml:1: log.level"},
	{"log: {format: xml}\n", "log.format"},
	{"kube: {qps: 0}\n", "kube.qps"},
	{"kube: {qps: -1}\n", "kube.qps"},
	{"kube: {burst: 0}\n", "kube.burst"},
	{"kube: {inFlight: 0}\n", "kube.inFlight"},
	{"leaderElection: {renewDeadline: 15s}\n", "leaderElection.renewDeadline"},
	{"leaderElection: {retryPeriod: 9s}\n", "leaderElection.retryPeriod"},
	{"leaderElection: {retryPeriod: 0s}\n", "leaderElection.retryPeriod"},
	{"leaderElection: {name: ''}\n", "leaderElection.name"},
	{"leaderElection: {leaseDuration: soon}\n", "leaderElection.leaseDuration"},
	{"nfs: {allow: [':/x']}\n", "nfs.allow"},
	{"nfs: {allow: ['/x']}\n", "nfs.allow"},
	{"nfs: {allow: [1]}\n", "nfs.allow"},
	{"nfs: {allow: a}\n", "nfs.allow"},
	{"nfs: {window: 5000}\n", "nfs.window"},
	{"nfs: {operationTimeout: 0s}\n", "nfs.operationTimeout"},
	{"aliases: x\n", "aliases"},
	{"aliases: ['']\n", "aliases"},
	{"orphanScan: {remove: some}\n", "orphanScan.remove"},
	{"retry: {min: 0s}\n", "retry.min"},
	{"retry: {min: 10m}\n", "retry.min"},
	{"limits: {claims: 0}\n", "limits.claims"},
	{"limits: {perServer: 99999999}\n", "limits.perServer"},
	{"driver: a\ndriver: b\n", "c.yaml:2"},
	{"- a\n", "c.yaml:1"},
	{"a: &x 1\n", "c.yaml:1"},
};

static void wrong_ones_name_file_line_and_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
		struct config *c = NULL;
		struct err e = ERR_NULL;
		int r = config_parse(&c, "c.yaml", wrong[i].text, strlen(wrong[i].text), &e);

		if (r >= 0 || c)
			fail_msg("accepted: %s", wrong[i].text);
		if (!strstr(e.text, wrong[i].error) || !strstr(e.text, "c.yaml:"))
			fail_msg("%s gave: %s", wrong[i].text, e.text);
	}
}

static void restart_keys_are_named(void **state)
{
	_cleanup_(config_freep) struct config *a = load("driver: d\n");
	_cleanup_(config_freep) struct config *b =
		load("driver: d\nlisten: ':1'\nkube: {qps: 3}\nretry: {min: 2s}\n");
	char keys[128];

	(void)state;
	config_restart_keys(a, b, keys, sizeof(keys));
	assert_string_equal(keys, "listen, kube");
	config_restart_keys(a, a, keys, sizeof(keys));
	assert_string_equal(keys, "");
	config_restart_keys(a, b, keys, 4);
	assert_int_equal(strlen(keys), 3);
}

static void no_memory_is_an_error(void **state)
{
	static const char text[] = "nfs: {allow: [a, b]}\naliases: [x]\n";

	(void)state;
	FAULT_LOOP
	{
		struct config *c = NULL;
		struct err e = ERR_NULL;
		int r = config_parse(&c, "c.yaml", text, strlen(text), &e);

		if (fault_fired() && r >= 0)
			fail_msg("an allocation failed and nothing was said");
		config_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_without_a_file),
		cmocka_unit_test(empty_file_is_all_defaults),
		cmocka_unit_test(every_key),
		cmocka_unit_test(allow_list),
		cmocka_unit_test(aliases_are_ours),
		cmocka_unit_test(wrong_ones_name_file_line_and_key),
		cmocka_unit_test(restart_keys_are_named),
		cmocka_unit_test(no_memory_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
