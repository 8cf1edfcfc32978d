/* SPDX-License-Identifier: Apache-2.0 */
/* config.h: the configuration file of berth-provisioner: YAML, every key checked, unknown ones
 * refused */
#ifndef BERTH_PROVISIONER_CONFIG_H
#define BERTH_PROVISIONER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "data/settings.h"

#define CONFIG_ALIASES_MAX 16

/* What the orphan scan may take away: nothing, what was never used and is empty, or all that the
 * record proves to be ours. */
enum orphan_removal { ORPHANS_KEEP, ORPHANS_EMPTY, ORPHANS_ALL };

/* Times in ns. Texts live as long as the configuration. */
struct config {
	const char *driver;
	const char *aliases[CONFIG_ALIASES_MAX];
	size_t n_aliases;
	bool assist; /* binding of classes that do not say */
	struct settings_listen listen;
	struct settings_log log;
	struct settings_kube kube;
	struct {
		bool enabled;
		const char *namespace_; /* NULL: our own */
		const char *name;
		uint64_t duration, renew_deadline, retry;
	} lease;
	struct {
		const char *worker; /* NULL: beside our executable */
		uint64_t operation_timeout, queue_timeout, idle;
		unsigned window;
		struct settings_allow allow; /* none: what StorageClasses name */
	} nfs;
	uint64_t trash_ttl; /* of classes that do not say */
	struct {
		uint64_t interval; /* 0: only at start */
		uint64_t grace;
		enum orphan_removal remove;
	} orphans;
	struct {
		uint64_t min, max;
	} retry;
	struct {
		unsigned claims, per_server, reclaims;
	} limits;
	const json_t *agent;  /* berth-agent's keys in the same file */
	struct yaml_doc *doc; /* owns the texts */
};

/* Reads path (NULL: defaults alone). The error begins with "file:line: key: ". */
int config_load(struct config **ret, const char *path, struct err *e);
/* The same from memory, for tests. */
int config_parse(
	struct config **ret, const char *name, const char *text, size_t size, struct err *e);
struct config *config_free(struct config *c);
DEFINE_CLEANUP(struct config *, config_free)

/* Whether a StorageClass's provisioner is the driver's name or an alias. */
bool config_is_ours(const struct config *c, const char *provisioner);
/* Whether the allow list lets us talk to it; true where the list is empty. */
bool config_allows(const struct config *c, const char *server, const char *export_);
/* Whether the list itself names it: false where the list is empty. */
bool config_names(const struct config *c, const char *server, const char *export_);
/* Names, into dst, the keys that differ and need a restart; "" for none. */
void config_restart_keys(const struct config *a, const struct config *b, char *dst, size_t size);

#endif
