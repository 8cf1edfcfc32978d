/* SPDX-License-Identifier: Apache-2.0 */
/* nfs_raw.c: what a server gives to bare libnfs calls: the limits that the worker is measured
 * against */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/str.h"
#include "nfs/connect.h"

#define WINDOW_MAX 512
#define RECORD_SIZE 440

struct raw;
struct slot {
	struct raw *raw;
	struct nfs_fh3 file;
	char handle[NFS3_FHSIZE];
	size_t i;
	int step;
	bool busy;
};

struct raw {
	struct server s;
	struct nfs_fh dir;
	size_t total, begun, ended, failed, window;
	int (*send)(struct slot *s);
	int steps;
	struct slot slots[WINDOW_MAX];
	char record[RECORD_SIZE];
};

static void on_reply(struct rpc_context *rpc, int status, void *data, void *userdata);

static diropargs3 where(struct slot *s, char name[static 64], const char *prefix)
{
	struct nfs_fh *d = &s->raw->dir;

	snprintf(name, 64, "%s%zu", prefix, s->i);
	return (diropargs3){.dir = {{d->size, (char *)d->data}}, .name = name};
}

static int send_mkdir(struct slot *s)
{
	char name[64];
	MKDIR3args a = {.where = where(s, name, "d")};

	a.attributes.mode.set_it = 1;
	a.attributes.mode.set_mode3_u.mode = 0770;
	a.attributes.uid.set_it = a.attributes.gid.set_it = 1;
	a.attributes.uid.set_uid3_u.uid = a.attributes.gid.set_gid3_u.gid = 1000;
	return rpc_nfs3_mkdir_async(s->raw->s.nfs, on_reply, &a, s);
}

static int send_rmdir(struct slot *s)
{
	char name[64];
	RMDIR3args a = {.object = where(s, name, "d")};

	return rpc_nfs3_rmdir_async(s->raw->s.nfs, on_reply, &a, s);
}

static int send_remove(struct slot *s)
{
	char name[64];
	REMOVE3args a = {.object = where(s, name, "f")};

	return rpc_nfs3_remove_async(s->raw->s.nfs, on_reply, &a, s);
}

static int send_create(struct slot *s)
{
	char name[64];
	CREATE3args a = {.where = where(s, name, s->raw->steps > 1 ? "t" : "f")};

	a.how.mode = GUARDED;
	return rpc_nfs3_create_async(s->raw->s.nfs, on_reply, &a, s);
}

static int send_write(struct slot *s)
{
	WRITE3args a = {.file = s->file,
		.count = RECORD_SIZE,
		.stable = FILE_SYNC,
		.data = {RECORD_SIZE, s->raw->record}};

	return rpc_nfs3_write_async(s->raw->s.nfs, on_reply, &a, s);
}

static int send_rename(struct slot *s)
{
	char from[64], to[64];
	RENAME3args a = {.from = where(s, from, "t"), .to = where(s, to, "f")};

	return rpc_nfs3_rename_async(s->raw->s.nfs, on_reply, &a, s);
}

/* The mix of a claim as the design first had it: temporary file, RENAME, directory. */
static int send_claim(struct slot *s)
{
	static int (*const steps[])(struct slot * s) = {
		send_create, send_write, send_rename, send_mkdir};

	return steps[s->step](s);
}

static void next(struct slot *s)
{
	struct raw *r = s->raw;

	s->busy = false;
	if (r->begun == r->total)
		return;
	s->i = r->begun++;
	s->step = 0;
	s->busy = true;
	if (r->send(s) != 0)
		abort();
}

static void on_reply(struct rpc_context *rpc, int status, void *data, void *userdata)
{
	struct slot *s = userdata;
	const CREATE3res *res = data;

	(void)rpc;
	if (status != RPC_STATUS_SUCCESS || res->status != NFS3_OK)
		s->raw->failed++;
	else if (s->raw->steps > 1 && s->step == 0) {
		const nfs_fh3 *fh = &res->CREATE3res_u.resok.obj.post_op_fh3_u.handle;

		memcpy(s->handle, fh->data.data_val, fh->data.data_len);
		s->file.data.data_len = fh->data.data_len;
		s->file.data.data_val = s->handle;
	}
	if (++s->step < s->raw->steps) {
		if (s->raw->send(s) != 0)
			abort();
		return;
	}
	s->raw->ended++;
	next(s);
}

static int run(struct raw *r, const char *name, int (*send)(struct slot *s), int steps, bool print)
{
	uint64_t start = clock_now();
	struct pollfd fds[2];
	double seconds;

	r->send = send;
	r->steps = steps;
	r->begun = r->ended = r->failed = 0;
	for (size_t i = 0; i < r->window; i++)
		next(&r->slots[i]);
	while (r->ended < r->total) {
		size_t n;

		if (server_flush(&r->s) < 0)
			return -ECONNRESET;
		n = server_pollfds(&r->s, fds);
		if (poll(fds, n, 10000) <= 0 || server_io(&r->s, fds) < 0)
			return -ECONNRESET;
	}
	seconds = (double)(clock_now() - start) / 1e9;
	if (print)
		printf("{\"name\":\"%s\",\"value\":%.0f,\"unit\":\"1/"
		       "s\",\"window\":%zu,\"count\":%zu,"
		       "\"failed\":%zu}\n",
			name, (double)r->total / seconds, r->window, r->total, r->failed);
	return 0;
}

static int rounds(struct raw *r)
{
	static const size_t windows[] = {32, 128};
	char name[64];
	int e = 0;

	for (size_t i = 0; e >= 0 && i < ELEMENTSOF(windows); i++) {
		r->window = windows[i];
		snprintf(name, sizeof(name), "nfs_raw_mkdir_w%zu", r->window);
		e = run(r, name, send_mkdir, 1, true);
		if (e >= 0)
			e = run(r, "rmdir", send_rmdir, 1, false);
		snprintf(name, sizeof(name), "nfs_raw_claim_w%zu", r->window);
		if (e >= 0)
			e = run(r, name, send_claim, 4, true);
		if (e >= 0)
			e = run(r, "rmdir", send_rmdir, 1, false);
		snprintf(name, sizeof(name), "nfs_raw_unlink_w%zu", r->window);
		if (e >= 0)
			e = run(r, name, send_remove, 1, true);
	}
	return e;
}

/* Only what the worker does with a bigger tree: files made, then removed. */
static int unlink_many(struct raw *r)
{
	int e;

	r->window = 128;
	e = run(r, "create", send_create, 1, false);
	return e < 0 ? e : run(r, "nfs_raw_unlink", send_remove, 1, true);
}

static void on_root(struct call *c, void *userdata)
{
	struct raw *r = userdata;

	r->dir = c->fh;
	r->failed = c->r < 0;
	r->ended = 1;
}

static int prepare(struct raw *r, struct call *c, enum call_kind kind, const char *name)
{
	struct pollfd fds[2];

	*c = (struct call){.kind = kind, .name = name, .dir = r->dir};
	c->set = (struct nfs_set){.what = SET_MODE, .mode = 0700};
	r->ended = 0;
	server_call(&r->s, c, on_root, r);
	while (r->ended == 0) {
		if (server_flush(&r->s) < 0 || poll(fds, server_pollfds(&r->s, fds), 10000) <= 0 ||
			server_io(&r->s, fds) < 0)
			return -ECONNRESET;
		(void)server_run(&r->s);
	}
	return c->r;
}

int main(int argc, char **argv)
{
	struct nfs_init init = {.version = 3};
	struct raw *r = calloc(1, sizeof(*r));
	struct err e = ERR_NULL;
	struct call call;
	char name[32];
	uint64_t n = 4000;
	int code;

	if (!r || argc < 3 || argc > 5 || (argc > 3 && parse_u64(argv[3], 1, 10000000, &n) < 0)) {
		fprintf(stderr, "usage: nfs_raw SERVER EXPORT [COUNT [unlink]]\n");
		return 2;
	}
	init.server = argv[1];
	init.export_ = argv[2];
	r->total = n;
	for (size_t i = 0; i < WINDOW_MAX; i++)
		r->slots[i].raw = r;
	memset(r->record, 'r', sizeof(r->record));
	server_init(&r->s, init.server);
	if (connect_server(&r->s, &init, clock_now() + SECONDS(10), &e) < 0) {
		fprintf(stderr, "nfs_raw: %s\n", e.text);
		return 1;
	}
	snprintf(name, sizeof(name), "raw-%016llx", (unsigned long long)random_u64());
	code = prepare(r, &call, CALL_ROOT, init.export_);
	if (code >= 0)
		code = prepare(r, &call, CALL_MKDIR, name);
	if (code >= 0)
		code = argc == 5 ? unlink_many(r) : rounds(r);
	if (code < 0)
		fprintf(stderr, "nfs_raw: %s\n", strerror(-code));
	if (code >= 0) {
		code = prepare(r, &call, CALL_ROOT, init.export_);
		if (code >= 0)
			(void)prepare(r, &call, CALL_RMDIR, name);
	}
	return code < 0 ? 1 : 0;
}
