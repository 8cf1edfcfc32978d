/* SPDX-License-Identifier: Apache-2.0 */
/* admin_json.c: each kind of row, field by field */
#include "agent/admin_json.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "data/decode.h"

/* A row being built; failed sticks. */
struct row {
	json_t *object;
	bool failed;
};

/* A list being built. */
struct rows {
	json_t *array;
	unsigned flags;
	bool failed;
};

json_t *admin_text(const char *s)
{
	json_t *text = json_string(s);
	_cleanup_buf_ struct buf b = BUF_NULL(SIZE_MAX / 2);
	const size_t size = 4 * strlen(s) + 1;
	char *dst;

	if (text)
		return text;
	dst = buf_reserve(&b, size, NULL);
	return dst ? json_string(str_escape(dst, size, s)) : NULL;
}

json_t *admin_time(uint64_t real_ns)
{
	char text[CLOCK_TEXT_MAX];

	return real_ns ? json_string(clock_format(real_ns, text)) : json_null();
}

static void put(struct row *r, const char *key, json_t *value)
{
	if (json_object_set_new(r->object, key, value) < 0)
		r->failed = true;
}

static void put_text(struct row *r, const char *key, const char *text)
{
	put(r, key, admin_text(text));
}

static void put_number(struct row *r, const char *key, uint64_t n)
{
	put(r, key, json_integer((json_int_t)n));
}

static struct row row_new(void)
{
	json_t *object = json_object();

	return (struct row){.object = object, .failed = !object};
}

/* The object, or NULL where anything in it failed. */
static json_t *row_take(struct row *r)
{
	if (!r->failed)
		return r->object;
	json_decref(r->object);
	return NULL;
}

static void rows_add(struct rows *to, struct row *r)
{
	if (json_array_append_new(to->array, row_take(r)) < 0)
		to->failed = true;
}

/* ---- one function a kind ------------------------------------------------------------------ */

static json_t *api_row(const struct view_api *a, unsigned flags)
{
	struct row r = row_new();

	put_text(&r, "server", a->server);
	put_text(&r, "error", a->error);
	if (flags & ADMIN_STABLE)
		return row_take(&r);
	put(&r, "answered", admin_time(a->answered));
	put(&r, "clockAheadSeconds",
		a->clock_known ? json_real((double)a->clock_ahead_ns / (double)NSEC_PER_SEC)
			       : json_null());
	return row_take(&r);
}

static struct row node_row(const struct view *v, unsigned flags)
{
	struct row r = row_new();
	struct view_node n = {0};

	v->node(v->agent, &n);
	put_text(&r, "name", n.name);
	put_text(&r, "version", BERTH_VERSION);
	put_text(&r, "host", n.host);
	put(&r, "started", admin_time(n.started));
	put_text(&r, "kubeletRoot", n.kubelet_root);
	put_text(&r, "propagation", n.propagation);
	put_text(&r, "propagationText", n.propagation_text);
	put(&r, "nfsClient", json_boolean(n.nfs_client));
	put_text(&r, "nfsClientText", n.nfs_client_text);
	if (!(flags & ADMIN_STABLE))
		put_number(&r, "children", n.children);
	put_number(&r, "childrenStuck", n.children_stuck);
	put(&r, "stopping", json_boolean(n.stopping));
	put(&r, "api", api_row(&n.api, flags));
	return r;
}

static void add_driver(const struct view_driver *d, void *userdata)
{
	struct row r = row_new();

	put_text(&r, "name", d->name);
	put_text(&r, "state", d->state);
	put_text(&r, "text", d->text);
	put_text(&r, "socket", d->socket);
	put_text(&r, "registrationSocket", d->registration_socket);
	put(&r, "since", admin_time(d->since));
	rows_add(userdata, &r);
}

static void add_volume(const struct view_volume *v, void *userdata)
{
	struct row r = row_new();

	put_text(&r, "volume", v->volume);
	put_text(&r, "driver", v->driver);
	put_text(&r, "namespace", v->namespace_);
	put_text(&r, "pod", v->pod);
	put_text(&r, "podUID", v->pod_uid);
	put_text(&r, "target", v->target);
	put_text(&r, "source", v->source);
	put(&r, "readOnly", json_boolean(v->read_only));
	put(&r, "published", admin_time(v->published));
	put_text(&r, "state", v->state);
	put_text(&r, "text", v->text);
	rows_add(userdata, &r);
}

static void add_mount(const struct view_mount *m, void *userdata)
{
	struct row r = row_new();

	put_text(&r, "kind", m->kind);
	put_text(&r, "volume", m->volume);
	put_text(&r, "target", m->target);
	put_text(&r, "source", m->source);
	put_text(&r, "options", m->options);
	put_text(&r, "filesystem", m->filesystem);
	put_number(&r, "peerGroup", m->peer_group);
	put_text(&r, "state", m->state);
	put_text(&r, "text", m->text);
	rows_add(userdata, &r);
}

static void add_pool(const struct view_pool *p, void *userdata)
{
	struct rows *to = userdata;
	struct row r = row_new();

	put_text(&r, "name", p->name);
	put_text(&r, "path", p->path);
	put_text(&r, "filesystem", p->filesystem);
	put_number(&r, "capacity", p->capacity);
	if (!(to->flags & ADMIN_STABLE))
		put_number(&r, "free", p->free);
	put_number(&r, "promised", p->promised);
	put_text(&r, "quota", p->quota);
	put_text(&r, "identity", p->identity);
	put_text(&r, "state", *p->text ? "Failed" : "Ok");
	put_text(&r, "text", p->text);
	rows_add(to, &r);
}

static void put_round_trip(struct row *r, const struct view_export *x)
{
	put(r, "answered", admin_time(x->answered));
	put(r, "roundTripMilliseconds",
		x->round_trip_ns ? json_real((double)x->round_trip_ns / (double)NSEC_PER_MSEC)
				 : json_null());
}

static void add_export(const struct view_export *x, void *userdata)
{
	struct rows *to = userdata;
	struct row r = row_new();
	char version[32] = "";

	if (x->version)
		(void)snprintf(version, sizeof(version), x->version > 3 ? "%u.%u" : "%u",
			x->version, x->minor);
	put_text(&r, "id", x->id);
	put_text(&r, "server", x->server);
	put_text(&r, "address", x->address);
	put_text(&r, "export", x->export_);
	put_text(&r, "options", x->options);
	put_text(&r, "version", version);
	put_text(&r, "state", x->state);
	put_text(&r, "roundTrip", x->round_trip);
	if (!(to->flags & ADMIN_STABLE))
		put_round_trip(&r, x);
	put_number(&r, "volumes", x->volumes);
	put_text(&r, "text", x->text);
	rows_add(to, &r);
}

static void add_operation(const struct view_operation *o, void *userdata)
{
	struct row r = row_new();

	put_text(&r, "what", o->what);
	put_text(&r, "object", o->object);
	put_text(&r, "state", o->state);
	put(&r, "started", admin_time(o->started));
	put(&r, "deadline", admin_time(o->deadline));
	put_text(&r, "text", o->text);
	rows_add(userdata, &r);
}

/* ---- lists -------------------------------------------------------------------------------- */

static const struct {
	const char *name, *key;
} kinds[] = {
	[ADMIN_NODE] = {"node", "name"},
	[ADMIN_DRIVERS] = {"drivers", "name"},
	[ADMIN_VOLUMES] = {"volumes", "target"},
	[ADMIN_MOUNTS] = {"mounts", "target"},
	[ADMIN_POOLS] = {"pools", "name"},
	[ADMIN_EXPORTS] = {"exports", "id"},
	[ADMIN_OPERATIONS] = {"operations", "object"},
};

const char *admin_kind_name(enum admin_kind k)
{
	return kinds[k].name;
}

bool admin_kind_there(enum admin_kind k, const struct view *v)
{
	switch (k) {
	case ADMIN_NODE:
		return v->node;
	case ADMIN_DRIVERS:
		return v->drivers;
	case ADMIN_VOLUMES:
		return v->volumes;
	case ADMIN_MOUNTS:
		return v->mounts;
	case ADMIN_POOLS:
		return v->pools;
	case ADMIN_EXPORTS:
		return v->exports;
	case ADMIN_OPERATIONS:
		return v->operations;
	case _ADMIN_KIND_MAX:
		break;
	}
	return false;
}

static void collect(enum admin_kind k, const struct view *v, struct rows *to)
{
	struct row node;

	switch (k) {
	case ADMIN_NODE:
		node = node_row(v, to->flags);
		rows_add(to, &node);
		break;
	case ADMIN_DRIVERS:
		v->drivers(v->agent, add_driver, to);
		break;
	case ADMIN_VOLUMES:
		v->volumes(v->agent, add_volume, to);
		break;
	case ADMIN_MOUNTS:
		v->mounts(v->agent, add_mount, to);
		break;
	case ADMIN_POOLS:
		v->pools(v->agent, add_pool, to);
		break;
	case ADMIN_EXPORTS:
		v->exports(v->agent, add_export, to);
		break;
	case ADMIN_OPERATIONS:
		v->operations(v->agent, add_operation, to);
		break;
	case _ADMIN_KIND_MAX:
		break;
	}
}

json_t *admin_rows(enum admin_kind k, const struct view *v, unsigned flags)
{
	struct rows to = {.array = json_array(), .flags = flags};

	if (!to.array)
		return NULL;
	if (admin_kind_there(k, v))
		collect(k, v, &to);
	if (!to.failed)
		return to.array;
	json_decref(to.array);
	return NULL;
}

const char *admin_row_key(enum admin_kind k, const json_t *row)
{
	return str_or(json_string_at(row, kinds[k].key, NULL), "");
}
