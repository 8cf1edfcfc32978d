/* SPDX-License-Identifier: Apache-2.0 */
/* test_nfs_open.c: client id and open owners of NFSv4.0 where the RPC itself fails; the test is the
 * server */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nfs/nfs4.h"

/* More than there are owners. */
#define MANY 100

static struct {
	rpc_cb cb;
	void *userdata;
	nfs_opnum4 op; /* the first that is not PUTFH; 0: nothing was sent */
	bool fails;
} sent;

/* Stands before the library's. */
int rpc_nfs4_compound_async(
	struct rpc_context *rpc, rpc_cb cb, struct COMPOUND4args *args, void *userdata)
{
	(void)rpc;
	sent.cb = cb;
	sent.userdata = userdata;
	sent.op = 0;
	for (u_int i = args->argarray.argarray_len; i-- > 0;)
		if (args->argarray.argarray_val[i].argop != OP_PUTFH)
			sent.op = args->argarray.argarray_val[i].argop;
	return sent.fails ? -1 : 0;
}

struct world {
	struct server s;
	struct call c;
	struct nfs_page page;
	unsigned ended;
};

static void on_call(struct call *c, void *userdata)
{
	struct world *w = userdata;

	(void)c;
	w->ended++;
}

static void world_begin(struct world *w)
{
	*w = (struct world){.ended = 0};
	memset(&sent, 0, sizeof(sent));
	server_init(&w->s, "server");
	w->s.protocol = &nfs4_protocol;
	w->s.nfs = rpc_init_context();
	assert_non_null(w->s.nfs);
}

static void world_end(struct world *w)
{
	rpc_destroy_context(w->s.nfs);
	free(w->s.v4);
}

/* A file to be made; what was sent for it. */
static nfs_opnum4 create(struct world *w)
{
	w->c = (struct call){.kind = CALL_CREATE,
		.dir = {.size = 1},
		.name = "name",
		.data = "data",
		.size = 4,
		.deadline = UINT64_MAX};
	sent.op = 0;
	w->ended = 0;
	server_call(&w->s, &w->c, on_call, w);
	(void)server_run(&w->s);
	return sent.op;
}

static void answer(struct world *w, int status, struct COMPOUND4res *res)
{
	sent.op = 0;
	sent.cb(w->s.nfs, status, res, sent.userdata);
	(void)server_run(&w->s);
}

static void succeed(struct world *w, nfs_opnum4 op)
{
	nfs_resop4 result = {.resop = op};
	struct COMPOUND4res res = {
		.status = NFS4_OK, .resarray = {.resarray_len = 1, .resarray_val = &result}};

	answer(w, RPC_STATUS_SUCCESS, &res);
}

static void reject(struct world *w)
{
	answer(w, RPC_STATUS_ERROR, NULL);
	assert_int_equal(w->ended, 1);
	assert_int_equal(w->c.r, -EPROTO);
}

static void a_rejected_client_id_is_asked_for_again(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w);
	assert_int_equal(create(&w), OP_SETCLIENTID);
	reject(&w);
	assert_int_equal(create(&w), OP_SETCLIENTID);
	succeed(&w, OP_SETCLIENTID);
	assert_int_equal(sent.op, OP_SETCLIENTID_CONFIRM);
	reject(&w);
	assert_int_equal(create(&w), OP_SETCLIENTID);
	world_end(&w);
}

static void rejected_opens_give_their_owners_back(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w);
	assert_int_equal(create(&w), OP_SETCLIENTID);
	succeed(&w, OP_SETCLIENTID);
	succeed(&w, OP_SETCLIENTID_CONFIRM);
	assert_int_equal(sent.op, OP_OPEN);
	for (int i = 0; i < MANY; i++) {
		reject(&w);
		assert_int_equal(create(&w), OP_OPEN);
	}
	reject(&w);
	world_end(&w);
}

static void so_do_those_that_could_not_be_sent(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w);
	sent.fails = true;
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(create(&w), OP_SETCLIENTID);
		assert_int_equal(w.ended, 1);
	}
	sent.fails = false;
	assert_int_equal(create(&w), OP_SETCLIENTID);
	succeed(&w, OP_SETCLIENTID);
	sent.fails = true;
	succeed(&w, OP_SETCLIENTID_CONFIRM);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(create(&w), OP_OPEN);
		assert_int_equal(w.ended, 1);
		assert_true(w.c.r < 0);
	}
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rejected_client_id_is_asked_for_again),
		cmocka_unit_test(rejected_opens_give_their_owners_back),
		cmocka_unit_test(so_do_those_that_could_not_be_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
