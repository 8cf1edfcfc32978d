/* SPDX-License-Identifier: Apache-2.0 */
/* admin_storage.c: trash and orphans of the exports, gathered into one answer */
#include "agent/admin_storage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/admin_json.h"
#include "agent/records.h"
#include "base/str.h"
#include "data/decode.h"
#include "volume/record.h"

/* A person reads them; the provisioner's metrics count them. */
#define ITEMS_MAX 10000

struct gathering {
	enum admin_storage what;
	const char *driver;
	admin_storage_fn fn;
	void *userdata;
	struct timer *later; /* where there is no worker to wait for */
	json_t *items;
	json_t *by_name; /* "server:export/name" -> item */
	bool too_many;
};

static void gathering_free(struct gathering *g)
{
	timer_free(g->later);
	json_decref(g->items);
	json_decref(g->by_name);
	free(g);
}

static void answer(struct gathering *g, json_t *incomplete)
{
	_cleanup_json_ json_t *document =
		json_pack("{s:s, s:O, s:O}", "kind", g->what == ADMIN_TRASH ? "trash" : "orphans",
			"items", g->items, "incomplete", incomplete);
	struct err e = ERR_NULL;

	if (!document)
		(void)err_set(&e, ENOMEM, "out of memory");
	g->fn(document, &e, g->userdata);
	gathering_free(g);
}

/* ---- items -------------------------------------------------------------------------------- */

static json_t *item_new(const struct place *p, const char *kind, const char *name, uint64_t changed)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "kind", kind, "server", admin_text(p->server),
		"export", admin_text(p->export_), "name", admin_text(name), "changed",
		admin_time(changed));
}

static json_t *get_item(struct gathering *g, const struct place *p, const char *kind,
	const char *name, const struct volume_entry *entry)
{
	char key[2 * VOLUME_EXPORT_MAX + 600];
	json_t *item;

	(void)snprintf(key, sizeof(key), "%s:%s/%s", p->server, p->export_, name);
	item = json_object_get(g->by_name, key);
	if (item)
		return item;
	if (json_array_size(g->items) >= ITEMS_MAX) {
		g->too_many = true;
		return NULL;
	}
	item = item_new(p, kind, name, entry->changed);
	if (json_array_append_new(g->items, item) < 0 || json_object_set(g->by_name, key, item) < 0)
		return NULL;
	return item;
}

static void put(json_t *item, const char *key, json_t *value)
{
	if (item)
		(void)json_object_set_new(item, key, value);
	else
		json_decref(value);
}

static void put_record(json_t *item, const struct volume_entry *entry)
{
	const struct volume_request *q = &entry->record;
	char claim[2 * VOLUME_NAME_MAX + 2];

	(void)snprintf(claim, sizeof(claim), "%s/%s", str_or(q->claim.namespace_, ""),
		str_or(q->claim.name, ""));
	put(item, "volume", admin_text(str_or(q->pv, "")));
	put(item, "claim", admin_text(claim));
	put(item, "class", admin_text(str_or(q->class, "")));
	put(item, "directory", admin_text(str_or(q->directory, "")));
}

/* A tree in the trash and its record are two entries of one name: one item. The time stands in the
 * name. */
static void add_trash(struct gathering *g, const struct place *p, const struct volume_entry *entry)
{
	const bool is_record = entry->kind == ENTRY_RECORD;
	char pv[PATH_COMPONENT_MAX + 1];
	uint64_t at = entry->changed;
	json_t *item;

	if (entry->kind != ENTRY_TRASH &&
		!(is_record && entry->state == RECORD_TRASHED && *entry->trash))
		return;
	item = get_item(g, p, "trash", is_record ? entry->trash : entry->name, entry);
	if (is_record)
		put_record(item, entry);
	if (!trash_name_parse(is_record ? entry->trash : entry->name, pv, &at))
		at = entry->changed;
	put(item, "changed", admin_time(at));
	if (is_record || !json_object_get(item, "removed"))
		put(item, "removed",
			admin_time(at + (is_record ? entry->record.trash_ttl_ns : p->trash_ttl)));
}

/* A record that no BerthVolume stands for: what adopt would take. */
static void add_orphan(struct gathering *g, const struct places *all, const struct place *p,
	const struct volume_entry *entry)
{
	if (entry->kind == ENTRY_DIRECTORY)
		(void)get_item(g, p, "directory", entry->name, entry);
	else if (entry->kind == ENTRY_BAD_RECORD)
		(void)get_item(g, p, "badRecord", entry->name, entry);
	else if (entry->kind == ENTRY_RECORD && entry->state != RECORD_TRASHED &&
		 entry->state != RECORD_ARCHIVED && all->known &&
		 streq(entry->record.driver, g->driver) &&
		 !json_object_get(all->known, entry->record.pv))
		put_record(get_item(g, p, "volume", entry->record.pv, entry), entry);
}

static bool on_entry(const struct places *all, const struct place *p,
	const struct volume_entry *entry, void *userdata)
{
	struct gathering *g = userdata;

	if (g->what == ADMIN_TRASH)
		add_trash(g, p, entry);
	else
		add_orphan(g, all, p, entry);
	return !g->too_many;
}

static void on_done(struct places *p, const struct err *e, void *userdata)
{
	struct gathering *g = userdata;

	if (!p) {
		g->fn(NULL, e, g->userdata);
		gathering_free(g);
		return;
	}
	if (g->too_many)
		places_note(p, "there are more than %d", ITEMS_MAX);
	answer(g, p->incomplete);
	places_free(p);
}

static void on_mount(const struct view_mount *m, void *userdata)
{
	struct gathering *g = userdata;

	if (!streq(m->state, "Orphaned") || json_array_size(g->items) >= ITEMS_MAX)
		return;
	(void)json_array_append_new(g->items,
		json_pack("{s:s, s:s, s:s, s:o, s:n, s:o, s:o}", "kind", "mount", "server", "",
			"export", "", "name", admin_text(m->target), "changed", "volume",
			admin_text(m->volume), "text", admin_text(m->text)));
}

static void on_later(struct timer *t, void *userdata)
{
	_cleanup_json_ json_t *incomplete =
		json_pack("[s]", "only mounts: this agent has no NFS worker; the provisioner "
				 "counts orphans on exports in berth_orphans and logs them");

	(void)t;
	answer(userdata, incomplete);
}

static struct gathering *gathering_new(struct loop *l)
{
	struct gathering *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->items = json_array();
	g->by_name = json_object();
	if (g->items && g->by_name && timer_new_exact(&g->later, l, on_later, g) >= 0)
		return g;
	gathering_free(g);
	return NULL;
}

int admin_storage_list(struct loop *loop, const struct view *v, enum admin_storage what,
	admin_storage_fn fn, void *userdata, struct err *e)
{
	static const struct records_callbacks callbacks = {on_entry, on_done};
	struct gathering *g = gathering_new(loop);
	int r;

	if (!g)
		return err_set(e, ENOMEM, "out of memory");
	g->what = what;
	g->driver = v->nfs_driver ? v->nfs_driver(v->agent) : "";
	g->fn = fn;
	g->userdata = userdata;
	if (what == ADMIN_ORPHANS && v->mounts)
		v->mounts(v->agent, on_mount, g);
	r = records_walk(loop, v, NULL, &callbacks, g, e);
	if (r == -ENOTSUP && what == ADMIN_ORPHANS) {
		timer_arm(g->later, 0);
		return 0;
	}
	if (r < 0)
		gathering_free(g);
	return r;
}
