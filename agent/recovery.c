/* SPDX-License-Identifier: Apache-2.0 */
/* recovery.c: which records are meant, an order for each, and what became of them */
#include "agent/recovery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/admin_json.h"
#include "agent/records.h"
#include "agent/recovery_row.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/str.h"
#include "data/decode.h"
#include "kube/client.h"

#define PATH_VOLUMES "/api/v1/persistentvolumes"
#define PATH_INTENTS "/apis/berth.dev/v1alpha1/berthvolumes"
#define PATH_LENGTH 1024
#define IN_FLIGHT_MAX 32
/* The provisioner needs some ten requests for an order, and retries a busy server. */
#define PATIENCE SECONDS(45)
#define POLL MILLISECONDS(100)

struct recovery {
	struct loop *loop;
	const struct view *view;
	struct kube_client *client;
	recovery_fn fn;
	void *userdata;
	char *name, *volume;
	bool dry_run, tree; /* a tree of that name without a record was seen */
	bool too_many;
	struct places *places;
	json_t *items;
	json_t *volumes, *claims; /* row by PV, by claim: what is there twice is refused */
	struct list fresh, asking, waiting; /* struct order */
	size_t n_asking;
	struct timer *tick;
	uint64_t until;
};

struct order {
	struct list link;
	struct recovery *r;
	struct kube_request *request;
	json_t *row, *body;
	bool looked; /* at what had the name before us */
	bool stale;  /* a refused order, which goes soon: then ours is given */
};

/* ---- orders ------------------------------------------------------------------------------ */

static void order_free(struct order *o)
{
	list_remove(&o->link);
	if (o->request)
		kube_request_cancel(o->request);
	json_decref(o->row);
	json_decref(o->body);
	free(o);
}

static const char *volume_of(const struct order *o)
{
	return str_or(json_string_at(o->row, "volume", NULL), "");
}

static void move(struct order *o, struct list *to)
{
	struct recovery *r = o->r;

	if (to == &r->asking)
		r->n_asking++;
	else
		r->n_asking--;
	list_remove(&o->link);
	list_append(to, &o->link);
}

static void recovery_go(struct recovery *r);

/* The order is over; the next has room. */
static void end(struct order *o, const char *state, const char *text)
{
	struct recovery *r = o->r;

	recovery_row_set(o->row, state, text);
	r->n_asking--;
	order_free(o);
	recovery_go(r);
}

static int send(struct order *o, enum kube_method m, const char *base, const char *name,
	json_t *body, kube_fn fn)
{
	char path[PATH_LENGTH], escaped[PATH_LENGTH / 2] = "";

	if (name && kube_escape(escaped, sizeof(escaped), name) < 0)
		return -ENAMETOOLONG;
	(void)snprintf(path, sizeof(path), "%s%s%s", base, name ? "/" : "", escaped);
	return kube_request_json(o->r->client, m, path, body, fn, o, &o->request);
}

static void wait_for(struct order *o)
{
	move(o, &o->r->waiting);
	recovery_go(o->r);
}

static int give(struct order *o);

/* A BerthVolume that is no order: of a volume that the cluster has, or of one whose PV was lost. */
static void on_volume_again(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct order *o = userdata;

	(void)q;
	o->request = NULL;
	if (res->status == KUBE_OK)
		end(o, o->r->name ? "Restored" : "Adopted", "");
	else if (res->status == KUBE_E_NOT_FOUND)
		end(o, "Refused",
			"the cluster has its BerthVolume, without a PersistentVolume: kubectl "
			"delete "
			"bvol (which touches no data), then again");
	else
		end(o, "Refused", res->err.text);
}

static void read_intent(struct order *o, const json_t *intent)
{
	const char *phase = json_string_at(intent, "status", "phase", NULL);
	const char *order =
		json_string_at(intent, "metadata", "annotations", "berth.dev/adopt", NULL);
	bool failed = order && streq_null(phase, "Failed");

	if (!o->looked)
		o->stale = failed;
	if (!o->looked && !order) {
		if (send(o, KUBE_GET, PATH_VOLUMES, volume_of(o), NULL, on_volume_again) < 0)
			end(o, "Refused", "out of memory");
		return;
	}
	o->looked = true;
	if (failed && !o->stale)
		end(o, "Refused", str_or(json_string_at(intent, "status", "message", NULL), "?"));
	else if (streq_null(phase, "Ready"))
		end(o, o->r->name ? "Restored" : "Adopted", "");
	else if (order)
		wait_for(o);
	else
		end(o, "Refused", "its BerthVolume is no order any more: kubectl get bvol");
}

static void on_intent(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct order *o = userdata;

	(void)q;
	o->request = NULL;
	if (res->status == KUBE_OK) {
		read_intent(o, res->object);
	} else if (res->status == KUBE_E_NOT_FOUND && o->stale) {
		o->stale = false;
		if (give(o) < 0)
			end(o, "Refused", "out of memory");
	} else if (res->status == KUBE_E_NOT_FOUND) {
		end(o, "Refused", "the order was taken away: give it again");
	} else {
		end(o, "Refused", res->err.text);
	}
}

static int ask_intent(struct order *o)
{
	return send(o, KUBE_GET, PATH_INTENTS, volume_of(o), NULL, on_intent);
}

static void on_post(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct order *o = userdata;

	(void)q;
	o->request = NULL;
	if (res->status == KUBE_OK || res->status == KUBE_E_TRANSPORT) {
		o->looked = true;
		wait_for(o);
	} else if (res->status != KUBE_E_EXISTS) {
		end(o, "Refused", res->err.text);
	} else if (ask_intent(o) < 0) {
		/* Another agent's order, or none: its state tells. */
		end(o, "Refused", "out of memory");
	}
}

static int give(struct order *o)
{
	return send(o, KUBE_POST, PATH_INTENTS, NULL, json_incref(o->body), on_post);
}

static void on_volume(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct order *o = userdata;

	(void)q;
	o->request = NULL;
	if (res->status == KUBE_OK && o->r->name)
		end(o, "Refused", "its PersistentVolume is there still");
	else if (res->status == KUBE_OK)
		end(o, "Present", "");
	else if (res->status != KUBE_E_NOT_FOUND)
		end(o, "Refused", res->err.text);
	else if (o->r->dry_run)
		end(o, "Adoptable", "");
	else if (give(o) < 0)
		end(o, "Refused", "out of memory");
}

static int ask_volume(struct order *o)
{
	return send(o, KUBE_GET, PATH_VOLUMES, volume_of(o), NULL, on_volume);
}

/* ---- all of them ------------------------------------------------------------------------- */

static void free_all(struct list *orders)
{
	LIST_FOREACH (orders, it)
		order_free(LIST_ENTRY(it, struct order, link));
}

static void recovery_free(struct recovery *r)
{
	free_all(&r->fresh);
	free_all(&r->asking);
	free_all(&r->waiting);
	timer_free(r->tick);
	places_free(r->places);
	json_decref(r->items);
	json_decref(r->volumes);
	json_decref(r->claims);
	free(r->name);
	free(r->volume);
	free(r);
}

static void fail(struct recovery *r, const struct err *e)
{
	r->fn(NULL, e, r->userdata);
	recovery_free(r);
}

static void finish(struct recovery *r)
{
	_cleanup_json_ json_t *document = json_pack("{s:s, s:O, s:O}", "kind", "adoptions", "items",
		r->items, "incomplete", r->places->incomplete);
	struct err e = ERR_NULL;

	if (!document)
		(void)err_set(&e, ENOMEM, "out of memory");
	r->fn(document, &e, r->userdata);
	recovery_free(r);
}

static bool is_over(const struct recovery *r)
{
	return list_empty(&r->fresh) && list_empty(&r->asking) && list_empty(&r->waiting);
}

/* Only ever arms the timer, so that nobody is freed beneath a caller. */
static void recovery_go(struct recovery *r)
{
	bool now = is_over(r) || (!list_empty(&r->fresh) && r->n_asking < IN_FLIGHT_MAX);

	if (now)
		timer_arm(r->tick, 0);
	else if (!timer_armed(r->tick))
		timer_arm(r->tick, POLL);
}

static void ask_more(struct recovery *r, struct list *from, int (*ask)(struct order *o))
{
	while (!list_empty(from) && r->n_asking < IN_FLIGHT_MAX) {
		struct order *o = LIST_FIRST(from, struct order, link);

		if (ask(o) < 0)
			break;
		move(o, &r->asking);
	}
}

static void give_up(const struct list *orders)
{
	LIST_FOREACH (orders, it)
		recovery_row_set(LIST_ENTRY(it, struct order, link)->row, "Ordered",
			"berth-provisioner has not come to it yet: kubectl get bvol");
}

static void on_tick(struct timer *t, void *userdata)
{
	struct recovery *r = userdata;

	(void)t;
	if (!is_over(r) && clock_now() >= r->until) {
		give_up(&r->fresh);
		give_up(&r->asking);
		give_up(&r->waiting);
		finish(r);
		return;
	}
	if (is_over(r)) {
		finish(r);
		return;
	}
	ask_more(r, &r->fresh, ask_volume);
	ask_more(r, &r->waiting, ask_intent);
	timer_arm(r->tick, POLL);
}

/* ---- which records ----------------------------------------------------------------------- */

/* Of two records of one volume, or for one claim, nobody can tell which is meant. */
static void refuse_both(json_t *row, json_t *other, const char *what)
{
	char text[ERR_TEXT_MAX];

	(void)snprintf(text, sizeof(text), "%s: %s:%s %s", what,
		str_or(json_string_at(other, "server", NULL), ""),
		str_or(json_string_at(other, "export", NULL), ""),
		str_or(json_string_at(other, "volume", NULL), ""));
	recovery_row_set(row, "Refused", text);
	(void)snprintf(text, sizeof(text), "%s: %s:%s %s", what,
		str_or(json_string_at(row, "server", NULL), ""),
		str_or(json_string_at(row, "export", NULL), ""),
		str_or(json_string_at(row, "volume", NULL), ""));
	recovery_row_set(other, "Refused", text);
}

static void look_for_twins(struct recovery *r, json_t *row)
{
	const char *volume = str_or(json_string_at(row, "volume", NULL), "");
	const char *claim = str_or(json_string_at(row, "claim", NULL), "");
	json_t *same = json_object_get(r->volumes, volume);
	json_t *rival = json_object_get(r->claims, claim);

	if (same)
		refuse_both(row, same, "on two exports, say which one is meant");
	else if (rival)
		refuse_both(row, rival, "for the same claim, say which volume is meant");
	(void)json_object_set(r->volumes, volume, row);
	(void)json_object_set(r->claims, claim, row);
}

static bool add(struct recovery *r, const struct place *p, const struct volume_entry *entry)
{
	struct order *o;

	if (json_array_size(r->items) >= RECOVERY_MAX) {
		r->too_many = true;
		return false;
	}
	o = calloc(1, sizeof(*o));
	if (!o)
		return false;
	o->r = r;
	list_init(&o->link);
	o->row = recovery_row(p, entry);
	o->body = recovery_order_body(p, entry, r->name ? entry->trash : "record");
	if (!o->row || !o->body || json_array_append(r->items, o->row) < 0) {
		places_note(r->places, "%s: no order can be made of its record", entry->name);
		order_free(o);
		return true;
	}
	list_append(&r->fresh, &o->link);
	look_for_twins(r, o->row);
	return true;
}

static bool is_meant(struct recovery *r, const struct places *all, const struct volume_entry *entry)
{
	const struct volume_request *q = &entry->record;

	if (entry->kind == ENTRY_TRASH && r->name && streq(entry->name, r->name))
		r->tree = true;
	if (entry->kind != ENTRY_RECORD || !streq(q->driver, r->view->nfs_driver(r->view->agent)))
		return false;
	if (r->name)
		return *entry->trash && entry->state != RECORD_ARCHIVED &&
		       (streq(entry->trash, r->name) || streq(q->pv, r->name));
	if (entry->state != RECORD_READY || (r->volume && !streq(q->pv, r->volume)))
		return false;
	return r->volume || !all->known || !json_object_get(all->known, q->pv);
}

static bool on_entry(const struct places *all, const struct place *p,
	const struct volume_entry *entry, void *userdata)
{
	struct recovery *r = userdata;

	r->places = (struct places *)all;
	return !is_meant(r, all, entry) || add(r, p, entry);
}

static void nothing_found(struct recovery *r)
{
	struct err e = ERR_NULL;
	const char *missing = json_string_value(json_array_get(r->places->incomplete, 0));

	if (r->tree)
		err_set(&e, EBUSY,
			"%s has no record: it can only be moved out of the trash by hand, on the "
			"server",
			r->name);
	else
		err_set(&e, ENOENT, "%s is %s%s%s", r->name ? r->name : r->volume,
			r->name ? "not in the trash of any export"
				: "no volume that a record on the exports stands for",
			missing ? "; " : "", str_or(missing, ""));
	fail(r, &e);
}

/* Refused ones need nobody's answer. */
static void drop_refused(struct recovery *r)
{
	LIST_FOREACH (&r->fresh, it) {
		struct order *o = LIST_ENTRY(it, struct order, link);

		if (!streq_null(json_string_at(o->row, "state", NULL), "Waiting"))
			order_free(o);
	}
}

static void on_done(struct places *p, const struct err *e, void *userdata)
{
	struct recovery *r = userdata;
	struct err why = ERR_NULL;

	r->places = p;
	if (!p) {
		fail(r, e);
	} else if (!p->known) {
		err_set(&why, EIO, "%s",
			str_or(json_string_value(json_array_get(p->incomplete, 0)),
				"the API server does not answer"));
		fail(r, &why);
	} else if (json_array_size(r->items) == 0 && (r->name || r->volume)) {
		nothing_found(r);
	} else {
		if (r->too_many)
			places_note(p, "only the first %d, give the order again", RECOVERY_MAX);
		drop_refused(r);
		r->until = clock_now() + PATIENCE;
		recovery_go(r);
	}
}

int recovery_run(struct loop *l, const struct view *v, const struct recovery_order *o,
	recovery_fn fn, void *userdata, struct err *e)
{
	static const struct records_callbacks callbacks = {on_entry, on_done};
	struct kube_client *client = v->api ? v->api(v->agent) : NULL;
	struct recovery *r;
	int res;

	if (!client)
		return err_set(e, ENOTSUP, "this agent runs without an API server");
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(e, ENOMEM, "out of memory");
	*r = (struct recovery){.loop = l,
		.view = v,
		.client = client,
		.fn = fn,
		.userdata = userdata,
		.dry_run = o->dry_run,
		.name = o->name ? strdup(o->name) : NULL,
		.volume = o->volume ? strdup(o->volume) : NULL,
		.items = json_array(),
		.volumes = json_object(),
		.claims = json_object()};
	list_init(&r->fresh);
	list_init(&r->asking);
	list_init(&r->waiting);
	if (!r->items || !r->volumes || !r->claims || (o->name && !r->name) ||
		(o->volume && !r->volume) || timer_new_exact(&r->tick, l, on_tick, r) < 0)
		res = err_set(e, ENOMEM, "out of memory");
	else
		res = records_walk(l, v, o->export_, &callbacks, r, e);
	if (res < 0) {
		r->places = NULL;
		recovery_free(r);
	}
	return res;
}
