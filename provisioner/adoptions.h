/* SPDX-License-Identifier: Apache-2.0 */
/* adoptions.h: BerthVolumes that an admin's order made (berthctl restore, adopt): the volume of a
 * record gets its directory back from the trash where it lies there, and its PV again */
#ifndef BERTH_PROVISIONER_ADOPTIONS_H
#define BERTH_PROVISIONER_ADOPTIONS_H

#include "kube/class.h"

struct jobs;
struct provisioner;
int adoptions_new(struct jobs **ret, struct provisioner *p);
/*
 * A BerthVolume with the annotation berth.dev/adopt: "record", or the tree's name in the trash.
 * Carried out, the annotation goes and the phase is Ready; refused, the phase is Failed with the
 * reason, and the BerthVolume is removed 15 s later: it holds nothing.
 */
void adoptions_consider(struct provisioner *p, const struct bvol *b);

#endif
