/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c: the log of writes and the times of claims */
#include "tools/devapi/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/meta.h"

#define ENTRIES_MAX 1000000
#define CLAIMS_MAX 200000

struct entry {
	struct journal_entry e;
	char *key;
};

struct claim_times {
	char uid[40];
	char *claim;
	uint64_t created, asked, volume, bound;
};

struct journal {
	struct entry *entries;
	size_t n, cap, lost;
	struct claim_times **claims; /* in order of creation */
	size_t n_claims, cap_claims;
	struct map by_uid;
};

static struct map_key claim_key(const void *value)
{
	return map_key_str(((const struct claim_times *)value)->uid);
}

static void claim_free(struct claim_times *c)
{
	free(c->claim);
	free(c);
}

void journal_reset(struct journal *j)
{
	for (size_t i = 0; i < j->n; i++)
		free(j->entries[i].key);
	for (size_t i = 0; i < j->n_claims; i++)
		claim_free(j->claims[i]);
	map_done(&j->by_uid);
	j->by_uid = MAP_NULL(claim_key);
	j->n = j->lost = j->n_claims = 0;
}

struct journal *journal_free(struct journal *j)
{
	if (!j)
		return NULL;
	journal_reset(j);
	free(j->entries);
	free(j->claims);
	free(j);
	return NULL;
}

static int grow(void **list, size_t n, size_t *cap, size_t item)
{
	size_t wanted = *cap ? *cap * 2 : 256;
	void *fresh;

	if (n < *cap)
		return 0;
	fresh = reallocarray(*list, wanted, item);
	if (!fresh)
		return -ENOMEM;
	*list = fresh;
	*cap = wanted;
	return 0;
}

void journal_add(struct journal *j, const struct journal_entry *e, const char *key)
{
	void *list = j->entries;
	char *copy = NULL;

	if (j->n >= ENTRIES_MAX || grow(&list, j->n, &j->cap, sizeof(*j->entries)) < 0) {
		j->lost++;
		return;
	}
	j->entries = list;
	copy = strdup(key);
	/* Keys come from URLs too; this way none needs escaping. */
	for (char *p = copy; p && *p; p++)
		if (*p == '"' || *p == '\\' || (unsigned char)*p < 0x20)
			*p = '?';
	if (copy)
		j->entries[j->n++] = (struct entry){*e, copy};
	else
		j->lost++;
}

static void claim_add(struct journal *j, const struct revision *r, const char *uid)
{
	void *list = j->claims;
	struct claim_times *c;

	if (j->n_claims >= CLAIMS_MAX ||
		grow(&list, j->n_claims, &j->cap_claims, sizeof(*j->claims)) < 0)
		return;
	j->claims = list;
	c = calloc(1, sizeof(*c));
	if (!c)
		return;
	c->claim = strdup(r->key);
	if (!c->claim || str_copy(c->uid, sizeof(c->uid), uid) < 0 || map_add(&j->by_uid, c) < 0) {
		claim_free(c);
		return;
	}
	c->created = clock_now();
	j->claims[j->n_claims++] = c;
}

static void note(uint64_t *when)
{
	if (*when == 0)
		*when = clock_now();
}

static void on_claim(struct journal *j, const struct change *c, const json_t *object)
{
	const char *uid = meta_string(object, "uid");
	struct claim_times *t;

	if (!uid || c->type == CHANGE_DELETED)
		return;
	if (c->type == CHANGE_ADDED)
		claim_add(j, c->now, uid);
	t = map_gets(&j->by_uid, uid);
	if (!t)
		return;
	if (meta_annotation(object, "volume.kubernetes.io/storage-provisioner"))
		note(&t->asked);
	if (streq_null(json_string_at(object, "status", "phase", NULL), "Bound"))
		note(&t->bound);
}

static void on_volume(struct journal *j, const json_t *object)
{
	const char *uid = json_string_at(object, "spec", "claimRef", "uid", NULL);
	struct claim_times *t = uid ? map_gets(&j->by_uid, uid) : NULL;

	if (t)
		note(&t->volume);
}

static void on_change(const struct change *c, const json_t *object, void *userdata)
{
	struct journal *j = userdata;

	if (kind_is(c->now->kind, KIND_PVC))
		on_claim(j, c, object);
	else if (kind_is(c->now->kind, KIND_PV) && c->type == CHANGE_ADDED)
		on_volume(j, object);
}

int journal_new(struct journal **ret, struct store *s)
{
	_cleanup_(journal_freep) struct journal *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return -ENOMEM;
	j->by_uid = MAP_NULL(claim_key);
	r = store_subscribe(s, on_change, j);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(j);
	return 0;
}

static int put_entry(struct buf *out, const struct journal_entry *e, const char *key)
{
	const char *slash = *e->subresource ? "/" : "";

	return buf_printf(out,
		"\n{\"t\":%" PRIu64 ",\"done\":%" PRIu64
		",\"verb\":\"%s\",\"resource\":\"%s\",\"subresource\":\"%s\",\"key\":\"%s\","
		"\"path\":\"%s/%s%s%s\",\"code\":%u}",
		e->arrived_ns, e->done_ns, e->verb, e->kind->plural, e->subresource, key,
		e->kind->plural, key, slash, e->subresource, e->code);
}

int journal_writes(const struct journal *j, struct buf *out)
{
	int r = buf_puts(out, "[");

	for (size_t i = 0; i < j->n && r >= 0; i++) {
		r = i > 0 ? buf_puts(out, ",") : 0;
		if (r >= 0)
			r = put_entry(out, &j->entries[i].e, j->entries[i].key);
	}
	return r < 0 ? r : buf_puts(out, "]\n");
}

json_t *journal_summary(const struct journal *j)
{
	json_t *sums = json_object();
	char text[160];

	for (size_t i = 0; i < j->n; i++) {
		const struct journal_entry *e = &j->entries[i].e;
		json_t *old;

		(void)snprintf(text, sizeof(text), "%s %s%s%s %u", e->verb, e->kind->plural,
			*e->subresource ? "/" : "", e->subresource, e->code);
		old = json_object_get(sums, text);
		if (old)
			(void)json_integer_set(old, json_integer_value(old) + 1);
		else
			(void)json_object_set_new(sums, text, json_integer(1));
	}
	return sums;
}

int journal_times(const struct journal *j, struct buf *out)
{
	int r = buf_puts(out, "{\"items\":[");

	for (size_t i = 0; i < j->n_claims && r >= 0; i++) {
		const struct claim_times *c = j->claims[i];

		r = buf_printf(out,
			"%s\n{\"claim\":\"%s\",\"uid\":\"%s\",\"created\":%" PRIu64
			",\"asked\":%" PRIu64 ",\"volume\":%" PRIu64 ",\"bound\":%" PRIu64 "}",
			i ? "," : "", c->claim, c->uid, c->created, c->asked, c->volume, c->bound);
	}
	return r < 0 ? r : buf_puts(out, "]}\n");
}
