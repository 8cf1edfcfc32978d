/* SPDX-License-Identifier: Apache-2.0 */
/* test_provisioner_verdict.c: what becomes of a PV, over policy, phase, deletion and finalizer */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "provisioner/verdict.h"

static const struct config config = {.driver = "nfs.berth.dev"};

#define UID "0f000000-0000-4000-8000-000000000001"

static struct pv ours(void)
{
	struct pv v = {
		.o = {.namespace_ = "", .name = "pvc-" UID, .rv = "1"},
		.class = "c",
		.driver = "nfs.berth.dev",
		.provisioned_by = "nfs.berth.dev",
		.claim_namespace = "ns",
		.claim_name = "c",
		.token = {{1}},
		.reclaim = "",
		.policy = PV_DELETE,
		.phase = PV_BOUND,
		.flags = PV_HAS_CLAIM | PV_CLAIM_UID | PV_FINALIZER,
	};

	assert_int_equal(uuid_parse(UID, &v.claim_uid), 0);
	return v;
}

static const struct {
	uint8_t policy, phase;
	bool deleting, finalizer;
	enum volume_verdict want;
} table[] = {
	{PV_DELETE, PV_RELEASED, false, true, VOLUME_RECLAIM},
	{PV_DELETE, PV_RELEASED, false, false, VOLUME_RECLAIM},
	{PV_DELETE, PV_RELEASED, true, true, VOLUME_RECLAIM},
	{PV_DELETE, PV_RELEASED, true, false, VOLUME_LEAVE},
	{PV_DELETE, PV_BOUND, false, true, VOLUME_LEAVE},
	{PV_DELETE, PV_BOUND, false, false, VOLUME_ADD_FINALIZER},
	{PV_DELETE, PV_BOUND, true, true, VOLUME_LEAVE},
	{PV_DELETE, PV_BOUND, true, false, VOLUME_LEAVE},
	{PV_DELETE, PV_AVAILABLE, false, true, VOLUME_LEAVE},
	{PV_DELETE, PV_AVAILABLE, true, true, VOLUME_LEAVE},
	{PV_DELETE, PV_PENDING, false, true, VOLUME_LEAVE},
	{PV_DELETE, PV_FAILED, false, true, VOLUME_LEAVE},
	{PV_RETAIN, PV_RELEASED, false, true, VOLUME_DROP_FINALIZER},
	{PV_RETAIN, PV_RELEASED, false, false, VOLUME_LEAVE},
	{PV_RETAIN, PV_RELEASED, true, true, VOLUME_DROP_FINALIZER},
	{PV_RETAIN, PV_BOUND, false, true, VOLUME_DROP_FINALIZER},
	{PV_RETAIN, PV_BOUND, false, false, VOLUME_LEAVE},
	{PV_RECYCLE, PV_RELEASED, false, false, VOLUME_LEAVE},
	{PV_RECYCLE, PV_RELEASED, false, true, VOLUME_DROP_FINALIZER},
};

static void the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(table); i++) {
		struct pv v = ours();

		v.policy = table[i].policy;
		v.phase = table[i].phase;
		v.o.deleting = table[i].deleting;
		if (!table[i].finalizer)
			v.flags &= (uint8_t)~PV_FINALIZER;
		if (volume_check(&config, &v) != table[i].want)
			fail_msg("row %zu: %d", i, volume_check(&config, &v));
	}
}

/* Its claimRef is gone, its phase not yet: a second recycle would meet the next tenant's data. */
static void released_without_a_claim(void **state)
{
	static const char *const modes[] = {"", "Recycle"};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
		struct pv v = ours();

		v.phase = PV_RELEASED;
		v.flags = PV_FINALIZER;
		v.reclaim = modes[i];
		assert_int_equal(volume_check(&config, &v), VOLUME_LEAVE);
		v.o.deleting = true;
		assert_int_equal(volume_check(&config, &v), VOLUME_RECLAIM);
	}
}

static void recycled_and_deleted_while_available(void **state)
{
	struct pv v = ours();

	(void)state;
	v.phase = PV_AVAILABLE;
	v.flags = PV_FINALIZER;
	v.reclaim = "Recycle";
	assert_int_equal(volume_check(&config, &v), VOLUME_LEAVE);
	v.o.deleting = true;
	assert_int_equal(volume_check(&config, &v), VOLUME_RECLAIM);
	v.flags |= PV_HAS_CLAIM;
	assert_int_equal(volume_check(&config, &v), VOLUME_LEAVE);
	v.flags = 0;
	assert_int_equal(volume_check(&config, &v), VOLUME_LEAVE);
	v.flags = PV_FINALIZER;
	v.reclaim = "Delete";
	assert_int_equal(volume_check(&config, &v), VOLUME_LEAVE);
}

static void what_is_not_ours_is_left(void **state)
{
	struct pv v = ours();

	(void)state;
	v.phase = PV_RELEASED;
	assert_int_equal(volume_check(&config, &v), VOLUME_RECLAIM);
	v.driver = "nfs.csi.k8s.io";
	assert_int_equal(volume_check(&config, &v), VOLUME_LEAVE);
	v.driver = "nfs.berth.dev";
	v.provisioned_by = "";
	assert_int_equal(volume_check(&config, &v), VOLUME_LEAVE);
	v.provisioned_by = "other";
	assert_int_equal(volume_check(&config, &v), VOLUME_LEAVE);
	v.provisioned_by = "nfs.berth.dev";
	v.token = (struct object_token){{0}};
	assert_int_equal(volume_check(&config, &v), VOLUME_LEAVE);
	v.token.b[3] = 1;
	v.flags |= PV_MIGRATED;
	assert_int_equal(volume_check(&config, &v), VOLUME_LEAVE);
}

static struct pvc claim_bound_to(const char *volume, const struct uuid *uid)
{
	return (struct pvc){
		.o = {.namespace_ = "ns", .name = "c", .uid = *uid}, .volume_name = volume};
}

static void a_loser_is_one_whose_claim_has_another(void **state)
{
	struct pv v = ours();
	struct pvc c = claim_bound_to("other", &v.claim_uid);

	(void)state;
	v.phase = PV_AVAILABLE;
	assert_true(volume_has_lost(&config, &v, &c));
	v.flags &= (uint8_t)~PV_CLAIM_UID; /* policy Retain: the controller cleared the uid */
	assert_true(volume_has_lost(&config, &v, &c));
	c.volume_name = v.o.name;
	assert_false(volume_has_lost(&config, &v, &c));
	c.volume_name = "";
	assert_false(volume_has_lost(&config, &v, &c));
}

static void no_loser(void **state)
{
	struct pv v = ours();
	struct pvc c = claim_bound_to("other", &v.claim_uid);

	(void)state;
	assert_false(volume_has_lost(&config, &v, &c)); /* Bound */
	v.phase = PV_AVAILABLE;
	c.o.uid.b[0]++; /* another claim of that name */
	assert_false(volume_has_lost(&config, &v, &c));
	c.o.uid.b[0]--;
	v.o.name = "by-hand";
	assert_false(volume_has_lost(&config, &v, &c));
	v.o.name = "pvc-" UID;
	v.flags = 0;
	assert_false(volume_has_lost(&config, &v, &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table),
		cmocka_unit_test(released_without_a_claim),
		cmocka_unit_test(recycled_and_deleted_while_available),
		cmocka_unit_test(what_is_not_ours_is_left),
		cmocka_unit_test(a_loser_is_one_whose_claim_has_another),
		cmocka_unit_test(no_loser),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
