/* SPDX-License-Identifier: Apache-2.0 */
/* test_provisioner_claim.c: which claims are served, which refused and with what words */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/str.h"
#include "provisioner/claim.h"

static struct config config = {.driver = "nfs.berth.dev", .aliases = {"old/name"}, .n_aliases = 1};

struct world {
	struct classes classes;
	struct class class;
	json_t *parameters;
};

static struct pvc plain_claim(void)
{
	return (struct pvc){
		.o = {.namespace_ = "ns", .name = "c", .rv = "7"},
		.class = "fast",
		.provisioner = "nfs.berth.dev",
		.selected_node = "",
		.volume_name = "",
		.request_text = "",
		.request = 1 << 30,
		.access_modes = ACCESS_RWX,
	};
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	classes_init(&w->classes);
	w->parameters = json_pack("{s:s,s:s}", "server", "s", "export", "/x");
	w->class = (struct class){
		.o = {.namespace_ = "", .name = "fast"},
		.provisioner = "nfs.berth.dev",
		.parameters = w->parameters,
	};
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	classes_done(&w->classes);
	json_decref(w->parameters);
	free(w);
	return 0;
}

static enum claim_verdict check(struct world *w, const struct pvc *c, struct err *e)
{
	struct claim_context x = {.config = &config, .classes = &w->classes, .class = &w->class};
	struct class_info *class;

	classes_forget(&w->classes, NULL);
	return claim_check(c, &x, &class, e);
}

static void parameter(struct world *w, const char *key, const char *value)
{
	json_object_set_new(w->parameters, key, json_string(value));
}

static void a_plain_claim_is_ready(void **state)
{
	struct pvc c = plain_claim();

	assert_int_equal(check(*state, &c, NULL), CLAIM_READY);
}

static void an_alias_is_ours(void **state)
{
	struct world *w = *state;
	struct pvc c = plain_claim();

	w->class.provisioner = "old/name";
	c.provisioner = "old/name";
	assert_int_equal(check(w, &c, NULL), CLAIM_READY);
}

/* What makes a good claim somebody else's turn. */
static void set_deleting(struct pvc *c)
{
	c->o.deleting = true;
}
static void set_volume(struct pvc *c)
{
	c->volume_name = "pv";
}
static void set_bound(struct pvc *c)
{
	c->phase = CLAIM_BOUND;
}
static void set_lost(struct pvc *c)
{
	c->phase = CLAIM_LOST;
}
static void set_migrated(struct pvc *c)
{
	c->flags = PVC_MIGRATED;
}
static void set_completed(struct pvc *c)
{
	c->flags = PVC_BIND_COMPLETED;
}
static void set_populator(struct pvc *c)
{
	c->flags = PVC_FOREIGN_SOURCE;
}
static void set_other(struct pvc *c)
{
	c->provisioner = "other";
}
static void set_none(struct pvc *c)
{
	c->provisioner = "";
}

static void what_is_ignored(void **state)
{
	void (*const sets[])(struct pvc *) = {set_deleting, set_volume, set_bound, set_lost,
		set_migrated, set_completed, set_populator, set_other, set_none};

	for (size_t i = 0; i < ELEMENTSOF(sets); i++) {
		struct pvc c = plain_claim();

		sets[i](&c);
		if (check(*state, &c, NULL) != CLAIM_IGNORE)
			fail_msg("case %zu is not ignored", i);
	}
}

static void a_served_claim_is_ignored(void **state)
{
	struct world *w = *state;
	struct claim_context x = {
		.config = &config, .classes = &w->classes, .class = &w->class, .served = true};
	struct pvc c = plain_claim();
	struct class_info *class;

	assert_int_equal(claim_check(&c, &x, &class, NULL), CLAIM_IGNORE);
}

static void a_class_of_another_is_ignored(void **state)
{
	struct world *w = *state;
	struct pvc c = plain_claim();

	w->class.provisioner = "other";
	assert_int_equal(check(w, &c, NULL), CLAIM_IGNORE);
}

static void late_binding_waits_for_a_node(void **state)
{
	struct world *w = *state;
	struct pvc c = plain_claim();

	w->class.wait_for_consumer = true;
	assert_int_equal(check(w, &c, NULL), CLAIM_IGNORE);
	c.selected_node = "node";
	assert_int_equal(check(w, &c, NULL), CLAIM_READY);
}

static const struct {
	unsigned flags;
	int64_t request;
	unsigned modes;
	const char *text;
} refused[] = {
	{PVC_BLOCK, 1, ACCESS_RWO, "spec.volumeMode: nfs.berth.dev does not support block"},
	{PVC_SELECTOR, 1, ACCESS_RWO, "claim Selector is not supported"},
	{PVC_DATA_SOURCE, 1, ACCESS_RWO, "spec.dataSource"},
	{PVC_ATTRIBUTES_CLASS, 1, ACCESS_RWO, "spec.volumeAttributesClassName"},
	{PVC_BAD_CAPACITY, 1, ACCESS_RWO, "spec.resources.requests.storage: \"1e30\""},
	{0, 0, ACCESS_RWO, "spec.resources.requests.storage"},
	{0, -1, ACCESS_RWO, "spec.resources.requests.storage"},
	{0, 1, 0, "spec.accessModes"},
	{0, 1, ACCESS_RWOP | ACCESS_RWO, "ReadWriteOncePod must stand alone"},
};

static void what_is_refused_names_the_field(void **state)
{
	for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
		struct pvc c = plain_claim();
		struct err e = ERR_NULL;

		c.flags = (uint16_t)refused[i].flags;
		c.request = refused[i].request;
		c.access_modes = (uint8_t)refused[i].modes;
		c.request_text = "1e30";
		if (check(*state, &c, &e) != CLAIM_REFUSE || !strstr(e.text, refused[i].text))
			fail_msg("case %zu: %s", i, e.text);
	}
}

static void a_wrong_class_names_its_parameter(void **state)
{
	struct pvc c = plain_claim();
	struct err e = ERR_NULL;

	parameter(*state, "colour", "blue");
	assert_int_equal(check(*state, &c, &e), CLAIM_REFUSE);
	assert_string_equal(e.text, "StorageClass fast: parameter colour: unknown");
}

static void a_server_off_the_list_is_refused(void **state)
{
	struct settings_place place = {"s", "/other"};
	struct pvc c = plain_claim();
	struct err e = ERR_NULL;

	config.nfs.allow.places = &place;
	config.nfs.allow.n = 1;
	assert_int_equal(check(*state, &c, &e), CLAIM_REFUSE);
	assert_non_null(strstr(e.text, "nfs.allow"));
	place.export_ = "/x";
	assert_int_equal(check(*state, &c, &e), CLAIM_READY);
	config.nfs.allow.n = 0;
}

static void a_missing_class_is_told_if_it_was_announced(void **state)
{
	struct world *w = *state;
	struct claim_context x = {.config = &config, .classes = &w->classes};
	struct pvc c = plain_claim();
	struct class_info *class;
	struct err e = ERR_NULL;

	assert_int_equal(claim_check(&c, &x, &class, &e), CLAIM_NO_CLASS);
	assert_non_null(strstr(e.text, "\"fast\" not found"));
	c.provisioner = "";
	assert_int_equal(claim_check(&c, &x, &class, &e), CLAIM_IGNORE);
}

/* binding.md 1: "never assist". */
static void assist_without_the_annotation(void **state)
{
	struct pvc c = plain_claim();

	parameter(*state, "binding", "assist");
	c.provisioner = "";
	assert_int_equal(check(*state, &c, NULL), CLAIM_ASSIST);
	c.flags = PVC_SELECTOR;
	assert_int_equal(check(*state, &c, NULL), CLAIM_IGNORE);
	c.flags = PVC_DATA_SOURCE;
	assert_int_equal(check(*state, &c, NULL), CLAIM_IGNORE);
	c.flags = PVC_ATTRIBUTES_CLASS;
	assert_int_equal(check(*state, &c, NULL), CLAIM_IGNORE);
	c.flags = 0;
	c.provisioner = "nfs.berth.dev";
	assert_int_equal(check(*state, &c, NULL), CLAIM_READY);
}

static void assist_with_a_wrong_class_is_told(void **state)
{
	struct pvc c = plain_claim();
	struct err e = ERR_NULL;

	parameter(*state, "binding", "assist");
	parameter(*state, "zzz", "1");
	assert_int_equal(check(*state, &c, &e), CLAIM_REFUSE);
}

static void assist_with_late_binding(void **state)
{
	struct world *w = *state;
	struct pvc c = plain_claim();

	parameter(w, "binding", "assist");
	w->class.wait_for_consumer = true;
	c.provisioner = "";
	assert_int_equal(check(w, &c, NULL), CLAIM_IGNORE);
	c.selected_node = "node";
	assert_int_equal(check(w, &c, NULL), CLAIM_ASSIST);
	parameter(w, "requireNodeLabel", "true");
	assert_int_equal(check(w, &c, NULL), CLAIM_IGNORE);
}

static void the_configuration_decides_where_the_class_is_silent(void **state)
{
	struct pvc c = plain_claim();

	c.provisioner = "";
	config.assist = true;
	assert_int_equal(check(*state, &c, NULL), CLAIM_ASSIST);
	parameter(*state, "binding", "controller");
	assert_int_equal(check(*state, &c, NULL), CLAIM_IGNORE);
	config.assist = false;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_plain_claim_is_ready),
		CASE(an_alias_is_ours),
		CASE(what_is_ignored),
		CASE(a_served_claim_is_ignored),
		CASE(a_class_of_another_is_ignored),
		CASE(late_binding_waits_for_a_node),
		CASE(what_is_refused_names_the_field),
		CASE(a_wrong_class_names_its_parameter),
		CASE(a_server_off_the_list_is_refused),
		CASE(a_missing_class_is_told_if_it_was_announced),
		CASE(assist_without_the_annotation),
		CASE(assist_with_a_wrong_class_is_told),
		CASE(assist_with_late_binding),
		CASE(the_configuration_decides_where_the_class_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
