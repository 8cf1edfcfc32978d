/* SPDX-License-Identifier: Apache-2.0 */
/* list.c: GET of one object and of collections, page by page */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "data/decode.h"
#include "tools/devapi/api.h"

/* A list of everything there could be; beyond, the answer is 500. */
#define LIST_MAX ((size_t)2 << 30)
#define TOO_LARGE "Too large resource version: %" PRIu64 ", current: %" PRIu64

/* What a list shows: the store as it is, or a snapshot. */
struct view {
	const struct store *store;
	const struct snapshot *snapshot;
	const struct kind *kind;
};

static size_t view_count(const struct view *v)
{
	return v->snapshot ? v->snapshot->n : store_count(v->store, v->kind);
}

static const struct revision *view_at(const struct view *v, size_t i)
{
	return v->snapshot ? v->snapshot->items[i] : store_at(v->store, v->kind, i);
}

struct page {
	struct selection selection;
	uint64_t rv;    /* of the list */
	uint64_t limit; /* 0 none */
	size_t first;
	size_t next; /* where the next page begins, 0 none */
};

/* "rv.key" in hex: opaque to clients, and nothing to escape in a URL. */
static void write_token(char *dst, size_t size, uint64_t rv, const char *key)
{
	char plain[META_KEY_MAX + 32];
	size_t n = 0;

	(void)snprintf(plain, sizeof(plain), "%" PRIu64 ".%s", rv, key);
	for (const char *p = plain; *p && n + 3 < size; p++)
		n += (size_t)snprintf(dst + n, size - n, "%02x", (unsigned char)*p);
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

static int read_token(const char *token, uint64_t *ret_rv, char *key, size_t size)
{
	char plain[META_KEY_MAX + 32], *dot;
	size_t n = 0;

	for (; token[0] && token[1] && n + 1 < sizeof(plain); token += 2) {
		int a = hex_digit(token[0]), b = hex_digit(token[1]);

		if (a < 0 || b < 0)
			return -EINVAL;
		plain[n++] = (char)(a * 16 + b);
	}
	plain[n] = '\0';
	dot = strchr(plain, '.');
	if (*token || !dot)
		return -EINVAL;
	*dot = '\0';
	if (parse_u64(plain, 0, UINT64_MAX, ret_rv) < 0)
		return -EINVAL;
	return str_copy(key, size, dot + 1);
}

static int continue_page(struct call *c, struct page *p, const char *token, struct reply *r)
{
	const struct store *s = c->api->store;
	char key[META_KEY_MAX];
	size_t unused;

	if (read_token(token, &p->rv, key, sizeof(key)) < 0)
		return reply_fail(r, 400, "BadRequest", "continue key is not valid");
	if (store_history_after(s, p->rv, &unused) < 0)
		return reply_fail(r, 410, "Expired",
			"The provided continue parameter is too old to display a consistent list "
			"result. You can start a new list without the continue parameter.");
	p->first = store_seek(s, c->target.kind, key);
	return 0;
}

/* resourceVersion "" and "0" are the present here; "0" is served from a cache, which ignores limit
 * (contracts.md 5.4). */
static int check_rv(struct call *c, struct page *p, struct reply *r)
{
	const char *text = str_or(http_query(c->x, "resourceVersion"), "");
	bool exact = streq(str_or(http_query(c->x, "resourceVersionMatch"), ""), "Exact");
	uint64_t rv;

	if (!*text)
		return 0;
	if (parse_u64(text, 0, UINT64_MAX, &rv) < 0)
		return reply_fail(
			r, 400, "BadRequest", "Invalid value: \"%.40s\": resourceVersion", text);
	if (rv == 0)
		p->limit = 0;
	if (rv > p->rv) {
		(void)snprintf(r->extra, sizeof(r->extra), "Retry-After: 1");
		return reply_fail(r, 504, "Timeout", TOO_LARGE, rv, p->rv);
	}
	if (exact && rv != p->rv)
		return reply_fail(
			r, 410, "Expired", "The resourceVersion for the provided list is too old.");
	return 0;
}

static int read_page(struct call *c, struct page *p, struct reply *r)
{
	const char *token = str_or(http_query(c->x, "continue"), "");
	const char *limit = str_or(http_query(c->x, "limit"), "0");
	int n = call_selection(c, &p->selection, r);

	if (n < 0)
		return n;
	if (parse_u64(limit, 0, UINT32_MAX, &p->limit) < 0)
		return reply_fail(r, 400, "BadRequest", "limit: not a number");
	p->rv = store_rv(c->api->store);
	return *token ? continue_page(c, p, token, r) : check_rv(c, p, r);
}

typedef int (*item_fn)(const struct revision *r, size_t n, void *userdata);

static int walk(const struct view *v, struct page *p, item_fn fn, void *userdata)
{
	size_t taken = 0, i = p->first;
	int r;

	for (; i < view_count(v); i++) {
		if (!select_matches(&p->selection, view_at(v, i)))
			continue;
		if (p->limit > 0 && taken == p->limit) {
			p->next = i;
			return 0;
		}
		r = fn(view_at(v, i), taken++, userdata);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_item(const struct revision *r, size_t n, void *userdata)
{
	struct buf *b = userdata;

	if (n > 0 && buf_append(b, ",", 1) < 0)
		return -ENOMEM;
	if (r->kind->flags & KIND_CUSTOM)
		return buf_append(b, r->json, r->size);
	if (buf_append(b, "{", 1) < 0)
		return -ENOMEM;
	return buf_append(b, r->json + r->head, r->size - r->head);
}

static int put_list_meta(struct buf *b, const struct view *v, const struct page *p)
{
	char token[2 * (META_KEY_MAX + 32)];
	int r = buf_printf(b, "\"metadata\":{\"resourceVersion\":\"%" PRIu64 "\"", p->rv);

	if (r < 0 || p->next == 0)
		return r < 0 ? r : buf_puts(b, "}");
	write_token(token, sizeof(token), p->rv, view_at(v, p->next)->key);
	if (p->selection.n_fields + p->selection.n_labels == 0 && !*p->selection.ns &&
		!*p->selection.name)
		r = buf_printf(b, ",\"continue\":\"%s\",\"remainingItemCount\":%zu}", token,
			view_count(v) - p->next);
	else
		r = buf_printf(b, ",\"continue\":\"%s\"}", token);
	return r;
}

static void list_plain(const struct view *v, struct page *p, struct reply *r)
{
	_cleanup_buf_ struct buf items = BUF_NULL(LIST_MAX), b = BUF_NULL(LIST_MAX);
	char version[128];
	size_t size;

	if (walk(v, p, put_item, &items) < 0 ||
		buf_printf(&b, "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",", v->kind->kind,
			kind_api_version(v->kind, version, sizeof(version))) < 0 ||
		put_list_meta(&b, v, p) < 0 || buf_puts(&b, ",\"items\":[") < 0 ||
		buf_append(&b, str_or(items.data, ""), items.len) < 0 || buf_puts(&b, "]}\n") < 0) {
		(void)reply_fail(r, 500, "InternalError", "no memory for the list");
		return;
	}
	size = b.len;
	reply_take(r, 200, buf_take(&b), size);
}

struct rows {
	json_t *table;
	const struct store *store;
};

static int put_row(const struct revision *r, size_t n, void *userdata)
{
	struct rows *rows = userdata;

	(void)n;
	return table_add(rows->table, rows->store, r);
}

static void list_table(const struct view *v, struct page *p, struct reply *r)
{
	struct rows rows = {.table = table_new(v->store, v->kind), .store = v->store};
	json_t *meta = json_object_get(rows.table, "metadata");
	char text[2 * (META_KEY_MAX + 32)];

	if (walk(v, p, put_row, &rows) < 0) {
		json_decref(rows.table);
		(void)reply_fail(r, 500, "InternalError", "no memory for the table");
		return;
	}
	(void)snprintf(text, sizeof(text), "%" PRIu64, p->rv);
	(void)json_put_string(meta, "resourceVersion", text);
	if (p->next > 0) {
		write_token(text, sizeof(text), p->rv, view_at(v, p->next)->key);
		(void)json_put_string(meta, "continue", text);
	}
	reply_json(r, 200, rows.table);
}

void verb_list(struct call *c, struct reply *r)
{
	struct view v = {.store = c->api->store, .kind = c->target.kind};
	struct page p = {.limit = 0};

	if (read_page(c, &p, r) < 0)
		return;
	if (c->fault.action == FAULT_STALE && c->fault.kind == v.kind) {
		v.snapshot = &c->fault.snapshot;
		p.rv = v.snapshot->rv;
	}
	if (table_wanted(http_header(c->x, "Accept")))
		list_table(&v, &p, r);
	else
		list_plain(&v, &p, r);
}

void verb_get(struct call *c, struct reply *r)
{
	const struct target *t = &c->target;
	char key[META_KEY_MAX];
	const struct revision *rev = NULL;
	json_t *table;

	meta_key(key, t->ns, t->name);
	rev = store_get(c->api->store, t->kind, key);
	if (c->fault.action == FAULT_STALE && c->fault.kind == t->kind) {
		rev = NULL;
		for (size_t i = 0; i < c->fault.snapshot.n && !rev; i++)
			if (streq(c->fault.snapshot.items[i]->key, key))
				rev = c->fault.snapshot.items[i];
	}
	if (!rev) {
		(void)reply_not_found(r, t->kind, t->name);
		return;
	}
	if (!table_wanted(http_header(c->x, "Accept"))) {
		reply_revision(r, 200, rev);
		return;
	}
	table = table_new(c->api->store, t->kind);
	(void)table_add(table, c->api->store, rev);
	reply_json(r, 200, table);
}
