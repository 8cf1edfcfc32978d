/* SPDX-License-Identifier: Apache-2.0 */
/* adoptions.h: BerthVolumes that an admin's order made (berthctl restore, adopt): the volume of a
 * record gets its directory back from the trash where it lies there, and its PV again */
#ifndef BERTH_PROVISIONER_ADOPTIONS_H
#define BERTH_PROVISIONER_ADOPTIONS_H

#include <stddef.h>

#include "base/cleanup.h"
#include "kube/class.h"

struct provisioner;
struct adoptions;
int adoptions_new(struct adoptions **ret, struct provisioner *p);
struct adoptions *adoptions_free(struct adoptions *s);
DEFINE_CLEANUP(struct adoptions *, adoptions_free)

/*
 * A BerthVolume with the annotation berth.dev/adopt: "record", or the tree's name in the trash.
 * Carried out, the annotation goes and the phase is Ready; refused, the phase is Failed with the
 * reason, and the BerthVolume is removed 15 s later: it holds nothing.
 */
void adoptions_consider(struct adoptions *s, const struct bvol *b);
/* Nothing new is begun; orders stand in the API server. */
void adoptions_pause(struct adoptions *s, bool paused);
size_t adoptions_running(const struct adoptions *s);

#endif
