/* SPDX-License-Identifier: Apache-2.0 */
/* test_kube_objects.c: each kind from JSON, odd JSON included, and what 20,000 of them weigh */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/decode.h"
#include "fault.h"
#include "kube/bnode.h"
#include "kube/cache.h"
#include "kube/class.h"
#include "kube/pack.h"
#include "kube/pv.h"

#define UID "0a1b2c3d-0000-4000-8000-000000000001"
#define META "\"name\":\"n\",\"uid\":\"" UID "\",\"resourceVersion\":\"7\""
#define TOKEN "0123456789abcdef0123456789abcdef"

static const struct kind *const kinds[] = {&kind_pvc, &kind_pv, &kind_class, &kind_node,
	&kind_csinode, &kind_lease, &kind_bvol, &kind_bnode};

static int setup(void **state)
{
	struct strpool *p;
	int r = strpool_new(&p);

	*state = p;
	return r;
}

/* strpool_free() asserts that every string was given back. */
static int teardown(void **state)
{
	strpool_free(*state);
	return 0;
}

static struct object *decoded(struct strpool *p, const struct kind *k, const char *text)
{
	struct err e = ERR_NULL;
	struct object *o;
	json_t *j;

	if (data_json_load(text, strlen(text), &j, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(k->decode(p, j, &o), 0);
	json_decref(j);
	return o;
}

static void a_claim(void **state)
{
	struct object *o = decoded(*state, &kind_pvc,
		"{\"metadata\":{" META
		",\"namespace\":\"ns\",\"deletionTimestamp\":\"2026-01-01T00:"
		"00:00Z\",\"annotations\":{\"volume.kubernetes.io/storage-provisioner\":\"d\","
		"\"volume.kubernetes.io/selected-node\":\"node1\","
		"\"pv.kubernetes.io/bind-completed\":\"yes\"}},"
		"\"spec\":{\"storageClassName\":\"fast\",\"volumeName\":\"pvc-1\","
		"\"accessModes\":[\"ReadWriteOnce\",\"ReadWriteMany\"],\"volumeMode\":"
		"\"Filesystem\","
		"\"resources\":{\"requests\":{\"storage\":\"1.5Gi\"}}},"
		"\"status\":{\"phase\":\"Bound\"}}");
	const struct pvc *c = pvc_of(o);
	char uid[UUID_TEXT_MAX];

	assert_string_equal(o->name, "n");
	assert_string_equal(o->namespace_, "ns");
	assert_string_equal(o->rv, "7");
	assert_string_equal(uuid_format(&o->uid, uid), UID);
	assert_true(o->deleting);
	assert_string_equal(c->class, "fast");
	assert_string_equal(c->provisioner, "d");
	assert_string_equal(c->selected_node, "node1");
	assert_string_equal(c->volume_name, "pvc-1");
	assert_string_equal(c->request_text, "");
	assert_int_equal(c->request, 3LL << 29);
	assert_int_equal(c->access_modes, ACCESS_RWO | ACCESS_RWX);
	assert_int_equal(c->phase, CLAIM_BOUND);
	assert_int_equal(c->flags, PVC_BIND_COMPLETED);
	kind_pvc.free(*state, o);
}

static void old_annotations_of_a_claim(void **state)
{
	struct object *o = decoded(*state, &kind_pvc,
		"{\"metadata\":{" META ",\"namespace\":\"ns\",\"annotations\":{"
		"\"volume.beta.kubernetes.io/storage-class\":\"old\","
		"\"volume.beta.kubernetes.io/storage-provisioner\":\"b\","
		"\"volume.alpha.kubernetes.io/selected-node\":\"an\","
		"\"pv.kubernetes.io/migrated-to\":\"x\"}},"
		"\"spec\":{\"storageClassName\":\"new\",\"volumeMode\":\"Block\",\"selector\":{},"
		"\"volumeAttributesClassName\":\"gold\"},\"status\":{\"phase\":\"Lost\"}}");
	const struct pvc *c = pvc_of(o);

	assert_string_equal(c->class, "old");
	assert_string_equal(c->provisioner, "b");
	assert_string_equal(c->selected_node, "an");
	assert_int_equal(c->phase, CLAIM_LOST);
	assert_int_equal(c->flags,
		PVC_MIGRATED | PVC_BLOCK | PVC_SELECTOR | PVC_ATTRIBUTES_CLASS | PVC_BAD_CAPACITY);
	kind_pvc.free(*state, o);
}

static void sources_of_claims(void **state)
{
	static const struct {
		const char *spec;
		unsigned flags;
	} cases[] = {
		{"\"dataSource\":null", 0},
		{"\"dataSource\":{\"kind\":\"PersistentVolumeClaim\",\"name\":\"x\"}",
			PVC_DATA_SOURCE},
		{"\"dataSource\":{\"kind\":\"VolumeSnapshot\",\"apiGroup\":"
		 "\"snapshot.storage.k8s.io\"}",
			PVC_DATA_SOURCE},
		{"\"dataSourceRef\":{\"kind\":\"VolumeSnapshot\",\"apiGroup\":\"other.io\"}",
			PVC_FOREIGN_SOURCE},
		{"\"dataSourceRef\":{\"kind\":\"Book\",\"apiGroup\":\"books.io\"}",
			PVC_FOREIGN_SOURCE},
		{"\"dataSourceRef\":{}", PVC_FOREIGN_SOURCE},
	};

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char text[512];
		struct object *o;

		snprintf(text, sizeof(text), "{\"metadata\":{" META "},\"spec\":{%s}}",
			cases[i].spec);
		o = decoded(*state, &kind_pvc, text);
		assert_int_equal(pvc_of(o)->flags & ~PVC_BAD_CAPACITY, cases[i].flags);
		kind_pvc.free(*state, o);
	}
}

static void sizes_of_claims(void **state)
{
	static const struct {
		const char *storage;
		int64_t bytes; /* -1: bad */
		const char *text;
	} cases[] = {
		{"\"1Gi\"", 1 << 30, ""},
		{"\"100m\"", 1, ""},
		{"1024", 1024, ""},
		{"\"1e3\"", 1000, ""},
		{"\"0\"", -1, "0"},
		{"\"-1Gi\"", -1, "-1Gi"},
		{"\"9999999999Ei\"", -1, "9999999999Ei"},
		{"\"lots\"", -1, "lots"},
		{"\"\"", -1, ""},
		{"null", -1, "(no text)"},
		{"{}", -1, "(no text)"},
		{"1.5", -1, "(no text)"},
	};

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		const struct pvc *c;
		struct object *o;
		char text[512];

		snprintf(text, sizeof(text),
			"{\"metadata\":{" META
			"},\"spec\":{\"resources\":{\"requests\":{\"storage\":%s}}}}",
			cases[i].storage);
		o = decoded(*state, &kind_pvc, text);
		c = pvc_of(o);
		assert_int_equal(c->flags, cases[i].bytes < 0 ? PVC_BAD_CAPACITY : 0);
		assert_int_equal(c->request, cases[i].bytes < 0 ? 0 : cases[i].bytes);
		assert_string_equal(c->request_text, cases[i].text);
		kind_pvc.free(*state, o);
	}
}

static void a_volume(void **state)
{
	struct object *o = decoded(*state, &kind_pv,
		"{\"metadata\":{" META ",\"finalizers\":[\"kubernetes.io/pv-protection\","
		"\"external-provisioner.volume.kubernetes.io/finalizer\"],\"annotations\":{"
		"\"pv.kubernetes.io/provisioned-by\":\"nfs.berth.dev\",\"berth.dev/token\":\"" TOKEN
		"\",\"berth.dev/reclaim\":\"Recycle\",\"pv.kubernetes.io/bound-by-controller\":"
		"\"yes\"}},\"spec\":{\"capacity\":{\"storage\":\"2Gi\"},\"accessModes\":["
		"\"ReadOnlyMany\",\"ReadWriteOncePod\",7],\"persistentVolumeReclaimPolicy\":"
		"\"Delete\",\"storageClassName\":\"c\",\"volumeMode\":\"Block\",\"nodeAffinity\":{}"
		","
		"\"claimRef\":{\"namespace\":\"ns\",\"name\":\"claim\",\"uid\":\"" UID "\"},"
		"\"csi\":{\"driver\":\"nfs.berth.dev\"}},\"status\":{\"phase\":\"Released\"}}");
	const struct pv *v = pv_of(o);
	char text[TOKEN_TEXT_MAX];

	assert_string_equal(v->class, "c");
	assert_string_equal(v->driver, "nfs.berth.dev");
	assert_ptr_equal(v->driver, v->provisioned_by);
	assert_string_equal(v->claim_namespace, "ns");
	assert_string_equal(v->claim_name, "claim");
	assert_memory_equal(&v->claim_uid, &o->uid, sizeof(o->uid));
	assert_string_equal(object_token_format(&v->token, text), TOKEN);
	assert_string_equal(v->reclaim, "Recycle");
	assert_int_equal(v->capacity, 2LL << 30);
	assert_int_equal(v->access_modes, ACCESS_ROX | ACCESS_RWOP);
	assert_int_equal(v->phase, PV_RELEASED);
	assert_int_equal(v->policy, PV_DELETE);
	assert_int_equal(v->flags, PV_HAS_CLAIM | PV_CLAIM_UID | PV_BLOCK | PV_FINALIZER |
					   PV_AFFINITY | PV_BOUND_BY_CONTROLLER);
	kind_pv.free(*state, o);
}

/* What is not known must not lead to a deletion. */
static void a_volume_of_which_little_is_known(void **state)
{
	struct object *o = decoded(*state, &kind_pv,
		"{\"metadata\":{" META ",\"annotations\":{\"berth.dev/token\":\"ABC\"}},"
		"\"spec\":{\"persistentVolumeReclaimPolicy\":\"Shred\",\"capacity\":7,"
		"\"claimRef\":{\"name\":\"c\",\"uid\":\"no\"},\"nfs\":{}},"
		"\"status\":{\"phase\":\"Odd\"}}");
	const struct pv *v = pv_of(o);
	char text[TOKEN_TEXT_MAX];

	assert_int_equal(v->policy, PV_RETAIN);
	assert_int_equal(v->phase, PV_PENDING);
	assert_int_equal(v->flags, PV_HAS_CLAIM | PV_NFS);
	assert_int_equal(v->capacity, 0);
	assert_true(object_token_none(&v->token));
	assert_string_equal(object_token_format(&v->token, text), "");
	assert_string_equal(v->driver, "");
	assert_string_equal(v->claim_namespace, "");
	kind_pv.free(*state, o);
}

static void a_class(void **state)
{
	struct object *o = decoded(*state, &kind_class,
		"{\"metadata\":{" META "},\"provisioner\":\"d\",\"parameters\":{\"server\":\"s\"},"
		"\"mountOptions\":[\"hard\"],\"reclaimPolicy\":\"Retain\","
		"\"volumeBindingMode\":\"WaitForFirstConsumer\",\"allowVolumeExpansion\":true}");
	const struct class *c = class_of(o);

	assert_string_equal(c->provisioner, "d");
	assert_string_equal(json_string_at(c->parameters, "server", NULL), "s");
	assert_int_equal(json_array_size(c->mount_options), 1);
	assert_true(c->retain && c->wait_for_consumer && c->allow_expansion);
	kind_class.free(*state, o);
	o = decoded(*state, &kind_class, "{\"metadata\":{" META "},\"parameters\":[]}");
	assert_null(class_of(o)->parameters);
	assert_null(class_of(o)->mount_options);
	assert_false(class_of(o)->retain || class_of(o)->wait_for_consumer);
	kind_class.free(*state, o);
}

static void nodes_and_leases(void **state)
{
	struct object *o = decoded(*state, &kind_node,
		"{\"metadata\":{" META "},\"spec\":{\"taints\":[{\"key\":\"a\"},7,"
		"{\"key\":\"node.kubernetes.io/out-of-service\"}]}}");

	assert_true(node_of(o)->out_of_service);
	kind_node.free(*state, o);
	o = decoded(*state, &kind_csinode,
		"{\"metadata\":{" META
		"},\"spec\":{\"drivers\":[{\"name\":\"nfs.berth.dev\"},{}]}}");
	assert_true(csinode_has(csinode_of(o), "nfs.berth.dev"));
	assert_false(csinode_has(csinode_of(o), "nfs.berth"));
	assert_false(csinode_has(csinode_of(o), "hostpath.berth.dev"));
	kind_csinode.free(*state, o);
	o = decoded(*state, &kind_lease,
		"{\"metadata\":{" META ",\"namespace\":\"ns\"},\"spec\":{\"holderIdentity\":\"me\","
		"\"leaseDurationSeconds\":40}}");
	assert_string_equal(leaseobj_of(o)->holder, "me");
	assert_int_equal(leaseobj_of(o)->duration, 40);
	kind_lease.free(*state, o);
}

static void labels_of_a_node(void **state)
{
	struct object *o = decoded(*state, &kind_node,
		"{\"metadata\":{" META ",\"labels\":{\"topology.berth.dev/node\":\"n1\","
		"\"other/nfs\":\"x\",\"topology.berth.dev/nfs\":\"true\","
		"\"topology.berth.dev/odd\":7,\"topology.berth.dev/split\":\"a\\nb\"}}}");
	char value[8];

	assert_true(node_topology(node_of(o), "node", value, sizeof(value)));
	assert_string_equal(value, "n1");
	assert_true(node_topology(node_of(o), "nfs", value, sizeof(value)));
	assert_string_equal(value, "true");
	assert_false(node_topology(node_of(o), "nfs", value, 4));
	assert_false(node_topology(node_of(o), "no", value, sizeof(value)));
	assert_false(node_topology(node_of(o), "odd", value, sizeof(value)));
	assert_false(node_topology(node_of(o), "split", value, sizeof(value)));
	kind_node.free(*state, o);
}

static void our_kinds(void **state)
{
	struct object *o = decoded(*state, &kind_bvol,
		"{\"metadata\":{" META ",\"generation\":3,\"finalizers\":[\"berth.dev/reclaim\"]},"
		"\"spec\":{\"token\":\"" TOKEN "\",\"desired\":\"Reclaimed\"},"
		"\"status\":{\"phase\":\"Reclaiming\",\"observedGeneration\":2}}");
	const struct bvol *b = bvol_of(o);
	char text[TOKEN_TEXT_MAX];

	assert_string_equal(object_token_format(&b->token, text), TOKEN);
	assert_true(b->reclaim_wanted && b->finalizer && !b->ordered);
	assert_int_equal(b->phase, BVOL_RECLAIMING);
	assert_int_equal(b->generation, 3);
	assert_int_equal(b->observed_generation, 2);
	kind_bvol.free(*state, o);
	o = decoded(*state, &kind_bvol,
		"{\"metadata\":{" META ",\"annotations\":{\"berth.dev/adopt\":\"record\"}}}");
	assert_true(bvol_of(o)->ordered);
	kind_bvol.free(*state, o);
	o = decoded(*state, &kind_bnode, "{\"metadata\":{" META "},\"status\":{\"lease\":\"l\"}}");
	assert_string_equal(bnode_of(o)->lease, "l");
	kind_bnode.free(*state, o);
	o = decoded(*state, &kind_bnode, "{\"metadata\":{" META "}}");
	assert_string_equal(bnode_of(o)->lease, "n");
	kind_bnode.free(*state, o);
}

static void what_is_no_object_is_refused(void **state)
{
	static const char *const bad[] = {"{}", "{\"metadata\":null}", "{\"metadata\":7}",
		"{\"metadata\":{}}", "{\"metadata\":{\"name\":\"n\"}}",
		"{\"metadata\":{\"uid\":\"" UID "\"}}",
		"{\"metadata\":{\"name\":\"\",\"uid\":\"" UID "\"}}",
		"{\"metadata\":{\"name\":7,\"uid\":\"" UID "\"}}",
		"{\"metadata\":{\"name\":\"a\\u0000b\",\"uid\":\"" UID "\"}}",
		"{\"metadata\":{\"name\":\"n\",\"uid\":\"X\"}}",
		"{\"metadata\":{" META ",\"namespace\":[]}}"};
	char name[400];

	snprintf(name, sizeof(name), "{\"metadata\":{\"name\":\"%0*d\",\"uid\":\"" UID "\"}}", 254,
		0);
	for (size_t i = 0; i <= ELEMENTSOF(bad); i++) {
		const char *text = i < ELEMENTSOF(bad) ? bad[i] : name;
		json_t *j;

		assert_int_equal(data_json_load(text, strlen(text), &j, NULL), 0);
		for (size_t k = 0; k < ELEMENTSOF(kinds); k++) {
			struct object *o;

			assert_int_equal(kinds[k]->decode(*state, j, &o), -EBADMSG);
		}
		json_decref(j);
	}
}

/* Wrong types beside a good name hide nothing. */
static void odd_objects_are_objects(void **state)
{
	static const char *const odd[] = {"{\"metadata\":{" META
					  ",\"annotations\":7,\"finalizers\":{}},\"spec\":7,"
					  "\"status\":[]}",
		"{\"metadata\":{" META ",\"annotations\":{\"berth.dev/token\":7,"
		"\"volume.kubernetes.io/selected-node\":\"a\\u0000b\"},\"finalizers\":[1,null]},"
		"\"spec\":{\"accessModes\":{},\"claimRef\":\"x\",\"csi\":[],\"storageClassName\":[]"
		","
		"\"capacity\":{\"storage\":99999999999999999},\"drivers\":7,\"taints\":\"x\","
		"\"resources\":[],\"dataSource\":\"x\",\"token\":{},\"leaseDurationSeconds\":\"x\"}"
		","
		"\"status\":{\"phase\":7,\"observedGeneration\":\"x\"},\"provisioner\":null,"
		"\"parameters\":7,\"mountOptions\":{},\"allowVolumeExpansion\":\"true\"}",
		"{\"metadata\":{" META "},\"spec\":null,\"status\":null}"};

	for (size_t i = 0; i < ELEMENTSOF(odd); i++) {
		for (size_t k = 0; k < ELEMENTSOF(kinds); k++) {
			struct object *o = decoded(*state, kinds[k], odd[i]);

			assert_string_equal(o->name, "n");
			assert_false(o->deleting);
			if (kinds[k] == &kind_pvc)
				assert_string_equal(pvc_of(o)->selected_node, "");
			kinds[k]->free(*state, o);
		}
	}
}

static void tokens(void **state)
{
	static const char *const bad[] = {"", "0", "00000000000000000000000000000000",
		"0123456789ABCDEF0123456789abcdef", "0123456789abcdef0123456789abcdefa"};
	struct object_token t;
	char text[TOKEN_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_int_equal(object_token_parse(bad[i], &t), -EINVAL);
	assert_int_equal(object_token_parse(TOKEN, &t), 0);
	assert_string_equal(object_token_format(&t, text), TOKEN);
}

static void memory_runs_out(void **state)
{
	json_t *j = json_pack("{s:{s:s,s:s,s:s},s:{s:s,s:s},s:s}", "metadata", "name", "n", "uid",
		UID, "namespace", "ns", "spec", "storageClassName", "c", "volumeName", "v",
		"provisioner", "p");

	for (size_t k = 0; k < ELEMENTSOF(kinds); k++) {
		FAULT_LOOP
		{
			struct object *o;
			int r = kinds[k]->decode(*state, j, &o);

			assert_int_equal(r, fault_fired() ? -ENOMEM : 0);
			if (r == 0)
				kinds[k]->free(*state, o);
		}
	}
	json_decref(j);
}

static void on_changed(const struct object *old, const struct object *now, void *userdata)
{
	(void)old;
	(void)now;
	(void)userdata;
}

static json_t *typical(const struct kind *k, unsigned n)
{
	char text[1024];

	snprintf(text, sizeof(text),
		"{\"metadata\":{\"name\":\"%s%u\",%s\"uid\":\"0a1b2c3d-0000-4000-8000-%012u\","
		"\"resourceVersion\":\"1%07u\",\"annotations\":{\"berth.dev/token\":\"%032u\","
		"\"pv.kubernetes.io/provisioned-by\":\"nfs.berth.dev\","
		"\"volume.kubernetes.io/storage-provisioner\":\"nfs.berth.dev\"}},"
		"\"spec\":{\"storageClassName\":\"berth-nfs\",\"token\":\"%032u\","
		"\"volumeName\":\"pvc-0a1b2c3d-0000-4000-8000-%012u\",\"csi\":{\"driver\":"
		"\"nfs.berth.dev\"},\"claimRef\":{\"namespace\":\"team-%u\",\"name\":\"www-web-%"
		"u\","
		"\"uid\":\"0a1b2c3d-0000-4000-8000-%012u\"}}}",
		k == &kind_pvc ? "www-web-" : "pvc-0a1b2c3d-0000-4000-8000-0000000", n,
		k == &kind_pvc ? "\"namespace\":\"team-7\"," : "", n, n, n + 1, n + 1, n, n % 50, n,
		n);
	return json_loads(text, 0, NULL);
}

/* The budget of a cluster with 20,000 volumes (reliability.md 4.5). */
static void objects_are_small(void **state)
{
	static const struct kind *const heavy[] = {&kind_pvc, &kind_pv, &kind_bvol};
	enum { N = 20000, BUDGET = 250 };

	for (size_t k = 0; k < ELEMENTSOF(heavy); k++) {
		struct cache *c = calloc(1, sizeof(*c));
		struct mallinfo2 before, after;
		size_t each;

		cache_init(c, *state, heavy[k], on_changed, NULL);
		before = mallinfo2();
		for (unsigned n = 0; n < N; n++) {
			json_t *j = typical(heavy[k], n + 10000);

			assert_int_equal(cache_put(c, j), 1);
			json_decref(j);
		}
		after = mallinfo2();
		each = (after.uordblks + after.hblkhd - before.uordblks - before.hblkhd) / N;
		print_message("%s: %zu bytes each\n", heavy[k]->name, each);
#ifndef __SANITIZE_ADDRESS__
		assert_in_range(each, 100, BUDGET);
#endif
		cache_done(c);
		free(c);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_claim),
		T(old_annotations_of_a_claim),
		T(sources_of_claims),
		T(sizes_of_claims),
		T(a_volume),
		T(a_volume_of_which_little_is_known),
		T(a_class),
		T(nodes_and_leases),
		T(labels_of_a_node),
		T(our_kinds),
		T(what_is_no_object_is_refused),
		T(odd_objects_are_objects),
		cmocka_unit_test(tokens),
		T(memory_runs_out),
		T(objects_are_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
