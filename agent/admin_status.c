/* SPDX-License-Identifier: Apache-2.0 */
/* admin_status.c: the node at a glance: counts by state, and what doctor finds wrong */
#include "agent/admin_json.h"
#include "agent/doctor.h"
#include "base/str.h"
#include "data/decode.h"

/* {"total": n, "Ok": n, ...}: every state that a row has. */
static json_t *count_states(const json_t *rows)
{
	_cleanup_json_ json_t *counts = json_object();
	size_t i;
	json_t *row;

	if (!counts || json_object_set_new(counts, "total", json_integer(0)) < 0)
		return NULL;
	json_array_foreach (rows, i, row) {
		const char *state = str_or(json_string_at(row, "state", NULL), "Unknown");
		const json_int_t n = json_integer_value(json_object_get(counts, state));

		if (json_object_set_new(counts, state, json_integer(n + 1)) < 0)
			return NULL;
	}
	if (json_object_set_new(counts, "total", json_integer((json_int_t)json_array_size(rows))))
		return NULL;
	return TAKE_PTR(counts);
}

static json_t *counts_of(const struct view *v)
{
	static const enum admin_kind counted[] = {
		ADMIN_VOLUMES, ADMIN_MOUNTS, ADMIN_EXPORTS, ADMIN_POOLS, ADMIN_OPERATIONS};
	_cleanup_json_ json_t *all = json_object();

	for (size_t i = 0; all && i < ELEMENTSOF(counted); i++) {
		_cleanup_json_ json_t *rows = admin_rows(counted[i], v, 0);

		if (!rows || json_object_set_new(
				     all, admin_kind_name(counted[i]), count_states(rows)) < 0)
			return NULL;
	}
	return TAKE_PTR(all);
}

struct problems {
	json_t *array;
	bool unhealthy;
};

static void add_problem(const struct doctor_finding *f, void *userdata)
{
	struct problems *p = userdata;

	if (f->level < DOCTOR_WARNING)
		return;
	if (f->level == DOCTOR_ERROR)
		p->unhealthy = true;
	doctor_add_json(f, p->array);
}

static int put(json_t *status, const char *key, json_t *value)
{
	return json_object_set_new(status, key, value);
}

json_t *admin_status(const struct view *v)
{
	_cleanup_json_ json_t *status = json_object(), *nodes = admin_rows(ADMIN_NODE, v, 0);
	struct problems p = {.array = json_array()};
	json_t *node = json_array_get(nodes, 0);

	if (!p.array || !status || !nodes) {
		json_decref(p.array);
		return NULL;
	}
	doctor_judge_view(v, add_problem, &p);
	if (put(status, "problems", p.array) < 0 ||
		put(status, "healthy", json_boolean(!p.unhealthy)) < 0 ||
		put(status, "node", node ? json_incref(node) : json_null()) < 0 ||
		put(status, "drivers", admin_rows(ADMIN_DRIVERS, v, 0)) < 0 ||
		put(status, "counts", counts_of(v)) < 0)
		return NULL;
	return TAKE_PTR(status);
}
