/* SPDX-License-Identifier: Apache-2.0 */
/* op_space.c: how full the export is, and how fast its server answers */
#include "base/clock.h"
#include "nfs/op_steps.h"
#include "nfs/worker.h"

enum { ASK = _STEP_OWN };

static int ask_start(struct op *op)
{
	op->started = clock_now();
	op->call.dir = op->x->root;
	return op_send(op, CALL_SPACE, op_cred(op));
}

static int ask_done(struct op *op, const struct call *c)
{
	struct volume_result *res = &op->result;

	if (c->r < 0)
		return op_fail(op, c, "ask for free space");
	res->round_trip_ns = clock_now() - op->started;
	res->total_bytes = c->space.total_bytes;
	res->free_bytes = c->space.free_bytes;
	res->available_bytes = c->space.available_bytes;
	res->total_files = c->space.total_files;
	res->free_files = c->space.free_files;
	res->version = op->w->server.protocol->version;
	return STEP_END;
}

const struct op_step op_space_steps[] = {
	OP_COMMON_STEPS,
	[ASK] = {"ask", ask_start, ask_done},
};
