/* SPDX-License-Identifier: Apache-2.0 */
/* node_stats.c: NodeGetVolumeStats: figures from a child that may be killed, the condition from
 * what is known, never a hang */
#include <errno.h>
#include <stdlib.h>

#include "agent/node_op.h"
#include "base/str.h"

#define HEALTHY "volume is healthy"

struct stats_call {
	struct node *node;
	struct csi_call *call;
	const struct csi_stats_request *request;
};

static int64_t clamp(uint64_t n)
{
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void fill(struct csi_stats *s, const struct mounter_usage *u)
{
	s->has_bytes = true;
	s->bytes_total = clamp(u->bytes);
	s->bytes_used = clamp(less(u->bytes, u->bytes_free));
	s->bytes_available = clamp(u->bytes_available);
	s->has_inodes = u->inodes > 0;
	s->inodes_total = clamp(u->inodes);
	s->inodes_used = clamp(less(u->inodes, u->inodes_free));
	s->inodes_free = clamp(u->inodes_free);
}

/* What a server does that is away, slow or has lost the directory: the volume is abnormal, the call
 * is answered. */
static bool is_condition(int code)
{
	return code == ETIMEDOUT || code == ECONNRESET || code == ESTALE || code == EIO ||
	       errno_is_disconnect(code);
}

static void answer(const struct stats_call *s, const struct err *e, const struct mounter_usage *u)
{
	const struct node_options *o = &s->node->o;
	struct mounts_condition known = {.abnormal = false};
	struct csi_stats a = {.has_condition = true};

	if (u)
		fill(&a, u);
	if (o->condition)
		o->condition(s->request->volume_path, &known, o->userdata);
	a.is_abnormal = known.abnormal || e->code;
	a.condition = known.abnormal ? known.message : e->code ? e->text : HEALTHY;
	csi_answer_stats(s->call, &a);
}

static void on_usage(const struct err *e, const struct mounter_usage *u, void *userdata)
{
	struct stats_call *s = userdata;

	if (e->code == 0 || is_condition(e->code))
		answer(s, e, u);
	else
		csi_fail(s->call, node_code(e), "%s", e->text);
	free(s);
}

/*
 * "Volume unknown or not at volume_path" (contracts.md 2.3). What was rebuilt from mountinfo alone
 * does not know its volume's handle; a publication that we forgot (the file was lost, a pool's
 * volume) is one where something is mounted, which the call itself tells.
 */
static bool may_be_there(const struct node *n, const struct csi_stats_request *r)
{
	const struct publication *p = publications_at(n->o.publications, r->volume_path);
	char uid[PUBLICATION_PART_MAX], volume[PUBLICATION_PART_MAX];

	if (!p)
		return publication_target(n->kubelet_root, r->volume_path, uid, volume) >= 0;
	return !p->mode || streq(p->volume, r->volume_id);
}

void node_stats(struct csi_call *c, const struct csi_stats_request *r, void *userdata)
{
	const struct node_driver *d = userdata;
	struct err e = ERR_NULL;
	struct stats_call *s;

	if (!may_be_there(d->node, r)) {
		csi_fail(c, RPC_NOT_FOUND, "volume %s is not published at %s", r->volume_id,
			r->volume_path);
		return;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		csi_fail(c, RPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	*s = (struct stats_call){d->node, c, r};
	if (usage_get(d->node->usage, r->volume_path, on_usage, s, &e) >= 0)
		return;
	csi_fail(c, node_code(&e), "%s", e.text);
	free(s);
}
