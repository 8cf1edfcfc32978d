/* SPDX-License-Identifier: Apache-2.0 */
/* provision.h: one claim on its way to a volume, a state machine whose every step may be repeated
 */
#ifndef BERTH_PROVISIONER_PROVISION_H
#define BERTH_PROVISIONER_PROVISION_H

#include "base/sm.h"
#include "kube/client.h"
#include "provisioner/claim.h"
#include "provisioner/facts.h"
#include "provisioner/provisioner.h"

enum provision_outcome {
	PROVISION_DONE,       /* the PV is there; binding is done or Kubernetes' turn */
	PROVISION_RETRY,      /* err; the same again after a pause */
	PROVISION_SILENT,     /* the same, and the server did not answer */
	PROVISION_INFEASIBLE, /* err; only a change of claim or class, or time, may help */
	PROVISION_GONE,       /* the claim is not to be served any more: undo what was made */
};

/*
 *  (WaitForFirstConsumer: Idle ─► Looking, for the selected node ─► as from Idle, or Unselecting)
 *  Idle ─► Reading ─► Probing ─► Intending ─► Creating ─► Reporting ─► Publishing ─► (Binding…) ─►
 * Idle │           │        │  ▲                       │  ▲ '───────────┴────────│ Resuming (intent
 * found)  '─Gated (assist: gate 2) any state ─END─► Idle with an outcome; the next run goes on
 * after the last step that succeeded
 */
enum provision_state {
	AT_IDLE,
	AT_LOOKING,
	AT_UNSELECTING,
	AT_READING,
	AT_PROBING,
	AT_INTENDING,
	AT_RESUMING,
	AT_CREATING,
	AT_REPORTING,
	AT_GATED,
	AT_PUBLISHING,
	AT_EXAMINING,
	AT_BINDING_VOLUME,
	AT_BINDING_CLAIM,
	AT_REREADING,
	AT_BINDING_STATUS,
	_AT_MAX
};
enum provision_event {
	GO_LOOK,
	GO_UNSELECT,
	GO_READ,
	GO_PROBE,
	GO_INTEND,
	GO_RESUME,
	GO_CREATE,
	GO_REPORT,
	GO_GATE,
	GO_PUBLISH,
	GO_EXAMINE,
	GO_BIND,
	GO_BIND_CLAIM,
	GO_REREAD,
	GO_BIND_STATUS,
	GO_END,
	_GO_MAX
};
extern const struct sm_table provision_table;

struct provision;
struct provision_callbacks {
	void (*done)(struct provision *op, enum provision_outcome outcome, const struct err *e,
		void *userdata);
	/* It waits for binding's gates and needs no turn meanwhile: provision_gate_moved(). */
	void (*gated)(struct provision *op, void *userdata);
	/* It goes on. */
	void (*ungated)(struct provision *op, void *userdata);
};

struct provision {
	struct provisioner *p;
	const struct provision_callbacks *cb;
	void *userdata;
	struct class_info *class;
	struct uuid uid;
	char *namespace_, *name;
	char uid_text[UUID_TEXT_MAX];
	char *node;      /* the selected one that is looked at */
	bool node_seen;  /* in this run */
	char *directory; /* expanded, before facts */
	struct facts facts;
	bool has_facts;
	bool intent_written; /* the BerthVolume is there */
	bool maybe_made;     /* something may lie on the export */
	bool created;        /* record and directory are there */
	bool reported;       /* the BerthVolume's status says so */
	bool published;      /* the PV is there */
	bool by_controller;  /* assist was given up for this claim */
	uint8_t state;       /* enum provision_state */
	uint8_t access_modes;
	unsigned tries; /* of a patch that met a conflict */
	char *volume_rv, *claim_rv;
	char *why; /* what the PV's POST said when its outcome was unknown */
	struct kube_request *request;
	struct probe *probe; /* which of several servers answers */
	uint64_t began;      /* clock_now() of the first run */
	uint64_t step_at;    /* … of the running step */
	uint64_t gated_at;
};

int provision_new(struct provision **ret, struct provisioner *p, const struct pvc *c,
	const struct provision_callbacks *cb, void *userdata);
/* Not while a backend works for it, except after that backend's end. */
struct provision *provision_free(struct provision *op);
DEFINE_CLEANUP(struct provision *, provision_free)
/* One run with the class as it is now; done() follows, never before the return. */
int provision_run(struct provision *op, struct class_info *class, struct err *e);
static inline bool provision_runs(const struct provision *op)
{
	return op->state != AT_IDLE;
}
/* The gates or the claim changed: looks again, if it is gated. */
void provision_gate_moved(struct provision *op);

/* ---- between provision.c, prepare.c, publish.c and bind.c -------------------------------- */

void provision_go(struct provision *op, enum provision_event ev);
void provision_end(struct provision *op, enum provision_outcome outcome, const struct err *e);
/* Ends with RETRY and the answer's words. */
void provision_end_answer(struct provision *op, const char *what, const struct kube_response *res);
/* The cached claim while it still is to be served by us, else NULL. */
const struct pvc *provision_claim(const struct provision *op);
int provision_send(
	struct provision *op, enum kube_method m, const char *path, json_t *body, kube_fn fn);
/* For metrics: the running step ended. */
void provision_timed(struct provision *op, enum stats_step step);
struct provisioner_object provision_object(const struct provision *op);

int provision_do_publish(void *op);
int provision_do_examine(void *op);
int provision_do_gate(void *op);
/* Where to go after creation: GO_PUBLISH or GO_GATE. */
enum provision_event provision_publish_or_gate(const struct provision *op);
int bind_do_volume(void *op);
int bind_do_claim(void *op);
int bind_do_reread(void *op);
int bind_do_status(void *op);
/* Whether binding's gates let us write this claim's binding. */
bool bind_gates_open(const struct provision *op);

#endif
