/* SPDX-License-Identifier: Apache-2.0 */
/* bvol.c: BerthVolume from JSON (deploy/crds.yaml) */
#include "kube/class.h"
#include "kube/pack.h"

struct raw_bvol {
	const char *token, *desired, *phase;
};

static const struct decode_field spec_fields[] = {
	PACK_TEXT("token", struct raw_bvol, token),
	PACK_TEXT("desired", struct raw_bvol, desired),
};
static const struct decode_table spec_table = DECODE_TABLE(spec_fields, false);

static const struct pack_layout bvol_layout = {sizeof(struct bvol), NULL, 0};

static uint8_t bvol_phase(const char *s)
{
	static const char *const names[] = {[BVOL_NONE] = "",
		[BVOL_PENDING] = "Pending",
		[BVOL_READY] = "Ready",
		[BVOL_RECLAIMING] = "Reclaiming",
		[BVOL_RECLAIMED] = "Reclaimed",
		[BVOL_FAILED] = "Failed"};

	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		if (streq_null(s, names[i]))
			return (uint8_t)i;
	return BVOL_NONE;
}

static int bvol_decode(struct strpool *pool, const json_t *item, struct object **ret)
{
	struct raw_bvol raw = {.token = NULL};
	struct bvol *b;
	struct meta m;
	int r = pack_meta(item, &m);

	if (r < 0)
		return r;
	pack_decode(&spec_table, json_object_get(item, "spec"), &raw);
	r = pack_new(pool, &bvol_layout, &m, &raw, ret);
	if (r < 0)
		return r;
	b = (struct bvol *)*ret;
	if (raw.token && object_token_parse(raw.token, &b->token) < 0)
		b->token = (struct object_token){{0}};
	b->reclaim_wanted = streq_null(raw.desired, "Reclaimed");
	b->finalizer = pack_has_finalizer(&m, "berth.dev/reclaim");
	b->ordered = json_string_at(m.annotations, "berth.dev/adopt", NULL);
	b->phase = bvol_phase(json_string_at(item, "status", "phase", NULL));
	b->generation = m.generation;
	b->observed_generation =
		json_integer_value(json_at(item, "status", "observedGeneration", NULL));
	return 0;
}

static void bvol_free(struct strpool *pool, struct object *o)
{
	pack_free(pool, &bvol_layout, o);
}

const struct kind kind_bvol = {
	.name = "BerthVolume",
	.api = "berth.dev/v1alpha1",
	.list_path = "/apis/berth.dev/v1alpha1/berthvolumes",
	.decode = bvol_decode,
	.free = bvol_free,
};
