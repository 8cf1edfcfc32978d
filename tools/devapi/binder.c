/* SPDX-License-Identifier: Apache-2.0 */
/* binder.c: syncClaim and syncVolume of pv_controller.go (Kubernetes 1.36), for external
 * provisioners
 */
#include "tools/devapi/binder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/meta.h"
#include "tools/devapi/volumes.h"

#define COMPONENT "persistentvolume-controller"
#define WAITING                                                                               \
	"Waiting for a volume to be created either by the external provisioner '%s' or "      \
	"manually by the system administrator. If volume creation is delayed, please verify " \
	"that the provisioner is running and correctly registered."

struct binder {
	struct store *store;
	struct volumes *volumes;
	struct workqueue *queue;
	struct map told; /* claims that know that they wait */
	unsigned writes; /* of the current step */
};

struct told {
	char uid[40];
};

static struct map_key told_key(const void *value)
{
	return map_key_str(((const struct told *)value)->uid);
}

/* One object in work. */
struct subject {
	const struct kind *kind;
	char key[META_KEY_MAX];
	json_t *object;
};

static void subject_done(struct subject *s)
{
	json_decref(s->object);
}
#define _cleanup_subject_ _cleanup_(subject_done)

static int load(struct binder *b, enum kind_id id, const char *key, struct subject *ret)
{
	const struct revision *r = store_get(b->store, kind_get(id), key);

	ret->kind = kind_get(id);
	(void)str_copy_cut(ret->key, sizeof(ret->key), key);
	ret->object = r ? revision_parse(r) : NULL;
	return ret->object ? 0 : -ENOENT;
}

static void save(struct binder *b, struct subject *s)
{
	b->writes++;
	(void)object_update(b->store, s->kind, s->key, s->object);
}

static const char *phase_of(const struct subject *s)
{
	return str_or(json_string_at(s->object, "status", "phase", NULL), "Pending");
}

static void set_phase(struct binder *b, struct subject *s, const char *phase)
{
	if (streq(phase_of(s), phase))
		return;
	(void)json_put_string(json_child(s->object, "status"), "phase", phase);
	if (kind_is(s->kind, KIND_PV))
		meta_phase_changed(s->object);
	save(b, s);
}

static void emit(struct binder *b, const struct subject *s, const char *type, const char *reason,
	const char *message)
{
	const char *ns = str_or(meta_string(s->object, "namespace"), "");
	const char *name = str_or(meta_string(s->object, "name"), "");
	char event_name[META_NAME_MAX], key[META_KEY_MAX], now[CLOCK_TEXT_MAX];
	json_t *event;

	(void)snprintf(event_name, sizeof(event_name), "%.200s.%" PRIx64, name, clock_real());
	clock_format(clock_real(), now);
	event = json_pack("{s:{},s:{s:s,s:s,s:s,s:s,s:s},s:s,s:s,s:s,s:i,s:s,s:s,s:{s:s},s:s}",
		"metadata", "involvedObject", "kind", s->kind->kind, "apiVersion", "v1",
		"namespace", ns, "name", name, "uid", str_or(meta_string(s->object, "uid"), ""),
		"type", type, "reason", reason, "message", message, "count", 1, "firstTimestamp",
		now, "lastTimestamp", now, "source", "component", COMPONENT, "reportingComponent",
		COMPONENT);
	ns = *ns ? ns : "default";
	(void)json_object_set_new(event, "eventTime", json_null());
	(void)json_put_string(event, "reportingInstance", "");
	meta_create(kind_get(KIND_EVENT), event, ns, event_name);
	(void)store_commit(
		b->store, CHANGE_ADDED, kind_get(KIND_EVENT), meta_key(key, ns, event_name), event);
	json_decref(event);
}

static const char *claim_ref(const struct subject *volume, const char *member)
{
	return str_or(json_string_at(volume->object, "spec", "claimRef", member, NULL), "");
}

static bool refers_to(const struct subject *volume, const struct subject *claim)
{
	char key[META_KEY_MAX];
	const char *uid = claim_ref(volume, "uid");

	meta_key(key, claim_ref(volume, "namespace"), claim_ref(volume, "name"));
	return streq(key, claim->key) &&
	       (!*uid || streq_null(uid, meta_string(claim->object, "uid")));
}

static bool has_claim_ref(const struct subject *volume)
{
	return json_is_object(json_at(volume->object, "spec", "claimRef", NULL));
}

/* bindVolumeToClaim: claimRef complete; the annotation tells that we, not an admin, chose. */
static void bind_volume(struct binder *b, struct subject *volume, const struct subject *claim)
{
	json_t *ref;
	char rv[24];

	if (has_claim_ref(volume) && *claim_ref(volume, "uid"))
		return;
	if (!has_claim_ref(volume))
		meta_annotate(volume->object, ANN_BOUND_BY, "yes");
	ref = json_child(json_child(volume->object, "spec"), "claimRef");
	(void)json_put_string(ref, "kind", "PersistentVolumeClaim");
	(void)json_put_string(ref, "apiVersion", "v1");
	(void)json_put_string(
		ref, "namespace", str_or(meta_string(claim->object, "namespace"), ""));
	(void)json_put_string(ref, "name", str_or(meta_string(claim->object, "name"), ""));
	(void)json_put_string(ref, "uid", str_or(meta_string(claim->object, "uid"), ""));
	(void)snprintf(
		rv, sizeof(rv), "%s", str_or(meta_string(claim->object, "resourceVersion"), "0"));
	(void)json_put_string(ref, "resourceVersion", rv);
	save(b, volume);
}

static void bind_claim(struct binder *b, struct subject *claim, const struct subject *volume)
{
	json_t *spec = json_child(claim->object, "spec");
	bool bound = streq_null(json_string_at(spec, "volumeName", NULL), volume->key);

	if (bound && meta_annotation(claim->object, ANN_BIND_COMPLETED))
		return;
	if (!bound) {
		(void)json_put_string(spec, "volumeName", volume->key);
		meta_annotate(claim->object, ANN_BOUND_BY, "yes");
	}
	meta_annotate(claim->object, ANN_BIND_COMPLETED, "yes");
	save(b, claim);
}

/* updateClaimStatus: capacity follows only while the phase changes. */
static void finish_claim(struct binder *b, struct subject *claim, const struct subject *volume)
{
	json_t *status = json_child(claim->object, "status");
	json_t *modes = json_object_get(json_object_get(volume->object, "spec"), "accessModes");
	json_t *capacity = json_object_get(json_object_get(volume->object, "spec"), "capacity");
	bool same_modes = json_equal(json_object_get(status, "accessModes"), modes);

	if (streq(phase_of(claim), "Bound") && same_modes)
		return;
	if (!streq(phase_of(claim), "Bound"))
		(void)json_object_set(status, "capacity", capacity);
	(void)json_put_string(status, "phase", "Bound");
	(void)json_object_set(status, "accessModes", modes);
	save(b, claim);
}

static void bind(struct binder *b, struct subject *volume, struct subject *claim)
{
	bind_volume(b, volume, claim);
	set_phase(b, volume, "Bound");
	bind_claim(b, claim, volume);
	finish_claim(b, claim, volume);
}

static void lose_claim(
	struct binder *b, struct subject *claim, const char *reason, const char *message)
{
	json_t *status = json_child(claim->object, "status");

	if (streq(phase_of(claim), "Lost"))
		return;
	(void)json_object_del(status, "capacity");
	(void)json_object_del(status, "accessModes");
	set_phase(b, claim, "Lost");
	emit(b, claim, "Warning", reason, message);
}

static void sync_bound_claim(struct binder *b, struct subject *claim)
{
	const char *name = str_or(json_string_at(claim->object, "spec", "volumeName", NULL), "");
	_cleanup_subject_ struct subject volume = {.object = NULL};

	if (!*name)
		lose_claim(b, claim, "ClaimLost",
			"Bound claim has lost reference to PersistentVolume. Data on the volume is "
			"lost!");
	else if (load(b, KIND_PV, name, &volume) < 0)
		lose_claim(b, claim, "ClaimLost",
			"Bound claim has lost its PersistentVolume. Data on the volume is lost!");
	else if (!has_claim_ref(&volume) || refers_to(&volume, claim))
		bind(b, &volume, claim);
	else
		lose_claim(b, claim, "ClaimMisbound",
			"Two claims are bound to the same volume, this one is bound incorrectly");
}

/* An unbound claim that names its volume: by a user, or by an assisting provisioner. */
static void sync_named_claim(struct binder *b, struct subject *claim, const char *name)
{
	_cleanup_subject_ struct subject volume = {.object = NULL};

	if (load(b, KIND_PV, name, &volume) < 0)
		set_phase(b, claim, "Pending");
	else if (!has_claim_ref(&volume) || refers_to(&volume, claim))
		bind(b, &volume, claim);
	else
		set_phase(b, claim, "Pending");
}

static void ask_provisioner(struct binder *b, struct subject *claim, const char *provisioner)
{
	char text[1024];

	if (streq_null(meta_annotation(claim->object, ANN_PROVISIONER), provisioner))
		return;
	meta_annotate(claim->object, ANN_PROVISIONER, provisioner);
	meta_annotate(claim->object, ANN_PROVISIONER_BETA, provisioner);
	save(b, claim);
	(void)snprintf(text, sizeof(text), WAITING, provisioner);
	emit(b, claim, "Normal", "ExternalProvisioning", text);
}

/* Once a claim; the real one says it again every 15 s, which counts up the same event. */
static void tell_waiting(struct binder *b, struct subject *claim)
{
	const char *uid = meta_string(claim->object, "uid");
	struct told *t;

	if (!uid || map_gets(&b->told, uid))
		return;
	t = calloc(1, sizeof(*t));
	if (!t)
		return;
	(void)str_copy_cut(t->uid, sizeof(t->uid), uid);
	if (map_add(&b->told, t) < 0) {
		free(t);
		return;
	}
	emit(b, claim, "Normal", "WaitForFirstConsumer",
		"waiting for first consumer to be created before binding");
}

static void sync_unbound_claim(struct binder *b, struct subject *claim)
{
	const char *class_name =
		str_or(json_string_at(claim->object, "spec", "storageClassName", NULL), "");
	_cleanup_subject_ struct subject class = {.object = NULL}, volume = {.object = NULL};
	bool known = *class_name && load(b, KIND_CLASS, class_name, &class) == 0;
	bool waits = known && streq_null(json_string_at(class.object, "volumeBindingMode", NULL),
				      "WaitForFirstConsumer");
	const char *match = volumes_match(b->volumes, claim->object, claim->key, waits);
	const char *provisioner = known ? json_string_at(class.object, "provisioner", NULL) : NULL;

	if (match && load(b, KIND_PV, match, &volume) == 0)
		bind(b, &volume, claim);
	else if (waits && !meta_annotation(claim->object, ANN_SELECTED_NODE))
		tell_waiting(b, claim);
	else if (provisioner && !str_after(provisioner, "kubernetes.io/no-provisioner"))
		ask_provisioner(b, claim, provisioner);
}

static void on_volume_of_claim(const char *name, void *userdata)
{
	struct binder *b = userdata;

	workqueue_add(b->queue, kind_get(KIND_PV), name);
}

static void sync_claim(struct binder *b, const char *key)
{
	_cleanup_subject_ struct subject claim = {.object = NULL};
	const char *volume;

	volumes_of_claim(b->volumes, key, on_volume_of_claim, b);
	if (load(b, KIND_PVC, key, &claim) < 0)
		return;
	volume = str_or(json_string_at(claim.object, "spec", "volumeName", NULL), "");
	if (meta_annotation(claim.object, ANN_BIND_COMPLETED))
		sync_bound_claim(b, &claim);
	else if (*volume)
		sync_named_claim(b, &claim, volume);
	else
		sync_unbound_claim(b, &claim);
}

/* unbindVolume: a claimRef that we filled goes; one that somebody made keeps its name. */
static void unbind_volume(struct binder *b, struct subject *volume)
{
	json_t *spec = json_child(volume->object, "spec");

	if (meta_annotation(volume->object, ANN_BOUND_BY)) {
		meta_annotate(volume->object, ANN_BOUND_BY, NULL);
		(void)json_object_del(spec, "claimRef");
	} else {
		(void)json_object_del(json_child(spec, "claimRef"), "uid");
		(void)json_object_del(json_child(spec, "claimRef"), "resourceVersion");
	}
	save(b, volume);
	set_phase(b, volume, "Available");
}

static bool has_policy(const struct subject *volume, const char *policy)
{
	return streq_null(
		json_string_at(volume->object, "spec", "persistentVolumeReclaimPolicy", NULL),
		policy);
}

/* The claim is gone. External drivers delete; what is asked of in-tree recyclers fails. */
static void release_volume(struct binder *b, struct subject *volume)
{
	if (!streq(phase_of(volume), "Failed"))
		set_phase(b, volume, "Released");
	if (has_policy(volume, "Recycle") && !streq(phase_of(volume), "Failed")) {
		set_phase(b, volume, "Failed");
		emit(b, volume, "Warning", "VolumeFailedRecycle",
			"No recycler plugin found for the volume!");
	}
}

static void sync_claimed_volume(
	struct binder *b, struct subject *volume, const struct subject *claim)
{
	const char *bound_to =
		str_or(json_string_at(claim->object, "spec", "volumeName", NULL), "");

	/* An unbound claim was queued when this volume changed. */
	if (!*bound_to)
		return;
	if (streq(bound_to, volume->key))
		set_phase(b, volume, "Bound");
	else if (meta_annotation(volume->object, ANN_PROVISIONED_BY) &&
		 has_policy(volume, "Delete"))
		release_volume(b, volume);
	else
		unbind_volume(b, volume);
}

static void sync_volume(struct binder *b, const char *name)
{
	_cleanup_subject_ struct subject volume = {.object = NULL}, claim = {.object = NULL};
	char key[META_KEY_MAX];

	if (load(b, KIND_PV, name, &volume) < 0)
		return;
	if (!has_claim_ref(&volume) || !*claim_ref(&volume, "uid")) {
		set_phase(b, &volume, "Available");
		return;
	}
	meta_key(key, claim_ref(&volume, "namespace"), claim_ref(&volume, "name"));
	if (load(b, KIND_PVC, key, &claim) < 0 || !refers_to(&volume, &claim))
		release_volume(b, &volume);
	else
		sync_claimed_volume(b, &volume, &claim);
}

/* One step for one object; the number of writes. */
static unsigned on_work(const struct kind *k, const char *key, void *userdata)
{
	struct binder *b = userdata;

	b->writes = 0;
	if (kind_is(k, KIND_PVC))
		sync_claim(b, key);
	else
		sync_volume(b, key);
	return b->writes;
}

/* Unbound claims wait for a volume, or for their class: all of them look again. */
static void wake_claims(struct binder *b)
{
	const struct kind *k = kind_get(KIND_PVC);

	for (size_t i = 0; i < store_count(b->store, k); i++) {
		const struct revision *r = store_at(b->store, k, i);

		if (!strstr(r->json, "\"" ANN_BIND_COMPLETED "\""))
			workqueue_add(b->queue, k, r->key);
	}
}

static void wake_claim_of(struct binder *b, const json_t *volume)
{
	const json_t *ref = json_at(volume, "spec", "claimRef", NULL);
	char key[META_KEY_MAX];

	if (ref)
		workqueue_add(b->queue, kind_get(KIND_PVC),
			meta_key(key, str_or(json_string_at(ref, "namespace", NULL), ""),
				str_or(json_string_at(ref, "name", NULL), "")));
	else if (streq_null(json_string_at(volume, "status", "phase", NULL), "Available"))
		wake_claims(b);
}

static void on_change(const struct change *c, const json_t *object, void *userdata)
{
	struct binder *b = userdata;

	if (kind_is(c->now->kind, KIND_PVC)) {
		if (c->type == CHANGE_DELETED)
			free(map_removes(&b->told, str_or(meta_string(object, "uid"), "")));
		workqueue_add(b->queue, c->now->kind, c->now->key);
	} else if (kind_is(c->now->kind, KIND_PV)) {
		workqueue_add(b->queue, c->now->kind, c->now->key);
		wake_claim_of(b, object);
	} else if (kind_is(c->now->kind, KIND_CLASS)) {
		wake_claims(b);
	}
}

int binder_new(struct binder **ret, struct loop *l, struct store *s,
	const struct workqueue_options *options)
{
	_cleanup_(binder_freep) struct binder *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->store = s;
	b->told = MAP_NULL(told_key);
	r = volumes_new(&b->volumes, s);
	if (r < 0)
		return r;
	r = workqueue_new(&b->queue, l, options, on_work, b);
	if (r < 0)
		return r;
	r = store_subscribe(s, on_change, b);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(b);
	return 0;
}

struct binder *binder_free(struct binder *b)
{
	struct told *t;

	if (!b)
		return NULL;
	MAP_FOREACH (&b->told, t)
		free(t);
	map_done(&b->told);
	workqueue_free(b->queue);
	volumes_free(b->volumes);
	free(b);
	return NULL;
}
