/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_json.c: findings as JSON */
#include "agent/admin_json.h"
#include "agent/doctor.h"
#include "data/decode.h"

void doctor_add_json(const struct doctor_finding *f, void *array)
{
	json_t *o = json_object();

	if (!o)
		return;
	(void)json_object_set_new(o, "check", json_string(f->check));
	(void)json_object_set_new(o, "level", json_string(doctor_level_text(f->level)));
	(void)json_object_set_new(o, "text", admin_text(f->text));
	(void)json_object_set_new(o, "cure", admin_text(f->cure));
	(void)json_array_append_new(array, o);
}

struct judged {
	json_t *findings;
	bool unhealthy;
};

static void on_finding(const struct doctor_finding *f, void *userdata)
{
	struct judged *j = userdata;

	j->unhealthy |= f->level == DOCTOR_ERROR;
	doctor_add_json(f, j->findings);
}

json_t *doctor_json(const struct doctor_kernel *k, const struct view *v)
{
	_cleanup_json_ json_t *all = json_object();
	struct judged j = {.findings = json_array()};

	if (!all || json_object_set_new(all, "findings", j.findings) < 0)
		return NULL;
	doctor_judge_kernel(k, on_finding, &j);
	doctor_judge_view(v, on_finding, &j);
	if (json_object_set_new(all, "healthy", json_boolean(!j.unhealthy)) < 0)
		return NULL;
	return TAKE_PTR(all);
}
