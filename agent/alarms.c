/* SPDX-License-Identifier: Apache-2.0 */
/* alarms.c: who is told that a mount went bad */
#include "agent/alarms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/str.h"
#include "data/decode.h"

#define LOOKUPS_MAX 64
#define TEXT_MAX 800
#define PATH_BYTES 900

/* A PV on its way to an event. */
struct lookup {
	struct list link;
	struct alarms *a;
	struct kube_request *request;
	bool warning, pod_told;
	char volume[254];
	char text[TEXT_MAX];
};

struct alarms {
	struct kube_client *client;
	struct kube_events *events;
	char *node;
	struct list lookups;
	unsigned n_lookups;
};

static const char *reason_of(bool warning)
{
	return warning ? "VolumeConditionAbnormal" : "VolumeConditionNormal";
}

static void lookup_free(struct lookup *k)
{
	list_remove(&k->link);
	k->a->n_lookups--;
	kube_request_cancel(k->request);
	free(k);
}

static void tell(struct lookup *k, const struct kube_event_target *t)
{
	kube_event(k->a->events, t, k->warning, reason_of(k->warning), "%s", k->text);
}

/* Where the pod's name is not known, its claim is what its user looks at. */
static void tell_claim(struct lookup *k, const json_t *pv)
{
	const json_t *ref = json_at(pv, "spec", "claimRef", NULL);
	const char *namespace_ = json_string_at(ref, "namespace", NULL);
	const char *name = json_string_at(ref, "name", NULL);

	if (namespace_ && name)
		tell(k, &(struct kube_event_target){.kind = "PersistentVolumeClaim",
				.api = "v1",
				.namespace_ = namespace_,
				.name = name,
				.uid = str_or(json_string_at(ref, "uid", NULL), "")});
}

static void on_volume(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct lookup *k = userdata;
	const char *uid = json_string_at(res->object, "metadata", "uid", NULL);

	(void)q;
	k->request = NULL;
	/* An inline volume has no PV, and a PV may be gone: then there is none to tell it on. */
	if (res->status == KUBE_OK && uid) {
		tell(k, &(struct kube_event_target){.kind = "PersistentVolume",
				.api = "v1",
				.namespace_ = "",
				.name = k->volume,
				.uid = uid});
		if (!k->pod_told)
			tell_claim(k, res->object);
	}
	lookup_free(k);
}

static void look_up(struct alarms *a, const struct mounts_entry *e, const struct lookup *how)
{
	char name[800], path[PATH_BYTES];
	struct lookup *k;

	if (a->n_lookups >= LOOKUPS_MAX || kube_escape(name, sizeof(name), e->volume) < 0 ||
		str_format(path, sizeof(path), "/api/v1/persistentvolumes/%s", name) < 0)
		return;
	k = malloc(sizeof(*k));
	if (!k)
		return;
	*k = *how;
	list_init(&k->link);
	list_append(&a->lookups, &k->link);
	a->n_lookups++;
	if (str_copy(k->volume, sizeof(k->volume), e->volume) < 0 ||
		kube_request_json(a->client, KUBE_GET, path, NULL, on_volume, k, &k->request) < 0)
		lookup_free(k);
}

static bool tell_pod(struct alarms *a, const struct lookup *k, const struct mounts_publication *p)
{
	if (!p || str_empty(p->pod_name) || str_empty(p->pod_namespace))
		return false;
	kube_event(a->events,
		&(struct kube_event_target){.kind = "Pod",
			.api = "v1",
			.namespace_ = p->pod_namespace,
			.name = p->pod_name,
			.uid = str_or(p->pod_uid, "")},
		k->warning, reason_of(k->warning), "%s", k->text);
	return true;
}

void alarms_changed(struct alarms *a, const struct mounts_entry *e, enum mounts_state old,
	const struct mounts_publication *p)
{
	bool was_bad = old != MOUNTS_OK && old != _MOUNTS_STATE_MAX;
	struct lookup k = {.a = a, .warning = e->state != MOUNTS_OK};

	if (!*e->volume || (!k.warning && !was_bad))
		return;
	if (k.warning)
		(void)snprintf(k.text, sizeof(k.text), "volume %s on node %s is %s: %s: %s",
			e->volume, a->node, mounts_state_name(e->state), e->source, e->why);
	else
		(void)snprintf(k.text, sizeof(k.text), "volume %s on node %s is well again: %s",
			e->volume, a->node, e->source);
	k.pod_told = tell_pod(a, &k, p);
	look_up(a, e, &k);
}

int alarms_new(struct alarms **ret, struct kube_client *c, struct kube_events *ev, const char *node)
{
	_cleanup_(alarms_freep) struct alarms *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->client = c;
	a->events = ev;
	list_init(&a->lookups);
	a->node = strdup(node);
	if (!a->node)
		return -ENOMEM;
	*ret = TAKE_PTR(a);
	return 0;
}

struct alarms *alarms_free(struct alarms *a)
{
	if (!a)
		return NULL;
	LIST_FOREACH (&a->lookups, it)
		lookup_free(LIST_ENTRY(it, struct lookup, link));
	free(a->node);
	free(a);
	return NULL;
}
