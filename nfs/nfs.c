/* SPDX-License-Identifier: Apache-2.0 */
/* nfs.c: the backend's functions as requests to berth-nfs, one process for each server */
#include "nfs/nfs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "nfs/proto.h"

#define DEFAULT_OPERATION SECONDS(10)
#define DEFAULT_QUEUE SECONDS(30)
#define DEFAULT_WINDOW 32
#define DEFAULT_IDLE SECONDS(60)
/* Claims that may wait for one server. */
#define QUEUE_MAX 100000
/* From exec to mounted; the worker itself gives up a little earlier, with better words. */
#define START_NS SECONDS(10)
#define BACKOFF_MIN MILLISECONDS(200)
#define BACKOFF_MAX SECONDS(10)
/* Volumes with an attempt whose outcome is unknown; more than that many are forgotten. */
#define UNSETTLED_MAX 4096
/* …and of one volume only so many: what an older one left behind is found by a list. */
#define ATTEMPTS_MAX 4
#define REQUEST_MAX (16U << 10)
#define KEY_MAX 400

/* Attempts that failed, the latest last: a request of theirs may still be executed, a file of
 * theirs may be left. */
struct unsettled {
	char *pv;
	char attempts[ATTEMPTS_MAX * TOKEN_TEXT_MAX]; /* as in struct nfs_request */
};

struct nfs_backend {
	struct volume_backend backend;
	struct worker_pool *pool;
	struct map unsettled;
	struct list calls;
	char *program;
	const char *argv[3];
	uint64_t operation_ns, queue_ns;
	void (*pool_free)(struct worker_pool *p, void *userdata);
	void *pool_userdata;
	size_t key_max;
};

struct nfs_call {
	struct nfs_backend *b;
	struct list link;
	volume_fn fn;
	void *userdata;
	char attempt[TOKEN_TEXT_MAX];
	char *pv; /* NULL: changes nothing that a late request could spoil */
};

static struct nfs_backend *self(struct volume_backend *b)
{
	return CONTAINER_OF(b, struct nfs_backend, backend);
}

/* ---- attempts of unknown outcome
 * ------------------------------------------------------------------ */

static struct map_key unsettled_key(const void *value)
{
	return map_key_str(((const struct unsettled *)value)->pv);
}

static void unsettled_free(struct unsettled *u)
{
	free(u->pv);
	free(u);
}

static void settle(struct nfs_backend *b, const char *pv)
{
	struct unsettled *u = map_removes(&b->unsettled, pv);

	if (u)
		unsettled_free(u);
}

static struct unsettled *unsettled_new(struct nfs_backend *b, const char *pv)
{
	struct unsettled *u = b->unsettled.size < UNSETTLED_MAX ? calloc(1, sizeof(*u)) : NULL;

	if (!u)
		return NULL;
	u->pv = strdup(pv);
	if (u->pv && map_add(&b->unsettled, u) >= 0)
		return u;
	unsettled_free(u);
	return NULL;
}

/* Without memory the attempt is forgotten: its file is then found by a list, later. */
static void unsettle(struct nfs_backend *b, const char *pv, const char *attempt)
{
	struct unsettled *u = map_gets(&b->unsettled, pv);
	size_t used, oldest;

	if (!u)
		u = unsettled_new(b, pv);
	if (!u)
		return;
	used = strlen(u->attempts);
	if (used + 1 + strlen(attempt) >= sizeof(u->attempts)) {
		oldest = strcspn(u->attempts, ",") + 1;
		memmove(u->attempts, u->attempts + oldest, used + 1 - oldest);
		used -= oldest;
	}
	snprintf(u->attempts + used, sizeof(u->attempts) - used, "%s%s", used > 0 ? "," : "",
		attempt);
}

/* ---- replies
 * ----------------------------------------------------------------------------------------- */

static void call_free(struct nfs_call *c)
{
	list_remove(&c->link);
	free(c->pv);
	free(c);
}

/* What never reached a worker left nothing, and must not push out an attempt that did. */
static void call_settle(const struct nfs_call *c, int r, bool sent)
{
	if (!c->pv)
		return;
	if (r >= 0)
		settle(c->b, c->pv);
	else if (sent)
		unsettle(c->b, c->pv, c->attempt);
}

static void on_reply(struct worker_call *wc, const struct worker_reply *reply, void *userdata)
{
	_cleanup_free_ struct volume_entry *entries = NULL;
	struct nfs_call *c = userdata;
	struct volume_result res = {.err = ERR_NULL};
	volume_fn fn = c->fn;
	void *fn_data = c->userdata;

	(void)wc;
	if (!reply->body)
		err_set(&res.err, reply->r ? reply->r : -EPROTO, "%s",
			str_or(reply->text, "the NFS worker gave no answer"));
	else if (nfs_result_unpack(&res, &entries, reply->r, reply->body, reply->size) < 0)
		err_set(&res.err, EPROTO, "the NFS worker's answer makes no sense");
	if (!res.text) {
		res.text = res.identity = res.directory = res.cursor = "";
		res.n_entries = 0;
	}
	call_settle(c, -res.err.code, reply->sent);
	call_free(c);
	fn(&res, fn_data);
}

/* ---- requests
 * ------------------------------------------------------------------------------------------ */

/* Everything a worker is told at its start is in its key. */
static int place_key(const struct volume_place *p, char key[static KEY_MAX])
{
	char act_as[32] = "-";

	if (p->act_as_set)
		snprintf(act_as, sizeof(act_as), "%u:%u", p->act_uid, p->act_gid);
	return str_format(key, KEY_MAX, "%s nfs=%u mount=%u vers=%d as=%s", p->server, p->nfs_port,
		p->mount_port, p->version, act_as);
}

/* Where a pool takes short keys only: what is cut off counts as a hash. */
static void shorten_key(const struct nfs_backend *b, char key[static KEY_MAX])
{
	char tail[24];

	if (!b->key_max || strlen(key) < b->key_max)
		return;
	snprintf(tail, sizeof(tail), " %016llx", (unsigned long long)map_hash(key, strlen(key)));
	memcpy(key + b->key_max - 1 - strlen(tail), tail, strlen(tail) + 1);
}

static int call_new(
	struct nfs_call **ret, struct nfs_backend *b, const char *pv, volume_fn fn, void *userdata)
{
	struct nfs_call *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->b = b;
	c->fn = fn;
	c->userdata = userdata;
	token_random(c->attempt);
	c->pv = pv ? strdup(pv) : NULL;
	if (pv && !c->pv) {
		free(c);
		return -ENOMEM;
	}
	list_init(&c->link);
	*ret = c;
	return 0;
}

static int call_send(struct nfs_call *c, enum nfs_kind kind, const struct volume_place *p,
	const struct nfs_request *q)
{
	_cleanup_buf_ struct buf body = BUF_NULL(REQUEST_MAX), init = BUF_NULL(REQUEST_MAX);
	struct worker_call *wc;
	char key[KEY_MAX];
	int r = place_key(p, key);

	if (r >= 0)
		r = nfs_init_pack(&init, p);
	if (r >= 0)
		shorten_key(c->b, key);
	if (r >= 0)
		r = nfs_request_pack(&body, kind, q);
	if (r < 0)
		return r;
	const struct worker_request request = {
		.key = key,
		.init = init.data,
		.init_size = init.len,
		.kind = kind,
		.body = body.data,
		.size = body.len,
		.deadline_ns = c->b->queue_ns + c->b->operation_ns,
	};
	return worker_call(c->b->pool, &request, on_reply, c, &wc);
}

static int submit(struct volume_backend *vb, enum nfs_kind kind, const struct volume_place *p,
	const struct nfs_request *template, volume_fn fn, void *userdata)
{
	struct nfs_backend *b = self(vb);
	const char *pv = template->volume.pv;
	struct nfs_request q = *template;
	const struct unsettled *u = pv ? map_gets(&b->unsettled, pv) : NULL;
	struct nfs_call *c;
	int r;

	if (!p->server || !p->export_)
		return -EINVAL;
	r = call_new(&c, b, pv, fn, userdata);
	if (r < 0)
		return r;
	q.export_ = p->export_;
	q.identity = p->identity;
	q.budget_ns = b->operation_ns;
	q.attempt = c->attempt;
	q.earlier = u ? u->attempts : NULL;
	r = call_send(c, kind, p, &q);
	if (r < 0)
		call_free(c);
	else
		list_append(&b->calls, &c->link);
	return r;
}

static int submit_volume(struct volume_backend *b, enum nfs_kind kind, const struct volume_place *p,
	const struct volume_request *q, volume_fn fn, void *userdata)
{
	const struct nfs_request request = {.volume = *q};

	return submit(b, kind, p, &request, fn, userdata);
}

#define VOLUME_OPERATION(name, kind)                                            \
	static int name(struct volume_backend *b, const struct volume_place *p, \
		const struct volume_request *q, volume_fn fn, void *userdata)   \
	{                                                                       \
		return submit_volume(b, kind, p, q, fn, userdata);              \
	}
VOLUME_OPERATION(nfs_create, q->flags &VOLUME_RESTORE ? NFS_RESTORE : NFS_CREATE)
VOLUME_OPERATION(nfs_trash, NFS_TRASH)
VOLUME_OPERATION(nfs_archive, NFS_ARCHIVE)
VOLUME_OPERATION(nfs_recycle, NFS_RECYCLE)
VOLUME_OPERATION(nfs_discard, NFS_DISCARD)

static int nfs_purge(struct volume_backend *b, const struct volume_place *p, const char *trash_name,
	volume_fn fn, void *userdata)
{
	const struct nfs_request request = {.name = trash_name};

	return trash_name ? submit(b, NFS_PURGE, p, &request, fn, userdata) : -EINVAL;
}

static int nfs_list(struct volume_backend *b, const struct volume_place *p, const char *cursor,
	volume_fn fn, void *userdata)
{
	const struct nfs_request request = {.name = cursor};

	return submit(b, NFS_LIST, p, &request, fn, userdata);
}

static int nfs_space(
	struct volume_backend *b, const struct volume_place *p, volume_fn fn, void *userdata)
{
	const struct nfs_request request = {.name = NULL};

	return submit(b, NFS_SPACE, p, &request, fn, userdata);
}

int nfs_backend_regroup(struct volume_backend *b, const struct volume_place *p,
	const char *directory, gid_t group, volume_fn fn, void *userdata)
{
	const struct nfs_request request = {.name = directory, .group = group};

	return directory ? submit(b, NFS_REGROUP, p, &request, fn, userdata) : -EINVAL;
}

static const struct volume_backend_ops nfs_ops = {
	.name = "nfs",
	.create = nfs_create,
	.trash = nfs_trash,
	.archive = nfs_archive,
	.recycle = nfs_recycle,
	.discard = nfs_discard,
	.purge = nfs_purge,
	.list = nfs_list,
	.space = nfs_space,
};

/* ---- life
 * ------------------------------------------------------------------------------------------------
 */

/* Beside our own executable, where a build directory has it, else where it is installed. */
static char *find_program(void)
{
	static const char *const places[] = {"berth-nfs", "../libexec/berth/berth-nfs"};
	char self[PATH_MAX], path[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;

	for (size_t i = 0; slash && i < ELEMENTSOF(places); i++) {
		snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - self), self, places[i]);
		if (access(path, X_OK) == 0)
			return strdup(path);
	}
	return NULL;
}

static int start_pool(
	struct nfs_backend *b, struct loop *l, const struct nfs_options *o, struct err *e)
{
	const struct worker_options options = {
		.program = b->program,
		.argv = b->argv,
		.window = o->window ? o->window : DEFAULT_WINDOW,
		.queue_max = QUEUE_MAX,
		.idle_ns = o->idle_ns ? o->idle_ns : DEFAULT_IDLE,
		.start_ns = START_NS,
		.backoff_min_ns = BACKOFF_MIN,
		.backoff_max_ns = BACKOFF_MAX,
	};
	int r;

	if (!o->pool_new && access(b->program, X_OK) < 0)
		return err_sys(e, errno, "cannot run the NFS worker %s", b->program);
	r = o->pool_new ? o->pool_new(&options, &b->pool, o->pool_userdata)
			: worker_pool_new(&b->pool, l, &options);
	return r < 0 ? err_sys(e, r, "cannot make the pool of NFS workers") : 0;
}

int nfs_backend_new(
	struct volume_backend **ret, struct loop *l, const struct nfs_options *o, struct err *e)
{
	struct nfs_backend *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return err_sys(e, ENOMEM, "cannot make the NFS backend");
	b->backend.ops = &nfs_ops;
	b->unsettled = MAP_NULL(unsettled_key);
	list_init(&b->calls);
	b->operation_ns = o->operation_ns ? o->operation_ns : DEFAULT_OPERATION;
	b->queue_ns = o->queue_ns ? o->queue_ns : DEFAULT_QUEUE;
	b->pool_free = o->pool_free;
	b->pool_userdata = o->pool_userdata;
	b->key_max = o->key_max;
	b->program = o->worker_program ? strdup(o->worker_program)
		     : o->pool_new     ? NULL
				       : find_program();
	b->argv[0] = "berth-nfs";
	b->argv[1] = "--worker";
	r = b->program || o->pool_new ? start_pool(b, l, o, e)
				      : err_set(e, ENOENT,
						"berth-nfs is neither beside this program nor in "
						"../libexec/berth");
	if (r < 0) {
		nfs_backend_free(&b->backend);
		return r;
	}
	*ret = &b->backend;
	return 0;
}

struct volume_backend *nfs_backend_free(struct volume_backend *vb)
{
	struct nfs_backend *b;
	struct unsettled *u;

	if (!vb)
		return NULL;
	b = self(vb);
	if (b->pool_free)
		b->pool_free(b->pool, b->pool_userdata);
	else
		worker_pool_free(b->pool);
	LIST_FOREACH (&b->calls, it)
		call_free(LIST_ENTRY(it, struct nfs_call, link));
	MAP_FOREACH (&b->unsettled, u)
		unsettled_free(u);
	map_done(&b->unsettled);
	free(b->program);
	free(b);
	return NULL;
}

void nfs_backend_stats(const struct volume_backend *vb, struct worker_stats *ret)
{
	worker_pool_stats(CONTAINER_OF(vb, const struct nfs_backend, backend)->pool, ret);
}
