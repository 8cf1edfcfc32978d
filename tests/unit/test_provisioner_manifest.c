/* SPDX-License-Identifier: Apache-2.0 */
/* test_provisioner_manifest.c: PV, BerthVolume and patches word for word, and back into facts */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "data/decode.h"
#include "provisioner/adopt.h"
#include "provisioner/manifest.h"
#include "provisioner/names.h"
#include "tests/unit/fault.h"

#define UID "0f000000-0000-4000-8000-000000000001"
#define TOKEN "00112233445566778899aabbccddeeff"

static char *text(const char *s)
{
	return strdup(s);
}

/* The facts of a class with everything set. */
static struct facts rich(void)
{
	struct facts f = {
		.pv = text("pvc-" UID),
		.driver = text("nfs.berth.dev"),
		.provisioner = text("nfs.berth.dev"),
		.class = text("fast"),
		.server = text("nfs-1"),
		.export_ = text("/data"),
		.directory = text("team/web"),
		.identity = text("6e0e8bb2-8a8c-4a4e-9d53-6b9a3a5f0b11"),
		.claim_namespace = text("default"),
		.claim_name = text("web"),
		.claim_uid = text(UID),
		.token = TOKEN,
		.capacity = 3LL << 30,
		.uid = 1000,
		.gid = 2000,
		.mode = 0770,
		.flags = VOLUME_UID_SET | VOLUME_GID_SET | VOLUME_MODE_SET | VOLUME_SUID |
			 VOLUME_DEV,
		.reclaim = RECLAIM_RECYCLE,
		.trash_ttl = SECONDS(3600),
		.nfs_port = 2050,
		.mount_port = 2051,
		.version = 3,
		.act_as_set = true,
		.act_uid = 7,
		.act_gid = 8,
	};

	return f;
}

static struct facts poor(void)
{
	struct facts f = {
		.pv = text("pvc-" UID),
		.driver = text("nfs.berth.dev"),
		.provisioner = text("nfs.berth.dev"),
		.class = text("fast"),
		.server = text("10.0.0.1"),
		.export_ = text("/"),
		.directory = text("d"),
		.identity = text(""),
		.claim_namespace = text("default"),
		.claim_name = text("web"),
		.claim_uid = text(UID),
		.token = TOKEN,
		.capacity = 1000,
		.reclaim = RECLAIM_RETAIN,
	};

	return f;
}

static void same(json_t *got, const char *want)
{
	json_error_t why;
	json_t *w = json_loads(want, 0, &why);

	if (!w)
		fail_msg("bad expectation: %s", why.text);
	if (!got || !json_equal(got, w)) {
		char *a = got ? json_dumps(got, JSON_SORT_KEYS) : NULL;
		char *b = json_dumps(w, JSON_SORT_KEYS);

		fail_msg("\ngot  %s\nwant %s", a ? a : "nothing", b);
	}
	json_decref(w);
	json_decref(got);
}

static void a_volume_with_everything(void **state)
{
	struct facts f = rich();
	struct class_info class = {.mount_options = json_pack("[s,s]", "nconnect=4", "hard")};
	struct manifest_volume m = {&f, &class, "77", "1-2-nfs.berth.dev", ACCESS_RWO | ACCESS_RWX};

	(void)state;
	class.p.require_node_label = true;
	same(manifest_volume(&m),
		"{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolume\",\"metadata\":{\"name\":"
		"\"pvc-" UID
		"\",\"annotations\":{\"pv.kubernetes.io/provisioned-by\":\"nfs.berth.dev\","
		"\"berth.dev/token\":\"" TOKEN "\",\"berth.dev/reclaim\":\"Recycle\"},"
		"\"finalizers\":[\"external-provisioner.volume.kubernetes.io/finalizer\"]},"
		"\"spec\":{\"capacity\":{\"storage\":\"3Gi\"},"
		"\"accessModes\":[\"ReadWriteOnce\",\"ReadWriteMany\"],"
		"\"persistentVolumeReclaimPolicy\":\"Delete\",\"storageClassName\":\"fast\","
		"\"mountOptions\":[\"nconnect=4\",\"hard\"],\"volumeMode\":\"Filesystem\","
		"\"claimRef\":{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\","
		"\"namespace\":\"default\",\"name\":\"web\",\"uid\":\"" UID
		"\",\"resourceVersion\":\"77\"},"
		"\"nodeAffinity\":{\"required\":{\"nodeSelectorTerms\":[{\"matchExpressions\":"
		"[{\"key\":\"topology.berth.dev/"
		"nfs\",\"operator\":\"In\",\"values\":[\"true\"]}]}]}},"
		"\"csi\":{\"driver\":\"nfs.berth.dev\",\"volumeHandle\":\"pvc-" UID
		"\",\"volumeAttributes\":{\"server\":\"nfs-1\",\"export\":\"/data\","
		"\"directory\":\"team/web\",\"reclaim\":\"Recycle\","
		"\"storage.kubernetes.io/csiProvisionerIdentity\":\"1-2-nfs.berth.dev\","
		"\"exportID\":\"6e0e8bb2-8a8c-4a4e-9d53-6b9a3a5f0b11\",\"uid\":\"1000\","
		"\"gid\":\"2000\",\"mode\":\"0770\",\"nfsPort\":\"2050\",\"mountPort\":\"2051\","
		"\"nfsVersion\":\"3\",\"actAs\":\"7:8\",\"suid\":\"true\",\"dev\":\"true\","
		"\"trashTTL\":\"3600s\"}}}}");
	json_decref(class.mount_options);
	facts_done(&f);
}

static void a_volume_with_little(void **state)
{
	struct facts f = poor();
	struct class_info class = {.retain = true};
	struct manifest_volume m = {&f, &class, NULL, "i", ACCESS_RWOP};

	(void)state;
	same(manifest_volume(&m),
		"{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolume\",\"metadata\":{\"name\":"
		"\"pvc-" UID
		"\",\"annotations\":{\"pv.kubernetes.io/provisioned-by\":\"nfs.berth.dev\","
		"\"berth.dev/token\":\"" TOKEN "\"}},"
		"\"spec\":{\"capacity\":{\"storage\":\"1000\"},\"accessModes\":["
		"\"ReadWriteOncePod\"],"
		"\"persistentVolumeReclaimPolicy\":\"Retain\",\"storageClassName\":\"fast\","
		"\"volumeMode\":\"Filesystem\","
		"\"claimRef\":{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\","
		"\"namespace\":\"default\",\"name\":\"web\",\"uid\":\"" UID "\"},"
		"\"csi\":{\"driver\":\"nfs.berth.dev\",\"volumeHandle\":\"pvc-" UID
		"\",\"volumeAttributes\":{\"server\":\"10.0.0.1\",\"export\":\"/"
		"\",\"directory\":\"d\","
		"\"reclaim\":\"Retain\",\"storage.kubernetes.io/"
		"csiProvisionerIdentity\":\"i\"}}}}");
	facts_done(&f);
}

/* As nfs-subdir-external-provisioner's, with what reclaim needs beside it. */
static void a_native_volume(void **state)
{
	struct facts f = poor();
	struct class_info class = {.retain = true};
	struct manifest_volume m = {&f, &class, NULL, "i", ACCESS_RWX};

	(void)state;
	f.native = true;
	same(manifest_volume(&m),
		"{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolume\",\"metadata\":{\"name\":"
		"\"pvc-" UID
		"\",\"annotations\":{\"pv.kubernetes.io/provisioned-by\":\"nfs.berth.dev\","
		"\"berth.dev/token\":\"" TOKEN "\",\"berth.dev/attributes\":"
		"\"{\\\"server\\\":\\\"10.0.0.1\\\",\\\"export\\\":\\\"/\\\","
		"\\\"directory\\\":\\\"d\\\",\\\"reclaim\\\":\\\"Retain\\\","
		"\\\"storage.kubernetes.io/csiProvisionerIdentity\\\":\\\"i\\\","
		"\\\"driver\\\":\\\"nfs.berth.dev\\\",\\\"source\\\":\\\"native\\\"}\"}},"
		"\"spec\":{\"capacity\":{\"storage\":\"1000\"},\"accessModes\":["
		"\"ReadWriteMany\"],"
		"\"persistentVolumeReclaimPolicy\":\"Retain\",\"storageClassName\":\"fast\","
		"\"volumeMode\":\"Filesystem\","
		"\"claimRef\":{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\","
		"\"namespace\":\"default\",\"name\":\"web\",\"uid\":\"" UID "\"},"
		"\"nfs\":{\"server\":\"10.0.0.1\",\"path\":\"/d\"}}}");
	facts_done(&f);
}

/* The annotation is anybody's to edit, the spec nobody's. */
static const struct {
	const char *attributes, *error;
} edited[] = {
	{"{\"server\":\"10.0.0.2\",\"export\":\"/data\",\"directory\":\"team/web\","
	 "\"reclaim\":\"Delete\",\"source\":\"native\"}",
		"spec.nfs"},
	{"{\"server\":\"nfs-1\",\"export\":\"/data\",\"directory\":\"team/other\","
	 "\"reclaim\":\"Delete\",\"source\":\"native\"}",
		"spec.nfs"},
	{"{\"server\":\"nfs-1\",\"export\":\"/data\",\"directory\":\"team/web\","
	 "\"reclaim\":\"Delete\"}",
		"source"},
	{"{\"server\":\"nfs-1\",\"export\":\"/data\",\"directory\":\"team/web\","
	 "\"reclaim\":\"Delete\",\"source\":\"magic\"}",
		"source"},
	{"[1,2", NOTE_ATTRIBUTES},
	{"", NOTE_ATTRIBUTES},
	{NULL, NOTE_ATTRIBUTES},
};

static void an_edited_annotation_is_refused(void **state)
{
	struct facts good = rich(), f = {0};
	struct class_info class = {.retain = false};
	struct manifest_volume m = {&good, &class, NULL, "i", ACCESS_RWO};
	_cleanup_json_ json_t *pv = NULL;
	json_t *notes;

	(void)state;
	good.native = true;
	pv = manifest_volume(&m);
	notes = (json_t *)json_at(pv, "metadata", "annotations", NULL);
	for (size_t i = 0; i < ELEMENTSOF(edited); i++) {
		struct err e = ERR_NULL;

		if (edited[i].attributes)
			json_object_set_new(
				notes, NOTE_ATTRIBUTES, json_string(edited[i].attributes));
		else
			json_object_del(notes, NOTE_ATTRIBUTES);
		if (facts_from_volume(&f, pv, &e) != -EBADMSG || !strstr(e.text, edited[i].error))
			fail_msg("%s: %s", edited[i].attributes, e.text);
	}
	facts_done(&good);
}

static void an_intent_with_everything(void **state)
{
	struct facts f = rich();

	(void)state;
	same(manifest_intent(&f),
		"{\"apiVersion\":\"berth.dev/"
		"v1alpha1\",\"kind\":\"BerthVolume\",\"metadata\":{\"name\":"
		"\"pvc-" UID "\",\"finalizers\":[\"berth.dev/reclaim\"]},\"spec\":{\"driver\":"
		"\"nfs.berth.dev\",\"token\":\"" TOKEN "\",\"claim\":{\"namespace\":\"default\","
		"\"name\":\"web\",\"uid\":\"" UID
		"\"},\"class\":\"fast\",\"directory\":\"team/web\","
		"\"nfs\":{\"server\":\"nfs-1\",\"export\":\"/data\",\"nfsPort\":\"2050\","
		"\"mountPort\":\"2051\",\"nfsVersion\":\"3\",\"actAs\":\"7:8\",\"suid\":\"true\","
		"\"dev\":\"true\",\"trashTTL\":"
		"\"3600s\"},"
		"\"capacity\":\"3Gi\",\"permissions\":{\"uid\":1000,\"gid\":2000,\"mode\":\"0770\"}"
		","
		"\"reclaim\":\"Recycle\",\"desired\":\"Present\"}}");
	facts_done(&f);
}

static void an_intent_without_an_owner_has_no_permissions(void **state)
{
	struct facts f = poor();
	_cleanup_json_ json_t *got = manifest_intent(&f);

	(void)state;
	assert_null(json_at(got, "spec", "permissions", NULL));
	facts_done(&f);
}

static void compare_facts(const struct facts *a, const struct facts *b)
{
	assert_string_equal(a->pv, b->pv);
	assert_string_equal(a->driver, b->driver);
	assert_string_equal(a->class, b->class);
	assert_string_equal(a->server, b->server);
	assert_string_equal(a->export_, b->export_);
	assert_string_equal(a->directory, b->directory);
	assert_string_equal(a->claim_uid, b->claim_uid);
	assert_string_equal(a->token, b->token);
	assert_true(a->capacity == b->capacity);
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->gid, b->gid);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->reclaim, b->reclaim);
	assert_true(a->trash_ttl == b->trash_ttl);
	assert_int_equal(a->nfs_port, b->nfs_port);
	assert_int_equal(a->mount_port, b->mount_port);
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->native, b->native);
	assert_int_equal(a->act_as_set, b->act_as_set);
	assert_int_equal(a->act_uid, b->act_uid);
	assert_int_equal(a->act_gid, b->act_gid);
}

/* Reclaim needs nothing but the PV, an undo nothing but the BerthVolume. */
static void facts_come_back(void **state)
{
	struct facts all[] = {rich(), poor(), rich()};

	(void)state;
	all[2].native = true;
	for (size_t i = 0; i < ELEMENTSOF(all); i++) {
		struct class_info class = {.retain = false};
		struct manifest_volume m = {&all[i], &class, NULL, "i", ACCESS_RWO};
		_cleanup_json_ json_t *pv = manifest_volume(&m);
		_cleanup_json_ json_t *intent = manifest_intent(&all[i]);
		struct facts f;
		struct err e = ERR_NULL;

		if (facts_from_volume(&f, pv, &e) < 0)
			fail_msg("%s", e.text);
		compare_facts(&f, &all[i]);
		assert_string_equal(f.identity, all[i].identity);
		facts_done(&f);
		if (facts_from_intent(&f, intent, &e) < 0)
			fail_msg("%s", e.text);
		compare_facts(&f, &all[i]);
		facts_done(&f);
		facts_done(&all[i]);
	}
}

/* A PV's attributes are anybody's words. */
static const struct {
	const char *key, *value, *error;
} hostile[] = {
	{"server", "", "server"},
	{"server", "-oProxyCommand", "server"},
	{"server", "a b", "server"},
	{"server", NULL, "server"},
	{"export", "data", "export"},
	{"export", "/data/../etc", "export"},
	{"export", "/data//x", "export"},
	{"export", NULL, "export"},
	{"directory", "", "directory"},
	{"directory", "..", "directory"},
	{"directory", "/etc", "directory"},
	{"directory", "a/../b", "directory"},
	{"directory", ".berth", "directory"},
	{"directory", ".berth/trash", "directory"},
	{"directory", NULL, "directory"},
	{"reclaim", "Shred", "reclaim"},
	{"reclaim", NULL, "reclaim"},
	{"trashTTL", "soon", "trashTTL"},
	{"nfsPort", "99999", "nfsPort"},
	{"mountPort", "-1", "mountPort"},
	{"nfsVersion", "2", "nfsVersion"},
	{"suid", "perhaps", "suid"},
	{"dev", "2", "dev"},
	{"actAs", "root", "actAs"},
	{"actAs", "0:4294967295", "actAs"},
	{"uid", "x", "uid"},
	{"gid", "4294967295", "gid"},
	{"mode", "999", "mode"},
};

static void hostile_attributes_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(hostile); i++) {
		struct facts good = rich(), f = {0};
		struct class_info class = {.retain = false};
		struct manifest_volume m = {&good, &class, NULL, "i", ACCESS_RWO};
		_cleanup_json_ json_t *pv = manifest_volume(&m);
		json_t *attrs = (json_t *)json_at(pv, "spec", "csi", "volumeAttributes", NULL);
		json_t *notes = (json_t *)json_at(pv, "metadata", "annotations", NULL);
		struct err e = ERR_NULL;

		json_object_del(notes, NOTE_RECLAIM);
		if (hostile[i].value)
			json_object_set_new(attrs, hostile[i].key, json_string(hostile[i].value));
		else
			json_object_del(attrs, hostile[i].key);
		if (facts_from_volume(&f, pv, &e) != -EBADMSG || !strstr(e.text, hostile[i].error))
			fail_msg("%s=%s: %s", hostile[i].key, hostile[i].value, e.text);
		facts_done(&good);
	}
}

static void a_token_must_be_one(void **state)
{
	static const char *const bad[] = {"", "0", TOKEN "0", "00112233445566778899AABBCCDDEEFF",
		"../../../../../../../../etc/pas"};
	struct facts good = rich(), f = {0};
	struct class_info class = {.retain = false};
	struct manifest_volume m = {&good, &class, NULL, "i", ACCESS_RWO};
	_cleanup_json_ json_t *pv = manifest_volume(&m);
	json_t *notes = (json_t *)json_at(pv, "metadata", "annotations", NULL);

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		json_object_set_new(notes, NOTE_TOKEN, json_string(bad[i]));
		assert_int_equal(facts_from_volume(&f, pv, NULL), -EBADMSG);
	}
	json_object_del(notes, NOTE_TOKEN);
	assert_int_equal(facts_from_volume(&f, pv, NULL), -EBADMSG);
	facts_done(&good);
}

static void binding_patches(void **state)
{
	(void)state;
	same(manifest_volume_bound("12"),
		"{\"metadata\":{\"resourceVersion\":\"12\"},\"status\":{\"phase\":\"Bound\"}}");
	same(manifest_claim_bind(UID, "pvc-" UID, "nfs.berth.dev"),
		"{\"metadata\":{\"uid\":\"" UID "\",\"annotations\":{"
		"\"pv.kubernetes.io/bind-completed\":\"yes\","
		"\"pv.kubernetes.io/bound-by-controller\":\"yes\","
		"\"volume.kubernetes.io/storage-provisioner\":\"nfs.berth.dev\","
		"\"volume.beta.kubernetes.io/storage-provisioner\":\"nfs.berth.dev\"}},"
		"\"spec\":{\"volumeName\":\"pvc-" UID "\"}}");
	same(manifest_claim_bound("13", ACCESS_RWX, 1 << 30),
		"{\"metadata\":{\"resourceVersion\":\"13\"},\"status\":{\"phase\":\"Bound\","
		"\"accessModes\":[\"ReadWriteMany\"],\"capacity\":{\"storage\":\"1Gi\"}}}");
	same(manifest_delete(UID), "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\","
				   "\"preconditions\":{\"uid\":\"" UID "\"}}");
}

#define GUARD "{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":\"9\"}"

static json_t *object(const char *finalizers, const char *notes)
{
	char all[512];

	snprintf(all, sizeof(all),
		"{\"metadata\":{\"resourceVersion\":\"9\",\"finalizers\":%s,\"annotations\":%s}}",
		finalizers, notes);
	return json_loads(all, 0, NULL);
}

static void finalizer_patches(void **state)
{
	_cleanup_json_ json_t *two = object("[\"a\",\"b\"]", "{}"), *none = object("null", "{}");

	(void)state;
	assert_true(manifest_has_finalizer(two, "b"));
	assert_false(manifest_has_finalizer(none, "b"));
	same(manifest_drop_finalizer(two, "b"),
		"[" GUARD ",{\"op\":\"remove\",\"path\":\"/metadata/finalizers/1\"}]");
	assert_null(manifest_drop_finalizer(none, "b"));
	same(manifest_add_finalizer(two, "c"),
		"[" GUARD ",{\"op\":\"add\",\"path\":\"/metadata/finalizers/-\",\"value\":\"c\"}]");
	same(manifest_add_finalizer(none, "c"),
		"[" GUARD ",{\"op\":\"add\",\"path\":\"/metadata/finalizers\",\"value\":[\"c\"]}]");
}

static void unbind_patches(void **state)
{
	_cleanup_json_ json_t *plain = object("[]", "{}"),
			      *bound = object(
				      "[]", "{\"pv.kubernetes.io/bound-by-controller\":\"yes\"}");

	(void)state;
	same(manifest_unbind(plain), "[" GUARD ",{\"op\":\"remove\",\"path\":\"/spec/claimRef\"}]");
	same(manifest_unbind(bound),
		"[" GUARD ",{\"op\":\"remove\",\"path\":\"/spec/claimRef\"},{\"op\":\"remove\","
		"\"path\":\"/metadata/annotations/pv.kubernetes.io~1bound-by-controller\"}]");
}

static void no_memory_gives_nothing(void **state)
{
	struct facts good = rich();
	struct class_info class = {.retain = false};
	struct manifest_volume m = {&good, &class, NULL, "i", ACCESS_RWO};

	(void)state;
	for (int native = 0; native < 2; native++) {
		_cleanup_json_ json_t *pv = NULL;

		good.native = native;
		pv = manifest_volume(&m);
		FAULT_LOOP
		{
			struct facts f = {0};

			if (facts_from_volume(&f, pv, NULL) < 0)
				assert_true(fault_fired());
			facts_done(&f);
		}
	}
	facts_done(&good);
}

/* Restored or adopted: for the next claim of that name; the class may be gone. */
static void a_volume_that_waits(void **state)
{
	struct facts f = poor();
	struct manifest_volume m = {&f, NULL, NULL, "1-2-nfs.berth.dev", ACCESS_RWOP};
	json_t *got;

	(void)state;
	f.claim_uid[0] = '\0';
	got = manifest_volume(&m);
	same(json_deep_copy(json_at(got, "spec", "claimRef", NULL)),
		"{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\",\"namespace\":"
		"\"default\",\"name\":\"web\"}");
	same(json_deep_copy(json_at(got, "spec", "accessModes", NULL)), "[\"ReadWriteOncePod\"]");
	assert_null(json_at(got, "spec", "mountOptions", NULL));
	assert_string_equal(json_string_at(got, "spec", "storageClassName", NULL), "fast");
	json_decref(got);
	facts_done(&f);
}

static void an_order_that_was_carried_out(void **state)
{
	(void)state;
	same(manifest_intent_settled(),
		"{\"metadata\":{\"annotations\":{\"berth.dev/adopt\":null},\"finalizers\":"
		"[\"berth.dev/reclaim\"]}}");
}

/* The order says all that the record says, or it is none. */
static void an_order_is_compared(void **state)
{
	struct facts f = rich();
	const struct volume_request record = facts_request(&f);
	struct volume_request q;
	struct err e;

	(void)state;
	assert_int_equal(adopt_compare(&f, &record, &e), 0);
#define DIFFERS(field, value, word)                                       \
	do {                                                              \
		q = record;                                               \
		q.field = (value);                                        \
		assert_int_equal(adopt_compare(&f, &q, &e), -EPERM);      \
		assert_non_null(strstr(e.text, "another " word " than")); \
	} while (0)
	DIFFERS(claim.namespace_, "other", "claim");
	DIFFERS(claim.name, "other", "claim");
	DIFFERS(class, "slow", "class");
	DIFFERS(class, NULL, "class");
	DIFFERS(capacity, 1, "capacity");
	DIFFERS(reclaim, RECLAIM_DELETE, "reclaim");
	DIFFERS(trash_ttl_ns, 0, "reclaim");
	DIFFERS(uid, 1, "owner or mode");
	DIFFERS(gid, 1, "owner or mode");
	DIFFERS(mode, 0777, "owner or mode");
	DIFFERS(flags, VOLUME_UID_SET, "owner or mode");
#undef DIFFERS
	/* Not of the record: how nodes mount it, and what creation was allowed. */
	q = record;
	q.flags |= VOLUME_ADOPT | VOLUME_SUID;
	assert_int_equal(adopt_compare(&f, &q, &e), 0);
	facts_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_volume_that_waits),
		cmocka_unit_test(an_order_that_was_carried_out),
		cmocka_unit_test(an_order_is_compared),
		cmocka_unit_test(a_volume_with_everything),
		cmocka_unit_test(a_volume_with_little),
		cmocka_unit_test(a_native_volume),
		cmocka_unit_test(an_edited_annotation_is_refused),
		cmocka_unit_test(an_intent_with_everything),
		cmocka_unit_test(an_intent_without_an_owner_has_no_permissions),
		cmocka_unit_test(facts_come_back),
		cmocka_unit_test(hostile_attributes_are_refused),
		cmocka_unit_test(a_token_must_be_one),
		cmocka_unit_test(binding_patches),
		cmocka_unit_test(finalizer_patches),
		cmocka_unit_test(unbind_patches),
		cmocka_unit_test(no_memory_gives_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
