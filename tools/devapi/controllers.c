/* SPDX-License-Identifier: Apache-2.0 */
/* controllers.c: finalizers of pvc-protection and pv-protection, and the end of namespaces */
#include "tools/devapi/controllers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/meta.h"
#include "tools/devapi/workqueue.h"

struct controllers {
	struct store *store;
	struct workqueue *queue;
};

static bool pod_uses(const struct revision *pod, const char *claim)
{
	_cleanup_json_ json_t *object = revision_parse(pod);
	const char *phase = json_string_at(object, "status", "phase", NULL);
	size_t i;
	json_t *v;

	if (streq_null(phase, "Succeeded") || streq_null(phase, "Failed"))
		return false;
	json_array_foreach (json_at(object, "spec", "volumes", NULL), i, v)
		if (streq_null(
			    json_string_at(v, "persistentVolumeClaim", "claimName", NULL), claim))
			return true;
	return false;
}

static bool claim_in_use(const struct store *s, const struct revision *claim)
{
	const struct kind *pods = kind_get(KIND_POD);

	for (size_t i = 0; i < store_count(s, pods); i++) {
		const struct revision *pod = store_at(s, pods, i);

		if (pod->ns_len == claim->ns_len &&
			memcmp(pod->key, claim->key, pod->ns_len) == 0 &&
			pod_uses(pod, claim->name))
			return true;
	}
	return false;
}

static void keep_finalizer(struct store *s, const struct revision *r, const char *finalizer)
{
	_cleanup_json_ json_t *object = revision_parse(r);
	char key[META_KEY_MAX];

	(void)str_copy_cut(key, sizeof(key), r->key);
	/* The protection controllers put back what somebody took away. */
	if (!meta_deleting(object) && !meta_has_finalizer(object, finalizer)) {
		meta_add_finalizer(object, finalizer);
		(void)object_update(s, r->kind, key, object);
		return;
	}
	if (!meta_deleting(object) || !meta_has_finalizer(object, finalizer))
		return;
	/* kubernetes: pv-protection holds a volume while it is bound. */
	if (kind_is(r->kind, KIND_PV) &&
		streq_null(json_string_at(object, "status", "phase", NULL), "Bound"))
		return;
	meta_remove_finalizer(object, finalizer);
	(void)object_update(s, r->kind, key, object);
}

static bool in_namespace(const struct revision *r, const char *ns)
{
	return r->ns_len == strlen(ns) && memcmp(r->key, ns, r->ns_len) == 0;
}

/* Deletes what a namespace holds of one kind; whether something is left. */
static bool empty_kind(struct store *s, const struct kind *k, const char *ns)
{
	size_t i = 0;
	bool left = false;

	if (!(k->flags & KIND_NAMESPACED))
		return false;
	while (i < store_count(s, k)) {
		const struct revision *r = store_at(s, k, i);
		char key[META_KEY_MAX];

		(void)str_copy_cut(key, sizeof(key), r->key);
		if (!in_namespace(r, ns)) {
			i++;
		} else if (object_delete(s, k, key) != 1) {
			left = true;
			i++;
		}
	}
	return left;
}

static void end_namespace(struct store *s, const char *ns)
{
	const struct revision *r = store_get(s, kind_get(KIND_NAMESPACE), ns);
	_cleanup_json_ json_t *object = r ? revision_parse(r) : NULL;
	bool left = false;

	if (!meta_deleting(object))
		return;
	for (size_t i = 0; i < kinds_n; i++)
		left = empty_kind(s, &kinds[i], ns) || left;
	if (left)
		return;
	(void)json_object_del(json_child(object, "spec"), "finalizers");
	(void)object_update(s, kind_get(KIND_NAMESPACE), ns, object);
}

static unsigned on_work(const struct kind *k, const char *key, void *userdata)
{
	struct controllers *c = userdata;
	const struct revision *r = store_get(c->store, k, key);

	if (kind_is(k, KIND_NAMESPACE))
		end_namespace(c->store, key);
	else if (kind_is(k, KIND_STATEFULSET))
		statefulset_claims(c->store, key);
	else if (r && kind_is(k, KIND_PVC) && !claim_in_use(c->store, r))
		keep_finalizer(c->store, r, FINALIZER_PVC);
	else if (r && kind_is(k, KIND_PV))
		keep_finalizer(c->store, r, FINALIZER_PV);
	return 0;
}

/* A pod's end may free claims. */
static void wake_deleted_claims(struct controllers *c)
{
	const struct kind *k = kind_get(KIND_PVC);

	for (size_t i = 0; i < store_count(c->store, k); i++) {
		const struct revision *r = store_at(c->store, k, i);

		if (strstr(r->json, "\"deletionTimestamp\":"))
			workqueue_add(c->queue, k, r->key);
	}
}

static void wake_namespace(struct controllers *c, const struct revision *r)
{
	const struct revision *ns;
	char name[META_NS_MAX] = "";

	if (r->ns_len == 0 || r->ns_len >= sizeof(name))
		return;
	memcpy(name, r->key, r->ns_len);
	ns = store_get(c->store, kind_get(KIND_NAMESPACE), name);
	if (ns && strstr(ns->json, "\"deletionTimestamp\":"))
		workqueue_add(c->queue, ns->kind, name);
}

static bool wants_finalizer(const struct kind *k, const json_t *object)
{
	if (kind_is(k, KIND_PVC))
		return !meta_has_finalizer(object, FINALIZER_PVC);
	return kind_is(k, KIND_PV) && !meta_has_finalizer(object, FINALIZER_PV);
}

static void on_change(const struct change *ch, const json_t *object, void *userdata)
{
	struct controllers *c = userdata;
	const struct kind *k = ch->now->kind;

	if (ch->type == CHANGE_DELETED) {
		wake_namespace(c, ch->now);
		if (kind_is(k, KIND_POD))
			wake_deleted_claims(c);
		return;
	}
	if (kind_is(k, KIND_STATEFULSET) || wants_finalizer(k, object) ||
		((kind_is(k, KIND_PVC) || kind_is(k, KIND_PV) || kind_is(k, KIND_NAMESPACE)) &&
			meta_deleting(object)))
		workqueue_add(c->queue, k, ch->now->key);
	else if (kind_is(k, KIND_POD))
		wake_deleted_claims(c);
}

int controllers_new(struct controllers **ret, struct loop *l, struct store *s)
{
	_cleanup_(controllers_freep) struct controllers *c = calloc(1, sizeof(*c));
	struct workqueue_options at_once = {.delay_ns = 0};
	int r;

	if (!c)
		return -ENOMEM;
	c->store = s;
	r = workqueue_new(&c->queue, l, &at_once, on_work, c);
	if (r < 0)
		return r;
	r = store_subscribe(s, on_change, c);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

struct controllers *controllers_free(struct controllers *c)
{
	if (!c)
		return NULL;
	workqueue_free(c->queue);
	free(c);
	return NULL;
}
