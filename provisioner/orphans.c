/* SPDX-License-Identifier: Apache-2.0 */
/* orphans.c: walks the exports that StorageClasses name, one page of one export at a time */
#include "provisioner/orphans.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "provisioner/exports.h"
#include "provisioner/intents.h"
#include "provisioner/provisioner.h"
#include "provisioner/releases.h"

/* Lines in the log about one scan; the rest is counted. */
#define LINES_MAX 20
/* A scan that began because the process started waits for the first burst of claims to pass. */
#define FIRST_AFTER SECONDS(2)

enum orphan_kind { ORPHAN_VOLUME, ORPHAN_RECORD, ORPHAN_DIRECTORY, _ORPHAN_MAX };
static const char *const kinds[_ORPHAN_MAX] = {"volume", "badRecord", "directory"};

/* One export to walk: a copy, the class may go meanwhile. */
struct walk {
	struct list link;
	char *server, *export_;
	struct volume_place place;
	uint64_t trash_ttl; /* for trash without a record */
};

struct orphans {
	struct provisioner *p;
	struct timer *timer;
	struct list walks;
	char *cursor;
	struct map foreign;  /* of this walk: what other drivers' records name in the trash */
	bool foreign_missed; /* without memory: no tree without a record of ours is taken */
	bool reading;        /* a page is on its way */
	bool again;
	uint64_t count[_ORPHAN_MAX];
	unsigned lines;
};

static void next_page(struct orphans *s);
static void scan(struct orphans *s);

/* ---- the trash of other drivers ---------------------------------------------------------- */

static struct map_key key_of_foreign(const void *value)
{
	return map_key_str(value);
}

static void foreign_note(struct orphans *s, const char *name)
{
	char *f = strdup(name);

	if (f && map_add(&s->foreign, f) >= 0)
		return;
	free(f);
	if (!map_gets(&s->foreign, name))
		s->foreign_missed = true;
}

static void foreign_clear(struct orphans *s)
{
	char *f;

	MAP_FOREACH (&s->foreign, f)
		free(f);
	map_done(&s->foreign);
	s->foreign = MAP_NULL(key_of_foreign);
	s->foreign_missed = false;
}

/* ---- what to walk ------------------------------------------------------------------------ */

static void walk_free(struct walk *w)
{
	list_remove(&w->link);
	free(w->server);
	free(w->export_);
	free(w);
}

/* Two classes of one export: one walk, with the longer keep. */
static bool is_listed(struct orphans *s, const struct class_info *c, const char *server)
{
	LIST_FOREACH (&s->walks, it) {
		struct walk *w = LIST_ENTRY(it, struct walk, link);

		if (!streq(w->server, server) || !streq(w->export_, c->p.export_))
			continue;
		if (w->trash_ttl < c->trash_ttl)
			w->trash_ttl = c->trash_ttl;
		return true;
	}
	return false;
}

static void add_walk(struct orphans *s, const struct class_info *c, const char *server)
{
	struct walk *w = is_listed(s, c, server) ? NULL : calloc(1, sizeof(*w));

	if (!w)
		return;
	w->server = strdup(server);
	w->export_ = strdup(c->p.export_);
	w->trash_ttl = c->trash_ttl;
	list_append(&s->walks, &w->link);
	if (!w->server || !w->export_) {
		walk_free(w);
		return;
	}
	w->place = parameters_place(&c->p, w->server);
	w->place.export_ = w->export_;
}

static void list_exports(struct orphans *s)
{
	struct provisioner *p = s->p;
	const struct object *o;
	size_t cursor = 0;

	while ((o = informer_next(p->classes_seen, &cursor)) != NULL) {
		struct class_info *c = NULL;

		if (!config_is_ours(p->config, class_of(o)->provisioner) ||
			classes_get(&p->classes, p->config, class_of(o), &c) < 0 || c->err.code)
			continue;
		for (size_t i = 0; i < c->p.n_servers; i++)
			add_walk(s, c, c->p.servers[i]);
	}
}

/* ---- what is there ----------------------------------------------------------------------- */

/* Where API objects stand for it, it is no orphan: its claim, its PV or its BerthVolume will end
 * it. */
static bool is_known(const struct orphans *s, const struct volume_request *q)
{
	const struct provisioner *p = s->p;
	struct uuid uid;

	if (informer_get(p->volumes, "", q->pv) || informer_get(p->intents_seen, "", q->pv))
		return true;
	return uuid_parse(q->claim.uid, &uid) == 0 && ledger_find_claim(&p->ledger, &uid);
}

static int take_facts(struct facts *f, const struct walk *w, const struct volume_request *q)
{
	*f = (struct facts){
		.capacity = q->capacity,
		.uid = q->uid,
		.gid = q->gid,
		.mode = q->mode,
		.flags = q->flags,
		.reclaim = q->reclaim,
		.trash_ttl = q->trash_ttl_ns,
		.nfs_port = w->place.nfs_port,
		.mount_port = w->place.mount_port,
		.version = w->place.version,
		.act_as_set = w->place.act_as_set,
		.act_uid = w->place.act_uid,
		.act_gid = w->place.act_gid,
	};
	if (str_copy(f->token, sizeof(f->token), q->token) < 0)
		return -EINVAL;
	f->pv = strdup(q->pv);
	f->driver = strdup(q->driver);
	f->provisioner = strdup(q->driver);
	f->class = strdup(str_or(q->class, ""));
	f->server = strdup(w->server);
	f->export_ = strdup(w->export_);
	f->directory = strdup(q->directory);
	f->identity = strdup("");
	f->claim_namespace = strdup(q->claim.namespace_);
	f->claim_name = strdup(q->claim.name);
	f->claim_uid = strdup(q->claim.uid);
	if (!f->pv || !f->driver || !f->provisioner || !f->class || !f->server || !f->export_ ||
		!f->directory || !f->identity || !f->claim_namespace || !f->claim_name ||
		!f->claim_uid)
		return -ENOMEM;
	return 0;
}

/* A clock that was set back, or one that is behind the writer's, makes nothing old. */
static bool in_grace(const struct orphans *s, const struct volume_entry *e)
{
	uint64_t now = clock_real();

	return now < e->changed || now - e->changed < s->p->config->orphans.grace;
}

/* Empty and never used, or by the record's mode where the configuration says so and the mode
 * erases. */
static void remove_orphan(struct orphans *s, const struct walk *w, const struct volume_entry *e)
{
	_cleanup_facts_ struct facts f = {0};
	bool erase =
		s->p->config->orphans.remove == ORPHANS_ALL && e->record.reclaim != RECLAIM_RETAIN;

	if (s->p->config->orphans.remove == ORPHANS_KEEP || (e->published && !erase))
		return;
	if (e->record.reclaim == RECLAIM_RETAIN && e->state != RECORD_CREATING)
		return;
	if (in_grace(s, e) || take_facts(&f, w, &e->record) < 0)
		return;
	releases_orphan(s->p, &f, erase);
}

static void report(struct orphans *s, const struct walk *w, enum orphan_kind kind, const char *what)
{
	s->count[kind]++;
	if (kind != ORPHAN_DIRECTORY && s->lines++ < LINES_MAX)
		log_warning("%s:%s: %s %s has neither claim nor PersistentVolume", w->server,
			w->export_,
			kind == ORPHAN_RECORD ? "unreadable record" : "the volume of record", what);
}

static void see_record(struct orphans *s, const struct walk *w, const struct volume_entry *e)
{
	if (!streq(e->record.driver, s->p->config->driver)) {
		if (e->state == RECORD_TRASHED)
			foreign_note(s, e->trash);
		return;
	}
	switch (e->state) {
	case RECORD_TRASHED:
		/* While its PV is there the move may lie ahead, for the record is written first:
		 * purging now would take the record from a directory that never moved. */
		if (informer_get(s->p->volumes, "", e->record.pv))
			break;
		exports_found_trash(s->p, &w->place, e->trash, e->changed, e->record.trash_ttl_ns);
		break;
	case RECORD_ARCHIVED:
		break;
	case RECORD_CREATING:
	case RECORD_READY:
	case RECORD_RECYCLING:
		if (is_known(s, &e->record))
			break;
		report(s, w, ORPHAN_VOLUME, e->name);
		remove_orphan(s, w, e);
		break;
	}
}

static void see(struct orphans *s, const struct walk *w, const struct volume_entry *e)
{
	switch (e->kind) {
	case ENTRY_RECORD:
		see_record(s, w, e);
		break;
	case ENTRY_TRASH:
		if (!s->foreign_missed && !map_gets(&s->foreign, e->name))
			exports_found_trash(s->p, &w->place, e->name, e->changed, w->trash_ttl);
		break;
	case ENTRY_BAD_RECORD:
		report(s, w, ORPHAN_RECORD, e->name);
		break;
	case ENTRY_DIRECTORY:
		report(s, w, ORPHAN_DIRECTORY, e->name);
		break;
	}
}

/* ---- walking ----------------------------------------------------------------------------- */

static void finished(struct orphans *s)
{
	for (size_t i = 0; i < _ORPHAN_MAX; i++)
		stats_gauge_for(s->p->stats, "berth_orphans",
			"Things on the exports that no claim and no PersistentVolume stands for, "
			"at the "
			"last scan.",
			"kind", kinds[i], (double)s->count[i]);
	if (s->lines > LINES_MAX)
		log_warning("%u more such volumes and records", s->lines - LINES_MAX);
	orphans_rearm(s);
	if (s->again)
		scan(s);
}

static void walk_done(struct orphans *s)
{
	struct walk *w = LIST_FIRST(&s->walks, struct walk, link);

	free(s->cursor);
	s->cursor = NULL;
	foreign_clear(s);
	walk_free(w);
	next_page(s);
}

static void on_page(const struct volume_result *res, void *userdata)
{
	struct orphans *s = userdata;
	struct walk *w = LIST_FIRST(&s->walks, struct walk, link);

	s->reading = false;
	if (!provisioner_active(s->p)) {
		orphans_stop(s);
		return;
	}
	if (res->err.code)
		log_warning("%s:%s: cannot be looked through: %s", w->server, w->export_,
			res->err.text);
	for (size_t i = 0; !res->err.code && i < res->n_entries; i++)
		see(s, w, &res->entries[i]);
	if (res->err.code || !(res->flags & RESULT_MORE) || str_empty(res->cursor) ||
		str_replace(&s->cursor, res->cursor) < 0)
		walk_done(s);
	else
		next_page(s);
}

static void next_page(struct orphans *s)
{
	struct volume_backend *nfs = s->p->nfs;
	struct walk *w = LIST_FIRST(&s->walks, struct walk, link);

	if (!w) {
		finished(s);
		return;
	}
	s->reading = nfs->ops->list(nfs, &w->place, s->cursor, on_page, s) >= 0;
	if (!s->reading)
		walk_done(s);
}

/* Begins, or has the scan that runs go over all exports again. */
static void scan(struct orphans *s)
{
	if (!provisioner_active(s->p))
		return;
	if (s->reading || !list_empty(&s->walks)) {
		s->again = true;
		return;
	}
	s->again = false;
	s->lines = 0;
	memset(s->count, 0, sizeof(s->count));
	list_exports(s);
	next_page(s);
}

static void on_timer(struct timer *t, void *userdata)
{
	struct orphans *s = userdata;

	(void)t;
	if (!provisioner_active(s->p))
		return;
	intents_consider_all(s->p);
	scan(s);
}

void orphans_rearm(struct orphans *s)
{
	uint64_t interval = s->p->config->orphans.interval;

	if (interval > 0)
		timer_arm(s->timer, interval);
	else
		timer_disarm(s->timer);
}

void orphans_stop(struct orphans *s)
{
	timer_disarm(s->timer);
	if (s->reading)
		return;
	LIST_FOREACH (&s->walks, it) {
		walk_free(LIST_ENTRY(it, struct walk, link));
	}
	free(s->cursor);
	s->cursor = NULL;
	foreign_clear(s);
	provisioner_settled(s->p);
}

void orphans_start(struct orphans *s)
{
	timer_arm(s->timer, FIRST_AFTER);
}

int orphans_new(struct orphans **ret, struct provisioner *p)
{
	_cleanup_(orphans_freep) struct orphans *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->p = p;
	list_init(&s->walks);
	s->foreign = MAP_NULL(key_of_foreign);
	r = timer_new_lazy(&s->timer, p->loop, SECONDS(1), on_timer, s);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct orphans *orphans_free(struct orphans *s)
{
	if (!s)
		return NULL;
	timer_free(s->timer);
	LIST_FOREACH (&s->walks, it) {
		walk_free(LIST_ENTRY(it, struct walk, link));
	}
	free(s->cursor);
	foreign_clear(s);
	free(s);
	return NULL;
}
