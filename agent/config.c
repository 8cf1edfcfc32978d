/* SPDX-License-Identifier: Apache-2.0 */
/* config.c: the agent's table of keys, its defaults and the checks across keys */
#include "agent/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pathat.h"
#include "base/str.h"

#define PATH_LEN_MAX 1024

static int take_group(const json_t *value, void *target, struct err *e)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		json_integer_value(value) >= UINT32_MAX)
		return err_set(e, EINVAL, "must be the number of a group");
	*(gid_t *)target = (gid_t)json_integer_value(value);
	return 0;
}

/* ---- pools ------------------------------------------------------------------------------- */

static const struct decode_field pool_fields[] = {
	{.key = "name",
		.type = DECODE_STRING,
		.offset = offsetof(struct agent_pool, name),
		.flags = DECODE_REQUIRED},
	{.key = "path",
		.type = DECODE_STRING,
		.offset = offsetof(struct agent_pool, path),
		.flags = DECODE_REQUIRED},
	{.key = "shared", .type = DECODE_BOOL, .offset = offsetof(struct agent_pool, shared)},
};
static const struct decode_table pool_table = DECODE_TABLE(pool_fields, true);

/* Absolute, no "." and "..", no empty component, and not the root itself. */
static int check_path(const char *path, struct err *e)
{
	if (path[0] != '/' || !path[1] || strlen(path) >= PATH_LEN_MAX)
		return err_set(
			e, EINVAL, "path must be absolute, not / and below %d bytes", PATH_LEN_MAX);
	for (const char *at = path; *at;) {
		size_t n = strcspn(++at, "/");
		struct err why = ERR_NULL;

		if (path_component_check(at, n, &why) < 0)
			return err_set(e, EINVAL, "path: %s", why.text);
		at += n;
	}
	return 0;
}

static int check_pool(const struct agent_config *c, const struct agent_pool *p, struct err *e)
{
	struct err why = ERR_NULL;

	if (path_component_check(p->name, strlen(p->name), &why) < 0)
		return err_set(e, EINVAL, "name: %s", why.text);
	if (agent_config_pool(c, p->name))
		return err_set(e, EEXIST, "name %s is there twice", p->name);
	return check_path(p->path, e);
}

static int take_pools(const json_t *value, void *target, struct err *e)
{
	struct agent_config *c = target;
	size_t i;
	json_t *item;

	if (!json_is_array(value))
		return err_set(e, EINVAL, "must be a list of {name, path, shared}");
	if (json_array_size(value) > AGENT_POOLS_MAX)
		return err_set(e, ERANGE, "has more than %d entries", AGENT_POOLS_MAX);
	c->pools = calloc(json_array_size(value) + 1, sizeof(*c->pools));
	if (!c->pools)
		return err_set(e, ENOMEM, "out of memory");
	json_array_foreach (value, i, item) {
		struct agent_pool *p = &c->pools[i];
		int r = decode(&pool_table, item, p, e);

		if (r >= 0)
			r = check_pool(c, p, e);
		if (r < 0)
			return err_prefix(e, "entry %zu", i + 1);
		c->n_pools = i + 1;
	}
	return 0;
}

const struct agent_pool *agent_config_pool(const struct agent_config *c, const char *name)
{
	for (size_t i = 0; i < c->n_pools; i++)
		if (streq(c->pools[i].name, name))
			return &c->pools[i];
	return NULL;
}

/* ---- tables ------------------------------------------------------------------------------ */

#define AT(member) offsetof(struct agent_config, member)

static int skip(const json_t *value, void *target, struct err *e)
{
	(void)value;
	(void)target;
	(void)e;
	return 0;
}
/* A key that berth-provisioner alone reads, in the same file, and checks. */
#define SKIP(name) DECODE_TAKE(name, 0, skip)

static const struct decode_field driver_fields[] = {
	DECODE_KEY("nfs", DECODE_STRING, AT(nfs_driver)),
	DECODE_KEY("hostPath", DECODE_STRING, AT(hostpath_driver)),
};
static const struct decode_field registration_fields[] = {
	DECODE_KEY("watchdog", DECODE_DURATION, AT(registration.watchdog)),
	DECODE_KEY("retryMin", DECODE_DURATION, AT(registration.min)),
	DECODE_KEY("retryMax", DECODE_DURATION, AT(registration.max)),
};
static const struct decode_field nfs_fields[] = {
	DECODE_TAKE("allow", AT(allow), settings_allow),
	SKIP("worker"),
	SKIP("operationTimeout"),
	SKIP("queueTimeout"),
	SKIP("idle"),
	SKIP("window"),
};
static const struct decode_table driver_table = DECODE_TABLE(driver_fields, true);
static const struct decode_table registration_table = DECODE_TABLE(registration_fields, true);
static const struct decode_table nfs_table = DECODE_TABLE(nfs_fields, true);

static const struct decode_field agent_fields[] = {
	DECODE_PART("drivers", 0, driver_table),
	DECODE_TAKE("pools", 0, take_pools),
	DECODE_TAKE("adminGroup", AT(admin_group), take_group),
	DECODE_KEY("exportIdle", DECODE_DURATION, AT(export_idle)),
	DECODE_KEY("statsCache", DECODE_DURATION, AT(stats_cache)),
	DECODE_PART("registration", 0, registration_table),
};
static const struct decode_table agent_table = DECODE_TABLE(agent_fields, true);

/* The NFS driver's name comes before the agent's own word for it. */
static const struct decode_field config_fields[] = {
	DECODE_KEY("driver", DECODE_STRING, AT(nfs_driver)),
	DECODE_TAKE("listen", AT(listen), settings_listen),
	DECODE_PART("log", AT(log), settings_log_table),
	DECODE_PART("kube", AT(kube), settings_kube_table),
	DECODE_PART("nfs", 0, nfs_table),
	DECODE_PART("agent", 0, agent_table),
	SKIP("aliases"),
	SKIP("binding"),
	SKIP("leaderElection"),
	SKIP("trashTTL"),
	SKIP("orphanScan"),
	SKIP("retry"),
	SKIP("limits"),
};
static const struct decode_table config_table = DECODE_TABLE(config_fields, true);

static void set_defaults(void *target)
{
	struct agent_config *c = target;

	c->nfs_driver = "nfs.berth.dev";
	c->hostpath_driver = "hostpath.berth.dev";
	c->listen = (struct settings_listen){.on = true, .port = 9808};
	c->log = SETTINGS_LOG_DEFAULT;
	/* One node's share: an API server has thousands of us. */
	c->kube = (struct settings_kube){.qps = 20, .burst = 40, .in_flight = 16};
	c->admin_group = (gid_t)-1;
	c->export_idle = SECONDS(600);
	c->stats_cache = SECONDS(60);
	c->registration.watchdog = SECONDS(60);
	c->registration.min = SECONDS(1);
	c->registration.max = SECONDS(60);
}

/* ---- checks across keys ------------------------------------------------------------------ */

static int check_drivers(const struct agent_config *c, struct err *e)
{
	int r = settings_check_driver(c->nfs_driver, e);

	if (r >= 0)
		r = settings_check_driver(c->hostpath_driver, e);
	if (r < 0)
		return r;
	if (!*c->nfs_driver && !*c->hostpath_driver)
		return err_set(e, EINVAL, "both are switched off");
	return streq(c->nfs_driver, c->hostpath_driver)
		       ? err_set(e, EINVAL, "both have the name %s", c->nfs_driver)
		       : 0;
}

static int check_whole(const void *target, const char *name, struct err *e)
{
	const struct agent_config *c = target;
	const char *key = "registration";

	if (check_drivers(c, e) < 0)
		key = "drivers";
	else if (c->registration.min == 0 || c->registration.max < c->registration.min)
		err_set(e, EINVAL, "retryMin must be above 0 and not above retryMax");
	else if (c->registration.watchdog < SECONDS(1))
		err_set(e, EINVAL, "watchdog must be at least 1s");
	else
		return settings_check_kube(&c->kube, c->doc, name, e);
	return settings_complain(c->doc, name, "agent", key, e);
}

/* ---- reading ----------------------------------------------------------------------------- */

static void done(void *target)
{
	struct agent_config *c = target;

	free(c->pools);
	settings_allow_done(&c->allow);
}

static const struct settings_format format = {
	.table = &config_table,
	.size = sizeof(struct agent_config),
	.doc = AT(doc),
	.defaults = set_defaults,
	.check = check_whole,
	.done = done,
};

int agent_config_parse(
	struct agent_config **ret, const char *name, const char *text, size_t size, struct err *e)
{
	return settings_parse(ret, &format, name, text, size, e);
}

int agent_config_load(struct agent_config **ret, const char *path, struct err *e)
{
	return settings_load(ret, &format, path, e);
}

struct agent_config *agent_config_free(struct agent_config *c)
{
	return settings_free(&format, c);
}

bool agent_config_allows(const struct agent_config *c, const char *server, const char *export_)
{
	return c->allow.n == 0 || settings_allow_names(&c->allow, server, export_);
}
