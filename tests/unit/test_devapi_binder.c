/* SPDX-License-Identifier: Apache-2.0 */
/* test_devapi_binder.c: claims and volumes as kube-controller-manager treats them (binding.md) */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/binder.h"
#include "tools/devapi/controllers.h"
#include "tools/devapi/meta.h"
#include "tools/devapi/rules.h"

struct world {
	struct loop *loop;
	struct store *store;
	struct binder *binder;
	struct controllers *controllers;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct workqueue_options at_once = {.delay_ns = 0};

	assert_non_null(w);
	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(store_new(&w->store, 1000), 0);
	assert_int_equal(binder_new(&w->binder, w->loop, w->store, &at_once), 0);
	assert_int_equal(controllers_new(&w->controllers, w->loop, w->store), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	controllers_free(w->controllers);
	binder_free(w->binder);
	store_free(w->store);
	loop_free(w->loop);
	free(w);
	return 0;
}

/* Until nothing has happened for some turns. */
static void settle(struct world *w)
{
	int quiet = 0;

	while (quiet < 3)
		quiet = sd_event_run(loop_sd(w->loop), 2000) > 0 ? 0 : quiet + 1;
}

/* Creates through the rules, as POST does; text uses ' for ". */
static void create(struct world *w, enum kind_id id, const char *ns, const char *name, char *text)
{
	const struct kind *k = kind_get(id);
	_cleanup_json_ json_t *o = NULL;
	struct reply refusal = {.code = 0};
	char key[META_KEY_MAX];

	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	o = json_loads(text, 0, NULL);
	if (!o)
		fail_msg("not JSON: %s", text);
	if (rules_create(w->store, k, o, name, &refusal) < 0)
		fail_msg("refused: %s", refusal.body);
	meta_create(k, o, ns, name);
	assert_int_equal(store_commit(w->store, CHANGE_ADDED, k, meta_key(key, ns, name), o), 0);
}

static void make_class(struct world *w, const char *mode)
{
	char text[256];

	(void)snprintf(text, sizeof(text),
		"{'provisioner':'nfs.berth.dev','volumeBindingMode':'%s'}", mode);
	create(w, KIND_CLASS, "", "nfs", text);
}

static void make_claim(struct world *w, const char *name, const char *annotation)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
		"{'metadata':{'annotations':{%s}},'spec':{'accessModes':['ReadWriteMany'],"
		"'storageClassName':'nfs','resources':{'requests':{'storage':'1Gi'}}}}",
		annotation);
	create(w, KIND_PVC, "ns", name, text);
}

/* ref: the claimRef, or "null". */
static void make_volume(struct world *w, const char *name, const char *policy, const char *ref)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
		"{'metadata':{'annotations':{'pv.kubernetes.io/provisioned-by':'nfs.berth.dev'}},"
		"'spec':{'accessModes':['ReadWriteMany'],'storageClassName':'nfs','capacity':{"
		"'storage':'1Gi'},'persistentVolumeReclaimPolicy':'%s','csi':{'driver':"
		"'nfs.berth.dev','volumeHandle':'x'},'claimRef':%s}}",
		policy, ref);
	create(w, KIND_PV, "", name, text);
}

static json_t *get(struct world *w, enum kind_id id, const char *key)
{
	const struct revision *r = store_get(w->store, kind_get(id), key);

	return r ? revision_parse(r) : NULL;
}

static void assert_phase(struct world *w, enum kind_id id, const char *key, const char *phase)
{
	_cleanup_json_ json_t *o = get(w, id, key);

	assert_non_null(o);
	assert_string_equal(str_or(json_string_at(o, "status", "phase", NULL), ""), phase);
}

static void make_bound_to(
	struct world *w, const char *volume, const char *policy, const char *claim)
{
	_cleanup_json_ json_t *o = NULL;
	char ref[256], key[META_KEY_MAX];

	o = get(w, KIND_PVC, meta_key(key, "ns", claim));
	(void)snprintf(ref, sizeof(ref), "{'namespace':'ns','name':'%s','uid':'%s'}", claim,
		meta_string(o, "uid"));
	make_volume(w, volume, policy, ref);
}

static bool has_event(struct world *w, const char *reason)
{
	const struct kind *k = kind_get(KIND_EVENT);
	char text[128];

	(void)snprintf(text, sizeof(text), "\"reason\":\"%s\"", reason);
	for (size_t i = 0; i < store_count(w->store, k); i++)
		if (strstr(store_at(w->store, k, i)->json, text))
			return true;
	return false;
}

static void test_asks_the_provisioner_and_binds(void **state)
{
	struct world *w = *state;
	_cleanup_json_ json_t *claim = NULL, *bound = NULL;

	make_class(w, "Immediate");
	make_claim(w, "c", "");
	settle(w);
	claim = get(w, KIND_PVC, "ns/c");
	assert_string_equal(meta_annotation(claim, ANN_PROVISIONER), "nfs.berth.dev");
	assert_string_equal(meta_annotation(claim, ANN_PROVISIONER_BETA), "nfs.berth.dev");
	assert_true(has_event(w, "ExternalProvisioning"));
	make_bound_to(w, "v", "Delete", "c");
	settle(w);
	bound = get(w, KIND_PVC, "ns/c");
	assert_string_equal(json_string_at(bound, "spec", "volumeName", NULL), "v");
	assert_string_equal(meta_annotation(bound, ANN_BIND_COMPLETED), "yes");
	assert_string_equal(meta_annotation(bound, ANN_BOUND_BY), "yes");
	assert_string_equal(json_string_at(bound, "status", "capacity", "storage", NULL), "1Gi");
	assert_phase(w, KIND_PVC, "ns/c", "Bound");
	assert_phase(w, KIND_PV, "v", "Bound");
}

static void test_waits_for_the_first_consumer(void **state)
{
	struct world *w = *state;
	_cleanup_json_ json_t *claim = NULL;

	make_class(w, "WaitForFirstConsumer");
	make_claim(w, "c", "");
	settle(w);
	claim = get(w, KIND_PVC, "ns/c");
	assert_null(meta_annotation(claim, ANN_PROVISIONER));
	assert_true(has_event(w, "WaitForFirstConsumer"));
	meta_annotate(claim, ANN_SELECTED_NODE, "node-1");
	assert_int_equal(object_update(w->store, kind_get(KIND_PVC), "ns/c", claim), 0);
	settle(w);
	json_decref(claim);
	claim = get(w, KIND_PVC, "ns/c");
	assert_string_equal(meta_annotation(claim, ANN_PROVISIONER), "nfs.berth.dev");
}

static void test_takes_an_available_volume(void **state)
{
	struct world *w = *state;
	_cleanup_json_ json_t *volume = NULL, *claim = NULL;

	make_class(w, "Immediate");
	make_volume(w, "v", "Retain", "null");
	settle(w);
	assert_phase(w, KIND_PV, "v", "Available");
	make_claim(w, "c", "");
	settle(w);
	assert_phase(w, KIND_PVC, "ns/c", "Bound");
	volume = get(w, KIND_PV, "v");
	claim = get(w, KIND_PVC, "ns/c");
	assert_string_equal(meta_annotation(volume, ANN_BOUND_BY), "yes");
	assert_string_equal(
		json_string_at(volume, "spec", "claimRef", "uid", NULL), meta_string(claim, "uid"));
	assert_null(meta_annotation(claim, ANN_PROVISIONER));
}

static void test_prefers_what_is_reserved(void **state)
{
	struct world *w = *state;
	_cleanup_json_ json_t *claim = NULL;

	make_class(w, "Immediate");
	make_volume(w, "free", "Retain", "null");
	make_volume(w, "reserved", "Retain", "{'namespace':'ns','name':'c'}");
	settle(w);
	assert_phase(w, KIND_PV, "reserved", "Available");
	make_claim(w, "c", "");
	settle(w);
	claim = get(w, KIND_PVC, "ns/c");
	assert_string_equal(json_string_at(claim, "spec", "volumeName", NULL), "reserved");
	assert_phase(w, KIND_PV, "free", "Available");
}

static void test_released_and_available_again(void **state)
{
	struct world *w = *state;
	_cleanup_json_ json_t *volume = NULL;

	make_class(w, "Immediate");
	make_claim(w, "c", "");
	make_bound_to(w, "v", "Delete", "c");
	settle(w);
	assert_int_equal(object_delete(w->store, kind_get(KIND_PVC), "ns/c"), 0);
	settle(w);
	/* pvc-protection let go, nothing else held it. */
	assert_null(store_get(w->store, kind_get(KIND_PVC), "ns/c"));
	assert_phase(w, KIND_PV, "v", "Released");
	volume = get(w, KIND_PV, "v");
	(void)json_object_del(json_child(volume, "spec"), "claimRef");
	assert_int_equal(object_update(w->store, kind_get(KIND_PV), "v", volume), 0);
	settle(w);
	assert_phase(w, KIND_PV, "v", "Available");
	make_claim(w, "d", "");
	settle(w);
	assert_phase(w, KIND_PVC, "ns/d", "Bound");
}

static void test_a_new_claim_of_the_same_name(void **state)
{
	struct world *w = *state;

	make_class(w, "Immediate");
	make_claim(w, "c", "");
	make_bound_to(w, "v", "Delete", "c");
	settle(w);
	assert_int_equal(object_delete(w->store, kind_get(KIND_PVC), "ns/c"), 0);
	settle(w);
	make_claim(w, "c", "");
	settle(w);
	assert_phase(w, KIND_PV, "v", "Released");
	assert_phase(w, KIND_PVC, "ns/c", "Pending");
}

static void test_lost(void **state)
{
	struct world *w = *state;

	make_class(w, "Immediate");
	make_claim(w, "c",
		"'pv.kubernetes.io/bind-completed':'yes','volume.kubernetes.io/"
		"storage-provisioner':'nfs.berth.dev'");
	settle(w);
	assert_phase(w, KIND_PVC, "ns/c", "Lost");
	assert_true(has_event(w, "ClaimLost"));
}

static void lose(struct world *w, const char *policy)
{
	make_class(w, "Immediate");
	make_claim(w, "c", "");
	make_bound_to(w, "winner", "Delete", "c");
	settle(w);
	make_bound_to(w, "loser", policy, "c");
	settle(w);
	assert_phase(w, KIND_PV, "winner", "Bound");
}

static void test_loser_with_policy_delete(void **state)
{
	struct world *w = *state;

	lose(w, "Delete");
	assert_phase(w, KIND_PV, "loser", "Released");
}

static void test_loser_with_policy_retain(void **state)
{
	struct world *w = *state;
	_cleanup_json_ json_t *volume = NULL;

	lose(w, "Retain");
	assert_phase(w, KIND_PV, "loser", "Available");
	volume = get(w, KIND_PV, "loser");
	/* Only the uid goes: it stays reserved for the claim's name. */
	assert_null(json_string_at(volume, "spec", "claimRef", "uid", NULL));
	assert_string_equal(json_string_at(volume, "spec", "claimRef", "name", NULL), "c");
}

static void test_volume_protection(void **state)
{
	struct world *w = *state;

	make_class(w, "Immediate");
	make_claim(w, "c", "");
	make_bound_to(w, "v", "Delete", "c");
	settle(w);
	assert_int_equal(object_delete(w->store, kind_get(KIND_PV), "v"), 0);
	settle(w);
	assert_non_null(store_get(w->store, kind_get(KIND_PV), "v"));
	assert_int_equal(object_delete(w->store, kind_get(KIND_PVC), "ns/c"), 0);
	settle(w);
	assert_null(store_get(w->store, kind_get(KIND_PV), "v"));
}

static void test_claim_protection(void **state)
{
	struct world *w = *state;
	char pod[] = "{'spec':{'volumes':[{'persistentVolumeClaim':{'claimName':'c'}}]}}";

	make_class(w, "Immediate");
	make_claim(w, "c", "");
	create(w, KIND_POD, "ns", "p", pod);
	assert_int_equal(object_delete(w->store, kind_get(KIND_PVC), "ns/c"), 0);
	settle(w);
	assert_non_null(store_get(w->store, kind_get(KIND_PVC), "ns/c"));
	assert_int_equal(object_delete(w->store, kind_get(KIND_POD), "ns/p"), 1);
	settle(w);
	assert_null(store_get(w->store, kind_get(KIND_PVC), "ns/c"));
}

static void test_claims_of_a_statefulset(void **state)
{
	struct world *w = *state;
	char set[] = "{'spec':{'replicas':2,'selector':{'matchLabels':{'app':'web'}},"
		     "'volumeClaimTemplates':[{'metadata':{'name':'www'},'spec':{'accessModes':["
		     "'ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}}}}]}}";
	_cleanup_json_ json_t *claim = NULL;

	create(w, KIND_STATEFULSET, "ns", "web", set);
	settle(w);
	assert_int_equal(store_count(w->store, kind_get(KIND_PVC)), 2);
	claim = get(w, KIND_PVC, "ns/www-web-1");
	assert_non_null(claim);
	assert_string_equal(json_string_at(claim, "metadata", "labels", "app", NULL), "web");
	assert_true(meta_has_finalizer(claim, FINALIZER_PVC));
}

struct counted {
	unsigned n;
	uint64_t first, last;
};

static unsigned on_work(const struct kind *k, const char *key, void *userdata)
{
	struct counted *c = userdata;

	(void)k;
	(void)key;
	c->last = clock_now();
	if (c->n++ == 0)
		c->first = c->last;
	return 1;
}

static void test_queue_delay_and_rate(void **state)
{
	struct world *w = *state;
	struct workqueue_options o = {.delay_ns = MILLISECONDS(20), .writes_per_second = 100};
	struct workqueue *q = NULL;
	struct counted c = {.n = 0};
	uint64_t begin = clock_now();

	assert_int_equal(workqueue_new(&q, w->loop, &o, on_work, &c), 0);
	workqueue_add(q, kind_get(KIND_PV), "a");
	workqueue_add(q, kind_get(KIND_PV), "a");
	workqueue_add(q, kind_get(KIND_PVC), "a");
	workqueue_add(q, kind_get(KIND_PV), "b");
	while (c.n < 3)
		assert_true(sd_event_run(loop_sd(w->loop), 1000000) > 0);
	assert_true(c.first - begin >= MILLISECONDS(20));
	assert_true(c.last - c.first >= MILLISECONDS(20));
	workqueue_add(q, kind_get(KIND_PV), "c");
	workqueue_free(q);
	assert_int_equal(c.n, 3);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_asks_the_provisioner_and_binds),
		T(test_waits_for_the_first_consumer),
		T(test_takes_an_available_volume),
		T(test_prefers_what_is_reserved),
		T(test_released_and_available_again),
		T(test_a_new_claim_of_the_same_name),
		T(test_lost),
		T(test_loser_with_policy_delete),
		T(test_loser_with_policy_retain),
		T(test_volume_protection),
		T(test_claim_protection),
		T(test_claims_of_a_statefulset),
		T(test_queue_delay_and_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
