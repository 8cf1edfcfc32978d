/* SPDX-License-Identifier: Apache-2.0 */
/* admin_watch.c: rows as they were last told, compared with rows as they are */
#include "agent/admin_watch.h"

#include <errno.h>
#include <malloc.h>

#include "agent/admin_json.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/str.h"
#include "data/decode.h"

/* A listing costs milliseconds with thousands of mounts: told changes wait for more of them. */
#define CHANGED_PAUSE MILLISECONDS(200)
/* Changes that nobody told. */
#define LOOK_EVERY SECONDS(1)
/* A watcher that reads has this long a moment's absence; 5,000 mounts are 2 MiB of rows. */
#define BACKLOG_MAX (256U << 10)

struct watcher {
	struct list item;
	struct http_exchange *x;
	unsigned kinds; /* 1 << enum admin_kind */
};

struct admin_watch {
	struct loop *loop;
	const struct view *view;
	struct timer *look;
	struct list watchers;
	unsigned n;
	json_t *told[_ADMIN_KIND_MAX]; /* key -> row; NULL while nobody watches */
	bool hurried;
};

static int parse_kinds(const char *names, unsigned *ret)
{
	*ret = 0;
	if (!names) {
		*ret = (1U << _ADMIN_KIND_MAX) - 1;
		return 0;
	}
	while (true) {
		const size_t n = strcspn(names, ",");
		int k = 0;

		while (k < _ADMIN_KIND_MAX && (strlen(admin_kind_name(k)) != n ||
						      strncmp(admin_kind_name(k), names, n) != 0))
			k++;
		if (k == _ADMIN_KIND_MAX)
			return -EINVAL;
		*ret |= 1U << k;
		if (!names[n])
			return 0;
		names += n + 1;
	}
}

static struct watcher *watcher_free(struct admin_watch *w, struct watcher *one)
{
	list_remove(&one->item);
	w->n--;
	free(one);
	return NULL;
}

static void drop(struct admin_watch *w, struct watcher *one, const char *why)
{
	log_info("admin socket: a watcher is dropped: %s", why);
	http_abort(one->x);
	watcher_free(w, one);
}

/* Takes line. One that cannot be told is not told to anybody: the next comparison tries again. */
static void tell(struct admin_watch *w, enum admin_kind k, json_t *line)
{
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	size_t n;

	json_decref(line);
	if (!text)
		return;
	n = strlen(text);
	text[n] = '\n'; /* instead of the NUL: one write a line */
	LIST_FOREACH (&w->watchers, it) {
		struct watcher *one = LIST_ENTRY(it, struct watcher, item);

		if (one->kinds & 1U << k && http_stream_write(one->x, text, n + 1) < 0)
			drop(w, one, "it does not read fast enough");
	}
	free(text);
}

static json_t *line_of(const char *type, enum admin_kind k, json_t *row)
{
	return json_pack("{s:s, s:s, s:o, s:O}", "type", type, "kind", admin_kind_name(k), "time",
		admin_time(clock_real()), "object", row);
}

/* What the keys that differ had before. */
static json_t *was(const json_t *before, const json_t *now)
{
	json_t *differs = json_object(), *value;
	const char *key;

	json_object_foreach ((json_t *)before, key, value)
		if (differs && !json_equal(value, json_object_get(now, key)))
			(void)json_object_set(differs, key, value);
	return differs;
}

static void tell_change(struct admin_watch *w, enum admin_kind k, const json_t *before, json_t *now)
{
	json_t *line;

	if (!before) {
		tell(w, k, line_of("ADDED", k, now));
	} else if (!json_equal(before, now)) {
		line = line_of("MODIFIED", k, now);
		if (line)
			(void)json_object_set_new(line, "was", was(before, now));
		tell(w, k, line);
	}
}

/* Rows by their keys; NULL without memory. Of mounts on one target the last one is on top. */
static json_t *look(struct admin_watch *w, enum admin_kind k)
{
	_cleanup_json_ json_t *rows = admin_rows(k, w->view, ADMIN_STABLE);
	_cleanup_json_ json_t *keyed = json_object();
	size_t i;
	json_t *row;

	if (!rows || !keyed)
		return NULL;
	json_array_foreach (rows, i, row)
		if (json_object_set(keyed, admin_row_key(k, row), row) < 0)
			return NULL;
	return TAKE_PTR(keyed);
}

static void compare(struct admin_watch *w, enum admin_kind k)
{
	json_t *now = look(w, k), *row;
	const char *key;

	if (!now)
		return;
	json_object_foreach (now, key, row)
		tell_change(w, k, json_object_get(w->told[k], key), row);
	json_object_foreach (w->told[k], key, row)
		if (!json_object_get(now, key))
			tell(w, k, line_of("DELETED", k, row));
	json_decref(w->told[k]);
	w->told[k] = now;
}

/* Rows of thousands of mounts were many small pieces: glibc keeps them unless it is told. */
static void forget(struct admin_watch *w)
{
	for (int k = 0; k < _ADMIN_KIND_MAX; k++) {
		json_decref(w->told[k]);
		w->told[k] = NULL;
	}
	timer_disarm(w->look);
	(void)malloc_trim(0);
}

/* A kind that nobody had watched begins as it is now. */
static void catch_up(struct admin_watch *w)
{
	unsigned wanted = 0;

	LIST_FOREACH (&w->watchers, it)
		wanted |= LIST_ENTRY(it, struct watcher, item)->kinds;
	for (int k = 0; k < _ADMIN_KIND_MAX; k++) {
		if (!(wanted & 1U << k)) {
			json_decref(w->told[k]);
			w->told[k] = NULL;
		} else if (w->told[k]) {
			compare(w, k);
		} else {
			w->told[k] = look(w, k);
		}
	}
}

static void on_look(struct timer *t, void *userdata)
{
	struct admin_watch *w = userdata;

	w->hurried = false;
	catch_up(w);
	if (w->n > 0)
		timer_arm(t, LOOK_EVERY);
	else
		forget(w);
}

void admin_watch_changed(struct admin_watch *w)
{
	if (w->n == 0 || w->hurried)
		return;
	w->hurried = true;
	timer_arm(w->look, CHANGED_PAUSE);
}

int admin_watch_add(struct admin_watch *w, struct http_exchange *x, const char *kinds)
{
	struct watcher *one;
	unsigned mask;
	int r = parse_kinds(kinds, &mask);

	if (r < 0)
		return r;
	one = calloc(1, sizeof(*one));
	if (!one)
		return -ENOMEM;
	*one = (struct watcher){.x = x, .kinds = mask};
	/* Others hear first what happened until now. */
	catch_up(w);
	list_append(&w->watchers, &one->item);
	w->n++;
	http_stream(x, 200, "application/x-ndjson", BACKLOG_MAX);
	for (int k = 0; k < _ADMIN_KIND_MAX; k++)
		if (mask & 1U << k && !w->told[k])
			w->told[k] = look(w, k);
	if (!w->hurried)
		timer_arm(w->look, LOOK_EVERY);
	return 0;
}

void admin_watch_gone(struct admin_watch *w, struct http_exchange *x)
{
	LIST_FOREACH (&w->watchers, it) {
		struct watcher *one = LIST_ENTRY(it, struct watcher, item);

		if (one->x == x)
			watcher_free(w, one);
	}
}

int admin_watch_new(struct admin_watch **ret, struct loop *l, const struct view *view)
{
	struct admin_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->loop = l;
	w->view = view;
	list_init(&w->watchers);
	r = timer_new_exact(&w->look, l, on_look, w);
	if (r < 0) {
		free(w);
		return r;
	}
	*ret = w;
	return 0;
}

struct admin_watch *admin_watch_free(struct admin_watch *w)
{
	if (!w)
		return NULL;
	LIST_FOREACH (&w->watchers, it) {
		struct watcher *one = LIST_ENTRY(it, struct watcher, item);

		http_stream_end(one->x);
		watcher_free(w, one);
	}
	forget(w);
	timer_free(w->look);
	free(w);
	return NULL;
}
