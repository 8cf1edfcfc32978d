/* SPDX-License-Identifier: Apache-2.0 */
/* admin.c: who may ask what on the admin socket, and where the answer comes from */
#include "agent/admin.h"

#include <errno.h>

#include "agent/admin_json.h"
#include "agent/admin_post.h"
#include "agent/admin_storage.h"
#include "agent/admin_watch.h"
#include "agent/recovery.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/str.h"
#include "data/decode.h"
#include "http/server.h"

#define CONNECTIONS_MAX 64
/* Who may read but is not root, and whoever may not, cannot keep root out. */
#define CONNECTIONS_PER_UID 8
#define IDLE_SECONDS 30
/* Walks through all exports at a time, before others than root have to wait: a client that leaves
 * does not end its own. */
#define WALKS_MAX 4

struct admin {
	struct loop *loop;
	struct http_server *http;
	const struct view *view;
	const struct doctor_kernel *kernel;
	struct admin_watch *watch;
	struct list waiting; /* struct waiting */
	gid_t gid;
};

/* An answer that comes later. What it waits for always comes back, the client may be gone by then,
 * and so may we. */
struct waiting {
	struct list item;
	struct admin *admin;
	struct http_exchange *x; /* NULL: gone */
	bool walks;              /* for a listing of the exports */
};

/* ---- answers ------------------------------------------------------------------------------ */

/* With a newline, for people who ask with curl. */
static void reply_json(struct http_exchange *x, unsigned status, const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(6));
	size_t n;

	if (!text) {
		http_abort(x);
		return;
	}
	n = strlen(text);
	text[n] = '\n';
	http_reply_take(x, status, "application/json", text, n + 1, NULL);
}

static void reply_error(struct http_exchange *x, unsigned status, const char *message)
{
	_cleanup_json_ json_t *o = json_object();

	if (!o || json_object_set_new(o, "code", json_integer(status)) < 0 ||
		json_object_set_new(o, "message", admin_text(message)) < 0)
		http_abort(x);
	else
		reply_json(x, status, o);
}

/* Takes document; NULL: there was no memory for it. */
static void reply_document(struct http_exchange *x, json_t *document)
{
	if (document)
		reply_json(x, 200, document);
	else
		reply_error(x, 500, "out of memory");
	json_decref(document);
}

static unsigned status_of(int code)
{
	switch (code) {
	case EINVAL:
	case EBADMSG:
	case ERANGE:
		return 400;
	case E2BIG:
		return 413;
	case EPERM:
	case EACCES:
		return 403;
	case ENOENT:
		return 404;
	case EBUSY:
	case EEXIST:
		return 409;
	case ENOSYS:
	case ENOTSUP:
		return 501;
	case ETIMEDOUT:
		return 504;
	default:
		return 500;
	}
}

static void reply_err(struct http_exchange *x, const struct err *e)
{
	reply_error(x, status_of(e->code), e->text);
}

static void reply_done(struct http_exchange *x, const char *message)
{
	json_t *o = json_object();

	if (o)
		(void)json_object_set_new(o, "message", admin_text(message));
	reply_document(x, o);
}

/* ---- waiting ------------------------------------------------------------------------------ */

static struct waiting *waiting_new(struct admin *a, struct http_exchange *x)
{
	struct waiting *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	*w = (struct waiting){.admin = a, .x = x};
	list_append(&a->waiting, &w->item);
	http_set_userdata(x, w);
	return w;
}

/* The exchange that is still to be answered, NULL for none; w is no more. */
static struct http_exchange *waiting_end(struct waiting *w)
{
	struct http_exchange *x = w->x;

	list_remove(&w->item);
	free(w);
	return x;
}

static void on_detached(const struct err *e, void *userdata)
{
	struct http_exchange *x = waiting_end(userdata);

	if (!x)
		return;
	if (e->code)
		reply_err(x, e);
	else
		reply_done(x, "detached");
}

static void on_storage(json_t *document, const struct err *e, void *userdata)
{
	struct http_exchange *x = waiting_end(userdata);

	if (x && document)
		reply_json(x, 200, document);
	else if (x)
		reply_err(x, e);
}

/* ---- GET ---------------------------------------------------------------------------------- */

static void get_status(struct admin *a, struct http_exchange *x)
{
	reply_document(x, admin_status(a->view));
}

static void get_doctor(struct admin *a, struct http_exchange *x)
{
	reply_document(x, doctor_json(a->kernel, a->view));
}

static void get_watch(struct admin *a, struct http_exchange *x)
{
	int r = admin_watch_add(a->watch, x, http_query(x, "kinds"));

	if (r == -EINVAL)
		reply_error(x, 400,
			"kinds: a list of node, drivers, volumes, mounts, pools, exports, "
			"operations");
	else if (r < 0)
		reply_error(x, 500, "out of memory");
}

static void get_rows(struct admin *a, struct http_exchange *x, enum admin_kind k)
{
	json_t *list;

	if (!admin_kind_there(k, a->view)) {
		reply_error(x, 501, "this agent does not know about them");
		return;
	}
	list = json_pack(
		"{s:s, s:o}", "kind", admin_kind_name(k), "items", admin_rows(k, a->view, 0));
	reply_document(x, list);
}

/* Answers where what x was to wait for did not begin; w: NULL without memory for it. */
static void not_begun(struct http_exchange *x, struct waiting *w, struct err *e)
{
	if (w)
		waiting_end(w);
	else
		(void)err_set(e, ENOMEM, "out of memory");
	reply_err(x, e);
}

static bool may_walk(const struct admin *a, const struct http_exchange *x)
{
	struct http_peer peer;
	unsigned n = 0;

	LIST_FOREACH (&a->waiting, it)
		n += LIST_ENTRY(it, const struct waiting, item)->walks;
	return n < WALKS_MAX || (http_peer(x, &peer) >= 0 && peer.uid == 0);
}

static void get_storage(struct admin *a, struct http_exchange *x, enum admin_storage what)
{
	struct waiting *w;
	struct err e = ERR_NULL;
	int r = -ENOMEM;

	if (!may_walk(a, x)) {
		reply_error(x, 503, "the exports are being looked through for others: ask again");
		return;
	}
	w = waiting_new(a, x);
	if (w) {
		w->walks = true;
		r = admin_storage_list(a->loop, a->view, what, on_storage, w, &e);
	}
	if (r < 0)
		not_begun(x, w, &e);
}

static void get_trash(struct admin *a, struct http_exchange *x)
{
	get_storage(a, x, ADMIN_TRASH);
}

static void get_orphans(struct admin *a, struct http_exchange *x)
{
	get_storage(a, x, ADMIN_ORPHANS);
}

/* ---- POST --------------------------------------------------------------------------------- */

static void post_detach(struct admin *a, struct http_exchange *x, const struct admin_order *o)
{
	struct waiting *w;
	struct err e = ERR_NULL;
	int r;

	if (!a->view->detach || !a->view->mounts) {
		reply_error(x, 501, "this agent detaches nothing");
		return;
	}
	r = admin_may_detach(a->view, o->target, &e);
	if (r < 0) {
		reply_err(x, &e);
		return;
	}
	w = waiting_new(a, x);
	if (!w) {
		reply_error(x, 500, "out of memory");
		return;
	}
	log_info("admin socket: detaching %s", o->target);
	r = a->view->detach(a->view->agent, o->target, on_detached, w, &e);
	if (r < 0) {
		waiting_end(w);
		reply_err(x, &e);
	}
}

static void post_retry(struct admin *a, struct http_exchange *x, const struct admin_order *o)
{
	_cleanup_json_ json_t *answer = NULL;

	(void)o;
	if (!a->view->retry) {
		reply_error(x, 501, "this agent has nothing to try again");
		return;
	}
	answer = json_pack("{s:s, s:i}", "message", "pauses ended", "retried",
		(int)a->view->retry(a->view->agent));
	reply_document(x, TAKE_PTR(answer));
}

/* One volume: why it was refused is the answer. */
static void on_restored(json_t *document, const struct err *e, void *userdata)
{
	struct http_exchange *x = waiting_end(userdata);
	const json_t *row = json_array_get(json_object_get(document, "items"), 0);

	if (!x)
		return;
	if (!document)
		reply_err(x, e);
	else if (streq_null(json_string_at(row, "state", NULL), "Refused"))
		reply_error(x, 409, str_or(json_string_at(row, "text", NULL), ""));
	else
		reply_json(x, 200, document);
}

static void recover(
	struct admin *a, struct http_exchange *x, const struct recovery_order *o, recovery_fn fn)
{
	struct waiting *w = waiting_new(a, x);
	struct err e = ERR_NULL;
	int r = w ? recovery_run(a->loop, a->view, o, fn, w, &e) : -ENOMEM;

	if (r < 0)
		not_begun(x, w, &e);
}

static void post_restore(struct admin *a, struct http_exchange *x, const struct admin_order *o)
{
	const struct recovery_order order = {.name = o->name};

	if (!*o->name) {
		reply_error(x, 400, "name: a tree in the trash is needed (GET /v1/trash)");
		return;
	}
	log_info("admin socket: restoring %s", o->name);
	recover(a, x, &order, on_restored);
}

static void post_adopt(struct admin *a, struct http_exchange *x, const struct admin_order *o)
{
	const struct recovery_order order = {
		.export_ = *o->export_ ? o->export_ : NULL,
		.volume = *o->volume ? o->volume : NULL,
		.dry_run = o->dry_run,
	};

	if (!*o->export_ == !o->all) {
		reply_error(x, 400, "either export (\"server:/path\") or all is needed");
		return;
	}
	log_info("admin socket: adopting %s on %s%s", *o->volume ? o->volume : "all",
		*o->export_ ? o->export_ : "all exports", o->dry_run ? ", dry run" : "");
	recover(a, x, &order, on_storage);
}

/* ---- routing ------------------------------------------------------------------------------ */

static const struct {
	const char *path;
	void (*get)(struct admin *a, struct http_exchange *x);
	void (*post)(struct admin *a, struct http_exchange *x, const struct admin_order *o);
} routes[] = {
	{"/v1/status", get_status, NULL},
	{"/v1/doctor", get_doctor, NULL},
	{"/v1/watch", get_watch, NULL},
	{"/v1/trash", get_trash, NULL},
	{"/v1/orphans", get_orphans, NULL},
	{"/v1/detach", NULL, post_detach},
	{"/v1/retry", NULL, post_retry},
	{"/v1/restore", NULL, post_restore},
	{"/v1/adopt", NULL, post_adopt},
};

static bool is_read(const struct http_exchange *x)
{
	return streq(http_method(x), "GET") || streq(http_method(x), "HEAD");
}

static bool may(const struct admin *a, const struct http_exchange *x)
{
	struct http_peer peer;

	if (http_peer(x, &peer) < 0)
		return false;
	if (peer.uid == 0)
		return true;
	return is_read(x) && a->gid != ADMIN_NO_GROUP && http_peer_in_group(x, a->gid);
}

static void serve_post(struct admin *a, struct http_exchange *x,
	void (*post)(struct admin *a, struct http_exchange *x, const struct admin_order *o))
{
	struct admin_order o;
	struct err e = ERR_NULL;
	size_t size;
	const char *body = http_body(x, &size);

	if (admin_order_parse(&o, body, size, &e) < 0)
		reply_err(x, &e);
	else
		post(a, x, &o);
	admin_order_done(&o);
}

static void wrong_method(struct http_exchange *x, const char *allowed)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "only %s here", allowed);
	reply_error(x, 405, text);
}

static void serve(struct admin *a, struct http_exchange *x, size_t i)
{
	if (is_read(x) && routes[i].get)
		routes[i].get(a, x);
	else if (streq(http_method(x), "POST") && routes[i].post)
		serve_post(a, x, routes[i].post);
	else
		wrong_method(x, routes[i].get ? "GET" : "POST");
}

static void serve_rows(struct admin *a, struct http_exchange *x, enum admin_kind k)
{
	if (is_read(x))
		get_rows(a, x, k);
	else
		wrong_method(x, "GET");
}

static void on_request(struct http_exchange *x, void *userdata)
{
	struct admin *a = userdata;
	const char *path = http_path(x), *name = str_after(path, "/v1/");

	if (!may(a, x)) {
		reply_error(x, 403,
			is_read(x) ? "only root and members of the agent's adminGroup may read here"
				   : "only root may do that");
		return;
	}
	for (size_t i = 0; i < ELEMENTSOF(routes); i++) {
		if (streq(path, routes[i].path)) {
			serve(a, x, i);
			return;
		}
	}
	for (int k = 0; name && k < _ADMIN_KIND_MAX; k++) {
		if (streq(name, admin_kind_name(k))) {
			serve_rows(a, x, k);
			return;
		}
	}
	reply_error(x, 404,
		"not here: GET /v1/{status,doctor,node,drivers,volumes,mounts,pools,exports,"
		"operations,trash,orphans,watch}, POST /v1/{detach,retry,restore,adopt}");
}

static void on_gone(struct http_exchange *x, void *userdata)
{
	struct admin *a = userdata;
	struct waiting *w = http_userdata(x);

	if (w)
		w->x = NULL;
	else
		admin_watch_gone(a->watch, x);
}

/* ---- life --------------------------------------------------------------------------------- */

int admin_new(struct admin **ret, struct loop *l, const struct admin_options *o,
	const struct view *view, struct err *e)
{
	static const struct http_handler handler = {on_request, on_gone};
	const struct http_options http = {
		.fd = o->fd,
		.connections_max = CONNECTIONS_MAX,
		.connections_per_uid = CONNECTIONS_PER_UID,
		.body_max = ADMIN_BODY_MAX,
		.idle_seconds = IDLE_SECONDS,
	};
	_cleanup_(admin_freep) struct admin *a = calloc(1, sizeof(*a));
	int r;

	if (!a) {
		fd_close(o->fd);
		return err_sys(e, ENOMEM, "admin socket");
	}
	a->loop = l;
	a->view = view;
	a->kernel = o->kernel;
	a->gid = o->gid;
	list_init(&a->waiting);
	r = http_server_new(&a->http, l, &http, &handler, a, e);
	if (r < 0)
		return err_prefix(e, "admin socket");
	r = admin_watch_new(&a->watch, l, view);
	if (r < 0)
		return err_sys(e, r, "admin socket");
	*ret = TAKE_PTR(a);
	return 0;
}

struct admin *admin_free(struct admin *a)
{
	if (!a)
		return NULL;
	admin_watch_free(a->watch);
	/* Still owed to us; they end themselves when they come. */
	LIST_FOREACH (&a->waiting, it) {
		LIST_ENTRY(it, struct waiting, item)->x = NULL;
		list_remove(it);
	}
	http_server_free(a->http);
	free(a);
	return NULL;
}

void admin_changed(struct admin *a)
{
	admin_watch_changed(a->watch);
}
