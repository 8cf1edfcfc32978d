/* SPDX-License-Identifier: Apache-2.0 */
/* list.c: an informer's lists, page by page and item by item (contracts.md 5.4) */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "data/decode.h"
#include "kube/reflect.h"

/* Objects a page; what client-go asks for. */
#define PAGE_LIMIT 500

static int on_list_item(void *userdata, const char *text, size_t n)
{
	struct informer *i = userdata;
	_cleanup_json_ json_t *item = NULL;
	struct err e = ERR_NULL;
	int r = data_json_load(text, n, &item, &e);

	if (r == -ENOMEM)
		return r;
	if (r >= 0)
		r = cache_put(&i->cache, item);
	if (r < 0 && r != -ENOMEM) {
		i->stats.decode_errors++;
		log_warning("%s: an item of the list was passed over: %s", i->kind->name,
			e.code ? e.text : "it has no name or UID");
		r = 0;
	}
	return i->dead ? -ECANCELED : r < 0 ? r : 0;
}

static int on_list_metadata(void *userdata, const char *text, size_t n)
{
	struct informer *i = userdata;
	_cleanup_json_ json_t *meta = NULL;
	const char *rv, *cont;
	int r = data_json_load(text, n, &meta, NULL);

	if (r < 0)
		return r;
	rv = json_string_at(meta, "resourceVersion", NULL);
	cont = json_string_at(meta, "continue", NULL);
	if (str_copy(i->rv, sizeof(i->rv), str_or(rv, "")) < 0)
		return -EBADMSG;
	if (!str_empty(cont) && strlen(cont) <= CONTINUE_MAX)
		return str_replace(&i->cont, cont);
	return 0;
}

const struct items_ops informer_list_ops = {on_list_item, on_list_metadata};

static int on_list_data(void *userdata, const char *data, size_t n)
{
	struct informer *i = userdata;
	int r;

	i->depth++;
	i->stats.last_event = clock_now();
	r = items_feed(&i->items, data, n);
	/* Freed by a callback: the request goes with us, and must not be touched by its client. */
	if (i->dead)
		r = 0;
	informer_leave(i);
	return r;
}

/* 504 with cause ResourceVersionTooLarge: this server is behind the one we listed from. */
static bool too_large(const struct kube_response *res)
{
	return res->http == 504 && strstr(res->err.text, "Too large resource version");
}

static void on_list_end(struct kube_request *q, const struct kube_response *res, void *userdata)
{
	struct informer *i = userdata;
	struct err e = ERR_NULL;
	bool was_missing;

	(void)q;
	i->q = NULL;
	i->depth++;
	i->retry_after = res->retry_after_ns / NSEC_PER_SEC * i->second_ns;
	/* A kind of ours may come later, with its CRD: said once. */
	was_missing = i->stats.missing;
	i->stats.missing = res->http == 404;
	if (res->status == KUBE_OK && items_end(&i->items) >= 0) {
		informer_fire(i, i->cont ? REFLECT_PAGE : REFLECT_LISTED);
	} else if (res->status == KUBE_E_GONE || too_large(res)) {
		informer_fire(i, REFLECT_LIST_EXPIRED);
	} else {
		err_copy(&e, &res->err);
		if (res->status == KUBE_OK)
			err_set(&e, EBADMSG, "the answer is no complete list");
		if (!was_missing || !i->stats.missing)
			log_warning("%s: cannot list: %s", i->kind->name, e.text);
		informer_fire(i, REFLECT_LIST_FAILED);
	}
	informer_leave(i);
}

static int list_path(const struct informer *i, struct buf *b)
{
	int r = informer_path_begin(i, b);

	if (r >= 0 && i->unlimited)
		r = buf_puts(b, "limit=0");
	else if (r >= 0)
		r = buf_printf(b, "limit=%d", PAGE_LIMIT);
	if (r < 0)
		return r;
	if (i->cont)
		return informer_path_value(b, "continue", i->cont);
	switch (i->from) {
	case FROM_CACHE:
		return buf_puts(b, "&resourceVersion=0");
	case FROM_LAST:
		return informer_path_value(b, "resourceVersion", i->rv);
	case FROM_QUORUM:
		return 0;
	}
	return 0;
}

int informer_act_page(void *obj)
{
	struct informer *i = obj;
	_cleanup_buf_ struct buf path = BUF_NULL(PATH_BYTES_MAX);
	int r = list_path(i, &path);

	items_done(&i->items);
	items_init(&i->items, &informer_list_ops, i);
	i->continuing = i->cont;
	/* The page tells the next token itself. */
	free(TAKE_PTR(i->cont));
	i->stats.lists++;
	if (r >= 0)
		r = kube_stream(i->client,
			&(struct kube_stream_spec){.path = path.data, .data = on_list_data},
			on_list_end, i, &i->q);
	return r < 0 ? informer_fire(i, REFLECT_LIST_FAILED) : 0;
}

int informer_act_list(void *obj)
{
	struct informer *i = obj;

	free(TAKE_PTR(i->cont));
	cache_list_begin(&i->cache);
	/* With a limit the servers take resourceVersion=N for an exact one. */
	i->unlimited = i->from == FROM_LAST || i->expired;
	return informer_act_page(i);
}

/* 410: where a token expired the same list without pages, else one from the truth. */
int informer_act_list_expired(void *obj)
{
	struct informer *i = obj;

	if (i->continuing ? i->expired : i->from == FROM_QUORUM)
		return informer_fire(i, REFLECT_LIST_FAILED);
	if (i->continuing)
		i->expired = true;
	else
		i->from = FROM_QUORUM;
	return informer_act_list(i);
}
