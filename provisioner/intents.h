/* SPDX-License-Identifier: Apache-2.0 */
/* intents.h: keeps BerthVolumes true: lets a deleted one go at once, for it holds no data, and
 * makes it anew from its PV */
#ifndef BERTH_PROVISIONER_INTENTS_H
#define BERTH_PROVISIONER_INTENTS_H

#include "base/err.h"
#include "kube/class.h"
#include "kube/pv.h"

struct jobs;
struct provisioner;
int intents_new(struct jobs **ret, struct provisioner *p);

/* now NULL: it is gone. */
void intents_changed(struct provisioner *p, const struct bvol *old, const struct bvol *now);
/* A recycled PV was given back, or a PV has a new claim: the BerthVolume says whose it is. */
void intents_reclaimed(struct provisioner *p, const struct pv *old, const struct pv *now);
/* Making or ending the volume fails, and not for a moment: phase Failed with a static reason (the
 * event's) and the words; nothing where it is Failed already. */
void intents_failed(
	struct provisioner *p, const char *name, const char *reason, const struct err *e);
/* …and does not any more: Ready. */
void intents_mended(struct provisioner *p, const char *name);
/* At the start of leading and once an hour: what both caches say together. */
void intents_consider_all(struct provisioner *p);
/* The API server does not know the kind: it is asked again after a while. */
void intents_missing(struct provisioner *p);

#endif
