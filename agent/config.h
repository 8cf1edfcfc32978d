/* SPDX-License-Identifier: Apache-2.0 */
/* config.h: what berth-agent reads of /etc/berth/config.yaml: the part "agent" and the keys that it
 * shares with berth-provisioner */
#ifndef BERTH_AGENT_CONFIG_H
#define BERTH_AGENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "data/settings.h"

#define AGENT_POOLS_MAX 64 /* as BerthNode.status.pools holds */

/* A directory of the node that hostPath volumes lie in. */
struct agent_pool {
	const char *name; /* one path component, unique */
	const char *path; /* absolute, on the host */
	bool shared;      /* the same storage on every node: no node affinity, RWX */
};

/* Times in ns. Texts live as long as the configuration. The kubelet's root, the run directory and
 * the node's name are the broker's to know too: they stand on the command line. */
struct agent_config {
	const char *nfs_driver;      /* "" where that driver is switched off */
	const char *hostpath_driver; /* likewise */
	struct agent_pool *pools;
	size_t n_pools;
	struct settings_listen listen;
	struct settings_log log;
	struct settings_kube kube;
	struct settings_allow allow; /* empty: what PVs name */
	gid_t admin_group;           /* may read the admin socket; (gid_t)-1 for none */
	uint64_t export_idle;        /* an export mount that nobody uses goes after this */
	uint64_t stats_cache;        /* how old an answer of NodeGetVolumeStats may be */
	struct {
		uint64_t watchdog; /* published again where the kubelet did not ask in this time */
		uint64_t min, max; /* pause after a refusal, doubling */
	} registration;
	struct yaml_doc *doc; /* owns the texts */
};

/* Reads path (NULL: defaults alone). -errno; the error begins with "file:line: key: ". */
int agent_config_load(struct agent_config **ret, const char *path, struct err *e);
/* The same from memory, for tests. */
int agent_config_parse(
	struct agent_config **ret, const char *name, const char *text, size_t size, struct err *e);
struct agent_config *agent_config_free(struct agent_config *c);
DEFINE_CLEANUP(struct agent_config *, agent_config_free)

/* NULL where no pool has that name. */
const struct agent_pool *agent_config_pool(const struct agent_config *c, const char *name);
/* Whether nfs.allow lets us mount it; true where the list is empty. */
bool agent_config_allows(const struct agent_config *c, const char *server, const char *export_);

#endif
