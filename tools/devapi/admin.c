/* SPDX-License-Identifier: Apache-2.0 */
/* admin.c: the test's side of devapi */
#include "tools/devapi/admin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "data/decode.h"

#define TEXT_MAX ((size_t)1 << 30)

typedef void (*admin_fn)(struct api *a, struct http_exchange *x);

static void reply_owned(struct http_exchange *x, json_t *json)
{
	http_reply_json(x, 200, json);
	json_decref(json);
}

static int read_body(struct http_exchange *x, json_t **ret)
{
	struct err e = ERR_NULL;
	size_t size;
	const char *text = http_body(x, &size);

	if (data_json_load(text, size, ret, &e) == 0)
		return 0;
	http_reply_text(x, 400, e.text);
	return -1;
}

static void on_add_faults(struct api *a, struct http_exchange *x)
{
	_cleanup_json_ json_t *rules = NULL;
	struct err e = ERR_NULL;

	if (read_body(x, &rules) < 0)
		return;
	if (faults_add(a->faults, rules, &e) < 0)
		http_reply_text(x, 400, e.text);
	else
		reply_owned(x, faults_list(a->faults));
}

static void on_list_faults(struct api *a, struct http_exchange *x)
{
	reply_owned(x, faults_list(a->faults));
}

static void on_clear_faults(struct api *a, struct http_exchange *x)
{
	faults_clear(a->faults);
	http_reply_text(x, 200, "ok\n");
}

static void on_hit_watches(struct api *a, struct http_exchange *x)
{
	_cleanup_json_ json_t *rule = NULL;
	struct err e = ERR_NULL;
	struct fault f;

	if (read_body(x, &rule) < 0)
		return;
	if (fault_parse(&f, rule, &e) < 0)
		http_reply_text(x, 400, e.text);
	else
		reply_owned(x, json_pack("{s:i}", "watches", (int)watches_hit(a->watches, &f)));
}

static void on_compact(struct api *a, struct http_exchange *x)
{
	store_compact(a->store);
	http_reply_text(x, 200, "ok\n");
}

static void reply_buf(struct http_exchange *x, struct buf *b, int r)
{
	size_t size = b->len;

	if (r < 0)
		http_reply_text(x, 500, "no memory\n");
	else
		http_reply_take(x, 200, "application/json", buf_take(b), size, NULL);
}

static void on_writes(struct api *a, struct http_exchange *x)
{
	_cleanup_buf_ struct buf b = BUF_NULL(TEXT_MAX);

	reply_buf(x, &b, journal_writes(a->journal, &b));
}

static void on_summary(struct api *a, struct http_exchange *x)
{
	reply_owned(x, journal_summary(a->journal));
}

static void on_times(struct api *a, struct http_exchange *x)
{
	_cleanup_buf_ struct buf b = BUF_NULL(TEXT_MAX);

	reply_buf(x, &b, journal_times(a->journal, &b));
}

static void on_reset_writes(struct api *a, struct http_exchange *x)
{
	journal_reset(a->journal);
	http_reply_text(x, 200, "ok\n");
}

static void on_state(struct api *a, struct http_exchange *x)
{
	json_t *counts = json_object();

	for (size_t i = 0; i < kinds_n; i++)
		if (store_count(a->store, &kinds[i]) > 0)
			(void)json_object_set_new(counts, kinds[i].plural,
				json_integer((json_int_t)store_count(a->store, &kinds[i])));
	reply_owned(
		x, json_pack("{s:I,s:I,s:I,s:o}", "resourceVersion", (json_int_t)store_rv(a->store),
			   "watches", (json_int_t)watches_count(a->watches), "now",
			   (json_int_t)clock_now(), "objects", counts));
}

static const struct {
	const char *method, *path;
	admin_fn fn;
} routes[] = {{"POST", "/devapi/faults", on_add_faults}, {"GET", "/devapi/faults", on_list_faults},
	{"DELETE", "/devapi/faults", on_clear_faults}, {"POST", "/devapi/watches", on_hit_watches},
	{"POST", "/devapi/compact", on_compact}, {"GET", "/devapi/writes", on_writes},
	{"GET", "/devapi/summary", on_summary}, {"GET", "/devapi/times", on_times},
	{"POST", "/devapi/reset-writes", on_reset_writes}, {"GET", "/devapi/state", on_state}};

void admin_request(struct api *a, struct http_exchange *x)
{
	for (size_t i = 0; i < ELEMENTSOF(routes); i++)
		if (streq(routes[i].path, http_path(x)) &&
			streq(routes[i].method, http_method(x))) {
			routes[i].fn(a, x);
			return;
		}
	http_reply_text(x, 404, "no such thing beneath /devapi; see devapi --help\n");
}
