/* SPDX-License-Identifier: Apache-2.0 */
/* config.c: the configuration's defaults, its table of keys and the checks across keys */
#include "provisioner/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/str.h"

/* Enough for what one process can use; a typing error must not eat all memory. */
#define LIMIT_MAX 65536U
#define WINDOW_MAX 1024U

static const char *const removals[] = {
	[ORPHANS_KEEP] = "never", [ORPHANS_EMPTY] = "empty", [ORPHANS_ALL] = "all"};

static int take_binding(const json_t *value, void *target, struct err *e)
{
	const char *s = json_string_value(value);

	if (!s || (!streq(s, "assist") && !streq(s, "controller")))
		return err_set(e, EINVAL, "must be controller or assist");
	*(bool *)target = streq(s, "assist");
	return 0;
}

static int take_removal(const json_t *value, void *target, struct err *e)
{
	const char *s = json_string_value(value);

	for (size_t i = 0; s && i < ELEMENTSOF(removals); i++) {
		if (streq(s, removals[i])) {
			*(enum orphan_removal *)target = (enum orphan_removal)i;
			return 0;
		}
	}
	return err_set(e, EINVAL, "must be never, empty or all");
}

static int take_aliases(const json_t *value, void *target, struct err *e)
{
	struct config *c = target;
	size_t i;
	json_t *item;

	if (!json_is_array(value))
		return err_set(e, EINVAL, "must be a list of names");
	if (json_array_size(value) > CONFIG_ALIASES_MAX)
		return err_set(e, ERANGE, "has more than %d entries", CONFIG_ALIASES_MAX);
	json_array_foreach (value, i, item) {
		if (str_empty(json_string_value(item)))
			return err_set(e, EINVAL, "entry %zu must be a name", i + 1);
		c->aliases[i] = json_string_value(item);
	}
	c->n_aliases = json_array_size(value);
	return 0;
}

#define AT(member) offsetof(struct config, member)

static const struct decode_field lease_fields[] = {
	DECODE_KEY("enabled", DECODE_BOOL, AT(lease.enabled)),
	DECODE_KEY("namespace", DECODE_STRING, AT(lease.namespace_)),
	DECODE_KEY("name", DECODE_STRING, AT(lease.name)),
	DECODE_KEY("leaseDuration", DECODE_DURATION, AT(lease.duration)),
	DECODE_KEY("renewDeadline", DECODE_DURATION, AT(lease.renew_deadline)),
	DECODE_KEY("retryPeriod", DECODE_DURATION, AT(lease.retry)),
};
static const struct decode_field nfs_fields[] = {
	DECODE_KEY("worker", DECODE_STRING, AT(nfs.worker)),
	DECODE_KEY("operationTimeout", DECODE_DURATION, AT(nfs.operation_timeout)),
	DECODE_KEY("queueTimeout", DECODE_DURATION, AT(nfs.queue_timeout)),
	DECODE_KEY("idle", DECODE_DURATION, AT(nfs.idle)),
	DECODE_KEY("window", DECODE_UNSIGNED, AT(nfs.window)),
	DECODE_TAKE("allow", AT(nfs.allow), settings_allow),
};
static const struct decode_field orphan_fields[] = {
	DECODE_KEY("interval", DECODE_DURATION, AT(orphans.interval)),
	DECODE_KEY("grace", DECODE_DURATION, AT(orphans.grace)),
	DECODE_TAKE("remove", AT(orphans.remove), take_removal),
};
static const struct decode_field retry_fields[] = {
	DECODE_KEY("min", DECODE_DURATION, AT(retry.min)),
	DECODE_KEY("max", DECODE_DURATION, AT(retry.max)),
};
static const struct decode_field limit_fields[] = {
	DECODE_KEY("claims", DECODE_UNSIGNED, AT(limits.claims)),
	DECODE_KEY("perServer", DECODE_UNSIGNED, AT(limits.per_server)),
	DECODE_KEY("reclaims", DECODE_UNSIGNED, AT(limits.reclaims)),
};

static const struct decode_table lease_table = DECODE_TABLE(lease_fields, true);
static const struct decode_table nfs_table = DECODE_TABLE(nfs_fields, true);
static const struct decode_table orphan_table = DECODE_TABLE(orphan_fields, true);
static const struct decode_table retry_table = DECODE_TABLE(retry_fields, true);
static const struct decode_table limit_table = DECODE_TABLE(limit_fields, true);

static const struct decode_field config_fields[] = {
	DECODE_KEY("driver", DECODE_STRING, AT(driver)),
	DECODE_TAKE("aliases", 0, take_aliases),
	DECODE_TAKE("binding", AT(assist), take_binding),
	DECODE_TAKE("listen", AT(listen), settings_listen),
	DECODE_PART("log", AT(log), settings_log_table),
	DECODE_PART("kube", AT(kube), settings_kube_table),
	DECODE_PART("leaderElection", 0, lease_table),
	DECODE_PART("nfs", 0, nfs_table),
	DECODE_KEY("trashTTL", DECODE_DURATION, AT(trash_ttl)),
	DECODE_PART("orphanScan", 0, orphan_table),
	DECODE_PART("retry", 0, retry_table),
	DECODE_PART("limits", 0, limit_table),
	/* berth-agent's part of the same file: checked there. */
	DECODE_KEY("agent", DECODE_JSON, AT(agent)),
};
static const struct decode_table config_table = DECODE_TABLE(config_fields, true);

static void set_defaults(void *target)
{
	struct config *c = target;

	c->driver = "nfs.berth.dev";
	c->listen = (struct settings_listen){.on = true, .port = 9808};
	c->log = SETTINGS_LOG_DEFAULT;
	c->kube.qps = 2000;
	c->kube.burst = 4000;
	c->kube.in_flight = 128;
	c->lease.enabled = true;
	c->lease.name = "berth-provisioner";
	c->lease.duration = SECONDS(15);
	c->lease.renew_deadline = SECONDS(10);
	c->lease.retry = SECONDS(2);
	c->nfs.operation_timeout = SECONDS(10);
	c->nfs.queue_timeout = SECONDS(30);
	c->nfs.idle = SECONDS(60);
	c->nfs.window = 32;
	c->orphans.interval = SECONDS(3600);
	c->orphans.grace = SECONDS(3600);
	c->orphans.remove = ORPHANS_EMPTY;
	c->retry.min = SECONDS(1);
	c->retry.max = SECONDS(300);
	c->limits.claims = 512;
	c->limits.per_server = 64;
	c->limits.reclaims = 128;
}

static int check_lease(const struct config *c, const char *name, struct err *e)
{
	if (c->lease.renew_deadline >= c->lease.duration) {
		err_set(e, EINVAL, "must be shorter than leaseDuration");
		return settings_complain(c->doc, name, "leaderElection", "renewDeadline", e);
	}
	/* client-go's jitter factor, contracts.md 5.10 */
	if (c->lease.retry == 0 || c->lease.retry + c->lease.retry / 5 >= c->lease.renew_deadline) {
		err_set(e, EINVAL, "must be above 0, and 1.2 times it below renewDeadline");
		return settings_complain(c->doc, name, "leaderElection", "retryPeriod", e);
	}
	if (str_empty(c->lease.name)) {
		err_set(e, EINVAL, "must not be empty");
		return settings_complain(c->doc, name, "leaderElection", "name", e);
	}
	return 0;
}

static int check_numbers(const struct config *c, const char *name, struct err *e)
{
	const struct {
		const char *part, *key;
		unsigned value, max;
	} numbers[] = {
		{"limits", "claims", c->limits.claims, LIMIT_MAX},
		{"limits", "perServer", c->limits.per_server, LIMIT_MAX},
		{"limits", "reclaims", c->limits.reclaims, LIMIT_MAX},
		{"nfs", "window", c->nfs.window, WINDOW_MAX},
	};

	for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
		if (numbers[i].value > 0 && numbers[i].value <= numbers[i].max)
			continue;
		err_set(e, ERANGE, "must be from 1 to %u", numbers[i].max);
		return settings_complain(c->doc, name, numbers[i].part, numbers[i].key, e);
	}
	return 0;
}

static int check_rest(const struct config *c, const char *name, struct err *e)
{
	if (!*c->driver)
		err_set(e, EINVAL, "must not be empty");
	if (!*c->driver || settings_check_driver(c->driver, e) < 0)
		return settings_complain(c->doc, name, NULL, "driver", e);
	if (c->retry.min < MILLISECONDS(1) || c->retry.max < c->retry.min) {
		err_set(e, EINVAL, "must be above 0, and not above retry.max");
		return settings_complain(c->doc, name, "retry", "min", e);
	}
	if (c->nfs.operation_timeout < MILLISECONDS(1)) {
		err_set(e, EINVAL, "must be above 0");
		return settings_complain(c->doc, name, "nfs", "operationTimeout", e);
	}
	return 0;
}

static int check_whole(const void *target, const char *name, struct err *e)
{
	const struct config *c = target;
	int r = check_lease(c, name, e);

	if (r >= 0)
		r = check_numbers(c, name, e);
	if (r >= 0)
		r = check_rest(c, name, e);
	if (r >= 0)
		r = settings_check_kube(&c->kube, c->doc, name, e);
	return r;
}

static void done(void *target)
{
	struct config *c = target;

	settings_allow_done(&c->nfs.allow);
}

static const struct settings_format format = {
	.table = &config_table,
	.size = sizeof(struct config),
	.doc = AT(doc),
	.defaults = set_defaults,
	.check = check_whole,
	.done = done,
};

int config_parse(
	struct config **ret, const char *name, const char *text, size_t size, struct err *e)
{
	return settings_parse(ret, &format, name, text, size, e);
}

int config_load(struct config **ret, const char *path, struct err *e)
{
	return settings_load(ret, &format, path, e);
}

struct config *config_free(struct config *c)
{
	return settings_free(&format, c);
}

bool config_is_ours(const struct config *c, const char *provisioner)
{
	if (streq(provisioner, c->driver))
		return true;
	for (size_t i = 0; i < c->n_aliases; i++)
		if (streq(provisioner, c->aliases[i]))
			return true;
	return false;
}

bool config_names(const struct config *c, const char *server, const char *export_)
{
	return settings_allow_names(&c->nfs.allow, server, export_);
}

bool config_allows(const struct config *c, const char *server, const char *export_)
{
	return c->nfs.allow.n == 0 || config_names(c, server, export_);
}

void config_restart_keys(const struct config *a, const struct config *b, char *dst, size_t size)
{
	const struct {
		const char *key;
		bool same;
	} keys[] = {
		{"driver", streq(a->driver, b->driver)},
		{"listen", a->listen.on == b->listen.on && a->listen.port == b->listen.port &&
				   streq(a->listen.address, b->listen.address)},
		{"kube", memcmp(&a->kube, &b->kube, sizeof(a->kube)) == 0},
		{"leaderElection", a->lease.enabled == b->lease.enabled &&
					   a->lease.duration == b->lease.duration &&
					   a->lease.renew_deadline == b->lease.renew_deadline &&
					   a->lease.retry == b->lease.retry &&
					   streq(a->lease.name, b->lease.name) &&
					   streq_null(a->lease.namespace_, b->lease.namespace_)},
		{"nfs", a->nfs.operation_timeout == b->nfs.operation_timeout &&
				a->nfs.queue_timeout == b->nfs.queue_timeout &&
				a->nfs.idle == b->nfs.idle && a->nfs.window == b->nfs.window &&
				streq_null(a->nfs.worker, b->nfs.worker)},
	};
	size_t len = 0;

	*dst = '\0';
	for (size_t i = 0; i < ELEMENTSOF(keys) && len < size; i++)
		if (!keys[i].same)
			len += (size_t)snprintf(
				dst + len, size - len, "%s%s", len ? ", " : "", keys[i].key);
}
