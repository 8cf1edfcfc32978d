/* SPDX-License-Identifier: Apache-2.0 */
/* test_devapi_store.c: revisions, history, subscribers and selections */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "data/decode.h"
#include "tests/unit/fault.h"
#include "tools/devapi/meta.h"
#include "tools/devapi/select.h"
#include "tools/devapi/store.h"

static int put(
	struct store *s, enum kind_id id, const char *ns, const char *name, const char *label)
{
	_cleanup_json_ json_t *o =
		json_pack("{s:{s:s,s:{s:s}}}", "metadata", "name", name, "labels", "app", label);
	char key[META_KEY_MAX];

	if (!o)
		return -ENOMEM;
	meta_key(key, ns, name);
	return store_commit(s, store_get(s, kind_get(id), key) ? CHANGE_MODIFIED : CHANGE_ADDED,
		kind_get(id), key, o);
}

static int drop(struct store *s, enum kind_id id, const char *key)
{
	return object_delete(s, kind_get(id), key);
}

static void test_revisions(void **state)
{
	_cleanup_(store_freep) struct store *s = NULL;
	struct revision *r;
	const struct kind *pvc = kind_get(KIND_PVC);

	(void)state;
	assert_int_equal(store_new(&s, 10), 0);
	assert_int_equal(put(s, KIND_PVC, "ns", "b", "x"), 0);
	assert_int_equal(put(s, KIND_PVC, "ns", "a", "x"), 0);
	assert_int_equal(put(s, KIND_PV, "", "a", "x"), 0);
	assert_int_equal(store_rv(s), 3);
	r = store_get(s, pvc, "ns/b");
	assert_non_null(r);
	assert_int_equal(r->rv, 1);
	assert_string_equal(r->name, "b");
	assert_int_equal(r->ns_len, 2);
	assert_string_equal(r->json,
		"{\"kind\":\"PersistentVolumeClaim\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		"\"b\",\"labels\":{\"app\":\"x\"},\"resourceVersion\":\"1\"}}");
	assert_int_equal(strlen(r->json), r->size);
	assert_true(str_after(r->json + r->head, "\"metadata\":") != NULL);
	assert_string_equal(store_at(s, pvc, 0)->name, "a");
	assert_int_equal(store_count(s, pvc), 2);
	assert_int_equal(store_seek(s, pvc, "ns/aa"), 1);
	assert_int_equal(store_seek(s, pvc, "z"), 2);
	assert_null(store_get(s, pvc, "ns/c"));
}

static void test_old_revisions_live_as_long_as_needed(void **state)
{
	_cleanup_(store_freep) struct store *s = NULL;
	struct revision *old;

	(void)state;
	assert_int_equal(store_new(&s, 2), 0);
	assert_int_equal(put(s, KIND_PV, "", "a", "1"), 0);
	old = revision_ref(store_get(s, kind_get(KIND_PV), "a"));
	for (int i = 0; i < 5; i++)
		assert_int_equal(put(s, KIND_PV, "", "a", "2"), 0);
	assert_non_null(strstr(old->json, "\"app\":\"1\""));
	revision_unref(old);
}

static void test_history(void **state)
{
	_cleanup_(store_freep) struct store *s = NULL;
	size_t i = 99;

	(void)state;
	assert_int_equal(store_new(&s, 3), 0);
	assert_int_equal(store_history_after(s, 0, &i), 0);
	assert_int_equal(i, store_history_n(s));
	for (int n = 0; n < 3; n++)
		assert_int_equal(put(s, KIND_PV, "", "a", "x"), 0);
	assert_int_equal(store_history_after(s, 0, &i), 0);
	assert_int_equal(i, 0);
	assert_int_equal(drop(s, KIND_PV, "a"), 1);
	/* Revision 1 is forgotten: from 0 on something is missing, from 1 on nothing. */
	assert_int_equal(store_history_after(s, 0, &i), -ERANGE);
	assert_int_equal(store_history_after(s, 1, &i), 0);
	assert_int_equal(store_history_at(s, i)->now->rv, 2);
	assert_int_equal(store_history_after(s, 3, &i), 0);
	assert_int_equal(store_history_at(s, i)->type, CHANGE_DELETED);
	assert_int_equal(store_history_at(s, i)->now->rv, 4);
	assert_int_equal(store_history_after(s, 4, &i), 0);
	assert_int_equal(i, store_history_n(s));
	store_compact(s);
	assert_int_equal(store_history_after(s, 3, &i), -ERANGE);
	assert_int_equal(store_history_after(s, 4, &i), 0);
}

static void on_change(const struct change *c, const json_t *object, void *userdata)
{
	struct buf *seen = userdata;

	assert_int_equal(
		buf_printf(seen, "%d%s%s:%s ", (int)c->type, c->now->key, c->before ? "+" : "",
			str_or(json_string_at(object, "metadata", "labels", "app", NULL), "-")),
		0);
}

static void test_subscribers(void **state)
{
	_cleanup_buf_ struct buf seen = BUF_NULL(1000);
	_cleanup_(store_freep) struct store *s = NULL;

	(void)state;
	assert_int_equal(store_new(&s, 10), 0);
	assert_int_equal(store_subscribe(s, on_change, &seen), 0);
	assert_int_equal(put(s, KIND_PV, "", "a", "x"), 0);
	assert_int_equal(put(s, KIND_PV, "", "a", "y"), 0);
	assert_int_equal(drop(s, KIND_PV, "a"), 1);
	assert_string_equal(seen.data, "0a:x 1a+:y 2a+:y ");
	for (int i = 1; i < STORE_SUBSCRIBERS; i++)
		assert_int_equal(store_subscribe(s, on_change, &seen), 0);
	assert_int_equal(store_subscribe(s, on_change, &seen), -ENOBUFS);
}

static void test_finalizers_hold(void **state)
{
	_cleanup_(store_freep) struct store *s = NULL;
	_cleanup_json_ json_t *o = json_pack("{s:{s:s,s:[s,s]}}", "metadata", "name", "a",
				      "finalizers", "x/one", "x/two"),
			      *now = NULL;
	const struct kind *pv = kind_get(KIND_PV);
	const struct change *last;

	(void)state;
	assert_int_equal(store_new(&s, 10), 0);
	assert_int_equal(store_commit(s, CHANGE_ADDED, pv, "a", o), 0);
	assert_int_equal(object_delete(s, pv, "a"), 0);
	assert_int_equal(object_delete(s, pv, "a"), 0);
	assert_int_equal(store_rv(s), 2);
	now = revision_parse(store_get(s, pv, "a"));
	assert_true(meta_deleting(now));
	meta_remove_finalizer(now, "x/one");
	assert_int_equal(object_update(s, pv, "a", now), 0);
	meta_remove_finalizer(now, "x/two");
	assert_int_equal(object_update(s, pv, "a", now), 1);
	assert_null(store_get(s, pv, "a"));
	assert_int_equal(object_delete(s, pv, "a"), -ENOENT);
	/* What is shown is what was stored last, with the version of the deletion. */
	last = store_history_at(s, store_history_n(s) - 1);
	assert_int_equal(last->type, CHANGE_DELETED);
	assert_int_equal(last->now->rv, 4);
	assert_non_null(strstr(last->now->json, "x/two"));
}

static bool matches(struct store *s, const char *fields, const char *labels)
{
	struct selection sel = {.kind = kind_get(KIND_PVC)};

	assert_int_equal(select_parse_fields(&sel, fields), 0);
	assert_int_equal(select_parse_labels(&sel, labels), 0);
	return select_matches(&sel, store_get(s, kind_get(KIND_PVC), "ns/a"));
}

static void test_selection(void **state)
{
	_cleanup_(store_freep) struct store *s = NULL;

	(void)state;
	assert_int_equal(store_new(&s, 10), 0);
	assert_int_equal(put(s, KIND_PVC, "ns", "a", "web"), 0);
	assert_true(matches(s, "", ""));
	assert_true(matches(s, "metadata.name=a", "app=web"));
	assert_true(matches(s, "metadata.namespace=ns,metadata.name==a", "app==web,app"));
	assert_false(matches(s, "metadata.namespace=n", ""));
	assert_false(matches(s, "metadata.name=b", ""));
	assert_false(matches(s, "metadata.name!=a", ""));
	assert_false(matches(s, "", "app=db"));
	assert_true(matches(s, "", "app!=db,!none,other!=x"));
	assert_true(matches(s, "", "app in (db,web),app notin (x)"));
	assert_false(matches(s, "", "app notin (db, web)"));
	assert_false(matches(s, "", "none in (web)"));
	assert_false(matches(s, "", "!app"));
}

static void test_bad_selectors(void **state)
{
	static const char *const labels[] = {"=x", "a b", "a in", "a in (b", "a===b", "a=b c"};
	struct selection sel = {.kind = kind_get(KIND_PVC)};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(labels); i++)
		assert_int_equal(select_parse_labels(&sel, labels[i]), -EINVAL);
	assert_int_equal(select_parse_fields(&sel, "spec.volumeName=x"), -EINVAL);
	sel = (struct selection){.kind = kind_get(KIND_EVENT)};
	assert_int_equal(select_parse_fields(&sel, "involvedObject.uid=x,reason=y"), 0);
	assert_int_equal(sel.n_fields, 2);
}

static void test_memory(void **state)
{
	(void)state;
	json_set_alloc_funcs(malloc, free);
	FAULT_LOOP
	{
		_cleanup_(store_freep) struct store *s = NULL;
		int r = store_new(&s, 4);

		if (r == 0)
			r = put(s, KIND_PV, "", "a", "x");
		if (r == 0)
			assert_non_null(store_get(s, kind_get(KIND_PV), "a"));
		assert_true(r == 0 || r == -ENOMEM);
		if (!fault_fired())
			assert_int_equal(r, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_revisions),
		cmocka_unit_test(test_old_revisions_live_as_long_as_needed),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_subscribers),
		cmocka_unit_test(test_finalizers_hold),
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_bad_selectors),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
