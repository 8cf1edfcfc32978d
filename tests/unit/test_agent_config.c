/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_config.c: the agent's keys, those it shares, and what is refused with file, line and
 * key */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/config.h"
#include "base/clock.h"
#include "base/str.h"
#include "provisioner/config.h"
#include "tests/unit/fault.h"

static struct agent_config *load(const char *text)
{
	struct agent_config *c = NULL;
	struct err e = ERR_NULL;

	if (agent_config_parse(&c, "c.yaml", text, strlen(text), &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static void defaults_without_a_file(void **state)
{
	_cleanup_(agent_config_freep) struct agent_config *c = NULL;

	(void)state;
	assert_int_equal(agent_config_load(&c, NULL, NULL), 0);
	assert_string_equal(c->nfs_driver, "nfs.berth.dev");
	assert_string_equal(c->hostpath_driver, "hostpath.berth.dev");
	assert_int_equal(c->n_pools, 0);
	assert_int_equal(c->listen.port, 9808);
	assert_true(c->registration.watchdog == SECONDS(60));
	assert_true(c->admin_group == (gid_t)-1);
	assert_true(agent_config_allows(c, "any", "/x"));
}

static const char whole[] = "driver: nfs.example.com\n"
			    "listen: ':9900'\n"
			    "log: {level: debug}\n"
			    "kube: {qps: 5}\n"
			    "binding: assist\n"
			    "nfs: {allow: ['a:/x', b], window: 4}\n"
			    "agent:\n"
			    "  drivers: {hostPath: disk.example.com}\n"
			    "  pools:\n"
			    "  - {name: fast, path: /srv/fast}\n"
			    "  - {name: all, path: /mnt/all, shared: true}\n"
			    "  adminGroup: 27\n"
			    "  exportIdle: 1m\n"
			    "  statsCache: 5s\n"
			    "  registration: {watchdog: 10s, retryMin: 2s, retryMax: 4s}\n";

static void every_key(void **state)
{
	_cleanup_(agent_config_freep) struct agent_config *c = load(whole);

	(void)state;
	assert_string_equal(c->nfs_driver, "nfs.example.com");
	assert_string_equal(c->hostpath_driver, "disk.example.com");
	assert_int_equal(c->n_pools, 2);
	assert_string_equal(agent_config_pool(c, "fast")->path, "/srv/fast");
	assert_false(agent_config_pool(c, "fast")->shared);
	assert_true(agent_config_pool(c, "all")->shared);
	assert_null(agent_config_pool(c, "slow"));
	assert_int_equal(c->listen.port, 9900);
	assert_int_equal(c->log.level, LOG_LEVEL_DEBUG);
	assert_true(c->kube.qps > 4.9 && c->kube.qps < 5.1);
	assert_int_equal(c->admin_group, 27);
	assert_true(c->export_idle == SECONDS(60));
	assert_true(c->stats_cache == SECONDS(5));
	assert_true(c->registration.min == SECONDS(2));
	assert_true(agent_config_allows(c, "b", "/y"));
	assert_false(agent_config_allows(c, "a", "/y"));
}

/* One ConfigMap serves both programs. */
static void the_provisioner_reads_the_same_file(void **state)
{
	struct config *c = NULL;
	struct err e = ERR_NULL;

	(void)state;
	if (config_parse(&c, "c.yaml", whole, strlen(whole), &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(c->driver, "nfs.example.com");
	config_free(c);
}

static void a_driver_can_be_off(void **state)
{
	_cleanup_(agent_config_freep) struct agent_config *c =
		load("agent: {drivers: {nfs: ''}}\n");

	(void)state;
	assert_string_equal(c->nfs_driver, "");
}

static const struct {
	const char *text, *error;
} wrong[] = {
	{"agent: {poools: []}\n", "c.yaml:1: agent.poools"},
	{"unknown: 1\n", "c.yaml:1: unknown"},
	{"nfs: {alow: []}\n", "nfs.alow"},
	{"\nagent: {pools: [{name: a}]}\n", "c.yaml:2: agent.pools"},
	{"agent: {pools: [{name: a, path: rel}]}\n", "agent.pools: entry 1: path"},
	{"agent: {pools: [{name: a, path: /}]}\n", "agent.pools: entry 1: path"},
	{"agent: {pools: [{name: a, path: /a/../b}]}\n", "agent.pools: entry 1: path"},
	{"agent: {pools: [{name: a, path: /a/}]}\n", "agent.pools: entry 1: path"},
	{"agent: {pools: [{name: ../a, path: /a}]}\n", "agent.pools: entry 1: name"},
	{"agent: {pools: [{name: a, path: /a, mode: 1}]}\n", "agent.pools"},
	{"agent: {pools: [{name: a, path: /a}, {name: a, path: /b}]}\n", "entry 2: name a"},
	{"agent: {pools: 1}\n", "agent.pools"},
	{"agent: {adminGroup: -1}\n", "agent.adminGroup"},
	{"agent: {adminGroup: wheel}\n", "agent.adminGroup"},
	{"agent: {drivers: {nfs: a/b}}\n", "agent.drivers"},
	{"agent: {drivers: {nfs: A}}\n", "agent.drivers"},
	{"agent: {drivers: {nfs: ..}}\n", "agent.drivers"},
	{"agent: {drivers: {nfs: x, hostPath: x}}\n", "agent.drivers"},
	{"agent: {drivers: {nfs: '', hostPath: ''}}\n", "agent.drivers"},
	{"agent: {registration: {retryMin: 0s}}\n", "agent.registration"},
	{"agent: {registration: {retryMin: 9s, retryMax: 8s}}\n", "agent.registration"},
	{"agent: {registration: {watchdog: 1ms}}\n", "agent.registration"},
	{"agent: {statsCache: soon}\n", "agent.statsCache"},
	{"agent: {statsCache: 5}\n", "must be a duration"},
	{"agent: {exportIdle: -1s}\n", "negative"},
	{"kube: {qps: 0}\n", "c.yaml:1: kube.qps"},
	{"kube: {burst: 0.5}\n", "kube.burst"},
	{"kube: {inFlight: 0}\n", "kube.inFlight"},
	{"listen: 9808\n", "listen"},
	{"listen: 'localhost:9808'\n", "no IP address"},
};

static void wrong_keys_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
		struct agent_config *c = NULL;
		struct err e = ERR_NULL;
		int r = agent_config_parse(&c, "c.yaml", wrong[i].text, strlen(wrong[i].text), &e);

		if (r >= 0 || c)
			fail_msg("accepted: %s", wrong[i].text);
		if (!strstr(e.text, wrong[i].error) || !strstr(e.text, "c.yaml:"))
			fail_msg("%s gave: %s", wrong[i].text, e.text);
	}
}

static void no_memory_is_an_error(void **state)
{
	(void)state;
	FAULT_LOOP
	{
		struct agent_config *c = NULL;
		struct err e = ERR_NULL;
		int r = agent_config_parse(&c, "c.yaml", whole, strlen(whole), &e);

		if (fault_fired() && r >= 0)
			fail_msg("an allocation failed and nothing was said");
		agent_config_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_without_a_file),
		cmocka_unit_test(every_key),
		cmocka_unit_test(the_provisioner_reads_the_same_file),
		cmocka_unit_test(a_driver_can_be_off),
		cmocka_unit_test(wrong_keys_are_named),
		cmocka_unit_test(no_memory_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
