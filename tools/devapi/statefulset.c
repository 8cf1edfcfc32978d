/* SPDX-License-Identifier: Apache-2.0 */
/* statefulset.c: <template>-<set>-<n>, the claims of a StatefulSet */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/controllers.h"
#include "tools/devapi/meta.h"
#include "tools/devapi/rules.h"

/* More replicas than that are a mistake in a test. */
#define REPLICAS_MAX 10000

static json_t *claim_new(const json_t *set, const json_t *template)
{
	json_t *claim =
		json_pack("{s:{},s:O}", "metadata", "spec", json_object_get(template, "spec"));
	json_t *labels = json_deep_copy(json_at(set, "spec", "selector", "matchLabels", NULL));
	json_t *own = json_deep_copy(json_at(template, "metadata", "labels", NULL));
	json_t *annotations = json_deep_copy(json_at(template, "metadata", "annotations", NULL));

	if (own && labels)
		(void)json_object_update(own, labels);
	if (own || labels)
		(void)json_object_set(meta_of(claim), "labels", own ? own : labels);
	if (annotations)
		(void)json_object_set(meta_of(claim), "annotations", annotations);
	json_decref(labels);
	json_decref(own);
	json_decref(annotations);
	return claim;
}

static void make_claim(struct store *s, const json_t *set, const json_t *template, json_int_t n)
{
	const struct kind *k = kind_get(KIND_PVC);
	const char *ns = str_or(meta_string(set, "namespace"), "");
	_cleanup_json_ json_t *shared = claim_new(set, template);
	_cleanup_json_ json_t *claim = json_deep_copy(shared);
	char name[META_NAME_MAX], key[META_KEY_MAX];
	struct reply refusal = {.code = 0};

	(void)snprintf(name, sizeof(name), "%.100s-%.100s-%lld",
		str_or(meta_string(template, "name"), ""), str_or(meta_string(set, "name"), ""),
		(long long)n);
	meta_key(key, ns, name);
	if (!claim || store_get(s, k, key))
		return;
	if (rules_create(s, k, claim, name, &refusal) == 0) {
		meta_create(k, claim, ns, name);
		(void)store_commit(s, CHANGE_ADDED, k, key, claim);
	}
	reply_done(&refusal);
}

void statefulset_claims(struct store *s, const char *key)
{
	const struct revision *r = store_get(s, kind_get(KIND_STATEFULSET), key);
	_cleanup_json_ json_t *set = r ? revision_parse(r) : NULL;
	const json_t *replicas = json_at(set, "spec", "replicas", NULL);
	json_int_t n = replicas ? json_integer_value(replicas) : 1;
	size_t i;
	json_t *template;

	if (!set || meta_deleting(set) || n > REPLICAS_MAX)
		return;
	json_array_foreach (json_at(set, "spec", "volumeClaimTemplates", NULL), i, template)
		for (json_int_t at = 0; at < n; at++)
			make_claim(s, set, template, at);
}
