/* SPDX-License-Identifier: Apache-2.0 */
/* release.h: one volume on its way out, a state machine whose every step may be repeated */
#ifndef BERTH_PROVISIONER_RELEASE_H
#define BERTH_PROVISIONER_RELEASE_H

#include "base/sm.h"
#include "provisioner/facts.h"
#include "provisioner/jobs.h"
#include "provisioner/provisioner.h"
#include "provisioner/releases.h"

enum release_goal {
	GOAL_RECLAIM, /* a Released PV: trash, archive or recycle */
	GOAL_UNDO,    /* an intent without PV and claim: discard */
	GOAL_LOSER,   /* a PV whose claim is bound to another: discard, and the PV */
	GOAL_UPKEEP,  /* only the finalizer */
};

/*
 *  Idle ─► ReadingIntent ─► ReadingVolume ─► ReadingClaim ─► (Proving) ─► Waiting ─► Acting
 *           (undo only)        ▲  live reads before anything destructive    │turn      │
 *                              └────────────────────────────────────────────┘too long  ▼
 *  Idle ◄─ Forgetting ◄─ Freeing ◄─ Deleting ◄──────────────────────────────────── (done)
 *   ▲                                                     Rereading ─► Unbinding ◄──── (recycled)
 *   └──────────────────────────────────────────────────────────────────────┘
 */
enum release_state {
	OUT_IDLE,
	OUT_READING_INTENT,
	OUT_READING_VOLUME,
	OUT_READING_CLAIM,
	OUT_PROVING,
	OUT_WAITING,
	OUT_ACTING,
	OUT_DELETING,
	OUT_FREEING,
	OUT_REREADING,
	OUT_UNBINDING,
	OUT_FORGETTING,
	_OUT_MAX
};
enum release_event {
	RE_INTENT,
	RE_VOLUME,
	RE_CLAIM,
	RE_PROVE,
	RE_WAIT,
	RE_ACT,
	RE_DELETE,
	RE_FREE,
	RE_REREAD,
	RE_UNBIND,
	RE_FORGET,
	RE_END,
	_RE_MAX
};
extern const struct sm_table release_table;

enum release_outcome {
	RELEASE_DONE,   /* nothing (more) to do */
	RELEASE_RETRY,  /* err; again after a pause */
	RELEASE_SILENT, /* the same, the server did not answer */
	RELEASE_HELD,   /* err; a node may have it mounted: looks again, without requests */
	RELEASE_REFUSED /* err; not before something changes, or the longest pause */
};

struct release {
	struct job job; /* by the PV's name */
	struct provisioner *p;
	const char *pv; /* the job's name */
	struct kube_request *request;
	struct facts facts;
	bool has_facts;
	bool maybe_made; /* undo: something may lie on the export */
	bool erase;      /* an orphan: by its record's reclaim mode, data and all */
	bool refused;    /* the last time: a change may help */
	bool again;      /* the PV changed while we ran */
	bool acted;      /* the storage is done: only API objects are left */
	bool held;       /* waits for nodes */
	uint8_t goal;    /* enum release_goal */
	uint8_t state;   /* enum release_state */
	unsigned tries;  /* of a patch that met a conflict */
	json_t *patch;   /* for the next state */
	char pv_uid[UUID_TEXT_MAX];
	uint64_t told;    /* hash of the last event's text */
	uint64_t read_at; /* clock_now() of the live reads */
	uint64_t since;   /* clock_now() when its end was first seen */
	uint64_t began, step_at;
};

/* The first step of a job's turn, or after acting failed half-way: never before the return. */
int release_run(struct release *r);
void release_go(struct release *r, enum release_event ev);
/* In releases.c. */
void release_end(struct release *r, enum release_outcome outcome, const struct err *e);
void release_wait(struct release *r);

/* ---- held.c: waiting for nodes (mounted.h) ----------------------------------------------- */

/* How long to wait before looking again, 0 where nothing holds the volume; err: why, to be told. */
uint64_t release_held(const struct release *r, struct err *ret);
/* As an event on the PV, each text once. */
void release_tell_held(struct release *r, const struct err *e);
/* The same of a volume that was trashed just now and is not purged yet. */
void release_tell_trash(struct release *r);

/* ---- between release.c, act.c and remove.c ----------------------------------------------- */

int release_send(struct release *r, enum kube_method m, const char *path, json_t *body, kube_fn fn);
void release_end_answer(struct release *r, const char *what, const struct kube_response *res);
struct provisioner_object release_object(const struct release *r);
int act_do(void *obj);
int remove_do_delete(void *obj);
int remove_do_free(void *obj);
int remove_do_reread(void *obj);
int remove_do_unbind(void *obj);
int remove_do_forget(void *obj);

#endif
