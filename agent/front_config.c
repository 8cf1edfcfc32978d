/* SPDX-License-Identifier: Apache-2.0 */
/* front_config.c: the front's configuration: read, held against the command line, watched */
#include <errno.h>
#include <unistd.h>

#include "agent/front.h"
#include "base/log.h"
#include "base/str.h"

/* ---- pools: their names are the file's, where they may be is the broker's to know ---------- */

const char *front_config_pool(const struct front *f, const struct agent_pool *p)
{
	for (size_t i = 0; i < f->o.n_pools; i++)
		if (streq(f->o.pools[i], p->path))
			return "";
	return "its path is not among the --pool DIR of berth-agent: nothing is published from it";
}

static bool is_named(const struct agent_config *c, const char *path)
{
	for (size_t i = 0; i < c->n_pools; i++)
		if (streq(c->pools[i].path, path))
			return true;
	return false;
}

static void compare_pools(const struct front *f)
{
	for (size_t i = 0; i < f->config->n_pools; i++) {
		const struct agent_pool *p = &f->config->pools[i];
		const char *why = front_config_pool(f, p);

		if (*why)
			log_error("pool %s (%s): %s", p->name, p->path, why);
	}
	for (size_t i = 0; i < f->o.n_pools; i++)
		if (!is_named(f->config, f->o.pools[i]))
			log_warning("--pool %s: agent.pools of the configuration has no pool with "
				    "this path: nothing is published from it",
				f->o.pools[i]);
}

/* ---- reading ------------------------------------------------------------------------------- */

int front_config_load(struct front *f, struct err *e)
{
	f->config_path = f->o.config;
	if (!f->config_path && access(FRONT_CONFIG_DEFAULT, F_OK) == 0)
		f->config_path = FRONT_CONFIG_DEFAULT;
	if (agent_config_load(&f->config, f->config_path, e) < 0)
		return -EINVAL;
	log_setup("berth-agent", f->config->log.level, f->config->log.format);
	compare_pools(f);
	return 0;
}

/* ---- another one --------------------------------------------------------------------------- */

static bool is_same(const struct agent_config *a, const struct agent_config *b)
{
	const json_t *x = a->doc ? yaml_root(a->doc) : NULL;
	const json_t *y = b->doc ? yaml_root(b->doc) : NULL;

	return x == y || (x && y && json_equal(x, y));
}

/* Every part was made with the old one; the broker starts a front with the new one in the time that
 * a reload of all of them would take. */
static void on_reload(struct reload *r, void *userdata)
{
	struct front *f = userdata;
	_cleanup_(agent_config_freep) struct agent_config *c = NULL;
	struct err e = ERR_NULL;

	(void)r;
	if (f->stopping)
		return;
	if (agent_config_load(&c, f->config_path, &e) < 0)
		log_error("the new configuration is not used: %s", e.text);
	else if (is_same(c, f->config))
		log_info("%s is as it was", f->config_path);
	else
		front_end(f, "the configuration has changed, berth-front is started anew with it");
}

int front_config_watch(struct front *f, struct err *e)
{
	return reload_new(&f->reload, f->loop, f->config_path, on_reload, f, e);
}
