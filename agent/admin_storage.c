/* SPDX-License-Identifier: Apache-2.0 */
/* admin_storage.c: one listing an export, all at once, gathered into one answer */
#include "agent/admin_storage.h"

#include <errno.h>
#include <stdio.h>

#include "agent/admin_json.h"
#include "base/str.h"
#include "data/decode.h"
#include "volume/backend.h"

#define PLACES_MAX 64
/* A person reads them; the provisioner's metrics count them. */
#define ITEMS_MAX 10000

struct listing;

struct place {
	struct listing *all;
	char *server, *export_, *cursor;
	int version;
};

struct listing {
	struct volume_backend *backend;
	enum admin_storage what;
	admin_storage_fn fn;
	void *userdata;
	struct timer *later; /* for an answer with nothing to wait for */
	json_t *items, *incomplete;
	json_t *by_name; /* "<place>/<name>" -> item */
	size_t n_places, running;
	struct place places[PLACES_MAX];
};

static void listing_free(struct listing *l)
{
	for (size_t i = 0; i < l->n_places; i++) {
		free(l->places[i].server);
		free(l->places[i].export_);
		free(l->places[i].cursor);
	}
	timer_free(l->later);
	json_decref(l->items);
	json_decref(l->incomplete);
	json_decref(l->by_name);
	free(l);
}

static void listing_end(struct listing *l)
{
	_cleanup_json_ json_t *document =
		json_pack("{s:s, s:O, s:O}", "kind", l->what == ADMIN_TRASH ? "trash" : "orphans",
			"items", l->items, "incomplete", l->incomplete);
	struct err e = ERR_NULL;

	if (!document)
		(void)err_set(&e, ENOMEM, "out of memory");
	l->fn(document, &e, l->userdata);
	listing_free(l);
}

static void on_later(struct timer *t, void *userdata)
{
	(void)t;
	listing_end(userdata);
}

/* ---- items -------------------------------------------------------------------------------- */

static json_t *item_new(const struct place *p, const char *kind, const char *name, uint64_t changed)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "kind", kind, "server", admin_text(p->server),
		"export", admin_text(p->export_), "name", admin_text(name), "changed",
		admin_time(changed));
}

static void add_claim(json_t *item, const struct volume_entry *entry)
{
	const struct volume_request *q = &entry->record;
	char claim[2 * VOLUME_NAME_MAX + 2];

	(void)snprintf(claim, sizeof(claim), "%s/%s", str_or(q->claim.namespace_, ""),
		str_or(q->claim.name, ""));
	(void)json_object_set_new(item, "volume", admin_text(str_or(q->pv, "")));
	(void)json_object_set_new(item, "claim", admin_text(claim));
	(void)json_object_set_new(item, "directory", admin_text(str_or(q->directory, "")));
}

/* A tree in the trash and its record are two entries of one name: one item. */
static void add_item(
	struct place *p, const char *kind, const char *name, const struct volume_entry *entry)
{
	struct listing *l = p->all;
	char key[VOLUME_EXPORT_MAX];
	json_t *item;

	(void)snprintf(key, sizeof(key), "%zu/%s", (size_t)(p - l->places), name);
	item = json_object_get(l->by_name, key);
	if (!item && json_array_size(l->items) < ITEMS_MAX) {
		item = item_new(p, kind, name, entry->changed);
		if (json_array_append_new(l->items, item) < 0 ||
			json_object_set(l->by_name, key, item) < 0)
			item = NULL;
	}
	if (item && entry->kind == ENTRY_RECORD)
		add_claim(item, entry);
}

static void add_trash(struct place *p, const struct volume_entry *entry)
{
	if (entry->kind == ENTRY_TRASH)
		add_item(p, "trash", entry->name, entry);
	else if (entry->kind == ENTRY_RECORD && entry->state == RECORD_TRASHED && *entry->trash)
		add_item(p, "trash", entry->trash, entry);
}

static void add_orphan(struct place *p, const struct volume_entry *entry)
{
	if (entry->kind == ENTRY_DIRECTORY)
		add_item(p, "directory", entry->name, entry);
	else if (entry->kind == ENTRY_BAD_RECORD)
		add_item(p, "badRecord", entry->name, entry);
	else if (entry->kind == ENTRY_RECORD && !entry->published)
		add_item(p, "unpublished", entry->name, entry);
}

static void on_mount(const struct view_mount *m, void *userdata)
{
	struct listing *l = userdata;

	if (!streq(m->state, "Orphaned") || json_array_size(l->items) >= ITEMS_MAX)
		return;
	(void)json_array_append_new(l->items,
		json_pack("{s:s, s:s, s:s, s:o, s:n, s:o, s:o}", "kind", "mount", "server", "",
			"export", "", "name", admin_text(m->target), "changed", "volume",
			admin_text(m->volume), "text", admin_text(m->text)));
}

/* ---- pages -------------------------------------------------------------------------------- */

static void note(struct listing *l, const char *text)
{
	(void)json_array_append_new(l->incomplete, admin_text(text));
}

static int ask(struct place *p);

static void on_page(const struct volume_result *res, void *userdata)
{
	struct place *p = userdata;
	struct listing *l = p->all;
	bool more = res->flags & RESULT_MORE && json_array_size(l->items) < ITEMS_MAX;

	for (size_t i = 0; res->err.code == 0 && i < res->n_entries; i++) {
		if (l->what == ADMIN_TRASH)
			add_trash(p, &res->entries[i]);
		else
			add_orphan(p, &res->entries[i]);
	}
	if (res->err.code)
		note(l, res->err.text);
	else if (res->flags & RESULT_MORE && !more)
		note(l, "there are more than 10,000");
	if (more && res->err.code == 0 && str_replace(&p->cursor, res->cursor) == 0 && ask(p) == 0)
		return;
	if (--l->running == 0)
		listing_end(l);
}

static int ask(struct place *p)
{
	const struct volume_place place = {
		.server = p->server,
		.export_ = p->export_,
		.version = p->version,
	};

	return p->all->backend->ops->list(p->all->backend, &place, p->cursor, on_page, p);
}

static void on_export(const struct view_export *x, void *userdata)
{
	struct listing *l = userdata;
	struct place *p = &l->places[l->n_places];

	for (size_t i = 0; i < l->n_places; i++)
		if (streq(l->places[i].server, x->server) &&
			streq(l->places[i].export_, x->export_))
			return;
	if (l->n_places == PLACES_MAX) {
		note(l, "there are more than 64 exports");
		return;
	}
	*p = (struct place){.all = l, .version = x->version > 3 ? 4 : (int)x->version};
	p->server = strdup(x->server);
	p->export_ = strdup(x->export_);
	l->n_places++;
}

static void ask_all(struct listing *l)
{
	for (size_t i = 0; i < l->n_places; i++) {
		struct place *p = &l->places[i];

		if (!p->server || !p->export_ || ask(p) < 0)
			note(l, "an export could not be asked: out of memory, or too much to do");
		else
			l->running++;
	}
}

static struct listing *listing_new(enum admin_storage what, admin_storage_fn fn, void *userdata)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->what = what;
	l->fn = fn;
	l->userdata = userdata;
	l->items = json_array();
	l->incomplete = json_array();
	l->by_name = json_object();
	if (l->items && l->incomplete && l->by_name)
		return l;
	listing_free(l);
	return NULL;
}

int admin_storage_list(struct loop *loop, const struct view *v, enum admin_storage what,
	admin_storage_fn fn, void *userdata, struct err *e)
{
	struct volume_backend *b = v->storage ? v->storage(v->agent) : NULL;
	struct listing *l;

	if (!b && what == ADMIN_TRASH)
		return err_set(e, ENOTSUP,
			"this agent has no NFS worker to look with: on the server, ls "
			"EXPORT/.berth/trash; the provisioner counts them in berth_trash_trees");
	l = listing_new(what, fn, userdata);
	if (!l || timer_new_exact(&l->later, loop, on_later, l) < 0) {
		if (l)
			listing_free(l);
		return err_sys(e, ENOMEM, "cannot list");
	}
	l->backend = b;
	if (what == ADMIN_ORPHANS && v->mounts)
		v->mounts(v->agent, on_mount, l);
	if (b && v->exports)
		v->exports(v->agent, on_export, l);
	if (!b)
		note(l, "only mounts: this agent has no NFS worker; the provisioner counts orphans "
			"on "
			"exports in berth_orphans and logs them");
	ask_all(l);
	if (l->running == 0)
		timer_arm(l->later, 0);
	return 0;
}
