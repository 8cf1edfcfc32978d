/* SPDX-License-Identifier: Apache-2.0 */
/* node_calls.h: calls of a kubelet that is the test: stands in for csi/service.c; for one test's
 * file each */
#ifndef BERTH_TESTS_NODE_CALLS_H
#define BERTH_TESTS_NODE_CALLS_H

#include "agent/node.h"
#include "base/str.h"

struct csi_call {
	bool answered;
	struct rpc_status end;
	struct csi_stats stats;
	char condition[256];
};

void csi_answer(struct csi_call *c)
{
	assert_false(c->answered);
	c->answered = true;
	c->end.code = RPC_OK;
}

void csi_answer_stats(struct csi_call *c, const struct csi_stats *s)
{
	csi_answer(c);
	c->stats = *s;
	str_copy_cut(c->condition, sizeof(c->condition), s->condition);
}

void csi_fail_status(struct csi_call *c, const struct rpc_status *s)
{
	assert_false(c->answered);
	assert_int_not_equal(s->code, RPC_OK);
	c->answered = true;
	c->end = *s;
}

void csi_fail(struct csi_call *c, enum rpc_code code, const char *fmt, ...)
{
	struct rpc_status s = {.code = code};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s.text, sizeof(s.text), fmt, ap);
	va_end(ap);
	csi_fail_status(c, &s);
}

static void is_code(const struct csi_call *c, enum rpc_code code)
{
	if (!c->answered || c->end.code != code)
		fail_msg("%s instead of %s: %s", c->answered ? rpc_code_name(c->end.code) : "none",
			rpc_code_name(code), c->end.text);
}

#endif
