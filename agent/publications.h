/* SPDX-License-Identifier: Apache-2.0 */
/* publications.h: which volume is published where, and for which pod: names for events and the rule
 * of one writer, kept over restarts */
#ifndef BERTH_AGENT_PUBLICATIONS_H
#define BERTH_AGENT_PUBLICATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "csi/request.h"
#include "event/loop.h"

/* More than a node can hold pods (110) and volumes each, and still a small file. */
#define PUBLICATIONS_MAX 16384

/* Texts are never NULL, "" where nothing is known: what mountinfo alone tells has no pod's name. */
struct publication {
	const char *target; /* the key */
	const char *volume; /* volumeHandle */
	const char *driver;
	const char *source; /* server:/export/directory, or a path in a pool */
	const char *namespace_, *pod, *pod_uid;
	enum csi_mode mode; /* 0: unknown */
	bool readonly;
	uint64_t published; /* clock_real() */
};

struct publications;

/*
 * path: the file, 0600, replaced atomically: at once with a volume of one writer, else at most
 * every second and at the end; the rest is only names, which may be lost at any
 * moment. Absent, torn or foreign: logged, and begun anew.
 */
int publications_new(struct publications **ret, struct loop *l, const char *path, struct err *e);
/* Writes what has changed. */
struct publications *publications_free(struct publications *v);
DEFINE_CLEANUP(struct publications *, publications_free)

/* Takes the place of what was at the target. Copied. -ENOMEM, -ENOBUFS (PUBLICATIONS_MAX). */
int publications_put(struct publications *v, const struct publication *p);
void publications_drop(struct publications *v, const char *target);
const struct publication *publications_at(const struct publications *v, const char *target);
/* A publication of the volume at another target, NULL for none. */
const struct publication *publications_elsewhere(
	const struct publications *v, const char *volume, const char *target);
size_t publications_count(const struct publications *v);
/* In no order; dropping the current one is allowed. */
const struct publication *publications_next(const struct publications *v, size_t *cursor);

/*
 * What mountinfo says: a publication is at target. Known already: nothing happens; else one is
 * made with the volume's and the pod's name as the target has them
 * ($R/pods/<uid>/volumes/kubernetes.io~csi/<PV>/mount). -EINVAL for a target of another shape.
 */
int publications_found(
	struct publications *v, const char *target, const char *driver, const char *source);
/* Drops all that is_mounted() denies: after the first reading of mountinfo. */
void publications_sweep(struct publications *v,
	bool (*is_mounted)(const char *target, void *userdata), void *userdata);

/* The parts of a target as the kubelet lays it out beneath root, into dst[256] each; -EINVAL. */
#define PUBLICATION_PART_MAX 256
int publication_target(const char *root, const char *target,
	char pod_uid[static PUBLICATION_PART_MAX], char volume[static PUBLICATION_PART_MAX]);

#endif
