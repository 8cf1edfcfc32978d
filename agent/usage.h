/* SPDX-License-Identifier: Apache-2.0 */
/* usage.h: what the volumes hold, asked at most once in a while and by one call at a time each */
#ifndef BERTH_AGENT_USAGE_H
#define BERTH_AGENT_USAGE_H

#include "agent/mounter.h"

/* Callers that wait for one answer; the kubelet asks once a minute. */
#define USAGE_WAITERS_MAX 16

struct usage;
/* cache_ns: how old an answer may be. called: told of each call's end, may be NULL. */
struct usage_options {
	struct mounter *mounter;
	uint64_t cache_ns;
	void (*called)(const char *target, int code, void *userdata);
	void *userdata;
};
int usage_new(struct usage **ret, const struct usage_options *o);
/* After the mounter. Who still waits is called back with ECANCELED. */
struct usage *usage_free(struct usage *u);
DEFINE_CLEANUP(struct usage *, usage_free)

/*
 * e->code 0 with fresh figures, or an error and the last figures known (NULL for none). fn may run
 * before the return. -EBUSY: too many wait already.
 */
typedef void (*usage_fn)(const struct err *e, const struct mounter_usage *figures, void *userdata);
int usage_get(struct usage *u, const char *target, usage_fn fn, void *userdata, struct err *e);
/* The target is published or unpublished: figures of before are not its own. */
void usage_forget(struct usage *u, const char *target);

#endif
