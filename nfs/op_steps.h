/* SPDX-License-Identifier: Apache-2.0 */
/* op_steps.h: the steps at the beginning of every table but the worker's own */
#ifndef BERTH_NFS_OP_STEPS_H
#define BERTH_NFS_OP_STEPS_H

#include "nfs/op.h"

/* op_common.c */
int step_attach_start(struct op *op);
int step_record_start(struct op *op);
int step_record_done(struct op *op, const struct call *c);
int step_save_earlier_start(struct op *op);
int step_save_earlier_done(struct op *op, const struct call *c);
int step_save_start(struct op *op);
int step_save_done(struct op *op, const struct call *c);
int step_parent_start(struct op *op);
int step_parent_done(struct op *op, const struct call *c);
int step_parent_make_start(struct op *op);
int step_parent_make_done(struct op *op, const struct call *c);
int step_index_start(struct op *op);
int step_forget_start(struct op *op);
int step_forget_done(struct op *op, const struct call *c);

#define OP_COMMON_STEPS                                                                          \
	[STEP_ATTACH] = {"attach", step_attach_start, NULL},                                     \
	[STEP_RECORD] = {"record", step_record_start, step_record_done},                         \
	[STEP_SAVE_EARLIER] = {"save-earlier", step_save_earlier_start, step_save_earlier_done}, \
	[STEP_SAVE] = {"save", step_save_start, step_save_done},                                 \
	[STEP_PARENT] = {"parent", step_parent_start, step_parent_done},                         \
	[STEP_PARENT_MAKE] = {"parent-make", step_parent_make_start, step_parent_make_done},     \
	[STEP_INDEX] = {"index", step_index_start, NULL},                                        \
	[STEP_FORGET] = {"forget", step_forget_start, step_forget_done}

#endif
