/* SPDX-License-Identifier: Apache-2.0 */
/* record.c: records to and from JSON */
#include "volume/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/str.h"
#include "data/decode.h"

/* The longest duration that a class may name (parse_duration()), in seconds. */
#define TRASH_TTL_MAX ((int64_t)(INT64_MAX / NSEC_PER_SEC))

static const char *const state_texts[] = {
	[RECORD_CREATING] = "Creating",
	[RECORD_READY] = "Ready",
	[RECORD_TRASHED] = "Trashed",
	[RECORD_ARCHIVED] = "Archived",
	[RECORD_RECYCLING] = "Recycling",
};

const char *record_state_text(enum record_state s)
{
	return (size_t)s < ELEMENTSOF(state_texts) ? state_texts[s] : "?";
}

static const char *const access_texts[] = {
	"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"};

int record_state_parse(const char *s, enum record_state *ret)
{
	for (size_t i = 0; i < ELEMENTSOF(state_texts); i++) {
		if (streq(s, state_texts[i])) {
			*ret = (enum record_state)i;
			return 0;
		}
	}
	return -EINVAL;
}

int record_name(const char *pv, char dst[static PATH_COMPONENT_MAX + 1])
{
	return str_format(dst, PATH_COMPONENT_MAX + 1, "%s" RECORD_SUFFIX, pv);
}

size_t record_name_is(const char *name)
{
	size_t n = strlen(name);

	if (name[0] == '.' || n <= strlen(RECORD_SUFFIX) || !str_ends_with(name, RECORD_SUFFIX))
		return 0;
	return n - strlen(RECORD_SUFFIX);
}

/* ---- decode -------------------------------------------------------------------------------- */

/* Where the tables put what needs a second look. */
struct raw {
	int64_t version;
	const char *driver, *pv, *token, *class, *directory, *reclaim, *state;
	const char *namespace_, *name, *uid, *previous_uid, *stored, *changed, *mode;
	int64_t capacity, trash_ttl;
	bool uid_given, gid_given, published, adopt, shared;
	unsigned owner, group, access_modes;
};

static int decode_access(const json_t *value, void *target, struct err *e)
{
	unsigned *modes = target;
	json_t *mode;
	size_t i;

	if (!json_is_array(value))
		return err_set(e, EBADMSG, "not a list");
	json_array_foreach (value, i, mode) {
		for (size_t k = 0; k < ELEMENTSOF(access_texts); k++)
			if (streq_null(json_string_value(mode), access_texts[k]))
				*modes |= 1U << k;
	}
	return 0;
}

static const struct decode_field claim_fields[] = {
	{"namespace", DECODE_STRING, offsetof(struct raw, namespace_), DECODE_REQUIRED, NULL, NULL},
	{"name", DECODE_STRING, offsetof(struct raw, name), DECODE_REQUIRED, NULL, NULL},
	{"uid", DECODE_STRING, offsetof(struct raw, uid), DECODE_REQUIRED, NULL, NULL},
};
static const struct decode_table claim_table = DECODE_TABLE(claim_fields, false);

static const struct decode_field record_fields[] = {
	{"version", DECODE_I64, offsetof(struct raw, version), DECODE_REQUIRED, NULL, NULL},
	{"driver", DECODE_STRING, offsetof(struct raw, driver), DECODE_REQUIRED, NULL, NULL},
	{"pv", DECODE_STRING, offsetof(struct raw, pv), DECODE_REQUIRED, NULL, NULL},
	{"token", DECODE_STRING, offsetof(struct raw, token), DECODE_REQUIRED, NULL, NULL},
	{"claim", DECODE_OBJECT, 0, DECODE_REQUIRED, &claim_table, NULL},
	{"class", DECODE_STRING, offsetof(struct raw, class), 0, NULL, NULL},
	{"directory", DECODE_STRING, offsetof(struct raw, directory), DECODE_REQUIRED, NULL, NULL},
	{"capacity", DECODE_I64, offsetof(struct raw, capacity), 0, NULL, NULL},
	{"accessModes", DECODE_CUSTOM, offsetof(struct raw, access_modes), 0, NULL, decode_access},
	{"uid", DECODE_UNSIGNED, offsetof(struct raw, owner), 0, NULL, NULL},
	{"uid", DECODE_PRESENT, offsetof(struct raw, uid_given), 0, NULL, NULL},
	{"gid", DECODE_UNSIGNED, offsetof(struct raw, group), 0, NULL, NULL},
	{"gid", DECODE_PRESENT, offsetof(struct raw, gid_given), 0, NULL, NULL},
	{"mode", DECODE_STRING, offsetof(struct raw, mode), 0, NULL, NULL},
	{"adopt", DECODE_BOOL, offsetof(struct raw, adopt), 0, NULL, NULL},
	{"shared", DECODE_BOOL, offsetof(struct raw, shared), 0, NULL, NULL},
	{"reclaim", DECODE_STRING, offsetof(struct raw, reclaim), DECODE_REQUIRED, NULL, NULL},
	{"trashTTL", DECODE_I64, offsetof(struct raw, trash_ttl), 0, NULL, NULL},
	{"state", DECODE_STRING, offsetof(struct raw, state), DECODE_REQUIRED, NULL, NULL},
	{"published", DECODE_BOOL, offsetof(struct raw, published), 0, NULL, NULL},
	{"stored", DECODE_STRING, offsetof(struct raw, stored), 0, NULL, NULL},
	{"previousClaimUID", DECODE_STRING, offsetof(struct raw, previous_uid), 0, NULL, NULL},
	{"changed", DECODE_STRING, offsetof(struct raw, changed), 0, NULL, NULL},
};
static const struct decode_table record_table = DECODE_TABLE(record_fields, false);

static int bad(struct err *e, const char *field, const char *why)
{
	return err_set(e, EBADMSG, "%s: %s", field, why);
}

static int check_names(const struct raw *w, struct err *e)
{
	size_t token = strlen(w->token);

	if (path_component_check(w->pv, strlen(w->pv), NULL) < 0 || strlen(w->pv) > VOLUME_NAME_MAX)
		return bad(e, "pv", "no name of a volume");
	if (token != TOKEN_TEXT_MAX - 1 || strspn(w->token, "0123456789abcdef") != token)
		return bad(e, "token", "not 32 hex digits");
	if (path_relative_check(w->directory, NULL) < 0)
		return bad(e, "directory", "not a path beneath the root");
	if (*w->stored && path_relative_check(w->stored, NULL) < 0)
		return bad(e, "stored", "not a path beneath the root");
	if (w->capacity < 0)
		return bad(e, "capacity", "not a number of bytes");
	if (w->trash_ttl < 0 || w->trash_ttl > TRASH_TTL_MAX)
		return bad(e, "trashTTL", "not a number of seconds");
	return 0;
}

static int fill(struct record *r, const struct raw *w, struct err *e)
{
	struct volume_request *q = &r->request;

	*q = (struct volume_request){
		.driver = w->driver,
		.pv = w->pv,
		.token = w->token,
		.claim = {w->namespace_, w->name, w->uid},
		.class = w->class,
		.directory = w->directory,
		.capacity = w->capacity,
		.access_modes = w->access_modes,
		.trash_ttl_ns = SECONDS((uint64_t)w->trash_ttl),
		.uid = w->owner,
		.gid = w->group,
		.flags = (w->uid_given ? VOLUME_UID_SET : 0U) |
			 (w->gid_given ? VOLUME_GID_SET : 0U) | (w->mode ? VOLUME_MODE_SET : 0U) |
			 (w->adopt ? VOLUME_ADOPT : 0U) | (w->shared ? VOLUME_SHARED : 0U),
	};
	r->stored = w->stored;
	r->previous_uid = w->previous_uid;
	r->published = w->published;
	if (w->mode && parse_mode(w->mode, &q->mode) < 0)
		return bad(e, "mode", "not an octal mode");
	if (volume_reclaim_parse(w->reclaim, &q->reclaim) < 0)
		return bad(e, "reclaim", "unknown");
	if (record_state_parse(w->state, &r->state) < 0)
		return bad(e, "state", "unknown");
	if (w->changed && clock_parse(w->changed, &r->changed) < 0)
		return bad(e, "changed", "not a time");
	return 0;
}

/* The version is looked at before the rest, which a newer one may have changed. */
static int check_version(const json_t *tree, struct err *e)
{
	const json_t *version = json_object_get(tree, "version");

	if (!json_is_integer(version))
		return bad(e, "version", "missing");
	if (json_integer_value(version) != RECORD_VERSION)
		return err_set(e, EPROTONOSUPPORT, "version %lld is not known to this Berth",
			(long long)json_integer_value(version));
	return 0;
}

static int load(json_t **ret, const char *text, size_t size, struct err *e)
{
	_cleanup_json_ json_t *tree = NULL;
	int r;

	if (size > RECORD_MAX)
		return err_set(e, EBADMSG, "%zu bytes are more than %u", size, RECORD_MAX);
	r = data_json_load(text, size, &tree, e);
	if (r >= 0)
		r = check_version(tree, e);
	if (r < 0)
		return r == -ENOMEM || r == -EPROTONOSUPPORT ? r : -EBADMSG;
	*ret = TAKE_PTR(tree);
	return 0;
}

int record_decode(struct record *ret, const char *text, size_t size, struct err *e)
{
	_cleanup_json_ json_t *tree = NULL;
	struct record rec = RECORD_NULL;
	struct raw w = {.stored = "", .previous_uid = "", .class = ""};
	int r = load(&tree, text, size, e);

	if (r < 0)
		return r;
	if (decode(&record_table, tree, &w, e) < 0)
		return -EBADMSG;
	r = check_names(&w, e);
	if (r >= 0)
		r = fill(&rec, &w, e);
	if (r < 0)
		return r;
	rec.tree = TAKE_PTR(tree);
	*ret = rec;
	return 0;
}

void record_done(struct record *r)
{
	json_decref(r->tree);
	*r = RECORD_NULL;
}

/* ---- encode -------------------------------------------------------------------------------- */

/* Takes value; remembers a failure so that callers can go on. */
static void put(json_t *object, const char *key, json_t *value, int *r)
{
	if (!value || json_object_set_new(object, key, value) < 0)
		*r = -ENOMEM;
}

static void put_text(json_t *object, const char *key, const char *text, int *r)
{
	if (str_empty(text))
		json_object_del(object, key);
	else
		put(object, key, json_string(text), r);
}

static void put_flag(json_t *object, const char *key, bool on, int *r)
{
	if (on)
		put(object, key, json_true(), r);
	else
		json_object_del(object, key);
}

static void put_owner(json_t *o, const struct volume_request *q, int *r)
{
	char mode[8];

	snprintf(mode, sizeof(mode), "%04o", q->mode & 07777U);
	put_text(o, "mode", q->flags & VOLUME_MODE_SET ? mode : NULL, r);
	json_object_del(o, "uid");
	json_object_del(o, "gid");
	if (q->flags & VOLUME_UID_SET)
		put(o, "uid", json_integer(q->uid), r);
	if (q->flags & VOLUME_GID_SET)
		put(o, "gid", json_integer(q->gid), r);
	put_flag(o, "adopt", q->flags & VOLUME_ADOPT, r);
	put_flag(o, "shared", q->flags & VOLUME_SHARED, r);
}

static void put_access(json_t *o, unsigned modes, int *r)
{
	json_t *list = json_array();

	if (!modes) {
		json_decref(list);
		json_object_del(o, "accessModes");
		return;
	}
	for (size_t i = 0; i < ELEMENTSOF(access_texts); i++)
		if (modes & (1U << i) &&
			json_array_append_new(list, json_string(access_texts[i])) < 0)
			*r = -ENOMEM;
	put(o, "accessModes", list, r);
}

static void put_claim(json_t *o, const struct volume_claim *c, int *r)
{
	json_t *claim = json_object();

	put(o, "claim", claim, r);
	if (*r < 0)
		return;
	put_text(claim, "namespace", c->namespace_, r);
	put_text(claim, "name", c->name, r);
	put_text(claim, "uid", c->uid, r);
}

int record_encode(const struct record *rec, struct buf *out, struct err *e)
{
	const struct volume_request *q = &rec->request;
	_cleanup_json_ json_t *o = rec->tree ? json_copy(rec->tree) : json_object();
	_cleanup_free_ char *text = NULL;
	char changed[CLOCK_TEXT_MAX];
	size_t size = 0;
	int r = o ? 0 : -ENOMEM;

	put(o, "version", json_integer(RECORD_VERSION), &r);
	put_text(o, "driver", q->driver, &r);
	put_text(o, "pv", q->pv, &r);
	put_text(o, "token", q->token, &r);
	put_claim(o, &q->claim, &r);
	put_text(o, "class", q->class, &r);
	put_text(o, "directory", q->directory, &r);
	put(o, "capacity", json_integer(q->capacity), &r);
	put_access(o, q->access_modes, &r);
	put_owner(o, q, &r);
	put_text(o, "reclaim", volume_reclaim_text(q->reclaim), &r);
	if (q->trash_ttl_ns > 0)
		put(o, "trashTTL", json_integer((json_int_t)(q->trash_ttl_ns / NSEC_PER_SEC)), &r);
	else
		json_object_del(o, "trashTTL");
	put_text(o, "state", record_state_text(rec->state), &r);
	put(o, "published", json_boolean(rec->published), &r);
	put_text(o, "stored", rec->stored, &r);
	put_text(o, "previousClaimUID", rec->previous_uid, &r);
	put_text(o, "changed", clock_format(rec->changed, changed), &r);
	if (r >= 0)
		r = data_json_dump(o, &text, &size);
	if (r >= 0)
		r = buf_append(out, text, size);
	if (r >= 0)
		r = buf_append(out, "\n", 1);
	return r < 0 ? err_sys(e, r, "cannot write the record of %s", q->pv) : 0;
}

/* ---- identity ------------------------------------------------------------------------------- */

void identity_make(struct identity *ret)
{
	struct uuid id;

	uuid_random(&id);
	uuid_format(&id, ret->id);
	ret->created = clock_real();
}

int identity_decode(struct identity *ret, const char *text, size_t size, struct err *e)
{
	_cleanup_json_ json_t *tree = NULL;
	struct identity id = {.created = 0};
	const char *uid, *created;
	struct uuid u;
	int r = load(&tree, text, size, e);

	if (r < 0)
		return r;
	uid = json_string_at(tree, "id", NULL);
	created = json_string_at(tree, "created", NULL);
	if (!uid || uuid_parse(uid, &u) < 0)
		return bad(e, "id", "not a UUID");
	uuid_format(&u, id.id);
	if (created && clock_parse(created, &id.created) < 0)
		return bad(e, "created", "not a time");
	*ret = id;
	return 0;
}

int identity_encode(const struct identity *id, struct buf *out, struct err *e)
{
	char created[CLOCK_TEXT_MAX];
	int r = buf_printf(out, "{\"version\":%d,\"id\":\"%s\",\"created\":\"%s\"}\n",
		RECORD_VERSION, id->id, clock_format(id->created, created));

	return r < 0 ? err_sys(e, r, "cannot write the identity") : 0;
}

bool trash_name_parse(
	const char *name, char pv[static PATH_COMPONENT_MAX + 1], uint64_t *ret_real_ns)
{
	size_t n = strlen(name);
	const char *t = name + n - TRASH_TAIL + 1;
	char time[CLOCK_TEXT_MAX];

	if (n <= TRASH_TAIL || n > PATH_COMPONENT_MAX || t[-1] != '-' || t[16] != '-')
		return false;
	snprintf(time, sizeof(time), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", t, t + 4, t + 6, t + 9,
		t + 11, t + 13);
	if (clock_parse(time, ret_real_ns) < 0)
		return false;
	memcpy(pv, name, n - TRASH_TAIL);
	pv[n - TRASH_TAIL] = '\0';
	return true;
}
