/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_config.c: configuration files: what is accepted keeps every bound that the daemon relies on
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config.h"
#include "provisioner/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct config *c)
{
	if (c->lease.renew_deadline >= c->lease.duration || c->lease.retry == 0 ||
		c->retry.min == 0 || c->retry.max < c->retry.min || c->limits.claims == 0 ||
		c->limits.per_server == 0 || c->limits.reclaims == 0 || c->kube.in_flight == 0 ||
		c->nfs.window == 0 || c->n_aliases > CONFIG_ALIASES_MAX || !*c->driver)
		abort();
	for (size_t i = 0; i < c->nfs.allow.n; i++)
		if (!*c->nfs.allow.places[i].server ||
			(c->nfs.allow.places[i].export_ &&
				c->nfs.allow.places[i].export_[0] != '/'))
			abort();
}

static void check_agent(const struct agent_config *c)
{
	if ((!*c->nfs_driver && !*c->hostpath_driver) || c->n_pools > AGENT_POOLS_MAX ||
		c->registration.min == 0 || c->registration.max < c->registration.min ||
		strchr(c->nfs_driver, '/') || strchr(c->hostpath_driver, '/'))
		abort();
	for (size_t i = 0; i < c->n_pools; i++)
		if (c->pools[i].path[0] != '/' || strstr(c->pools[i].path, "/../") ||
			agent_config_pool(c, c->pools[i].name) != &c->pools[i])
			abort();
}

static void one_agent(const uint8_t *data, size_t size)
{
	struct agent_config *c = NULL;
	struct err e = ERR_NULL;
	int r = agent_config_parse(&c, "f", (const char *)data, size, &e);

	if (r < 0 && (c || !e.text[0]))
		abort();
	if (r < 0)
		return;
	check_agent(c);
	agent_config_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *c = NULL;
	struct err e = ERR_NULL;
	int r;

	one_agent(data, size);
	r = config_parse(&c, "f", (const char *)data, size, &e);

	if (r < 0) {
		/* The operator gets to know where. */
		if (c || !e.text[0])
			abort();
		return 0;
	}
	check(c);
	config_free(c);
	return 0;
}
