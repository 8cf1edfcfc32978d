/* SPDX-License-Identifier: Apache-2.0 */
/* test_provisioner_ledger.c: the ledger's gates against a slow model that reads all objects each
 * time */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "provisioner/ledger.h"
#include "tests/unit/fault.h"

#define CLAIMS 6
#define VOLUMES 8
#define STEPS 20000

/* A world of few names and uids, so that everything meets everything. */
struct world {
	struct ledger g;
	struct pvc claims[CLAIMS][2]; /* two generations of an object: old and new */
	struct pv volumes[VOLUMES][2];
	const struct pvc *claim[CLAIMS];
	const struct pv *volume[VOLUMES];
	char names[CLAIMS][8];
	size_t walked;
};

static const char *const classes[] = {"a", "b"};

static struct uuid uid_of(unsigned kind, unsigned n)
{
	return (struct uuid){{(uint8_t)kind, (uint8_t)n, 1}};
}

static void make_claim(struct world *w, unsigned n, struct pvc *c)
{
	/* A claim that was made anew has another uid under the same name. */
	*c = (struct pvc){
		.o = {.namespace_ = n % 2 ? "x" : "y",
			.name = w->names[n / 2],
			.uid = uid_of(1, n + (unsigned)(rand() % 2) * CLAIMS),
			.deleting = rand() % 8 == 0},
		.class = classes[rand() % 2],
		.volume_name = "",
		.request = rand() % 3 + 1,
		.access_modes = ACCESS_RWO,
	};
}

static void make_volume(struct world *w, unsigned n, struct pv *v)
{
	unsigned c = (unsigned)rand() % CLAIMS;

	*v = (struct pv){
		.o = {.namespace_ = "", .name = "v", .uid = uid_of(2, n)},
		.class = classes[rand() % 2],
		.claim_namespace = "",
		.claim_name = "",
		.capacity = rand() % 3 + 1,
		.access_modes = rand() % 2 ? ACCESS_RWO : ACCESS_ROX,
		.phase = (uint8_t)(rand() % 5),
	};
	if (rand() % 2) {
		v->flags = PV_HAS_CLAIM;
		v->claim_namespace = c % 2 ? "x" : "y";
		v->claim_name = w->names[c / 2];
		if (rand() % 3) {
			v->flags |= PV_CLAIM_UID;
			v->claim_uid = uid_of(1, c + (unsigned)(rand() % 2) * CLAIMS);
		}
	}
}

static const struct pv *next_volume(void *userdata)
{
	struct world *w = userdata;

	while (w->walked < VOLUMES)
		if (w->volume[w->walked++])
			return w->volume[w->walked - 1];
	return NULL;
}

static void step_claim(struct world *w)
{
	unsigned n = (unsigned)rand() % CLAIMS;
	const struct pvc *old = w->claim[n];
	struct pvc *now = rand() % 3 ? &w->claims[n][old == &w->claims[n][0]] : NULL;

	if (now)
		make_claim(w, n, now);
	if (!old && !now)
		return;
	w->claim[n] = now;
	assert_int_equal(ledger_claim(&w->g, old, now), 0);
	w->walked = 0;
	if (w->g.duplicates > 0)
		assert_int_equal(ledger_count_names(&w->g, next_volume, w), 0);
}

static void step_volume(struct world *w)
{
	unsigned n = (unsigned)rand() % VOLUMES;
	const struct pv *old = w->volume[n];
	struct pv *now = rand() % 3 ? &w->volumes[n][old == &w->volumes[n][0]] : NULL;
	bool shared = old && w->g.duplicates > 0;

	if (now)
		make_volume(w, n, now);
	if (!old && !now)
		return;
	w->volume[n] = now;
	assert_int_equal(ledger_volume(&w->g, old, now), 0);
	w->walked = 0;
	if (shared)
		assert_int_equal(ledger_count_names(&w->g, next_volume, w), 0);
}

/* ---- the model: binding.md 1, word for word ---------------------------------------------- */

static const struct pvc *model_claim(const struct world *w, const struct uuid *uid)
{
	for (size_t i = 0; i < CLAIMS; i++)
		if (w->claim[i] && memcmp(&w->claim[i]->o.uid, uid, sizeof(*uid)) == 0)
			return w->claim[i];
	return NULL;
}

static bool model_busy_open(const struct world *w)
{
	for (size_t i = 0; i < VOLUMES; i++) {
		const struct pv *v = w->volume[i];
		const struct pvc *c;

		if (!v)
			continue;
		if (!(v->flags & PV_CLAIM_UID) && v->phase == PV_PENDING)
			return false;
		c = model_claim(w, &v->claim_uid);
		if ((v->flags & PV_CLAIM_UID) && (!c || (c->o.deleting && w->g.hangs_after > 0)) &&
			v->phase != PV_RELEASED && v->phase != PV_FAILED)
			return false;
	}
	return true;
}

static bool model_foreign_open(const struct world *w, const struct pvc *c)
{
	for (size_t i = 0; i < VOLUMES; i++) {
		const struct pv *v = w->volume[i];

		if (!v)
			continue;
		if (v->flags & PV_HAS_CLAIM) {
			if (streq(v->claim_namespace, c->o.namespace_) &&
				streq(v->claim_name, c->o.name))
				return false;
		} else if (streq(v->class, c->class) && v->capacity >= c->request &&
			   v->access_modes == ACCESS_RWO) {
			return false;
		}
	}
	return true;
}

static bool model_served(const struct world *w, const struct uuid *uid)
{
	for (size_t i = 0; i < VOLUMES; i++)
		if (w->volume[i] && (w->volume[i]->flags & PV_CLAIM_UID) &&
			memcmp(&w->volume[i]->claim_uid, uid, sizeof(*uid)) == 0)
			return true;
	return false;
}

static void compare(const struct world *w)
{
	assert_int_equal(ledger_gate_busy(&w->g), model_busy_open(w));
	for (size_t i = 0; i < CLAIMS; i++) {
		const struct pvc *c = w->claim[i];

		if (!c)
			continue;
		assert_ptr_equal(ledger_find_claim(&w->g, &c->o.uid), c);
		assert_int_equal(ledger_gate_foreign(&w->g, c, NULL), model_foreign_open(w, c));
		assert_int_equal(
			ledger_server_of(&w->g, &c->o.uid) != NULL, model_served(w, &c->o.uid));
	}
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	for (unsigned i = 0; i < CLAIMS; i++)
		snprintf(w->names[i], sizeof(w->names[i]), "c%u", i);
	ledger_init(&w->g);
	assert_int_equal(ledger_count_names(&w->g, next_volume, w), 0);
	return w;
}

static void random_steps(uint64_t hangs_after)
{
	struct world *w = world_new();

	w->g.hangs_after = hangs_after;
	srand(1);
	for (size_t i = 0; i < STEPS; i++) {
		if (rand() % 2)
			step_claim(w);
		else
			step_volume(w);
		compare(w);
	}
	ledger_done(&w->g);
	free(w);
}

static void random_steps_agree_with_the_model(void **state)
{
	(void)state;
	random_steps(UINT64_MAX);
}

/* A claim that has been in its deletion for long shuts no gate until it goes. */
static void so_they_do_where_claims_hang(void **state)
{
	(void)state;
	random_steps(0);
}

static void gates_are_shut_before_they_were_counted(void **state)
{
	struct ledger g;
	struct pvc c = {.o = {.namespace_ = "x", .name = "c"}, .class = "a", .volume_name = ""};

	(void)state;
	ledger_init(&g);
	assert_false(ledger_gate_busy(&g));
	assert_false(ledger_gate_foreign(&g, &c, NULL));
	ledger_done(&g);
}

static void our_own_pv_may_name_the_claim(void **state)
{
	struct world *w = world_new();
	struct pvc *c = &w->claims[0][0];
	struct pv *v = &w->volumes[0][0];

	(void)state;
	make_claim(w, 0, c);
	*v = (struct pv){.o = {.name = "v", .uid = uid_of(2, 0)},
		.claim_namespace = c->o.namespace_,
		.claim_name = c->o.name,
		.claim_uid = c->o.uid,
		.class = "a",
		.flags = PV_HAS_CLAIM | PV_CLAIM_UID};
	assert_int_equal(ledger_claim(&w->g, NULL, c), 0);
	assert_int_equal(ledger_volume(&w->g, NULL, v), 0);
	assert_false(ledger_gate_foreign(&w->g, c, NULL));
	assert_true(ledger_gate_foreign(&w->g, c, v));
	ledger_done(&w->g);
	free(w);
}

static void many_unclaimed_volumes_shut_the_gate(void **state)
{
	struct ledger g;
	struct pv *all = calloc(LEDGER_UNCLAIMED_MAX + 1, sizeof(*all));
	struct pvc c = {.o = {.namespace_ = "x", .name = "c"}, .class = "a", .volume_name = ""};

	(void)state;
	ledger_init(&g);
	g.gates = true;
	for (unsigned i = 0; i <= LEDGER_UNCLAIMED_MAX; i++) {
		assert_true(ledger_gate_foreign(&g, &c, NULL));
		all[i] = (struct pv){.o = {.name = "v"}, .class = "other", .phase = PV_AVAILABLE};
		all[i].o.uid = (struct uuid){{(uint8_t)i, (uint8_t)(i >> 8), 9}};
		assert_int_equal(ledger_volume(&g, NULL, &all[i]), 0);
	}
	assert_false(ledger_gate_foreign(&g, &c, NULL));
	ledger_done(&g);
	free(all);
}

/* Out of memory the gates shut: waiting is safe, opening is not. */
static void no_memory_shuts_the_gates(void **state)
{
	(void)state;
	FAULT_LOOP
	{
		struct ledger g;
		struct pv v = {.o = {.name = "v", .uid = uid_of(2, 1)},
			.class = "a",
			.claim_namespace = "x",
			.claim_name = "c",
			.flags = PV_HAS_CLAIM,
			.phase = PV_AVAILABLE};
		struct pvc c = {
			.o = {.namespace_ = "x", .name = "c"}, .class = "a", .volume_name = ""};

		ledger_init(&g);
		g.gates = true;
		if (ledger_volume(&g, NULL, &v) < 0)
			assert_false(ledger_gate_busy(&g));
		assert_false(ledger_gate_foreign(&g, &c, NULL));
		ledger_done(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_steps_agree_with_the_model),
		cmocka_unit_test(so_they_do_where_claims_hang),
		cmocka_unit_test(gates_are_shut_before_they_were_counted),
		cmocka_unit_test(our_own_pv_may_name_the_claim),
		cmocka_unit_test(many_unclaimed_volumes_shut_the_gate),
		cmocka_unit_test(no_memory_shuts_the_gates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
