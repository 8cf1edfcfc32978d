/* SPDX-License-Identifier: Apache-2.0 */
/* journal.h: which writes clients made and when, and how long each claim waited for its volume */
#ifndef BERTH_DEVAPI_JOURNAL_H
#define BERTH_DEVAPI_JOURNAL_H

#include <jansson.h>

#include "base/buf.h"
#include "tools/devapi/store.h"

struct journal;
/* Subscribes to the store for the times. */
int journal_new(struct journal **ret, struct store *s);
struct journal *journal_free(struct journal *j);
DEFINE_CLEANUP(struct journal *, journal_free)

struct journal_entry {
	uint64_t arrived_ns, done_ns; /* CLOCK_BOOTTIME */
	const char *verb;             /* a literal */
	const struct kind *kind;
	const char *subresource; /* a literal */
	unsigned code;
};
/* key is copied. Entries beyond a million are only counted. */
void journal_add(struct journal *j, const struct journal_entry *e, const char *key);
void journal_reset(struct journal *j);
/* [{"t":ns,"done":ns,"verb","resource","subresource","key","path","code"},…] in order of arrival;
 * code 0: the connection was dropped. */
int journal_writes(const struct journal *j, struct buf *out);
/* {"patch persistentvolumes/status 200":n,…} */
json_t *journal_summary(const struct journal *j);
/* {"items":[{"claim","uid","created","asked","volume","bound"}]}: ns when the claim was made, got
 * its storage-provisioner annotation, its PV's POST was stored, its phase became Bound; 0 not yet.
 */
int journal_times(const struct journal *j, struct buf *out);

#endif
