/* SPDX-License-Identifier: Apache-2.0 */
/* recovery_row.c: all that the record says, so that the provisioner can compare it */
#include "agent/recovery_row.h"

#include <stdio.h>

#include "agent/admin_json.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/str.h"
#include "data/decode.h"
#include "volume/attributes.h"

json_t *recovery_row(const struct place *p, const struct volume_entry *entry)
{
	const struct volume_request *q = &entry->record;
	char claim[2 * VOLUME_NAME_MAX + 2];

	(void)snprintf(claim, sizeof(claim), "%s/%s", q->claim.namespace_, q->claim.name);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "state", "Waiting", "volume",
		admin_text(q->pv), "claim", admin_text(claim), "server", admin_text(p->server),
		"export", admin_text(p->export_), "directory", admin_text(q->directory), "class",
		admin_text(str_or(q->class, "")), "text", "");
}

void recovery_row_set(json_t *row, const char *state, const char *text)
{
	(void)json_object_set_new(row, "state", json_string(state));
	(void)json_object_set_new(row, "text", admin_text(text));
}

/* Adds where all went well so far. */
static void put(json_t *o, const char *key, json_t *value, bool *ok)
{
	if (!value || !o || json_object_set_new(o, key, value) < 0)
		*ok = false;
}

static json_t *permissions(const struct volume_request *q, bool *ok)
{
	json_t *o = json_object();
	char mode[8];

	if (q->flags & VOLUME_UID_SET)
		put(o, "uid", json_integer(q->uid), ok);
	if (q->flags & VOLUME_GID_SET)
		put(o, "gid", json_integer(q->gid), ok);
	(void)snprintf(mode, sizeof(mode), "%04o", q->mode & 07777U);
	if (q->flags & VOLUME_MODE_SET)
		put(o, "mode", json_string(mode), ok);
	return o;
}

static json_t *nfs_of(const struct place *p, const struct volume_request *q, bool *ok)
{
	json_t *o = json_deep_copy(p->nfs);
	char ttl[32];

	(void)snprintf(
		ttl, sizeof(ttl), "%llus", (unsigned long long)(q->trash_ttl_ns / NSEC_PER_SEC));
	if (q->trash_ttl_ns)
		put(o, ATTR_TRASH_TTL, json_string(ttl), ok);
	return o;
}

static json_t *spec_of(const struct place *p, const struct volume_request *q)
{
	const unsigned owner = VOLUME_UID_SET | VOLUME_GID_SET | VOLUME_MODE_SET;
	json_t *o = json_object();
	char size[24];
	bool ok = o;

	put(o, "driver", json_string(q->driver), &ok);
	put(o, "token", json_string(q->token), &ok);
	put(o, "claim",
		json_pack("{s:s, s:s, s:s}", "namespace", q->claim.namespace_, "name",
			q->claim.name, "uid", q->claim.uid),
		&ok);
	if (!str_empty(q->class))
		put(o, "class", json_string(q->class), &ok);
	put(o, "directory", json_string(q->directory), &ok);
	put(o, "nfs", nfs_of(p, q, &ok), &ok);
	put(o, "capacity", json_string(format_quantity(q->capacity, size)), &ok);
	if (q->flags & owner)
		put(o, "permissions", permissions(q, &ok), &ok);
	put(o, "reclaim", json_string(volume_reclaim_text(q->reclaim)), &ok);
	put(o, "desired", json_string("Present"), &ok);
	if (ok)
		return o;
	json_decref(o);
	return NULL;
}

json_t *recovery_order_body(
	const struct place *p, const struct volume_entry *entry, const char *order)
{
	json_t *spec = spec_of(p, &entry->record);

	if (!spec)
		return NULL;
	return json_pack("{s:s, s:s, s:{s:s, s:{s:s}}, s:o}", "apiVersion", "berth.dev/v1alpha1",
		"kind", "BerthVolume", "metadata", "name", entry->record.pv, "annotations",
		"berth.dev/adopt", order, "spec", spec);
}
