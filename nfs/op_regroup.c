/* SPDX-License-Identifier: Apache-2.0 */
/* op_regroup.c: a slice of giving a tree its group; a root that is right is the whole answer */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "nfs/op_steps.h"
#include "nfs/regroup.h"
#include "nfs/worker.h"

enum { ROOT = _STEP_OWN, COMPONENT, LOOK, RUN, SLICE };

/* Where the way down has come to: op->call.dir is the directory, op->path.at the next component. */
static int root_start(struct op *op)
{
	if (regroup_find(op->x, op->request.name, op->request.group))
		return RUN;
	op->path.at = 0;
	op->call.name = op->x->path;
	return op_send(op, CALL_ROOT, op_cred(op));
}

/* The next directory of the path is known. */
static int arrived(struct op *op, const struct call *c)
{
	if (c->attr.type != NFS_TYPE_DIRECTORY)
		return op_refuse(op, ENOTDIR, "%s is no directory",
			*op->request.name ? op->request.name : "the export");
	op->attr = c->attr;
	op->call.dir = c->fh;
	return op->request.name[op->path.at] ? COMPONENT : LOOK;
}

static int root_done(struct op *op, const struct call *c)
{
	if (c->r < 0)
		return op_fail(op, c, "mount the export");
	return arrived(op, c);
}

/* By whoever we are, else as the owner of the directory above: 0700 parents are passable for him.
 */
static int component_start(struct op *op)
{
	const char *at = op->request.name + op->path.at;
	size_t n = strcspn(at, "/");
	const struct nfs_cred owner = {op->attr.uid, op->attr.gid};

	memcpy(op->temp, at, n);
	op->temp[n] = '\0';
	op->call.name = op->temp;
	return op_send(op, CALL_LOOKUP, op->tried ? &owner : op_cred(op));
}

static int component_done(struct op *op, const struct call *c)
{
	size_t n = strlen(op->temp);

	if ((c->r == -EACCES || c->r == -EPERM) && op->tried == 0) {
		op->tried = 1;
		return COMPONENT;
	}
	if (c->r < 0)
		return op_fail(op, c, "look up %s", op->request.name);
	op->tried = 0;
	op->path.at += n + (op->request.name[op->path.at + n] == '/');
	return arrived(op, c);
}

static int look(struct op *op)
{
	if (regroup_is_right(&op->attr, op->request.group))
		return STEP_END;
	return regroup_new(op, &op->call.dir, &op->attr)
		       ? RUN
		       : op_refuse(op, ENOMEM, "no memory for a walk");
}

static struct regroup *ours(struct op *op)
{
	return regroup_find(op->x, op->request.name, op->request.group);
}

static int run(struct op *op)
{
	struct regroup *g = ours(op);

	if (!g)
		return op_refuse(op, EAGAIN, "the walk was forgotten");
	if (g->op)
		return op_refuse(op, EBUSY, "%s is getting a group already", op->request.name);
	return regroup_run(g, op, SLICE);
}

static int slice(struct op *op)
{
	struct regroup *g = ours(op);
	int r = 0;

	if (g && !g->over) {
		op->flags |= RESULT_MORE;
		return STEP_END;
	}
	if (g && g->err.code)
		r = err_copy(&op->err, &g->err);
	if (g && r == 0 && g->refused > 0)
		op_note(op, "%llu files kept their group: the server refused",
			(unsigned long long)g->refused);
	if (g)
		regroup_free(g);
	return r < 0 ? r : STEP_END;
}

const struct op_step op_regroup_steps[] = {
	OP_COMMON_STEPS,
	[ROOT] = {"root", root_start, root_done},
	[COMPONENT] = {"component", component_start, component_done},
	[LOOK] = {"look", look, NULL},
	[RUN] = {"run", run, NULL},
	[SLICE] = {"slice", slice, NULL},
};
