/* SPDX-License-Identifier: Apache-2.0 */
/* works.c: one small struct for each claim that waits, and a provision while it is being served */
#include "provisioner/works.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "provisioner/intents.h"
#include "provisioner/provision.h"
#include "provisioner/releases.h"

/* A claim whose former volume is just being undone; rare, so asking again is good enough. */
#define BUSY_PAUSE SECONDS(1)
/* How long a claim is gated before it is looked at without a change of the gates. */
#define GATED_PAUSE SECONDS(5)
/* Namespace and class of a flow. */
#define FLOW_MAX 520
/* So many failures in a row are shown in the BerthVolume, not only as events. */
#define FAILED_TRIES 3

enum work_state {
	WORK_NEW,
	WORK_QUEUED,
	WORK_RUNNING,
	WORK_DELAYED,
	WORK_HELD,
	WORK_GATED,
	_WORK_MAX
};

struct work {
	struct works *s;
	struct uuid uid;
	struct turn turn;
	struct delay delay;
	struct provision *op; /* from the first run to the end */
	struct backoff backoff;
	struct list gated;
	uint64_t told; /* hash of the text of the last event about it */
	uint8_t state;
	bool announced; /* "Provisioning" was sent */
};

struct works {
	struct provisioner *p;
	struct map by_uid;
	struct queue *queue;
	struct list gated;
	struct defer *moved; /* looks at the gated ones, once for many changes */
	size_t count[_WORK_MAX];
};

static void on_turn(struct turn *t, void *userdata);
static void on_due(struct delay *d, void *userdata);
static void on_moved(struct defer *d, void *userdata);

static struct map_key key_of(const void *value)
{
	return (struct map_key){&((const struct work *)value)->uid, sizeof(struct uuid)};
}

/* ---- one work ---------------------------------------------------------------------------- */

static void work_set(struct work *w, enum work_state state)
{
	w->s->count[w->state]--;
	w->state = (uint8_t)state;
	w->s->count[state]++;
}

/* Leaves queue, heap and list; state NEW. */
static void work_rest(struct work *w)
{
	delay_stop(w->s->p->delays, &w->delay);
	queue_remove(w->s->queue, &w->turn);
	list_remove(&w->gated);
	work_set(w, WORK_NEW);
}

static struct work *work_find(const struct works *s, const struct uuid *uid)
{
	return map_get(&s->by_uid, uid, sizeof(*uid));
}

static struct work *work_make(struct works *s, const struct pvc *c)
{
	struct work *w = work_find(s, &c->o.uid);

	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->s = s;
	w->uid = c->o.uid;
	w->turn = (struct turn){.taken = on_turn, .userdata = w};
	w->delay = (struct delay){.due = on_due, .userdata = w};
	w->backoff = (struct backoff){.min = s->p->config->retry.min,
		.max = s->p->config->retry.max,
		.jitter_percent = 20};
	if (map_add(&s->by_uid, w) < 0) {
		free(w);
		return NULL;
	}
	s->count[WORK_NEW]++;
	return w;
}

static void work_free(struct work *w)
{
	work_rest(w);
	w->s->count[WORK_NEW]--;
	map_remove(&w->s->by_uid, &w->uid, sizeof(w->uid));
	provision_free(w->op);
	free(w);
}

/* The claim needs no volume of ours (any more): what was begun for it is undone. */
static void work_drop(struct work *w)
{
	struct provision *op = w->op;
	struct provisioner *p = w->s->p;
	struct uuid uid = w->uid;

	if (op && !op->published && (op->intent_written || op->maybe_made))
		releases_undo(p, &op->facts, op->maybe_made);
	work_free(w);
	releases_poke(p, &uid);
}

static void work_delay(struct work *w, enum work_state state, uint64_t ns)
{
	work_rest(w);
	if (delay_start(w->s->p->delays, &w->delay, ns) < 0)
		log_warning("out of memory: a claim waits for the next change of it");
	work_set(w, state);
}

static void work_enqueue(struct work *w, const struct pvc *c, const struct class_info *class)
{
	char flow[FLOW_MAX];

	work_rest(w);
	snprintf(flow, sizeof(flow), "%s/%s", c->o.namespace_, class->name);
	if (queue_add(w->s->queue, &w->turn, class->p.servers[0], flow) < 0)
		work_delay(w, WORK_DELAYED, w->s->p->config->retry.min);
	else
		work_set(w, WORK_QUEUED);
}

static struct provisioner_object object_of(const struct pvc *c, char uid[static UUID_TEXT_MAX])
{
	return (struct provisioner_object){
		"PersistentVolumeClaim", c->o.namespace_, c->o.name, uuid_format(&c->o.uid, uid)};
}

/* ---- verdicts ---------------------------------------------------------------------------- */

/* A claim that is wrong: one event for a text, again when the hold has ended. */
static void work_hold(struct work *w, const struct pvc *c, const struct err *e)
{
	struct provisioner *p = w->s->p;
	char uid[UUID_TEXT_MAX];
	const struct provisioner_object o = object_of(c, uid);
	uint64_t text = map_hash(e->text, strlen(e->text));

	if (w->state == WORK_HELD && w->told == text)
		return;
	w->told = text;
	log_write(LOG_LEVEL_WARNING, LOG_FIELDS({"class", c->class}), "claim %s/%s: %s",
		c->o.namespace_, c->o.name, e->text);
	provisioner_event(p, &o, true, "ProvisioningFailed",
		"Volume provisioning failed with infeasible error. Retries will be delayed. %s",
		e->text);
	stats_provision_failed(p->stats, c->class);
	work_delay(w, WORK_HELD, p->config->retry.max);
}

static enum claim_verdict check(
	struct works *s, const struct pvc *c, struct class_info **ret_class, struct err *e)
{
	struct provisioner *p = s->p;
	const struct object *class = informer_get(p->classes_seen, "", c->class);
	struct claim_context x = {
		.config = p->config,
		.classes = &p->classes,
		.class = class ? class_of(class) : NULL,
		.served = ledger_server_of(&p->ledger, &c->o.uid) != NULL,
	};

	return claim_check(c, &x, ret_class, e);
}

static const struct pv *next_volume(void *userdata)
{
	struct {
		struct informer *i;
		size_t cursor;
	} *walk = userdata;

	return (const struct pv *)informer_next(walk->i, &walk->cursor);
}

/* The first claim with assist: from now on PVs are counted by the names in their claimRef. */
static void open_gates(struct works *s)
{
	struct {
		struct informer *i;
		size_t cursor;
	} walk = {s->p->volumes, 0};

	if (!s->p->ledger.gates && ledger_count_names(&s->p->ledger, next_volume, &walk) < 0)
		log_warning("out of memory: binding is left to the controller");
}

/* Not announced by the controller: only gate 2 is worth waiting for, gate 1 ends with the
 * controller's annotation, which is a change of the claim. */
static void work_assist(struct work *w, const struct pvc *c, const struct class_info *class)
{
	const struct ledger *g = &w->s->p->ledger;

	if (!ledger_gate_foreign(g, c, NULL)) {
		work_drop(w);
	} else if (ledger_gate_busy(g)) {
		work_enqueue(w, c, class);
	} else {
		work_rest(w);
		work_set(w, WORK_GATED);
		list_append(&w->s->gated, &w->gated);
	}
}

static void work_decide(struct work *w, const struct pvc *c)
{
	struct class_info *class = NULL;
	struct err e = ERR_NULL;
	enum claim_verdict verdict = check(w->s, c, &class, &e);

	if (class && class->assist)
		open_gates(w->s);
	switch (verdict) {
	case CLAIM_IGNORE:
		work_drop(w);
		break;
	case CLAIM_REFUSE:
	case CLAIM_NO_CLASS:
		work_hold(w, c, &e);
		break;
	case CLAIM_ASSIST:
		work_assist(w, c, class);
		break;
	case CLAIM_READY:
		work_enqueue(w, c, class);
		break;
	}
}

void works_consider(struct works *s, const struct pvc *c)
{
	struct class_info *class = NULL;
	struct work *w = work_find(s, &c->o.uid);
	struct err e;

	if (!provisioner_active(s->p))
		return;
	if (!w) {
		/* Most claims of a cluster: bound long ago, or not ours. */
		if (check(s, c, &class, &e) == CLAIM_IGNORE)
			return;
		w = work_make(s, c);
		if (!w)
			return;
	}
	/* A running step looks at the claim itself before it publishes anything. */
	if (w->op && provision_runs(w->op)) {
		provision_gate_moved(w->op);
		return;
	}
	/* A failure's pause is not cut short by a change that mends nothing. */
	if (w->state == WORK_DELAYED && check(s, c, &class, &e) == CLAIM_READY)
		return;
	if (w->state == WORK_QUEUED && check(s, c, &class, &e) == CLAIM_READY)
		return;
	work_decide(w, c);
}

void works_gone(struct works *s, const struct pvc *c)
{
	struct work *w = work_find(s, &c->o.uid);

	if (w && w->op && provision_runs(w->op))
		provision_gate_moved(w->op);
	else if (w)
		work_drop(w);
}

/* ---- a claim's turn ---------------------------------------------------------------------- */

static void work_failed(
	struct work *w, const struct pvc *c, enum provision_outcome outcome, const struct err *e)
{
	struct provisioner *p = w->s->p;
	char uid[UUID_TEXT_MAX];
	const struct provisioner_object o = object_of(c, uid);

	w->told = 0;
	if (w->op && w->op->intent_written &&
		(outcome == PROVISION_INFEASIBLE || w->backoff.tries >= FAILED_TRIES))
		intents_failed(p, w->op->facts.pv, "ProvisioningFailed", e);
	if (outcome == PROVISION_INFEASIBLE) {
		work_rest(w);
		work_hold(w, c, e);
		return;
	}
	log_warning("claim %s/%s: %s", c->o.namespace_, c->o.name, e->text);
	provisioner_event(p, &o, true, "ProvisioningFailed", "%s", e->text);
	stats_provision_failed(p->stats, c->class);
	if (outcome == PROVISION_RETRY)
		work_delay(w, WORK_DELAYED, backoff_next(&w->backoff));
	else
		work_decide(w, c); /* the queue knows when the server may be asked again */
}

static enum job_outcome job_outcome(enum provision_outcome o)
{
	switch (o) {
	case PROVISION_DONE:
		return JOB_ANSWERED;
	case PROVISION_SILENT:
		return JOB_SILENT;
	case PROVISION_RETRY:
	case PROVISION_INFEASIBLE:
	case PROVISION_GONE:
		return JOB_DONE;
	}
	return JOB_DONE;
}

static void on_done(
	struct provision *op, enum provision_outcome outcome, const struct err *e, void *userdata)
{
	struct work *w = userdata;
	struct provisioner *p = w->s->p;
	const struct pvc *c = ledger_find_claim(&p->ledger, &w->uid);

	/* Whatever failed, a directory that was made is an answer. */
	queue_done(w->s->queue, &w->turn, op->created ? JOB_ANSWERED : job_outcome(outcome));
	list_remove(&w->gated);
	work_set(w, WORK_NEW);
	if (outcome == PROVISION_DONE || outcome == PROVISION_GONE || !c)
		work_drop(w);
	else
		work_failed(w, c, outcome, e);
	provisioner_settled(p);
}

static void on_gated(struct provision *op, void *userdata)
{
	struct work *w = userdata;

	(void)op;
	work_delay(w, WORK_GATED, GATED_PAUSE);
	list_append(&w->s->gated, &w->gated);
	provisioner_settled(w->s->p);
}

static void on_ungated(struct provision *op, void *userdata)
{
	struct work *w = userdata;

	(void)op;
	work_rest(w);
	work_set(w, WORK_RUNNING);
}

static const struct provision_callbacks callbacks = {
	.done = on_done, .gated = on_gated, .ungated = on_ungated};

static void announce(struct work *w, const struct pvc *c)
{
	char uid[UUID_TEXT_MAX];
	const struct provisioner_object o = object_of(c, uid);

	if (w->announced)
		return;
	w->announced = true;
	provisioner_event(w->s->p, &o, false, "Provisioning",
		"External provisioner is provisioning volume for claim \"%s/%s\"", c->o.namespace_,
		c->o.name);
}

static void work_run(struct work *w, const struct pvc *c, struct class_info *class)
{
	struct err e = ERR_NULL;
	int r = w->op ? 0 : provision_new(&w->op, w->s->p, c, &callbacks, w);

	if (r < 0) {
		work_delay(w, WORK_DELAYED, w->s->p->config->retry.min);
		return;
	}
	announce(w, c);
	work_set(w, WORK_RUNNING);
	r = provision_run(w->op, class, &e);
	if (r >= 0)
		return;
	queue_remove(w->s->queue, &w->turn);
	work_set(w, WORK_NEW);
	work_failed(w, c,
		r == -EINVAL || r == -ENAMETOOLONG ? PROVISION_INFEASIBLE : PROVISION_RETRY, &e);
}

static void on_turn(struct turn *t, void *userdata)
{
	struct work *w = userdata;
	const struct pvc *c = ledger_find_claim(&w->s->p->ledger, &w->uid);
	struct class_info *class = NULL;
	struct err e = ERR_NULL;
	enum claim_verdict verdict;

	(void)t;
	if (!c) {
		work_drop(w);
		return;
	}
	if (releases_busy_with(w->s->p, &w->uid)) {
		work_delay(w, WORK_DELAYED, BUSY_PAUSE);
		return;
	}
	verdict = check(w->s, c, &class, &e);
	if (verdict == CLAIM_READY ||
		(verdict == CLAIM_ASSIST && ledger_gate_foreign(&w->s->p->ledger, c, NULL) &&
			ledger_gate_busy(&w->s->p->ledger)))
		work_run(w, c, class);
	else
		work_decide(w, c);
}

/* The pause is over: for a held claim everything is looked at and told anew. */
static void on_due(struct delay *d, void *userdata)
{
	struct work *w = userdata;
	const struct pvc *c = ledger_find_claim(&w->s->p->ledger, &w->uid);

	(void)d;
	if (w->op && provision_runs(w->op)) {
		if (delay_start(w->s->p->delays, &w->delay, GATED_PAUSE) < 0)
			log_warning("out of memory: a gated claim waits for the next change");
		provision_gate_moved(w->op);
		return;
	}
	work_set(w, WORK_NEW);
	if (!provisioner_active(w->s->p))
		return;
	if (c)
		work_decide(w, c);
	else
		work_drop(w);
}

/* ---- all of them ------------------------------------------------------------------------- */

void works_gates_moved(struct works *s)
{
	if (!list_empty(&s->gated))
		defer_arm(s->moved);
}

static void on_moved(struct defer *d, void *userdata)
{
	struct works *s = userdata;
	struct list now = LIST_INIT(now);

	(void)d;
	if (!ledger_gate_busy(&s->p->ledger))
		return;
	while (!list_empty(&s->gated)) {
		struct list *first = s->gated.next;

		list_remove(first);
		list_append(&now, first);
	}
	while (!list_empty(&now)) {
		struct work *w = LIST_FIRST(&now, struct work, gated);
		const struct pvc *c = ledger_find_claim(&s->p->ledger, &w->uid);

		list_remove(&w->gated);
		list_append(&s->gated, &w->gated);
		if (w->op && provision_runs(w->op))
			provision_gate_moved(w->op);
		else if (c)
			work_decide(w, c);
		else
			work_drop(w);
	}
}

void works_class_changed(struct works *s, const char *class)
{
	const struct pvc *c;

	if (!provisioner_active(s->p))
		return;
	MAP_FOREACH (&s->p->ledger.claims, c) {
		struct work *w;

		if (c->phase != CLAIM_PENDING || *c->volume_name || !streq(c->class, class))
			continue;
		w = work_find(s, &c->o.uid);
		if (w && (w->state == WORK_HELD || w->state == WORK_DELAYED))
			work_rest(w);
		works_consider(s, c);
	}
}

void works_consider_all(struct works *s)
{
	const struct pvc *c;

	MAP_FOREACH (&s->p->ledger.claims, c) {
		works_consider(s, c);
	}
}

bool works_busy_with(const struct works *s, const struct uuid *uid)
{
	const struct work *w = work_find(s, uid);

	return w && w->op && provision_runs(w->op);
}

void works_pause(struct works *s, bool paused)
{
	queue_pause(s->queue, paused);
}

void works_set_limits(struct works *s)
{
	queue_set_limits(s->queue, s->p->config->limits.claims, s->p->config->limits.per_server);
}

struct works_count works_count(const struct works *s)
{
	return (struct works_count){
		.queued = s->count[WORK_QUEUED],
		.running = s->count[WORK_RUNNING],
		.delayed = s->count[WORK_DELAYED],
		.held = s->count[WORK_HELD],
		.gated = s->count[WORK_GATED],
	};
}

const struct queue *works_queue(const struct works *s)
{
	return s->queue;
}

int works_new(struct works **ret, struct provisioner *p)
{
	_cleanup_(works_freep) struct works *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->p = p;
	s->by_uid = MAP_NULL(key_of);
	list_init(&s->gated);
	r = queue_new(&s->queue, p->loop, p->config->limits.claims, p->config->limits.per_server);
	if (r >= 0)
		r = defer_new(&s->moved, p->loop, on_moved, s);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct works *works_free(struct works *s)
{
	struct work *w;

	if (!s)
		return NULL;
	MAP_FOREACH (&s->by_uid, w) {
		work_free(w);
	}
	map_done(&s->by_uid);
	defer_free(s->moved);
	queue_free(s->queue);
	free(s);
	return NULL;
}
