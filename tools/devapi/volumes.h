/* SPDX-License-Identifier: Apache-2.0 */
/* volumes.h: what the binder must know of every PV without parsing it again */
#ifndef BERTH_DEVAPI_VOLUMES_H
#define BERTH_DEVAPI_VOLUMES_H

#include <jansson.h>

#include "base/list.h"
#include "tools/devapi/store.h"

struct volumes;
/* Subscribes to the store. */
int volumes_new(struct volumes **ret, struct store *s);
struct volumes *volumes_free(struct volumes *v);
DEFINE_CLEANUP(struct volumes *, volumes_free)

/*
 * The name of the PV that suits the unbound claim, as pv-controller's findBestMatchForClaim: one
 * that its claimRef reserves, else, where only_reserved is not set, the smallest Available one.
 * NULL none.
 */
const char *volumes_match(
	const struct volumes *v, const json_t *claim, const char *claim_key, bool only_reserved);
/* Calls fn for each PV whose claimRef names the claim, with or without uid. */
void volumes_of_claim(const struct volumes *v, const char *claim_key,
	void (*fn)(const char *name, void *userdata), void *userdata);

#endif
