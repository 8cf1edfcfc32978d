/* SPDX-License-Identifier: Apache-2.0 */
/* adopt.h: one order to restore or adopt, a state machine whose every step may be repeated */
#ifndef BERTH_PROVISIONER_ADOPT_H
#define BERTH_PROVISIONER_ADOPT_H

#include "base/sm.h"
#include "provisioner/adoptions.h"
#include "provisioner/facts.h"
#include "provisioner/jobs.h"
#include "provisioner/provisioner.h"

/*
 *  Idle ─► Reading ─► Restoring ─► Publishing ─► (Examining) ─► Reporting ─► Settling ─► Idle
 *             │           │             │             │    ▲ (its PV is there already)
 *             └───────────┴─────────────┴─────────────┴─► Refusing ─► Idle … Dropping
 */
enum adopt_state {
	AD_IDLE,
	AD_READING,
	AD_RESTORING,
	AD_PUBLISHING,
	AD_EXAMINING,
	AD_REPORTING,
	AD_SETTLING,
	AD_REFUSING,
	AD_DROPPING,
	_AD_MAX
};
enum adopt_event {
	TO_READ,
	TO_RESTORE,
	TO_PUBLISH,
	TO_EXAMINE,
	TO_REPORT,
	TO_SETTLE,
	TO_REFUSE,
	TO_DROP,
	TO_END,
	_TO_MAX
};
extern const struct sm_table adopt_table;

enum adopt_outcome {
	ADOPT_DONE,   /* nothing (more) to do */
	ADOPT_RETRY,  /* err; again after a pause */
	ADOPT_SILENT, /* the same, the server did not answer */
	ADOPT_REFUSED /* told in the BerthVolume, which is removed after a while */
};

struct adoption {
	struct job job; /* by the BerthVolume's name */
	struct provisioner *p;
	struct kube_request *request;
	struct facts facts;
	uint8_t state;                      /* enum adopt_state */
	bool refused;                       /* next: Dropping */
	bool announced;                     /* the PV is ours of just now */
	char trash[PATH_COMPONENT_MAX + 1]; /* the tree's name, "" for what lies in its place */
	char uid[64], pv_uid[64];           /* of the BerthVolume, of the PV */
	struct err why;                     /* of a refusal */
};

/* The first step of a job's turn, never before the return. */
int adopt_run(struct adoption *a);
/* In adoptions.c. */
void adopt_end(struct adoption *a, enum adopt_outcome outcome, const struct err *e);

/* ---- between adopt.c and adopt_check.c --------------------------------------------------- */

/* What the caches say about the order: RESTORE, REPORT (its PV is there), or RETRY or REFUSED with
 * err. A tree in the trash is taken out of the purge's hands. */
enum adopt_verdict { ADOPT_GO, ADOPT_THERE, ADOPT_LATER, ADOPT_NEVER };
enum adopt_verdict adopt_check(struct adoption *a, struct err *e);
/* -EPERM where the record says something else than the order. */
int adopt_compare(const struct facts *f, const struct volume_request *record, struct err *e);

#endif
