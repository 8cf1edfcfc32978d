/* SPDX-License-Identifier: Apache-2.0 */
/* nfs_raw.c: the NFS server's own limit: libnfs' raw calls, pipelined, with nothing around them */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <nfsc/libnfs.h>
#include <nfsc/libnfs-raw.h>
#include <nfsc/libnfs-raw-mount.h>
#include <nfsc/libnfs-raw-nfs.h>
#include <nfsc/libnfs-raw-nfs4.h>

#include "base/clock.h"
#include "base/cleanup.h"

#define WINDOW_MAX 256
#define PATH_PARTS 16
#define RECORD_SIZE 512 /* a record of a claim, as Berth writes it */

/* NFSv4 handles are the longer ones: 128 bytes. */
struct handle {
	char data[128];
	unsigned size;
};

struct raw {
	struct rpc_context *rpc;
	struct handle root, base;
	const char *export_;
	char base_name[64];
	long count, next, done, errors;
	int window;
	bool ready, failed;
	int mode; /* enum mode */
};

enum mode { MODE_MKDIR, MODE_MIX, MODE_CREATE, MODE_UNLINK, MODE_UNLINK4, _MODE_MAX };
static const char *const mode_names[_MODE_MAX] = {"mkdir", "mix", "create", "unlink", "unlink4"};

/* One chain of calls on its way; the mix is CREATE, WRITE, RENAME, MKDIR as for a claim. */
enum call { CALL_CREATE, CALL_WRITE, CALL_RENAME, CALL_MKDIR, CALL_REMOVE, CALL_REMOVE4 };
struct slot {
	struct raw *raw;
	long number;
	int call;
	struct handle file;
	char name[64], other[64];
};

static char record[RECORD_SIZE];

static nfs_fh3 fh(struct handle *h)
{
	return (nfs_fh3){.data = {h->size, h->data}};
}

static bool keep(struct handle *h, unsigned size, const char *data)
{
	if (size > sizeof(h->data))
		return false;
	h->size = size;
	memcpy(h->data, data, size);
	return true;
}

static sattr3 attributes(unsigned mode)
{
	sattr3 a;

	memset(&a, 0, sizeof(a));
	a.mode.set_it = 1;
	a.mode.set_mode3_u.mode = mode;
	a.uid.set_it = 1;
	a.uid.set_uid3_u.uid = 1000;
	a.gid.set_it = 1;
	a.gid.set_gid3_u.gid = 1000;
	return a;
}

static void send_call(struct slot *s);

static void slot_next(struct slot *s)
{
	static const int first[_MODE_MAX] = {
		CALL_MKDIR, CALL_CREATE, CALL_CREATE, CALL_REMOVE, CALL_REMOVE4};
	struct raw *r = s->raw;

	if (r->next >= r->count)
		return;
	s->number = r->next++;
	s->call = first[r->mode];
	send_call(s);
}

static void on_reply(struct rpc_context *rpc, int status, void *data, void *userdata)
{
	struct slot *s = userdata;
	struct raw *r = s->raw;
	CREATE3res *created = data;

	(void)rpc;
	/* Every result of NFSv3 and NFSv4 begins with its status, and 0 is well. */
	if (status != RPC_STATUS_SUCCESS || *(nfsstat3 *)data != NFS3_OK) {
		r->errors++;
		r->done++;
		slot_next(s);
		return;
	}
	if (s->call == CALL_CREATE) {
		nfs_fh3 *f = &created->CREATE3res_u.resok.obj.post_op_fh3_u.handle;

		keep(&s->file, f->data.data_len, f->data.data_val);
	}
	if (r->mode == MODE_MIX && s->call < CALL_MKDIR) {
		s->call++;
		send_call(s);
		return;
	}
	r->done++;
	slot_next(s);
}

static int call_create(struct slot *s)
{
	struct raw *r = s->raw;
	CREATE3args a = {.where = {fh(&r->base), s->name}, .how = {.mode = GUARDED}};

	snprintf(s->name, sizeof(s->name), r->mode == MODE_MIX ? ".t%ld" : "f%ld", s->number);
	a.how.createhow3_u.obj_attributes = attributes(0600);
	return rpc_nfs3_create_async(r->rpc, on_reply, &a, s);
}

static int call_write(struct slot *s)
{
	WRITE3args a = {.file = fh(&s->file),
		.count = RECORD_SIZE,
		.stable = FILE_SYNC,
		.data = {RECORD_SIZE, record}};

	return rpc_nfs3_write_async(s->raw->rpc, on_reply, &a, s);
}

static int call_rename(struct slot *s)
{
	struct raw *r = s->raw;
	RENAME3args a = {.from = {fh(&r->base), s->name}, .to = {fh(&r->base), s->other}};

	snprintf(s->other, sizeof(s->other), "r%ld", s->number);
	return rpc_nfs3_rename_async(r->rpc, on_reply, &a, s);
}

static int call_mkdir(struct slot *s)
{
	struct raw *r = s->raw;
	MKDIR3args a = {.where = {fh(&r->base), s->name}, .attributes = attributes(0770)};

	snprintf(s->name, sizeof(s->name), "d%ld", s->number);
	return rpc_nfs3_mkdir_async(r->rpc, on_reply, &a, s);
}

static int call_remove(struct slot *s)
{
	struct raw *r = s->raw;
	REMOVE3args a = {.object = {fh(&r->base), s->name}};

	snprintf(s->name, sizeof(s->name), "f%ld", s->number);
	return rpc_nfs3_remove_async(r->rpc, on_reply, &a, s);
}

static int call_remove4(struct slot *s)
{
	struct raw *r = s->raw;
	nfs_argop4 ops[2] = {{.argop = OP_PUTFH}, {.argop = OP_REMOVE}};
	COMPOUND4args a = {.argarray = {2, ops}};

	snprintf(s->name, sizeof(s->name), "f%ld", s->number);
	ops[0].nfs_argop4_u.opputfh.object = (nfs_fh4){r->base.size, r->base.data};
	ops[1].nfs_argop4_u.opremove.target = (component4){(u_int)strlen(s->name), s->name};
	return rpc_nfs4_compound_async(r->rpc, on_reply, &a, s);
}

static void send_call(struct slot *s)
{
	static int (*const calls[])(struct slot *) = {
		call_create, call_write, call_rename, call_mkdir, call_remove, call_remove4};

	if (calls[s->call](s) != 0) {
		s->raw->errors++;
		s->raw->failed = true;
	}
}

static int serve(struct raw *r, bool (*until)(const struct raw *))
{
	while (!until(r) && !r->failed) {
		struct pollfd p = {rpc_get_fd(r->rpc), (short)rpc_which_events(r->rpc), 0};

		if (poll(&p, 1, 10000) <= 0 || rpc_service(r->rpc, p.revents) < 0) {
			fprintf(stderr, "nfs_raw: %s\n", rpc_get_error(r->rpc));
			return -EIO;
		}
	}
	return r->failed ? -EIO : 0;
}

static bool is_ready(const struct raw *r)
{
	return r->ready;
}

static bool is_done(const struct raw *r)
{
	return r->done >= r->count;
}

static void on_connected(struct rpc_context *rpc, int status, void *data, void *userdata)
{
	struct raw *r = userdata;

	(void)rpc;
	(void)data;
	r->ready = true;
	r->failed = status != RPC_STATUS_SUCCESS;
}

static void on_mounted(struct rpc_context *rpc, int status, void *data, void *userdata)
{
	struct raw *r = userdata;
	mountres3 *m = data;

	(void)rpc;
	r->ready = true;
	r->failed = status != RPC_STATUS_SUCCESS || m->fhs_status != MNT3_OK ||
		    !keep(&r->root, m->mountres3_u.mountinfo.fhandle.fhandle3_len,
			    m->mountres3_u.mountinfo.fhandle.fhandle3_val);
}

static void on_base(struct rpc_context *rpc, int status, void *data, void *userdata)
{
	struct raw *r = userdata;
	MKDIR3res *m = data;

	(void)rpc;
	r->ready = true;
	r->failed = status != RPC_STATUS_SUCCESS || m->status != NFS3_OK ||
		    !keep(&r->base, m->MKDIR3res_u.resok.obj.post_op_fh3_u.handle.data.data_len,
			    m->MKDIR3res_u.resok.obj.post_op_fh3_u.handle.data.data_val);
}

static int wait_ready(struct raw *r)
{
	r->ready = false;
	return serve(r, is_ready);
}

static int attach(struct raw *r, const char *server)
{
	MKDIR3args a = {.where = {{{0, NULL}}, r->base_name}, .attributes = attributes(0777)};
	struct rpc_context *mount = rpc_init_context();

	r->rpc = mount;
	if (rpc_connect_program_async(r->rpc, server, MOUNT_PROGRAM, MOUNT_V3, on_connected, r) !=
			0 ||
		wait_ready(r) < 0)
		return -EIO;
	if (rpc_mount3_mnt_async(r->rpc, on_mounted, (char *)r->export_, r) != 0 ||
		wait_ready(r) < 0)
		return -EIO;
	rpc_destroy_context(mount);
	r->rpc = rpc_init_context();
	if (rpc_connect_program_async(r->rpc, server, NFS_PROGRAM, NFS_V3, on_connected, r) != 0 ||
		wait_ready(r) < 0)
		return -EIO;
	a.where.dir = fh(&r->root);
	if (rpc_nfs3_mkdir_async(r->rpc, on_base, &a, r) != 0)
		return -EIO;
	return wait_ready(r);
}

static void on_base4(struct rpc_context *rpc, int status, void *data, void *userdata)
{
	struct raw *r = userdata;
	COMPOUND4res *res = data;
	nfs_resop4 *last;

	(void)rpc;
	r->ready = r->failed = true;
	if (status != RPC_STATUS_SUCCESS || res->status != NFS4_OK)
		return;
	last = &res->resarray.resarray_val[res->resarray.resarray_len - 1];
	if (last->resop == OP_GETFH) {
		const nfs_fh4 *f = &last->nfs_resop4_u.opgetfh.GETFH4res_u.resok4.object;

		r->failed = !keep(&r->base, f->nfs_fh4_len, f->nfs_fh4_val);
	}
}

/* The same directory over NFSv4.0, on a connection of its own. */
static int attach4(struct raw *r, const char *server)
{
	nfs_argop4 ops[PATH_PARTS + 2] = {{.argop = OP_PUTROOTFH}};
	COMPOUND4args a = {.argarray = {1, ops}};
	char path[256], *at = path, *part;

	snprintf(path, sizeof(path), "%s/%s", r->export_, r->base_name);
	while ((part = strsep(&at, "/")) && a.argarray.argarray_len <= PATH_PARTS)
		if (*part)
			ops[a.argarray.argarray_len++] = (nfs_argop4){.argop = OP_LOOKUP,
				.nfs_argop4_u.oplookup.objname = {(u_int)strlen(part), part}};
	ops[a.argarray.argarray_len++].argop = OP_GETFH;
	rpc_destroy_context(r->rpc);
	r->rpc = rpc_init_context();
	if (rpc_connect_program_async(r->rpc, server, NFS4_PROGRAM, NFS_V4, on_connected, r) != 0 ||
		wait_ready(r) < 0)
		return -EIO;
	if (rpc_nfs4_compound_async(r->rpc, on_base4, &a, r) != 0)
		return -EIO;
	return wait_ready(r);
}

static int run(struct raw *r, int mode, uint64_t *ret_ns)
{
	static struct slot slots[WINDOW_MAX];
	uint64_t start = clock_now();
	int res;

	r->mode = mode;
	r->next = r->done = 0;
	for (int i = 0; i < r->window && i < r->count; i++) {
		slots[i] = (struct slot){.raw = r};
		slot_next(&slots[i]);
	}
	res = serve(r, is_done);
	*ret_ns = clock_now() - start;
	return res;
}

static int parse(struct raw *r, int argc, char **argv)
{
	if (argc < 5)
		return -EINVAL;
	r->export_ = argv[2];
	r->count = strtol(argv[4], NULL, 10);
	r->window = argc > 5 ? (int)strtol(argv[5], NULL, 10) : 32;
	if (r->count < 1 || r->window < 1 || r->window > WINDOW_MAX)
		return -EINVAL;
	for (int m = 0; m < _MODE_MAX; m++)
		if (strcmp(argv[3], mode_names[m]) == 0)
			return m;
	return -EINVAL;
}

int main(int argc, char **argv)
{
	struct raw r = {.window = 32};
	int mode = parse(&r, argc, argv), res;
	uint64_t ns = 0;

	if (mode < 0) {
		fputs("usage: nfs_raw SERVER EXPORT mkdir|mix|create|unlink|unlink4 COUNT "
		      "[WINDOW]\n"
		      "Makes a directory raw-PID on the export and times COUNT operations in it "
		      "(unlink: of files\n"
		      "it made before; unlink4: over NFSv4.0). Prints one line of JSON.\n",
			stderr);
		return 2;
	}
	snprintf(r.base_name, sizeof(r.base_name), "raw-%d", getpid());
	memset(record, ' ', sizeof(record));
	if (attach(&r, argv[1]) < 0) {
		fprintf(stderr, "nfs_raw: %s:%s: %s\n", argv[1], argv[2], rpc_get_error(r.rpc));
		return 1;
	}
	res = mode == MODE_UNLINK || mode == MODE_UNLINK4 ? run(&r, MODE_CREATE, &ns) : 0;
	if (res == 0 && mode == MODE_UNLINK4)
		res = attach4(&r, argv[1]);
	if (res == 0)
		res = run(&r, mode, &ns);
	printf("{\"mode\":\"%s\",\"count\":%ld,\"errors\":%ld,\"seconds\":%.3f,\"per_s\":%.1f}\n",
		mode_names[mode], r.done, r.errors, (double)ns / 1e9,
		(double)r.done / ((double)ns / 1e9));
	rpc_destroy_context(r.rpc);
	return res || r.errors ? 1 : 0;
}
